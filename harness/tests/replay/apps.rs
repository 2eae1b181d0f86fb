//! The applications that are recorded.

use harness::{Replay, Sim};
use host_core::fleet::config::Restart;
use host_core::record::Recording;
use host_core::{App, Connected, Context, Fleet, Ready, Result, Service, Worker};
use std::io::{Read as _, Write as _};
use std::time::Duration;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// Where they are recorded.
pub(crate) const PATH: &str = "host.rec";

/// Services in one event loop.
pub(crate) fn services() -> App {
    harness::sample::echo().record(PATH)
}

/// Two fleets, one of them with a listener that is spread over its workers, both with functions that decide about
/// them, and a service that sees to it that they
/// are whole.
pub(crate) fn fleets() -> App {
    let ms = Duration::from_millis;
    let fleet = |name: &str| {
        Fleet::new(name)
            .workers(2)
            .boot_timeout(ms(2000))
            .heartbeat_timeout(ms(1000))
            .drain_timeout(ms(3000))
            .term_timeout(ms(500))
            .degraded_retry(ms(5000))
            .requests_max(5)
    };
    App::new("fleets")
        .listen("echo", "127.0.0.1:7000")
        .poll_period_off()
        .fleet(fleet("echo").on_exit(|_, _, _| Restart::Permanent).run(|worker| serve(worker, "echo")))
        .fleet(
            fleet("more")
                .scale_by(3 * SECOND, |fleet| {
                    2 + u32::from(fleet.workers.iter().any(|worker| worker.connections > 0))
                })
                .listen_spread("more", "127.0.0.1:7001")
                .run(|worker| serve(worker, "more")),
        )
        .service(Janitor)
        .record(Recording::to(PATH).keep_text())
}

fn serve(worker: &mut Worker, listener: &str) -> Result {
    while let Some(mut client) = worker.accept(listener)? {
        let mut buffer = [0; 256];
        while worker.wanted() {
            match client.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) if client.write_all(&buffer[..count]).is_err() => break,
                Ok(_) => worker.request_done(),
            }
        }
    }
    Ok(())
}

struct Janitor;

impl Service for Janitor {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        cx.wake_at(cx.now() + SECOND);
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        Ok(())
    }

    fn wake(&mut self, cx: &mut Context<'_>) -> Result {
        for name in ["echo", "more"] {
            if cx.fleet(name).is_some_and(|fleet| fleet.wanted != 2) {
                cx.resize(name, 2);
            }
        }
        cx.wake_at(cx.now() + SECOND);
        Ok(())
    }
}

/// Every host that was recorded in a run, the first first.
pub(crate) fn recorded(sim: &Sim) -> Vec<Replay> {
    let recordings = sim.recordings(PATH);
    // One that was killed before its first write has nothing to tell.
    let begun = recordings.into_iter().filter(|recording| !recording.is_empty());
    begun.map(|recording| Replay::of(recording).expect("it was just written")).collect()
}

/// Clients that talk to either application.
pub(crate) fn talk(sim: &mut Sim, count: usize) {
    sim.clients("echo", count, |c| {
        for _ in 0..3 {
            c.write_all(b"hello")?;
            c.expect(b"hello")?;
            c.pause(Duration::from_millis(300));
        }
        Ok(())
    });
}
