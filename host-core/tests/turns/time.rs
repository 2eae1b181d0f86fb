//! When a turn ends although nothing happened, and when a service is woken.

use crate::rig::*;
use host_core::config::HostConfig;
use host_core::event::Event;
use host_core::service::kick::Callback::{Connect, Prepare, Receive, Wake};
use host_core::sys::Interest;
use host_core::time::{Duration, Instant};
use host_core::timers::{Deadline, Timer};

#[test]
fn ph_c11_without_a_socket_a_turn_takes_exactly_one_poll_period() {
    let mut rig = Rig::new(HostConfig { poll_period: Some(7 * MS), ..HostConfig::default() });
    assert_eq!(rig.tell(start()), "tell started 0, wait 7 period");
    for turn in 1..=3 {
        assert_eq!(rig.host.turns(), turn);
        let expected = Deadline { at: rig.now + 7 * MS, timer: Timer::PollPeriod };
        assert_eq!(rig.host.next_deadline(), Some(expected));
        assert_eq!(rig.tell(after(7 * MS - Duration::from_nanos(1))), "wait 1ns period");
        assert_eq!(rig.tell(after(Duration::from_nanos(1))), "wait 7 period");
    }
}

#[test]
fn ph_c12_a_limited_run_has_exactly_that_many_turns_and_leaves_the_signals_alone() {
    for turns in [0, 1, 3] {
        let mut rig = Rig::new(quick());
        let mut words = rig.tell(start_for(turns));
        let mut waits = 0;
        while words.ends_with("wait 50 period") {
            waits += 1;
            assert_eq!(rig.host.turns(), waits);
            assert!(waits <= turns, "the host runs on");
            words = rig.tell(at_deadline());
        }
        assert_eq!(waits, turns);
        assert!(words.ends_with("tell stopping, tell stopped, finish Stopped"), "{words}");
        assert_eq!(rig.host.turns(), turns);
    }
}

#[test]
fn ph_c12_a_receive_is_a_turn_of_a_limited_run_like_a_wait() {
    let mut rig = Rig::new(quick());
    rig.play([
        (added(), "tell a added"),
        (start_for(3), "tell started 1, connect a"),
        (opened(S0, A), "watch s0 r"),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
        (at_deadline(), "wait 50 period"),
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (returns(A, Receive), "tell stopping, stop a"),
    ]);
    assert_eq!(rig.host.turns(), 3);
}

#[test]
fn with_a_poll_period_of_zero_a_turn_looks_and_never_waits() {
    let mut rig = Rig::new(HostConfig { poll_period: Some(Duration::ZERO), ..HostConfig::default() });
    rig.play([(start(), "tell started 0, look"), (tick(), "look"), (tick(), "look")]);
    assert_eq!(rig.host.turns(), 3);
    assert_eq!(rig.host.next_deadline(), None);
}

#[test]
fn without_a_poll_period_an_idle_host_has_no_deadline() {
    Rig::standing(period_off(), 1).play([
        (tick(), "wait"),
        (after(1_000_000 * MS), "wait"),
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
    ]);
}

#[test]
fn a_needless_tick_changes_nothing() {
    let mut rig = Rig::standing(quick(), 2);
    let before = rig.host.clone();
    rig.play([(tick(), "wait 50 period"), (tick(), "wait 50 period")]);
    assert_eq!(rig.host, before);
    assert_eq!(rig.tell(after(MS)), "wait 49 period");
    let mut early = before.clone();
    early.handle_event(rig.now, Event::Tick);
    assert_eq!(rig.host, early, "and a moment before the deadline neither");
    assert_eq!(rig.host.turns(), before.turns());
}

#[test]
fn a_driver_that_breaks_its_contract_is_found_out() {
    let mut host = Rig::standing(quick(), 1).host;
    let overdue = Event::WakeAsked { service: A, at: Some(at(0)) };
    // Only a callback can ask for anything, and none is out.
    host.handle_event(at(0), overdue);
    assert_eq!(host.broken_invariant(), Some("a deadline lies ahead of the moment that it was asked for"));
    let mut undrained = host.clone();
    undrained.handle_event(at(0), Event::Opened { socket: S1, service: A, interest: Interest::READ });
    assert_eq!(undrained.broken_invariant(), None, "nothing is asked before its orders are carried out");
}

#[test]
fn facts_that_come_with_the_deadline_or_after_it_are_taken_in_before_it() {
    // A report may be read long after its moment: another process had the processor.
    for lateness in [50, 51, 5000] {
        Rig::standing(quick(), 2).play([
            (late(lateness * MS), ""),
            (readable(S1), "wait"),
            (readable(S0), "wait"),
            (tick(), "receive a s0 r"),
            (returns(A, Receive), "prepare a"),
            (returns(A, Prepare), "receive b s1 r"),
        ]);
    }
}

#[test]
fn a_report_for_nobody_does_not_put_off_the_end_of_the_turn() {
    let mut rig = Rig::standing(quick(), 1);
    rig.play([
        (late(20 * MS), ""),
        (readable(S2), "wait"),
        (tick(), "wait 30 period"),
        (late(30 * MS), ""),
        (readable(S2), "wait"),
        (tick(), "wait 50 period"),
    ]);
    assert_eq!(rig.host.turns(), 2);
}

#[test]
fn wake_is_called_at_its_moment_and_prepare_follows() {
    let mut rig = Rig::new(quick());
    rig.play([
        (added(), "tell a added"),
        (start(), "tell started 1, connect a"),
        (wake_at(A, at(20)), ""),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "wait 20 wake a"),
        (after(19 * MS), "wait 1 wake a"),
        (after(MS), "wake a"),
        (returns(A, Wake), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
    ]);
}

#[test]
fn a_second_request_replaces_the_first_and_never_takes_it_back() {
    let mut rig = Rig::standing(period_off(), 1);
    rig.play([
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (wake_at(A, at(20)), ""),
        (wake_at(A, at(30)), ""),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "wait 30 wake a"),
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (wake_never(A), ""),
        (returns(A, Receive), "prepare a"),
        (returns(A, Prepare), "wait"),
    ]);
}

#[test]
fn a_wake_in_the_past_comes_in_the_next_turn_without_a_wait() {
    let mut rig = Rig::standing(quick(), 1);
    rig.play([
        (late(20 * MS), ""),
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (wake_at(A, at(3)), ""),
        (returns(A, Receive), "wake a"),
        (wake_at(A, at(20)), ""),
        (returns(A, Wake), "prepare a"),
        (returns(A, Prepare), "look"),
        (tick(), "wake a"),
        (returns(A, Wake), "prepare a"),
        (returns(A, Prepare), "wait 50 period"),
    ]);
}

#[test]
fn wakes_of_one_turn_come_in_order_of_their_moments_then_of_addition_and_before_connects() {
    let mut rig = Rig::new(period_off());
    rig.play([
        (added(), "tell a added"),
        (added(), "tell b added"),
        (added(), "tell c added"),
        (start(), "tell started 3, connect a"),
        (wake_at(A, at(20)), ""),
        (returns(A, Connect), "prepare a"),
        (returns(A, Prepare), "connect b"),
        (wake_at(B, at(20)), ""),
        (returns(B, Connect), "prepare b"),
        (returns(B, Prepare), "connect c"),
        (wake_at(C, at(10)), ""),
        (not_yet(C), "wait 10 wake c"),
        (after(20 * MS), "wake c"),
        (returns(C, Wake), "wake a"),
        (returns(A, Wake), "wake b"),
        (returns(B, Wake), "prepare a"),
        (returns(A, Prepare), "prepare b"),
        (returns(B, Prepare), "connect c"),
        (not_yet(C), "wait 5000 reconnect c"),
    ]);
}

#[test]
fn bytes_that_come_at_the_moment_of_a_wake_are_served_first_and_may_put_it_off() {
    // At one instant facts come before deadlines: whoever rearms an idle timeout whenever bytes come must
    // not be told that nothing came.
    let served = |then: Row| {
        let mut rig = Rig::new(quick());
        rig.play([
            (added(), "tell a added"),
            (start(), "tell started 1, connect a"),
            (opened(S0, A), "watch s0 r"),
            (wake_at(A, at(20)), ""),
            (returns(A, Connect), "prepare a"),
            (returns(A, Prepare), "wait 20 wake a"),
            (late(20 * MS), ""),
            (readable(S0), "wait"),
            (tick(), "receive a s0 r"),
        ]);
        rig.tell(then);
        let words = rig.tell(returns(A, Receive));
        (rig, words)
    };
    let (mut rig, words) = served(wake_at(A, at(40)));
    assert_eq!(words, "prepare a");
    assert_eq!(rig.tell(returns(A, Prepare)), "wait 20 wake a");
    let (mut rig, words) = served(wake_never(A));
    assert_eq!(words, "prepare a");
    assert_eq!(rig.tell(returns(A, Prepare)), "wait 50 period");
    let (_, words) = served(tick());
    assert_eq!(words, "wake a", "nobody put it off");
}

#[test]
fn putting_off_ones_own_wake_leaves_that_of_another_alone() {
    let mut rig = Rig::standing(quick(), 2);
    rig.play([
        (readable(S0), "wait"),
        (readable(S1), "wait"),
        (tick(), "receive a s0 r"),
        (wake_at(A, at(0)), ""),
        (returns(A, Receive), "wake a"),
        (wake_at(A, at(10)), ""),
        (returns(A, Wake), "prepare a"),
        (returns(A, Prepare), "receive b s1 r"),
        (wake_at(B, at(10)), ""),
        (returns(B, Receive), "prepare b"),
        (returns(B, Prepare), "wait 10 wake a"),
        (late(10 * MS), ""),
        (readable(S0), "wait"),
        (tick(), "receive a s0 r"),
        (wake_at(A, at(20)), ""),
        (returns(A, Receive), "wake b"),
        (returns(B, Wake), "prepare b"),
        (returns(B, Prepare), "prepare a"),
        (returns(A, Prepare), "wait 10 wake a"),
    ]);
}

#[test]
fn a_service_that_does_not_stand_yet_is_woken_all_the_same_and_not_prepared_for_it() {
    Rig::new(quick()).play([
        (added(), "tell a added"),
        (start(), "tell started 1, connect a"),
        (wake_at(A, at(20)), ""),
        (not_yet(A), "wait 20 wake a"),
        (at_deadline(), "wake a"),
        (returns(A, Wake), "connect a"),
        (not_yet(A), "wait 50 period"),
    ]);
}

fn at(ms: u64) -> Instant {
    Instant::from_nanos(ms * 1_000_000)
}
