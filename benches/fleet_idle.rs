//! What a fleet costs while nobody asks for anything: wake-ups and processor time a second.
//!
//! All arms are idle at the same time, each a server of its own, and are looked at from outside: how many
//! times their processes have gone to sleep again (voluntary context switches), and what they computed. By
//! hand a host waits for the end of its children, which wait for clients; nobody there ever looks whether
//! somebody hangs.

use benches::program::{Server, computed, example, number, this};
use benches::{Effort, bare, say};
use std::io;
use std::process::Command;
use std::time::Duration;

struct Idle {
    name: &'static str,
    server: Server,
    processes: Vec<u32>,
    before: Vec<Sample>,
}

#[derive(Clone, Copy)]
struct Sample {
    wakes: u64,
    nanos: u64,
}

impl Idle {
    fn sample(&self) -> io::Result<Vec<Sample>> {
        let of = |pid: &u32| {
            let wakes = number(*pid, "status", "voluntary_ctxt_switches")?;
            Ok(Sample { wakes, nanos: computed(*pid)? })
        };
        self.processes.iter().map(of).collect()
    }

    /// The host's share and the workers'.
    fn report(&self, seconds: f64) -> io::Result<String> {
        let after = self.sample()?;
        let difference = |(before, after): (&Sample, &Sample)| Sample {
            wakes: after.wakes - before.wakes,
            nanos: after.nanos - before.nanos,
        };
        let spent: Vec<_> = self.before.iter().zip(&after).map(difference).collect();
        let (host, workers) = spent.split_at(1);
        let wakes =
            |samples: &[Sample]| samples.iter().map(|sample| sample.wakes).sum::<u64>() as f64 / seconds;
        let micros = |samples: &[Sample]| {
            samples.iter().map(|sample| sample.nanos).sum::<u64>() as f64 / seconds / 1e3
        };
        let (name, count) = (self.name, workers.len());
        Ok(format!(
            "  {name:<34} {count:>7} {:>9.2} {:>9.2} {:>9.1} {:>9.1}",
            wakes(host),
            wakes(workers),
            micros(host),
            micros(workers)
        ))
    }
}

fn start(name: &'static str, workers: usize, command: &mut Command) -> io::Result<Idle> {
    let server = Server::start(command)?;
    // The others are forked after it said where it listens; each takes well under a millisecond.
    let mut processes = server.processes()?;
    for _ in 0..1000 {
        if processes.len() > workers {
            break;
        }
        rest(Duration::from_millis(10));
        processes = server.processes()?;
    }
    if processes.len() <= workers {
        return Err(io::Error::other(format!("{name} has {} of {workers} workers", processes.len() - 1)));
    }
    Ok(Idle { name, server, processes, before: Vec::new() })
}

#[expect(clippy::disallowed_methods, reason = "what is measured is that time goes by")]
fn rest(duration: Duration) {
    std::thread::sleep(duration);
}

fn prefork(program: &str, workers: &str, timeout: &str) -> Result<Command, String> {
    let mut command = Command::new(example(program)?);
    command.args(["--listen", "127.0.0.1:0", "--workers", workers, "--timeout-ms", timeout]);
    Ok(command)
}

fn run(effort: Effort) -> Result<(), Box<dyn std::error::Error>> {
    let mut idle = vec![
        start("by hand", 10, &mut this(&["serve", "10"])?)?,
        start("by hand, many", 500, &mut this(&["serve", "500"])?)?,
    ];
    let rows = [
        ("prefork_echo, threshold 3 s", "prefork_echo", "10", "3000"),
        ("prefork_http, threshold 3 s", "prefork_http", "10", "3000"),
        ("prefork_echo, threshold 100 ms", "prefork_echo", "10", "100"),
        ("prefork_echo, many, 3 s", "prefork_echo", "500", "3000"),
        ("prefork_echo, many, 30 s", "prefork_echo", "500", "30000"),
    ];
    for (name, program, workers, timeout) in rows {
        match prefork(program, workers, timeout) {
            Ok(mut command) => idle.push(start(name, workers.parse()?, &mut command)?),
            Err(reason) => say(&format_args!("{name}: SKIPPED, {reason}")),
        }
    }
    // Births are over.
    rest(Duration::from_secs(1));
    for arm in &mut idle {
        arm.before = arm.sample()?;
    }
    let seconds = if effort == Effort::Quick { 1 } else { 12 };
    rest(Duration::from_secs(seconds));
    say(&format_args!("fleet_idle: {seconds} s without a client, a second of them"));
    let titles = ["workers", "wake-ups", "", "processor", "µs"];
    let [workers, wakes, none, processor, micros] = titles;
    say(&format_args!("  {none:<34} {workers:>7} {wakes:>9} {none:>9} {processor:>9} {micros:>9}"));
    let [host, workers] = ["host", "workers"];
    say(&format_args!("  {none:<34} {none:>7} {host:>9} {workers:>9} {host:>9} {workers:>9}"));
    for arm in &idle {
        say(&arm.report(seconds as f64)?);
    }
    for arm in idle {
        drop(arm.server);
    }
    Ok(())
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let result = match &arguments[..] {
        [serve, workers] if serve == "serve" => {
            bare::serve(workers.parse().expect("a number of workers")).map_err(Into::into)
        }
        _ => run(Effort::of_command_line()),
    };
    if let Err(error) = result {
        say(&format_args!("fleet_idle: FAILED, {error}"));
        std::process::exit(1);
    }
}
