//! Faults bite: each class changes what a host lives through, except the one that must not.

use harness::sample::{Echo, echo};
use harness::{Class, Faults, Sim};
use host_core::sys::Signal;
use host_core::{App, Fleet};
use host_sim::{Choices, Pool};
use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

/// The same service in the host, or in two workers.
fn prefork() -> App {
    let fleet = Fleet::new("echo")
        .workers(2)
        .heartbeat_timeout(Duration::from_secs(1))
        .boot_timeout(Duration::from_secs(1))
        .drain_timeout(Duration::from_secs(1))
        .nice(1)
        .host(|_| App::new("worker").service(Echo::default()));
    App::new("echo")
        .listen("echo", "127.0.0.1:7000")
        .log("/var/echo.log")
        .pid_file("/run/echo.pid")
        .fleet(fleet)
}

/// What a host was told and ordered in a busy minute, and how many faults struck.
fn live(seed: u64, app: fn() -> App, faults: Faults, class: Class) -> (u64, u32) {
    let mut sim = Sim::new(Choices::seeded(seed), &Pool::default());
    sim.faults(faults);
    if class >= Class::PidFileDenied {
        // It is there when a host begins, or never.
        sim.run_for(Duration::from_secs(1));
    }
    sim.host(app);
    sim.clients("echo", 4, |c| {
        for round in 1.. {
            // Long enough to be cut, in parts that may come together or not, and new connections.
            let parts = [[7; 350]; 2];
            let sent = parts.iter().try_for_each(|part| c.write_all(part));
            if sent.and_then(|()| c.expect(&[7; 700])).is_err() || round % 10 == 0 {
                c.close();
            }
            c.pause(Duration::from_millis(100));
        }
        Ok(())
    });
    sim.run_for(Duration::from_secs(12));
    // One of two workers is not wanted any more: whoever ignores it is noticed.
    sim.signal(Signal::Ttou);
    sim.run_until(Duration::from_secs(3), |_| false);
    (sim.decisions(), sim.struck(class))
}

/// What must happen as well for a class to be noticed: children that are born, or killed.
fn companions(class: Class) -> &'static [Class] {
    const BIRTHS: &[Class] = &[Class::WorkerKill, Class::WorkerCrash, Class::WorkerHang];
    let needs_births =
        [Class::SlowBoot, Class::NeverReady, Class::ForkFailure, Class::LateNews, Class::Unconfined];
    if class == Class::ExitRace {
        &[Class::WorkerHang]
    } else if needs_births.contains(&class) {
        BIRTHS
    } else {
        &[]
    }
}

#[test]
fn every_class_of_fault_changes_what_a_host_lives_through_but_for_two_that_are_no_facts() {
    // Each second one by itself: it takes long, and nothing of one thread is another's.
    thread::scope(|scope| {
        for first in 0..2 {
            scope.spawn(move || each_changes_something(Class::ALL.iter().copied().skip(first).step_by(2)));
        }
    });
}

fn each_changes_something(classes: impl Iterator<Item = Class>) {
    // What is lived through without a class is the same for all that have the same companions.
    let mut lived = BTreeMap::new();
    for class in classes {
        // The first of those that only a host with workers lives through.
        let app = if class >= Class::WorkerHang { prefork } else { echo };
        let beside = companions(class);
        let (mut struck, mut changed) = (0, 0);
        for seed in 0..12 {
            let key = (seed, [Class::WorkerHang, Class::PidFileDenied].map(|first| class >= first), beside);
            // Whether anything may go wrong at all is known to the machine, which has its freedoms then.
            let beside: Vec<_> = beside.iter().copied().chain([Class::WallJump]).collect();
            let without =
                *lived.entry(key).or_insert_with(|| live(seed, app, Faults::only(&beside), class).0);
            let both: Vec<_> = beside.iter().copied().chain([class]).collect();
            let (with, strikes) = live(seed, app, Faults::only(&both), class);
            struck += u32::from(strikes > 0);
            changed += u32::from(with != without);
        }
        // Of thirty classes one may well be on in a single run of twelve.
        assert!((1..=11).contains(&struck), "{class:?} is on in half of the runs, not in {struck} of 12");
        // What time a wall shows is no fact (S3), and what becomes of a line of the log is none either.
        if [Class::WallJump, Class::DiskFull].contains(&class) {
            assert_eq!(changed, 0, "{class:?} changes a decision");
        } else {
            assert!(changed > 0, "{class:?} struck in {struck} runs and changed nothing");
        }
    }
}
