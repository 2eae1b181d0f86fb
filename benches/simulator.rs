//! How much of a virtual day fits in a second: events of the simulator, all invariants checked.
//!
//! The aim is a million events a second. An event is an entry of the trace: a system call, an arrival, a
//! wake, a fact that the host is told, an order that it gives.
//!
//! `once` runs the busy scenario once and longer, and reads no clock, for a profiler.

use benches::{Arm, Cost, Effort, Stopwatch, Table, compare, say};
use harness::sample::echo;
use host_sim::{Choices, Client, ClientError, Faults, Pool, Sim};
use std::time::Duration;

/// Twenty clients that send small requests one after the other and never pause.
fn busy(seed: u64, pool: &Pool, requests: u32, faults: Faults) -> Sim {
    let mut sim = Sim::new(Choices::seeded(seed), pool);
    sim.host(echo);
    sim.faults(faults);
    let clients = sim.clients("echo", 20, move |client| talk(client, requests));
    sim.run_for(Duration::from_secs(2));
    sim.heal_and_settle();
    assert!(clients.all_ended(), "a scenario that does not end measures nothing");
    sim
}

fn talk(client: &mut Client, requests: u32) -> Result<(), ClientError> {
    let line = [7; 64];
    for _ in 0..requests {
        client.write_all(&line)?;
        client.expect(&line)?;
    }
    Ok(())
}

/// A host without clients for so many virtual days.
fn idle(seed: u64, pool: &Pool, days: u64) -> Sim {
    let mut sim = Sim::new(Choices::seeded(seed), pool);
    sim.host(echo);
    sim.run_for(Duration::from_secs(86_400 * days));
    sim
}

/// A small scenario of the kind that tests repeat for many seeds: three clients, a minute, all faults.
fn small(seed: u64, pool: &Pool) -> Sim {
    let mut sim = Sim::new(Choices::seeded(seed), pool);
    sim.host(echo);
    sim.faults(Faults::all());
    let clients = sim.clients("echo", 3, |client| {
        for _ in 0..5 {
            talk(client, 1)?;
            client.pause(Duration::from_secs(1));
        }
        Ok(())
    });
    sim.run_for(Duration::from_secs(60));
    sim.heal_and_settle();
    assert!(clients.all_ended(), "a scenario that does not end measures nothing");
    sim
}

/// Runs seeds one after the other; the events of all of them.
fn events(seeds: u64, first: &mut u64, run: impl Fn(u64) -> Sim) -> Cost {
    let watch = Stopwatch::start();
    let mut events = 0;
    for _ in 0..seeds {
        events += run(*first).events();
        *first += 1;
    }
    watch.stop(events)
}

/// Prints the middle and the best round as a rate.
fn rates(table: &Table, unit: &str) {
    for arm in &table.arms {
        let mut rates: Vec<_> = arm.costs.iter().map(|cost| 1e9 / cost.wall_each()).collect();
        rates.sort_unstable_by(f64::total_cmp);
        let (median, best) = (rates[rates.len() / 2], rates[rates.len() - 1]);
        say(&format!("  {:<22} {median:>12.0} ({best:.0}) {unit} a second", arm.name));
    }
}

fn main() {
    let effort = Effort::of_command_line();
    let pool = Pool::default();
    let requests = effort.events(1000) as u32;
    let seeds = effort.rounds(200) as u64;
    if std::env::args().any(|argument| argument == "once") {
        let sim = busy(0, &pool, 10 * requests, Faults::none());
        let (events, facts, hash) = (sim.events(), sim.facts(), sim.hash());
        say(&format!("{events} events, {facts} of them facts and orders, hash {hash:016x}"));
        return;
    }

    let [mut first, mut second, mut third] = [0; 3];
    let arms = vec![
        Arm::new("busy, 20 clients", || {
            events(1, &mut first, |seed| busy(seed, &pool, requests, Faults::none()))
        }),
        Arm::new("busy, all faults", || {
            events(1, &mut second, |seed| busy(seed, &pool, requests, Faults::all()))
        }),
        Arm::new("idle host", || events(1, &mut third, |seed| idle(seed, &pool, 4))),
    ];
    rates(&compare("simulator, events", effort.rounds(15), arms), "events");

    let mut seed = 0;
    let arm = Arm::new("3 clients, 60 s, faults", || {
        let watch = Stopwatch::start();
        for _ in 0..seeds {
            small(seed, &pool);
            seed += 1;
        }
        watch.stop(seeds)
    });
    rates(&compare("simulator, whole seeds", effort.rounds(15), vec![arm]), "seeds");
}
