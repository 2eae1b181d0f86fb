//! What only several runs can show: that the same decisions make the same run.

use super::{Failure, attempt, attempt_closely};
use host_sim::{Choices, Class, Pool, Sim, Violation};

/// Two runs of the same decisions are the same.
pub(super) const RULE: &str = "twin";

/// Whether a failure for this rule was seen by comparing runs.
pub(super) fn is_seen_by_comparing(rule: &str) -> bool {
    [RULE, "S3"].contains(&rule)
}

/// A run that has not begun; with all of its events kept, if it is to be compared.
pub(super) fn fresh(choices: Choices, full: bool, pool: &Pool) -> Sim {
    if full { Sim::with_full_trace(choices, pool) } else { Sim::new(choices, pool) }
}

/// Runs the same decisions twice; the run to tell of, and how it failed. Whoever looks at anything but the simulated
/// world – a real clock, the order of a hash map – differs, and the first event in which it does is named.
///
/// Then once more without jumps of the wall clock: no decision may differ (S3).
pub(super) fn run(sim: impl Fn(bool) -> Sim, scenario: &impl Fn(&mut Sim)) -> (Sim, Option<Failure>) {
    let mut first = sim(true);
    if let Err(failure) = attempt_closely(&mut first, scenario) {
        return (first, Some(failure));
    }
    let mut second = sim(true);
    if let Err(failure) = attempt_closely(&mut second, scenario) {
        return (second, Some(failure));
    }
    if let Some((left, right)) = first.first_difference(&second) {
        let detail = format!("the first event that differs\n    is   {left}\n    then {right}");
        return (second, Some(Failure::of(Violation::new(RULE, detail))));
    }
    let mut steady = sim(false);
    steady.leave_out(Class::WallJump);
    let failed = attempt(&mut steady, scenario).err();
    let differs = steady.decisions() != first.decisions();
    let failure = (failed.is_some() || differs).then(|| {
        let how = failed.map_or_else(|| "the decisions differ".to_owned(), |violation| violation.to_string());
        Failure::of(Violation::new(
            "S3",
            format!("without its jumps of the wall clock, the run is another: {how}"),
        ))
    });
    (first, failure)
}
