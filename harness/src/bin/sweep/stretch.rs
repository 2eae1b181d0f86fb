//! Stretches of seeds, each in a process of its own, several side by side.

use crate::kind::Kind;
use crate::options::Options;
use crate::progress::{Progress, Standing};
use crate::targets::Test;
use harness::marks::Ledger;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

/// So many seeds in one process: some seconds, so that progress is seen and nobody waits long at the end.
const STRETCH: u64 = 250;
/// So much of what a failing test says is kept.
const LINES_MAX: usize = 200;

/// How long something may take to be shown.
const AT_ONCE: Duration = Duration::from_millis(200);

/// One sweep.
pub(crate) struct Sweep<'a> {
    options: &'a Options,
    tests: Vec<Test>,
    /// How many seeds have begun.
    seeds: AtomicU64,
    state: Mutex<State>,
    /// A job has ended.
    ended: Condvar,
    begun: Instant,
    /// Where processes leave what they have reached.
    marks: PathBuf,
    /// Whether somebody else wants to know it as well, and has named that directory.
    keeps_marks: bool,
}

impl Drop for Sweep<'_> {
    fn drop(&mut self) {
        if self.keeps_marks {
            return;
        }
        // There is no such directory if no process has left anything.
        let _ = std::fs::remove_dir_all(&self.marks);
    }
}

#[derive(Default)]
struct State {
    /// The next stretch: of all tests, one after the other, and then the next of all.
    next: u64,
    /// Tests that say nothing of seeds.
    unseeded: Vec<usize>,
    findings: BTreeMap<usize, Finding>,
    /// Stretches that were left out, since time was over.
    left_out: bool,
    /// What was reached so far, in the crates that were asked for.
    marks: Ledger,
}

/// What came of the demand that marks are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marks {
    /// No more were missed than may be, or nobody has said how many.
    Enough,
    /// More were missed.
    Missed,
    /// There are none, so that the demand demands nothing.
    None,
}

struct Finding {
    kind: Kind,
    /// The seed's line, or how the process ended.
    what: String,
    said: Vec<String>,
}

#[expect(clippy::disallowed_methods, reason = "a sweep is outside of every run; people wait for it")]
fn now() -> Instant {
    Instant::now()
}

impl<'a> Sweep<'a> {
    pub(crate) fn new(options: &'a Options, tests: Vec<Test>) -> Self {
        let (seeds, state, ended) = (AtomicU64::new(0), Mutex::default(), Condvar::new());
        let named = std::env::var_os("HOST_MARKS").filter(|path| !path.is_empty()).map(PathBuf::from);
        let keeps_marks = named.is_some();
        let own = || std::env::temp_dir().join(format!("sweep-marks-{}", std::process::id()));
        let marks = named.unwrap_or_else(own);
        // Each test is run in the folder of its package.
        let marks = std::path::absolute(&marks).unwrap_or(marks);
        Self { options, tests, seeds, state, ended, begun: now(), marks, keeps_marks }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no job panics while it holds it")
    }

    /// Runs everything, and shows how far it is.
    pub(crate) fn run(&self) {
        std::thread::scope(|scope| {
            let jobs: Vec<_> = (0..self.options.jobs).map(|_| scope.spawn(|| self.work())).collect();
            self.watch(|| jobs.iter().all(ScopedJoinHandle::is_finished));
        });
    }

    /// Shows how far it is until it is over.
    fn watch(&self, over: impl Fn() -> bool) {
        let mut progress = Progress::begin();
        let mut state = self.state();
        while !over() {
            (state, _) = self.ended.wait_timeout(state, AT_ONCE).expect("no job panics while it holds it");
            let seeded = (self.tests.len() - state.unseeded.len()) as u64;
            let of = seeded * self.options.seeds;
            let time = self.options.time.map(|time| time.saturating_sub(self.begun.elapsed()));
            progress.show(&Standing {
                seeds: self.seeds.load(Ordering::Relaxed),
                of,
                findings: state.findings.len(),
                marks: (state.marks.len() - state.marks.missed().len(), state.marks.len()),
                elapsed: self.begun.elapsed(),
                time,
            });
        }
        progress.end();
    }

    /// One job: takes stretches until there are no more.
    fn work(&self) {
        while let Some((test, first, count)) = self.take() {
            self.stretch(test, first, count);
        }
        self.ended.notify_all();
    }

    /// The next stretch: which test, the first seed, how many.
    fn take(&self) -> Option<(usize, u64, u64)> {
        let mut state = self.state();
        loop {
            let (round, test) = (state.next / self.tests.len() as u64, state.next % self.tests.len() as u64);
            let done = round * STRETCH;
            if done >= self.options.seeds {
                return None;
            }
            if self.options.time.is_some_and(|time| self.begun.elapsed() >= time) {
                state.left_out = true;
                return None;
            }
            state.next += 1;
            let test = test as usize;
            if state.unseeded.contains(&test) || state.findings.contains_key(&test) {
                continue;
            }
            return Some((
                test,
                self.options.from.wrapping_add(done),
                STRETCH.min(self.options.seeds - done),
            ));
        }
    }

    fn stretch(&self, index: usize, first: u64, count: u64) {
        let test = &self.tests[index];
        let mut command = Command::new("sh");
        // What a test says comes in one piece, in its order.
        command.args(["-c", r#"exec "$0" "$@" 2>&1"#]).arg(&test.program);
        command.args([&test.name, "--exact", "--nocapture", "--test-threads=1"]).current_dir(&test.folder);
        command.env("HOST_SEEDS", count.to_string()).env("HOST_SEEDS_FROM", first.to_string());
        command.env("HOST_MARKS", &self.marks);
        command.env("RUST_BACKTRACE", "0").env_remove("HOST_SEED").env_remove("HOST_CHOICES");
        if self.options.twin {
            command.env("HOST_TWIN", "1");
        }
        let ended = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().and_then(|mut child| {
            let output = child.stdout.take().expect("it is piped");
            let heard = self.listen(output);
            let status = child.wait();
            self.collect_marks(test, child.id());
            status.map(|status| (status, heard))
        });
        let (status, heard) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                return self.found(index, Kind::Crash, format!("it cannot be run: {error}"), Vec::new());
            }
        };
        if heard.seeds == 0 {
            let mut state = self.state();
            if !state.unseeded.contains(&index) {
                state.unseeded.push(index);
            }
        }
        if status.success() {
            return;
        }
        match (status.signal(), heard.breaks) {
            (Some(signal), _) => {
                let seed = heard.last_seed.unwrap_or_default();
                self.found(index, Kind::Crash, format!("{seed} ended by signal {signal}"), heard.said);
            }
            (None, Some((rule, line))) => self.found(index, Kind::of_rule(&rule), line, heard.said),
            (None, None) => self.found(index, Kind::Safety, "it failed".to_owned(), heard.said),
        }
    }

    /// Adds what a process has reached to the rest.
    fn collect_marks(&self, test: &Test, process: u32) {
        let path = self.marks.join(format!("{process}.marks"));
        let mut ledger = Ledger::default();
        // A test that runs no seeds leaves none, and neither does one that was ended.
        if ledger.add(&path).is_ok() {
            if !self.keeps_marks {
                let _ = std::fs::remove_file(&path);
            }
            // Nobody but this library's own tests has to reach its marks.
            let of_all = self.options.marks_of.is_empty() && test.is_ours();
            let ledger = if of_all { ledger } else { ledger.of(&self.options.marks_of) };
            self.state().marks.merge(ledger);
        }
    }

    /// What is to be said of the marks, where so many may be missed and no more.
    pub(crate) fn marks(&self) -> Marks {
        let (marks, most) = (&self.state().marks, self.options.marks_missed_max);
        match most {
            Some(_) if marks.is_empty() => Marks::None,
            Some(most) if marks.missed().len() > most => Marks::Missed,
            Some(_) | None => Marks::Enough,
        }
    }

    fn found(&self, test: usize, kind: Kind, what: String, said: Vec<String>) {
        self.state().findings.entry(test).or_insert(Finding { kind, what, said });
    }

    /// Listens to a test until it ends.
    fn listen(&self, output: impl std::io::Read) -> Heard {
        let mut heard = Heard::default();
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if heard.hear(line) {
                self.seeds.fetch_add(1, Ordering::Relaxed);
            }
        }
        heard
    }

    /// The gravest kind that was found.
    pub(crate) fn gravest(&self) -> Option<Kind> {
        self.state().findings.values().map(|finding| finding.kind).max()
    }

    /// All that there is to say at the end.
    pub(crate) fn summary(&self) -> String {
        let state = self.state();
        let mut told = String::new();
        for (test, finding) in &state.findings {
            let _ =
                writeln!(told, "\n== {}: {} ({})", self.tests[*test].name, finding.what, finding.kind.name());
            finding.said.iter().for_each(|line| _ = writeln!(told, "{line}"));
        }
        let (seeds, elapsed) = (self.seeds.load(Ordering::Relaxed), self.begun.elapsed());
        let rate = seeds as f64 / elapsed.as_secs_f64().max(0.001);
        let seeded = self.tests.len() - state.unseeded.len();
        let left_out = if state.left_out { "; the time was over before all were run" } else { "" };
        let _ = writeln!(
            told,
            "{seeds} seeds of {seeded} tests in {:.0} s, {rate:.0} a second{left_out}",
            elapsed.as_secs_f64()
        );
        if !state.unseeded.is_empty() {
            let _ = writeln!(told, "{} more tests have no seeds, and were run once", state.unseeded.len());
        }
        if !state.marks.is_empty() {
            let _ = writeln!(told, "{}", state.marks);
        }
        let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
        state.findings.values().for_each(|finding| *kinds.entry(finding.kind).or_default() += 1);
        let kinds: Vec<_> =
            kinds.iter().rev().map(|(kind, count)| format!("{count} × {}", kind.name())).collect();
        let found = if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(", ") };
        let _ = writeln!(told, "found: {found}");
        told
    }
}

/// What a test said.
#[derive(Debug, Default)]
struct Heard {
    seeds: u64,
    last_seed: Option<String>,
    /// The rule that was broken, and the line that says so.
    breaks: Option<(String, String)>,
    said: Vec<String>,
}

impl Heard {
    /// Whether a seed has begun.
    fn hear(&mut self, line: String) -> bool {
        // The test runner writes the name of a test and goes on in the same line.
        let words = line.rfind("seed ").map_or("", |start| &line[start..]);
        let words: Vec<_> = words.split(' ').collect();
        match words[..] {
            ["seed", number, "of", _] if number.parse::<u64>().is_ok() => {
                self.seeds += 1;
                self.last_seed = Some(format!("seed {number}"));
                self.said.clear();
                return true;
            }
            ["seed", number, "of", test, "breaks", rule] => {
                self.breaks = Some((rule.to_owned(), format!("seed {number} of {test} breaks {rule}")));
                self.said.clear();
            }
            _ => {
                let tells = !line.is_empty() && !line.starts_with("note: run with `RUST_BACKTRACE");
                if tells && self.said.len() < LINES_MAX {
                    self.said.push(line);
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_test_says_is_understood() {
        let mut heard = Heard::default();
        let story = [
            ("running 1 test", false),
            ("test a::b ... seed 5 of a::b", true),
            ("seed 6 of a::b", true),
            ("words of the test, and a seed of doubt", false),
            ("seed 6 of a::b breaks S34", false),
            ("S34: no busy spin", false),
            ("note: run with `RUST_BACKTRACE=1` environment variable", false),
            ("", false),
            ("  replay: HOST_SEED=6 cargo test", false),
        ];
        for (line, begins) in story {
            assert_eq!(heard.hear(line.to_owned()), begins, "{line}");
        }
        assert_eq!(heard.seeds, 2);
        assert_eq!(heard.last_seed.as_deref(), Some("seed 6"));
        assert_eq!(heard.breaks, Some(("S34".to_owned(), "seed 6 of a::b breaks S34".to_owned())));
        assert_eq!(heard.said, ["S34: no busy spin", "  replay: HOST_SEED=6 cargo test"]);
    }
}
