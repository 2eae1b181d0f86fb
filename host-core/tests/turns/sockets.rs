//! What of a socket is watched, told, void, or held against its service.

use crate::rig::*;
use host_core::config::HostConfig;
use host_core::id::SocketId;
use host_core::service::kick::Callback::{Connect, Prepare, Receive};
use host_core::sys::{Interest, Readiness};

const BOTH: Readiness = Readiness { readable: true, writable: true, ended: false };

#[test]
fn a_socket_is_watched_for_what_its_service_wants_and_not_at_all_for_nothing() {
    Rig::new(quick()).play([
        (added(), "tell a added"),
        (start(), "tell started 1, connect a"),
        (opened_for(S0, A, Interest::WRITE), "watch s0 w"),
        (opened_for(S1, A, Interest::NONE), ""),
        (wants(S0, Interest::READ | Interest::WRITE), "watch s0 rw"),
        (wants(S0, Interest::READ | Interest::WRITE), ""),
        (wants(S0, Interest::NONE), "unwatch s0"),
        (wants(S1, Interest::READ), "watch s1 r"),
        (wants(S2, Interest::READ), ""),
        (returns(A, Connect), "prepare a"),
    ]);
}

#[test]
fn only_what_is_wanted_is_told() {
    let mut rig = Rig::standing(quick(), 1);
    rig.play([
        (ready(S0, Readiness { readable: false, writable: true, ended: false }), "wait"),
        (tick(), "wait 50 period"),
        (ready(S0, BOTH), "wait"),
        (tick(), "receive a s0 r"),
        (wants(S0, Interest::READ | Interest::WRITE), "watch s0 rw"),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
        (ready(S0, BOTH), "wait"),
        (tick(), "receive a s0 rw"),
    ]);
}

#[test]
fn two_reports_of_one_socket_are_served_as_one() {
    Rig::standing(quick(), 1).play([
        (readable(S0), "wait"),
        (ended(S0), "wait"),
        (tick(), "receive a s0 re"),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
    ]);
}

#[test]
fn sockets_of_one_service_are_served_in_order_of_their_reports() {
    let mut rig = Rig::standing(quick(), 1);
    rig.play([
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (opened(S1, A), "watch s1 r"),
        (opened(S2, A), "watch s2 r"),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
        (readable(S2), "wait"),
        (readable(S0), "wait"),
        (readable(S1), "wait"),
        (tick(), "receive a s2 r"),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "receive a s0 r"),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "receive a s1 r"),
    ]);
}

#[test]
fn a_change_of_interest_voids_what_was_reported_before() {
    let rows = [
        ("nothing more", Interest::NONE, "unwatch s1"),
        ("something else", Interest::WRITE, "watch s1 w"),
        ("more", Interest::READ | Interest::WRITE, "watch s1 rw"),
    ];
    for (name, interest, order) in rows {
        let mut rig = Rig::standing(quick(), 2);
        rig.play([(readable(S0), "wait"), (readable(S1), "wait"), (tick(), "receive a s0 r")]);
        assert_eq!(rig.tell(wants(S1, interest)), order, "{name}");
        rig.play([(returns(A, Receive), "prepare a"), (returns(A, Prepare), "wait 50 period")]);
    }
}

#[test]
fn the_same_interest_again_voids_nothing() {
    Rig::standing(quick(), 2).play([
        (readable(S0), "wait"),
        (readable(S1), "wait"),
        (tick(), "receive a s0 r"),
        (wants(S1, Interest::READ), ""),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "receive b s1 r"),
    ]);
}

#[test]
fn a_report_of_a_socket_that_was_closed_is_void_before_and_after() {
    let mut rig = Rig::standing(quick(), 2);
    let next = SocketId::new(1, 1);
    rig.play([
        (readable(S0), "wait"),
        (readable(S1), "wait"),
        (tick(), "receive a s0 r"),
        (closed(S1), ""),
        (opened(next, B), "watch s1' r"),
        (returns(A, Receive), "connect b"),
        (returns(B, Connect), "prepare b"),
        (returns(B, Prepare), "prepare a"),
        (closed(S1), ""),
        (unwatchable(S1), ""),
        (wants(S1, Interest::NONE), ""),
        (returns(A, Prepare), "wait 50 period"),
        (readable(S1), "wait"),
        (tick(), "wait 50 period"),
        (readable(next), "wait"),
        (tick(), "receive b s1' r"),
    ]);
}

#[test]
fn other_sockets_of_a_service_stay_ready_when_one_of_them_is_closed() {
    let mut rig = Rig::standing(quick(), 2);
    rig.play([
        (readable(S1), "wait"),
        (tick(), "receive b s1 r"),
        (opened(S2, B), "watch s2 r"),
        (returns(B, Receive), "prepare b"),
        (returns(B, Prepare), "wait 50 period"),
        (readable(S0), "wait"),
        (readable(S1), "wait"),
        (readable(S2), "wait"),
        (tick(), "receive a s0 r"),
        (closed(S1), ""),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "receive b s2 r"),
        (returns(B, Receive), "prepare b"),
        (returns(B, Prepare), "wait 50 period"),
    ]);
}

#[test]
fn ph_c18_an_end_that_the_service_does_not_handle_is_an_error_after_the_allowed_empty_wakes() {
    for (is_ended, words) in [(true, "empty 3 ended"), (false, "empty 3")] {
        let mut rig = Rig::standing(HostConfig { empty_wakes_max: 3, ..quick() }, 1);
        let report = || if is_ended { ended(S0) } else { readable(S0) };
        for _ in 1..3 {
            rig.tell(report());
            rig.tell(tick());
            rig.play([(does_nothing(A), "prepare a"), (returns(A, Prepare), "wait 50 period")]);
        }
        rig.tell(report());
        rig.tell(tick());
        let expected = format!("notify a receive {words}, close a, finish ServiceFailed");
        assert_eq!(rig.tell(does_nothing(A)), expected);
    }
}

#[test]
fn ph_c18_progress_begins_the_count_of_empty_wakes_anew() {
    let mut rig = Rig::standing(HostConfig { empty_wakes_max: 2, ..quick() }, 1);
    rig.play([
        (ended(S0), "wait"),
        (tick(), "receive a s0 re"),
        (does_nothing(A), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
        (ended(S0), "wait"),
        (tick(), "receive a s0 re"),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
        (ended(S0), "wait"),
        (tick(), "receive a s0 re"),
        (does_nothing(A), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
        (ended(S0), "wait"),
        (tick(), "receive a s0 re"),
        (does_nothing(A), "notify a receive empty 2 ended, close a, finish ServiceFailed"),
    ]);
}

#[test]
fn ph_c18_a_change_of_interest_begins_the_count_of_empty_wakes_anew() {
    let mut rig = Rig::standing(HostConfig { empty_wakes_max: 2, ..quick() }, 1);
    rig.play([
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (does_nothing(A), "prepare a"),
        // The service wants something else of it, and then the same as before.
        (wants(S0, Interest::WRITE), "watch s0 w"),
        (wants(S0, Interest::READ), "watch s0 r"),
        (returns(A, Prepare), "wait 50 period"),
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (does_nothing(A), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (does_nothing(A), "notify a receive empty 2, close a, finish ServiceFailed"),
    ]);
}

#[test]
fn ph_c18_a_socket_that_was_closed_in_its_receive_is_no_empty_wake() {
    let mut rig = Rig::standing(HostConfig { empty_wakes_max: 1, ..quick() }, 1);
    rig.play([
        (ended(S0), "wait"),
        (tick(), "receive a s0 re"),
        (closed(S0), ""),
        (does_nothing(A), "connect a"),
    ]);
}

#[test]
fn ph_c18_a_socket_that_is_left_without_interest_may_do_nothing_for_ever() {
    let mut rig = Rig::standing(HostConfig { empty_wakes_max: 1, ..quick() }, 1);
    rig.play([
        (ended(S0), "wait"),
        (tick(), "receive a s0 re"),
        (wants(S0, Interest::NONE), "unwatch s0"),
        (does_nothing(A), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
    ]);
}

#[test]
fn a_starved_listener_rests_for_the_accept_pause_and_is_watched_again() {
    let mut rig = Rig::standing(HostConfig { accept_pause: 20 * MS, ..quick() }, 2);
    rig.play([
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (starves(A), "unwatch s0, tell a paused 20, prepare a"),
        (returns(A, Prepare), "wait 20 rest s0"),
        // A report that was on its way is void, and others are served meanwhile.
        (readable(S0), "wait"),
        (readable(S1), "wait"),
        (tick(), "receive b s1 r"),
        (returns(B, Receive), "prepare b"),
        (returns(B, Prepare), "wait 20 rest s0"),
        (after(20 * MS), "watch s0 r, wait 50 period"),
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
    ]);
}

#[test]
fn a_starved_listener_is_not_served_although_it_was_reported_again() {
    // Another service's callback looked meanwhile, and the poller reported the listener twice.
    let mut rig = Rig::standing(HostConfig { burst: 1, ..quick() }, 2);
    rig.play([
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (opened(S2, A), "watch s2 r"),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
        (readable(S0), "wait"),
        (readable(S2), "wait"),
        (tick(), "receive a s0 r"),
        (starves(A), "unwatch s0, tell a paused 100, prepare a"),
        (returns(A, Prepare), "look"),
        (readable(S0), ""),
        (tick(), "receive a s2 r"),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
    ]);
}

#[test]
fn a_resting_listener_takes_a_new_interest_after_its_rest_and_none_after_its_close() {
    let config = HostConfig { accept_pause: 20 * MS, ..quick() };
    let resting = || {
        let mut rig = Rig::standing(config.clone(), 2);
        rig.play([
            (readable(S0), "wait"),
            (readable(S1), "wait"),
            (tick(), "receive a s0 r"),
            (starves(A), "unwatch s0, tell a paused 20, prepare a"),
            (returns(A, Prepare), "receive b s1 r"),
        ]);
        rig
    };
    let mut rig = resting();
    rig.play([
        (wants(S0, Interest::NONE), ""),
        (returns(B, Receive), "prepare b"),
        (returns(B, Prepare), "wait 20 rest s0"),
        (at_deadline(), "wait 50 period"),
    ]);
    let mut rig = resting();
    rig.play([
        (wants(S0, Interest::WRITE), ""),
        (returns(B, Receive), "prepare b"),
        (returns(B, Prepare), "wait 20 rest s0"),
        (at_deadline(), "watch s0 w, wait 50 period"),
    ]);
    let mut rig = resting();
    rig.play([
        (closed(S0), ""),
        (returns(B, Receive), "connect a"),
        (not_yet(A), "prepare b"),
        (returns(B, Prepare), "wait 50 period"),
    ]);
}

#[test]
fn a_socket_that_cannot_be_watched_fails_its_service_in_the_callback_that_opened_it() {
    let mut rig = Rig::new(quick());
    rig.play([
        (added(), "tell a added"),
        (start(), "tell started 1, connect a"),
        (opened(S0, A), "watch s0 r"),
        (returns(A, Connect), "prepare a"),
        (unwatchable(S0), "notify a connect ENOSPC, close a, finish ServiceFailed"),
    ]);
    let mut rig = Rig::standing(quick(), 2);
    rig.play([
        (readable(S1), "wait"),
        (tick(), "receive b s1 r"),
        (opened(S2, B), "watch s2 r"),
        (unwatchable(S2), "notify b receive ENOSPC, close a, close b, finish ServiceFailed"),
    ]);
    // Another service's callback may accept for it, through a listener that they share.
    let mut rig = Rig::standing(quick(), 2);
    rig.play([
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (opened(S2, B), "watch s2 r"),
        (unwatchable(S2), "notify b connect ENOSPC, close a, close b, finish ServiceFailed"),
    ]);
    let mut rig = Rig::standing(quick(), 1);
    rig.play([(unwatchable(S0), "notify a connect ENOSPC, close a, finish ServiceFailed")]);
}

#[test]
fn a_service_that_does_not_stand_yet_is_told_of_the_sockets_that_it_has() {
    let mut rig = Rig::new(quick());
    rig.play([
        (added(), "tell a added"),
        (start(), "tell started 1, connect a"),
        (opened_for(S0, A, Interest::WRITE), "watch s0 w"),
        (not_yet(A), "wait 50 period"),
        (ready(S0, Readiness { readable: false, writable: true, ended: false }), "wait"),
        (tick(), "receive a s0 w"),
        (returns(A, Receive), "connect a"),
        (returns(A, Connect), "prepare a"),
    ]);
}
