//! Workers that cannot confine themselves: young deaths with a cause.

use crate::rig::*;
use host_core::fleet::config::Restart;
use host_core::sys::{ConfineError, Errno, Step};

const UNCONFINED: u8 = host_core::error::exit::UNCONFINED;

#[test]
fn a_worker_that_cannot_be_confined_is_told_of_and_its_death_keeps_the_cause() {
    let mut rig = Rig::fresh(workers(1));
    rig.play([
        (start(), "spawn a0.1"),
        (born("a0.1"), ""),
        (unconfined("a0.1"), "unconfined a0.1 setuid"),
        // Whoever repeats it is heard once.
        (unconfined("a0.1"), ""),
        (exits("a0.1", UNCONFINED), "died a0.1 77 unasked, spawn a0.2"),
    ]);
    let cause = ConfineError { step: Step::User, errno: Errno::PERM };
    assert_eq!(rig.last_death().unconfined, Some(cause));
    assert_eq!(rig.last_death().ready_for, None);
}

#[test]
fn who_fails_in_it_again_and_again_is_tried_with_backoff() {
    let mut rig = Rig::fresh(workers(1));
    rig.play([(start(), "spawn a0.1"), (born("a0.1"), ""), (unconfined("a0.1"), "unconfined a0.1 setuid")]);
    rig.play([
        (exits("a0.1", UNCONFINED), "died a0.1 77 unasked, spawn a0.2"),
        (born("a0.2"), ""),
        (unconfined("a0.2"), "unconfined a0.2 setuid"),
        (exits("a0.2", UNCONFINED), "died a0.2 77 unasked, rest a0 x2"),
    ]);
}

#[test]
fn a_policy_by_status_may_give_it_up() {
    let mut rig = Rig::fresh(with(1, |fleet| fleet.restart_by_status = vec![(UNCONFINED, Restart::Never)]));
    rig.play([
        (start(), "spawn a0.1"),
        (born("a0.1"), ""),
        (unconfined("a0.1"), "unconfined a0.1 setuid"),
        (exits("a0.1", UNCONFINED), "died a0.1 77 unasked, retired a0"),
    ]);
}

#[test]
fn one_that_is_ready_was_confined_and_nobody_else_is_known() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (unconfined("a0.1"), ""),
        (exits("a0.1", 9), "died a0.1 9 unasked, spawn a0.2"),
        (unconfined("a0.1"), ""),
    ]);
    assert_eq!(rig.last_death().unconfined, None);
}
