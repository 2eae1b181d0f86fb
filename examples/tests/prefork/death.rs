//! What follows the death of a worker.

use crate::kit::process::Process;
use crate::kit::{BOUND, Stopwatch, assert_contains, one_within};
use crate::server::{MS, Server, body, get};
use rustix::process::Signal;
use std::time::Duration;

#[test]
fn pf_c29_the_replacement_of_a_killed_worker_answers_at_once() {
    let took = one_within("first answer of the replacement", 5 * MS, || {
        let server = Server::http(1, &[]);
        let (_, worker) = server.served();
        worker.signal(Signal::KILL);
        assert!(worker.ends_within(BOUND), "it was killed and did not end");
        let watch = Stopwatch::start();
        let (_, next) = server.served();
        let took = watch.elapsed();
        assert_ne!(next.pid, worker.pid);
        took
    });
    assert!(took.iter().filter(|took| **took > 200 * MS).count() < 5, "at a tick of a second? {took:?}");
}

#[test]
fn the_replacement_of_one_that_was_killed_because_it_hung_answers_at_once() {
    one_within("first answer of the replacement of one that hung", 5 * MS, || {
        let server = Server::http(1, &["--timeout-ms", "100"]);
        let (mut client, worker) = server.served();
        client.send(get("/hang"));
        assert!(worker.ends_within(BOUND), "it hung and was not killed");
        let watch = Stopwatch::start();
        server.served();
        watch.elapsed()
    });
}

#[test]
fn pf_c29_many_simultaneous_deaths_cost_one_latency() {
    const WORKERS: u32 = 8;
    // One after the other would be eight times as long as the one above may be.
    one_within("eight deaths until all replacements are ready", 20 * MS, || {
        let mut server = Server::http(WORKERS, &[]);
        let workers: Vec<_> = server.workers().into_iter().map(Process::of).collect();
        assert_eq!(workers.len(), WORKERS as usize);
        let watch = Stopwatch::start();
        workers.iter().for_each(|worker| worker.signal(Signal::KILL));
        server.notices(WORKERS as usize, "is ready");
        watch.elapsed()
    });
}

#[test]
fn pf_c12_a_worker_that_ends_by_itself_is_replaced_at_once() {
    one_within("a second worker", 300 * MS, || {
        let mut server = Server::echo(1, &["--timeout-ms", "200"]);
        let watch = Stopwatch::start();
        server.client().send("!crash\n");
        server.notice("created");
        watch.elapsed()
    });
}

#[test]
fn each_death_is_told_with_its_cause() {
    let mut server = Server::http(2, &["--timeout-ms", "500"]);
    let (mut client, _) = server.served();
    client.send(get("/crash"));
    let line = server.notice("ended with");
    assert_contains(&line, ["signal ABRT", "unasked"]);
    let (_, worker) = server.served();
    worker.signal(Signal::KILL);
    assert_contains(&server.notice("ended with"), ["signal KILL", "unasked"]);
    let (mut client, _) = server.served();
    client.send(get("/hang"));
    let age = server.notice("silent for");
    let line = server.notice("ended with");
    assert_contains(&line, ["signal KILL", "killed because it gave no sign of life", "last seen alive"]);
    let age = age.split("silent for ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!((500..5000).contains(&age.parse::<u32>().unwrap()), "the exact age: {age}");
    // TERM ends a worker at once and well, and nobody had asked for that.
    let (_, worker) = server.served();
    worker.signal(Signal::TERM);
    assert_contains(&server.notice("ended with"), ["exit status 0", "unasked"]);
}

#[test]
fn pf_c21_a_worker_that_is_sent_quit_ends_gracefully_and_is_replaced() {
    let mut server = Server::http(1, &[]);
    let (mut client, worker) = server.served();
    client.send(get("/nap"));
    worker.signal(Signal::QUIT);
    assert_eq!(body(&client.answer().1), "slept 200 ms\n");
    assert_contains(&server.notice("ended with"), ["exit status 0", "unasked"]);
    let (_, next) = server.served();
    assert_ne!(next.pid, worker.pid);

    let server = Server::echo(1, &[]);
    let (mut client, worker) = server.echoed();
    client.send("begun");
    worker.signal(Signal::QUIT);
    // Within a message it is patient.
    client.send(" and ended\n");
    assert_eq!(client.rest(), "begun and ended\n");
    let (_, next) = server.echoed();
    assert_ne!(next.pid, worker.pid);
}

#[test]
fn pf_c22_signals_that_have_no_meaning_for_a_worker_do_nothing_to_it() {
    for server in [Server::http(1, &[]), Server::echo(1, &[])] {
        let [pid] = server.workers()[..] else { panic!("one worker") };
        let worker = Process::of(pid);
        for signal in [Signal::HUP, Signal::USR1, Signal::USR2, Signal::TTIN, Signal::TTOU, Signal::WINCH] {
            worker.signal(signal);
        }
        assert!(!worker.ends_within(50 * MS), "nobody dies");
        assert!(server.program.stderr.is_silent_for(Duration::ZERO), "nor does the host hear of it");
    }
}

#[test]
fn pf_c30_workers_that_crash_again_and_again_are_replaced_ever_more_slowly_and_the_fleet_is_degraded() {
    let mut server = Server::echo(2, &[]);
    let watch = Stopwatch::start();
    // Each worker takes one and dies of it; they wait in the queue for the next.
    let _clients: Vec<_> = (0..20)
        .map(|_| {
            let mut client = server.client();
            client.send("!crash\n");
            client
        })
        .collect();
    let lines = server.program.stderr.all_until("degraded");
    let took = watch.elapsed();
    let rests: Vec<u64> = lines.iter().filter_map(|line| delay(line)).collect();
    println!("degraded after {took:?}, the rests: {rests:?}");
    // Two slots by turns: the second death of each waits for 100 ms, and each one after that twice as long.
    assert!(rests.iter().max() >= Some(&400) && rests.iter().min() <= Some(&150), "{lines:#?}");
    assert!(took >= 700 * MS, "100 + 200 + 400 ms at least");
    assert_contains(lines.last().unwrap(), ["too many workers died young", "tried again after 30000 ms"]);
    let deaths = lines.iter().filter(|line| line.contains("signal ABRT")).count();
    assert_eq!(deaths, 11, "ten within a minute are allowed: {lines:#?}");
    // It is degraded and not gone: it hears, and it stops.
    server.signal(Signal::HUP);
    server.notice("HUP received and ignored");
    server.signal(Signal::QUIT);
    assert_eq!(server.program.end().code(), Some(0));
}

/// How long a slot rests, of a notice that says so.
fn delay(line: &str) -> Option<u64> {
    line.split_once("the next in ")?.1.split(' ').next()?.parse().ok()
}
