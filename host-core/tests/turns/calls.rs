//! Which callback is called when: connect, prepare, receive and again.

use crate::rig::*;
use host_core::config::HostConfig;
use host_core::id::SocketId;
use host_core::service::kick::Callback::{Connect, Prepare, Receive, Wake};
use host_core::service::reconnect::{OnConnectError, Reconnect};
use host_core::time::Instant;
use host_core::timers::Timer;

#[test]
fn ph_c1_a_connect_that_answers_not_yet_is_never_prepared_and_tried_again_each_turn() {
    Rig::new(quick()).play([
        (added(), "tell a added"),
        (start(), "tell started 1, connect a"),
        (not_yet(A), "wait 50 period"),
        (at_deadline(), "connect a"),
        (not_yet(A), "wait 50 period"),
        (at_deadline(), "connect a"),
        (opened(S0, A), "watch s0 r"),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
    ]);
}

#[test]
fn ph_c8_the_same_socket_is_presented_again_and_prepare_is_called_before_the_next_wait() {
    Rig::standing(quick(), 1).play([
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
    ]);
}

#[test]
fn ph_c9_a_service_that_closed_its_socket_in_receive_is_connected_in_the_next_turn_without_a_wait() {
    Rig::standing(quick(), 1).play([
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (closed(S0), ""),
        (returns(A, Receive), "connect a"),
        (opened(SocketId::new(0, 1), A), "watch s0' r"),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
        (readable(SocketId::new(0, 1)), "wait"),
        (tick(), "receive a s0' r"),
    ]);
}

#[test]
fn ph_c14_all_connects_and_prepares_of_a_turn_precede_its_dispatch() {
    Rig::new(quick()).play([
        (added(), "tell a added"),
        (added(), "tell b added"),
        (start(), "tell started 2, connect a"),
        (opened(S0, A), "watch s0 r"),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "connect b"),
        (opened(S1, B), "watch s1 r"),
        (returns(B, Connect), "prepare b"),
        (returns(B, Prepare), "wait 50 period"),
        (readable(S1), "wait"),
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "receive b s1 r"),
    ]);
}

#[test]
fn ph_c19_a_socket_closed_during_prepare_is_treated_like_one_closed_in_receive() {
    Rig::new(quick()).play([
        (added(), "tell a added"),
        (start(), "tell started 1, connect a"),
        (opened(S0, A), "watch s0 r"),
        (returns(A, Connect), "prepare a"),
        (closed(S0), ""),
        (returns(A, Prepare), "look"),
        (tick(), "connect a"),
        (opened(SocketId::new(0, 1), A), "watch s0' r"),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
    ]);
}

#[test]
fn connects_and_prepares_of_one_turn_come_in_list_order_and_whoever_was_served_is_last() {
    let mut rig = Rig::standing(quick(), 3);
    rig.play([
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (closed(S0), ""),
        // Somebody else's callback may close a socket, too: it moved there.
        (closed(S1), ""),
        (closed(S2), ""),
        (returns(A, Receive), "connect b"),
        (not_yet(B), "connect c"),
        (not_yet(C), "connect a"),
        (not_yet(A), "wait 50 period"),
    ]);
}

#[test]
fn a_connection_lost_before_anything_came_through_is_retried_at_once_only_the_first_time() {
    let mut rig = Rig::standing(quick(), 1);
    rig.play([
        (ended(S0), "wait"),
        (tick(), "receive a s0 re"),
        (closed(S0), ""),
        (does_nothing(A), "connect a"),
        (opened(SocketId::new(0, 1), A), "watch s0' r"),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
        (ended(SocketId::new(0, 1)), "wait"),
        (tick(), "receive a s0' re"),
        (closed(SocketId::new(0, 1)), ""),
        // The turn after a receive begins at once and would connect again: that is its poll period.
        (does_nothing(A), "connect a"),
        (opened(SocketId::new(0, 2), A), "watch s0'' r"),
        (returns(A, Connect), "prepare a"),
        (closed(SocketId::new(0, 2)), ""),
        (returns(A, Prepare), "wait 50 period"),
        (at_deadline(), "connect a"),
    ]);
}

#[test]
fn bytes_that_came_through_count_for_the_whole_of_a_connection_and_for_no_other() {
    let [second, third] = [1, 2].map(|generation| SocketId::new(0, generation));
    Rig::standing(quick(), 1).play([
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
        (ended(S0), "wait"),
        (tick(), "receive a s0 re"),
        (closed(S0), ""),
        // Bytes came earlier: this is no failed try.
        (does_nothing(A), "connect a"),
        (opened(second, A), "watch s0' r"),
        (returns(A, Connect), "prepare a"),
        (closed(second), ""),
        // This one is the first, which may be chance.
        (returns(A, Prepare), "look"),
        (tick(), "connect a"),
        (opened(third, A), "watch s0'' r"),
        (returns(A, Connect), "prepare a"),
        (closed(third), ""),
        (returns(A, Prepare), "wait 50 period"),
    ]);
}

#[test]
fn with_a_backoff_a_connection_that_is_lost_unproved_waits_and_one_that_served_does_not() {
    let policy = Reconnect::backoff(10 * MS, 10 * MS);
    let mut rig = Rig::new(quick());
    rig.play([
        (added_with(policy, OnConnectError::End), "tell a added"),
        (start(), "tell started 1, connect a"),
        (opened(S0, A), "watch s0 r"),
        (returns(A, Connect), "prepare a"),
        (closed(S0), ""),
    ]);
    let words = rig.tell(returns(A, Prepare));
    assert!(words.ends_with("reconnect a"), "{words}");
    rig.play([
        (at_deadline(), "connect a"),
        (opened(S0, A), "watch s0 r"),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (closed(S0), ""),
        (returns(A, Receive), "connect a"),
    ]);
}

#[test]
fn each_failed_try_doubles_the_backoff_and_bytes_that_came_through_end_the_doubling() {
    let mut rig = Rig::new(period_off());
    rig.play([
        (added_with(Reconnect::backoff(8 * MS, 32 * MS), OnConnectError::Retry), "tell a added"),
        (start(), "tell started 1, connect a"),
    ]);
    let wait = |rig: &Rig| {
        let deadline = rig.host.next_deadline().unwrap();
        assert_eq!(deadline.timer, Timer::Reconnect(A));
        deadline.at.since(rig.now)
    };
    for (attempt, longest) in [(1, 8), (2, 16), (3, 32), (4, 32)] {
        rig.tell(not_yet(A));
        let wait = wait(&rig);
        assert!(wait <= longest * MS && wait >= longest * MS / 2, "try {attempt}: {wait:?}");
        assert_eq!(rig.tell(at_deadline()), "connect a");
    }
    rig.play([
        (opened(S0, A), "watch s0 r"),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "wait"),
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (closed(S0), ""),
        (returns(A, Receive), "connect a"),
    ]);
    // The connection stood and served, so that its loss is no failed try, and the next failure is the first.
    rig.tell(not_yet(A));
    assert_eq!(rig.tell(tick()).split(' ').next(), Some("wait"));
    assert!(wait(&rig) <= 8 * MS);
}

#[test]
fn a_failed_connect_that_may_be_retried_is_told_with_its_number_and_its_delay() {
    Rig::new(quick()).play([
        (added_with(Reconnect::EachTurn, OnConnectError::Retry), "tell a added"),
        (start(), "tell started 1, connect a"),
        (fails(A, Connect), "tell a connect failed 1 0, wait 50 period"),
        (at_deadline(), "connect a"),
        (fails(A, Connect), "tell a connect failed 2 0, wait 50 period"),
    ]);
    let mut rig = Rig::new(quick());
    rig.play([
        (added_with(Reconnect::backoff(40 * MS, 40 * MS), OnConnectError::Retry), "tell a added"),
        (start(), "tell started 1, connect a"),
    ]);
    let words = rig.tell(fails(A, Connect));
    let wait = rig.host.next_deadline().unwrap().at.since(rig.now);
    assert_eq!(words, format!("tell a connect failed 1 {wait:?}, wait {wait:?} reconnect a"));
}

#[test]
fn only_a_connect_may_fail_and_be_retried() {
    for callback in [Prepare, Receive, Wake] {
        let mut rig = Rig::new(quick());
        rig.play([
            (added_with(Reconnect::EachTurn, OnConnectError::Retry), "tell a added"),
            (start(), "tell started 1, connect a"),
            (opened(S0, A), "watch s0 r"),
            (returns(A, Connect), "prepare a"),
        ]);
        if callback != Prepare {
            rig.tell(wake_at(A, rig.now + MS));
            rig.tell(returns(A, Prepare));
            rig.tell(if callback == Wake { at_deadline() } else { readable(S0) });
            rig.tell(tick());
        }
        let expected = format!("notify a {callback} failed, close a, finish ServiceFailed");
        assert_eq!(rig.tell(fails(A, callback)), expected);
    }
}

#[test]
fn without_a_poll_period_a_connect_that_answered_not_yet_is_tried_again_after_the_default_period() {
    let period = HostConfig::POLL_PERIOD.as_millis();
    let wait = format!("wait {period} reconnect a");
    Rig::new(period_off()).play([
        (added(), "tell a added"),
        (start(), "tell started 1, connect a"),
        (not_yet(A), &wait),
        (at_deadline(), "connect a"),
        (opened(S0, A), "watch s0 r"),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "wait"),
    ]);
}

#[test]
fn without_a_poll_period_a_turn_that_ends_earlier_retries_earlier_and_sets_the_time_anew() {
    let mut rig = Rig::new(period_off());
    rig.play([
        (added(), "tell a added"),
        (added(), "tell b added"),
        (start(), "tell started 2, connect a"),
        (not_yet(A), "connect b"),
        (opened(S0, B), "watch s0 r"),
        (returns(B, Connect), "prepare b"),
        (returns(B, Prepare), "wait 5000 reconnect a"),
        (late(1000 * MS), ""),
        (readable(S0), "wait"),
        (tick(), "receive b s0 r"),
        (returns(B, Receive), "connect a"),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "prepare b"),
        // `A` stands without a socket, so nothing is left of its retry.
        (returns(B, Prepare), "wait"),
    ]);
}

#[test]
fn a_service_that_stands_without_any_socket_is_left_in_peace() {
    Rig::new(quick()).play([
        (added(), "tell a added"),
        (start(), "tell started 1, connect a"),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
        (at_deadline(), "wait 50 period"),
    ]);
}

#[test]
fn a_service_is_lost_only_with_its_last_socket() {
    let mut rig = Rig::standing(quick(), 1);
    rig.play([
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (opened(S1, A), "watch s1 r"),
        (closed(S0), ""),
        (returns(A, Receive), "prepare a"),
        // Replacing the only socket within one callback is no loss either.
        (closed(S1), ""),
        (opened(S2, A), "watch s2 r"),
        (returns(A, Prepare), "wait 50 period"),
        (at_deadline(), "wait 50 period"),
    ]);
}

#[test]
fn a_socket_that_another_service_closed_is_replaced_at_once() {
    Rig::standing(quick(), 2).play([
        (readable(S1), "wait"),
        (tick(), "receive b s1 r"),
        (closed(S0), ""),
        (returns(B, Receive), "connect a"),
        (opened(SocketId::new(0, 1), A), "watch s0' r"),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "prepare b"),
        (returns(B, Prepare), "wait 50 period"),
    ]);
}

#[test]
fn a_socket_that_was_closed_before_its_own_prepare_leads_to_connect_in_the_same_turn() {
    let mut rig = Rig::standing(quick(), 2);
    rig.play([
        (readable(S0), "wait"),
        (readable(S1), "wait"),
        (tick(), "receive a s0 r"),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "receive b s1 r"),
        (reconnect(B), ""),
        (returns(B, Receive), "connect b"),
        (closed(S0), ""),
        (returns(B, Connect), "prepare b"),
        (returns(B, Prepare), "look"),
        (tick(), "connect a"),
    ]);
}

#[test]
fn a_reconnect_that_was_asked_for_is_called_in_the_next_turn_without_a_wait() {
    // The turn after a receive begins at once; the others look first.
    Rig::standing(quick(), 1).play([
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (reconnect(A), ""),
        (wake_at(A, Instant::from_nanos(0)), ""),
        (returns(A, Receive), "wake a"),
        (returns(A, Wake), "connect a"),
        (returns(A, Connect), "prepare a"),
        (reconnect(A), ""),
        (returns(A, Prepare), "look"),
        (wake_at(A, Instant::from_nanos(1)), ""),
        (tick(), "connect a"),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "wait 1ns wake a"),
        (at_deadline(), "wake a"),
        (reconnect(A), ""),
        (returns(A, Wake), "look"),
        (tick(), "connect a"),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
    ]);
}

#[test]
fn a_reconnect_asked_for_by_another_than_the_connect_that_is_out_is_no_repetition_of_it() {
    let mut rig = Rig::standing(quick(), 2);
    rig.play([
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (reconnect(A), ""),
        (returns(A, Receive), "connect a"),
        (reconnect(B), ""),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "look"),
        (tick(), "connect b"),
        (returns(B, Connect), "prepare b"),
        (returns(B, Prepare), "wait 50 period"),
    ]);
}

#[test]
fn a_reconnect_asked_for_in_prepare_is_no_repetition_of_an_earlier_connect() {
    Rig::standing(quick(), 1).play([
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (returns(A, Receive), "prepare a"),
        (reconnect(A), ""),
        (returns(A, Prepare), "look"),
        (tick(), "connect a"),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
    ]);
}

#[test]
fn a_reconnect_asked_for_in_connect_itself_calls_connect_once_more() {
    Rig::new(quick()).play([
        (added(), "tell a added"),
        (start(), "tell started 1, connect a"),
        (reconnect(A), ""),
        (returns(A, Connect), "look"),
        (tick(), "connect a"),
        (opened(S0, A), "watch s0 r"),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
    ]);
}

#[test]
fn a_service_added_by_a_callback_is_connected_in_the_next_turn_without_a_wait() {
    Rig::new(quick()).play([
        (added(), "tell a added"),
        (start(), "tell started 1, connect a"),
        (added(), "tell b added"),
        (opened(S0, A), "watch s0 r"),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "look"),
        (tick(), "connect b"),
        (not_yet(B), "wait 50 period"),
    ]);
}

#[test]
fn a_report_that_comes_back_from_nobodys_callback_changes_nothing() {
    let mut rig = Rig::standing(quick(), 1);
    let before = rig.host.clone();
    assert_eq!(rig.tell(returns(A, Prepare)), "wait 50 period");
    assert_eq!(rig.host, before);
}

#[test]
fn only_what_comes_through_the_latest_connection_ends_a_backoff() {
    let mut rig = Rig::new(quick());
    rig.play([
        (added_with(Reconnect::backoff(40 * MS, 400 * MS), OnConnectError::Retry), "tell a added"),
        (start(), "tell started 1, connect a"),
        // A listener, say, that it keeps while one connection of it is made again and again.
        (opened(S0, A), "watch s0 r"),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (reconnect(A), ""),
        (returns(A, Receive), "connect a"),
    ]);
    assert!(rig.tell(fails(A, Connect)).starts_with("tell a connect failed 1 "));
    rig.play([(readable(S0), "wait"), (tick(), "receive a s0 r")]);
    rig.tell(returns(A, Receive));
    assert_eq!(rig.tell(after(40 * MS)), "connect a");
    let words = rig.tell(fails(A, Connect));
    assert!(words.starts_with("tell a connect failed 2 "), "the listener proves nothing: {words}");

    assert_eq!(rig.tell(after(80 * MS)), "connect a");
    rig.play([(opened(S1, A), "watch s1 r"), (returns(A, Connect), "prepare a")]);
    rig.tell(returns(A, Prepare));
    rig.play([(readable(S1), "wait"), (tick(), "receive a s1 r"), (reconnect(A), "")]);
    assert_eq!(rig.tell(returns(A, Receive)), "connect a");
    let words = rig.tell(fails(A, Connect));
    assert!(words.starts_with("tell a connect failed 1 "), "the connection itself does: {words}");
}

#[test]
fn a_reconnect_after_a_failed_try_waits_as_the_policy_says() {
    let mut rig = Rig::new(quick());
    rig.play([
        (added_with(Reconnect::backoff(40 * MS, 40 * MS), OnConnectError::End), "tell a added"),
        (start(), "tell started 1, connect a"),
        (opened(S0, A), "watch s0 r"),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (reconnect_later(A), ""),
    ]);
    let words = rig.tell(returns(A, Receive));
    assert!(words.starts_with("wait ") && words.ends_with(" reconnect a"), "not in the next turn: {words}");
    assert_eq!(rig.tell(at_deadline()), "connect a");
}

#[test]
fn a_service_that_loses_its_socket_while_its_prepare_is_due_is_not_connected_before_its_time() {
    let mut rig = Rig::new(quick());
    rig.play([
        (added_with(Reconnect::backoff(40 * MS, 40 * MS), OnConnectError::End), "tell a added"),
        (added(), "tell b added"),
        (start(), "tell started 2, connect a"),
        (opened(S0, A), "watch s0 r"),
        (returns(A, Connect), "prepare a"),
        (wake_at(A, Instant::ZERO + 10 * MS), ""),
        (returns(A, Prepare), "connect b"),
        (opened(S1, B), "watch s1 r"),
        (returns(B, Connect), "prepare b"),
        (wake_at(B, Instant::ZERO + 10 * MS), ""),
        (returns(B, Prepare), "wait 10 wake a"),
        // It is served, so that the other one goes first from here on.
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (does_nothing(A), "prepare a"),
        (returns(A, Prepare), "wait 10 wake a"),
        (after(10 * MS), "wake a"),
        (returns(A, Wake), "wake b"),
        (returns(B, Wake), "prepare b"),
        (closed(S0), ""),
    ]);
    let words = rig.tell(returns(B, Prepare));
    assert!(words.starts_with("wait ") && words.ends_with(" reconnect a"), "{words}");
}

#[test]
fn what_was_begun_in_a_connect_that_answered_not_yet_proves_the_one_that_stands() {
    Rig::new(quick()).play([
        (added_with(Reconnect::backoff(40 * MS, 40 * MS), OnConnectError::End), "tell a added"),
        (start(), "tell started 1, connect a"),
        (opened(S0, A), "watch s0 r"),
        (not_yet(A), "wait 22.333783ms reconnect a"),
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (reconnect(A), ""),
        (returns(A, Receive), "connect a"),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (closed(S0), ""),
        (returns(A, Receive), "connect a"),
    ]);
}

#[test]
fn a_socket_that_is_closed_while_the_host_waits_ends_the_wait() {
    // Only whoever reads notices can: no callback is out.
    let mut rig = Rig::standing(period_off(), 1);
    rig.play([
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "wait"),
    ]);
    assert!(rig.tell(closed(S0)).starts_with("wait 1ns"));
    assert_eq!(rig.tell(at_deadline()), "connect a");
}

#[test]
fn the_last_of_two_requests_to_reconnect_counts() {
    let mut rig = Rig::new(quick());
    rig.play([
        (added_with(Reconnect::backoff(40 * MS, 40 * MS), OnConnectError::End), "tell a added"),
        (start(), "tell started 1, connect a"),
        (opened(S0, A), "watch s0 r"),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (reconnect(A), ""),
        (reconnect_later(A), ""),
    ]);
    rig.play([(returns(A, Receive), "wait 22.333783ms reconnect a")]);
}
