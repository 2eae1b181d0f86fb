//! Prints the hash of some seeds of a scenario with every fault: the same in debug and in release, and
//! on every machine.
//!
//! Run: `cargo run -p harness --example hashes`

use harness::{Faults, Sim};
use host_core::{App, Connected, Context, Fleet, Listener, Ready, Result, Service, Worker};
use host_sim::{Choices, Pool};
use std::time::Duration;

/// Says hello to everybody who connects.
#[derive(Default)]
struct Greeter(Option<Listener>);

impl Service for Greeter {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        self.0 = Some(cx.listener("greet")?);
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        let Some(listener) = &mut self.0 else { return Ok(()) };
        while let Some(mut client) = listener.accept()? {
            let _gone = std::io::Write::write_all(&mut client, b"hello\n");
        }
        Ok(())
    }
}

/// The same, by three workers.
fn greet(worker: &mut Worker) -> Result {
    while let Some(mut client) = worker.accept("greet")? {
        let _gone = std::io::Write::write_all(&mut client, b"hello\n");
    }
    Ok(())
}

fn service() -> App {
    App::new("greeter").listen("greet", "127.0.0.1:7000").service(Greeter::default())
}

fn fleet() -> App {
    let fleet = Fleet::new("greeters").workers(3).heartbeat_timeout(Duration::from_secs(1)).run(greet);
    App::new("greeters").listen("greet", "127.0.0.1:7000").fleet(fleet)
}

#[expect(clippy::print_stdout, reason = "this is what it is for")]
fn main() {
    let pool = Pool::default();
    for (name, app) in [("service", service as fn() -> App), ("fleet", fleet)] {
        for seed in 0..50 {
            let mut sim = Sim::new(Choices::seeded(seed), &pool);
            sim.host(app);
            sim.faults(Faults::all());
            sim.clients("greet", 20, |c| c.expect(b"hello\n"));
            sim.run_for(Duration::from_secs(60));
            println!("{name} {seed} {:016x} {}", sim.hash(), sim.events());
        }
    }
}
