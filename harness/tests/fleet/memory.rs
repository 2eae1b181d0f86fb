//! Workers that have more memory than they may.

use crate::apps::{fleet, lines, serve};
use harness::{Class, Faults, Scripted, check};
use host_core::fleet::death::Intent;
use host_core::fleet::memory::MemoryFigure;
use host_core::{App, Fleet};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
const MIB: u64 = 1 << 20;

/// At most 32 MiB each, looked at each second.
fn bounded() -> Fleet {
    fleet().memory_max(32 * MIB).memory_period(SECOND)
}

fn app(fleet: Fleet) -> App {
    App::new("echo").listen("echo", "127.0.0.1:7000").poll_period_off().fleet(fleet)
}

#[test]
fn those_who_leak_are_replaced_in_advance_and_no_client_notices() {
    check!(|sim| {
        sim.play(Scripted::of("echo").slot(1).leak_memory(5 * MIB, SECOND));
        sim.host(|| app(bounded().run(lines)));
        let few = [Class::Latency, Class::Schedule, Class::ShortIo, Class::LateNews, Class::Interrupt];
        sim.faults(Faults::only(&few));
        let clients = sim.clients("echo", 30, |c| {
            c.pause(MS * c.choose(30_000));
            c.write_all(b"hello\n")?;
            c.expect(b"hello\n")
        });
        sim.run_for(60 * SECOND);
        assert_eq!(clients.succeeded(), 30, "{:?}", clients.errors());
        sim.heal_and_settle();
        let deaths = sim.fleet("echo").unwrap().deaths;
        assert!(!deaths.is_empty(), "one has leaked 300 MiB");
        let replaced = |intent| matches!(intent, Some(Intent::TooLarge));
        assert!(deaths.iter().all(|death| replaced(death.intent) && !death.killed), "{deaths:?}");
    });
}

#[test]
fn where_looks_are_slow_they_are_taken_in_turn_and_find_whoever_leaks() {
    check!(|sim| {
        sim.play(Scripted::of("echo").slot(9).incarnations(1..=1).leak_memory(5 * MIB, SECOND));
        let fleet = || bounded().workers(12).memory_period(2 * SECOND).memory_figure(MemoryFigure::Pss);
        sim.host(move || app(fleet().run(lines)));
        sim.faults(Faults::only(&[Class::Latency, Class::Schedule]));
        sim.run_for(30 * SECOND);
        sim.heal_and_settle();
        let deaths = sim.fleet("echo").unwrap().deaths;
        let [death] = deaths[..] else { panic!("one has leaked, and its successor does not: {deaths:?}") };
        assert_eq!((death.worker.slot.number(), death.intent), (9, Some(Intent::TooLarge)));
    });
}

#[test]
fn whatever_happens_a_fleet_of_those_who_leak_is_complete_once_faults_stop() {
    check!(|sim| {
        sim.pid_max(32);
        sim.play(Scripted::of("echo").leak_memory(3 * MIB, SECOND));
        sim.host(|| app(bounded().requests_max(5).surge_max(2).run(serve)));
        sim.faults(Faults::all());
        sim.clients("echo", 8, |c| {
            c.pause(MS * c.choose(10_000));
            c.write_all(b"hello\n")?;
            c.expect(b"hello\n")
        });
        sim.run_for(30 * SECOND);
        sim.heal_core_and_settle();
    });
}
