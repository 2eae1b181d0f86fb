//! Workers that hang, and workers that do not and were killed all the same.

use crate::naive::Flaw;
use crate::{MS, SECOND, Stage, exhibit};
use harness::{Class, Faults, Scripted};
use host_core::sys::Signal;

/// The same workers as before.
fn nobody_dies_in(stage: &mut Stage, duration: std::time::Duration) {
    let before = stage.who();
    stage.run(duration);
    stage.are_still(&before);
}

/// einhorn #72, gunicorn #2695: what only waits for deaths never finds who is stuck.
#[test]
fn a_worker_that_is_stuck_lives_for_ever() {
    exhibit(Flaw::WatchesDeathsOnly, &["2 of 3 serve, and 3 are to", "hung_since: Some"], |stage| {
        stage.sim.play(Scripted::of("echo").slot(1).incarnations(1..=1).hang_at(2 * SECOND));
        stage.begin();
        stage.run(20 * SECOND);
        stage.serve(3);
    });
}

/// gunicorn #720, #2196: a worker that has never given a sign of life is not judged by it.
#[test]
fn a_worker_that_never_beats_is_never_missed() {
    exhibit(Flaw::TrustsTheSilent, &["2 of 3 serve, and 3 are to"], |stage| {
        stage.sim.play(Scripted::of("echo").slot(1).incarnations(1..=1).never_ready());
        stage.begin();
        stage.run(10 * SECOND);
        stage.serve(3);
    });
}

/// puma #814: whoever boots is judged as whoever serves, and those that take long are killed in their boot for ever.
#[test]
fn a_slow_boot_is_taken_for_a_hang() {
    exhibit(Flaw::BootIsHang, &["were born, more than 3"], |stage| {
        stage.sim.play(Scripted::of("echo").boot_for(1500 * MS));
        stage.begin();
        stage.run(10 * SECOND);
        stage.were_born(3);
        stage.serve(3);
    });
}

/// gunicorn #2196 (two clocks, one file), S2: the successor is judged by what its predecessor has left behind.
#[test]
fn a_successor_is_killed_for_the_silence_of_its_predecessor() {
    exhibit(Flaw::ReadsPredecessor, &["were born, more than 4"], |stage| {
        stage.sim.play(Scripted::of("echo").slot(1).boot_for(1500 * MS));
        stage.begin();
        stage.run(5 * SECOND);
        stage.signal_worker(1, Signal::Kill);
        stage.run(20 * SECOND);
        stage.were_born(4);
        stage.serve(3);
    });
}

/// gunicorn #1682, supervisord #1043, circus, einhorn: somebody sets the clock, and all workers are late.
#[test]
fn a_jump_of_the_wall_clock_kills_the_healthy() {
    exhibit(Flaw::WallClock, &["somebody was replaced"], |stage| {
        stage.begin();
        stage.run(SECOND);
        let before = stage.who();
        stage.sim.faults(Faults::only(&[Class::WallJump]));
        stage.run(30 * SECOND);
        stage.are_still(&before);
    });
}

/// The same the other way round: the clock is set back, and who hangs is young for years.
#[test]
fn a_jump_of_the_wall_clock_saves_who_hangs() {
    exhibit(Flaw::WallClock, &["2 of 3 serve, and 3 are to", "hung_since: Some"], |stage| {
        // Somebody hangs about half of the time, and the clock is set time and again, so that some jump comes meanwhile.
        stage.sim.play(Scripted::of("echo").slot(2).incarnations(1..=12).hang_at(1500 * MS));
        stage.begin();
        stage.sim.faults(Faults::only(&[Class::WallJump]));
        for _ in 0..10 {
            stage.run(3 * SECOND);
        }
        stage.sim.heal();
        stage.run(60 * SECOND);
        stage.serve(3);
    });
}

/// gunicorn #76; PF-C24: a machine that was suspended wakes, and everybody was silent for an hour.
#[test]
fn all_are_killed_when_a_machine_wakes() {
    exhibit(Flaw::JudgesAfterSuspend, &["somebody was replaced"], |stage| {
        stage.begin();
        stage.run(3 * SECOND);
        let before = stage.who();
        stage.signal(Signal::Stop);
        for slot in 0..3 {
            stage.signal_worker(slot, Signal::Stop);
        }
        stage.run(60 * SECOND);
        stage.signal(Signal::Cont);
        // Whoever wakes first finds the others asleep.
        stage.run(5 * MS);
        for slot in 0..3 {
            stage.signal_worker(slot, Signal::Cont);
        }
        stage.run(5 * SECOND);
        stage.are_still(&before);
    });
}

/// gunicorn #1886: signs of life that come once a timeout are as often late as in time.
#[test]
fn who_beats_once_a_timeout_is_late_now_and_then() {
    exhibit(Flaw::BeatsEachThreshold, &["somebody was replaced"], |stage| {
        stage.begin();
        stage.run(SECOND);
        nobody_dies_in(stage, 60 * SECOND);
    });
}

/// uwsgi #365, #480: the one that is killed for its silence has nothing to do.
#[test]
fn the_idle_are_taken_for_hung() {
    exhibit(Flaw::BeatsOnlyWhenServing, &["somebody was replaced"], |stage| {
        stage.begin();
        stage.run(500 * MS);
        nobody_dies_in(stage, 30 * SECOND);
    });
}

/// PF-C32, gunicorn #508: half of a timeout of 1 is 0, and the supervisor never rests.
#[test]
fn a_supervisor_looks_without_waiting() {
    exhibit(Flaw::LooksWithoutWaiting, &["S34", "without waiting, and had nothing"], |stage| {
        stage.begin();
        stage.run(2 * SECOND);
    });
}
