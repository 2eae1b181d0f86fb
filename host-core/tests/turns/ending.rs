//! How a host ends: in order, at once, or by a failure.

use crate::rig::*;
use host_core::event::Event;
use host_core::service::kick::Callback::{Connect, Prepare, Receive, Stop};
use host_core::service::reconnect::{OnConnectError, Reconnect};
use host_core::sys::{Interest, Signal};
use host_core::time::Duration;

#[test]
fn ph_c2_a_connect_that_fails_is_notified_once_and_ends_the_host() {
    Rig::new(quick()).play([
        (added(), "tell a added"),
        (added(), "tell b added"),
        (start(), "tell started 2, connect a"),
        (fails(A, Connect), "notify a connect failed, close a, close b, finish ServiceFailed"),
    ]);
}

#[test]
fn ph_c3_a_receive_that_fails_is_notified_once_and_all_are_closed_in_order_of_addition() {
    let mut rig = Rig::standing(quick(), 3);
    rig.play([
        (readable(S1), "wait"),
        (tick(), "receive b s1 r"),
        (fails(B, Receive), "notify b receive failed, close a, close b, close c, finish ServiceFailed"),
    ]);
}

#[test]
fn an_orderly_stop_tells_the_youngest_first_and_then_ends_well() {
    for which in [Signal::Int, Signal::Term] {
        let mut rig = Rig::standing(quick(), 3);
        let begin = format!("tell stopping {which}, end on signal, stop c");
        rig.play([
            (signal(which), "wait"),
            (tick(), &begin),
            (returns(C, Stop), "close c, stop b"),
            (returns(B, Stop), "close b, stop a"),
            (returns(A, Stop), "close a, tell stopped, finish Stopped"),
        ]);
    }
}

#[test]
fn signals_that_do_not_end_a_host_change_nothing() {
    for other in [Signal::Kill, Signal::Alrm, Signal::Cont, Signal::Stop] {
        let mut rig = Rig::standing(quick(), 1);
        let before = rig.host.clone();
        rig.play([(signal(other), "wait 50 period"), (tick(), "wait 50 period")]);
        assert_eq!(rig.host, before, "{other}");
    }
}

#[test]
fn usr1_opens_files_anew_and_changes_nothing_else() {
    let mut rig = Rig::standing(quick(), 1);
    let before = rig.host.clone();
    rig.play([(signal(Signal::Usr1), "reopen files, wait 50 period"), (tick(), "wait 50 period")]);
    assert_eq!(rig.host, before);
}

#[test]
fn a_signal_that_comes_with_the_deadline_stops_before_another_turn_begins() {
    let mut rig = Rig::standing(quick(), 1);
    rig.play([
        (late(60 * MS), ""),
        (signal(Signal::Term), "wait"),
        (tick(), "tell stopping TERM, end on signal, stop a"),
    ]);
    assert_eq!(rig.host.turns(), 1);
}

#[test]
fn a_stop_comes_before_whatever_is_ready_or_due() {
    Rig::standing(quick(), 2).play([
        (readable(S0), "wait"),
        (readable(S1), "wait"),
        (signal(Signal::Term), "wait"),
        (tick(), "tell stopping TERM, end on signal, stop b"),
    ]);
    let mut rig = Rig::standing(quick(), 2);
    rig.play([
        (readable(S0), "wait"),
        (readable(S1), "wait"),
        (tick(), "receive a s0 r"),
        (stop(), ""),
        (returns(A, Receive), "tell stopping, end on signal, stop b"),
    ]);
    assert_eq!(rig.host.turns(), 1, "no turn begins only to stop");
}

#[test]
fn a_stop_asked_for_in_a_callback_begins_when_that_has_come_back() {
    Rig::new(quick()).play([
        (added(), "tell a added"),
        (added(), "tell b added"),
        (start(), "tell started 2, connect a"),
        (stop(), ""),
        (stop(), ""),
        (returns(A, Connect), "tell stopping, end on signal, stop b"),
        (stop(), ""),
        (returns(B, Stop), "close b, stop a"),
        (returns(A, Stop), "close a, tell stopped, finish Stopped"),
    ]);
}

#[test]
fn a_callback_that_fails_after_it_asked_for_a_stop_ends_the_host_with_its_failure() {
    Rig::new(quick()).play([
        (added(), "tell a added"),
        (start(), "tell started 1, connect a"),
        (stop(), ""),
        (fails(A, Connect), "notify a connect failed, close a, finish ServiceFailed"),
    ]);
}

#[test]
fn a_signal_found_by_a_look_stops_the_host_as_well() {
    let mut rig = Rig::new(host_core::config::HostConfig { poll_period: Some(Duration::ZERO), ..quick() });
    rig.play([
        (start(), "tell started 0, look"),
        (signal(Signal::Int), ""),
        (tick(), "tell stopping INT, end on signal, tell stopped, finish Stopped"),
    ]);
}

#[test]
fn a_second_signal_ends_at_once_whether_the_stop_has_begun_or_not() {
    let mut rig = Rig::standing(quick(), 2);
    rig.play([
        (signal(Signal::Int), "wait"),
        (signal(Signal::Term), "end on signal, close a, close b, finish StoppedAtOnce"),
    ]);
    let mut rig = Rig::standing(quick(), 2);
    rig.play([
        (signal(Signal::Int), "wait"),
        (tick(), "tell stopping INT, end on signal, stop b"),
        (returns(B, Stop), "close b, stop a"),
        (signal(Signal::Int), "close a, finish StoppedAtOnce"),
    ]);
}

#[test]
fn a_service_whose_stop_fails_is_notified_and_the_others_are_still_told() {
    Rig::standing(quick(), 3).play([
        (signal(Signal::Term), "wait"),
        (tick(), "tell stopping TERM, end on signal, stop c"),
        (fails(C, Stop), "notify c stop failed, close c, stop b"),
        (returns(B, Stop), "close b, stop a"),
        (fails(A, Stop), "notify a stop failed, close a, tell stopped, finish ServiceFailed"),
    ]);
}

#[test]
fn a_service_added_while_the_host_stops_is_closed_and_never_called() {
    Rig::standing(quick(), 1).play([
        (signal(Signal::Term), "wait"),
        (tick(), "tell stopping TERM, end on signal, stop a"),
        (added(), "close b"),
        (reconnect(B), ""),
        (wake_at(B, host_core::time::Instant::ZERO), ""),
        (returns(A, Stop), "close a, tell stopped, finish Stopped"),
    ]);
}

#[test]
fn a_service_added_by_the_callback_that_asked_for_the_stop_is_told_like_the_others() {
    Rig::new(quick()).play([
        (added(), "tell a added"),
        (start(), "tell started 1, connect a"),
        (stop(), ""),
        (added(), "tell b added"),
        (returns(A, Connect), "tell stopping, end on signal, stop b"),
        (returns(B, Stop), "close b, stop a"),
        (returns(A, Stop), "close a, tell stopped, finish Stopped"),
    ]);
}

#[test]
fn sockets_closed_and_wakes_asked_for_while_a_service_is_told_call_nobody() {
    Rig::standing(quick(), 2).play([
        (signal(Signal::Term), "wait"),
        (tick(), "tell stopping TERM, end on signal, stop b"),
        (closed(S1), ""),
        (closed(S0), ""),
        (wake_at(B, host_core::time::Instant::ZERO), ""),
        (returns(B, Stop), "close b, stop a"),
        (returns(A, Stop), "close a, tell stopped, finish Stopped"),
    ]);
}

#[test]
fn a_socket_that_cannot_be_watched_in_a_stop_ends_it_as_a_failure() {
    Rig::standing(quick(), 2).play([
        (signal(Signal::Term), "wait"),
        (tick(), "tell stopping TERM, end on signal, stop b"),
        (opened(S2, B), "watch s2 r"),
        (returns(B, Stop), "close b, stop a"),
        (unwatchable(S2), "notify b stop ENOSPC, close a, finish ServiceFailed"),
    ]);
}

#[test]
fn a_system_call_that_the_host_cannot_do_without_ends_it_wherever_it_is() {
    let end = r#"finish SystemFailed { call: "epoll_wait", errno: EBADF }"#;
    let mut waiting = Rig::standing(quick(), 2);
    assert_eq!(waiting.tell(breaks()), format!("close a, close b, {end}"));
    let mut calling = Rig::standing(quick(), 2);
    calling.tell(readable(S0));
    calling.tell(tick());
    assert_eq!(calling.tell(breaks()), format!("close a, close b, {end}"));
    let mut stopping = Rig::standing(quick(), 2);
    stopping.tell(signal(Signal::Int));
    stopping.tell(tick());
    stopping.tell(returns(B, Stop));
    assert_eq!(stopping.tell(breaks()), format!("close a, {end}"));
}

#[test]
fn facts_after_the_end_change_nothing() {
    let mut rig = Rig::standing(quick(), 2);
    rig.tell(readable(S0));
    rig.tell(tick());
    rig.tell(fails(A, Receive));
    assert!(rig.host.is_ended());
    assert_eq!(rig.host.next_deadline(), None);
    let before = rig.host.clone();
    let rows = [
        start(),
        added(),
        added_with(Reconnect::backoff(MS, MS), OnConnectError::Retry),
        opened(S2, A),
        wants(S0, Interest::NONE),
        closed(S0),
        wake_at(A, rig.now),
        wake_never(A),
        reconnect(A),
        returns(A, Prepare),
        fails(A, Connect),
        readable(S1),
        unwatchable(S1),
        breaks(),
        signal(Signal::Term),
        stop(),
        tick(),
    ];
    for row in rows {
        assert_eq!(rig.tell(row), "");
    }
    assert_eq!(rig.host, before);
}

#[test]
fn a_host_is_not_ended_before_its_last_order_and_is_after_it() {
    let mut rig = Rig::standing(quick(), 1);
    assert!(!rig.host.is_ended());
    rig.host.handle_event(rig.now, Event::Signalled(Signal::Term));
    rig.host.handle_event(rig.now, Event::Signalled(Signal::Term));
    assert!(rig.host.is_ended());
    assert!(rig.host.poll_action().is_some(), "its orders can still be had");
}
