//! A server that is recorded: what happened to it on a real kernel is decided again by a fresh host.

use crate::kit::process::Process;
use crate::kit::{BOUND, Program, Stopwatch, assert_contains};
use crate::server::{MS, Server, get};
use harness::Replay;
use harness::replay::replay;
use host_core::fleet::death::Intent;
use host_core::record::End;
use host_core::sys::{ExitStatus, Signal as Sent};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use std::fs;
use std::path::PathBuf;

/// A directory of this test alone; it is gone when the test is over.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("record-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a name of letters").to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The recording at `path`, which a fresh host agrees with.
fn agreed(path: &str) -> Replay {
    let replay = replay(path).unwrap_or_else(|error| panic!("{error}"));
    replay.check().unwrap_or_else(|difference| panic!("{difference}\n{}", replay.summary()));
    if let Err(broken) = replay.fuzz_around(300).check() {
        panic!("{broken}");
    }
    replay
}

#[test]
fn deaths_hangs_and_signals_are_decided_again_from_the_recording_of_either_server() {
    let directory = Directory::new("course");
    type Start = fn(u32, &[&str]) -> Server;
    let starts: [(&str, Start); 2] = [("http", Server::http), ("echo", Server::echo)];
    for (name, start) in starts {
        let path = directory.path(name);
        let mut server = start(2, &["--timeout-ms", "300", "--record", &path]);
        let workers = server.workers();
        for pid in &workers {
            Process::of(*pid).signal(Signal::KILL);
        }
        server.notices(2, "is ready");
        server.client().send(if name == "http" { get("/hang") } else { "!hang\n".to_owned() });
        server.notice("killed");
        server.notice("is ready");
        server.signal(Signal::TTIN);
        server.notice("is ready");
        server.signal(Signal::QUIT);
        assert_eq!(server.program.end().code(), Some(0));
        let recorded = agreed(&path);
        let summary = recorded.summary();
        assert_eq!((summary.end, summary.torn), (Some(End::Host), 0));
        assert_eq!(summary.fleets, [(name.to_owned(), 2, 6)], "{summary}");
        let killed = ExitStatus::by(Sent::Kill);
        let deaths: Vec<_> =
            summary.deaths.iter().map(|told| (told.death.intent, told.death.status)).collect();
        assert_eq!(deaths[..3], [(None, killed), (None, killed), (Some(Intent::Hung), killed)], "{summary}");
        let drained = (Some(Intent::Drain), ExitStatus::Code(0));
        assert_eq!(deaths[3..], [drained; 3], "{summary}");
        for pid in workers {
            assert_contains(&summary.to_string(), [&*format!("pid {pid}, ended with signal KILL")]);
        }
    }
}

#[test]
fn the_recording_of_a_host_that_was_killed_is_kept_when_it_is_started_again() {
    let directory = Directory::new("killed");
    let path = directory.path("host.rec");
    let mut server = Server::http(1, &["--record", &path]);
    let first = server.workers();
    Process::of(first[0]).signal(Signal::KILL);
    server.notices(1, "is ready");
    // What a host was told in its last milliseconds may be lost with it.
    let watch = Stopwatch::start();
    while agreed(&path).summary().deaths.is_empty() {
        assert!(watch.elapsed() < BOUND, "the death of its worker is never written");
        assert!(!server.program.ends_within(MS), "the host is alive");
    }
    server.signal(Signal::KILL);
    assert!(server.program.ends_within(BOUND));
    assert_eq!(agreed(&path).end(), None);

    let server = Server::http(1, &["--record", &path]);
    server.signal(Signal::QUIT);
    assert_eq!(server.program.end().code(), Some(0));
    assert_eq!(agreed(&path).end(), Some(End::Host));
    let before = agreed(&format!("{path}.1"));
    assert_eq!((before.end(), before.summary().deaths[0].death.pid.0), (None, first[0]));
}

#[test]
fn workers_do_not_hold_the_file_and_it_is_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = Directory::new("held");
    let path = directory.path("host.rec");
    let server = Server::http(2, &["--record", &path]);
    let holds = |pid: u32| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        open.filter_map(|link| fs::read_link(link.unwrap().path()).ok()).any(|to| to.to_str() == Some(&path))
    };
    assert!(holds(server.program.pid()));
    for worker in server.workers() {
        assert!(!holds(worker));
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_file_that_cannot_be_made_is_told_before_anything_is_started_and_nothing_is_left() {
    let directory = Directory::new("refused");
    fs::create_dir(directory.path("taken")).unwrap();
    for (name, why) in [
        ("none/host.rec", "cannot be created: no such file or entry (ENOENT)"),
        ("taken", "cannot be created: exists already (EEXIST)"),
    ] {
        let path = directory.path(name);
        let mut program =
            Program::spawn("prefork_http", &["--listen", "127.0.0.1:0", "--workers", "1", "--record", &path]);
        assert_contains(&program.stderr.until("record is"), [&*path, why]);
        assert_eq!(program.end().code(), Some(78));
    }
    // Another mistake: the file that was there is still there, and none is left of the one that was not begun.
    let path = directory.path("host.rec");
    fs::write(&path, "what was there").unwrap();
    let flags = ["--listen", "nowhere", "--workers", "1", "--record", &path];
    let mut program = Program::spawn("prefork_http", &flags);
    assert_contains(&program.stderr.until("listen `clients`"), ["nowhere"]);
    assert_eq!(program.end().code(), Some(78));
    assert!(!fs::exists(&path).unwrap());
    assert_eq!(fs::read_to_string(format!("{path}.1")).unwrap(), "what was there");
}

#[test]
fn a_file_that_may_not_grow_any_more_ends_the_recording_and_not_the_server() {
    let directory = Directory::new("full");
    let path = directory.path("host.rec");
    let mut server = Server::http(1, &["--record", &path]);
    let size = fs::metadata(&path).unwrap().len();
    let limit = Rlimit { current: Some(size + 10), maximum: Some(size + 10) };
    let pid = Pid::from_raw(server.program.pid().cast_signed());
    assert!(pid.is_some());
    prlimit(pid, Resource::Fsize, limit).unwrap();
    let (_, worker) = server.served();
    worker.signal(Signal::KILL);
    let told = server.notice("the recording stops");
    assert_contains(&told, ["file too large (EFBIG); the host goes on"]);
    assert_eq!(server.client().get("/").0, 200);
    assert_eq!(fs::metadata(&path).unwrap().len(), size + 10);
    server.signal(Signal::QUIT);
    assert_eq!(server.program.end().code(), Some(0));
    let recorded = agreed(&path);
    assert_eq!((recorded.end(), recorded.torn()), (None, 10));
}
