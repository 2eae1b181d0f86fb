//! `sweep`: many seeds of many scenarios, several processes side by side; for CI and for nights.
//!
//! ```sh
//! cargo run -p harness --bin sweep -- --seeds 20000 --jobs 4 --minutes 30
//! ```
//!
//! It builds test binaries, and runs each of their tests with stretches of seeds. A test that says nothing of
//! seeds is run once; one that has failed is not run again. What a failing test reports – the rule, the shrunk
//! run, the lines that replay it – is printed at the end.
//!
//! | exit status | meaning |
//! |---|---|
//! | 0 | nothing was found |
//! | 1 | the sweep could not be done: nothing was built, there are no tests, or no marks where some are to be reached |
//! | 2 | it was called wrongly |
//! | 10 | safety: a rule was broken, or a test's own demand |
//! | 11 | liveness: something did not come to its end once faults had stopped (L1, L2, …) |
//! | 12 | crash: a process died, computed for too long, or panicked outside user code (S45) |
//! | 13 | nondeterminism: the same seed gave two runs, or a decision depends on the wall clock |
//! | 14 | nothing was found, and more marks were never reached than may be |
//!
//! Of several kinds the status is that of the gravest: crash, nondeterminism, safety, liveness.

mod kind;
mod options;
mod progress;
mod stretch;
mod targets;

use options::Options;
use std::io::Write as _;
use std::process::ExitCode;
use stretch::{Marks, Sweep};

/// The status if marks were missed.
const MISSED: u8 = 14;

/// Why nothing can be said of marks.
const NO_MARKS: &str = "marks are to be reached (--marks-missed-max), but no test that was run has any of these \
                        crates: name the crate of yours that has `sometimes!` by --marks-of, or leave that away";

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            say(options::HELP);
            return ExitCode::SUCCESS;
        }
        Err(mistake) => return give_up(&mistake, 2),
    };
    let tests = match targets::tests(&options) {
        Ok(tests) => tests,
        Err(why) => return give_up(&why, 1),
    };
    let sweep = Sweep::new(&options, tests);
    sweep.run();
    say(&sweep.summary());
    let marks = sweep.marks();
    match (sweep.gravest(), marks) {
        (Some(kind), _) => ExitCode::from(kind.status()),
        (None, Marks::None) => give_up(NO_MARKS, 1),
        (None, Marks::Missed) => ExitCode::from(MISSED),
        (None, Marks::Enough) => ExitCode::SUCCESS,
    }
}

fn give_up(why: &str, status: u8) -> ExitCode {
    // If nobody reads what went wrong, there is nobody else to tell.
    let _ = writeln!(std::io::stderr(), "sweep: {why}");
    ExitCode::from(status)
}

fn say(words: &str) {
    let _ = writeln!(std::io::stdout(), "{}", words.trim_end());
}
