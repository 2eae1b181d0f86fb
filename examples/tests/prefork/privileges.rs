//! Workers that are another user than their host. Only root may have such; as somebody else there is nothing to see,
//! which each test says.

use crate::kit::process::Process;
use crate::kit::{BOUND, Client, Program, Stopwatch, assert_contains};
use crate::server::{MS, Server, get};
use host_core::error::exit;
use rustix::process::{Signal, geteuid};
use std::fs;
use std::net::TcpListener;
use std::process::Command;

/// Who may do nothing, on every machine.
const NOBODY: &str = "65534";
/// Starts a program as that user.
const AS_NOBODY: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

/// Whether this test can be done.
fn is_root() -> bool {
    let is_root = geteuid().is_root();
    if !is_root {
        println!("skipped: only root may have workers of another user");
    }
    is_root
}

/// Whether somebody else may run what was built here.
fn nobody_may_run_it() -> bool {
    if !is_root() {
        return false;
    }
    let [program, own @ ..] = AS_NOBODY;
    let answer =
        Command::new(program).args(own).arg("test").arg("-x").arg(Program::path("prefork_http")).status();
    let may = answer.is_ok_and(|status| status.success());
    if !may {
        println!("skipped: setpriv is not there, or others may not enter the target directory");
    }
    may
}

/// A field of `/proc/PID/status`.
fn status(pid: u32, field: &str) -> String {
    let all = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = all.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field} in {all}")).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn workers_are_of_the_group_that_is_named_also_with_a_user_who_is_in_no_database() {
    if !is_root() {
        return;
    }
    let server = Server::echo(1, &["--user", "61234", "--group", "61235"]);
    for worker in server.workers() {
        assert_eq!(status(worker, "Uid"), ["61234"; 4].join(" "));
        assert_eq!(status(worker, "Gid"), ["61235"; 4].join(" "));
        assert_eq!(status(worker, "Groups"), "61235", "and of none of the host's");
    }
}

#[test]
fn workers_are_the_user_that_is_named_and_the_host_is_who_it_was() {
    if !is_root() {
        return;
    }
    // A host with more groups than its workers are to have.
    let by = ["setpriv", "--groups=0,4242"];
    for server in [Server::http_by(&by, 2, &["--user", "nobody"]), Server::echo(2, &["--user", NOBODY])] {
        let host = server.program.pid();
        assert_eq!(status(host, "Uid"), "0 0 0 0");
        let workers = server.workers();
        assert_eq!(workers.len(), 2);
        for worker in workers {
            assert_eq!(status(worker, "Uid"), [NOBODY; 4].join(" "));
            let group = status(worker, "Gid");
            let first = group.split(' ').next().unwrap();
            assert_eq!(group, [first; 4].join(" "));
            assert_eq!(status(worker, "Groups"), first, "those that initgroups(3) gives, and not the host's");
            assert_eq!(status(worker, "NoNewPrivs"), "1");
            for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
                assert_eq!(status(worker, set), "0000000000000000", "{set}");
            }
        }
    }
}

#[test]
fn a_port_below_1024_is_bound_by_the_host_and_served_by_workers_who_might_not() {
    if !is_root() {
        return;
    }
    let free = (600..1024).rev().find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    let address = format!("127.0.0.1:{}", free.expect("a port that is free"));
    let mut program =
        Program::spawn("prefork_http", &["--listen", &address, "--workers", "1", "--user", "nobody"]);
    program.stderr.until("is ready");
    let mut client = Client::connect(address.parse().unwrap());
    assert_contains(&client.get("/").1, ["Hello"]);
}

#[test]
fn a_host_that_is_killed_takes_workers_of_another_user_along_whatever_they_do() {
    if !is_root() {
        return;
    }
    for flags in [&["--user", "nobody"][..], &["--user", "nobody", "--on-host-death", "drain"]] {
        let server = Server::http(2, flags);
        let (mut spinning, _) = server.served();
        if flags.len() == 2 {
            spinning.send(get("/spin"));
        }
        let workers: Vec<_> = server.workers().into_iter().map(Process::of).collect();
        let watch = Stopwatch::start();
        server.signal(Signal::KILL);
        assert!(workers.iter().all(|worker| worker.ends_within(BOUND)), "an orphan lives on: {flags:?}");
        let took = watch.elapsed();
        assert!(took < 5000 * MS, "{took:?}");
        assert!(server.program.all_end_within(BOUND));
    }
}

#[test]
fn workers_of_another_user_are_stopped_drained_and_replaced_as_any() {
    if !is_root() {
        return;
    }
    let mut server = Server::http(2, &["--user", "nobody", "--timeout-ms", "200"]);
    let (mut hanging, worker) = server.served();
    hanging.send(get("/spin"));
    assert!(worker.ends_within(BOUND), "it hangs and is killed");
    server.notice("is ready");
    assert_eq!(
        server.workers().iter().map(|pid| status(*pid, "Uid")).collect::<Vec<_>>(),
        [[NOBODY; 4].join(" "), [NOBODY; 4].join(" ")]
    );
    server.signal(Signal::QUIT);
    assert_eq!(server.program.end().code(), Some(0));
    assert!(server.program.all_end_within(BOUND));
}

#[test]
fn a_user_whom_nobody_knows_is_a_mistake_like_any_other() {
    for example in ["prefork_echo", "prefork_http"] {
        let flags = ["--listen", "localhost", "--user", "no-such-user"];
        let mut program = Program::spawn(example, &flags);
        assert_eq!(program.end().code(), Some(i32::from(exit::CONFIG)));
        let words = program.stderr.rest();
        assert_contains(
            &words,
            ["2 mistakes", "`localhost`", "user of fleet", "`no-such-user`", "there is none of that name"],
        );
        assert_eq!(program.members(), [0; 0]);
    }
}

#[test]
fn who_is_not_root_is_told_that_only_root_may() {
    if !nobody_may_run_it() {
        return;
    }
    let flags = ["--listen", "127.0.0.1:0", "--user", "root"];
    let mut program = Program::spawn_by(&AS_NOBODY, "prefork_http", &flags);
    assert_eq!(program.end().code(), Some(i32::from(exit::CONFIG)));
    assert_contains(
        &program.stderr.rest(),
        ["1 mistake", "user of fleet `http` is `root`", "run it as root", "EPERM"],
    );
}

#[test]
fn who_is_that_user_already_needs_no_privilege_for_it() {
    if !nobody_may_run_it() {
        return;
    }
    let server = Server::http_by(&AS_NOBODY, 2, &["--user", NOBODY, "--nice", "19"]);
    for worker in server.workers() {
        assert_eq!(status(worker, "Uid"), [NOBODY; 4].join(" "));
    }
    server.signal(Signal::TERM);
    assert_eq!(server.program.end().code(), Some(0));
}

#[test]
fn a_privilege_that_cannot_be_had_is_told_with_its_cause_and_tried_again_ever_later() {
    if !nobody_may_run_it() {
        return;
    }
    // Whether somebody may be served before others is for the kernel to say, in each worker.
    let flags = ["--listen", "127.0.0.1:0", "--workers", "1", "--nice", "-5"];
    let mut program = Program::spawn_by(&AS_NOBODY, "prefork_http", &flags);
    let cause = "cannot be confined as its fleet says: setpriority failed: permission denied (EACCES)";
    for _ in 0..3 {
        program.stderr.until(cause);
        let died = program.stderr.until("ended with exit status");
        let words =
            [&format!("exit status {}", exit::UNCONFINED), "before it was ready", "setpriority failed"];
        assert_contains(&died, words);
    }
    assert_contains(&program.stderr.until("died young; the next in"), ["workers in a row"]);
    program.signal(Signal::TERM);
    assert_eq!(program.end().code(), Some(0));
    assert!(!program.stderr.rest().contains("is ready"), "user code runs in a worker that is not confined");
}
