//! How long it takes from exec to the first reply, with ten workers.
//!
//! A program is started, tells where it listens, and a client sends one line and reads it back: all of it from
//! before the start of the program. By hand a prefork server of a few lines, in this program.

use benches::program::{Server, example, this};
use benches::{Effort, Latencies, bare, now, say, tell};
use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::Command;

fn first_reply(command: &mut Command, way: &mut Latencies) -> Result<(), Box<dyn Error>> {
    let begin = now();
    let server = Server::start(command)?;
    let mut client = BufReader::new(TcpStream::connect(server.address)?);
    client.get_mut().write_all(b"hello\n")?;
    let mut line = String::new();
    client.read_line(&mut line)?;
    way.since(begin);
    if line == "hello\n" { Ok(()) } else { Err(format!("it answered {line:?}").into()) }
}

fn run(effort: Effort) -> Result<(), Box<dyn Error>> {
    let mut ways = ["by hand", "prefork_echo"].map(Latencies::new);
    let [by_hand, echo] = &mut ways;
    for round in 0..effort.rounds(200) {
        let program = match example("prefork_echo") {
            Ok(program) => program,
            Err(reason) => {
                say(&format_args!("fleet_start: SKIPPED, {reason}"));
                return Ok(());
            }
        };
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0", "--workers", "10"]);
        // Each is the first in every other round.
        if round % 2 == 0 {
            first_reply(&mut command, echo)?;
        }
        first_reply(&mut this(&["serve", "10"])?, by_hand)?;
        if round % 2 == 1 {
            first_reply(&mut command, echo)?;
        }
    }
    tell("fleet_start, exec to the first reply of 10 workers", &ways);
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
        say(&format_args!("fleet_start: FAILED, {error}"));
        std::process::exit(1);
    }
}
