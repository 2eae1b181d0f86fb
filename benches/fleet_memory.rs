//! What a host and ten idle workers take of the memory, each page divided by those who share it (PSS).
//!
//! By hand a prefork server of a few lines, in this program. What a process shares with nobody is *private*;
//! the rest of its pages belongs to the program's file and the C library, which other programs share as well,
//! and to the host as it was when it forked.

use benches::program::{Server, example, number, this};
use benches::{Effort, bare, say};
use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::Command;

const WORKERS: usize = 10;

struct Memory {
    pss: u64,
    anonymous: u64,
    private: u64,
}

impl Memory {
    /// In kilobytes, of all these processes.
    fn of(processes: &[u32]) -> std::io::Result<Self> {
        let sum = |key: &str| processes.iter().map(|pid| number(*pid, "smaps_rollup", key)).sum();
        let [clean, dirty]: [std::io::Result<u64>; 2] = ["Private_Clean", "Private_Dirty"].map(sum);
        Ok(Self { pss: sum("Pss")?, anonymous: sum("Pss_Anon")?, private: clean? + dirty? })
    }
}

/// Until each worker has been served by at least once, as far as luck goes: then it has touched what it needs.
fn visit(server: &Server, effort: Effort) -> std::io::Result<()> {
    for _ in 0..effort.events(200) {
        let mut client = BufReader::new(TcpStream::connect(server.address)?);
        client.get_mut().write_all(b"hello\n")?;
        client.read_line(&mut String::new())?;
    }
    Ok(())
}

fn row(name: &str, command: &mut Command, effort: Effort) -> Result<u64, Box<dyn Error>> {
    let server = Server::start(command)?;
    visit(&server, effort)?;
    let processes = server.processes()?;
    if processes.len() != 1 + WORKERS {
        return Err(format!("{name} has {} workers", processes.len() - 1).into());
    }
    let all = Memory::of(&processes)?;
    let host = Memory::of(&processes[..1])?;
    say(&format_args!("  {name:<34} {:>8} {:>8} {:>9} {:>9}", all.pss, host.pss, all.anonymous, all.private));
    Ok(all.pss)
}

fn run(effort: Effort) -> Result<(), Box<dyn Error>> {
    let [all, host, anonymous, private] = ["all", "the host", "anonymous", "private"];
    let rounds = effort.rounds(5);
    say(&format_args!(
        "fleet_memory: host and {WORKERS} workers, KiB of PSS, and of that what is no file's; {rounds} rounds"
    ));
    say(&format_args!("  {:<34} {all:>8} {host:>8} {anonymous:>9} {private:>9}", ""));
    for _ in 0..rounds {
        let by_hand = row("by hand", &mut this(&["serve", "10"])?, effort)?;
        let program = match example("prefork_echo") {
            Ok(program) => program,
            Err(reason) => {
                say(&format_args!("  prefork_echo: SKIPPED, {reason}"));
                return Ok(());
            }
        };
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0", "--workers", "10"]);
        let echo = row("prefork_echo", &mut command, effort)?;
        say(&format_args!("  {:<34} {:>8.2}", "ratio", echo as f64 / by_hand as f64));
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
        say(&format_args!("fleet_memory: FAILED, {error}"));
        std::process::exit(1);
    }
}
