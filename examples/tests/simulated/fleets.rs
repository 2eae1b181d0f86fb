//! A host with three fleets.

use crate::prefork::{faults, talk};
use clap::Parser as _;
use examples::fleets::{FLEETS, Options, app};
use harness::check;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Times that fit into a minute.
fn options(strategy: &str) -> Options {
    let flags = "--timeout-ms 1000 --boot-timeout-ms 2000 --drain-timeout-ms 2000 --warn-ms 500 --soft-signal-ms 300 \
        --kill-budget 50/3000 --retry-ms 3000 --strategy";
    Options::parse_from(["fleets"].into_iter().chain(flags.split_whitespace()).chain([strategy]))
}

#[test]
fn whoever_falls_with_whom_every_fleet_serves_once_nothing_goes_wrong_any_more() {
    for strategy in ["one-for-one", "rest-for-one", "one-for-all"] {
        check!(|sim| {
            sim.host(move || app(&options(strategy)));
            sim.faults(faults());
            let early = FLEETS.map(|fleet| sim.clients(fleet, 3, talk));
            let lost = sim.clients("db", 2, |client| {
                // Its worker is killed, unless something else happens to it before.
                client.write_all(b"!hang\n")?;
                assert!(client.read_until(b"\n").is_err());
                Ok(())
            });
            sim.run_for(SECOND * 40);
            sim.heal_and_settle();
            assert!(early.iter().all(|clients| clients.all_ended()) && lost.all_ended());
            // Whoever hangs since a client wanted that, and lost that client by a fault, is found out later.
            sim.run_until(SECOND * 5, |_| false);
            sim.heal_and_settle();
            for fleet in FLEETS {
                let late = sim.clients(fleet, 2, talk);
                sim.heal_and_settle();
                assert_eq!(late.succeeded(), 2, "{fleet}: {:?}", late.errors());
            }
        });
    }
}
