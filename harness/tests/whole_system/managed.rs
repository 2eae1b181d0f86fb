//! Hosts that a service manager has started: what it is told, and when.

use harness::{Faults, Sim, check};
use host_core::fleet::config::Restart;
use host_core::sys::Signal;
use host_core::time::Instant;
use host_core::{App, Connected, Context, Fleet, Ready, Result, Service, Worker};
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
fn workers_that_are_stopped_or_late_serve_nobody_and_feed_no_watchdog() {
    check!(|sim| {
        sim.managed(Some(SECOND));
        sim.host(|| app().each_fleet(|fleet| fleet.heartbeat_timeout(20 * SECOND)));
        sim.run_for(5 * SECOND);
        let workers: Vec<_> = sim.workers().iter().map(|worker| worker.pid).collect();
        for worker in &workers[1..] {
            sim.signal_worker(*worker, Signal::Stop);
        }
        sim.run_for(5 * SECOND);
        assert!(
            told(sim, "WATCHDOG=1").last().is_some_and(|at| sim.now().since(*at) < 510 * MS),
            "one serves"
        );
        sim.signal_worker(workers[0], Signal::Stop);
        let stopped = sim.now();
        sim.run_for(8 * SECOND);
        assert_eq!(told(sim, "WATCHDOG=1").last().filter(|at| **at > stopped + 10 * MS), None);
        sim.signal_worker(workers[2], Signal::Cont);
        sim.run_for(SECOND);
        assert!(told(sim, "WATCHDOG=1").last().is_some_and(|at| *at > stopped + 8 * SECOND));
    });
    check!(|sim| {
        // All work for too long, and one at a time may be killed: the others are known to be late.
        sim.managed(Some(SECOND));
        let fleet =
            || Fleet::new("idle").workers(3).heartbeat_timeout(2 * SECOND).kill_budget(34, 60 * SECOND);
        sim.host(move || {
            App::new("idle").fleet(fleet().run(|worker| {
                worker.pause(3 * SECOND);
                worker.work(3600 * SECOND);
                Ok(())
            }))
        });
        sim.run_for(4500 * MS);
        let late = sim.now();
        sim.run_for(4 * SECOND);
        let deaths = sim.fleet("idle").expect("it has one").deaths;
        let [killed] = deaths[..] else { panic!("one was killed at once: {deaths:?}") };
        let fed = told(sim, "WATCHDOG=1").into_iter().filter(|at| *at > late).collect::<Vec<_>>();
        // Until they are late nobody knows; and the one that was killed has a successor, for 3 s and until it is late.
        let may_be = |at: &Instant| *at < late + 600 * MS || *at > killed.at;
        assert!(fed.iter().all(may_be), "{fed:?} and {killed}");
        sim.run_for(4 * SECOND);
        let last = *told(sim, "WATCHDOG=1").last().expect("it was fed");
        assert!(
            sim.now().since(last) > SECOND,
            "all that live are late, and the next may not be killed for 50 s"
        );
    });
}

#[test]
fn a_boot_that_hangs_and_is_tried_again_gets_its_time_anew() {
    check!(|sim| {
        sim.managed(None);
        sim.play(harness::Scripted::of("idle").slot(1).incarnations(1..=2).never_ready());
        sim.host(app);
        assert!(sim.run_until(30 * SECOND, |sim| !told(sim, "READY=1").is_empty()));
        let extended = told(sim, "EXTEND_TIMEOUT_USEC=6000000");
        assert!(extended.iter().any(|at| (5 * SECOND..6 * SECOND).contains(&at.since(extended[0]))));
        let asked = extended.windows(2).map(|pair| pair[1].since(pair[0])).max();
        assert!(asked.is_some_and(|longest| longest < 6 * SECOND), "it was never late: {extended:?}");
    });
}

/// Serves for a second, and fails.
struct Fails;

impl Service for Fails {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        cx.wake_at(cx.now() + SECOND);
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        Ok(())
    }

    fn wake(&mut self, _: &mut Context<'_>) -> Result {
        Err("it has no more".into())
    }
}

#[test]
fn a_service_that_fails_ends_the_host_and_the_manager_hears_of_the_end() {
    check!(|sim| {
        sim.managed(None);
        sim.host(|| app().service(Fails));
        assert!(sim.run_until(60 * SECOND, |sim| sim.host_status().is_some()));
        assert_eq!(told(sim, "STOPPING=1").len(), 1);
        assert!(told(sim, "STATUS=stopping: 3 workers are left").len() == 1, "{:?}", sim.notified());
    });
    check!(|sim| {
        sim.managed(None);
        sim.host(|| App::new("alone").service(Fails));
        assert!(sim.run_until(60 * SECOND, |sim| sim.host_status().is_some()));
        assert_eq!(told(sim, "STOPPING=1").len(), 1);
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
