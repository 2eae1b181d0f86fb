//! What clients see of a host that things happen to, and what of it may be.
//!
//! A death may cost its worker's connections what was asked on them last: for each client one request, the one in flight.
//! Whoever is asked to quit may end a connection between two requests, and the client asks anew on another. Nothing else
//! is ever lost, and nobody is refused.

use crate::kit::{BOUND, Stopwatch, pass};
use crate::load::{line, page};
use crate::server::get;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;

/// How many ask at once.
pub(super) const CLIENTS: usize = 3;
/// How many requests a connection has at most; the first one has one.
const REQUESTS_MAX: u64 = 20;

/// How a server is talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http,
    Lines,
}

/// A request, the answer to it, and how to know that this is whole.
struct Question {
    words: String,
    answer: Option<String>,
    whole: fn(&[u8]) -> Option<String>,
}

impl Protocol {
    /// Who serves this connection?
    fn who(self) -> Question {
        match self {
            Self::Http => Question { words: get("/pid"), answer: None, whole: page },
            Self::Lines => Question { words: "!pid\n".into(), answer: None, whole: line },
        }
    }

    fn something(self) -> Question {
        match self {
            Self::Http => Question { words: get("/"), answer: Some("Hello, World!\n".into()), whole: page },
            Self::Lines => {
                Question { words: "a line\n".into(), answer: Some("a line\n".into()), whole: line }
            }
        }
    }

    /// Print this; the web server has words of its own, a line on each of the two.
    fn print(self, words: &str) -> Question {
        match self {
            Self::Http => {
                Question { words: get("/print?lines=1"), answer: Some("printed\n".into()), whole: page }
            }
            Self::Lines => {
                let words = format!("!out {words}\n");
                Question { answer: Some(words.clone()), words, whole: line }
            }
        }
    }
}

/// A worker that was ended, and when: the signal was sent after the one moment, and it had died before the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Death {
    pub(super) pid: u32,
    pub(super) from: Duration,
    pub(super) to: Duration,
}

/// A request that was not answered.
#[derive(Clone, Debug)]
struct Lost {
    client: usize,
    /// Who held the connection, if it ever said.
    worker: Option<u32>,
    how: Loss,
    /// When the connection was begun.
    from: Duration,
    /// When it was seen to be lost.
    to: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    /// There was no connection.
    Refused(ErrorKind),
    /// It ended, and nothing of an answer had come.
    Unanswered(ErrorKind),
    /// It ended within an answer.
    Cut(ErrorKind),
}

impl Loss {
    /// Whether a connection looks like this at its end, and not like one that nobody serves.
    fn is_an_end(self) -> bool {
        let (Self::Unanswered(how) | Self::Cut(how)) = self else { return false };
        matches!(how, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
    }
}

/// What clients have been through.
#[derive(Default)]
struct Seen {
    connections: u64,
    lost: Vec<Lost>,
    /// What was printed by workers that said so, and by such as may or may not have come to it.
    printed: Vec<String>,
    doubtful: Vec<String>,
}

/// Clients that ask all the time, but in a lull.
pub(super) struct Clients {
    protocol: Protocol,
    address: SocketAddr,
    watch: Stopwatch,
    is_over: AtomicBool,
    /// Each conversation holds it for reading.
    lull: RwLock<()>,
    answered: [AtomicU64; CLIENTS],
    seen: Mutex<Seen>,
}

impl Clients {
    pub(super) fn new(protocol: Protocol, address: SocketAddr, watch: Stopwatch) -> Self {
        Self {
            protocol,
            address,
            watch,
            is_over: AtomicBool::new(false),
            lull: RwLock::new(()),
            answered: Default::default(),
            seen: Mutex::default(),
        }
    }

    /// Asks until it is over.
    pub(super) fn ask_all_the_time(&self, client: usize) {
        for conversation in 0.. {
            let _talks = self.lull.read().unwrap_or_else(PoisonError::into_inner);
            if self.is_over.load(Ordering::Relaxed) {
                break;
            }
            self.converse(client, conversation);
        }
    }

    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Waits until each client has come to the end of what it asks; nobody begins anew while this is kept.
    pub(super) fn lull(&self) -> RwLockWriteGuard<'_, ()> {
        self.lull.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests were answered, for each client.
    pub(super) fn answered(&self) -> [u64; CLIENTS] {
        self.answered.each_ref().map(|answered| answered.load(Ordering::Relaxed))
    }

    fn converse(&self, client: usize, conversation: u64) {
        let from = self.watch.elapsed();
        let mut worker = None;
        let ended = self.talk(client, conversation, &mut worker);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.connections += 1;
        if let Err(how) = ended {
            seen.lost.push(Lost { client, worker, how, from, to: self.watch.elapsed() });
        }
    }

    fn talk(&self, client: usize, conversation: u64, worker: &mut Option<u32>) -> Result<(), Loss> {
        let refused = |error: std::io::Error| Loss::Refused(error.kind());
        let mut stream = TcpStream::connect_timeout(&self.address, BOUND).map_err(refused)?;
        stream.set_read_timeout(Some(BOUND)).expect("a bound");
        let who = self.ask(client, &mut stream, &self.protocol.who())?;
        *worker = Some(who.trim().parse().expect("a number"));
        for request in 0..conversation % REQUESTS_MAX {
            // A load, and no contest: others build at the same time.
            pass(Duration::from_millis(1));
            if request != 1 {
                self.ask(client, &mut stream, &self.protocol.something())?;
                continue;
            }
            let words = format!("client {client} in its conversation {conversation}");
            let answer = self.ask(client, &mut stream, &self.protocol.print(&words));
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if answer.is_ok() {
                seen.printed.push(words)
            } else {
                seen.doubtful.push(words)
            }
            drop(seen);
            answer?;
        }
        Ok(())
    }

    fn ask(&self, client: usize, stream: &mut TcpStream, question: &Question) -> Result<String, Loss> {
        stream.write_all(question.words.as_bytes()).map_err(|error| Loss::Unanswered(error.kind()))?;
        let mut bytes = Vec::new();
        let mut portion = [0; 4096];
        let answer = loop {
            let ended = match stream.read(&mut portion) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => error.kind(),
                Ok(0) => ErrorKind::UnexpectedEof,
                Ok(count) => {
                    bytes.extend_from_slice(&portion[..count]);
                    match (question.whole)(&bytes) {
                        Some(answer) => break answer,
                        None => continue,
                    }
                }
            };
            return Err(if bytes.is_empty() { Loss::Unanswered(ended) } else { Loss::Cut(ended) });
        };
        if let Some(expected) = &question.answer {
            assert_eq!(answer, *expected);
        }
        self.answered[client].fetch_add(1, Ordering::Relaxed);
        Ok(answer)
    }

    /// Sees that nothing was lost but what may be: these have died, and those were asked to quit. What became of all
    /// that was asked, in words.
    pub(super) fn assert_lost_by_deaths_only(
        &self,
        deaths: &BTreeMap<u32, Death>,
        asked_to_quit: &BTreeSet<u32>,
    ) -> String {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (by_deaths, between_requests) = judge(&seen.lost, deaths, asked_to_quit)
            .unwrap_or_else(|why| panic!("{why}; deaths: {deaths:?}"));
        format!(
            "{} requests answered over {} connections, {by_deaths} lost by {} deaths, {between_requests} asked anew",
            self.answered().iter().sum::<u64>(),
            seen.connections,
            deaths.len(),
        )
    }

    /// Sees that these are all lines that workers have printed, none missing, none twice.
    pub(super) fn assert_all_printed(&self, all: &str) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (sure, doubtful) = (seen.printed.len(), seen.doubtful.len());
        assert!(sure > 0, "nobody has printed anything");
        match self.protocol {
            Protocol::Http => {
                for words in ["line 1 of 1\n", " lines are printed\n"] {
                    let found = all.matches(words).count();
                    let range = sure..=sure + doubtful;
                    assert!(range.contains(&found), "{found} of {range:?} lines `{words}`");
                }
            }
            Protocol::Lines => {
                let mut found = BTreeMap::<_, u32>::new();
                for line in all.lines() {
                    if let Some((_, words)) = line.split_once("stdout: ") {
                        *found.entry(words).or_default() += 1;
                    }
                }
                for words in &seen.printed {
                    assert_eq!(found.remove(words.as_str()), Some(1), "{words}");
                }
                for words in &seen.doubtful {
                    assert!(found.remove(words.as_str()).is_none_or(|count| count == 1), "{words}");
                }
                assert_eq!(found, BTreeMap::new(), "nobody has asked for these");
            }
        }
    }
}

/// How many requests were lost by deaths, and how many between two requests of a connection.
///
/// # Errors
/// Why one of them must not have been.
fn judge(
    all: &[Lost],
    deaths: &BTreeMap<u32, Death>,
    asked_to_quit: &BTreeSet<u32>,
) -> Result<(usize, usize), String> {
    // For each who has gone one request of each client.
    let (mut by_deaths, mut between_requests) = (BTreeSet::new(), BTreeSet::new());
    for lost in all {
        if !lost.how.is_an_end() {
            return Err(format!("never right: {lost:?}"));
        }
        let was_in_flight = |death: &&Death| lost.from <= death.to && death.from <= lost.to;
        let is_new = |death: &&Death| !by_deaths.contains(&(lost.client, death.pid));
        let death = match lost.worker {
            Some(worker) => deaths.get(&worker).filter(was_in_flight).filter(is_new),
            // Accepted, and not answered even once.
            None => deaths.values().filter(was_in_flight).find(is_new),
        };
        let quit = lost.worker.filter(|worker| asked_to_quit.contains(worker));
        let is_between = matches!(lost.how, Loss::Unanswered(_));
        if let Some(death) = death {
            by_deaths.insert((lost.client, death.pid));
        } else if !quit.is_some_and(|worker| is_between && between_requests.insert((lost.client, worker))) {
            return Err(format!("lost by no death: {lost:?}"));
        }
    }
    Ok((by_deaths.len(), between_requests.len()))
}

#[test]
fn what_may_be_lost_and_what_may_not() {
    type Row<'a> = (&'a str, &'a [Lost], Result<(usize, usize), &'a str>);
    use ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, TimedOut, UnexpectedEof, WouldBlock};
    use Loss::{Cut, Refused, Unanswered};
    const DEAD: u32 = 7;
    const QUIT: u32 = 8;
    let ms = Duration::from_millis;
    let deaths = BTreeMap::from([(DEAD, Death { pid: DEAD, from: ms(100), to: ms(200) })]);
    let quit = BTreeSet::from([QUIT]);
    let lost = |client, worker, how, from, to| Lost { client, worker, how, from: ms(from), to: ms(to) };
    let (end, reset) = (Unanswered(UnexpectedEof), Unanswered(ConnectionReset));
    let dead = || lost(0, Some(DEAD), Cut(UnexpectedEof), 0, 150);
    let rows: [Row<'_>; 14] = [
        ("nothing", &[], Ok((0, 0))),
        ("within an answer of who dies", &[dead()], Ok((1, 0))),
        ("one of each client", &[dead(), lost(1, Some(DEAD), reset, 0, 900)], Ok((2, 0))),
        ("two of one client", &[dead(), dead()], Err("lost by no death")),
        ("by whom, it never said", &[lost(0, None, reset, 190, 300)], Ok((1, 0))),
        ("that, twice", &[dead(), lost(0, None, end, 190, 300)], Err("lost by no death")),
        ("before the death", &[lost(0, Some(DEAD), end, 0, 99)], Err("lost by no death")),
        ("begun after the death", &[lost(0, None, end, 201, 300)], Err("lost by no death")),
        ("who quits, between two", &[lost(0, Some(QUIT), Unanswered(BrokenPipe), 0, 900)], Ok((0, 1))),
        (
            "who quits, within an answer",
            &[lost(0, Some(QUIT), Cut(UnexpectedEof), 0, 900)],
            Err("lost by no"),
        ),
        ("somebody else", &[lost(0, Some(9), end, 100, 200)], Err("lost by no death")),
        ("refused", &[lost(0, None, Refused(ConnectionRefused), 100, 200)], Err("never right")),
        ("no connection", &[lost(0, None, Refused(TimedOut), 100, 200)], Err("never right")),
        ("no answer", &[lost(0, Some(DEAD), Unanswered(WouldBlock), 100, 200)], Err("never right")),
    ];
    for (name, all, expected) in rows {
        match (judge(all, &deaths, &quit), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{name}"),
            (Err(why), Err(words)) => assert!(why.starts_with(words), "{name}: {why}"),
            (found, expected) => panic!("{name}: {found:?}, and not {expected:?}"),
        }
    }
}
