//! Who gets a successor: the exit policies, and fleets that have done what they were for.

use crate::rig::*;
use host_core::event::Event;
use host_core::fleet::config::Restart;
use host_core::service::kick::Callback::{Connect, Prepare, Receive};
use host_core::sys::{ExitStatus, Signal};

#[test]
fn each_policy_gives_a_successor_to_whom_it_says() {
    let rows = [
        (Restart::Permanent, exits("a0.1", 0), "died a0.1 0 unasked, spawn a0.2"),
        (Restart::Permanent, exits("a0.1", 9), "died a0.1 9 unasked, spawn a0.2"),
        (Restart::Permanent, dies("a0.1", Signal::Segv), "died a0.1 SEGV unasked, spawn a0.2"),
        (Restart::Transient, exits("a0.1", 0), "died a0.1 0 unasked, retired a0"),
        (Restart::Transient, exits("a0.1", 9), "died a0.1 9 unasked, spawn a0.2"),
        (Restart::Transient, dies("a0.1", Signal::Segv), "died a0.1 SEGV unasked, spawn a0.2"),
        (Restart::Never, exits("a0.1", 0), "died a0.1 0 unasked, retired a0"),
        (Restart::Never, exits("a0.1", 9), "died a0.1 9 unasked, retired a0"),
        (Restart::Never, dies("a0.1", Signal::Segv), "died a0.1 SEGV unasked, retired a0"),
    ];
    for (restart, row, words) in rows {
        let mut rig = Rig::up(with(2, |fleet| fleet.restart = restart));
        assert_eq!(rig.tell(row), words, "{restart:?}");
    }
}

#[test]
fn an_exit_status_may_have_a_policy_of_its_own() {
    let config = || {
        with(2, |fleet| {
            fleet.restart = Restart::Transient;
            fleet.restart_by_status = vec![(78, Restart::Never), (0, Restart::Permanent)];
        })
    };
    let rows = [
        (exits("a0.1", 78), "died a0.1 78 unasked, retired a0"),
        (exits("a0.1", 0), "died a0.1 0 unasked, spawn a0.2"),
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
    ];
    for (row, words) in rows {
        assert_eq!(Rig::up(config()).tell(row), words);
    }
}

#[test]
fn a_worker_that_hung_gets_a_successor_by_the_policy_whatever_its_status() {
    for (restart, words) in [
        (Restart::Permanent, "died a0.1 0 Hung killed, spawn a0.2"),
        (Restart::Transient, "died a0.1 0 Hung killed, spawn a0.2"),
        (Restart::Never, "died a0.1 0 Hung killed, retired a0"),
    ] {
        let mut rig = Rig::up(with(2, |fleet| {
            fleet.restart = restart;
            fleet.restart_by_status = vec![(0, Restart::Never)];
        }));
        rig.play([
            (busy("a0.1"), ""),
            (look(), "read a, late a0.1 100+, signal a0.1 KILL"),
            (exits("a0.1", 0), words),
        ]);
    }
}

#[test]
fn one_that_somebody_else_has_reaped_is_replaced_unless_nobody_ever_is() {
    let unknown = || Row::Fact(Event::WorkerExited { worker: w("a0.1"), status: ExitStatus::Unknown });
    for (restart, words) in [
        (Restart::Permanent, "died a0.1 unknown unasked, spawn a0.2"),
        (Restart::Transient, "died a0.1 unknown unasked, spawn a0.2"),
        (Restart::Never, "died a0.1 unknown unasked, retired a0"),
    ] {
        assert_eq!(Rig::up(with(2, |fleet| fleet.restart = restart)).tell(unknown()), words);
    }
}

#[test]
fn who_was_asked_to_leave_leaves_its_slot_to_others() {
    let mut rig = Rig::up(with(1, |fleet| fleet.restart = Restart::Never));
    rig.play([
        (resize("a", 0), "wanted a 0, signal a0.1 QUIT"),
        (exits("a0.1", 0), "died a0.1 0 Surplus"),
        (resize("a", 1), "wanted a 1, spawn a0.2"),
    ]);
}

#[test]
fn a_host_of_nothing_but_retired_slots_has_done_its_work() {
    let mut rig = Rig::up(with(2, |fleet| fleet.restart = Restart::Transient));
    rig.play([
        (exits("a1.1", 0), "died a1.1 0 unasked, retired a1"),
        (tick(), ""),
        (exits("a0.1", 3), "died a0.1 3 unasked, spawn a0.2"),
        (born("a0.2"), ""),
        (exits("a0.2", 0), "died a0.2 0 unasked, retired a0"),
        (tick(), "stopping, end on signal, stopped, finish Stopped"),
    ]);
    let retired: Vec<_> = rig.status().retired.iter().map(|slot| slot.number()).collect();
    assert_eq!(retired, [0, 1]);
}

#[test]
fn a_host_with_services_goes_on_after_its_workers_are_done() {
    let mut rig = Rig::fresh(with(1, |fleet| fleet.restart = Restart::Never));
    rig.play([
        (added(), ""),
        (start(), "connect s0, spawn a0.1"),
        (opened(), ""),
        (returns(Connect), "prepare s0"),
        (returns(Prepare), ""),
        (born("a0.1"), ""),
        (exits("a0.1", 0), "died a0.1 0 unasked, retired a0"),
        (tick(), ""),
    ]);
    assert!(!rig.host.is_ended());
    // Nor does a failure end it twice.
    rig.tell(Row::Fact(Event::Ready {
        socket: host_core::id::SocketId::new(0, 0),
        readiness: host_core::sys::Readiness { readable: true, writable: false, ended: false },
    }));
    assert!(rig.tell(tick()).starts_with("Receive"));
    rig.play([(fails(Receive), "notify s0, close s0, finish ServiceFailed")]);
}

#[test]
fn a_host_is_done_when_all_its_fleets_are_and_not_when_one_is() {
    let mut a = fleet("a", 1);
    a.restart = Restart::Never;
    let mut b = fleet("b", 1);
    b.restart = Restart::Transient;
    let mut rig = Rig::up(host([a, b]));
    rig.play([
        (exits("a0.1", 1), "died a0.1 1 unasked, retired a0"),
        (tick(), ""),
        (exits("b0.1", 0), "died b0.1 0 unasked, retired b0"),
        (tick(), "stopping, end on signal, stopped, finish Stopped"),
    ]);
}

#[test]
fn a_fleet_of_which_nobody_is_wanted_is_not_done() {
    let mut rig = Rig::up(with(1, |fleet| fleet.restart = Restart::Never));
    rig.play([
        (signal(Signal::Winch), "wanted a 0, signal a0.1 QUIT"),
        (exits("a0.1", 0), "died a0.1 0 Surplus"),
        (tick(), ""),
    ]);
    assert!(!rig.host.is_ended());
    // Nor with a slot that stays empty: whoever wants nobody now may want somebody later.
    let mut rig = Rig::up(with(2, |fleet| fleet.restart = Restart::Never));
    rig.play([
        (exits("a0.1", 0), "died a0.1 0 unasked, retired a0"),
        (signal(Signal::Winch), "wanted a 0, signal a1.1 QUIT"),
        (exits("a1.1", 0), "died a1.1 0 Surplus"),
        (tick(), ""),
    ]);
    assert!(!rig.host.is_ended());
    // Nor if as many are wanted then as stay empty.
    rig.play([(signal(Signal::Ttin), "wanted a 1"), (tick(), "")]);
    assert!(!rig.host.is_ended());
    rig.play([
        (signal(Signal::Ttin), "wanted a 2, spawn a1.2"),
        (born("a1.2"), ""),
        // The last that is wanted is done while one that is not wanted any more goes on.
        (signal(Signal::Ttin), "wanted a 3, spawn a2.1"),
        (all([born("a2.1"), ready("a2.1"), ready("a1.2")]), ""),
        (signal(Signal::Ttou), "wanted a 2, signal a1.2 QUIT"),
        (exits("a2.1", 0), "died a2.1 0 unasked, retired a2"),
        (tick(), ""),
        (exits("a1.2", 0), "died a1.2 0 Surplus"),
        (tick(), "stopping, end on signal, stopped, finish Stopped"),
    ]);
}

#[test]
fn a_retired_slot_stays_empty_while_others_come_and_go() {
    let mut rig = Rig::up(with(2, |fleet| fleet.restart_by_status = vec![(9, Restart::Never)]));
    rig.play([
        (exits("a0.1", 9), "died a0.1 9 unasked, retired a0"),
        (signal(Signal::Ttin), "wanted a 3, spawn a2.1"),
        (born("a2.1"), ""),
        (exits("a1.1", 1), "died a1.1 1 unasked, spawn a1.2"),
        (born("a1.2"), ""),
        // Of three that are wanted one is retired.
        (signal(Signal::Ttou), "wanted a 2, signal a1.2 QUIT"),
        (signal(Signal::Ttou), "wanted a 1, signal a2.1 QUIT"),
        (signal(Signal::Ttou), "wanted a 0"),
        (signal(Signal::Ttin), "wanted a 1"),
        (signal(Signal::Ttin), "wanted a 2, spawn a3.1"),
    ]);
}
