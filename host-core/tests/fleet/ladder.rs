//! How one worker is ended: harder each time, and at most once on each rung.

use crate::rig::*;
use host_core::fleet::config::SoftSignal;
use host_core::fleet::death::Intent;
use host_core::sys::{Errno, ExitStatus, Signal};

fn soft(count: u32) -> host_core::config::HostConfig {
    let signal = SoftSignal { signal: Signal::Abrt, grace: 20 * MS };
    with(count, |fleet| fleet.soft_signal = Some(signal))
}

#[test]
fn a_late_worker_gets_the_soft_signal_and_after_its_grace_the_kill() {
    let mut rig = Rig::up(soft(1)).loud();
    rig.play([
        (busy("a0.1"), ""),
        (look(), "read a, late a0.1 100+, signal a0.1 ABRT, softened a0.1 ABRT"),
        (next(), "grace a0.1 in 20"),
        (after(20 * MS - NS), ""),
        (after(NS), "signal a0.1 KILL, killed a0.1 Hung"),
        (next(), "never"),
        (killed("a0.1"), "died a0.1 KILL Hung killed, spawn a0.2"),
    ]);
}

#[test]
fn a_late_worker_that_leaves_by_the_soft_signal_is_not_killed() {
    let mut rig = Rig::up(soft(1));
    rig.play([
        (busy("a0.1"), ""),
        (look(), "read a, late a0.1 100+, signal a0.1 ABRT"),
        (after(19 * MS), ""),
        (dies("a0.1", Signal::Abrt), "died a0.1 ABRT Hung, spawn a0.2"),
        (next(), "never"),
    ]);
    let death = rig.last_death();
    assert_eq!((death.intent, death.killed), (Some(Intent::Hung), false));
}

#[test]
fn a_worker_that_is_not_ready_in_time_gets_the_soft_signal_too() {
    let mut rig = Rig::started(soft(1));
    rig.play([
        (born("a0.1"), ""),
        (at_deadline(), "signal a0.1 ABRT"),
        (at_deadline(), "signal a0.1 KILL"),
        (killed("a0.1"), "died a0.1 KILL NotReady killed, spawn a0.2"),
    ]);
}

#[test]
fn s11_a_second_verdict_about_the_same_worker_is_none() {
    let mut rig = Rig::up(soft(2));
    rig.play([
        (busy("a0.1"), ""),
        (look(), "read a, late a0.1 100+, signal a0.1 ABRT"),
        (extends("a1.1", MS), "read a"),
        (beats("a"), "extended a1.1 to 101+"),
        (after(20 * MS), "signal a0.1 KILL"),
        (extends("a1.1", MS), "read a"),
        (beats("a"), "extended a1.1 to 121+"),
        // Not even one that is asked to leave with all others.
        (signal(Signal::Quit), "draining QUIT, signal a1.1 QUIT"),
        (signal(Signal::Term), "signal a1.1 TERM"),
        (signal(Signal::Term), "signal a1.1 KILL"),
        (signal(Signal::Term), ""),
    ]);
}

#[test]
fn a_beat_after_the_verdict_comes_too_late() {
    let mut rig = Rig::up(soft(1));
    rig.play([
        (busy("a0.1"), ""),
        (look(), "read a, late a0.1 100+, signal a0.1 ABRT"),
        (waits("a0.1"), ""),
        (beats("a"), ""),
        (at_deadline(), "signal a0.1 KILL"),
    ]);
}

#[test]
fn a_worker_that_was_asked_to_quit_is_killed_after_the_drain_timeout_and_no_earlier() {
    let mut rig = Rig::up(workers(1)).loud();
    rig.play([
        (resize("a", 0), "wanted a 0, signal a0.1 QUIT, asked a0.1 QUIT Surplus"),
        (look(), "read a"),
        (next(), "grace a0.1 in 399.999999ms"),
        (at_deadline(), "signal a0.1 KILL, killed a0.1 Surplus"),
        (tick(), ""),
        (killed("a0.1"), "died a0.1 KILL Surplus killed"),
    ]);
    assert_eq!(rig.last_death().lived, 500 * MS);
}

#[test]
fn k5_a_worker_that_is_known_to_be_stopped_is_killed_where_others_are_terminated() {
    let mut rig = Rig::up(workers(3));
    rig.play([
        (
            all([stopped("a0.1"), stopped("a1.1"), continued("a1.1")]),
            "stopped a0.1, stopped a1.1, continued a1.1",
        ),
        (signal(Signal::Term), "signal a0.1 KILL, signal a1.1 TERM, signal a2.1 TERM"),
    ]);
    // Its QUIT waits for it: it may be continued in time.
    let mut rig = Rig::up(workers(1));
    rig.play([
        (stopped("a0.1"), "stopped a0.1"),
        (signal(Signal::Quit), "draining QUIT, signal a0.1 QUIT"),
        (signal(Signal::Term), "signal a0.1 KILL"),
    ]);
}

#[test]
fn a_drain_that_would_have_ended_sooner_still_does_when_the_worker_is_terminated() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (signal(Signal::Quit), "draining QUIT, signal a0.1 QUIT"),
        (Row::Through(480 * MS), ""),
        (signal(Signal::Term), "signal a0.1 TERM"),
        (next(), "grace a0.1 in 20"),
        (at_deadline(), "signal a0.1 KILL"),
    ]);
    // And one that would have ended later ends by the term timeout.
    let mut rig = Rig::up(workers(1));
    rig.play([
        (signal(Signal::Quit), "draining QUIT, signal a0.1 QUIT"),
        (signal(Signal::Term), "signal a0.1 TERM"),
        (next(), "grace a0.1 in 50"),
    ]);
}

#[test]
fn l4_a_stop_waits_no_longer_for_a_worker_that_leaves_evidence_than_for_any_other() {
    let signal_and_grace = SoftSignal { signal: Signal::Abrt, grace: 9_000 * MS };
    let mut rig = Rig::up(with(1, |fleet| fleet.soft_signal = Some(signal_and_grace)));
    rig.play([
        (busy("a0.1"), ""),
        (look(), "read a, late a0.1 100+, signal a0.1 ABRT"),
        (signal(Signal::Term), ""),
        (next(), "grace a0.1 in 50"),
        (after(50 * MS), "signal a0.1 KILL"),
    ]);
}

#[test]
fn a_signal_that_cannot_be_sent_is_told_unless_its_worker_has_ended() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (unsent("a0.1", Signal::Kill, Errno::SRCH), ""),
        (unsent("a0.1", Signal::Kill, Errno::ACCES), "unsent a0.1 KILL EACCES"),
        (exits("a0.1", 0), "died a0.1 0 unasked, spawn a0.2"),
        (unsent("a0.1", Signal::Kill, Errno::ACCES), ""),
    ]);
}

#[test]
fn k9_s12_a_kill_that_lost_its_race_is_remembered_with_the_exit_that_won() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (busy("a0.1"), ""),
        (look(), "read a, late a0.1 100+, signal a0.1 KILL"),
        (exits("a0.1", 0), "died a0.1 0 Hung killed, spawn a0.2"),
    ]);
    let death = rig.last_death();
    assert_eq!((death.intent, death.status, death.killed), (Some(Intent::Hung), ExitStatus::Code(0), true));
    assert_eq!(death.beat_age, Some(100 * MS + NS));
}

#[test]
fn s22_whoever_exits_after_it_was_asked_has_not_crashed() {
    for (name, row, words) in [
        ("well", exits("a0.1", 0), "died a0.1 0 Surplus"),
        ("ill", exits("a0.1", 70), "died a0.1 70 Surplus"),
        ("by a signal of somebody else", dies("a0.1", Signal::Segv), "died a0.1 SEGV Surplus"),
    ] {
        let mut rig = Rig::up(with(2, |fleet| fleet.restart_budget = budget(1, 1_000 * MS)));
        rig.play([(resize("a", 1), "wanted a 1, signal a0.1 QUIT")]);
        assert_eq!(rig.tell(row), words, "{name}");
        // The slot is as good as new.
        rig.play([
            (resize("a", 2), "wanted a 2, spawn a0.2"),
            (born("a0.2"), ""),
            (exits("a0.2", 1), "died a0.2 1 unasked, spawn a0.3"),
        ]);
    }
}

#[test]
fn a_worker_that_is_condemned_goes_before_any_healthy_one_when_fewer_are_wanted() {
    let mut rig = Rig::up(soft(2));
    rig.play([
        (all([busy("a0.1"), look()]), "read a, late a0.1 100+, signal a0.1 ABRT"),
        (signal(Signal::Ttou), "wanted a 1"),
        (dies("a0.1", Signal::Abrt), "died a0.1 ABRT Hung"),
        (signal(Signal::Ttou), "wanted a 0, signal a1.1 QUIT"),
    ]);
    // And is replaced when more are wanted again.
    let mut rig = Rig::up(soft(2));
    rig.play([
        (all([busy("a0.1"), look()]), "read a, late a0.1 100+, signal a0.1 ABRT"),
        (signal(Signal::Ttou), "wanted a 1"),
        (signal(Signal::Ttin), "wanted a 2"),
        (signal(Signal::Ttin), "wanted a 3, spawn a2.1"),
        (dies("a0.1", Signal::Abrt), "died a0.1 ABRT Hung, spawn a0.2"),
    ]);
}
