//! Workers that cannot live.

use crate::apps::{fleet, serve};
use harness::{Faults, check};
use host_core::app::error;
use host_core::error::RunError;
use host_core::fleet::config::OnExhausted;
use host_core::fleet::status::Health;
use host_core::sys::Signal;
use host_core::time::Instant;
use host_core::{App, Worker};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn app(body: impl Fn(&mut Worker) -> host_core::Result + 'static, what: OnExhausted) -> App {
    let fleet = fleet().restart_budget(8, 60 * SECOND).on_exhausted(what).run(body);
    App::new("loop").listen("echo", "127.0.0.1:7000").poll_period_off().fleet(fleet)
}

/// How a slot is broken for ever.
#[derive(Clone, Copy, Debug)]
enum Broken {
    Fails,
    IsNeverReady,
    HangsAtItsFirstClient,
}

impl Broken {
    fn body(self) -> impl Fn(&mut Worker) -> host_core::Result + 'static {
        move |worker| {
            if worker.id().slot.number() != 0 {
                return serve(worker);
            }
            match self {
                Self::Fails => Err(error("broken for ever")),
                Self::IsNeverReady => {
                    worker.work(3600 * SECOND);
                    Ok(())
                }
                Self::HangsAtItsFirstClient => {
                    let _client = worker.accept("echo")?;
                    worker.work(3600 * SECOND);
                    Ok(())
                }
            }
        }
    }
}

#[test]
fn l7_with_one_broken_slot_the_others_serve_and_none_of_them_is_ever_taken_away() {
    for broken in [Broken::Fails, Broken::IsNeverReady, Broken::HangsAtItsFirstClient] {
        check!(|sim| {
            sim.host(move || app(broken.body(), OnExhausted::KeepTrying));
            sim.faults(Faults::only(&[
                harness::Class::Latency,
                harness::Class::Schedule,
                harness::Class::LateNews,
            ]));
            sim.run_for(2 * SECOND);
            let healthy = |sim: &harness::Sim| {
                let workers = sim.workers().into_iter().filter(|worker| worker.slot != 0);
                workers.map(|worker| worker.pid).collect::<Vec<_>>()
            };
            let before = healthy(sim);
            for _ in 0..10 {
                // One who comes while the broken one can still accept is lost with it.
                sim.clients("echo", 3, |c| {
                    c.write_all(b"hello")?;
                    c.expect(b"hello")
                });
                sim.run_for(5 * SECOND);
            }
            let late = sim.clients("echo", 5, |c| {
                c.write_all(b"hello")?;
                c.expect(b"hello")
            });
            sim.run_for(20 * SECOND);
            if !matches!(broken, Broken::HangsAtItsFirstClient) {
                assert_eq!(late.succeeded(), 5, "{:?}", late.errors());
                assert_eq!(sim.fleet("echo").unwrap().health, Health::Degraded);
            }
            assert_eq!((before.len(), healthy(sim)), (2, before), "{broken:?}");
        });
    }
}

#[test]
fn pf_c30_l6_a_crash_loop_is_slowed_down_seen_and_left_when_the_service_is_mended() {
    check!(|sim| {
        let mended = Instant::ZERO + 40 * SECOND;
        sim.host(move || {
            let body = move |worker: &mut Worker| {
                if worker.now() < mended { Err(error("not mended yet")) } else { serve(worker) }
            };
            app(body, OnExhausted::KeepTrying)
        });
        sim.run_for(30 * SECOND);
        let fleet = sim.fleet("echo").unwrap();
        assert_eq!(fleet.health, Health::Degraded);
        // Eight of the budget, one more for each slot, and one each five seconds from then on.
        assert!(fleet.deaths.len() <= 8 + 3 + 3 * 6, "{} deaths in 30 s", fleet.deaths.len());
        sim.run_for(30 * SECOND);
        let fleet = sim.fleet("echo").unwrap();
        assert_eq!((fleet.health, fleet.ready()), (Health::Well, 3));
    });
}

#[test]
fn a_crash_loop_ends_the_host_if_it_is_configured_so() {
    check!(|sim| {
        sim.host(|| app(|_| Err(error("no")), OnExhausted::StopHost));
        let ended = sim.wait_for_host(60 * SECOND);
        assert!(matches!(ended, Err(RunError::FleetGivenUp { .. })), "{ended:?}");
    });
}

#[test]
fn a_crash_loop_stops_its_fleet_if_it_is_configured_so_and_the_host_goes_on_with_the_others() {
    check!(|sim| {
        sim.host(|| {
            let other = crate::apps::fleet_called("other").run(serve);
            app(|_| Err(error("no")), OnExhausted::StopFleet).fleet(other)
        });
        sim.run_for(60 * SECOND);
        let fleet = sim.fleet("echo").unwrap();
        assert_eq!((fleet.health, fleet.workers.len()), (Health::GivenUp, 0));
        assert_eq!(sim.fleet("other").unwrap().ready(), 3);
        sim.signal(Signal::Term);
        sim.wait_for_host(SECOND).unwrap();
    });
}

#[test]
fn a_host_whose_only_fleet_was_given_up_ends_and_says_so() {
    check!(|sim| {
        sim.host(|| app(|_| Err(error("no")), OnExhausted::StopFleet));
        let ended = sim.wait_for_host(60 * SECOND);
        assert!(matches!(ended, Err(RunError::FleetGivenUp { .. })), "{ended:?}");
    });
}

#[test]
fn who_has_threads_is_told_why_it_cannot_fork() {
    check!(|sim| {
        sim.threads(3);
        sim.host(|| app(serve, OnExhausted::KeepTrying));
        let ended = sim.wait_for_host(SECOND).unwrap_err().to_string();
        assert!(ended.contains("this process is one of 3 threads"), "{ended}");
        assert_eq!(sim.children(), 0);
    });
}
