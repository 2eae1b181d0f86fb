//! Replays a recording: `cargo run -p harness --bin replay -- FILE [--around N] [--seed S] [--print]`.
//!
//! Exit status: 0 if a fresh host decides as the recorded one, 1 if not, 2 if there is nothing to replay.

use harness::Replay;
use std::fmt::Display;
use std::process::ExitCode;

const USAGE: &str = "usage: replay FILE [--around N] [--seed S] [--print]

Tells a fresh host the facts of the recording FILE, and demands the same orders.

  --around N   also tries N runs that might as well have come of it
  --seed S     the first of them; a broken one is told with its seed (default 0)
  --print      prints every fact with its orders";

/// What the command line asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    file: String,
    around: u64,
    seed: u64,
    print: bool,
}

impl Options {
    /// `None` if it asks for help.
    fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let text = arguments.next().ok_or_else(|| format!("{argument} needs a number"))?;
                text.parse().map_err(|_| format!("{argument} is `{text}`, but must be a number"))
            };
            match argument.as_str() {
                "--around" => options.around = number()?,
                "--seed" => options.seed = number()?,
                "--print" => options.print = true,
                "--help" | "-h" => return Ok(None),
                flag if flag.starts_with('-') => return Err(format!("{flag} is no flag of this program")),
                file if options.file.is_empty() => options.file = file.to_owned(),
                file => return Err(format!("one recording at a time: `{}` and `{file}`", options.file)),
            }
        }
        if options.file.is_empty() {
            Err("the file of a recording is missing".to_owned())
        } else {
            Ok(Some(options))
        }
    }
}

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            say(&USAGE);
            return ExitCode::SUCCESS;
        }
        Err(mistake) => {
            complain(&format_args!("{mistake}\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    let replay = match harness::replay(&options.file) {
        Ok(replay) => replay,
        Err(error) => {
            complain(&error);
            return ExitCode::from(2);
        }
    };
    if options.print {
        print(&replay);
    }
    say(&replay.summary());
    if let Err(difference) = replay.check() {
        complain(&difference);
        return ExitCode::FAILURE;
    }
    say(&"a fresh host gives the same orders, byte for byte");
    if options.around > 0 {
        match replay.fuzz_around(options.around).seed(options.seed).check() {
            Ok(told) => say(&format_args!("{} runs around it break no rule: {told} facts", options.around)),
            Err(broken) => {
                complain(&broken);
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn print(replay: &Replay) {
    for (number, step) in replay.steps().enumerate() {
        say(&format_args!("{number:>6} {} {:?}", step.at, step.event));
        for order in step.orders {
            say(&format_args!("         -> {order:?}"));
        }
    }
}

/// A line on standard output; whoever reads no more wants no more.
fn say(words: &dyn Display) {
    use std::io::Write as _;
    if writeln!(std::io::stdout(), "{words}").is_err() {
        std::process::exit(0);
    }
}

fn complain(words: &dyn Display) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "error: {words}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_a_file_and_flags_in_any_order() {
        let parse = |line: &str| Options::parse(line.split_whitespace().map(str::to_owned));
        let file = || "x.rec".to_owned();
        assert_eq!(parse("x.rec"), Ok(Some(Options { file: file(), ..Options::default() })));
        let all = Options { file: file(), around: 9, seed: 7, print: true };
        assert_eq!(parse("--around 9 x.rec --print --seed 7"), Ok(Some(all)));
        assert_eq!(parse("x.rec --help"), Ok(None));
        for (line, mistake) in [
            ("", "the file of a recording is missing"),
            ("x y", "one recording at a time: `x` and `y`"),
            ("x --around", "--around needs a number"),
            ("x --around many", "--around is `many`, but must be a number"),
            ("x --fast", "--fast is no flag of this program"),
        ] {
            assert_eq!(parse(line), Err(mistake.to_owned()), "{line}");
        }
    }
}
