//! Fleets that use every setting, under every fault: the rules know what each of them allows.

use crate::apps::{fleet, fleet_called};
use harness::{Class, Faults, Sim, check};
use host_core::fleet::config::Strategy;
use host_core::sys::Signal;
use host_core::{App, Fleet, Result, Worker};
use std::io::{Read as _, Write as _};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// Bytes come back; `x` takes two seconds, which are asked for, and `s` half of one, which is not.
fn serve(worker: &mut Worker) -> Result {
    while let Some(mut client) = worker.accept("echo")? {
        let mut order = [0];
        while worker.wanted() && client.read(&mut order).is_ok_and(|count| count == 1) {
            match order[0] {
                b'x' => {
                    worker.extend(3 * SECOND);
                    worker.work(2 * SECOND);
                }
                b's' => worker.work(SECOND / 2),
                _ => {}
            }
            if client.write_all(&order).is_err() {
                break;
            }
        }
    }
    Ok(())
}

fn every_setting(fleet: Fleet, soft: Signal) -> Fleet {
    fleet
        .late_warning(600 * MS)
        .soft_signal(soft, 200 * MS)
        .idle_beats()
        .kill_budget(50, 2 * SECOND)
        .requests_max(4)
        .requests_jitter_percent(50)
        .surge_max(2)
        .backoff(50 * MS, 2 * SECOND)
        .restart_budget(12, 20 * SECOND)
        .run(serve)
}

fn clients(sim: &mut Sim) {
    sim.clients("echo", 8, |c| {
        for order in *b".s.x." {
            c.write_all(&[order])?;
            c.expect(&[order])?;
            c.pause(MS * c.choose(700));
        }
        Ok(())
    });
}

/// ABRT ends a worker; USR1 does nothing to it, so that its grace passes.
const SOFT: [Signal; 2] = [Signal::Abrt, Signal::Usr1];

#[test]
fn whatever_happens_a_fleet_with_every_setting_is_complete_once_faults_stop() {
    for soft in SOFT {
        check!(|sim| {
            sim.pid_max(16);
            sim.host(move || {
                let fleet = every_setting(fleet(), soft);
                App::new("echo").listen("echo", "127.0.0.1:7000").poll_period_off().fleet(fleet)
            });
            sim.faults(Faults::all());
            clients(sim);
            sim.run_for(30 * SECOND);
            sim.heal_and_settle();
        });
    }
}

#[test]
fn l7_with_every_setting_broken_slots_take_nobody_else_along() {
    for soft in SOFT {
        check!(|sim| {
            sim.pid_max(32);
            sim.host(move || {
                let fleet = every_setting(fleet().workers(5), soft);
                App::new("echo").listen("echo", "127.0.0.1:7000").poll_period_off().fleet(fleet)
            });
            sim.faults(Faults::all());
            clients(sim);
            sim.run_for(20 * SECOND);
            sim.heal_core_and_settle();
        });
    }
}

#[test]
fn whatever_happens_two_such_fleets_come_to_their_end_when_they_are_told_to_in_the_midst_of_it() {
    for (stop, soft) in
        [(Signal::Quit, Signal::Usr1), (Signal::Term, Signal::Usr1), (Signal::Quit, Signal::Abrt)]
    {
        check!(|sim| {
            sim.host(move || {
                App::new("echo")
                    .listen("echo", "127.0.0.1:7000")
                    .poll_period_off()
                    .strategy(Strategy::RestForOne)
                    .fleet(every_setting(fleet(), soft))
                    .fleet(every_setting(fleet_called("second"), soft))
            });
            sim.faults(Faults::all().without(Class::Hang));
            clients(sim);
            sim.run_for(10 * SECOND);
            sim.signal(stop);
            // L4 says when it must have ended, whatever goes on going wrong.
            sim.run_for(30 * SECOND);
            sim.heal();
            let ended = sim.run_until(60 * SECOND, |sim| sim.host_status().is_some());
            assert!(ended, "{:?}", sim.pending());
        });
    }
}
