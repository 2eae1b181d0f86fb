//! Bugs of worker bodies and of settings, each with the scenario that shows it.

use harness::Class::{
    ExitRace, ForkFailure, HostSlow, Interrupt, LateNews, Latency, OperatorSignals, Reset, Schedule, ShortIo,
    SlowBoot, WallJump, WorkerCrash, WorkerHang, WorkerKill, WorkerStop,
};
use harness::{Class, Faults, Sim};
use host_core::app::error;
use host_core::fleet::config::OnExhausted;
use host_core::sys::Signal;
use host_core::{App, Connected, Context, Fleet, Ready, Result, Service, Worker};
use std::io::{Read as _, Write as _};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn fleet() -> Fleet {
    Fleet::new("echo")
        .workers(3)
        .boot_timeout(2 * SECOND)
        .heartbeat_timeout(SECOND)
        .drain_timeout(3 * SECOND)
        .term_timeout(500 * MS)
        .degraded_retry(5 * SECOND)
}

fn app(fleet: Fleet) -> App {
    App::new("echo").listen("echo", "127.0.0.1:7000").poll_period_off().fleet(fleet)
}

/// Bytes come back; `each` is done for each of them.
fn serve(worker: &mut Worker, each: impl Fn(&mut Worker, u8)) -> Result {
    while let Some(mut client) = worker.accept("echo")? {
        let mut byte = [0];
        while worker.wanted() && client.read(&mut byte).is_ok_and(|count| count == 1) {
            each(worker, byte[0]);
            if client.write_all(&byte).is_err() {
                break;
            }
        }
    }
    Ok(())
}

fn echo(worker: &mut Worker) -> Result {
    serve(worker, |_, _| {})
}

/// Faults that kill no worker.
const GENTLE: [Class; 6] = [ShortIo, Interrupt, Latency, Schedule, WallJump, HostSlow];
/// Faults that do.
const DEADLY: [Class; 6] = [WorkerCrash, WorkerKill, WorkerHang, WorkerStop, LateNews, ExitRace];

/// Six clients of a fleet, and nobody dies.
fn nobody_dies(sim: &mut Sim, more: &[Class], body: impl Fn(&mut Worker) -> Result + Copy + 'static) {
    sim.host(move || app(fleet().run(body)));
    sim.faults(Faults::only(&[&GENTLE[..], more].concat()));
    sim.clients("echo", 6, |c| {
        for _ in 0..10 {
            if c.choose(20) == 7 {
                // Comes, and goes without a word.
                c.close();
                c.stream()?;
                c.pause(5 * MS);
                c.close();
            }
            let byte = [b'a' + c.choose(26) as u8];
            c.write_all(&byte)?;
            c.expect(&byte)?;
            c.pause(MS * c.choose(300));
        }
        Ok(())
    });
    sim.run_for(20 * SECOND);
    let deaths = sim.fleet("echo").map(|fleet| fleet.deaths).unwrap_or_default();
    assert!(deaths.is_empty(), "nobody has a reason to die");
}

pub(crate) fn a_request_that_takes_too_long(sim: &mut Sim, bug: bool) {
    nobody_dies(sim, &[], move |worker| {
        serve(worker, |worker, byte| worker.work(if bug && byte == b'x' { 3 * SECOND } else { 100 * MS }))
    });
}

pub(crate) fn a_body_that_fails_with_its_client(sim: &mut Sim, bug: bool) {
    nobody_dies(sim, &[Reset], move |worker| {
        while let Some(mut client) = worker.accept("echo")? {
            let mut byte = [0];
            while worker.wanted() {
                match client
                    .read(&mut byte)
                    .and_then(|count| client.write_all(&byte[..count]).map(|()| count))
                {
                    Ok(0) => break,
                    Ok(_) => {}
                    // Who waits for its turn in the queue is read too late; a reset is nobody's fault.
                    Err(failed) if bug && failed.kind() == std::io::ErrorKind::ConnectionReset => {
                        return Err(error("the client is gone"));
                    }
                    Err(_) => break,
                }
            }
        }
        Ok(())
    });
}

pub(crate) fn a_panic_at_a_silent_client(sim: &mut Sim, bug: bool) {
    nobody_dies(sim, &[], move |worker| {
        while let Some(mut client) = worker.accept("echo")? {
            let mut byte = [0];
            let first = client.read(&mut byte).unwrap_or(0);
            assert!(!bug || first > 0, "a client has something to say");
            if first > 0 && client.write_all(&byte).is_ok() {
                while worker.wanted() && client.read(&mut byte).is_ok_and(|count| count == 1) {
                    if client.write_all(&byte).is_err() {
                        break;
                    }
                }
            }
        }
        Ok(())
    });
}

pub(crate) fn a_body_that_ends_when_it_idles(sim: &mut Sim, bug: bool) {
    nobody_dies(sim, &[], move |worker| {
        if bug && worker.id().slot.number() == 2 {
            worker.pause(5 * SECOND);
            return Ok(());
        }
        echo(worker)
    });
}

/// A slow boot is within the timeout – on an idle machine.
pub(crate) fn a_boot_timeout_that_is_too_short(sim: &mut Sim, bug: bool) {
    sim.host(move || {
        let timeout = if bug { 400 * MS } else { 60 * SECOND };
        app(fleet().boot_timeout(timeout).run(|worker| {
            worker.work(300 * MS);
            echo(worker)
        }))
    });
    sim.faults(Faults::only(&[&GENTLE[..], &[SlowBoot, WorkerKill, LateNews]].concat()));
    sim.run_for(30 * SECOND);
    let deaths = sim.fleet("echo").map(|fleet| fleet.deaths).unwrap_or_default();
    let late = deaths.iter().filter(|death| death.intent.is_some()).count();
    assert_eq!(late, 0, "nobody was killed for booting");
}

/// The third to sit in the middle never says that it is ready.
pub(crate) fn the_third_incarnation_hangs(sim: &mut Sim, bug: bool) {
    sim.host(move || {
        app(fleet().run(move |worker| {
            if bug && worker.id().slot.number() == 1 && worker.id().incarnation > 2 {
                worker.work(Duration::from_secs(86_400));
            }
            echo(worker)
        }))
    });
    sim.faults(Faults::only(&[&GENTLE[..], &DEADLY].concat()));
    sim.clients("echo", 6, |c| c.write_all(b"a").and_then(|()| c.expect(b"a")));
    sim.run_for(30 * SECOND);
    sim.heal_and_settle();
}

/// A drain waits for clients that do not go.
pub(crate) fn a_body_that_does_not_hear_quit(sim: &mut Sim, bug: bool) {
    sim.host(move || {
        app(fleet().quit_patience(100 * MS).run(move |worker| {
            while let Some(mut client) = worker.accept("echo")? {
                let mut byte = [0];
                while (bug || worker.wanted()) && client.read(&mut byte).is_ok_and(|count| count == 1) {
                    if client.write_all(&byte).is_err() {
                        break;
                    }
                }
                while bug && !worker.wanted() {
                    worker.work(100 * MS);
                    worker.pause(100 * MS);
                }
            }
            Ok(())
        }))
    });
    sim.faults(Faults::only(&GENTLE));
    sim.clients("echo", 6, |c| {
        while c.write_all(b"a").and_then(|()| c.expect(b"a")).is_ok() {
            c.pause(50 * MS);
        }
        Ok(())
    });
    sim.run_for(5 * SECOND);
    sim.heal();
    sim.signal(Signal::Quit);
    assert!(sim.run_until(2 * SECOND, |sim| sim.host_status().is_some()), "a drain of idle clients is short");
}

pub(crate) fn a_budget_that_takes_the_host_with_it(sim: &mut Sim, bug: bool) {
    sim.host(move || {
        let policy = if bug { OnExhausted::StopHost } else { OnExhausted::KeepTrying };
        app(fleet().stable_after(10 * SECOND).restart_budget(1, 60 * SECOND).on_exhausted(policy).run(echo))
    });
    sim.faults(Faults::only(&[&GENTLE[..], &DEADLY].concat()));
    sim.run_for(40 * SECOND);
}

/// A service in the host that expects more of its fleet than anybody promised.
struct Nervous(fn(&mut Context<'_>) -> bool);

impl Service for Nervous {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        cx.wake_at(cx.now() + SECOND);
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        Ok(())
    }

    fn wake(&mut self, cx: &mut Context<'_>) -> Result {
        cx.wake_at(cx.now() + 50 * MS);
        if (self.0)(cx) { Err(error("that should not be")) } else { Ok(()) }
    }
}

fn with_nervous(sim: &mut Sim, bug: bool, frightens: fn(&mut Context<'_>) -> bool, more: &[Class]) {
    let frightens = if bug { frightens } else { |_: &mut Context<'_>| false };
    sim.host(move || app(fleet().run(echo)).service(Nervous(frightens)));
    sim.faults(Faults::only(&[&GENTLE[..], &DEADLY, more].concat()));
    sim.clients("echo", 6, |c| c.write_all(b"a").and_then(|()| c.expect(b"a")));
    sim.run_for(40 * SECOND);
    sim.heal_and_settle();
}

pub(crate) fn afraid_of_an_operator(sim: &mut Sim, bug: bool) {
    with_nervous(sim, bug, |cx| cx.fleet("echo").is_some_and(|fleet| fleet.wanted > 3), &[OperatorSignals]);
}

pub(crate) fn afraid_of_two_deaths(sim: &mut Sim, bug: bool) {
    with_nervous(sim, bug, |cx| cx.fleet("echo").is_some_and(|fleet| fleet.deaths.len() > 1), &[]);
}

pub(crate) fn afraid_of_an_incomplete_fleet(sim: &mut Sim, bug: bool) {
    with_nervous(
        sim,
        bug,
        |cx| cx.fleet("echo").is_some_and(|fleet| fleet.ready() < 2),
        &[ForkFailure, SlowBoot],
    );
}

/// A test that demands of every client to be served, while workers die.
pub(crate) fn a_client_that_does_not_try_again(sim: &mut Sim, bug: bool) {
    sim.host(|| app(fleet().run(echo)));
    sim.faults(Faults::only(&[&GENTLE[..], &[WorkerKill, WorkerCrash]].concat()));
    let clients = sim.clients("echo", 6, move |c| {
        for _ in 0..20 {
            let mut tries = 0;
            while let Err(failed) = c.write_all(b"a").and_then(|()| c.expect(b"a")) {
                tries += 1;
                if bug || tries > 20 {
                    return Err(failed);
                }
                c.close();
                c.pause(200 * MS);
            }
            c.pause(100 * MS);
        }
        Ok(())
    });
    sim.run_for(20 * SECOND);
    sim.heal_and_settle();
    assert_eq!(clients.errors(), [], "who tries again is served");
}
