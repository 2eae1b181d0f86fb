//! Who is killed because it gives no sign of life, when, and who is not.

use crate::kit::process::Process;
use crate::kit::{BOUND, Client, Stopwatch, one_within, pass};
use crate::server::{MS, Server, get};
use rustix::process::Signal;
use std::time::Duration;

/// How late a kill may be.
const PRECISION: Duration = Duration::from_millis(10);
/// How many are measured at least.
const TIMES: usize = 3;

/// Makes workers of this server hang at each threshold, and sees that they are killed when they should: never
/// early, and on time but for what the machine is to blame for.
fn killed_in_time(
    what: &str,
    start: fn(u32, &[&str]) -> Server,
    find: fn(&Server) -> (Client, Process),
    hang: impl Fn(&mut Client, &Process),
) {
    for threshold in [100 * MS, 500 * MS] {
        let mut server = start(4, &["--timeout-ms", &threshold.as_millis().to_string()]);
        let mut measured = 0;
        let what = format!("{what}, threshold {threshold:?}, killed late by");
        let mut lateness = || {
            measured += 1;
            let (mut client, worker) = find(&server);
            // Once it waits for what comes next, its last sign of life will be after this moment.
            worker.rests();
            let host = &server.program.process;
            let (watch, starved) = (Stopwatch::start(), host.starved());
            hang(&mut client, &worker);
            assert!(worker.ends_within(BOUND), "{what}: never");
            let took = watch.elapsed();
            assert!(took >= threshold, "{what}: killed early, after {took:?}");
            let starved = host.starved() - starved;
            let line = server.notice(&format!("pid {}, ended", worker.pid));
            assert!(line.contains("signal KILL") && line.contains("it gave no sign of life"), "{line}");
            (took - threshold).saturating_sub(starved)
        };
        for _ in 1..TIMES {
            let late = lateness();
            println!("{what} {late:?}");
        }
        one_within(&what, PRECISION, lateness);
        assert!(measured >= TIMES);
    }
}

#[test]
fn pf_c14_a_worker_that_sleeps_is_killed_at_its_threshold() {
    killed_in_time("it slept", Server::http, Server::served, |client, _| client.send(get("/hang")));
}

#[test]
fn pf_c14_a_worker_that_blocks_in_its_own_loop_is_killed_at_its_threshold() {
    killed_in_time("it slept in its loop", Server::echo, Server::echoed, |client, _| client.send("!hang\n"));
}

#[test]
fn a_worker_that_computes_for_ever_is_killed_at_its_threshold() {
    killed_in_time("it span", Server::http, Server::served, |client, _| client.send(get("/spin")));
}

#[test]
fn pf_c25_a_worker_that_is_stopped_while_idle_is_killed_at_its_threshold() {
    killed_in_time("it was stopped", Server::http, Server::served, |_, worker| worker.signal(Signal::STOP));
}

#[test]
fn pf_c25_a_worker_that_is_stopped_while_it_waits_for_a_client_is_killed_at_its_threshold() {
    killed_in_time("it was stopped", Server::echo, Server::echoed, |_, worker| worker.signal(Signal::STOP));
}

#[test]
fn pf_c25_a_worker_that_is_stopped_while_busy_is_killed_at_its_threshold() {
    killed_in_time("it was stopped while busy", Server::http, Server::served, |client, worker| {
        client.send(get("/spin"));
        worker.signal(Signal::STOP);
    });
}

#[test]
fn a_worker_that_is_stopped_and_continued_in_time_is_kept() {
    let mut server = Server::http(1, &["--timeout-ms", "1000"]);
    let (mut client, worker) = server.served();
    worker.signal(Signal::STOP);
    server.notice("was stopped by somebody");
    worker.signal(Signal::CONT);
    server.notice("was continued");
    assert_eq!(client.get("/").0, 200);
    assert!(server.program.stderr.is_silent_for(1200 * MS), "it is let alone");
    assert!(worker.is_alive());
}

#[test]
fn a_worker_that_is_asked_nothing_for_three_thresholds_is_kept() {
    for server in [
        Server::http(2, &["--timeout-ms", "100", "--boot-timeout-ms", "100"]),
        Server::echo(2, &["--timeout-ms", "100", "--boot-timeout-ms", "100"]),
    ] {
        let before = server.workers();
        assert!(server.program.stderr.is_silent_for(300 * MS), "nobody says anything");
        assert_eq!(server.workers(), before);
    }
}

#[test]
fn pf_c13_a_healthy_worker_is_kept() {
    let server = Server::http(1, &["--timeout-ms", "1000"]);
    let (mut client, worker) = server.served();
    let watch = Stopwatch::start();
    // Busy all the time, and each request gives a sign of life.
    while watch.elapsed() < 1500 * MS {
        assert_eq!(client.get("/nap").0, 200);
    }
    assert!(worker.is_alive());
    assert!(server.program.stderr.is_silent_for(Duration::ZERO), "neither a late one nor a second one");
}

#[test]
fn pf_c24_workers_outlive_the_stop_of_their_host() {
    let timeout = 200 * MS;
    let server = Server::http(2, &["--timeout-ms", "200"]);
    let before = server.workers();
    let (mut client, _) = server.served();
    server.signal(Signal::STOP);
    let watch = Stopwatch::start();
    while watch.elapsed() < timeout * 5 / 2 {
        assert_eq!(client.get("/").0, 200, "they serve without their host");
        pass(10 * MS);
    }
    server.signal(Signal::CONT);
    assert!(server.program.stderr.is_silent_for(3 * timeout), "nobody is late");
    assert_eq!(server.workers(), before);
    assert_eq!(client.get("/").0, 200);
}

#[test]
fn one_that_hung_while_its_host_was_stopped_is_killed_when_its_threshold_has_passed_before_the_hosts_eyes() {
    one_within("killed after its host was continued", 400 * MS, || {
        let server = Server::http(2, &["--timeout-ms", "200"]);
        let (mut client, worker) = server.served();
        server.signal(Signal::STOP);
        client.send(get("/hang"));
        assert!(!worker.ends_within(500 * MS), "nobody looks");
        let watch = Stopwatch::start();
        server.signal(Signal::CONT);
        assert!(worker.ends_within(BOUND), "it hung and was not killed");
        watch.elapsed()
    });
}
