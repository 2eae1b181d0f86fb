//! What is seen by comparing runs comes down to what it needs, too.

use harness::Class::WallJump;
use harness::check::{
    Budget, Engine, Finding, Plan, RUN_MAX, Record, find_and_shrink, replay_text, replayed,
};
use harness::{Faults, Sim, site};
use host_core::{App, Connected, Context, Hosted, Ready, Result, Service};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const TWICE: Plan = Plan { first: 0, count: 40, twin: true, run_max: RUN_MAX };
const BUDGET: Budget = Budget { time: Duration::from_secs(600), runs: 1500 };

struct Decider<F>(F);

impl<F: FnMut(&mut Context<'_>) -> bool + 'static> Service for Decider<F> {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        Ok(if (self.0)(cx) { Connected::Yes } else { Connected::NotYet })
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        Ok(())
    }
}

/// A host whose only service is there when `decide` says so; there are faults and clients that it does not need.
fn scenario<F: FnMut(&mut Context<'_>) -> bool + 'static>(sim: &mut Sim, decide: fn() -> F) {
    sim.host(move || {
        App::new("test").listen("door", "127.0.0.1:7000").service(Hosted::new("decider", Decider(decide())))
    });
    sim.faults(Faults::all());
    sim.clients("door", 3, |c| c.expect(b"never"));
    sim.run_for(20 * SECOND);
}

/// Decides by the wall clock.
fn by_wall_clock() -> impl FnMut(&mut Context<'_>) -> bool + 'static {
    let mut last = None;
    move |cx| {
        let wall = cx.wall().0;
        last.replace(wall).is_some_and(|last| wall < last)
    }
}

/// Decides by what other runs have left in the process: it is there after as many attempts as they were, up to three.
fn by_a_global() -> impl FnMut(&mut Context<'_>) -> bool + 'static {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let (after, mut attempts) = (RUNS.fetch_add(1, Ordering::Relaxed) % 4, 0);
    move |_| {
        attempts += 1;
        attempts > after
    }
}

#[track_caller]
fn shrinks(rule: &str, scenario: impl Fn(&mut Sim)) -> Record {
    let found = find_and_shrink(site!(), TWICE, &Engine::Random, BUDGET, &scenario);
    let Finding { report, shrunk } = found.expect("it is found");
    assert_eq!(report.violation.id, rule, "{report}");
    let shrunk = shrunk.expect("it fails again");
    assert!(shrunk.is_minimal && shrunk.after.events() <= 3, "{} of {}", shrunk.after, shrunk.before);
    let empty = String::new();
    let script = shrunk.script.to_string().parse().expect("a script");
    let record = Record { title: empty.clone(), test: empty.clone(), rule: rule.into(), seen: empty, script };
    let again = replayed(site!(), &record, &scenario).expect("the small one fails as well");
    assert_eq!(again.violation.id, rule, "{again}");
    // As a test that was pasted, which says no rule.
    let log = record.script.to_string();
    let failed =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| replay_text(site!(), &log, &scenario)));
    assert!(failed.is_err(), "the pasted one fails as well");
    record
}

#[test]
fn s3_who_decides_by_the_wall_clock_comes_down_to_its_jump() {
    let record = shrinks("S3", |sim| scenario(sim, by_wall_clock));
    let [fault] = &record.script.faults[..] else { panic!("one fault: {:?}", record.script.faults) };
    assert_eq!(fault.class, WallJump);
}

#[test]
fn twin_who_decides_by_a_global_needs_no_fault_at_all() {
    let record = shrinks("twin", |sim| scenario(sim, by_a_global));
    assert!(record.script.faults.is_empty(), "{:?}", record.script.faults);
}
