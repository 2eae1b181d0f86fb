//! Connections in the queue of a shared listener: nobody waits for a worker that will not come.

use crate::apps::fleet;
use harness::check;
use host_core::sys::Signal;
use host_core::time::Duration;
use host_core::{App, Connected, Context, Drained, Fleet, Listener, Ready, Result, Service, Worker};
use std::io::Write as _;

const SECOND: Duration = Duration::from_secs(1);

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

fn nobody_waits(fleet: fn() -> Fleet) {
    check!(|sim| {
        sim.unsteady();
        sim.host(move || {
            App::new("greet").listen("greet", "127.0.0.1:7000").poll_period_off().fleet(fleet())
        });
        sim.run_for(SECOND);
        for _ in 0..3 {
            // Within a second, one after the other: some of them in the moment in which a worker is asked to quit.
            let clients = sim.clients("greet", 40, |c| {
                let begin = c.now();
                c.expect(b"hello")?;
                let waited = c.now().since(begin);
                assert!(waited <= AT_ONCE, "a client waited for {waited:?}, and two workers idle");
                Ok(())
            });
            for turn in 0..8 {
                let who = sim.workers()[turn % 2].pid;
                sim.run_for(SECOND / 10);
                if turn == 3 {
                    sim.signal_worker(who, Signal::Quit);
                }
            }
            sim.run_for(5 * SECOND);
            assert_eq!(clients.succeeded(), 40, "{:?}", clients.errors());
        }
    });
}

#[test]
fn a_worker_that_cleans_up_after_a_quit_takes_no_connection_with_it() {
    nobody_waits(|| fleet().run(greet));
}

#[test]
fn a_hosted_service_that_cleans_up_after_a_quit_takes_no_connection_with_it() {
    nobody_waits(|| fleet().host(|_| App::new("greeter").service(Greeter::default())));
}

#[test]
fn a_worker_that_is_killed_takes_no_connection_with_it_that_it_had_not_accepted() {
    check!(|sim| {
        sim.unsteady();
        sim.host(|| {
            // Its successor takes its time to begin.
            let boots = |worker: &mut Worker| {
                worker.work(SECOND);
                greet(worker)
            };
            App::new("greet").listen("greet", "127.0.0.1:7000").poll_period_off().fleet(fleet().run(boots))
        });
        sim.run_for(2 * SECOND);
        let clients = sim.clients("greet", 40, |c| {
            let begin = c.now();
            let greeted = c.expect(b"hello");
            let waited = c.now().since(begin);
            assert!(waited <= AT_ONCE, "a client waited for {waited:?}, and two workers idle");
            greeted.or(Ok(()))
        });
        sim.run_for(SECOND / 2);
        let who = sim.workers()[0].pid;
        sim.signal_worker(who, Signal::Kill);
        sim.run_for(5 * SECOND);
        assert_eq!(clients.succeeded(), 40, "{:?}", clients.errors());
    });
}
