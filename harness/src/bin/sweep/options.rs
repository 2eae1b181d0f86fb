//! What a sweep is asked for.

use std::time::Duration;

pub(crate) const HELP: &str = "\
Runs many seeds of many scenarios.

  cargo run -p harness --bin sweep -- [OPTIONS] [WORDS]

WORDS                 only tests whose name has one of them
--seeds N             so many seeds of each test (1000)
--from N              the first of them; decimal, or hexadecimal after 0x (0)
--jobs J              so many processes side by side (as many as there are processors)
--minutes M           no more than this, whatever is left; a fraction will do
--twin                each seed twice, compared
--package P           the packages of the tests, and
--test T              the test targets, each as often as wanted (those of this project)
--profile P           the profile of cargo that builds them (sweep)
--marks-of CRATE      only marks in crates whose name begins like this, as often as wanted (every crate
                      but this library's own; of tests of this project: every crate)
--marks-missed-max N  fail if more than N marks were never reached, or none is in any test (none fails)

HOST_ENGINE, HOST_SHRINK_SECONDS and the like reach every test. In the directory that HOST_MARKS names
stays what they have reached, for `marks` to add up.
Exit status: 0 nothing found, 1 not done, 2 called wrongly, 10 safety, 11 liveness, 12 crash,
13 nondeterminism, 14 marks were missed.";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) seeds: u64,
    pub(crate) from: u64,
    pub(crate) jobs: usize,
    pub(crate) time: Option<Duration>,
    pub(crate) twin: bool,
    pub(crate) packages: Vec<String>,
    pub(crate) tests: Vec<String>,
    pub(crate) profile: String,
    pub(crate) marks_of: Vec<String>,
    pub(crate) marks_missed_max: Option<usize>,
    pub(crate) words: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seeds: 1000,
            from: 0,
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            time: None,
            twin: false,
            packages: Vec::new(),
            tests: Vec::new(),
            profile: "sweep".to_owned(),
            marks_of: Vec::new(),
            marks_missed_max: None,
            words: Vec::new(),
        }
    }
}

impl Options {
    /// `None` if somebody asks for help.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self::default();
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} wants a value"));
            match argument.as_str() {
                "--seeds" => options.seeds = positive(&argument, &value()?)?,
                "--from" => options.from = number(&argument, &value()?)?,
                "--jobs" => options.jobs = positive(&argument, &value()?)? as usize,
                "--minutes" => options.time = Some(minutes(&value()?)?),
                "--twin" => options.twin = true,
                "--package" | "-p" => options.packages.push(value()?),
                "--test" => options.tests.push(value()?),
                "--profile" => options.profile = value()?,
                "--marks-of" => options.marks_of.push(value()?.replace('-', "_")),
                "--marks-missed-max" => {
                    options.marks_missed_max = Some(number(&argument, &value()?)? as usize);
                }
                "--help" | "-h" => return Ok(None),
                unknown if unknown.starts_with('-') => {
                    return Err(format!("`{unknown}` is no option; --help lists them"));
                }
                _ => options.words.push(argument),
            }
        }
        if options.packages.is_empty() && options.tests.is_empty() {
            options.packages = ["harness", "examples"].map(str::to_owned).into();
            options.tests = ["whole_system", "fleet", "simulated"].map(str::to_owned).into();
        }
        Ok(Some(options))
    }
}

fn number(name: &str, text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| format!("{name} is `{text}`, but must be a number, decimal or hexadecimal after 0x"))
}

fn positive(name: &str, text: &str) -> Result<u64, String> {
    match number(name, text)? {
        0 => Err(format!("{name} is 0, but must be at least 1")),
        some => Ok(some),
    }
}

fn minutes(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().map(|minutes| minutes * 60.0);
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.ok_or_else(|| format!("--minutes is `{text}`, but must be a number of minutes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Options>, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_line_says_what_is_wanted() {
        let all = parse("--seeds 20 --from 0xff --jobs 3 --minutes 0.5 --twin -p mine --test a --test b --profile test --marks-of my-own --marks-missed-max 3 hang")
            .unwrap()
            .unwrap();
        let expected = Options {
            seeds: 20,
            from: 255,
            jobs: 3,
            time: Some(Duration::from_secs(30)),
            twin: true,
            packages: vec!["mine".into()],
            tests: vec!["a".into(), "b".into()],
            profile: "test".into(),
            marks_of: vec!["my_own".into()],
            marks_missed_max: Some(3),
            words: vec!["hang".into()],
        };
        assert_eq!(all, expected);
        let none = parse("").unwrap().unwrap();
        assert_eq!(none.tests, ["whole_system", "fleet", "simulated"]);
        assert_eq!(parse("--seeds 5 --help"), Ok(None));
    }

    #[test]
    fn a_wrong_line_is_refused_with_what_was_found() {
        let rows = [
            ("--seeds", "--seeds wants a value"),
            ("--seeds many", "--seeds is `many`, but must be a number, decimal or hexadecimal after 0x"),
            (
                "--marks-missed-max few",
                "--marks-missed-max is `few`, but must be a number, decimal or hexadecimal after 0x",
            ),
            ("--jobs 0", "--jobs is 0, but must be at least 1"),
            ("--minutes -1", "--minutes is `-1`, but must be a number of minutes"),
            ("--sedes 5", "`--sedes` is no option; --help lists them"),
        ];
        for (line, expected) in rows {
            assert_eq!(parse(line), Err(expected.to_owned()), "{line}");
        }
    }
}
