//! Bytes become the decisions of a simulated world: when each fault strikes, how the network delivers,
//! what clients send. An application, the driver and the host run in it; a broken rule is a crash.
//!
//! The same log of decisions can be given to `Choices::replayed`.

#![no_main]

use harness::sample::echo;
use host_sim::{Choices, Client, ClientError, Faults, Pool, Sim, violation_of};
use libfuzzer_sys::fuzz_target;
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

fn scenario(sim: &mut Sim) {
    sim.host(echo);
    sim.faults(Faults::all());
    let clients = sim.clients("echo", 3, talk);
    sim.run_for(Duration::from_secs(20));
    sim.heal_and_settle();
    assert!(clients.all_ended());
    let late = sim.clients("echo", 2, talk);
    sim.heal_and_settle();
    assert_eq!(late.succeeded(), 2, "a healed host serves everybody: {:?}", late.errors());
}

/// A small number is one byte, any other up to 65,535 three: most decisions have few answers.
fn log(mut bytes: &[u8]) -> Vec<u32> {
    let mut log = Vec::new();
    while let Some((first, rest)) = bytes.split_first() {
        (log, bytes) = match (first, rest) {
            (0xff, [high, low, rest @ ..]) => (pushed(log, u32::from_be_bytes([0, 0, *high, *low])), rest),
            _ => (pushed(log, u32::from(*first)), rest),
        };
    }
    log
}

fn pushed(mut log: Vec<u32>, number: u32) -> Vec<u32> {
    log.push(number);
    log
}

fuzz_target!(|bytes: &[u8]| {
    let log = log(bytes);
    let run = || POOL.with(|pool| scenario(&mut Sim::new(Choices::replayed(0, log.clone()), pool)));
    if let Err(payload) = catch_unwind(AssertUnwindSafe(run)) {
        // A violation is no text, and would be reported as a panic without words.
        eprintln!("{}\n  Choices::replayed(0, vec!{log:?})", violation_of(&*payload));
        std::process::abort();
    }
});
