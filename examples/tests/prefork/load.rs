//! What clients see while workers die.

use crate::kit::process::Process;
use crate::kit::{BOUND, LATE, Stopwatch};
use crate::server::{MS, Server, get};
use examples::reply;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Result, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const CLIENTS: usize = 4;
/// How old a worker must be before it is killed: the death of a younger one is held against its slot.
const GROWN: Duration = Duration::from_millis(1100);

/// For how many seconds workers are killed; without it only until a dozen are.
const SECONDS: &str = "HOST_LOAD_SECONDS";
/// How many, if nobody asks for more.
const KILLS: usize = 12;

/// How a server is talked to.
#[derive(Clone, Copy, Debug)]
enum Protocol {
    Http,
    Lines,
}

impl Protocol {
    fn server(self, flags: &[&str]) -> Server {
        match self {
            Self::Http => Server::http(4, flags),
            Self::Lines => Server::echo(4, flags),
        }
    }

    /// Asks who serves this connection.
    fn who(self, stream: &mut TcpStream) -> Result<u32> {
        let answer = match self {
            Self::Http => ask(stream, &get("/pid"), page)?,
            Self::Lines => ask(stream, "!pid\n", line)?,
        };
        Ok(answer.trim().parse().unwrap())
    }

    /// Asks for something, whose answer is known.
    fn something(self, stream: &mut TcpStream) -> Result<()> {
        match self {
            Self::Http => assert_eq!(ask(stream, &get("/"), page)?, "Hello, World!\n"),
            Self::Lines => assert_eq!(ask(stream, "a line\n", line)?, "a line\n"),
        }
        Ok(())
    }
}

/// A whole answer of the web server, without its head.
pub(crate) fn page(bytes: &[u8]) -> Option<String> {
    let reply = reply::parse(bytes).unwrap()?;
    assert_eq!(reply.status, 200);
    Some(String::from_utf8_lossy(bytes).split_once("\r\n\r\n").unwrap().1.to_owned())
}

/// A whole line.
pub(crate) fn line(bytes: &[u8]) -> Option<String> {
    bytes.ends_with(b"\n").then(|| String::from_utf8_lossy(bytes).into_owned())
}

fn ask(stream: &mut TcpStream, question: &str, whole: fn(&[u8]) -> Option<String>) -> Result<String> {
    stream.write_all(question.as_bytes())?;
    let mut bytes = Vec::new();
    let mut portion = [0; 4096];
    loop {
        match stream.read(&mut portion) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => bytes.extend_from_slice(&portion[..count]),
        }
        if let Some(answer) = whole(&bytes) {
            return Ok(answer);
        }
    }
}

/// What became of one connection.
#[derive(Debug)]
struct Outcome {
    /// How many requests were answered.
    answered: u32,
    /// The worker that held it, if it ever said.
    worker: Option<u32>,
    /// How it failed and when that was seen, if it did.
    failed: Option<(ErrorKind, Duration)>,
}

/// Asks over one connection who serves it, then for more, as often as may be.
fn converse(protocol: Protocol, address: SocketAddr, requests: u32, watch: Stopwatch) -> Outcome {
    // Whoever is killed, somebody listens.
    let mut stream = TcpStream::connect_timeout(&address, BOUND).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    let mut outcome = Outcome { answered: 0, worker: None, failed: None };
    let mut talk = |outcome: &mut Outcome| -> Result<()> {
        outcome.worker = Some(protocol.who(&mut stream)?);
        outcome.answered += 1;
        for _ in 1..requests {
            protocol.something(&mut stream)?;
            outcome.answered += 1;
        }
        Ok(())
    };
    outcome.failed = talk(&mut outcome).err().map(|error| (error.kind(), watch.elapsed()));
    outcome
}

/// Lets clients ask all the time while workers are killed at random.
fn only_the_connections_of_the_killed_fail(protocol: Protocol, flags: &[&str]) {
    let mut server = protocol.server(flags);
    let address = server.address;
    let (over, watch) = (AtomicBool::new(false), Stopwatch::start());
    let (outcomes, killed) = thread::scope(|scope| {
        let client = || {
            let mut outcomes = Vec::new();
            while !over.load(Ordering::Relaxed) {
                outcomes.push(converse(protocol, address, 50, watch));
            }
            outcomes
        };
        let clients = [(); CLIENTS].map(|()| scope.spawn(client));
        let killed = kill_at_random(&mut server, watch);
        over.store(true, Ordering::Relaxed);
        (clients.map(|client| client.join().unwrap()).into_iter().flatten().collect::<Vec<_>>(), killed)
    });
    let answered: u32 = outcomes.iter().map(|outcome| outcome.answered).sum();
    let failed: Vec<_> = outcomes.iter().filter(|outcome| outcome.failed.is_some()).collect();
    println!(
        "{protocol:?}: {answered} requests answered over {} connections, {} workers killed, {} connections lost, {} of \
        them before the first answer",
        outcomes.len(),
        killed.len(),
        failed.len(),
        failed.iter().filter(|outcome| outcome.worker.is_none()).count(),
    );
    let broken = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    for outcome in &failed {
        let Some((how, when)) = outcome.failed else { continue };
        assert!(broken.contains(&how), "not by a death: {outcome:?}");
        // One that was not answered even once was accepted by a worker that was killed before it could.
        let by_a_death = match outcome.worker {
            Some(worker) => killed.get(&worker).is_some_and(|at| *at <= when),
            None => killed.values().any(|at| *at <= when && when - *at <= LATE),
        };
        assert!(by_a_death, "lost for nothing: {outcome:?}, killed: {killed:?}");
    }
    // Each client has one connection at a time.
    assert!(failed.len() <= killed.len() * CLIENTS, "{failed:?}");
    assert!(answered > 1000, "there was a load: {answered}");
}

#[test]
fn while_workers_are_killed_at_random_only_the_connections_that_they_held_fail() {
    only_the_connections_of_the_killed_fail(Protocol::Http, &[]);
}

#[test]
fn and_so_it_is_with_workers_that_block_in_a_loop() {
    only_the_connections_of_the_killed_fail(Protocol::Lines, &[]);
}

#[test]
fn k13_with_a_queue_for_each_worker_nothing_else_is_lost_either() {
    only_the_connections_of_the_killed_fail(Protocol::Http, &["--reuse-port"]);
}

/// Kills grown workers, one after the other, chosen at random: who was killed, and when.
fn kill_at_random(server: &mut Server, watch: Stopwatch) -> BTreeMap<u32, Duration> {
    let seconds = std::env::var(SECONDS).ok().map(|seconds| {
        let seconds =
            seconds.parse().unwrap_or_else(|_| panic!("{SECONDS}={seconds}: must be a number of seconds"));
        Duration::from_secs(seconds)
    });
    let is_over = |killed: usize| match seconds {
        Some(seconds) => watch.elapsed() >= seconds,
        None => killed >= KILLS,
    };
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut killed = BTreeMap::new();
    let mut births: BTreeMap<u32, Stopwatch> =
        server.workers().into_iter().map(|pid| (pid, Stopwatch::start())).collect();
    while !is_over(killed.len()) {
        let grown: Vec<_> =
            births.iter().filter(|(_, birth)| birth.elapsed() > GROWN).map(|(pid, _)| *pid).collect();
        if grown.is_empty() {
            let oldest = births.values().map(|birth| birth.elapsed()).max().unwrap_or_default();
            assert!(!server.program.ends_within(GROWN.saturating_sub(oldest) + MS), "the host is alive");
            continue;
        }
        // xorshift64 (Marsaglia 2003): any numbers will do, the same in each run.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let victim = grown[(random % grown.len() as u64) as usize];
        killed.insert(victim, watch.elapsed());
        Process::of(victim).signal(Signal::KILL);
        births.remove(&victim);
        let line = server.notice("created, pid ");
        let next = line.split_once("created, pid ").unwrap().1.parse().unwrap();
        births.insert(next, Stopwatch::start());
    }
    killed
}

#[test]
fn a_drain_under_load_loses_no_request_that_was_begun() {
    let server = Server::http(2, &[]);
    // Each is accepted and has sent its request before the drain: the first answer tells the one, and what
    // lies in a worker's socket counts as begun.
    let mut clients: Vec<_> = (0..6).map(|_| server.served().0).collect();
    for client in &mut clients {
        client.send(get("/nap"));
    }
    server.signal(Signal::QUIT);
    for client in &mut clients {
        assert_eq!(client.answer().0, 200);
        assert_eq!(client.rest(), "", "and then the connection ends");
    }
    assert_eq!(server.program.end().code(), Some(0));
}
