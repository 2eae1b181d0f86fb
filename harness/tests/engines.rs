//! Where decisions come from: each engine finds what it is for.

use harness::check::{Budget, Engine, Plan, RUN_MAX, find_and_shrink, find_turning_point};
use harness::{Faults, Sim, site};
use host_core::{App, Connected, Context, Hosted, Listener, Ready, Result, Service, Stream};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

const SOME: Plan = Plan { first: 0, count: 200, twin: false, run_max: RUN_MAX };
const BUDGET: Budget = Budget { time: Duration::from_secs(600), runs: 2000 };

/// Holds whoever comes.
#[derive(Default)]
struct Holds(Option<Listener>, Vec<Stream>);

impl Service for Holds {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        self.0 = Some(cx.listener("door")?);
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        while let Some(client) = self.0.as_mut().map_or(Ok(None), Listener::accept)? {
            self.1.push(client);
        }
        self.1.retain_mut(|client| !matches!(client.try_read(&mut [0; 64]), Ok(Some(0)) | Err(_)));
        Ok(())
    }
}

fn app() -> App {
    App::new("holds").listen("door", "127.0.0.1:7000").service(Hosted::new("holds", Holds::default()))
}

/// Three clients write down when they come; it fails if they come in the order 2, 0, 1.
fn an_order(sim: &mut Sim) {
    let came = Rc::new(RefCell::new(Vec::new()));
    let order = Rc::clone(&came);
    sim.host(app);
    sim.clients("door", 3, move |c| {
        for _ in 0..c.choose(3) {
            c.pause(SECOND * 2);
        }
        order.borrow_mut().push(c.number());
        Ok(())
    });
    sim.run_for(SECOND * 10);
    assert_ne!(*came.borrow(), [2, 0, 1], "this order");
}

#[test]
fn every_order_is_enumerated_and_the_one_that_breaks_is_found() {
    // Three moments of coming, each first or last of a thousand by the width; then three numbers of pauses.
    let engine = Engine::parse("exhaustive:6:3").unwrap();
    let found = find_and_shrink(site!(), SOME, &engine, BUDGET, an_order).expect("one of them breaks");
    assert_eq!(found.report.violation.id, "test", "{}", found.report);
    let line = &found.report.replay;
    assert!(line.starts_with("HOST_SEED=0 HOST_ENGINE=exhaustive:6:3:10000 cargo test "), "{line}");
    let shrunk = found.shrunk.expect("it fails again");
    assert!(shrunk.after.choices <= 2, "{}", shrunk.script);
}

#[test]
fn an_enumeration_ends_when_there_is_nothing_more_or_the_bound_is_reached() {
    for (engine, expected) in [("exhaustive:2:3", 9), ("exhaustive:9:3:40", 40)] {
        let runs = std::cell::Cell::new(0);
        let seen = RefCell::new(BTreeSet::new());
        let engine = Engine::parse(engine).unwrap();
        let found = find_and_shrink(site!(), SOME, &engine, BUDGET, |sim: &mut Sim| {
            runs.set(runs.get() + 1);
            sim.host(app);
            sim.clients("door", 9, |_| Ok(()));
            sim.run_for(SECOND);
            seen.borrow_mut().insert(sim.script());
        });
        assert!(found.is_none());
        assert_eq!((runs.get(), seen.borrow().len()), (expected, expected as usize), "{engine}");
    }
}

/// A race that needs one process to be slow for long, and the other not: 40 steps against 9.
fn a_slow_process(sim: &mut Sim) {
    let won = Rc::new(RefCell::new(Vec::new()));
    let order = Rc::clone(&won);
    sim.host(app);
    sim.clients("door", 2, move |c| {
        // Both begin together, whenever they came and however long it took them to connect.
        c.stream()?;
        let begin = host_core::time::Instant::ZERO + SECOND * 5;
        c.pause(begin.since(c.now()));
        let steps = if c.number() == 0 { 10 } else { 40 };
        for _ in 0..steps {
            c.write_all(b"x")?;
        }
        order.borrow_mut().push(c.number());
        Ok(())
    });
    sim.run_for(SECOND * 10);
    assert_eq!(*won.borrow(), [0, 1], "ten steps take less time than forty");
}

#[test]
fn priorities_find_an_order_that_dice_do_not() {
    let unsteady = |sim: &mut Sim| {
        sim.unsteady();
        a_slow_process(sim);
    };
    let by_dice = find_and_shrink(site!(), SOME, &Engine::Random, BUDGET, unsteady);
    assert!(by_dice.is_none(), "dice even out: {}", by_dice.expect("a finding").report);
    let engine = Engine::parse("pct:1").unwrap();
    let found = find_and_shrink(site!(), SOME, &engine, BUDGET, a_slow_process).expect("by priorities");
    let shrunk = found.shrunk.expect("it fails again");
    assert!(shrunk.script.schedules, "the order of steps is what it is about: {}", shrunk.script);
    assert!(found.report.replay.contains(" HOST_ENGINE=pct:1 "), "{}", found.report.replay);
}

#[test]
fn bytes_are_a_run() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("engines-bytes");
    // When the three come, in milliseconds.
    std::fs::write(&path, [0xff, 1, 44, 0xff, 1, 144, 50]).unwrap();
    let engine = Engine::parse(&format!("bytes:{}", path.display())).unwrap();
    let found = find_and_shrink(site!(), SOME, &engine, BUDGET, an_order).expect("these bytes break it");
    assert!(found.report.replay.contains(" HOST_ENGINE=bytes:"), "{}", found.report.replay);
    assert_eq!(found.shrunk.expect("it fails again").before.choices, 3);
    std::fs::write(&path, []).unwrap();
    let engine = Engine::parse(&format!("bytes:{}", path.display())).unwrap();
    assert!(find_and_shrink(site!(), SOME, &engine, BUDGET, an_order).is_none(), "no bytes, no fault");
}

#[test]
fn a_branch_has_the_beginning_of_one_run_and_another_end() {
    let moments = |engine: &str, count| {
        let all = RefCell::new(Vec::new());
        let plan = Plan { count, ..SOME };
        let none =
            find_and_shrink(site!(), plan, &Engine::parse(engine).unwrap(), BUDGET, |sim: &mut Sim| {
                sim.host(app);
                sim.clients("door", 6, |_| Ok(()));
                sim.run_for(SECOND);
                all.borrow_mut().push(sim.choices().iter().map(|choice| choice.picked).collect::<Vec<_>>());
            });
        assert!(none.is_none());
        all.into_inner()
    };
    let [first] = &moments("random", 1)[..] else { panic!("one run") };
    let branches = moments("branch:4:0", 20);
    assert!(branches.iter().all(|branch| branch[..4] == first[..4]), "{branches:?}");
    let ends: BTreeSet<_> = branches.iter().map(|branch| &branch[4..]).collect();
    assert_eq!(ends.len(), 20, "twenty other ends");
}

/// It fails if the third of five clients throws a high number, which it does at second 7.
fn a_late_decision(sim: &mut Sim) {
    sim.host(app);
    sim.faults(Faults::none());
    let thrown = Rc::new(RefCell::new(0));
    let seen = Rc::clone(&thrown);
    sim.clients("door", 5, move |c| {
        for second in 2..12 {
            let begin = host_core::time::Instant::ZERO + SECOND * second;
            c.pause(begin.since(c.now()) + MS * c.number() as u32);
            let number = c.choose(100);
            if c.number() == 2 && second == 7 {
                *seen.borrow_mut() = number;
            }
        }
        Ok(())
    });
    sim.run_for(SECOND * 20);
    assert!(*thrown.borrow() < 90, "a high number");
}

#[test]
fn a_scan_finds_the_interval_in_which_a_failure_was_decided() {
    let turn =
        find_turning_point(site!(), SOME, &Engine::Random, BUDGET, a_late_decision).expect("a decision");
    let (few, many) = turn.failed;
    assert!(few <= 2 && many == turn.futures, "{turn}");
    // Five moments of coming, a seed of the host's, which is two; then five throws a second from second 2 on:
    // the 35th of 57 decides.
    assert_eq!(turn.of, 57, "{turn}");
    assert!(turn.between.0 < 35 && turn.between.1 >= 35, "{turn}");
    assert!(turn.between.1 - turn.between.0 <= 2, "{turn}");
    let (Some(before), Some(after)) = turn.moments else { panic!("{turn}") };
    assert!(
        (6..8).contains(&(before / 1_000_000_000)) && (7..8).contains(&(after / 1_000_000_000)),
        "{turn}"
    );
}
