//! What the ordinary scenarios come to seldom or never: each was found missing by its mark.

use crate::apps::{fleet, serve};
use harness::{Class, Faults, check};
use host_core::error::RunError;
use host_core::fleet::config::{OnExhausted, Restart};
use host_core::sys::Signal;
use host_core::{App, Connected, Context, Fleet, Ready, Result, Service, Worker};
use std::io::{Read as _, Write as _};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// What goes wrong everywhere and harms nobody.
const GENTLE: &[Class] =
    &[Class::Latency, Class::Schedule, Class::LateNews, Class::ShortIo, Class::Interrupt];

fn app(fleet: Fleet) -> App {
    App::new("rare").listen("echo", "127.0.0.1:7000").poll_period_off().fleet(fleet)
}

#[test]
fn k10_whoever_finds_a_full_backlog_waits_and_is_served_when_there_is_room() {
    check!(|sim| {
        sim.host(|| {
            let slow = fleet().workers(1).io_timeout(SECOND).run(|worker: &mut Worker| {
                while let Some(mut client) = worker.accept("echo")? {
                    for _ in 0..8 {
                        // Each is long, none is too long.
                        worker.work(500 * MS);
                        worker.wanted();
                    }
                    let _gone = client.write_all(b".");
                }
                Ok(())
            });
            app(slow).backlog(1)
        });
        sim.faults(Faults::only(GENTLE));
        let clients = sim.clients("echo", 6, |c| c.expect(b"."));
        sim.run_for(120 * SECOND);
        // One has a worker and two have a place in the queue; the others try again after 1, 2, 4 … seconds, and
        // some of them lose patience.
        assert!(clients.succeeded() >= 2, "{:?}", clients.errors());
    });
}

#[test]
fn a_body_that_does_nothing_but_give_signs_of_life_is_left_alone() {
    check!(|sim| {
        sim.host(|| {
            app(fleet().run(|worker: &mut Worker| {
                for _ in 0..5000 {
                    if !worker.wanted() {
                        return Ok(());
                    }
                }
                serve(worker)
            }))
        });
        sim.faults(Faults::only(GENTLE));
        let clients = sim.clients("echo", 3, |c| c.write_all(b".").and_then(|()| c.expect(b".")));
        sim.run_for(20 * SECOND);
        assert_eq!(clients.succeeded(), 3, "{:?}", clients.errors());
        assert_eq!(sim.fleet("echo").unwrap().deaths, []);
    });
}

#[test]
fn a_stop_at_once_overtakes_the_grace_of_the_soft_signal_and_a_second_one_kills_now() {
    for second in [None, Some(Signal::Term), Some(Signal::Int)] {
        check!(|sim| {
            sim.host(|| {
                app(fleet().soft_signal(Signal::Usr1, 60 * SECOND).term_timeout(30 * SECOND).run(
                    |worker: &mut Worker| {
                        let _client = worker.accept("echo")?;
                        worker.work(3600 * SECOND);
                        Ok(())
                    },
                ))
            });
            sim.faults(Faults::only(&[Class::Schedule, Class::LateNews, Class::IgnoreQuit]));
            sim.clients("echo", 3, |c| c.expect(b"."));
            sim.run_for(5 * SECOND);
            sim.signal(Signal::Term);
            sim.run_for(100 * MS);
            if let Some(second) = second {
                sim.signal(second);
            }
            // Who is deaf to TERM has its grace; a second signal takes it away.
            let bound = if second.is_some() { 2 * SECOND } else { 40 * SECOND };
            sim.heal();
            assert!(sim.run_until(bound, |sim| sim.host_status().is_some()), "{:?}", sim.pending());
        });
    }
}

#[test]
fn threads_that_come_later_end_the_host_at_the_next_fork_and_leave_nobody() {
    check!(|sim| {
        sim.host(|| app(fleet().run(serve)));
        sim.faults(Faults::only(GENTLE));
        sim.run_for(5 * SECOND);
        sim.threads(2);
        sim.expect_end();
        let worker = sim.workers()[0];
        assert!(sim.signal_worker(worker.pid, Signal::Kill));
        let ended = sim.wait_for_host(10 * SECOND);
        assert!(matches!(ended, Err(RunError::Threads { count: 2 })), "{ended:?}");
        assert_eq!(sim.workers(), []);
    });
}

#[test]
fn workers_that_have_finished_leave_their_slots_empty_and_the_last_one_ends_the_host() {
    check!(|sim| {
        sim.host(|| {
            app(fleet().restart(Restart::Transient).run(|worker: &mut Worker| {
                if let Some(mut client) = worker.accept("echo")? {
                    let _gone = client.write_all(b".");
                }
                Ok(())
            }))
        });
        sim.faults(Faults::only(GENTLE));
        sim.expect_end();
        sim.clients("echo", 3, |c| c.expect(b"."));
        sim.wait_for_host(60 * SECOND).unwrap();
    });
}

#[test]
fn a_fleet_that_is_given_up_takes_those_along_who_could_serve() {
    check!(|sim| {
        sim.host(|| {
            let body = |worker: &mut Worker| {
                if worker.id().slot.number() == 0 { Err("broken for ever".into()) } else { serve(worker) }
            };
            let given_up =
                fleet().restart_budget(3, 60 * SECOND).on_exhausted(OnExhausted::StopFleet).run(body);
            app(given_up).service(Schedule::default())
        });
        sim.faults(Faults::only(GENTLE));
        sim.run_for(60 * SECOND);
        assert_eq!(sim.workers(), []);
    });
}

/// After so many seconds, this.
type Step = (u64, fn(&mut Context<'_>));

/// A service that does what it is told at the second that it is told for.
#[derive(Default)]
struct Schedule(Vec<Step>);

impl Service for Schedule {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        cx.wake_at(cx.now() + SECOND);
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        Ok(())
    }

    fn wake(&mut self, cx: &mut Context<'_>) -> Result {
        for (left, what) in &mut self.0 {
            *left = left.wrapping_sub(1);
            if *left == 0 {
                what(cx);
            }
        }
        cx.wake_at(cx.now() + SECOND);
        Ok(())
    }
}

#[test]
fn pf_c33_an_application_empties_its_fleet_fills_it_takes_winch_back_and_ends() {
    const STOPS: [fn(&mut Context<'_>); 2] = [|cx| cx.stop(), |cx| cx.drain()];
    for stop in STOPS {
        check!(|sim| {
            sim.host(move || {
                app(fleet().run(serve)).service(Schedule(vec![
                    (2, |cx| assert!(cx.resize("echo", 0))),
                    (4, |cx| assert!(cx.resize("echo", 2))),
                    (8, |cx| assert!(cx.restore("echo"))),
                    (20, stop),
                ]))
            });
            sim.faults(Faults::only(GENTLE));
            let wanted = |sim: &harness::Sim| sim.fleet("echo").unwrap().wanted;
            sim.run_for(3 * SECOND + 500 * MS);
            assert_eq!(wanted(sim), 0);
            sim.run_for(2 * SECOND);
            assert_eq!(wanted(sim), 2);
            sim.signal(Signal::Winch);
            sim.run_for(SECOND);
            assert_eq!(wanted(sim), 0);
            sim.run_for(4 * SECOND);
            assert_eq!(wanted(sim), 2);
            sim.wait_for_host(60 * SECOND).unwrap();
        });
    }
}

#[test]
fn what_a_full_channel_did_not_take_is_told_when_the_host_goes_on() {
    check!(|sim| {
        sim.host(|| {
            app(fleet().run(|worker: &mut Worker| {
                while let Some(mut client) = worker.accept("echo")? {
                    // Each asks the host for something; it is stopped, and the channel holds 278.
                    for _ in 0..400 {
                        worker.extend(SECOND);
                        worker.wanted();
                    }
                    let _gone = client.read(&mut [0]).and_then(|_| client.write_all(b"."));
                }
                Ok(())
            }))
        });
        sim.faults(Faults::only(&[Class::Schedule, Class::LateNews]));
        sim.run_for(2 * SECOND);
        sim.signal(Signal::Stop);
        let clients = sim.clients("echo", 3, |c| c.write_all(b"!").and_then(|()| c.expect(b".")));
        sim.run_for(10 * SECOND);
        sim.signal(Signal::Cont);
        sim.run_for(20 * SECOND);
        assert_eq!(clients.succeeded(), 3, "{:?}", clients.errors());
        assert_eq!(sim.fleet("echo").unwrap().deaths, []);
    });
}
