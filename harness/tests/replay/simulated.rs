//! Recorded in the simulator, under every fault.

use crate::apps::{SECOND, fleets, recorded, services, talk};
use harness::{Class, Faults, Sim, check};
use host_core::App;
use host_core::record::End;
use host_core::sys::Signal;
use std::cell::Cell;

/// Whatever happens to `app`, each of its hosts is decided again; how many facts those were, and how many hosts ended.
fn whatever_happens(sim: &mut Sim, app: fn() -> App, seen: &Seen) {
    sim.pid_max(8);
    sim.host(app);
    // A recording that ends at a full disk has little to be decided again.
    sim.faults(Faults::all().without(Class::DiskFull));
    talk(sim, 4);
    sim.run_for(30 * SECOND);
    sim.heal_and_settle();
    sim.signal([Signal::Quit, Signal::Term, Signal::Kill][sim.seed() as usize % 3]);
    sim.expect_end();
    sim.run_for(10 * SECOND);
    for replay in recorded(sim) {
        if let Err(difference) = replay.check() {
            panic!("{difference}\n{}", replay.summary());
        }
        assert_eq!(replay.torn(), 0, "a simulated disk that has room leaves nothing torn");
        seen.facts.set(seen.facts.get() + replay.facts());
        seen.deaths.set(seen.deaths.get() + replay.summary().deaths.len());
        let count = if replay.end() == Some(End::Host) { &seen.ended } else { &seen.killed };
        count.set(count.get() + 1);
    }
}

#[derive(Default)]
struct Seen {
    facts: Cell<usize>,
    deaths: Cell<usize>,
    ended: Cell<usize>,
    killed: Cell<usize>,
}

#[test]
fn whatever_happens_to_services_a_fresh_host_decides_the_same() {
    let seen = Seen::default();
    check!(|sim| whatever_happens(sim, services, &seen));
    let Seen { facts, ended, killed, .. } = &seen;
    let told = format!("{} facts, {} hosts ended, {} were killed", facts.get(), ended.get(), killed.get());
    if std::env::var_os("HOST_SEED").is_none() {
        assert!(facts.get() > 2000 && ended.get() > 5 && killed.get() > 5, "{told}");
    }
}

#[test]
fn whatever_happens_to_fleets_a_fresh_host_decides_the_same() {
    let seen = Seen::default();
    check!(|sim| whatever_happens(sim, fleets, &seen));
    let Seen { facts, deaths, ended, killed } = &seen;
    let told = format!(
        "{} facts, {} deaths, {} ended, {} killed",
        facts.get(),
        deaths.get(),
        ended.get(),
        killed.get()
    );
    if std::env::var_os("HOST_SEED").is_none() {
        assert!(facts.get() > 2000 && deaths.get() > 50 && ended.get() > 5 && killed.get() > 5, "{told}");
    }
}

#[test]
fn a_host_that_is_recorded_serves_as_well_and_is_recorded_to_its_last_order() {
    check!(|sim| {
        sim.host(fleets);
        talk(sim, 4);
        sim.run_for(10 * SECOND);
        sim.signal(Signal::Quit);
        sim.wait_for_host(20 * SECOND).unwrap();
        let replays = recorded(sim);
        assert_eq!(replays.len(), 1);
        replays[0].check().unwrap();
        assert_eq!(replays[0].end(), Some(End::Host));
        let told = replays[0].summary().to_string();
        assert!(told.contains("application `fleets`"), "{told}");
        assert!(told.contains("fleet `echo`: 2 workers at first"), "{told}");
        assert!(
            told.ends_with("the host ended; its text was kept, look at it before you hand it on"),
            "{told}"
        );
    });
}

#[test]
fn a_full_disk_is_told_once_and_costs_no_client_anything() {
    check!(|sim| {
        let space = 100 + 97 * (sim.seed() % 30);
        sim.disk_space(space);
        sim.host(fleets);
        let faults = Faults::only(&[Class::WorkerKill, Class::Schedule, Class::Interrupt, Class::WorkerHang]);
        sim.faults(faults);
        talk(sim, 4);
        sim.run_for(30 * SECOND);
        sim.heal_and_settle();
        let late = sim.clients("echo", 3, |c| {
            c.write_all(b"hello")?;
            c.expect(b"hello")
        });
        sim.heal_and_settle();
        assert_eq!(late.succeeded(), 3, "{:?}", late.errors());
        let file = sim.recording(crate::apps::PATH).unwrap();
        assert_eq!(file.len() as u64, space, "the disk is full to the last byte");
        let Ok(replay) = harness::Replay::of(file) else { return };
        replay.check().unwrap();
        assert_eq!(replay.end(), None);
    });
}

#[test]
fn a_recording_that_cannot_begin_is_a_mistake_before_anybody_is_forked() {
    check!(|sim| {
        sim.expect_end();
        sim.host(|| fleets().record("/no/such/directory/host.rec"));
        let error = sim.wait_for_host(SECOND).unwrap_err().to_string();
        assert!(
            error.contains("record is `/no/such/directory/host.rec`, but cannot be created: no such file or entry (ENOENT)"),
            "{error}"
        );
        assert_eq!(sim.children(), 0);
    });
}
