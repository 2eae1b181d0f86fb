//! What comes before a late worker's end, and when it is put off.

use crate::kit::process::Process;
use crate::kit::{BOUND, Client, LATE, Stopwatch, assert_contains, one_within};
use crate::three::{MS, Three, fleets_of, told_at};
use rustix::process::Signal;

#[test]
fn a_late_worker_is_warned_of_then_sent_abrt_and_killed_if_that_does_not_end_it() {
    let flags = "--timeout-ms 300 --warn-ms 100 --soft-signal-ms 200";
    let mut three = Three::ready(6, flags);
    let (_client, worker) = three.served("web");
    // One that is stopped cannot follow any signal but KILL.
    worker.signal(Signal::STOP);
    let stopped = told_at(&three.notice("was stopped by somebody"));
    let rungs = [
        (100 * MS, three.notice("has been silent for")),
        (300 * MS, three.notice("is late: sent ABRT before KILL")),
        (500 * MS, three.notice("killed: it gave no sign of life")),
    ];
    for (threshold, line) in &rungs {
        assert_contains(line, ["fleet `web`"]);
        let after = told_at(line) - stopped;
        println!("threshold {threshold:?}, after {after:?}: {line}");
        assert!(after >= *threshold - MS && after <= *threshold + LATE, "{after:?}: {line}");
    }
    assert_contains(&three.notice("ended with"), ["signal KILL", "it gave no sign of life"]);
    assert_ne!(three.served("web").1.pid, worker.pid);
}

#[test]
fn a_late_worker_that_abrt_ends_leaves_its_evidence_and_is_replaced_at_once() {
    one_within("from ABRT to the first answer of the replacement", 300 * MS, || {
        let mut three = Three::ready(3, "--workers 1 --timeout-ms 100 --soft-signal-ms 20000");
        let (_client, worker) = three.misbehave("web", "!hang");
        three.notice("is late: sent ABRT before KILL");
        let watch = Stopwatch::start();
        let line = three.notice("ended with");
        // By the signal itself, with which a core is left where that is allowed.
        assert_contains(&line, [&*format!("pid {},", worker.pid), "signal ABRT", "it gave no sign of life"]);
        assert_ne!(three.served("web").1.pid, worker.pid);
        watch.elapsed()
    });
}

/// All workers of web hang; whom, and since when.
fn all_hang(three: &Three, workers: usize) -> (Stopwatch, Vec<(Client, Process)>) {
    // Each has one client at a time, so that each has a worker of its own.
    let mut all: Vec<_> = (0..workers).map(|_| three.served("web")).collect();
    let watch = Stopwatch::start();
    all.iter_mut().for_each(|(client, _)| client.send("!hang\n"));
    (watch, all)
}

#[test]
fn when_all_workers_are_late_kills_are_held_to_the_budget_and_an_outage_is_told() {
    const WORKERS: usize = 4;
    let mut three = Three::ready(3 * WORKERS, "--workers 4 --timeout-ms 200 --kill-budget 50/5000");
    let (watch, all) = all_hang(&three, WORKERS);
    let lines = three.notices_until("outage: more workers are late than may be killed");
    assert_eq!(
        fleets_of(&lines, "killed: it gave no sign of life"),
        ["web", "web"],
        "half of them: {lines:#?}"
    );
    let first = watch.elapsed();
    let line = lines.iter().find(|line| line.contains("late and not killed before")).unwrap();
    assert_contains(line, ["fleet `web`", "the kill budget is used up"]);
    let is_alive = |(_, worker): &&(Client, Process)| worker.is_alive();
    // Two have replacements, which serve, and two live on, although they hang.
    three.notices(2, "is ready");
    let left: Vec<_> = all.iter().filter(is_alive).collect();
    assert_eq!(left.len(), 2);
    assert!(three.served("web").1.is_alive());
    // As soon as the first two kills have left the window.
    for (_, worker) in left {
        assert!(worker.ends_within(BOUND), "it is held back for ever");
    }
    let second = watch.elapsed();
    println!("two killed after {first:?}, two after {second:?}");
    assert!(second >= 5200 * MS && second <= 5200 * MS + LATE, "200 ms and 5000 ms: {second:?}");
    three.notice("the outage is over");
    three.notices(2, "is ready");
    // What is no outage is none of the others' business.
    assert!(three.served("db").1.is_alive());
}

#[test]
fn a_dependency_that_comes_back_in_time_saves_those_whose_kill_was_held_back() {
    let mut three = Three::ready(6, "--timeout-ms 200 --kill-budget 50/20000");
    let mut stopped: Vec<_> = (0..2).map(|_| three.served("web")).collect();
    let [one, other] = &stopped[..] else { panic!("two") };
    assert_ne!(one.1.pid, other.1.pid);
    // Whatever keeps a worker: here it is stopped while it waits, and the operator continues it.
    for (_, worker) in &stopped {
        worker.rests();
        worker.signal(Signal::STOP);
    }
    // The one that the budget allows ends before the other is held, or after.
    let told = three.notices_until("outage");
    if !told.iter().any(|line| line.contains("ended with")) {
        three.notice("ended with");
    }
    let (mut client, saved) =
        stopped.pop().filter(|(_, worker)| worker.is_alive()).unwrap_or_else(|| stopped.remove(0));
    saved.signal(Signal::CONT);
    let continued = told_at(&three.notice("was continued"));
    let over = told_at(&three.notice("the outage is over"));
    assert!(over - continued < 1000 * MS, "seen by chance, {:?} later", over - continued);
    client.send("back\n");
    assert_eq!(client.line(), "back");
    assert!(saved.is_alive());
}
