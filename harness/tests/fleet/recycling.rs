//! Workers that are replaced when they have served enough.

use crate::apps::{fleet, lines};
use harness::{Faults, check};
use host_core::App;
use host_core::fleet::death::Intent;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn replacements_come_first_and_no_client_notices() {
    check!(|sim| {
        sim.host(|| {
            let fleet = fleet().requests_max(3).requests_jitter_percent(50).run(lines);
            App::new("recycling").listen("echo", "127.0.0.1:7000").poll_period_off().fleet(fleet)
        });
        sim.faults(Faults::only(&[
            harness::Class::Latency,
            harness::Class::Schedule,
            harness::Class::ShortIo,
            harness::Class::LateNews,
            harness::Class::Interrupt,
        ]));
        let clients = sim.clients("echo", 30, |c| {
            c.write_all(b"hello\n")?;
            c.expect(b"hello\n")
        });
        sim.run_for(30 * SECOND);
        assert_eq!(clients.succeeded(), 30, "{:?}", clients.errors());
        sim.heal_and_settle();
        let deaths = sim.fleet("echo").unwrap().deaths;
        assert!(deaths.len() >= 6, "30 connections, and {} workers were replaced", deaths.len());
        let replaced = |intent| matches!(intent, Some(Intent::ServedEnough));
        assert!(deaths.iter().all(|death| replaced(death.intent) && !death.killed), "{deaths:?}");
    });
}
