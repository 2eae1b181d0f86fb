//! What is found out about a failure before it is reported: how small it can be, and when it was decided.

use super::artifacts::{self, Record};
use super::engine::Engine;
use super::shrink::{Failing, Shrunk, shrink};
use super::watchdog::Watchdog;
use super::{Found, RUN_MAX, Report, Site, attempt_closely, twin};
use host_sim::{Choices, Pool, Script, Sim};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// How much may be spent on a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// So much time, by a real clock.
    pub time: Duration,
    /// So many runs.
    pub runs: u64,
}

impl Budget {
    /// As `HOST_SHRINK_SECONDS` says: 10 seconds by default, and nothing for 0.
    ///
    /// # Panics
    /// With what was found and what is allowed, if it is no number.
    pub fn from_env() -> Self {
        let seconds = std::env::var("HOST_SHRINK_SECONDS").ok().map_or(Ok(10), |text| {
            let wrong = |_| format!("HOST_SHRINK_SECONDS is `{text}`, but must be a number of seconds");
            text.parse().map_err(wrong)
        });
        let seconds = seconds.unwrap_or_else(|mistake: String| panic!("{mistake}"));
        Self { time: Duration::from_secs(seconds), runs: u64::MAX }
    }

    /// Whether another run is in it; counts the asking.
    pub(super) fn left(self) -> impl FnMut() -> bool {
        #[expect(
            clippy::disallowed_methods,
            reason = "somebody waits for the answer; no run sees this clock"
        )]
        let begun = std::time::Instant::now();
        let mut runs = self.runs;
        move || {
            let left = runs > 0 && begun.elapsed() < self.time;
            runs = runs.saturating_sub(1);
            left
        }
    }
}

/// An attempt may take so many times the events of what it is to shorten, and some for short ones.
const EVENTS_FACTOR: u64 = 4;
const EVENTS_EXTRA: u64 = 100_000;

/// Runs attempts at a failure.
struct Attempts<'a, S> {
    found: &'a Found,
    pool: &'a Pool,
    watchdog: &'a Watchdog,
    scenario: &'a S,
}

impl<S: Fn(&mut Sim)> Attempts<'_, S> {
    /// Runs `choices`; the run, and whether it fails for the same cause.
    fn run(&self, choices: impl Fn() -> Choices) -> (Sim, bool) {
        self.watchdog.begin(self.found.report.seed);
        let sim = |full| {
            let mut sim = twin::fresh(choices(), full, self.pool);
            sim.give_up_after(self.found.events * EVENTS_FACTOR + EVENTS_EXTRA);
            sim
        };
        let (sim, failed) = if twin::is_seen_by_comparing(self.found.report.violation.id) {
            twin::run(sim, self.scenario)
        } else {
            let mut sim = sim(false);
            let failed = attempt_closely(&mut sim, self.scenario).err();
            (sim, failed)
        };
        let same = failed.is_some_and(|failure| self.found.cause.covers(&failure.cause()));
        (sim, same)
    }

    fn script(&self, script: &Script) -> Option<Failing> {
        let (sim, same) = self.run(|| Choices::scripted(self.found.report.seed, script));
        same.then(|| failing(&sim))
    }
}

pub(super) fn failing(sim: &Sim) -> Failing {
    Failing { script: sim.script(), client_calls: sim.client_calls().to_vec(), at: sim.now().as_nanos() }
}

/// Shrinks a failure. `None` if the same decisions do not fail again: then the scenario depends on something
/// else.
pub(super) fn shrink_found(
    site: Site,
    found: &Found,
    left: &mut dyn FnMut() -> bool,
    scenario: &impl Fn(&mut Sim),
) -> Option<Shrunk> {
    let pool = Pool::default();
    let watchdog = Watchdog::start(site, &Engine::Random, RUN_MAX, &pool);
    let attempts = Attempts { found, pool: &pool, watchdog: &watchdog, scenario };
    let again = attempts.script(&found.failing.script)?;
    Some(shrink(again, &mut |script| attempts.script(script), left))
}

/// Everything there is to say about a failure beyond its report, as lines.
pub(super) fn explain(
    site: Site,
    engine: &Engine,
    found: &Found,
    budget: Budget,
    scenario: &impl Fn(&mut Sim),
) -> String {
    let mut told = String::new();
    if budget.time.is_zero() {
        return told;
    }
    let mut left = budget.left();
    match shrink_found(site, found, &mut left, scenario) {
        Some(shrunk) => tell_shrunk(&mut told, site, found, &shrunk),
        None => {
            told.push_str(
                "\n  not shrunk: the same decisions did not fail again, so something else decides too; HOST_TWIN=1 \
                 looks for it",
            );
            return told;
        }
    }
    if let Some(turn) = turning_point(site, engine, found, &mut left, scenario) {
        let _ = write!(told, "\n  {turn}");
    }
    told
}

fn tell_shrunk(told: &mut String, site: Site, found: &Found, shrunk: &Shrunk) {
    let Shrunk { script, before, after, runs, is_minimal } = shrunk;
    let end = if *is_minimal { "" } else { ", when the time was over" };
    let _ = write!(told, "\n  shrunk from {before} to {after}, in {runs} runs{end}");
    for fault in &script.faults {
        let _ = write!(told, "\n    {fault}");
    }
    match artifacts::write(site, found.report.seed, &found.report.violation, shrunk) {
        Ok(written) => {
            let line = site.command(&choices_variable(&written.log));
            let _ = write!(told, "\n  the small one alone: {line}");
            let _ = write!(told, "\n  as a test to paste:  {}", written.test.display());
        }
        Err(why) => _ = write!(told, "\n  {why}"),
    }
}

/// What sets `HOST_CHOICES` to `path`, for a shell.
pub(super) fn choices_variable(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+".contains(letter);
    let quoted = if path.chars().all(plain) { path } else { format!("'{}'", path.replace('\'', "'\\''")) };
    format!("HOST_CHOICES={quoted}")
}

/// How many points of a run are tried, and how many other futures at each.
const REWINDS: usize = 32;
const FUTURES: u64 = 8;

/// Between which two decisions a failure became likely: the run is repeated up to a point, and goes on from
/// there as other seeds decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurningPoint {
    /// After so many decisions few futures fail, and after so many, many do.
    pub between: (usize, usize),
    /// How many of all decisions there were.
    pub of: usize,
    /// How many futures failed at both points.
    pub failed: (u64, u64),
    /// How many were tried at each.
    pub futures: u64,
    /// The moments of both, in nanoseconds; unknown where no future asked for another decision.
    pub moments: (Option<u64>, Option<u64>),
}

impl std::fmt::Display for TurningPoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { between: (before, after), of, failed: (few, many), futures, moments } = self;
        if before == after {
            return write!(
                f,
                "decided before the first choice: {many} of {futures} other seeds fail like this"
            );
        }
        let at =
            |moment: Option<u64>| moment.map_or_else(String::new, |at| format!(" ({} ms)", at / 1_000_000));
        write!(
            f,
            "decided between choice {before}{} and choice {after}{} of {of}: from the first on {few} of {futures} other \
             futures fail like this, from the second on {many}",
            at(moments.0),
            at(moments.1),
        )
    }
}

/// Where the failure `found` was decided; `None` if the budget does not reach, or a run made no choices.
pub(super) fn turning_point(
    site: Site,
    engine: &Engine,
    found: &Found,
    left: &mut dyn FnMut() -> bool,
    scenario: &impl Fn(&mut Sim),
) -> Option<TurningPoint> {
    if engine.enumeration().is_some() || found.choices == 0 {
        return None;
    }
    let pool = Pool::default();
    let watchdog = Watchdog::start(site, &Engine::Random, RUN_MAX, &pool);
    let attempts = Attempts { found, pool: &pool, watchdog: &watchdog, scenario };
    let seed = found.report.seed;
    let points: Vec<_> = (0..=REWINDS).map(|point| found.choices * point / REWINDS).collect();
    let mut seen: Vec<(usize, u64, Option<u64>)> = Vec::new();
    for after in points {
        if seen.last().is_some_and(|(last, ..)| *last == after) {
            continue;
        }
        let (mut failed, mut moment) = (0, None);
        for future in 0..FUTURES {
            if !left() {
                return None;
            }
            // Seeds that nobody asks for: the search has tried the small ones.
            let other = !seed ^ future << 32;
            let (sim, same) = attempts.run(|| engine.choices(seed).branch(after, other));
            failed += u64::from(same);
            moment = moment.or_else(|| sim.branched_at().map(|at| at.as_nanos()));
        }
        seen.push((after, failed, moment));
    }
    let jump = seen.windows(2).max_by_key(|pair| pair[1].1.saturating_sub(pair[0].1));
    let (before, after) = match jump {
        Some([before, after]) if after.1 > before.1 => (before, after),
        _ => (seen.first()?, seen.first()?),
    };
    Some(TurningPoint {
        between: (before.0, after.0),
        of: found.choices,
        failed: (before.1, after.1),
        futures: FUTURES,
        moments: (before.2, after.2),
    })
}

/// Runs what a record has decided; the report, if it fails. With `variables` it is run again.
pub(super) fn replay(
    site: Site,
    record: &Record,
    variables: &str,
    scenario: &impl Fn(&mut Sim),
) -> Option<Report> {
    let pool = Pool::default();
    let watchdog = Watchdog::start(site, &Engine::Random, RUN_MAX, &pool);
    watchdog.begin(0);
    let choices = || Choices::scripted(0, &record.script);
    let (sim, failure) = if twin::is_seen_by_comparing(&record.rule) {
        twin::run(|full| twin::fresh(choices(), full, &pool), scenario)
    } else {
        let mut sim = Sim::new(choices(), &pool);
        let failure = attempt_closely(&mut sim, scenario).err();
        (sim, failure)
    };
    let failure = failure?;
    let Found { report, .. } = Found::new(site, &Engine::Random, &sim, failure, false);
    Some(Report { replay: site.command(variables).trim_start().to_owned(), ..report })
}
