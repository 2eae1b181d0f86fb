//! A server that is process 1 of a container: a namespace of process numbers of its own (pid_namespaces(7)). Where
//! nobody may make one there is nothing to see, which each test says.

use crate::kit::process::Process;
use crate::kit::{BOUND, LATE, Stopwatch};
use crate::server::{Server, get};
use rustix::process::Signal;
use std::process::{Command, Stdio};

/// How such a namespace is made: as root, or as whoever may be root of a namespace of users.
const WAYS: [&[&str]; 2] = [
    &["unshare", "--pid", "--fork", "--mount-proc"],
    &["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"],
];

/// The way that is open here.
fn way() -> Option<&'static [&'static str]> {
    let open = |way: &&&[&str]| {
        let [program, own @ ..] = **way else { return false };
        let answer = Command::new(program).args(own).arg("true").stderr(Stdio::null()).status();
        answer.is_ok_and(|status| status.success())
    };
    let way = WAYS.iter().find(open).copied();
    if way.is_none() {
        println!("skipped: nobody may make a namespace of process numbers here");
    }
    way
}

/// A server in such a namespace, and its first process, which is the host.
struct Contained {
    server: Server,
    host: Process,
}

impl Contained {
    /// Begins with `script`, if there is one, which then becomes the server.
    fn new(way: &[&str], script: Option<&str>) -> Self {
        let script = script.map(|script| format!("{script}; exec \"$0\" \"$@\""));
        let shell = script.as_deref().map_or_else(Vec::new, |script| vec!["sh", "-c", script]);
        let server = Server::http_by(&[way, &shell].concat(), 2, &[]);
        let [host] = server.program.children()[..] else { panic!("unshare has one child") };
        Self { server, host: Process::of(host) }
    }

    /// The status with which it ended, which unshare passes on.
    fn end(&self) -> Option<i32> {
        let status = self.server.program.end();
        assert!(self.server.program.all_end_within(BOUND), "the namespace ends with its first process");
        status.code()
    }

    /// A worker, seen from outside: it is in the namespace, where it has another number.
    fn workers(&self) -> Vec<Process> {
        self.server.program.children_of(self.host.pid).into_iter().map(Process::of).collect()
    }
}

#[test]
fn term_stops_it_with_status_0_and_so_does_a_drain_after_what_was_begun() {
    let Some(way) = way() else { return };
    for signal in [Signal::TERM, Signal::INT] {
        let contained = Contained::new(way, None);
        contained.host.signal(signal);
        assert_eq!(contained.end(), Some(0), "{signal:?}");
    }
    let contained = Contained::new(way, None);
    let mut client = contained.server.client();
    client.send(get("/sleep?ms=300"));
    let watch = Stopwatch::start();
    contained.host.signal(Signal::QUIT);
    assert!(client.answer().1.contains("slept 300 ms"));
    assert_eq!(contained.end(), Some(0));
    assert!(watch.elapsed() < BOUND);
}

#[test]
fn term_ends_it_at_once_while_a_drain_hangs() {
    let Some(way) = way() else { return };
    let mut contained = Contained::new(way, None);
    let mut hanging = contained.server.client();
    hanging.send(get("/hang"));
    contained.host.signal(Signal::QUIT);
    contained.server.notice("draining");
    let watch = Stopwatch::start();
    contained.host.signal(Signal::TERM);
    assert_eq!(contained.end(), Some(0));
    assert!(watch.elapsed() < LATE, "{:?}", watch.elapsed());
}

#[test]
fn k24_orphans_are_reaped_also_those_that_had_ended_before_it_began() {
    let Some(way) = way() else { return };
    // The shell counts, for if it waited for anybody it would reap them all.
    let counts = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
    for orphan in [format!("(sleep 0.02 & ); {counts}"), "(sleep 1 & )".to_owned()] {
        let contained = Contained::new(way, Some(&orphan));
        contained.server.program.awaits_children_of(contained.host.pid, 2);
        contained.host.signal(Signal::TERM);
        assert_eq!(contained.end(), Some(0));
    }
}

#[test]
fn when_it_is_killed_from_outside_nobody_is_left() {
    let Some(way) = way() else { return };
    let contained = Contained::new(way, None);
    let workers = contained.workers();
    contained.host.signal(Signal::KILL);
    assert!(workers.iter().all(|worker| worker.ends_within(BOUND)));
    contained.end();
}
