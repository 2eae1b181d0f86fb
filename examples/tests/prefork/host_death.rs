//! What becomes of the workers of a host that is killed.

use crate::kit::process::Process;
use crate::kit::{BOUND, LATE, Stopwatch, one_within};
use crate::server::{MS, Server, body, get};
use rustix::process::Signal;
use std::net::TcpListener;

/// What workers do when their host dies.
#[derive(Clone, Copy, Debug)]
enum Doing {
    Idle,
    Sleeping,
    Spinning,
    Stopped,
}

#[test]
fn pf_c28_when_the_host_is_killed_its_workers_are_gone_and_the_port_is_free() {
    for doing in [Doing::Idle, Doing::Sleeping, Doing::Spinning, Doing::Stopped] {
        let took = one_within(&format!("{doing:?}: all gone and the port free"), 10 * MS, || {
            let mut server = Server::http(2, &[]);
            let (mut client, worker) = server.served();
            match doing {
                Doing::Idle => {}
                Doing::Sleeping => client.send(get("/hang")),
                Doing::Spinning => client.send(get("/spin")),
                Doing::Stopped => {
                    worker.signal(Signal::STOP);
                    server.notice("was stopped");
                }
            }
            let workers: Vec<_> = server.workers().into_iter().map(Process::of).collect();
            assert_eq!(workers.len(), 2);
            let watch = Stopwatch::start();
            server.signal(Signal::KILL);
            for worker in &workers {
                assert!(worker.ends_within(BOUND), "an orphan lives on: {doing:?}");
            }
            TcpListener::bind(server.address).unwrap();
            let took = watch.elapsed();
            assert!(server.program.all_end_within(BOUND), "the host itself lives on");
            took
        });
        assert!(took.iter().all(|took| *took <= 1000 * MS), "{doing:?}: {took:?}");
    }
}

#[test]
fn pf_c28_the_workers_of_a_blocking_loop_are_gone_as_well() {
    let server = Server::echo(3, &[]);
    let (mut hanging, _) = server.echoed();
    hanging.send("!hang\n");
    let (_waiting_for_its_client, _) = server.echoed();
    let watch = Stopwatch::start();
    server.signal(Signal::KILL);
    assert!(server.program.all_end_within(BOUND), "an orphan lives on");
    let took = watch.elapsed();
    assert!(took <= LATE, "{took:?}");
    TcpListener::bind(server.address).unwrap();
}

#[test]
fn pf_c28_with_the_policy_drain_what_has_begun_is_answered_and_then_all_are_gone() {
    let server = Server::http(2, &["--on-host-death", "drain"]);
    let (mut idle, _) = server.served();
    let (mut busy, _) = server.served();
    busy.send(get("/sleep?ms=300"));
    server.signal(Signal::KILL);
    assert!(server.program.ends_within(BOUND), "it was killed");
    assert_eq!(idle.rest(), "", "closed at once, or after the nap of the same worker");
    assert_eq!(body(&busy.answer().1), "slept 300 ms\n");
    let watch = Stopwatch::start();
    assert!(server.program.all_end_within(BOUND), "an orphan lives on");
    let took = watch.elapsed();
    assert!(took <= LATE, "gone {took:?} after the last answer");
    TcpListener::bind(server.address).unwrap();

    let server = Server::echo(2, &["--on-host-death", "drain"]);
    let (mut client, _) = server.echoed();
    client.send("half");
    server.signal(Signal::KILL);
    assert!(server.program.ends_within(BOUND), "it was killed");
    client.send(" a line\n");
    assert_eq!(client.rest(), "half a line\n");
    assert!(server.program.all_end_within(BOUND), "an orphan lives on");
}

#[test]
fn pf_c28_an_orphan_that_hangs_is_gone_after_the_drain_timeout() {
    for path in ["/spin", "/hang"] {
        let server = Server::http(2, &["--on-host-death", "drain", "--drain-timeout-ms", "300"]);
        let (mut client, worker) = server.served();
        client.send(get(path));
        let watch = Stopwatch::start();
        server.signal(Signal::KILL);
        assert!(server.program.all_end_within(BOUND), "an orphan lives on: {path}");
        let took = watch.elapsed();
        println!("{path}: the orphan is gone after {took:?}");
        assert!(took >= 300 * MS && took <= LATE, "{path}: gone after {took:?}");
        assert!(!worker.is_alive());
        TcpListener::bind(server.address).unwrap();
    }
}
