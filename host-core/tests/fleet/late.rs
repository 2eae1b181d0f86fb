//! Facts that come late, twice, or about nobody.

use crate::rig::*;
use host_core::config::HostConfig;
use host_core::event::Event;
use host_core::sys::Signal;

#[test]
fn late_facts_about_an_old_incarnation_are_ignored() {
    let mut rig = Rig::up(workers(1));
    rig.tell(exits("a0.1", 1));
    rig.tell(born("a0.2"));
    let before = rig.host.clone();
    for row in [
        exits("a0.1", 1),
        born("a0.1"),
        unborn("a0.1"),
        ready("a0.1"),
        enough("a0.1"),
        scribbles("a0.1"),
        unsent("a0.1", Signal::Kill, host_core::sys::Errno::ACCES),
        stopped("a0.1"),
        continued("a0.1"),
        // And facts about one who will be.
        exits("a0.3", 1),
        ready("a0.3"),
        born("a0.3"),
        // And in a slot that nobody has sat in yet.
        exits("a7.1", 1),
        ready("a7.1"),
        born("a7.1"),
    ] {
        assert_eq!(rig.tell(row), "");
    }
    assert_eq!(rig.host, before);
}

#[test]
fn what_is_told_twice_counts_once() {
    let mut rig = Rig::started(workers(1));
    rig.play([
        (born("a0.1"), ""),
        (born("a0.1"), ""),
        (unborn("a0.1"), ""),
        (all([waits("a0.1"), ready("a0.1"), ready("a0.1")]), ""),
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (exits("a0.1", 1), ""),
        (unborn("a0.2"), "unborn a0.2"),
        (unborn("a0.2"), ""),
        (born("a0.2"), ""),
    ]);
}

#[test]
fn a_needless_tick_changes_nothing() {
    let mut rig = Rig::up(workers(2));
    rig.play([(busy("a0.1"), ""), (after(50 * MS), "")]);
    let before = rig.host.clone();
    rig.play([(tick(), ""), (tick(), "")]);
    assert_eq!(rig.host, before);
}

#[test]
fn a_fact_that_comes_after_a_deadline_and_before_its_tick_is_heard_first() {
    let config = HostConfig { poll_period: Some(50 * MS), ..workers(1) };
    let mut rig = Rig::up(config);
    rig.play([
        (next(), "period in 50"),
        (late(60 * MS), ""),
        (scribbles("a0.1"), "garbled a0.1 9x3"),
        (tick(), ""),
        (next(), "look a in 40+"),
    ]);
}

#[test]
fn a_worker_that_dies_before_it_is_known_to_be_born_is_heard_of_in_order() {
    // A driver tells the birth first: the death comes in a later wake.
    let mut rig = Rig::started(workers(1));
    rig.play([
        (exits("a0.1", 1), ""),
        (born("a0.1"), ""),
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
    ]);
}

#[test]
fn an_extension_of_a_worker_that_boots_is_read_and_judged_by_nobody() {
    let mut rig = Rig::started(workers(1));
    rig.play([
        (born("a0.1"), ""),
        (extends("a0.1", 5_000 * MS), "read a"),
        (beats("a"), "extended a0.1 to 5000"),
        (next(), "boot a0.1 in 1000"),
    ]);
}

#[test]
fn nothing_follows_the_end() {
    let mut rig = Rig::started(host([]));
    rig.play([
        (signal(Signal::Term), ""),
        (tick(), "stopping TERM, end on signal, stopped, finish Stopped"),
        (signal(Signal::Term), ""),
        (stop(), ""),
        (drain(), ""),
        (breaks(), ""),
        (Row::Fact(Event::StrangerReaped { pid: host_core::sys::Pid(7) }), ""),
        (tick(), ""),
    ]);
}
