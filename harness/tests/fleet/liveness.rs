//! Who hangs is found: not before the threshold, and not long after it.

use harness::{Class, Faults, check};
use host_core::fleet::death::Intent;
use host_core::sys::Signal;
use host_core::time::Duration;
use host_core::{App, Fleet, Result, Worker};
use std::io::{Read as _, Write as _};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Answers each byte; `h` hangs instead, and `x` asks for two seconds first and then takes one.
fn obey(worker: &mut Worker) -> Result {
    while let Some(mut client) = worker.accept("orders")? {
        let mut order = [0];
        while worker.wanted() && client.read(&mut order).is_ok_and(|count| count == 1) {
            match order[0] {
                b'h' => worker.work(Duration::from_secs(86_400)),
                b'x' => {
                    worker.extend(2 * SECOND);
                    worker.work(SECOND);
                }
                _ => {}
            }
            if client.write_all(&order).is_err() {
                break;
            }
        }
    }
    Ok(())
}

fn app(threshold: Duration) -> App {
    let fleet = Fleet::new("orders").workers(3).heartbeat_timeout(threshold).run(obey);
    App::new("orders").listen("orders", "127.0.0.1:7000").poll_period_off().fleet(fleet)
}

#[test]
fn pf_c14_a_worker_that_computes_for_ever_is_killed_within_ten_milliseconds_of_its_threshold() {
    for threshold in [100 * MS, 500 * MS, 3 * SECOND] {
        check!(|sim| {
            sim.host(move || app(threshold));
            sim.clients("orders", 2, |c| c.write_all(b"h"));
            // Others keep the rest busy, so that looks come at odd moments.
            sim.clients("orders", 4, move |c| {
                for _ in 0..20 {
                    c.write_all(b".")?;
                    c.expect(b".")?;
                    c.pause(threshold / 7);
                }
                Ok(())
            });
            sim.run_for(2 * SECOND + threshold * 5);
            let deaths = sim.fleet("orders").unwrap().deaths;
            assert_eq!(deaths.len(), 2, "{deaths:?}");
            for death in deaths {
                assert_eq!(death.intent, Some(Intent::Hung));
                let age = death.beat_age.unwrap();
                assert!(age > threshold && age <= threshold + 10 * MS, "{age:?} for {threshold:?}");
            }
        });
    }
}

#[test]
fn a_worker_that_was_given_more_time_is_let_alone() {
    check!(|sim| {
        sim.host(|| app(300 * MS));
        let clients = sim.clients("orders", 1, |c| {
            c.write_all(b"x")?;
            c.expect(b"x")
        });
        sim.run_for(5 * SECOND);
        assert_eq!(clients.succeeded(), 1, "{:?}", clients.errors());
        assert_eq!(sim.fleet("orders").unwrap().deaths, []);
    });
}

#[test]
fn pf_c25_a_worker_that_is_stopped_while_it_waits_is_killed_from_that_moment_on() {
    check!(|sim| {
        sim.host(|| app(SECOND));
        sim.run_for(10 * SECOND);
        let victim = sim.workers()[1].pid;
        sim.signal_worker(victim, Signal::Stop);
        sim.run_for(999 * MS);
        assert_eq!(sim.fleet("orders").unwrap().deaths, []);
        sim.run_for(11 * MS);
        let deaths = sim.fleet("orders").unwrap().deaths;
        assert_eq!(deaths.iter().map(|death| death.pid).collect::<Vec<_>>(), [victim]);
    });
}

#[test]
fn pf_c24_a_host_that_was_stopped_kills_no_healthy_worker() {
    check!(|sim| {
        sim.host(|| app(200 * MS));
        // Busy all the time: each request takes most of the threshold.
        sim.clients("orders", 3, |c| {
            for _ in 0..300 {
                c.write_all(b".")?;
                c.expect(b".")?;
                c.pause(50 * MS);
            }
            Ok(())
        });
        sim.faults(Faults::only(&[Class::HostStop, Class::WallJump]));
        sim.run_for(20 * SECOND);
        // It may have been stopped before it began.
        assert_eq!(sim.fleet("orders").map(|fleet| fleet.deaths).unwrap_or_default(), []);
    });
}

#[test]
fn an_idle_fleet_wakes_nobody_more_than_its_threshold_needs() {
    check!(|sim| {
        sim.host(|| app(3 * SECOND));
        sim.run_for(10 * SECOND);
        let before = sim.facts();
        sim.run_for(60 * SECOND);
        // A tick and the beats, each with what follows, each three seconds.
        let facts = sim.facts() - before;
        assert!(facts <= 20 * 8, "{facts} facts and orders in an idle minute");
    });
}

#[test]
fn an_idle_worker_whose_waits_are_interrupted_time_and_again_beats_all_the_same() {
    check!(|sim| {
        sim.host(|| {
            let fleet = Fleet::new("orders").workers(3).heartbeat_timeout(SECOND).idle_beats().run(obey);
            App::new("orders").listen("orders", "127.0.0.1:7000").poll_period_off().fleet(fleet)
        });
        sim.faults(Faults::only(&[Class::Interrupt]));
        // Who has a client that says nothing waits for it.
        sim.clients("orders", 3, |c| {
            c.write_all(b".")?;
            c.expect(b".")?;
            c.pause(60 * SECOND);
            Ok(())
        });
        sim.run_for(60 * SECOND);
        let deaths = sim.fleet("orders").unwrap().deaths;
        assert!(deaths.is_empty(), "{deaths:?}");
    });
}
