//! Ends that ordinary services do not come to: each was found missing by its mark.

use harness::{Class, Faults, check};
use host_core::error::{Cause, RunError};
use host_core::sys::Signal;
use host_core::time::Instant;
use host_core::{
    App, Connected, Context, Drained, Hosted, Listener, Ready, Reconnect, Result, Service, Stream,
};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const GENTLE: &[Class] = &[Class::Latency, Class::Schedule, Class::ShortIo, Class::Interrupt];

/// Takes clients, and does with them what it was made for.
struct Keeper {
    listener: Option<Listener>,
    clients: Vec<Stream>,
    /// Never reads on, and never lets go, once a client has ended.
    hoards: bool,
    /// Never says that it has drained.
    lingers: bool,
}

impl Keeper {
    fn app(hoards: bool, lingers: bool) -> App {
        let keeper = Self { listener: None, clients: Vec::new(), hoards, lingers };
        App::new("keeper")
            .listen("keep", "127.0.0.1:7000")
            .drain_timeout(5 * SECOND)
            .empty_wakes_max(10)
            .service(keeper)
    }
}

impl Service for Keeper {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        self.listener = Some(cx.listener("keep")?);
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, ready: Ready) -> Result {
        if let Some(listener) = self.listener.as_mut().filter(|listener| listener.id() == ready.socket) {
            while let Some(client) = listener.accept()? {
                self.clients.push(client);
            }
        } else if !self.hoards {
            self.clients.retain(|client| client.id() != ready.socket);
        }
        Ok(())
    }

    fn drain(&mut self, _: &mut Context<'_>) -> Result<Drained> {
        Ok(if self.lingers { Drained::NotYet } else { Drained::Yes })
    }
}

#[test]
fn a_service_that_never_closes_what_its_peer_has_ended_is_ended_with_that_as_the_reason() {
    check!(|sim| {
        sim.host(|| Keeper::app(true, false));
        sim.faults(Faults::only(GENTLE));
        sim.expect_end();
        sim.clients("keep", 1, |c| {
            c.stream()?;
            c.close();
            Ok(())
        });
        match sim.wait_for_host(60 * SECOND) {
            Err(RunError::Service(failure)) => {
                assert!(matches!(failure.cause, Cause::NoProgress { ended: true, .. }), "{failure:?}");
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_service_that_never_finishes_its_drain_is_stopped_when_the_time_is_over() {
    check!(|sim| {
        sim.host(|| Keeper::app(false, true));
        sim.faults(Faults::only(GENTLE));
        sim.run_for(2 * SECOND);
        sim.signal(Signal::Quit);
        sim.run_for(4 * SECOND);
        assert_eq!(sim.host_status(), None, "it has its time");
        sim.wait_for_host(4 * SECOND).unwrap();
    });
}

/// Is woken so long after each connect, and does this then.
struct Woken {
    after: Duration,
    does: fn(&mut Context<'_>),
    /// When it was connected.
    connected: Rc<RefCell<Vec<Instant>>>,
}

impl Service for Woken {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        self.connected.borrow_mut().push(cx.now());
        cx.wake_at(cx.now() + self.after);
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        Ok(())
    }

    fn wake(&mut self, cx: &mut Context<'_>) -> Result {
        (self.does)(cx);
        Ok(())
    }
}

#[test]
fn two_signals_that_are_read_together_end_a_host_at_once() {
    check!(|sim| {
        sim.host(|| {
            let does = |cx: &mut Context<'_>| {
                cx.work(SECOND);
                cx.wake_at(cx.now());
            };
            let busy = Woken { after: Duration::ZERO, does, connected: Rc::default() };
            App::new("busy").service(busy)
        });
        sim.faults(Faults::only(&[Class::Latency, Class::ShortIo]));
        sim.run_for(2 * SECOND);
        sim.signal(Signal::Term);
        sim.signal(Signal::Int);
        let ended = sim.wait_for_host(30 * SECOND);
        assert!(matches!(ended, Err(RunError::StoppedAtOnce)), "{ended:?}");
    });
}

#[test]
fn a_service_that_gives_its_connection_up_time_and_again_is_connected_when_its_policy_says() {
    check!(|sim| {
        let connected = Rc::<RefCell<Vec<Instant>>>::default();
        let told = Rc::clone(&connected);
        sim.host(move || {
            let does = |cx: &mut Context<'_>| cx.reconnect_later();
            let flaky = Woken { after: SECOND, does, connected: Rc::clone(&told) };
            let policy = Reconnect::Backoff { first: 4 * SECOND, max: 4 * SECOND };
            App::new("flaky").service(Hosted::new("flaky", flaky).reconnect(policy))
        });
        sim.faults(Faults::only(GENTLE));
        sim.run_for(120 * SECOND);
        assert_eq!(sim.host_status(), None);
        let connected = connected.borrow();
        let gaps: Vec<_> = connected.windows(2).map(|pair| pair[1].since(pair[0])).collect();
        // A second until it gives up, and then the rest, of which jitter takes half at most.
        assert!(gaps.len() > 3 && gaps.iter().all(|gap| *gap >= 3 * SECOND), "{gaps:?}");
    });
}
