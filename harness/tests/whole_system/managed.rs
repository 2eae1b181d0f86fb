//! Hosts that a service manager has started: what it is told, and when.

use harness::{Faults, Sim, check};
use host_core::fleet::config::Restart;
use host_core::sys::Signal;
use host_core::time::Instant;
use host_core::{App, Fleet, Result, Worker};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn app() -> App {
    let fleet = Fleet::new("idle").workers(3).boot_timeout(5 * SECOND).drain_timeout(7 * SECOND);
    App::new("idle").poll_period_off().fleet(fleet.run(idle))
}

fn idle(worker: &mut Worker) -> Result {
    while worker.pause(SECOND) {}
    Ok(())
}

/// The moments at which this line was told.
fn told(sim: &Sim, line: &str) -> Vec<Instant> {
    let of_message =
        |(at, message): (Instant, String)| message.lines().any(|told| told == line).then_some(at);
    sim.notified().into_iter().filter_map(of_message).collect()
}

#[test]
fn it_is_told_that_all_are_ready_that_the_host_stops_and_how_long_that_may_take() {
    check!(|sim| {
        sim.managed(None);
        sim.host(app);
        sim.run_for(SECOND);
        assert_eq!(told(sim, "READY=1").len(), 1);
        assert_eq!(told(sim, "STATUS=3 of 3 workers ready").len(), 1);
        assert_eq!(
            told(sim, "EXTEND_TIMEOUT_USEC=6000000").first(),
            sim.notified().first().map(|(at, _)| at)
        );
        let worker = sim.workers()[0].pid;
        sim.signal_worker(worker, Signal::Kill);
        sim.run_for(SECOND);
        assert_eq!(told(sim, "STATUS=2 of 3 workers ready").len(), 1);
        assert_eq!(told(sim, "STATUS=3 of 3 workers ready").len(), 2);
        sim.signal(Signal::Quit);
        assert!(sim.run_until(60 * SECOND, |sim| sim.host_status().is_some()));
        assert_eq!((told(sim, "READY=1").len(), told(sim, "STOPPING=1").len()), (1, 1));
        // 7 s for the fleet, 30 for services, and one more.
        assert_eq!(told(sim, "EXTEND_TIMEOUT_USEC=38000000"), told(sim, "STOPPING=1"));
        assert_eq!(told(sim, "WATCHDOG=1"), [], "nobody asked");
    });
}

#[test]
fn its_watchdog_is_fed_while_somebody_serves_and_not_while_nobody_can() {
    check!(|sim| {
        sim.managed(Some(SECOND));
        sim.host(app);
        sim.run_for(10 * SECOND);
        let fed = told(sim, "WATCHDOG=1");
        assert!(fed.len() >= 19, "{fed:?}");
        let late = fed.windows(2).find(|pair| pair[1].since(pair[0]) > 501 * MS);
        assert_eq!(late, None);
        // Nobody serves, and nobody will for a while.
        sim.play(harness::Scripted::of("idle").boot_for(3 * SECOND));
        for worker in sim.workers() {
            sim.signal_worker(worker.pid, Signal::Kill);
        }
        let dead = sim.now();
        sim.run_for(2500 * MS);
        assert_eq!(told(sim, "WATCHDOG=1").last().filter(|at| **at > dead + 10 * MS), None);
        sim.run_for(3 * SECOND);
        assert!(told(sim, "WATCHDOG=1").last().is_some_and(|at| *at > dead + 4 * SECOND));
    });
}

#[test]
fn a_slot_that_stays_empty_is_waited_for_by_nobody() {
    check!(|sim| {
        sim.managed(Some(SECOND));
        // Its work is done before the others can serve.
        sim.play(harness::Scripted::of("idle").slot(1).exit_after(10 * MS, 9));
        sim.play(harness::Scripted::of("idle").slot(2).boot_for(2 * SECOND));
        sim.host(|| app().each_fleet(|fleet| fleet.restart_on(9, Restart::Never)));
        sim.run_for(10 * SECOND);
        assert_eq!(told(sim, "READY=1").len(), 1);
        assert_eq!(told(sim, "STATUS=2 of 2 workers ready").len(), 1);
        assert!(told(sim, "WATCHDOG=1").len() >= 14);
    });
}

#[test]
fn whatever_happens_it_hears_once_of_each_host_that_it_is_ready_and_of_nothing_after_its_end() {
    check!(|sim| {
        sim.managed(Some(SECOND));
        sim.host(app);
        sim.faults(Faults::all());
        sim.run_for(30 * SECOND);
        sim.heal_and_settle();
        let notified = sim.notified();
        let lines = notified.iter().flat_map(|(_, message)| message.lines());
        let mut ready = false;
        for line in lines {
            match line {
                "READY=1" => assert!(!std::mem::replace(&mut ready, true), "twice: {notified:?}"),
                // Another host has begun.
                _ if line.starts_with("STATUS=starting: 0 of") => ready = false,
                "WATCHDOG=1" => assert!(ready, "before it serves: {notified:?}"),
                _ => {}
            }
        }
        assert!(ready, "a healed host serves: {notified:?}");
    });
}
