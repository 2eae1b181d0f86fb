//! How small planted failures become.

use crate::PLANTED;
use harness::check::{Budget, Engine, Plan, RUN_MAX, Record, find_and_shrink, replayed, search};
use harness::site;
use std::time::Duration;

/// So many seeds show each bug: a class of faults is on in half of them, and some bugs need two.
const SEEDS: Plan = Plan { first: 0, count: 400, twin: false, run_max: RUN_MAX };
/// What a person can take in at a glance.
const EVENTS_MAX: usize = 10;
/// A bound that no machine's speed decides.
const BUDGET: Budget = Budget { time: Duration::from_secs(600), runs: 1500 };
/// As long as somebody waits for it who has not set `HOST_SHRINK_SECONDS`: so long a failure is looked for, shrunk and
/// replayed at most. Only optimized builds are held to it; the slowest has several times as much room there.
const TIME_MAX: Duration = Duration::from_secs(10);

#[test]
fn without_its_bug_no_scenario_fails() {
    for planted in PLANTED {
        let few = Plan { count: 6, ..SEEDS };
        let failed = search(site!(), few, |sim| (planted.scenario)(sim, false));
        assert!(failed.is_none(), "{}: {}", planted.name, failed.expect("a report"));
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the table is what people look at")]
fn nine_in_ten_planted_failures_come_down_to_ten_events() {
    let mut lines = Vec::new();
    let mut small = 0;
    let mut slowest = (Duration::ZERO, "");
    for planted in PLANTED {
        #[expect(clippy::disallowed_methods, reason = "how long people wait")]
        let begun = std::time::Instant::now();
        let scenario = |sim: &mut harness::Sim| (planted.scenario)(sim, true);
        let found = find_and_shrink(site!(), SEEDS, &Engine::Random, BUDGET, scenario);
        let found = found.unwrap_or_else(|| panic!("{} is not found", planted.name));
        assert_eq!(found.report.violation.id, planted.rule, "{}: {}", planted.name, found.report);
        let shrunk = found.shrunk.unwrap_or_else(|| panic!("{} does not fail again", planted.name));
        let record = Record {
            title: planted.name.to_owned(),
            test: String::new(),
            rule: planted.rule.to_owned(),
            seen: String::new(),
            script: shrunk.script.to_string().parse().expect("a script"),
        };
        let again = replayed(site!(), &record, scenario).expect("the small one fails as well");
        assert_eq!(again.violation.id, planted.rule, "{}: {again}", planted.name);
        small += usize::from(shrunk.after.events() <= EVENTS_MAX);
        let took = begun.elapsed();
        slowest = slowest.max((took, planted.name));
        let mark = if shrunk.is_minimal { ' ' } else { '+' };
        lines.push(format!(
            "{:<36} {:<4} seed {:>3}  {:>4} events -> {:>3}  ({}) {:>4} runs{mark} {:>5} ms",
            planted.name,
            planted.rule,
            found.report.seed,
            shrunk.before.events(),
            shrunk.after.events(),
            shrunk.after,
            shrunk.runs,
            took.as_millis(),
        ));
        println!("{}", lines.last().expect("just pushed"));
    }
    let (took, name) = slowest;
    println!("the slowest took {} ms of {} ms: {name}", took.as_millis(), TIME_MAX.as_millis());
    if !cfg!(debug_assertions) {
        assert!(took <= TIME_MAX, "{name} took {took:?}, more than {TIME_MAX:?}:\n{}", lines.join("\n"));
    }
    assert!(small * 10 >= PLANTED.len() * 9, "{small} of {} are small:\n{}", PLANTED.len(), lines.join("\n"));
}
