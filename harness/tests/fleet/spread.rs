//! A listener that is spread over the workers of a fleet: each has a queue of its own, and none is ever left alone.

use crate::apps::{fleet, lines, serve};
use harness::{Class, Client, ClientError, Clients, Faults, Sim, check};
use host_core::sys::Signal;
use host_core::{App, Connected, Context, Fleet, Hosted, Listener, Ready, Result, Service, Stream};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn spread(fleet: Fleet) -> App {
    App::new("spread").poll_period_off().fleet(fleet.listen_spread("echo", "127.0.0.1:7000"))
}

/// Workers that serve one client after the other.
fn blocking() -> App {
    spread(fleet().run(serve))
}

/// Workers that serve all their clients at once.
fn hosting() -> App {
    spread(hosts(fleet()))
}

fn hosts(fleet: Fleet) -> Fleet {
    fleet.host(|_| App::new("inside").poll_period_off().service(Hosted::new("echo", Echo::default())))
}

/// Sends back what comes, to many at once. Asked to drain, it takes no more and serves whom it has to their end.
#[derive(Default)]
struct Echo {
    listener: Option<Listener>,
    clients: BTreeMap<host_core::id::SocketId, Stream>,
}

impl Service for Echo {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        self.listener = Some(cx.listener("echo")?);
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, ready: Ready) -> Result {
        if let Some(client) = self.clients.get_mut(&ready.socket) {
            let mut buffer = [0; 256];
            let echoed = match client.try_read(&mut buffer) {
                Ok(None) => return Ok(()),
                Ok(Some(count @ 1..)) => client.write_all(&buffer[..count]).is_ok(),
                Ok(Some(0)) | Err(_) => false,
            };
            if !echoed {
                self.clients.remove(&ready.socket);
            }
        } else if let Some(listener) = &mut self.listener
            // One a time, so that each lane has to wait for its turn.
            && let Some(client) = listener.accept()?
        {
            self.clients.insert(client.id(), client);
        }
        Ok(())
    }

    fn drain(&mut self, _: &mut Context<'_>) -> Result<host_core::Drained> {
        self.listener = None;
        Ok(host_core::Drained::NotYet)
    }
}

/// Both kinds of workers.
const APPS: [fn() -> App; 2] = [blocking, hosting];

fn greet(sim: &mut Sim, count: usize) -> Clients {
    sim.clients("echo", count, say_hello)
}

fn say_hello(client: &mut Client) -> Result<(), ClientError> {
    client.write_all(b"hello")?;
    client.expect(b"hello")
}

#[test]
fn without_faults_every_client_is_served_whichever_lane_it_is_in() {
    for app in APPS {
        check!(|sim| {
            sim.host(app);
            let clients = greet(sim, 20);
            sim.run_for(20 * SECOND);
            assert_eq!(clients.succeeded(), 20, "{:?}", clients.errors());
            sim.signal(Signal::Quit);
            sim.wait_for_host(10 * SECOND).unwrap();
        });
    }
}

#[test]
fn whatever_happens_a_healed_spread_fleet_serves() {
    for app in APPS {
        check!(|sim| {
            sim.pid_max(8);
            sim.host(app);
            // Nobody brings back workers that an operator takes away.
            sim.faults(Faults::all().without(Class::OperatorSignals));
            greet(sim, 6);
            sim.run_for(30 * SECOND);
            sim.heal_and_settle();
            let late = greet(sim, 6);
            sim.heal_and_settle();
            assert_eq!(late.succeeded(), 6, "{:?}", late.errors());
        });
    }
}

#[test]
fn k13_a_worker_that_is_killed_takes_nobody_with_it_but_whom_it_held() {
    for app in APPS {
        check!(|sim| {
            sim.host(app);
            // They come within a second; one worker after the other is killed meanwhile, faster than slots are filled again.
            let clients = greet(sim, 40);
            let mut held = 0;
            for _ in 0..4 {
                sim.run_for(200 * MS);
                let victim = sim.workers().first().map(|worker| worker.pid);
                held += usize::from(victim.is_some_and(|pid| sim.signal_worker(pid, Signal::Kill)));
            }
            sim.run_for(30 * SECOND);
            let lost = 40 - clients.succeeded();
            // A conversation takes less than a millisecond, so that a worker rarely holds more than one.
            assert!(lost <= held, "{lost} of 40 were lost with {held} workers: {:?}", clients.errors());
        });
    }
}

/// Workers that greet one client after the other: a connection that was accepted is served, whoever asks the worker
/// to quit meanwhile.
fn greeting() -> App {
    spread(fleet().run(|worker| {
        while let Some(mut client) = worker.accept("echo")? {
            client.write_all(b"hello")?;
        }
        Ok(())
    }))
}

/// Clients go on coming while the operator does something each 100 ms, and all of them are served.
fn nobody_is_lost(sim: &mut Sim, (app, converse): Kind, operate: impl Fn(&mut Sim, usize)) {
    sim.host(app);
    sim.faults(Faults::only(&[Class::Latency, Class::ShortIo, Class::Schedule]));
    sim.run_for(MS);
    let mut all = Vec::new();
    for round in 0..8 {
        all.push(sim.clients("echo", 10, converse));
        for step in 0..5 {
            sim.run_until(100 * MS, |_| false);
            operate(sim, 5 * round + step);
        }
    }
    sim.run_until(30 * SECOND, |_| false);
    for clients in all {
        assert_eq!(clients.succeeded(), 10, "{:?}", clients.errors());
    }
}

/// Workers that finish what they have accepted, and their clients.
type Kind = (fn() -> App, fn(&mut Client) -> Result<(), ClientError>);
const KINDS: [Kind; 2] = [(greeting, |client| client.expect(b"hello")), (hosting, say_hello)];

#[test]
fn scaling_down_and_up_again_loses_no_queued_connection() {
    for kind in KINDS {
        check!(|sim| nobody_is_lost(sim, kind, |sim, step| {
            // Down to one, and up to five, beyond the lanes.
            let down = [true, true, false, false, false, false, true, true][step % 8];
            sim.signal(if down { Signal::Ttou } else { Signal::Ttin });
        }));
    }
}

#[test]
fn taking_all_workers_away_and_bringing_them_back_loses_no_queued_connection() {
    for kind in KINDS {
        check!(|sim| nobody_is_lost(sim, kind, |sim, _| sim.signal(Signal::Winch)));
    }
}

#[test]
fn workers_that_are_asked_to_quit_by_an_operator_leave_their_lanes_to_others() {
    for kind in KINDS {
        check!(|sim| nobody_is_lost(sim, kind, |sim, step| {
            let workers = sim.workers();
            if !workers.is_empty() {
                sim.signal_worker(workers[step % workers.len()].pid, Signal::Quit);
            }
        }));
    }
}

#[test]
fn a_worker_that_drains_for_long_leaves_its_lane_to_others_at_once() {
    check!(|sim| {
        sim.host(|| {
            // Whoever is served stays for ten seconds, and so does its worker.
            spread(
                fleet().drain_timeout(60 * SECOND).host(|_| {
                    App::new("inside").poll_period_off().service(Hosted::new("echo", Echo::default()))
                }),
            )
        });
        sim.clients("echo", 12, |c| {
            c.write_all(b"hello")?;
            c.expect(b"hello")?;
            c.pause(10 * SECOND);
            Ok(())
        });
        sim.run_for(2 * SECOND);
        // An operator asks one, and the host another: the oldest.
        let youngest = sim.workers()[2].pid;
        sim.signal_worker(youngest, Signal::Quit);
        sim.signal(Signal::Ttou);
        let clients = greet(sim, 12);
        sim.run_for(3 * SECOND);
        assert_eq!(clients.succeeded(), 12, "{:?}", clients.errors());
    });
}

#[test]
fn whoever_comes_while_a_lane_changes_hands_is_served_at_once() {
    for (app, converse) in KINDS {
        check!(|sim| {
            sim.host(app);
            sim.run_until(SECOND + SECOND / 2, |_| false);
            let killed_at = sim.now() + SECOND + SECOND / 2;
            // Few, so that nobody who comes later wakes whoever has missed one.
            let clients = sim.clients("echo", 4, move |c| {
                // About when the worker that is killed has a successor, which has its lane back.
                let moment = Duration::from_nanos(140_000 + u64::from(c.choose(30_000)));
                c.pause((killed_at + moment).since(c.now()));
                converse(c)
            });
            sim.run_until(SECOND + SECOND / 2, |_| false);
            let victim = sim.workers()[1].pid;
            sim.signal_worker(victim, Signal::Kill);
            sim.run_until(100 * MS, |_| false);
            assert_eq!(clients.succeeded(), 4, "{:?}", clients.errors());
        });
    }
}

#[test]
fn k11_a_stopped_worker_leaves_its_lane_to_others() {
    // All clients have come, and are served, before it is killed.
    let patient = || fleet().heartbeat_timeout(3 * SECOND);
    for hosted in [false, true] {
        check!(|sim| {
            sim.host(move || spread(if hosted { hosts(patient()) } else { patient().run(serve) }));
            sim.run_for(SECOND);
            let victim = sim.workers()[1].pid;
            sim.signal_worker(victim, Signal::Stop);
            let clients = greet(sim, 20);
            sim.run_for(2 * SECOND);
            assert!(sim.fleet("echo").unwrap().deaths.is_empty());
            assert_eq!(clients.succeeded(), 20, "{:?}", clients.errors());
        });
    }
}

#[test]
fn recycling_loses_no_queued_connection() {
    check!(|sim| {
        sim.host(|| spread(fleet().requests_max(3).requests_jitter_percent(0).run(lines)));
        sim.faults(Faults::only(&[Class::Latency, Class::ShortIo, Class::Schedule]));
        let clients: Vec<_> = (0..6)
            .map(|_| {
                let clients = sim.clients("echo", 10, |c| {
                    c.write_all(b"hello\n")?;
                    c.expect(b"hello\n")
                });
                sim.run_for(SECOND);
                clients
            })
            .collect();
        sim.run_for(20 * SECOND);
        for clients in clients {
            assert_eq!(clients.succeeded(), 10, "{:?}", clients.errors());
        }
        let died = sim.fleet("echo").unwrap().deaths.len();
        assert!(died >= 9, "workers were replaced: {died}");
    });
}
