//! Workers that have more memory than they may: replaced in advance, as those that have served enough.

use crate::rig::*;
use host_core::config::HostConfig;
use host_core::fleet::memory::MemoryBound;
use host_core::sys::{Errno, Signal};

/// At most 100 bytes each, looked at each 30 ms.
fn bounded(workers: u32) -> HostConfig {
    with(workers, |fleet| {
        fleet.memory = MemoryBound { max: Some(100), period: 30 * MS, ..MemoryBound::default() };
    })
}

/// Time jumps to the next deadline, which is a sample.
fn sample() -> (Row, &'static str) {
    (at_deadline(), "sample a")
}

#[test]
fn without_a_bound_nobody_looks() {
    let mut rig = Rig::up(workers(2));
    rig.play([(next(), "look a in 100+"), (look(), "read a"), (next(), "look a in 100+")]);
}

#[test]
fn one_that_has_too_much_is_asked_to_leave_when_its_replacement_is_ready_and_not_before() {
    let mut rig = Rig::up(bounded(2)).loud();
    rig.play([
        (next(), "sample a in 30"),
        sample(),
        (memory([("a0.1", Ok(100)), ("a1.1", Ok(7))]), ""),
        (next(), "sample a in 30"),
        sample(),
        (memory([("a0.1", Ok(101)), ("a1.1", Ok(7))]), "large a0.1 101, spawn a2.1"),
        (born("a2.1"), "created a2.1 10201"),
        sample(),
        // It is told once, and one that boots is not judged.
        (memory([("a0.1", Ok(102)), ("a1.1", Ok(7)), ("a2.1", Ok(500))]), ""),
        (all([waits("a2.1"), ready("a2.1")]), "ready a2.1 30, signal a0.1 QUIT, asked a0.1 QUIT TooLarge"),
        (exits("a0.1", 0), "died a0.1 0 TooLarge"),
    ]);
    let status = rig.status();
    let figures: Vec<_> = status.workers.iter().map(|worker| worker.memory).collect();
    assert_eq!(figures, [Some(7), Some(500)]);
}

#[test]
fn no_more_of_them_are_replaced_at_once_than_the_surge_allows_and_none_while_somebody_is_missing() {
    let mut rig = Rig::up(bounded(3));
    rig.play([
        sample(),
        (
            memory([("a0.1", Ok(200)), ("a1.1", Ok(300)), ("a2.1", Ok(7))]),
            "large a0.1 200, large a1.1 300, spawn a3.1",
        ),
        (born("a3.1"), ""),
        (killed("a2.1"), "died a2.1 KILL unasked, spawn a2.2"),
        (all([waits("a3.1"), ready("a3.1")]), ""),
        (born("a2.2"), ""),
        (all([waits("a2.2"), ready("a2.2")]), "signal a0.1 QUIT, spawn a4.1"),
        (born("a4.1"), ""),
        (all([waits("a4.1"), ready("a4.1")]), "signal a1.1 QUIT"),
    ]);
}

#[test]
fn those_that_were_read_wait_for_their_share_of_the_period_and_the_others_for_less() {
    let mut rig = Rig::up(bounded(3)).loud();
    rig.play([
        sample(),
        (memory([("a0.1", Ok(7))]), ""),
        (next(), "sample a in 10"),
        sample(),
        (memory([("a1.1", Ok(7)), ("a2.1", Ok(7))]), ""),
        (next(), "sample a in 20"),
        sample(),
        // Nobody was there to be read, by the time that the order was carried out.
        (memory([]), ""),
        (next(), "sample a in 10"),
    ]);
}

#[test]
fn a_look_that_takes_its_time_is_taken_as_much_less_often_if_that_is_usual() {
    let mut config = bounded(1);
    // Nobody looks at beats meanwhile.
    config.fleets[0].heartbeat_timeout = 100 * 3600 * 1000 * MS;
    let mut rig = Rig::up(config).loud();
    let slow = || (all([Row::Through(MS), memory([("a0.1", Ok(7))])]), "");
    rig.play([
        sample(),
        slow(),
        (next(), "sample a in 30"),
        sample(),
        slow(),
        (next(), "sample a in 1000"),
        sample(),
        (memory([("a0.1", Ok(7))]), ""),
        (next(), "sample a in 30"),
        sample(),
        // A host that was stopped for an hour looks again in a minute at the latest.
        (all([Row::Through(3_600_000 * MS), memory([("a0.1", Ok(7))])]), ""),
        (next(), "sample a in 30"),
        sample(),
        (all([Row::Through(3_600_000 * MS), memory([("a0.1", Ok(7))])]), ""),
        (next(), "sample a in 60000"),
    ]);
}

#[test]
fn one_that_has_served_enough_and_has_too_much_is_replaced_once() {
    let mut rig = Rig::up(bounded(2));
    rig.play([
        (enough("a0.1"), "spawn a2.1"),
        sample(),
        (memory([("a0.1", Ok(200)), ("a1.1", Ok(7))]), "large a0.1 200"),
        (born("a2.1"), ""),
        (all([waits("a2.1"), ready("a2.1")]), "signal a0.1 QUIT"),
        (exits("a0.1", 0), "died a0.1 0 TooLarge"),
    ]);
}

#[test]
fn what_cannot_be_read_is_told_once_until_it_can_be_and_nobody_is_replaced_for_it() {
    let mut rig = Rig::up(bounded(1));
    let short = Err(Errno::MFILE);
    rig.play([
        sample(),
        (memory([("a0.1", short)]), "unread a0.1 EMFILE"),
        sample(),
        (memory([("a0.1", short)]), ""),
        sample(),
        (memory([("a0.1", Ok(7))]), ""),
        (Row::Through(20 * MS), ""),
        sample(),
        (memory([("a0.1", short)]), "unread a0.1 EMFILE"),
        (Row::Through(20 * MS), ""),
        sample(),
        // It has ended meanwhile.
        (memory([("a0.1", Err(Errno::SRCH))]), ""),
    ]);
}

#[test]
fn nobody_looks_while_nobody_serves_and_a_late_answer_changes_nothing() {
    let mut rig = Rig::up(bounded(1));
    rig.play([
        (all([signal(Signal::Winch), tick()]), "wanted a 0, signal a0.1 QUIT"),
        (all([exits("a0.1", 0), tick()]), "died a0.1 0 Surplus"),
        (Row::Through(90_000 * MS), ""),
        (next(), "never"),
        (all([signal(Signal::Winch), tick()]), "wanted a 1, spawn a0.2"),
        (all([born("a0.2"), waits("a0.2"), ready("a0.2"), tick()]), ""),
        sample(),
        (killed("a0.2"), "died a0.2 KILL unasked, spawn a0.3"),
        (memory([("a0.2", Ok(200))]), ""),
        (drain(), "draining"),
        (born("a0.3"), "signal a0.3 QUIT"),
        (memory([("a0.3", Ok(200))]), ""),
    ]);
}
