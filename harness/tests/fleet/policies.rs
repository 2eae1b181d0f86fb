//! Fleets about which functions of their author decide.

use crate::apps::{fleet, fleet_called, lines, serve};
use harness::{Class, Faults, Scripted, Sim, check};
use host_core::fleet::config::Restart;
use host_core::fleet::status::FleetStatus;
use host_core::sys::ExitStatus;
use host_core::{App, Fleet, Result, Worker};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn app(fleet: Fleet) -> App {
    App::new("echo").listen("echo", "127.0.0.1:7000").poll_period_off().fleet(fleet)
}

/// One for each connection, and two more.
fn two_idle(fleet: &FleetStatus) -> u32 {
    fleet.workers.iter().map(|worker| worker.connections).sum::<u64>() as u32 + 2
}

#[test]
fn a_fleet_is_as_large_as_the_function_says_and_one_that_panics_changes_nothing() {
    check!(|sim| {
        sim.host(|| {
            let picky = |fleet: &FleetStatus| {
                let workers = two_idle(fleet);
                assert!(workers != 4, "four is a number that it cannot bear");
                workers
            };
            app(fleet().workers_max(8).io_timeout(60 * SECOND).run(lines).scale_by(SECOND, picky))
        });
        sim.faults(Faults::only(&[Class::Latency, Class::Schedule, Class::ShortIo]));
        sim.run_for(5 * SECOND);
        let wanted = |sim: &Sim| sim.fleet("echo").unwrap().wanted;
        assert_eq!(wanted(sim), 2);
        let held = |sim: &mut Sim, count| {
            sim.clients("echo", count, |c| {
                c.write_all(b"hello\n")?;
                c.expect(b"hello\n")?;
                c.pause(20 * SECOND);
                Ok(())
            });
            sim.run_for(6 * SECOND);
        };
        held(sim, 1);
        assert_eq!(wanted(sim), 3);
        held(sim, 1);
        assert_eq!(wanted(sim), 3, "the function panics");
        held(sim, 1);
        assert_eq!(wanted(sim), 5);
        sim.run_for(30 * SECOND);
        assert_eq!(wanted(sim), 2);
        sim.heal_and_settle();
    });
}

fn idle(worker: &mut Worker) -> Result {
    while worker.pause(SECOND) {}
    Ok(())
}

#[test]
fn whatever_happens_the_functions_are_obeyed_and_no_more() {
    check!(|sim| {
        sim.pid_max(32);
        sim.play(Scripted::of("echo").slot(1).incarnations(1..=1).exit_after(3 * SECOND, 9));
        sim.host(|| {
            let never_nine = |fleet: &FleetStatus, _, status| {
                let gives_up = status == ExitStatus::Code(9) && fleet.workers.len() > 1;
                if gives_up { Restart::Never } else { Restart::Permanent }
            };
            // What the function sees is older than what the host hears at the same moment: the last who is wanted may be the one
            // who gives up, and then the fleet has done what it was for. The host goes on for another.
            app(fleet().workers_max(8).run(serve).scale_by(SECOND, two_idle).on_exit(never_nine))
                .fleet(fleet_called("another").workers(1).run(idle))
        });
        sim.faults(Faults::all());
        sim.clients("echo", 8, |c| {
            c.pause(MS * c.choose(5_000));
            c.write_all(b"hello")?;
            c.expect(b"hello")?;
            c.pause(3 * SECOND);
            Ok(())
        });
        sim.run_for(20 * SECOND);
        sim.heal_and_settle();
    });
}
