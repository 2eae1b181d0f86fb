//! What a worker is born with, and what an idle server costs.

use crate::kit::pass;
use crate::kit::process::Process;
use crate::server::{MS, Server};
use rustix::process::Signal;
use std::fs;
use std::time::Duration;

/// The bits of these signals, as /proc shows them.
fn mask(signals: &[Signal]) -> u64 {
    signals.iter().map(|signal| 1 << (signal.as_raw() - 1)).sum()
}

#[test]
fn a_worker_begins_with_signals_as_documented() {
    for server in [Server::http(1, &[]), Server::echo(1, &[])] {
        let [worker] = server.workers()[..] else { panic!("one worker") };
        let status = fs::read_to_string(format!("/proc/{worker}/status")).unwrap();
        let field = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            u64::from_str_radix(value.unwrap().trim(), 16).unwrap()
        };
        assert_eq!(field("SigBlk"), 0);
        assert_eq!(field("ShdPnd") | field("SigPnd"), 0);
        let ignored = [
            Signal::HUP,
            Signal::USR1,
            Signal::USR2,
            Signal::PIPE,
            Signal::TTIN,
            Signal::TTOU,
            Signal::WINCH,
        ];
        // Two that the C library keeps for itself, and ignores in whatever it spawns (nptl(7)).
        let own = 0b11 << 31;
        assert_eq!(field("SigIgn") & !own, mask(&ignored), "{status}");
        assert_eq!(field("SigCgt"), mask(&[Signal::INT, Signal::QUIT, Signal::TERM]), "{status}");
    }
}

#[test]
fn a_worker_holds_no_descriptors_but_its_own() {
    let server = Server::http(3, &[]);
    let strangers = inherited_from_here();
    for worker in server.workers() {
        let mut held: Vec<_> =
            descriptors(worker).into_iter().map(|target| kind(&target).to_owned()).collect();
        for stranger in &strangers {
            if let Some(at) = held.iter().position(|kind| kind == stranger) {
                held.remove(at);
            }
        }
        held.sort();
        // Listener and channel; poller; what wakes it when it is asked to quit.
        let expected = [
            "/dev/null",
            "anon_inode:[eventfd]",
            "anon_inode:[eventpoll]",
            "pipe",
            "pipe",
            "socket",
            "socket",
        ];
        assert_eq!(held, expected, "of worker {worker}");
    }
}

fn descriptors(pid: u32) -> Vec<String> {
    let all = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    all.map(|entry| fs::read_link(entry.unwrap().path()).unwrap().to_string_lossy().into_owned()).collect()
}

/// `socket:[123]` is a socket.
fn kind(target: &str) -> &str {
    let numbered = ["socket", "pipe"].into_iter().find(|kind| target.starts_with(&format!("{kind}:[")));
    numbered.unwrap_or(target)
}

/// What this process was started with and passes on to whatever it starts, beside the standard three.
fn inherited_from_here() -> Vec<String> {
    let mut kinds = Vec::new();
    for entry in fs::read_dir("/proc/self/fdinfo").unwrap().flatten() {
        let number: u32 = entry.file_name().to_string_lossy().parse().unwrap();
        // Another test may have closed it meanwhile.
        let Ok(info) = fs::read_to_string(entry.path()) else { continue };
        let Ok(target) = fs::read_link(format!("/proc/self/fd/{number}")) else { continue };
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        let closes_on_exec = u64::from_str_radix(flags.trim(), 8).unwrap() & 0o2_000_000 != 0;
        if number > 2 && !closes_on_exec {
            kinds.push(kind(&target.to_string_lossy()).to_owned());
        }
    }
    kinds
}

#[test]
fn the_title_of_a_worker_says_what_it_is() {
    for (server, name) in [(Server::echo(2, &[]), "echo"), (Server::http(2, &[]), "http")] {
        let mut titles: Vec<_> = server
            .workers()
            .into_iter()
            .map(|pid| {
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
                let title = line.split(|byte| *byte == 0).next().unwrap().to_vec();
                let short = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
                assert!(short.starts_with(name), "{short}");
                String::from_utf8(title).unwrap()
            })
            .collect();
        titles.sort();
        assert_eq!(titles, [format!("{name}: worker 0 (gen 1)"), format!("{name}: worker 1 (gen 1)")]);
    }
}

#[test]
fn pf_c32_an_idle_host_burns_nothing_at_any_timeout() {
    // The shortest that is allowed; the one at which preforker span; one that no clock reaches. With how often the host
    // looks up in 2 s: once a timeout, for its workers do something while they are idle as well.
    let timeouts = [("20", 100), ("100", 20), ("1000", 2), ("18446744073709551615", 0)];
    let servers =
        timeouts.map(|(timeout, looks)| (timeout, looks, Server::http(4, &["--timeout-ms", timeout])));
    let figures = |server: &Server| (server.program.process.rested(), server.program.process.cpu_time());
    let before = servers.each_ref().map(|(.., server)| figures(server));
    pass(2000 * MS);
    for ((timeout, looks, server), (rested, cpu)) in servers.iter().zip(before) {
        let (rested, cpu) = (figures(server).0 - rested, figures(server).1 - cpu);
        println!("timeout {timeout} ms: {cpu:?} on a processor in 2 s, at rest {rested} times");
        // The pause of this test is longer than 2 s on a busy machine.
        assert!(rested <= looks * 2 + 10, "timeout {timeout} ms: {rested} looks, wanted are {looks}");
        // One that spins rests never and takes all. A build that checks itself after each event takes 0.3 ms a look on a
        // slow machine, more if others have used its caches, and an optimised one a third of that.
        let percent = if cfg!(debug_assertions) { 5 } else { 1 };
        assert!(
            cpu <= 20 * MS * percent,
            "timeout {timeout} ms: {cpu:?} in 2 s are more than {percent} percent"
        );
        assert!(server.program.stderr.is_silent_for(Duration::ZERO), "nobody is late");
        for worker in server.workers() {
            assert!(Process::of(worker).is_alive());
        }
    }
}
