//! `marks`: which marks were never reached by the test binaries that were run with `HOST_MARKS=DIRECTORY`.
//!
//! ```sh
//! HOST_MARKS=/tmp/marks HOST_SEEDS=1000 cargo test -p mine
//! cargo run -p harness --bin marks -- /tmp/marks --missed-max 0
//! ```
//!
//! | exit status | meaning |
//! |---|---|
//! | 0 | no more were missed than may be |
//! | 1 | nothing can be said: there is no such directory, a file in it is no list of marks, or no mark is in any |
//! | 2 | it was called wrongly |
//! | 14 | more were missed |

use harness::marks::Ledger;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

const HELP: &str = "\
usage: marks DIRECTORY [--of CRATE]... [--missed-max N]

  DIRECTORY        what HOST_MARKS said when tests were run
  --of CRATE       only marks in crates whose name begins like this, several times for several;
                   by default those of every crate but this library's own
  --missed-max N   fail (14) if more than N were never reached; by default none fails";

/// More marks were missed than may be.
const MISSED: u8 = 14;

struct Options {
    directory: PathBuf,
    of: Vec<String>,
    missed_max: Option<usize>,
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let (mut directory, mut of, mut missed_max) = (None, Vec::new(), None);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} wants a value"));
        match argument.as_str() {
            "--of" => of.push(value()?.replace('-', "_")),
            "--missed-max" => {
                let text = value()?;
                let wrong = |_| format!("--missed-max is `{text}`, but must be a number");
                missed_max = Some(text.parse().map_err(wrong)?);
            }
            "--help" | "-h" => return Ok(None),
            unknown if unknown.starts_with('-') => {
                return Err(format!("`{unknown}` is no option; --help lists them"));
            }
            _ if directory.is_some() => return Err(format!("`{argument}` is a second directory")),
            _ => directory = Some(PathBuf::from(argument)),
        }
    }
    let directory = directory.ok_or("no directory is named; --help tells more")?;
    Ok(Some(Options { directory, of, missed_max }))
}

fn main() -> ExitCode {
    let give_up = |why: String, status: u8| {
        // If nobody reads what went wrong, there is nobody else to tell.
        let _ = writeln!(std::io::stderr(), "marks: {why}");
        ExitCode::from(status)
    };
    let say = |words: &str| _ = writeln!(std::io::stdout(), "{words}");
    let Options { directory, of, missed_max } = match parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            say(HELP);
            return ExitCode::SUCCESS;
        }
        Err(mistake) => return give_up(mistake, 2),
    };
    let ledger = match Ledger::read(&directory) {
        Ok(ledger) => ledger.of(&of),
        Err(error) => return give_up(format!("{}: {error}", directory.display()), 1),
    };
    if ledger.is_empty() {
        let why = format!("no mark of these crates is in {}; was HOST_MARKS set to it?", directory.display());
        return give_up(why, 1);
    }
    say(&ledger.to_string());
    match missed_max {
        Some(most) if ledger.missed().len() > most => {
            give_up(format!("{} marks were missed, and {most} may be", ledger.missed().len()), MISSED)
        }
        Some(_) | None => ExitCode::SUCCESS,
    }
}
