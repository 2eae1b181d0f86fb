//! `check!`: many seeds, and a report that replays.
//!
//! Environment:
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `HOST_SEED` | run this one seed; decimal, or hexadecimal after `0x` | – |
//! | `HOST_SEEDS` | run so many seeds | 25 |
//! | `HOST_SEEDS_FROM` | the first of them; CI passes a fresh one each commit | 0 |
//! | `HOST_RUN_SECONDS` | a run that takes longer, by a real clock, is ended with its seed | 120 |
//! | `HOST_TWIN` | `1`: run each seed twice and compare | off |
//! | `HOST_ENGINE` | where decisions come from: [`Engine`] | `random` |
//! | `HOST_CHOICES` | replay this file, and nothing else | – |
//! | `HOST_SHRINK_SECONDS` | so long a failure is shrunk and explained; 0: not at all | 10 |
//! | `HOST_REPORT` | which runs leave a page and a trace: `failing`, `always` (a single run that passes, too), `never` | `failing` |
//! | `HOST_ARTIFACTS` | the directory for what a run leaves behind | `host-sim` in cargo's target directory |

mod artifacts;
mod cause;
mod engine;
mod explain;
pub(crate) mod quiet;
mod shrink;
mod twin;
mod watchdog;

pub use artifacts::{Record, generated};
pub use cause::Cause;
pub use engine::Engine;
pub use explain::{Budget, TurningPoint};
pub use shrink::{Shrunk, Size};

use crate::report::{self, Explained, When};
use host_sim::{Choices, Pool, Sim, Violation, violation_of};
use shrink::Failing;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;
use watchdog::Watchdog;

/// How many seeds a check runs by default: enough to meet each class of fault a dozen times, and short
/// enough that nobody is tempted to switch it off.
pub const SEEDS: u64 = 25;

/// How long a run may take by a real clock: a thousand times what most take.
pub const RUN_MAX: Duration = Duration::from_secs(120);

/// How many lines of the timeline a report shows.
const TIMELINE_LINES: usize = 40;

/// Where a check stands, so that a failure can be replayed. `check!` fills it in.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// The package, as cargo knows it.
    pub package: &'static str,
    /// The path of the module: `crate::module`.
    pub module: &'static str,
    /// The name of a type inside the test function, whose path ends with that function's.
    pub function: &'static str,
    /// Whether it stands in an integration test.
    pub integration: bool,
    /// The binary that it stands in, if it is one.
    pub binary: Option<&'static str>,
    /// The scenario as it stands in the source, for a test that is generated.
    pub scenario: &'static str,
    /// What such a test's name begins with, if not with the name of this one.
    pub generated: Option<&'static str>,
}

impl Site {
    /// The line that runs this test alone with one seed, twice if it was a twin run.
    pub fn replay_line(&self, engine: &Engine, seed: u64, twin: bool) -> String {
        let twin = if twin { " HOST_TWIN=1" } else { "" };
        self.command(&format!("HOST_SEED={seed}{twin}{}", engine.variable()))
    }

    /// The line that runs this test alone with these variables set.
    fn command(&self, variables: &str) -> String {
        let (package, target, test) = (self.package, self.target(), self.test());
        format!("{variables} cargo test -p {package} {target} {test} -- --exact --nocapture")
    }

    /// Which test this is, in a file.
    fn name(&self) -> String {
        format!("{} {} {}", self.package, self.target(), self.test())
    }

    fn target(&self) -> String {
        let krate = self.module.split("::").next().unwrap_or_default();
        match self.binary {
            _ if self.integration => format!("--test {krate}"),
            Some(binary) => format!("--bin {binary}"),
            None => "--lib".to_owned(),
        }
    }

    /// The test's name as the test runner has it: the path without the crate.
    pub(crate) fn test(&self) -> String {
        let path = self.function.replace("::{{closure}}", "");
        let path = path.strip_suffix("::Here").unwrap_or(&path);
        path.split_once("::").map_or(path, |(_, test)| test).to_owned()
    }
}

/// A failure, as it is reported.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was broken.
    pub violation: Violation,
    /// `file:line` of the assertion of the test that failed; a rule of this library has no such place.
    pub place: Option<String>,
    /// The seed.
    pub seed: u64,
    /// The hash of the run up to the failure: a replay has the same.
    pub hash: u64,
    /// The faults that were planned.
    pub plan: String,
    /// How fleets and workers stood at the end.
    pub state: Vec<String>,
    /// The last events.
    pub timeline: Vec<String>,
    /// The command that replays it.
    pub replay: String,
    /// What was left of it, once it was run again to be told.
    pub explained: Option<Explained>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { violation, place, seed, hash, plan, state, timeline, replay, explained } = self;
        writeln!(f, "{}: {}", violation.id, violation.sentence)?;
        writeln!(f, "  seen: {}", violation.detail)?;
        if let Some(place) = place {
            writeln!(f, "  at: {place}")?;
        }
        writeln!(f, "  seed {seed}, hash {hash:016x}, faults: {plan}")?;
        let columns =
            explained.as_ref().map(|explained| &explained.columns).filter(|lines| !lines.is_empty());
        match columns {
            Some(_) => writeln!(f, "  how it came to that:")?,
            None => writeln!(f, "  the last {} events:", timeline.len())?,
        }
        for line in columns.unwrap_or(timeline) {
            writeln!(f, "    {line}")?;
        }
        if !state.is_empty() {
            writeln!(f, "  at the end:")?;
        }
        for line in state {
            writeln!(f, "    {line}")?;
        }
        if let Some(explained) = explained {
            write!(f, "{explained}")?;
        }
        write!(f, "  replay: {replay}")
    }
}

/// Which seeds to run, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The first seed.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// Run each twice and compare.
    pub twin: bool,
    /// How long a run may take by a real clock.
    pub run_max: Duration,
}

impl Plan {
    /// As the environment says.
    ///
    /// # Panics
    /// With what was found and what is allowed, if a variable is no number.
    pub fn from_env() -> Self {
        Self::from_variables(|name| std::env::var(name).ok()).unwrap_or_else(|mistake| panic!("{mistake}"))
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let number = |name: &str| -> Result<Option<u64>, String> {
            let Some(text) = variable(name) else { return Ok(None) };
            let parsed = match text.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16),
                None => text.parse(),
            };
            let wrong =
                |_| format!("{name} is `{text}`, but must be a number, decimal or hexadecimal after 0x");
            parsed.map(Some).map_err(wrong)
        };
        let twin = number("HOST_TWIN")?.is_some_and(|twin| twin != 0);
        let run_max = number("HOST_RUN_SECONDS")?.map_or(RUN_MAX, Duration::from_secs);
        if let Some(first) = number("HOST_SEED")? {
            return Ok(Self { first, count: 1, twin, run_max });
        }
        let first = number("HOST_SEEDS_FROM")?.unwrap_or(0);
        let count = number("HOST_SEEDS")?.unwrap_or(SEEDS);
        if count == 0 {
            return Err("HOST_SEEDS is 0, but must be at least 1: no seed would test nothing".to_owned());
        }
        Ok(Self { first, count, twin, run_max })
    }
}

/// A failure and what is needed to look into it.
#[derive(Clone, Debug)]
struct Found {
    report: Report,
    cause: Cause,
    failing: Failing,
    /// How many events there were, and how many decisions.
    events: u64,
    choices: usize,
}

impl Found {
    fn new(site: Site, engine: &Engine, sim: &Sim, failure: Failure, twin: bool) -> Self {
        Self {
            cause: failure.cause(),
            report: report(site, engine, sim, failure, twin),
            failing: explain::failing(sim),
            events: sim.events(),
            choices: sim.choices().len(),
        }
    }
}

/// Runs `scenario` for each seed of `plan`; the first failure, if there is one.
pub fn search(site: Site, plan: Plan, scenario: impl Fn(&mut Sim)) -> Option<Report> {
    search_with(site, plan, &Engine::Random, &scenario).map(|found| found.report)
}

fn search_with(site: Site, plan: Plan, engine: &Engine, scenario: &impl Fn(&mut Sim)) -> Option<Found> {
    let found = search_by(site, plan, engine, scenario);
    crate::marks::leave();
    found
}

fn search_by(site: Site, plan: Plan, engine: &Engine, scenario: &impl Fn(&mut Sim)) -> Option<Found> {
    let pool = Pool::default();
    let watchdog = Watchdog::start(site, engine, plan.run_max, &pool);
    if engine.enumeration().is_some() {
        return enumerate(site, plan, engine, &watchdog, &pool, scenario);
    }
    let count = if matches!(engine, Engine::Bytes { .. }) { 1 } else { plan.count };
    (0..count).find_map(|index| {
        let seed = plan.first.wrapping_add(index);
        // Before the run, so that one that never ends can be found.
        let_know(&format!("seed {seed} of {}", site.test()));
        watchdog.begin(seed);
        let run = if plan.twin { twice } else { once };
        run(site, engine, seed, &pool, scenario)
    })
}

/// Runs every answer to the first decisions.
fn enumerate(
    site: Site,
    plan: Plan,
    engine: &Engine,
    watchdog: &Watchdog,
    pool: &Pool,
    scenario: &impl Fn(&mut Sim),
) -> Option<Found> {
    assert!(!plan.twin, "HOST_TWIN and HOST_ENGINE={engine} exclude each other");
    let (mut runs, runs_max) = engine.enumeration()?;
    while runs.runs() < runs_max {
        let Some(choices) = runs.next_run() else { break };
        watchdog.begin(0);
        let mut sim = Sim::new(choices, pool);
        if let Err(failure) = attempt_closely(&mut sim, scenario) {
            return Some(Found::new(site, engine, &sim, failure, false));
        }
        runs.learn(&sim.choices());
    }
    let end = if runs.is_exhausted() { "all there are" } else { "and there are more" };
    let_know(&format!("{} runs of {}, {end}", runs.runs(), site.test()));
    None
}

#[expect(clippy::print_stdout, reason = "the test runner shows it when the test fails")]
pub(crate) fn let_know(words: &str) {
    println!("{words}");
}

fn once(site: Site, engine: &Engine, seed: u64, pool: &Pool, scenario: &impl Fn(&mut Sim)) -> Option<Found> {
    let mut sim = Sim::new(engine.choices(seed), pool);
    attempt_closely(&mut sim, scenario).err().map(|failure| Found::new(site, engine, &sim, failure, false))
}

/// A run that failed.
struct Failure {
    violation: Violation,
    /// Where the scenario's own assertion stands.
    place: Option<String>,
}

impl Failure {
    fn of(violation: Violation) -> Self {
        Self { violation, place: None }
    }

    fn cause(&self) -> Cause {
        Cause::of(&self.violation, self.place.clone())
    }
}

pub(crate) fn attempt(sim: &mut Sim, scenario: &impl Fn(&mut Sim)) -> Result<(), Violation> {
    quiet::run(|| catch_unwind(AssertUnwindSafe(|| scenario(sim)))).map_err(|payload| {
        if payload.is::<Violation>() {
            // A rule has no place of its own: the last panic may have been anybody's.
            quiet::last_place();
        }
        violation_of(&*payload)
    })
}

/// As [`attempt`], with the place.
fn attempt_closely(sim: &mut Sim, scenario: &impl Fn(&mut Sim)) -> Result<(), Failure> {
    attempt(sim, scenario).map_err(|violation| Failure { violation, place: quiet::last_place() })
}

fn report(site: Site, engine: &Engine, sim: &Sim, failure: Failure, twin: bool) -> Report {
    let Failure { violation, place } = failure;
    Report {
        place,
        state: sim.end_state(violation.id),
        violation,
        seed: sim.seed(),
        hash: sim.hash(),
        plan: sim.plan(),
        timeline: sim.timeline(TIMELINE_LINES),
        replay: site.replay_line(engine, sim.seed(), twin),
        explained: None,
    }
}

fn twice(site: Site, engine: &Engine, seed: u64, pool: &Pool, scenario: &impl Fn(&mut Sim)) -> Option<Found> {
    let (sim, failure) = twin::run(|full| twin::fresh(engine.choices(seed), full, pool), scenario);
    failure.map(|failure| Found::new(site, engine, &sim, failure, true))
}

/// Runs `scenario` as the environment says, and fails with a report.
///
/// # Panics
/// With the report, if a seed fails.
pub fn run(site: Site, scenario: impl Fn(&mut Sim)) {
    let when = When::from_env();
    if let Some(path) = std::env::var_os("HOST_CHOICES") {
        let record = Record::read(Path::new(&path)).unwrap_or_else(|mistake| panic!("{mistake}"));
        let here = site.name();
        assert!(record.test == here, "{} is about `{}`, and this is `{here}`", path.display(), record.test);
        return replay_as(site, &record, &explain::choices_variable(Path::new(&path)), when, &scenario);
    }
    let engine = Engine::from_env();
    let plan = Plan::from_env();
    let found = search_with(site, plan, &engine, &scenario);
    let Some(mut found) = found else {
        if plan.count == 1 {
            report::of_success(when, site, engine.choices(plan.first), &scenario);
        }
        return;
    };
    let rule = found.report.violation.id;
    // A sweep reads this line.
    let_know(&format!("seed {} of {} breaks {rule}", found.report.seed, site.test()));
    let explained = explain::explain(site, &engine, &found, Budget::from_env(), &scenario);
    let choices = Choices::scripted(found.report.seed, &found.failing.script);
    found.report.explained = report::of_failure(when, site, choices, &found.report, &scenario);
    panic!("{}{explained}", found.report);
}

/// Runs what `record` has decided, and fails with a report.
///
/// # Panics
/// With the report, if it fails.
pub fn replay(site: Site, record: &Record, scenario: impl Fn(&mut Sim)) {
    replay_as(site, record, "", When::Never, &scenario);
}

fn replay_as(site: Site, record: &Record, variables: &str, when: When, scenario: &impl Fn(&mut Sim)) {
    match explain::replay(site, record, variables, scenario) {
        Some(mut report) => {
            let choices = Choices::scripted(report.seed, &record.script);
            report.explained = report::of_failure(when, site, choices, &report, scenario);
            panic!("{report}");
        }
        None => let_know(&format!("the choices of `{}` break nothing", record.title)),
    }
}

/// As [`replay`], for a log that stands in a test.
///
/// # Panics
/// Also if `log` is none.
pub fn replay_text(site: Site, log: &str, scenario: impl Fn(&mut Sim)) {
    let script = log.parse().unwrap_or_else(|mistake| panic!("{mistake}"));
    let empty = String::new();
    // Which rule it was about the log does not say: comparing runs sees all of them.
    let rule = twin::RULE.to_owned();
    let record = Record { title: site.test(), test: empty.clone(), rule, seen: empty, script };
    replay(site, &record, scenario);
}

/// The failure of a replayed record, if it fails.
pub fn replayed(site: Site, record: &Record, scenario: impl Fn(&mut Sim)) -> Option<Report> {
    explain::replay(site, record, "", &scenario)
}

/// A failure that was found and shrunk.
#[derive(Clone, Debug)]
pub struct Finding {
    /// As it was found.
    pub report: Report,
    /// As small as it became; `None` if the same decisions did not fail again.
    pub shrunk: Option<Shrunk>,
}

/// Runs `scenario` for each seed of `plan`, and shrinks the first failure: what [`check!`](crate::check!) does,
/// for tests about it.
pub fn find_and_shrink(
    site: Site,
    plan: Plan,
    engine: &Engine,
    budget: Budget,
    scenario: impl Fn(&mut Sim),
) -> Option<Finding> {
    let found = search_with(site, plan, engine, &scenario)?;
    let shrunk = explain::shrink_found(site, &found, &mut budget.left(), &scenario);
    Some(Finding { report: found.report, shrunk })
}

/// Runs `scenario` for each seed of `plan`, and asks of the first failure when it was decided. `None` also if
/// the budget does not reach, or nothing was decided.
pub fn find_turning_point(
    site: Site,
    plan: Plan,
    engine: &Engine,
    budget: Budget,
    scenario: impl Fn(&mut Sim),
) -> Option<TurningPoint> {
    let found = search_with(site, plan, engine, &scenario)?;
    explain::turning_point(site, engine, &found, &mut budget.left(), &scenario)
}

/// Checks a scenario over many seeds.
///
/// The scenario is a closure over a [`Sim`]: put an application on it, let things go wrong,
/// let time pass, demand what must hold. The invariants of the host and of the kernel are checked after
/// every event besides. Each seed is printed before its run; a failure prints the broken rule, how it came to
/// that, one line to paste that replays it, and how small it became – the same failure with fewer faults,
/// clients and decisions –, and leaves a [page and a trace](crate::report).
#[macro_export]
macro_rules! check {
    ($scenario:expr) => {
        $crate::check::run(
            $crate::check::Site { scenario: stringify!($scenario), ..$crate::site!() },
            $scenario,
        )
    };
}

/// Runs one choice log: a failure that was found and shrunk, kept as a test.
///
/// ```
/// # use host_core::{App, Connected, Context, Ready, Result, Service};
/// # struct Idle;
/// # impl Service for Idle {
/// #     fn connect(&mut self, _: &mut Context<'_>) -> Result<Connected> { Ok(Connected::NotYet) }
/// #     fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result { Ok(()) }
/// # }
/// harness::replay_choices!("fault HostStop at 3s for 1s target 0", |sim| {
///     sim.host(|| App::new("idle").service(Idle));
///     sim.run_for(std::time::Duration::from_secs(10));
///     assert_eq!(sim.struck(harness::Class::HostStop), 1);
/// });
/// ```
#[macro_export]
macro_rules! replay_choices {
    ($log:expr, $scenario:expr $(,)?) => {
        $crate::check::replay_text($crate::site!(), $log, $scenario)
    };
}

/// Where a check stands: for [`check!`] and its like.
#[macro_export]
macro_rules! site {
    () => {{
        struct Here;
        $crate::check::Site {
            package: env!("CARGO_PKG_NAME"),
            module: module_path!(),
            function: ::std::any::type_name::<Here>(),
            integration: option_env!("CARGO_TARGET_TMPDIR").is_some(),
            binary: option_env!("CARGO_BIN_NAME"),
            scenario: "",
            generated: None,
        }
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(variables: &[(&str, &str)]) -> Result<Plan, String> {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        Plan::from_variables(|name| find(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_environment_says_which_seeds_to_run() {
        let rows: [(&[(&str, &str)], _); 6] = [
            (&[], Plan { first: 0, count: SEEDS, twin: false, run_max: RUN_MAX }),
            (&[("HOST_SEED", "0xff")], Plan { first: 255, count: 1, twin: false, run_max: RUN_MAX }),
            (
                &[("HOST_SEED", "7"), ("HOST_SEEDS", "9")],
                Plan { first: 7, count: 1, twin: false, run_max: RUN_MAX },
            ),
            (
                &[("HOST_SEEDS", "9"), ("HOST_SEEDS_FROM", "100")],
                Plan { first: 100, count: 9, twin: false, run_max: RUN_MAX },
            ),
            (
                &[("HOST_RUN_SECONDS", "3")],
                Plan { first: 0, count: SEEDS, twin: false, run_max: Duration::from_secs(3) },
            ),
            (&[("HOST_TWIN", "1")], Plan { first: 0, count: SEEDS, twin: true, run_max: RUN_MAX }),
        ];
        for (variables, expected) in rows {
            assert_eq!(plan(variables), Ok(expected), "{variables:?}");
        }
    }

    #[test]
    fn a_variable_that_is_no_number_is_refused_with_its_value() {
        let refused = plan(&[("HOST_SEEDS", "many")]);
        assert_eq!(
            refused,
            Err("HOST_SEEDS is `many`, but must be a number, decimal or hexadecimal after 0x".to_owned())
        );
        assert!(plan(&[("HOST_SEEDS", "0")]).is_err());
    }

    #[test]
    fn the_replay_line_names_package_target_and_test() {
        let site = crate::site!();
        assert_eq!(
            site.replay_line(&Engine::Random, 5, false),
            "HOST_SEED=5 cargo test -p harness --lib check::tests::the_replay_line_names_package_target_and_test -- --exact --nocapture"
        );
        let inside = Site {
            module: "whole_system::web",
            function: "whole_system::web::a_reply_is_whole::{{closure}}::Here",
            integration: true,
            ..site
        };
        let program = Site { binary: Some("greeterd"), ..site };
        assert!(
            program
                .replay_line(&Engine::Random, 5, false)
                .contains(" -p harness --bin greeterd check::tests::")
        );
        assert_eq!(
            inside.replay_line(&Engine::Random, 0xff, true),
            "HOST_SEED=255 HOST_TWIN=1 cargo test -p harness --test whole_system web::a_reply_is_whole -- --exact --nocapture"
        );
    }
}
