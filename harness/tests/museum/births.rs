//! Births that are too many, too few, or never tried again.

use crate::naive::Flaw;
use crate::{MS, SECOND, Stage, exhibit};
use harness::{Class, Faults, Scripted};
use host_core::sys::Signal;

/// Half a minute in which a worker dies each second, and now and then forks fail.
fn while_forks_fail(stage: &mut Stage) {
    stage.sim.faults(Faults::only(&[Class::ForkFailure]));
    for _ in 0..30 {
        if let Some(worker) = stage.workers().first() {
            stage.sim.signal_worker(worker.pid, Signal::Kill);
        }
        stage.run(SECOND);
    }
    stage.sim.heal();
}

/// gunicorn #2504, #1663, puma #187, einhorn #2; PF-C30: whoever cannot start is started as fast as it dies.
#[test]
fn a_crash_at_boot_is_a_storm_of_forks() {
    exhibit(Flaw::NoBackoff, &["births in a minute"], |stage| {
        stage.sim.play(Scripted::of("echo").exit_after(MS, 1));
        stage.begin();
        stage.run(60 * SECOND);
        stage.lives();
        assert!(stage.sim.births() < 300, "{} births in a minute", stage.sim.births());
    });
}

/// supervisord #509, pm2 #1378, L6: after a few crashes a slot is given up, and what made them crash was mended
/// an hour ago.
#[test]
fn a_slot_that_was_given_up_stays_empty() {
    exhibit(Flaw::GivesUp, &["0 of 0 serve, and 3 are to"], |stage| {
        stage.sim.play(Scripted::of("echo").incarnations(1..=8).exit_after(MS, 1));
        stage.begin();
        stage.run(300 * SECOND);
        stage.serve(3);
    });
}

/// circus #965: those who end because they were asked to are counted as crashes.
#[test]
fn an_operators_stop_is_counted_as_a_crash() {
    exhibit(Flaw::AskedIsCrash, &["2 of 2 serve, and 3 are to"], |stage| {
        stage.begin();
        stage.run(2 * SECOND);
        for _ in 0..10 {
            stage.signal(Signal::Ttou);
            stage.run(300 * MS);
            stage.signal(Signal::Ttin);
            stage.run(300 * MS);
        }
        stage.run(20 * SECOND);
        stage.serve(3);
    });
}

/// gunicorn #3004, forkd #304: the system refuses a fork, and that is an exception like any other.
#[test]
fn a_fork_that_fails_ends_the_supervisor() {
    exhibit(Flaw::ForkFailureIsFatal, &["S38", "the host ended with exit status 1"], |stage| {
        stage.begin();
        stage.run(SECOND);
        while_forks_fail(stage);
        stage.run(30 * SECOND);
        stage.lives();
        stage.serve(3);
    });
}

/// circus #979, granian #148, puma #3596: the system refuses a fork, and nobody tries again.
#[test]
fn a_slot_whose_fork_has_failed_stays_empty() {
    exhibit(Flaw::ForkFailureIsForGood, &["0 of 0 serve, and 3 are to"], |stage| {
        stage.begin();
        stage.run(SECOND);
        while_forks_fail(stage);
        stage.run(60 * SECOND);
        stage.serve(3);
    });
}

/// supervisord #487, circus #1154: while it rests before the next attempt, it hears nothing.
#[test]
fn a_supervisor_that_rests_hears_nothing() {
    exhibit(Flaw::SleepsInLoop, &["it has not ended after 1s"], |stage| {
        stage.sim.play(Scripted::of("echo").slot(0).exit_after(MS, 1));
        stage.begin();
        stage.run(30 * SECOND);
        stage.signal(Signal::Term);
        stage.ends_within(SECOND);
    });
}

/// PF-C23: five times one less of three is minus two, and then one more is none.
#[test]
fn fewer_than_none_are_wanted() {
    exhibit(Flaw::CountsBelowNone, &["0 of 0 serve, and 1 are to"], |stage| {
        stage.begin();
        stage.run(SECOND);
        for _ in 0..5 {
            stage.signal(Signal::Ttou);
            stage.run(200 * MS);
        }
        stage.signal(Signal::Ttin);
        stage.run(5 * SECOND);
        stage.serve(1);
    });
}
