//! Would this suite notice if the simulated kernel were wrong?
//!
//! Each rule of it is broken once; then a case must fail, or the real kernel have done with a program what no such
//! machine does. Those that nobody notices are listed, with the reason, and are no others.

use crate::arms::{self, Case};
use crate::programs::{self, Observed};
use crate::world::World;
use harness::Sim;
use host_sim::{Pool, Rule};
use std::fmt::Write as _;

/// Runs on the real kernel, for what programs do there.
pub(crate) const CASE: Case =
    Case { name: "a_simulated_kernel_that_breaks_a_rule_is_found_out", body: each_is_found_out };

/// How many programs look at each.
const PROGRAMS: u64 = 300;
/// How many events a case or a program has at most; a bound, and far from what any has.
const EVENTS_MAX: u64 = 10_000_000;
/// Rules that nobody notices when they are broken, and why nobody can.
const UNNOTICED: &[(Rule, &str)] = &[];

fn each_is_found_out(world: &World) {
    let observed: Vec<_> = (0..PROGRAMS).map(|seed| programs::observe(world, seed)).collect();
    let pool = Pool::default();
    // Whoever complains of a machine that keeps all rules would notice anything.
    assert_eq!(noticed(None, &pool).or_else(|| noticed_by_a_program(None, &observed, &pool)), None);
    // What fails on purpose from here on need not be said.
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let (mut list, mut wrong, mut found_out) = (String::new(), String::new(), 0);
    for rule in Rule::ALL {
        let by = noticed(Some(*rule), &pool).or_else(|| noticed_by_a_program(Some(*rule), &observed, &pool));
        found_out += usize::from(by.is_some());
        let listed = UNNOTICED.iter().find(|(unnoticed, _)| unnoticed == rule);
        match (&by, listed) {
            (None, None) => writeln!(
                wrong,
                "{rule:?} can be broken and nobody notices: write a case that fails then, or, if no call of `Sys` can show it, list the rule in UNNOTICED with the reason"
            ),
            (Some(by), Some(_)) => writeln!(
                wrong,
                "{rule:?} is listed in UNNOTICED, and {by} notices that it is broken: take it off the list"
            ),
            (Some(_), None) | (None, Some(_)) => Ok(()),
        }
        .unwrap();
        let nobody = listed.map_or_else(|| "NOBODY".to_owned(), |(_, why)| format!("nobody: {why}"));
        writeln!(list, "{rule:?}: {}: noticed by {}", rule.broken(), by.unwrap_or(nobody)).unwrap();
    }
    std::panic::set_hook(tell);
    let summary = format!("{list}{found_out} of {} rules that were broken are noticed", Rule::ALL.len());
    assert!(wrong.is_empty(), "\n{summary}\n\n{wrong}");
    eprintln!("{summary}");
}

/// The case that fails on a machine that breaks `rule`.
fn noticed(rule: Option<Rule>, pool: &Pool) -> Option<String> {
    let cases = crate::CASES.iter().flat_map(|(cases, adopts)| cases.iter().map(move |case| (case, *adopts)));
    let mut fail = cases
        .filter(|(case, adopts)| arms::simulated_on(case, *adopts, pool, &|sim| lay(sim, rule)).is_err());
    fail.next().map(|(case, _)| case.name.to_owned())
}

/// The program that a machine that breaks `rule` cannot run as the real one did.
fn noticed_by_a_program(rule: Option<Rule>, observed: &[Observed], pool: &Pool) -> Option<String> {
    let not_allowed = |observed: &Observed| observed.allowed(pool, &|sim| lay(sim, rule)).is_err();
    let seed = observed.iter().position(not_allowed)?;
    Some(format!("program {seed}"))
}

/// A machine that breaks `rule`, if any; it says nothing of what fails, and ends should it run in circles.
fn lay(sim: &mut Sim, rule: Option<Rule>) {
    sim.give_up_after(EVENTS_MAX);
    if let Some(rule) = rule {
        sim.break_rule(rule);
    }
}
