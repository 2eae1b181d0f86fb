//! The two worlds on simulated machines.

use crate::{MS, SECOND, assert_contains, names, words_of};
use harness::world::{WorldKind, run_scripted, run_simulated};
use harness::{Sim, World};
use host_core::sys::Signal;
use host_core::{App, Fleet, Result, Worker};
use host_sim::{Choices, Pool};
use std::io::{Read as _, Write as _};

const SEEDS: u64 = 4;
/// A client who says this is answered later than clients usually wait.
const LATER: &[u8] = b"later";

fn echo(worker: &mut Worker) -> Result {
    while let Some(mut client) = worker.accept("echo")? {
        let mut buffer = [0; 64];
        while let Ok(count @ 1..) = client.read(&mut buffer) {
            if buffer[..count] == *LATER {
                worker.pause(15 * SECOND);
            }
            let _gone = client.write_all(&buffer[..count]);
        }
    }
    Ok(())
}

fn app() -> App {
    let fleet = Fleet::new("echo").workers(3).run(echo);
    App::new("echo").listen("echo", "127.0.0.1:7000").fleet(fleet)
}

fn machine(seed: u64) -> Sim {
    Sim::new(Choices::seeded(seed), &Pool::default())
}

/// Both of them.
fn each(body: impl Fn(&mut World<'_>)) {
    for seed in 0..SEEDS {
        run_scripted(&mut machine(seed), app, &body);
        run_simulated(&mut machine(seed), app, &body);
    }
}

/// The one in which somebody answers.
fn simulated(body: impl Fn(&mut World<'_>)) {
    (0..SEEDS).for_each(|seed| run_simulated(&mut machine(seed), app, &body));
}

#[test]
fn a_world_says_which_it_is() {
    run_scripted(&mut machine(0), app, |world| {
        assert_eq!(names(world), (WorldKind::Scripted, "World(Scripted)".to_owned()));
    });
    run_simulated(&mut machine(0), app, |world| {
        assert_eq!(names(world), (WorldKind::Simulated, "World(Simulated)".to_owned()));
    });
}

#[test]
fn what_passes_is_the_time_that_was_asked_for() {
    let mut sim = machine(0);
    sim.host(app);
    let begun = sim.now();
    World::simulated(&mut sim).pass(3 * SECOND);
    World::scripted(&mut sim).pass(4 * SECOND);
    assert_eq!(sim.now().since(begun), 7 * SECOND);
}

#[test]
fn workers_are_counted_and_told_apart() {
    each(|world| {
        let workers = world.expect_workers(3, 5 * SECOND);
        assert_eq!(world.workers(), workers);
        let words = words_of(|| world.expect_workers(4, SECOND));
        assert_contains(&words, &["after 1s there are not 4 workers, but [", "(slot 2, incarnation 1)"]);

        let words = words_of(|| world.expect_replaced(&workers, workers[1], SECOND));
        assert_contains(&words, &["after 1s nobody has taken the place of", "(slot 1, incarnation 1) of ["]);
        let words = words_of(|| world.expect_replaced(&workers[..2], workers[2], SECOND));
        assert_contains(&words, &["(slot 2, incarnation 1) was not there before, and cannot be replaced"]);
    });
}

#[test]
fn who_is_dead_or_gone_is_sent_nothing() {
    each(|world| {
        let workers = world.expect_workers(3, 5 * SECOND);
        world.signal_worker(workers[0], Signal::Kill);
        let words = words_of(|| world.signal_worker(workers[0], Signal::Term));
        let wanted = "wanted is a living worker, to be sent TERM, and ";
        assert_contains(&words, &[wanted, "(slot 0, incarnation 1) is dead and was not reaped: there are ["]);
        world.expect_replaced(&workers, workers[0], 5 * SECOND);
        let words = words_of(|| world.signal_worker(workers[0], Signal::Term));
        assert_contains(&words, &[wanted, "(slot 0, incarnation 1) is no worker any more: there are ["]);
    });
}

#[test]
fn a_number_that_comes_back_is_somebody_else() {
    let body = |world: &mut World<'_>| {
        let before = world.expect_workers(3, 5 * SECOND);
        world.signal_worker(before[1], Signal::Kill);
        let after = world.expect_replaced(&before, before[1], 5 * SECOND);
        let numbers: Vec<_> = after.iter().map(harness::world::Who::pid).collect();
        assert_eq!(numbers, [before[0].pid(), before[2].pid(), before[1].pid()]);
        let words = words_of(|| world.signal_worker(before[1], Signal::Kill));
        assert_contains(&words, &["is no worker any more"]);
        world.pass(SECOND);
        assert_eq!(world.workers(), after, "its successor was not meant");
    };
    for seed in 0..SEEDS {
        for run in [run_scripted, run_simulated] {
            let mut sim = machine(seed);
            // The host and its workers have all of them.
            sim.pid_max(6);
            run(&mut sim, app, body);
        }
    }
}

#[test]
fn who_asks_comes_at_once() {
    simulated(|world| world.ask("echo", b"hello", b"hello", 100 * MS));
}

#[test]
fn an_answer_may_take_as_long_as_the_bound() {
    simulated(|world| world.ask("echo", LATER, LATER, 20 * SECOND));
    let mut sim = machine(0);
    sim.host(app);
    let begun = sim.now();
    let mut world = World::simulated(&mut sim);
    let words = words_of(|| world.ask("echo", b"he", b"hello", 3 * SECOND));
    assert_eq!(words, "`echo` is to answer \"hello\", and has answered \"he\": no more within 3s");
    assert_eq!(sim.now().since(begun), 3 * SECOND, "and no longer");
}

#[test]
fn another_answer_is_told_with_its_words() {
    simulated(|world| {
        let words = words_of(|| world.ask("echo", b"hello", b"world", 5 * SECOND));
        assert_eq!(words, "`echo` is to answer \"world\", and has answered \"hello\": that is all");
        let words = words_of(|| world.ask("nobody", b"hello", b"hello", SECOND));
        assert_eq!(words, "listener `nobody` is not bound after 1s");
    });
}

#[test]
fn stand_ins_are_not_asked() {
    run_scripted(&mut machine(0), app, |world| world.ask("nobody", b"hello", b"world", SECOND));
}

#[test]
fn a_host_that_does_not_end_is_waited_for_once() {
    let mut sim = machine(0);
    sim.host(app);
    let begun = sim.now();
    let words = words_of(|| World::simulated(&mut sim).expect_end(SECOND));
    assert_contains(&words, &["the host has not ended after 1s: [\"`host` is waiting"]);
    assert_eq!(sim.now().since(begun), SECOND);
}

#[test]
fn an_end_is_told_with_its_status() {
    for (signal, status) in [(Signal::Quit, Some(0)), (Signal::Kill, None)] {
        each(|world| {
            world.expect_workers(3, 5 * SECOND);
            world.signal(signal);
            assert_eq!(world.expect_end(60 * SECOND), status);
            assert_eq!(world.workers(), []);
        });
    }
}

#[test]
fn each_fleet_is_changed_and_the_rest_is_not() {
    let fleet = |name| Fleet::new(name).workers(1).run(|_| Ok(()));
    let app = move || {
        let mut workers = 1;
        let change = |fleet: Fleet| {
            workers += 1;
            fleet.workers(workers)
        };
        App::new("app").fleet(fleet("first")).fleet(fleet("second")).each_fleet(change).fleet(fleet("later"))
    };
    let mut sim = machine(0);
    sim.host(app);
    sim.run_for(MS);
    let wanted = ["first", "second", "later"].map(|name| sim.fleet(name).unwrap().wanted);
    assert_eq!(wanted, [2, 3, 1]);
}
