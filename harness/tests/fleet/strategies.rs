//! Several fleets: who starts after whom, and who falls with whom.

use crate::apps::serve;
use harness::{Class, Faults, check};
use host_core::fleet::config::Strategy;
use host_core::fleet::death::Intent;
use host_core::sys::Signal;
use host_core::{App, Fleet};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn app(strategy: Strategy) -> App {
    let fleet = |name: &str| {
        Fleet::new(name)
            .workers(2)
            .boot_timeout(2 * SECOND)
            .heartbeat_timeout(SECOND)
            .drain_timeout(2 * SECOND)
            .degraded_retry(5 * SECOND)
            .run(serve)
    };
    App::new("three")
        .listen("echo", "127.0.0.1:7000")
        .poll_period_off()
        .strategy(strategy)
        .fleet(fleet("first"))
        .fleet(fleet("second"))
        .fleet(fleet("third"))
}

#[test]
fn whatever_happens_all_fleets_are_complete_once_faults_stop() {
    for strategy in [Strategy::OneForOne, Strategy::RestForOne, Strategy::OneForAll] {
        check!(|sim| {
            sim.host(move || app(strategy));
            sim.faults(Faults::all());
            sim.clients("echo", 4, |c| {
                c.write_all(b"hello")?;
                c.expect(b"hello")
            });
            sim.run_for(30 * SECOND);
            sim.heal_and_settle();
            sim.signal(Signal::Quit);
            let _ = sim.run_until(60 * SECOND, |sim| sim.host_status().is_some());
            assert!(sim.host_status().is_some(), "{:?}", sim.pending());
        });
    }
}

#[test]
fn who_falls_with_a_worker_is_what_the_strategy_says() {
    let rows = [(Strategy::OneForOne, [1, 0]), (Strategy::RestForOne, [1, 2]), (Strategy::OneForAll, [2, 2])];
    for (strategy, expected) in rows {
        check!(|sim| {
            sim.host(move || app(strategy));
            sim.faults(Faults::only(&[Class::Latency, Class::Schedule]));
            sim.run_for(5 * SECOND);
            let before: Vec<_> = ["first", "second", "third"]
                .iter()
                .map(|name| {
                    sim.fleet(name).unwrap().workers.iter().map(|worker| worker.pid).collect::<Vec<_>>()
                })
                .collect();
            sim.signal_worker(before[1][0], Signal::Kill);
            sim.run_for(5 * SECOND);
            let siblings = |name| {
                let deaths = sim.fleet(name).unwrap().deaths;
                let fell = deaths.iter().filter(|death| death.intent == Some(Intent::Sibling)).count();
                (deaths.len(), fell)
            };
            let second = siblings("second").0;
            let third = siblings("third").1;
            assert_eq!([second.min(2), third], expected, "{strategy:?}");
            for name in ["first", "second", "third"] {
                assert_eq!(sim.fleet(name).unwrap().ready(), 2, "{name}");
            }
        });
    }
}
