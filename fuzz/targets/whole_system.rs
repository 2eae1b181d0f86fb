//! Bytes become the decisions of a simulated world: when each fault strikes, how the network delivers,
//! what clients send. An application, the driver and the host run in it, and in every other world a fleet of
//! workers; a broken rule is a crash.
//!
//! The first byte picks the world; the rest are decisions, as `Choices::from_bytes` takes them, and a check with
//! `HOST_ENGINE=bytes:FILE`. `STORY=1` prints the end of what happened.

#![no_main]

use harness::sample::echo;
use host_core::{App, Connected, Context, Fleet, Ready, Result, Service, Worker};
use host_sim::{Choices, Client, ClientError, Faults, Pool, Sim, violation_of};
use libfuzzer_sys::fuzz_target;
use std::io::{Read as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

thread_local! {
    static POOL: Pool = Pool::default();
}

fn talk(client: &mut Client) -> std::result::Result<(), ClientError> {
    for round in 0..4u8 {
        let line = vec![round; 1 + client.choose(2000) as usize];
        client.write_all(&line)?;
        client.expect(&line)?;
        client.pause(Duration::from_millis(u64::from(client.choose(2000))));
    }
    Ok(())
}

/// Two workers that send back what comes, and a service that sees to it that they are two, whatever signals
/// say.
fn prefork() -> App {
    App::new("prefork")
        .listen("echo", "127.0.0.1:7000")
        .poll_period_off()
        .fleet(fleet().run(serve))
        .service(Janitor)
}

/// The same with workers that are replaced before long.
fn recycling() -> App {
    App::new("recycling")
        .listen("echo", "127.0.0.1:7000")
        .poll_period_off()
        .fleet(fleet().requests_max(20).run(serve))
        .service(Janitor)
}

fn fleet() -> Fleet {
    let ms = Duration::from_millis;
    Fleet::new("echo")
        .workers(2)
        .boot_timeout(ms(2000))
        .heartbeat_timeout(ms(1000))
        .drain_timeout(ms(3000))
        .term_timeout(ms(500))
        .degraded_retry(ms(5000))
}

fn serve(worker: &mut Worker) -> Result {
    while let Some(mut client) = worker.accept("echo")? {
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
        cx.wake_at(cx.now() + Duration::from_secs(1));
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        Ok(())
    }

    fn wake(&mut self, cx: &mut Context<'_>) -> Result {
        if cx.fleet("echo").is_some_and(|fleet| fleet.wanted != 2) {
            cx.resize("echo", 2);
        }
        cx.wake_at(cx.now() + Duration::from_secs(1));
        Ok(())
    }
}

/// As much of the end as a person reads.
const STORY_LINES: usize = 500;

/// What bytes run.
struct World {
    /// What a failure is told with.
    name: &'static str,
    app: fn() -> App,
    /// Where all is well a client that pauses is not cut off: no worker is asked to quit there.
    keeps_clients: bool,
}

const WORLDS: [World; 3] = [
    World { name: "harness::sample::echo", app: echo, keeps_clients: true },
    World { name: "prefork", app: prefork, keeps_clients: true },
    World { name: "recycling", app: recycling, keeps_clients: false },
];

fn scenario(sim: &mut Sim, world: &World) {
    // A number is used again soon, and so is the pid of a worker that has died.
    sim.pid_max(8);
    sim.host(world.app);
    sim.faults(Faults::all());
    let clients = sim.clients("echo", 3, talk);
    sim.run_for(Duration::from_secs(20));
    sim.heal_and_settle();
    assert!(clients.all_ended());
    let late = sim.clients("echo", 2, talk);
    sim.heal_and_settle();
    assert!(late.all_ended());
    if world.keeps_clients {
        assert_eq!(late.succeeded(), 2, "a healed host serves everybody: {:?}", late.errors());
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((world, bytes)) = bytes.split_first() else { return };
    let world = &WORLDS[usize::from(*world) % WORLDS.len()];
    let mut sim = POOL.with(|pool| Sim::new(Choices::from_bytes(bytes), pool));
    let ended = catch_unwind(AssertUnwindSafe(|| scenario(&mut sim, world)));
    if std::env::var_os("STORY").is_some() {
        eprintln!("{}\n{}", sim.plan(), sim.timeline(STORY_LINES).join("\n"));
    }
    if let Err(payload) = ended {
        // A violation is no text, and would be reported as a panic without words.
        eprintln!("{}\n  {}, Choices::from_bytes(&{bytes:?})", violation_of(&*payload), world.name);
        std::process::abort();
    }
});
