//! Fleets that follow their load: more workers as connections come, fewer when they have gone.

use crate::apps::{fleet, lines, serve};
use harness::{Class, Faults, Sim, check};
use host_core::sys::Signal;
use host_core::{App, Fleet};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
const MOST: u32 = 12;

fn spares() -> Fleet {
    fleet().workers_max(MOST).min_spare(2).max_spare(3).spare_period(SECOND / 2).shrink_after(3 * SECOND)
}

fn app(fleet: Fleet) -> App {
    App::new("echo").listen("echo", "127.0.0.1:7000").poll_period_off().fleet(fleet)
}

/// So many come within five seconds, each is served, keeps its connection for ten seconds, and is served again.
fn load(sim: &mut Sim, clients: usize) {
    sim.clients("echo", clients, |c| {
        c.pause(MS * c.choose(5_000));
        c.write_all(b"hello\n")?;
        c.expect(b"hello\n")?;
        c.pause(10 * SECOND);
        c.write_all(b"again\n")?;
        c.expect(b"again\n")
    });
}

fn wanted(sim: &Sim) -> u32 {
    sim.fleet("echo").map_or(0, |fleet| fleet.wanted)
}

#[test]
fn a_fleet_follows_a_load_that_rises_and_falls_and_nobody_waits_for_long() {
    check!(|sim| {
        sim.host(|| app(spares().io_timeout(60 * SECOND).run(lines)));
        let few = [Class::Latency, Class::Schedule, Class::ShortIo, Class::LateNews, Class::Interrupt];
        sim.faults(Faults::only(&few));
        sim.run_for(5 * SECOND);
        assert_eq!(wanted(sim), 3, "nobody is there, and three may idle");
        load(sim, 8);
        sim.run_for(9 * SECOND);
        let most = wanted(sim);
        assert!((10..=MOST).contains(&most), "{most} are wanted while eight are served");
        sim.run_for(40 * SECOND);
        assert_eq!(wanted(sim), 3, "all have gone");
        sim.heal_and_settle();
    });
}

#[test]
fn a_burst_is_met_by_ever_more_up_to_the_most_and_all_are_served() {
    check!(|sim| {
        sim.host(|| app(spares().workers(1).workers_max(40).min_spare(1).io_timeout(60 * SECOND).run(lines)));
        let clients = sim.clients("echo", 30, |c| {
            c.write_all(b"hello\n")?;
            c.expect(b"hello\n")?;
            c.pause(15 * SECOND);
            c.write_all(b"again\n")?;
            c.expect(b"again\n")
        });
        // 1, 1, 2, 4, 8, 16 at half a second each.
        sim.run_for(12 * SECOND);
        assert!(wanted(sim) > 30, "{} are wanted for 30", wanted(sim));
        sim.run_for(60 * SECOND);
        assert_eq!(clients.succeeded(), 30, "{:?}", clients.errors());
        sim.heal_and_settle();
    });
}

#[test]
fn in_a_steady_load_no_worker_comes_or_goes() {
    check!(|sim| {
        sim.host(|| app(spares().io_timeout(200 * SECOND).run(lines)));
        sim.faults(Faults::only(&[Class::Latency, Class::Schedule, Class::ShortIo]));
        sim.clients("echo", 5, |c| {
            c.write_all(b"hello\n")?;
            c.expect(b"hello\n")?;
            c.pause(100 * SECOND);
            Ok(())
        });
        sim.run_for(20 * SECOND);
        let (before, births) = (wanted(sim), sim.births());
        sim.run_for(60 * SECOND);
        assert_eq!(wanted(sim), before);
        assert_eq!(sim.births(), births);
    });
}

#[test]
fn whatever_happens_a_fleet_that_follows_its_load_stays_within_its_bounds_and_serves() {
    check!(|sim| {
        sim.pid_max(64);
        sim.host(|| app(spares().late_warning(600 * MS).requests_max(4).surge_max(2).run(serve)));
        sim.faults(Faults::all());
        load(sim, 8);
        sim.run_for(15 * SECOND);
        for signal in [Signal::Ttin, Signal::Ttou, Signal::Winch, Signal::Winch] {
            sim.signal(signal);
            sim.run_for(2 * SECOND);
        }
        load(sim, 4);
        sim.run_for(20 * SECOND);
        // Not with slots that stay broken: that asks for as many as are wanted, which the load has just changed (L7).
        sim.heal_and_settle();
    });
}

#[test]
fn whatever_happens_one_that_is_told_to_end_comes_to_its_end() {
    for stop in [Signal::Quit, Signal::Term] {
        check!(|sim| {
            sim.host(|| app(spares().run(serve)));
            sim.faults(Faults::all().without(Class::Hang));
            load(sim, 8);
            sim.run_for(8 * SECOND);
            sim.signal(stop);
            sim.run_for(30 * SECOND);
            sim.heal();
            let ended = sim.run_until(60 * SECOND, |sim| sim.host_status().is_some());
            assert!(ended, "{:?}", sim.pending());
        });
    }
}
