//! How a host with fleets ends: by whom it was asked, how hard, and who comes first.

use crate::rig::*;
use host_core::fleet::config::{OnExhausted, Strategy};
use host_core::service::kick::Callback::{Connect, Drain, Prepare, Stop};
use host_core::sys::Signal;

const ENDED: &str = "stopping TERM, end on signal, stopped, finish Stopped";

#[test]
fn pf_c15_a_host_ends_when_its_last_worker_was_reaped_and_not_before() {
    let mut rig = Rig::up(workers(2));
    rig.play([
        (signal(Signal::Term), "signal a0.1 TERM, signal a1.1 TERM"),
        (tick(), ""),
        (exits("a1.1", 0), "died a1.1 0 Stop"),
        (tick(), ""),
        (after(50 * MS), "signal a0.1 KILL"),
        (tick(), ""),
        (killed("a0.1"), "died a0.1 KILL Stop killed, empty a"),
        (tick(), ENDED),
    ]);
    assert!(rig.host.is_ended());
}

#[test]
fn quit_drains_and_then_the_services_of_the_host_are_drained_too() {
    let mut rig = Rig::fresh(workers(1));
    rig.play([
        (added(), ""),
        (start(), "connect s0, spawn a0.1"),
        (opened(), ""),
        (returns(Connect), "prepare s0"),
        (returns(Prepare), ""),
        (all([born("a0.1"), waits("a0.1"), ready("a0.1")]), ""),
        (signal(Signal::Quit), "draining QUIT, signal a0.1 QUIT"),
        // Meanwhile they go on serving.
        (tick(), ""),
        (exits("a0.1", 0), "died a0.1 0 Drain, empty a"),
        (tick(), "drain s0"),
        (not_yet(Drain), "prepare s0"),
        (returns(Prepare), ""),
        (tick(), ""),
        (closed(), ""),
        (tick(), "stopping QUIT, end on signal, stop s0"),
        (returns(Stop), "close s0, stopped, finish Stopped"),
    ]);
}

#[test]
fn pf_c27_each_further_signal_is_harder_and_takes_effect_at_once() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (signal(Signal::Quit), "draining QUIT, signal a0.1 QUIT"),
        (signal(Signal::Quit), ""),
        (signal(Signal::Term), "signal a0.1 TERM"),
        (signal(Signal::Quit), ""),
        (signal(Signal::Int), "signal a0.1 KILL"),
        (signal(Signal::Term), ""),
        (killed("a0.1"), "died a0.1 KILL Stop killed, empty a"),
        (tick(), "stopping QUIT, end on signal, stopped, finish Stopped"),
    ]);
    let mut rig = Rig::up(workers(1));
    rig.play([
        (signal(Signal::Int), "signal a0.1 TERM"),
        (signal(Signal::Term), "signal a0.1 KILL"),
        (killed("a0.1"), "died a0.1 KILL Stop killed, empty a"),
        (tick(), "stopping INT, end on signal, stopped, finish Stopped"),
    ]);
}

#[test]
fn an_application_that_asks_twice_means_the_same() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (drain(), "draining, signal a0.1 QUIT"),
        (drain(), ""),
        (stop(), "signal a0.1 TERM"),
        (stop(), ""),
        (drain(), ""),
        // But a signal after it is the second one.
        (signal(Signal::Term), "signal a0.1 KILL"),
        (stop(), ""),
        (killed("a0.1"), "died a0.1 KILL Stop killed, empty a"),
        (tick(), "stopping, end on signal, stopped, finish Stopped"),
    ]);
}

#[test]
fn fleets_drain_in_reverse_order_and_stop_all_together() {
    let mut rig = Rig::up(fleets(Strategy::OneForOne, [1, 1, 1]));
    rig.play([
        (signal(Signal::Quit), "draining QUIT, signal c0.1 QUIT"),
        // Those whose turn has not come are kept up.
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (exits("b0.1", 1), "died b0.1 1 unasked, spawn b0.2"),
        (exits("c0.1", 0), "died c0.1 0 Drain, empty c"),
        (born("b0.2"), "signal b0.2 QUIT"),
        (exits("b0.2", 0), "died b0.2 0 Drain, empty b"),
        (unborn("a0.2"), "unborn a0.2"),
        (tick(), "stopping QUIT, end on signal, stopped, finish Stopped"),
    ]);
    let mut rig = Rig::up(fleets(Strategy::OneForOne, [1, 1]));
    rig.play([
        (signal(Signal::Quit), "draining QUIT, signal b0.1 QUIT"),
        (signal(Signal::Term), "signal a0.1 TERM, signal b0.1 TERM"),
        (exits("b0.1", 0), "died b0.1 0 Stop, empty b"),
        (exits("a0.1", 0), "died a0.1 0 Stop, empty a"),
    ]);
}

#[test]
fn an_empty_fleet_keeps_no_other_from_draining() {
    let mut rig = Rig::up(fleets(Strategy::OneForOne, [1, 0, 0]));
    rig.play([
        (signal(Signal::Quit), "draining QUIT, signal a0.1 QUIT"),
        (resize("c", 4), "wanted c 4"),
        (exits("a0.1", 0), "died a0.1 0 Drain, empty a"),
        (tick(), "stopping QUIT, end on signal, stopped, finish Stopped"),
    ]);
}

#[test]
fn a_drain_while_fleets_open_opens_no_further_one() {
    let mut rig = Rig::started(fleets(Strategy::OneForOne, [1, 1]));
    rig.play([
        (signal(Signal::Quit), "draining QUIT"),
        (born("a0.1"), "signal a0.1 QUIT"),
        (ready("a0.1"), ""),
        (exits("a0.1", 0), "died a0.1 0 Drain, empty a"),
        (tick(), "stopping QUIT, end on signal, stopped, finish Stopped"),
    ]);
}

#[test]
fn whoever_is_born_after_the_stop_is_ended_as_hard_as_the_others() {
    for (signals, word) in [
        (vec![Signal::Quit], "signal a0.1 QUIT"),
        (vec![Signal::Term], "signal a0.1 TERM"),
        (vec![Signal::Quit, Signal::Term], "signal a0.1 TERM"),
        (vec![Signal::Term, Signal::Term], "signal a0.1 KILL"),
    ] {
        let mut rig = Rig::started(workers(1));
        for sent in &signals {
            rig.tell(signal(*sent));
        }
        rig.play([(tick(), "")]);
        assert_eq!(rig.tell(born("a0.1")), word, "{signals:?}");
    }
}

#[test]
fn a_fork_that_fails_during_the_stop_is_not_tried_again() {
    let mut rig = Rig::started(workers(1));
    rig.play([(signal(Signal::Term), ""), (unborn("a0.1"), "unborn a0.1"), (tick(), ENDED)]);
}

#[test]
fn l4_when_the_last_fork_has_failed_after_the_tick_the_host_ends_at_once() {
    for (stop, ended) in
        [(Signal::Term, ENDED), (Signal::Quit, "stopping QUIT, end on signal, stopped, finish Stopped")]
    {
        let mut rig = Rig::started(workers(1));
        rig.tell(signal(stop));
        rig.play([
            (tick(), ""),
            (unborn("a0.1"), "unborn a0.1"),
            // There is no report that a tick would be the end of.
            (next(), "period in 0"),
            (at_deadline(), ended),
        ]);
        assert!(rig.host.is_ended());
    }
}

#[test]
fn a_host_without_workers_stops_at_once() {
    for config in [workers(0), host([])] {
        let mut rig = Rig::up(config);
        rig.play([(signal(Signal::Term), ""), (tick(), ENDED)]);
    }
    // So does one whose only worker rests.
    let mut rig = Rig::up(workers(1));
    rig.play([
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (born("a0.2"), ""),
        (exits("a0.2", 1), "died a0.2 1 unasked, rest a0 x2"),
        (signal(Signal::Quit), "draining QUIT"),
        (tick(), "stopping QUIT, end on signal, stopped, finish Stopped"),
    ]);
}

#[test]
fn nobody_who_dies_during_the_stop_gets_a_successor() {
    let mut rig = Rig::up(workers(2));
    rig.play([
        (signal(Signal::Quit), "draining QUIT, signal a0.1 QUIT, signal a1.1 QUIT"),
        (dies("a0.1", Signal::Segv), "died a0.1 SEGV Drain"),
        (resize("a", 4), "wanted a 4"),
        (enough("a1.1"), ""),
        (exits("a1.1", 0), "died a1.1 0 Drain, empty a"),
    ]);
}

#[test]
fn a_second_signal_after_the_workers_are_gone_ends_the_services_at_once() {
    let mut rig = Rig::fresh(workers(0));
    rig.play([
        (added(), ""),
        (start(), "connect s0"),
        (opened(), ""),
        (returns(Connect), "prepare s0"),
        (returns(Prepare), ""),
        (signal(Signal::Quit), "draining QUIT"),
        (tick(), "drain s0"),
        (not_yet(Drain), "prepare s0"),
        (returns(Prepare), ""),
        (signal(Signal::Quit), ""),
        (signal(Signal::Term), ""),
        (tick(), "stopping TERM, end on signal, stop s0"),
        (signal(Signal::Term), "close s0, finish StoppedAtOnce"),
    ]);
}

#[test]
fn a_service_that_fails_takes_the_workers_with_it_before_the_host_ends() {
    let mut rig = Rig::fresh(workers(2));
    rig.play([
        (added(), ""),
        (start(), "connect s0, spawn a0.1, spawn a1.1"),
        (all([born("a0.1"), born("a1.1")]), ""),
        (fails(Connect), "notify s0, close s0, signal a0.1 TERM, signal a1.1 TERM"),
        (tick(), ""),
        // What is told of services is told of nobody.
        (all([added(), opened(), closed(), returns(Prepare)]), ""),
        (exits("a0.1", 0), "died a0.1 0 Stop"),
        (signal(Signal::Term), "signal a1.1 KILL"),
        (killed("a1.1"), "died a1.1 KILL Stop killed, empty a, finish ServiceFailed"),
    ]);
    assert!(rig.host.is_ended());
}

#[test]
fn a_service_that_fails_in_a_host_without_workers_ends_it_at_once() {
    let mut rig = Rig::fresh(workers(0));
    rig.play([
        (added(), ""),
        (start(), "connect s0"),
        (fails(Connect), "notify s0, close s0, finish ServiceFailed"),
    ]);
}

#[test]
fn a_service_that_fails_during_a_drain_hastens_it() {
    let mut rig = Rig::fresh(workers(1));
    rig.play([
        (added(), ""),
        (start(), "connect s0, spawn a0.1"),
        (born("a0.1"), ""),
        (signal(Signal::Quit), "draining QUIT, signal a0.1 QUIT"),
        (fails(Connect), "notify s0, close s0, signal a0.1 TERM"),
        (exits("a0.1", 0), "died a0.1 0 Stop, empty a, finish ServiceFailed"),
    ]);
}

#[test]
fn a_system_that_fails_leaves_nobody_behind() {
    let mut rig = Rig::up(workers(2));
    rig.play([(breaks(), "kill all, finish SystemFailed")]);
    assert!(rig.host.is_ended());
    // Nobody is there to be killed.
    let mut rig = Rig::up(workers(0));
    rig.play([(breaks(), "finish SystemFailed")]);
    // And while the host waits for its workers after a service has failed.
    let mut rig = Rig::fresh(workers(1));
    rig.play([
        (added(), ""),
        (start(), "connect s0, spawn a0.1"),
        (born("a0.1"), ""),
        (fails(Connect), "notify s0, close s0, signal a0.1 TERM"),
        (breaks(), "kill all, finish SystemFailed"),
    ]);
    // And in the midst of a drain.
    let mut rig = Rig::up(workers(1));
    rig.play([
        (signal(Signal::Quit), "draining QUIT, signal a0.1 QUIT"),
        (breaks(), "kill all, finish SystemFailed"),
    ]);
}

#[test]
fn a_process_with_threads_ends_after_those_who_were_forked_before() {
    let mut rig = Rig::started(workers(2));
    rig.play([
        (born("a0.1"), ""),
        (unborn_among_threads("a1.1", 3), "unborn a1.1 threads 3, signal a0.1 TERM"),
        (tick(), ""),
        (exits("a0.1", 0), "died a0.1 0 Stop, empty a"),
        (tick(), "stopping, end on signal, stopped, finish Threads 3"),
    ]);
    let mut rig = Rig::started(workers(1));
    rig.play([
        (unborn_among_threads("a0.1", 2), "unborn a0.1 threads 2"),
        (tick(), "stopping, end on signal, stopped, finish Threads 2"),
    ]);
}

#[test]
fn a_service_that_fails_while_the_host_ends_for_another_reason_is_what_it_ends_with() {
    let mut rig = Rig::fresh(workers(1));
    rig.play([
        (added(), ""),
        (start(), "connect s0, spawn a0.1"),
        (unborn_among_threads("a0.1", 2), "unborn a0.1 threads 2"),
        (fails(Connect), "notify s0, close s0, finish ServiceFailed"),
    ]);
}

#[test]
fn a_fleet_that_is_given_up_may_take_the_host_with_it() {
    let mut rig = Rig::up(with(2, |fleet| {
        fleet.restart_budget = budget(1, 1_000 * MS);
        fleet.on_exhausted = OnExhausted::StopHost;
    }));
    rig.play([
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (born("a0.2"), ""),
        (exits("a0.2", 1), "died a0.2 1 unasked, given up a, signal a1.1 QUIT, signal a1.1 TERM"),
        (exits("a1.1", 0), "died a1.1 0 Stop, empty a"),
        (tick(), "stopping, end on signal, stopped, finish FleetGivenUp a"),
    ]);
}

#[test]
fn a_start_that_is_abandoned_ends_the_host_whatever_else_would_become_of_such_a_fleet() {
    let mut rig = Rig::up(with(2, |fleet| fleet.restart_budget = budget(1, 1_000 * MS)));
    rig.play([
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (born("a0.2"), ""),
        (exits("a0.2", 1), "died a0.2 1 unasked, degraded a, rest a0 x2"),
        (abandoned("a"), "signal a1.1 TERM"),
        (abandoned("a"), ""),
        (exits("a1.1", 0), "died a1.1 0 Stop, empty a"),
        (tick(), "stopping, end on signal, stopped, finish FleetGivenUp a"),
    ]);
    // One that stops already stops in order.
    let mut rig = Rig::up(workers(1));
    rig.play([
        (signal(Signal::Term), "signal a0.1 TERM"),
        (abandoned("a"), ""),
        (exits("a0.1", 0), "died a0.1 0 Stop, empty a"),
        (tick(), "stopping TERM, end on signal, stopped, finish FleetGivenUp a"),
    ]);
}

#[test]
fn a_host_whose_only_fleet_was_given_up_serves_nobody_and_ends() {
    let stops = || {
        with(1, |fleet| {
            fleet.restart_budget = budget(1, 1_000 * MS);
            fleet.on_exhausted = OnExhausted::StopFleet;
        })
    };
    let mut rig = Rig::up(stops());
    rig.play([
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (born("a0.2"), ""),
        (exits("a0.2", 1), "died a0.2 1 unasked, given up a"),
        (tick(), "stopping, end on signal, stopped, finish FleetGivenUp a"),
    ]);
    // A service of its own goes on.
    let mut rig = Rig::fresh(stops());
    rig.play([
        (added(), ""),
        (start(), "connect s0, spawn a0.1"),
        (all([returns(Connect), returns(Prepare)]), "prepare s0"),
        (born("a0.1"), ""),
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (born("a0.2"), ""),
        (exits("a0.2", 1), "died a0.2 1 unasked, given up a"),
        (tick(), ""),
    ]);
    assert!(!rig.host.is_ended());
}

#[test]
fn l4_a_stop_ends_within_its_bound_though_nobody_obeys() {
    for (sent, bound) in [(Signal::Quit, 500 * MS), (Signal::Term, 50 * MS)] {
        let mut rig = Rig::up(workers(3));
        rig.tell(stopped("a1.1"));
        rig.tell(signal(sent));
        let begin = rig.now;
        while rig.checker.living().any(|worker| !rig.checker.is_killed(worker)) {
            rig.tell(at_deadline());
            rig.tell(beats("a"));
        }
        assert_eq!(rig.now.since(begin), bound, "{sent}");
    }
}
