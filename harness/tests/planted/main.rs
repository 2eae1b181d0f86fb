//! Bugs on purpose: a service that loses the rest of a reply on a short write, one that never comes back, a
//! client that never ends, and a service that looks at a real clock.
//!
//! Not among the tests that run by default. `finding` and `sweeping` run it and expect it to fail.

mod stories;

use harness::{Class, Faults, check};
use host_core::id::{Slot, SocketId};
use host_core::{App, Connected, Context, Fleet, Listener, Ready, Result, Service, Stream, Worker};
use std::collections::BTreeMap;
use std::time::Duration;

const REPLY: &[u8] = b"a reply that is long enough to be cut in two\n";

/// Replies to each byte, and believes that a write takes everything.
#[derive(Default)]
struct Careless {
    listener: Option<Listener>,
    clients: BTreeMap<SocketId, Stream>,
}

impl Service for Careless {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        self.listener = Some(cx.listener("careless")?);
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, ready: Ready) -> Result {
        if let Some(listener) = self.listener.as_mut().filter(|listener| listener.id() == ready.socket) {
            while let Some(client) = listener.accept()? {
                self.clients.insert(client.id(), client);
            }
            return Ok(());
        }
        let Some(client) = self.clients.get_mut(&ready.socket) else { return Ok(()) };
        match client.try_read(&mut [0]) {
            // The bug: how much was written is not looked at.
            Ok(Some(1)) => _ = client.try_write(REPLY),
            Ok(None) => {}
            Ok(Some(_)) | Err(_) => _ = self.clients.remove(&ready.socket),
        }
        Ok(())
    }
}

#[test]
fn replies_are_whole() {
    check!(|sim| {
        let app = || App::new("careless").listen("careless", "127.0.0.1:7000").service(Careless::default());
        sim.host(app);
        sim.faults(Faults::only(&[Class::ShortIo, Class::Latency, Class::WallJump]));
        let clients = sim.clients("careless", 4, |c| {
            for _ in 0..200 {
                c.write_all(b"?")?;
                c.expect(REPLY)?;
                c.pause(Duration::from_millis(50));
            }
            Ok(())
        });
        sim.run_for(Duration::from_secs(30));
        sim.heal_and_settle();
        // Short writes and slow networks are no reason for a reply to be missing.
        assert_eq!(clients.errors(), [], "every reply is whole");
    });
}

struct Endless;

impl Service for Endless {
    fn connect(&mut self, _: &mut Context<'_>) -> Result<Connected> {
        loop {
            std::hint::spin_loop();
        }
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        Ok(())
    }
}

#[test]
fn computes_for_ever() {
    check!(|sim| {
        sim.host(|| App::new("endless").service(Endless));
        sim.run_for(Duration::from_secs(1));
    });
}

#[test]
fn a_worker_that_spins() {
    check!(|sim| {
        let body = |worker: &mut Worker| {
            while worker.id().slot != Slot::new(1) && worker.pause(Duration::from_secs(1)) {}
            while worker.id().slot == Slot::new(1) {
                std::hint::spin_loop();
            }
            Ok(())
        };
        sim.host(move || App::new("endless").fleet(Fleet::new("endless").workers(3).run(body)));
        sim.run_for(Duration::from_secs(1));
    });
}

struct Idle;

impl Service for Idle {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        cx.listener("idle")?;
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        Ok(())
    }
}

#[test]
fn waits_for_ever() {
    check!(|sim| {
        sim.host(|| App::new("idle").listen("idle", "127.0.0.1:7000").service(Idle));
        sim.clients("idle", 2, |c| {
            loop {
                c.pause(Duration::from_secs(1));
            }
        });
        sim.run_for(Duration::from_secs(1));
        sim.heal_and_settle();
    });
}

struct Peeks;

impl Service for Peeks {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        let peeked = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        cx.work(Duration::from_nanos(1 + peeked.tv_nsec as u64 % 1_000_000));
        Ok(Connected::NotYet)
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        Ok(())
    }
}

#[test]
fn peeks_at_a_real_clock() {
    check!(|sim| {
        sim.host(|| App::new("peeks").service(Peeks));
        sim.run_for(Duration::from_secs(10));
    });
}

/// Passes; one of its marks is never reached.
#[test]
fn marks_what_happens_and_what_does_not() {
    check!(|sim| {
        sim.host(|| App::new("idle"));
        sim.run_for(Duration::from_secs(1));
        harness::sometimes!("a second passes");
        harness::sometimes!(sim.host_status().is_some(), "a host ends by itself");
    });
}
