//! Connections in the queue of a shared listener: nobody waits for a worker that will not come.

use crate::apps::fleet;
use harness::check;
use host_core::sys::Signal;
use host_core::time::Duration;
use host_core::{App, Connected, Context, Drained, Fleet, Listener, Ready, Result, Service, Worker};
use std::io::Write as _;

const SECOND: Duration = Duration::from_secs(1);
const MICROSECOND: Duration = Duration::from_micros(1);

/// Within so many microseconds clients come, and twice as long a signal may.
const WINDOW: u32 = 200;

/// How long a client may wait where somebody idles: the wake, the nudge, and what the simulated network takes.
const AT_ONCE: Duration = Duration::from_millis(100);

/// Greets each client at once; when it was asked to quit it takes its time to clean up.
fn greet(worker: &mut Worker) -> Result {
    while let Some(mut client) = worker.accept("greet")? {
        let _gone = client.write_all(b"hello");
    }
    worker.work(2 * SECOND);
    Ok(())
}

/// The same as a service, which lets go of its listener and cleans up then.
#[derive(Default)]
struct Greeter(Option<Listener>);

impl Service for Greeter {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        self.0 = Some(cx.listener("greet")?);
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        if let Some(mut client) = self.0.as_mut().map(Listener::accept).transpose()?.flatten() {
            let _gone = client.write_all(b"hello");
        }
        Ok(())
    }

    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Drained> {
        self.0 = None;
        cx.extend(3 * SECOND);
        cx.work(2 * SECOND);
        Ok(Drained::Yes)
    }
}

/// Two clients come within a fraction of a millisecond, and in the same moment one of three idle workers gets
/// `signal`; whichever of them was woken for whom, both are greeted at once.
fn nobody_waits(signal: Signal, app: fn() -> App) {
    check!(|sim| {
        sim.unsteady();
        sim.host(app);
        for round in 0..20_u32 {
            // All three are there again.
            sim.run_for(4 * SECOND);
            let begin = sim.now() + SECOND + SECOND / 2;
            let clients = sim.clients("greet", 2, move |c| {
                c.pause(begin.since(c.now()) + MICROSECOND * c.choose(WINDOW));
                let came = c.now();
                let greeted = c.expect(b"hello");
                let waited = c.now().since(came);
                assert!(waited <= AT_ONCE, "a client waited for {waited:?}, and two workers idle");
                // One that a killed worker had accepted has lost it.
                if signal == Signal::Kill { greeted.or(Ok(())) } else { greeted }
            });
            sim.run_for(begin.since(sim.now()) + MICROSECOND * (round * WINDOW / 10));
            let workers = sim.workers();
            sim.signal_worker(workers[round as usize % workers.len()].pid, signal);
            sim.run_for(SECOND);
            assert_eq!(clients.succeeded(), 2, "{:?}", clients.errors());
        }
    });
}

fn app(fleet: Fleet) -> App {
    App::new("greet").listen("greet", "127.0.0.1:7000").poll_period_off().fleet(fleet)
}

#[test]
fn a_worker_that_cleans_up_after_a_quit_takes_no_connection_with_it() {
    nobody_waits(Signal::Quit, || app(fleet().run(greet)));
}

#[test]
fn a_hosted_service_that_cleans_up_after_a_quit_takes_no_connection_with_it() {
    nobody_waits(Signal::Quit, || {
        app(fleet().host(|_| App::new("greeter").poll_period_off().service(Greeter::default())))
    });
}

#[test]
fn a_worker_that_is_killed_takes_no_connection_with_it_that_it_had_not_accepted() {
    nobody_waits(Signal::Kill, || {
        app(fleet().run(|worker| {
            // Its successor takes its time to begin.
            worker.work(SECOND);
            greet(worker)
        }))
    });
}
