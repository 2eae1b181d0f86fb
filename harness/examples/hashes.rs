//! Prints the hash of some seeds of a scenario with every fault: the same in debug and in release, and
//! on every machine.
//!
//! Run: `cargo run -p harness --example hashes`

use harness::{Faults, Sim};
use host_core::{App, Connected, Context, Listener, Ready, Result, Service};
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

#[expect(clippy::print_stdout, reason = "this is what it is for")]
fn main() {
    let pool = Pool::default();
    for seed in 0..50 {
        let mut sim = Sim::new(Choices::seeded(seed), &pool);
        sim.host(|| App::new("greeter").listen("greet", "127.0.0.1:7000").service(Greeter::default()));
        sim.faults(Faults::all());
        sim.clients("greet", 20, |c| c.expect(b"hello\n"));
        sim.run_for(Duration::from_secs(60));
        println!("{seed} {:016x} {}", sim.hash(), sim.events());
    }
}
