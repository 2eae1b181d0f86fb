//! What clients see while workers die.

use crate::kit::process::Process;
use crate::kit::{BOUND, Stopwatch};
use crate::server::{MS, Server, get};
use examples::reply;
use rustix::process::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read as _, Result, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const CLIENTS: usize = 4;
/// How old a worker must be before it is killed: the death of a younger one is held against its slot.
const GROWN: Duration = Duration::from_millis(1100);

/// What became of one connection.
#[derive(Debug)]
struct Outcome {
    /// How many requests were answered.
    answered: u32,
    /// The worker that held it, if it ever said.
    worker: Option<u32>,
    failed: bool,
}

/// Asks over one connection who serves it, then for pages, as often as may be.
fn converse(address: SocketAddr, requests: u32) -> Outcome {
    let mut outcome = Outcome { answered: 0, worker: None, failed: false };
    let talk = |outcome: &mut Outcome| -> Result<()> {
        let mut stream = TcpStream::connect_timeout(&address, BOUND)?;
        stream.set_read_timeout(Some(BOUND))?;
        let pid = ask(&mut stream, "/pid")?;
        outcome.worker = pid.trim().parse().ok();
        outcome.answered += 1;
        for _ in 1..requests {
            assert_eq!(ask(&mut stream, "/")?, "Hello, World!\n");
            outcome.answered += 1;
        }
        Ok(())
    };
    outcome.failed = talk(&mut outcome).is_err();
    outcome
}

fn ask(stream: &mut TcpStream, path: &str) -> Result<String> {
    stream.write_all(get(path).as_bytes())?;
    let mut bytes = Vec::new();
    let mut portion = [0; 4096];
    loop {
        if let Some(reply) = reply::parse(&bytes).unwrap() {
            assert_eq!(reply.status, 200);
            let answer = String::from_utf8_lossy(&bytes);
            return Ok(answer.split_once("\r\n\r\n").unwrap().1.to_owned());
        }
        match stream.read(&mut portion) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => bytes.extend_from_slice(&portion[..count]),
        }
    }
}

#[test]
fn while_workers_are_killed_at_random_only_the_connections_that_they_held_fail() {
    let mut server = Server::http(4, &[]);
    let address = server.address;
    let over = AtomicBool::new(false);
    let (outcomes, killed) = thread::scope(|scope| {
        let client = || {
            let mut outcomes = Vec::new();
            while !over.load(Ordering::Relaxed) {
                outcomes.push(converse(address, 50));
            }
            outcomes
        };
        let clients = [(); CLIENTS].map(|()| scope.spawn(client));
        let killed = kill_at_random(&mut server, 12);
        over.store(true, Ordering::Relaxed);
        (clients.map(|client| client.join().unwrap()).into_iter().flatten().collect::<Vec<_>>(), killed)
    });
    let answered: u32 = outcomes.iter().map(|outcome| outcome.answered).sum();
    let failed: Vec<_> = outcomes.iter().filter(|outcome| outcome.failed).collect();
    println!(
        "{answered} requests answered, {} workers killed, {} connections lost",
        killed.len(),
        failed.len()
    );
    for outcome in &failed {
        assert!(
            outcome.worker.is_none_or(|worker| killed.contains(&worker)),
            "lost for nothing: {outcome:?}"
        );
    }
    // One that was not answered even once was accepted by a worker that was killed before it could.
    assert!(failed.len() <= killed.len() * CLIENTS, "{failed:?}");
    assert!(answered > 1000, "there was a load: {answered}");
}

/// Kills grown workers, one after the other, chosen at random: who was killed.
fn kill_at_random(server: &mut Server, count: usize) -> BTreeSet<u32> {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut killed = BTreeSet::new();
    let mut births: BTreeMap<u32, Stopwatch> =
        server.workers().into_iter().map(|pid| (pid, Stopwatch::start())).collect();
    while killed.len() < count {
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
        Process::of(victim).signal(Signal::KILL);
        killed.insert(victim);
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
