//! Deaths that are not heard of, or heard of twice.

use crate::naive::Flaw;
use crate::{MS, SECOND, exhibit};
use harness::Scripted;
use host_core::sys::Signal;

/// gunicorn #2564, thin-prefork (TP): three deaths are one CHLD (K1), and one call collects one.
#[test]
fn of_several_deaths_at_once_one_is_heard_of() {
    exhibit(Flaw::OneReapPerSignal, &["S14", "`worker 1.1` is dead"], |stage| {
        stage.begin();
        stage.run(2 * SECOND);
        for slot in 0..3 {
            stage.signal_worker(slot, Signal::Kill);
        }
        stage.run(5 * SECOND);
        stage.serve(3);
    });
}

/// gunicorn #2021, puma #3255: process 1 of a container inherits a zombie that it does not know.
#[test]
fn a_zombie_of_somebody_else_ends_the_supervisor() {
    exhibit(Flaw::DiesOfStrangers, &["S38", "the host ended with exit status 1"], |stage| {
        stage.begin();
        stage.run(SECOND);
        stage.sim.adopt_stranger();
        stage.run(SECOND);
        stage.lives();
        stage.signal_worker(0, Signal::Kill);
        stage.run(5 * SECOND);
        stage.serve(3);
        assert_eq!(stage.sim.children(), 3);
    });
}

/// granian #148, uwsgi #110: who was killed is struck off the list, and stays a zombie.
#[test]
fn the_killed_are_never_buried() {
    exhibit(Flaw::ForgetsTheKilled, &["S14", "`worker 1.1` is dead"], |stage| {
        stage.sim.play(Scripted::of("echo").slot(1).incarnations(1..=1).hang_at(2 * SECOND));
        stage.begin();
        stage.run(20 * SECOND);
        stage.serve(3);
        assert_eq!(stage.sim.children(), 3);
    });
}

/// bazel #11910, psutil #2400, pitchfork #632 and #878: the number that is killed is somebody else's by then.
#[test]
fn a_number_that_was_used_again_is_killed() {
    exhibit(Flaw::KillsByNumber, &["somebody was replaced"], |stage| {
        // With the supervisor and three workers, none is free but that of who has just gone.
        stage.sim.pid_max(6);
        stage.begin();
        stage.run(2 * SECOND);
        stage.signal(Signal::Ttou);
        stage.run(SECOND);
        stage.serve(2);
        stage.signal(Signal::Ttin);
        stage.run(500 * MS);
        stage.serve(3);
        let before = stage.who();
        stage.run(10 * SECOND);
        stage.are_still(&before);
    });
}

/// uwsgi #2324, circus #776: while one is waited for that does not end, nobody looks after the others.
#[test]
fn everybody_waits_for_one_that_does_not_end() {
    exhibit(Flaw::WaitsForTheAsked, &["1 of 3 serve, and 3 are to"], |stage| {
        let deaf = Scripted::of("echo").slot(0).incarnations(1..=1).hang_at(2 * SECOND).ignore_term();
        stage.sim.play(deaf);
        stage.begin();
        stage.run(6 * SECOND);
        stage.signal_worker(1, Signal::Kill);
        stage.run(5 * SECOND);
        stage.serve(3);
    });
}

/// TP: the end of a worker's line is not told while a sibling holds a copy of it (K17).
#[test]
fn a_death_is_not_heard_of_while_a_sibling_holds_the_line() {
    exhibit(Flaw::EndOfLineIsDeath, &["S14", "`worker 0.1` is dead"], |stage| {
        stage.begin();
        stage.run(2 * SECOND);
        stage.signal_worker(0, Signal::Kill);
        stage.run(5 * SECOND);
        stage.serve(3);
    });
}

/// HB, boxlite #1184: a child that was stopped is replaced, and then goes on beside its successor.
#[test]
fn a_stop_is_taken_for_a_death() {
    exhibit(Flaw::StopIsDeath, &["4 of 4 serve, and 3 are to"], |stage| {
        stage.begin();
        stage.run(2 * SECOND);
        stage.signal_worker(0, Signal::Stop);
        stage.run(300 * MS);
        stage.signal_worker(0, Signal::Cont);
        stage.run(2 * SECOND);
        stage.serve(3);
        stage.were_born(3);
    });
}

/// circus #732, TP: each death costs the supervisor a descriptor.
#[test]
fn each_death_costs_a_descriptor() {
    exhibit(Flaw::LeaksLines, &["S23", "descriptors beside two"], |stage| {
        stage.begin();
        stage.run(2 * SECOND);
        let before = stage.sim.host_descriptors();
        for _ in 0..5 {
            stage.signal_worker(1, Signal::Kill);
            stage.run(30 * SECOND);
        }
        stage.serve(3);
        assert_eq!(stage.sim.host_descriptors(), before);
    });
}
