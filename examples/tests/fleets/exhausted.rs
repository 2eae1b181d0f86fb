//! Workers that fail again and again: ever slower, up to the end of a budget, and what is then.

use crate::kit::{BOUND, assert_contains};
use crate::three::{MS, Three, fleets_of, told_at};
use host_core::error::exit;
use rustix::process::Signal;
use std::time::Duration;

/// How long a slot rests, of a notice that says so.
fn rest(line: &str) -> Option<Duration> {
    let words = line.split_once("the next in ")?.1.split(' ').next()?;
    Some(words.parse::<u32>().ok()? * MS)
}

#[test]
fn pf_c30_each_rest_of_a_crash_loop_is_twice_the_one_before_and_then_the_fleet_is_degraded() {
    let mut three =
        Three::bound("--workers 1 --web fails --restart-budget 5/60000 --on-exhausted keep --retry-ms 400");
    let lines = three.notices_until("degraded");
    let first =
        lines.iter().find(|line| line.contains("fleet `web`: worker 0 (incarnation 1) created")).unwrap();
    let took = told_at(lines.last().unwrap()) - told_at(first);
    assert_contains(lines.last().unwrap(), ["fleet `web`", "too many workers died young", "400 ms"]);
    let rests: Vec<_> = lines.iter().filter_map(|line| rest(line)).collect();
    println!("degraded after {took:?}, the rests: {rests:?}");
    // The first is replaced at once; then 100, 200, 400, 800 ms, each shortened by up to a half at random.
    assert_eq!(rests.len(), 4, "{lines:#?}");
    for (expected, rest) in [100, 200, 400, 800].into_iter().zip(&rests) {
        let expected = expected * MS;
        assert!(*rest >= expected / 2 && *rest <= expected, "{rest:?} instead of {expected:?}");
    }
    assert!(took >= rests.iter().sum(), "it rests as long as it says: {took:?}");
    let deaths = fleets_of(&lines, "ended with exit status 70");
    assert_eq!(deaths, ["web"; 6], "five are allowed: {lines:#?}");
    // It is tried again slowly; and the fleet behind it, which waited for its first try only, serves.
    let mut before = told_at(lines.last().unwrap());
    for incarnation in [7, 8] {
        let created = three.notice(&format!("fleet `web`: worker 0 (incarnation {incarnation}) created"));
        let rest = told_at(&created) - before;
        assert!(rest >= 390 * MS, "incarnation {incarnation} after {rest:?}");
        before += rest;
    }
    assert!(three.served("mail").1.is_alive());
}

#[test]
fn a_degraded_fleet_recovers_when_a_worker_lives() {
    let flags = "--workers 1 --restart-budget 2/60000 --retry-ms 200 --stable-ms 300";
    let mut three = Three::ready(3, flags);
    for _ in 0..3 {
        // Young: as soon as it serves.
        let (_client, worker) = three.misbehave("web", "!crash");
        assert!(worker.ends_within(BOUND), "it crashed");
    }
    assert_contains(&three.notice("degraded"), ["fleet `web`", "200 ms"]);
    let (mut client, worker) = three.served("web");
    assert_contains(&three.notice("recovered"), ["fleet `web`"]);
    client.send("again\n");
    assert_eq!(client.line(), "again");
    assert!(worker.is_alive());
}

#[test]
fn a_fleet_that_gives_up_is_empty_and_the_others_go_on() {
    let flags = "--workers 2 --web fails --restart-budget 3/60000 --on-exhausted fleet";
    let mut three = Three::bound(flags);
    let mut lines = three.notices_until("fleet `web`: given up: too many workers died young");
    while fleets_of(&lines, "is ready").iter().filter(|name| *name == "mail").count() < 2 {
        lines.extend(three.notices_until("is ready"));
    }
    for name in ["db", "mail"] {
        assert!(three.served(name).1.is_alive());
    }
    assert_eq!(three.program.members().len(), 5, "the host and four workers");
    three.signal(Signal::QUIT);
    assert_eq!(three.program.end().code(), Some(0));
}

#[test]
fn a_host_that_gives_up_stops_all_fleets_in_reverse_order_and_says_so_by_its_status() {
    let flags = "--workers 2 --restart-budget 1/60000 --on-exhausted host";
    let mut three = Three::ready(6, flags);
    for _ in 0..2 {
        let (_client, worker) = three.misbehave("web", "!crash");
        assert!(worker.ends_within(BOUND), "it crashed");
    }
    three.notice("fleet `web`: given up");
    let rest = three.program.stderr.rest();
    assert_eq!(three.program.end().code(), Some(i32::from(exit::FLEET_GIVEN_UP)), "{rest}");
    assert_eq!(i32::from(exit::FLEET_GIVEN_UP), 69);
    assert_contains(&rest, ["web"]);
    assert_eq!(three.program.members(), [0; 0]);
}

#[test]
fn a_worker_that_never_becomes_ready_is_killed_and_counts() {
    let flags =
        "--workers 1 --web never-ready --boot-timeout-ms 100 --restart-budget 1/60000 --on-exhausted host";
    let mut three = Three::bound(flags);
    for line in three.notices(2, "ended with") {
        assert_contains(&line, ["fleet `web`", "signal KILL", "it was not ready in time"]);
    }
    assert_eq!(three.program.end().code(), Some(i32::from(exit::FLEET_GIVEN_UP)));
    assert_eq!(three.program.members(), [0; 0]);
}
