//! Ends that never come, come too early, or leave somebody behind.

use crate::naive::Flaw;
use crate::{MS, SECOND, exhibit};
use harness::{Class, Faults, Scripted};
use host_core::sys::Signal;

/// gunicorn #3; PF-C28, HB, TP: the supervisor is killed, and its workers serve on for ever.
#[test]
fn orphans_live_on() {
    exhibit(Flaw::OrphansStay, &["0 of 3 serve, and 0 are to", "orphaned: true"], |stage| {
        stage.begin();
        stage.run(2 * SECOND);
        stage.sim.expect_end();
        stage.signal(Signal::Kill);
        stage.run(60 * SECOND);
        stage.serve(0);
    });
}

/// HB, unicorn: TERM waits for one that is stopped (K5), and so does everybody.
#[test]
fn a_stopped_worker_keeps_the_supervisor_from_its_end() {
    exhibit(Flaw::NoEscalation, &["it has not ended after 10s"], |stage| {
        stage.begin();
        stage.run(2 * SECOND);
        stage.signal_worker(0, Signal::Stop);
        stage.signal(Signal::Term);
        stage.ends_within(10 * SECOND);
    });
}

/// PF: one that is too many and does not obey stays for ever.
#[test]
fn one_too_many_stays() {
    exhibit(Flaw::NoGraceForSurplus, &["3 of 3 serve, and 2 are to"], |stage| {
        stage.sim.play(Scripted::of("echo").ignore_term());
        stage.begin();
        stage.run(2 * SECOND);
        stage.signal(Signal::Ttou);
        stage.run(10 * SECOND);
        stage.serve(2);
    });
}

/// PF-C27: QUIT takes too long, TERM follows, and nobody reads it.
#[test]
fn a_supervisor_that_stops_gently_is_deaf() {
    exhibit(Flaw::DeafWhileStopping, &["it has not ended after 1.5s"], |stage| {
        stage.sim.play(Scripted::of("echo").ignore_term());
        stage.begin();
        stage.run(2 * SECOND);
        stage.signal(Signal::Quit);
        stage.run(200 * MS);
        stage.signal(Signal::Term);
        stage.ends_within(1500 * MS);
    });
}

/// circus #1155, uwsgi #645: who dies during the stop is replaced.
#[test]
fn the_stop_is_without_end_for_who_ends_is_replaced() {
    exhibit(Flaw::RefillsWhileStopping, &["it has not ended after 10s", "`worker 1.2` is"], |stage| {
        // The others have ended by then.
        stage.sim.play(Scripted::of("echo").slot(0).ignore_term());
        stage.begin();
        stage.run(2 * SECOND);
        stage.signal(Signal::Quit);
        stage.ends_within(10 * SECOND);
        stage.were_born(3);
    });
}

/// gunicorn #3, preforker (PF): the supervisor is gone, and a worker still holds the port.
#[test]
fn a_supervisor_ends_before_its_children() {
    exhibit(
        Flaw::EndsBeforeItsChildren,
        &["S38", "the host ended with exit status 0, and `worker 0.1` was not reaped"],
        |stage| {
            stage.sim.play(Scripted::of("echo").slot(1).ignore_term());
            stage.begin();
            stage.run(2 * SECOND);
            stage.signal(Signal::Term);
            stage.ends_within(10 * SECOND);
            assert_eq!(stage.workers(), []);
        },
    );
}

/// unicorn b3b6b0df, gunicorn #3064: a signal interrupts a call, and that is an error like any other.
#[test]
fn an_interrupted_call_ends_the_supervisor() {
    exhibit(Flaw::InterruptIsFatal, &["S38", "the host ended with exit status 1"], |stage| {
        stage.begin();
        stage.run(SECOND);
        stage.sim.faults(Faults::only(&[Class::Interrupt]));
        stage.run(30 * SECOND);
        stage.lives();
        stage.serve(3);
    });
}
