//! Signals: merged, ordered, held back.

use crate::arms::Case;
use crate::world::{QUIT, World};
use host_core::sys::{Child, ChildNews, Errno, ExitStatus, Handle, Interest, Signal};

pub(crate) const CASES: &[Case] = cases![
    k1_five_deaths_are_one_signal,
    k1_a_signal_that_was_read_comes_again_with_the_next_death,
    k3_signals_come_once_each_and_the_lowest_number_first,
    k3_what_was_read_is_pending_no_more,
    k2_of_several_children_that_were_stopped_the_oldest_is_told_first,
    a_continuation_takes_pending_stops_away_and_a_stop_a_pending_continuation,
    k5_term_to_a_stopped_child_stays_pending,
    k5_kill_ends_a_stopped_child_at_once,
    k5_quit_to_a_stopped_child_is_remembered_when_it_goes_on,
    k5_of_what_a_stopped_child_was_sent_the_lowest_number_strikes_first,
    k5_a_stopped_child_reads_what_is_held_back_when_it_goes_on,
    k6_a_stop_and_a_continuation_are_news_and_there_is_nothing_to_reap,
    k6_of_a_stop_and_a_continuation_that_nobody_heard_of_the_latest_is_told,
    k6_a_second_stop_and_a_second_continuation_are_no_news,
    k6_the_dead_have_no_other_news,
    k20_a_child_holds_back_nothing_that_its_parent_does,
    k21_nothing_is_pending_in_a_child,
    k21_a_handle_of_signals_that_a_child_keeps_tells_the_childs_own,
    each_handle_of_signals_tells_its_own,
    a_handle_of_signals_is_readable_while_one_is_pending,
    signals_that_are_given_back_end_the_process_at_once,
    a_kick_that_is_given_back_leaves_a_worker_as_it_was_born,
];

fn k1_five_deaths_are_one_signal(world: &World) {
    let told = world.news_handle();
    let children = [1, 2, 3, 4, 5].map(|code| world.fork(&[], move |_| code));
    for (code, child) in (1..).zip(children) {
        // Whoever is reaped has told of its death before.
        assert_eq!(world.end_of(child), ExitStatus::Code(code));
    }
    assert_eq!(world.sys.signal_read(told), Ok(Signal::Chld));
    assert_eq!(world.sys.signal_read(told), Err(Errno::AGAIN));
}

fn k1_a_signal_that_was_read_comes_again_with_the_next_death(world: &World) {
    let told = world.news_handle();
    for _ in 0..5 {
        let child = world.fork(&[], |_| 0);
        world.ready(told, Interest::READ);
        assert_eq!(world.sys.signal_read(told), Ok(Signal::Chld));
        assert_eq!(world.sys.reap(child.handle, true), Ok(Some(ExitStatus::Code(0))));
        assert_eq!(world.sys.signal_read(told), Err(Errno::AGAIN));
    }
}

/// Those that a collector holds back.
const HELD: [Signal; 5] = [Signal::Hup, Signal::Int, Signal::Usr1, Signal::Usr2, Signal::Term];

/// A child that holds signals back, and tells those that came each time when it is asked to: a byte each.
fn collector(world: &World) -> (Child, Handle) {
    collector_of(world, &HELD)
}

/// The same, of `held`.
fn collector_of(world: &World, held: &'static [Signal]) -> (Child, Handle) {
    let (child, line) = world.fork_on_line(&[], move |child, line| {
        let signals = child.sys.signals(held).expect("a descriptor");
        child.write(line, b"held");
        loop {
            child.obey(line, b"tell");
            let mut told = vec![0];
            told.extend(std::iter::from_fn(|| child.sys.signal_read(signals).ok()).map(Signal::number));
            child.write(line, &told);
        }
    });
    world.hear(line, b"held");
    (child, line)
}

/// What a collector has got since the last time.
fn collected(world: &World, line: Handle) -> Vec<u8> {
    world.write(line, b"tell");
    world.message(line).split_off(1)
}

fn k3_signals_come_once_each_and_the_lowest_number_first(world: &World) {
    use Signal::{Hup, Int, Term, Usr1, Usr2};
    let (child, line) = collector(world);
    for signal in [Term, Usr2, Hup, Usr1, Usr1, Hup, Int] {
        world.signal(child, signal);
    }
    assert_eq!(collected(world, line), [Hup, Int, Usr1, Usr2, Term].map(Signal::number));
    world.kill(child);
}

fn k3_what_was_read_is_pending_no_more(world: &World) {
    let (child, line) = collector(world);
    for signal in HELD {
        world.signal(child, signal);
        assert_eq!(collected(world, line), [signal.number()]);
        assert_eq!(collected(world, line), []);
    }
    world.kill(child);
}

fn k2_of_several_children_that_were_stopped_the_oldest_is_told_first(world: &World) {
    let told = world.news_handle();
    let children = [(); 3].map(|()| world.sleeper(&[]));
    for child in [children[2], children[0], children[1]] {
        world.signal(child, Signal::Stop);
        world.ready(told, Interest::READ);
        assert_eq!(world.sys.signal_read(told), Ok(Signal::Chld));
    }
    let news = [(); 3].map(|()| world.sys.child_news(false));
    assert_eq!(news, children.map(|child| Some(ChildNews::Stopped(child.pid))), "whoever was stopped first");
    for child in children {
        world.kill(child);
    }
}

fn a_continuation_takes_pending_stops_away_and_a_stop_a_pending_continuation(world: &World) {
    use Signal::{Cont, Stop, Ttin, Ttou, Winch};
    let (child, line) = collector_of(world, &[Ttin, Ttou, Cont, Winch]);
    let rows: [(&[Signal], &[Signal]); 4] = [
        (&[Ttin, Ttou, Winch], &[Ttin, Ttou, Winch]),
        (&[Ttin, Ttou, Winch, Cont], &[Cont, Winch]),
        (&[Cont, Ttin, Winch], &[Ttin, Winch]),
        (&[Cont, Stop, Cont], &[Cont]),
    ];
    for (sent, expected) in rows {
        for signal in sent {
            world.signal(child, *signal);
        }
        let expected: Vec<_> = expected.iter().copied().map(Signal::number).collect();
        assert_eq!(collected(world, line), expected, "of {sent:?}");
    }
    world.kill(child);
}

fn k5_term_to_a_stopped_child_stays_pending(world: &World) {
    let told = world.news_handle();
    let child = world.sleeper(&[]);
    world.stop(told, child);
    world.signal(child, Signal::Term);
    world.quiet(child.handle);
    assert_eq!(world.sys.reap(child.handle, false), Ok(None));
    world.signal(child, Signal::Cont);
    assert_eq!(world.end_of(child), ExitStatus::Code(0), "TERM ends a worker with 0");
}

fn k5_kill_ends_a_stopped_child_at_once(world: &World) {
    let told = world.news_handle();
    for pending in [None, Some(Signal::Term), Some(Signal::Quit)] {
        let child = world.sleeper(&[]);
        world.stop(told, child);
        if let Some(signal) = pending {
            world.signal(child, signal);
        }
        world.kill(child);
    }
}

fn k5_quit_to_a_stopped_child_is_remembered_when_it_goes_on(world: &World) {
    let told = world.news_handle();
    let child = world.sleeper(&[]);
    world.stop(told, child);
    world.signal(child, Signal::Quit);
    world.quiet(child.handle);
    world.signal(child, Signal::Cont);
    assert_eq!(world.end_of(child), ExitStatus::Code(QUIT));
}

fn k5_of_what_a_stopped_child_was_sent_the_lowest_number_strikes_first(world: &World) {
    let told = world.news_handle();
    let (child, line) = world.fork_on_line(&[], |child, line| {
        child.write(line, b"ready");
        child.spin()
    });
    world.hear(line, b"ready");
    world.stop(told, child);
    // ALRM, 14, goes before TERM, 15, whichever was sent first.
    world.signal(child, Signal::Term);
    world.signal(child, Signal::Alrm);
    world.signal(child, Signal::Cont);
    let ended = world.end_of(child);
    // Both handlers may be entered, and then the later one runs first: TERM exits before ALRM would end it.
    // ALRM has none, so that it ends the process as soon as it is taken.
    assert_eq!(ended, ExitStatus::by(Signal::Alrm));
}

fn k5_a_stopped_child_reads_what_is_held_back_when_it_goes_on(world: &World) {
    let told = world.news_handle();
    let (child, line) = collector(world);
    world.stop(told, child);
    world.signal(child, Signal::Usr2);
    world.write(line, b"tell");
    world.quiet(line);
    world.signal(child, Signal::Hup);
    world.cont(told, child);
    assert_eq!(world.message(line), [0, Signal::Hup.number(), Signal::Usr2.number()]);
    world.kill(child);
}

fn k6_a_stop_and_a_continuation_are_news_and_there_is_nothing_to_reap(world: &World) {
    let told = world.news_handle();
    let child = world.sleeper(&[]);
    let rows =
        [(Signal::Stop, ChildNews::Stopped(child.pid)), (Signal::Cont, ChildNews::Continued(child.pid))];
    for (signal, expected) in rows.repeat(3) {
        world.signal(child, signal);
        world.ready(told, Interest::READ);
        assert_eq!(world.sys.signal_read(told), Ok(Signal::Chld));
        assert_eq!(world.sys.signal_read(told), Err(Errno::AGAIN));
        assert_eq!(world.sys.child_news(true), Some(expected));
        assert_eq!(world.sys.child_news(true), None);
        assert_eq!(world.sys.reap(child.handle, false), Ok(None));
    }
    world.kill(child);
}

fn k6_of_a_stop_and_a_continuation_that_nobody_heard_of_the_latest_is_told(world: &World) {
    let told = world.news_handle();
    let child = world.sleeper(&[]);
    for signal in [Signal::Stop, Signal::Cont] {
        world.signal(child, signal);
        world.ready(told, Interest::READ);
        assert_eq!(world.sys.signal_read(told), Ok(Signal::Chld));
    }
    assert_eq!(world.sys.child_news(false), Some(ChildNews::Continued(child.pid)));
    assert_eq!(world.sys.child_news(false), None);
    world.kill(child);
}

fn k6_a_second_stop_and_a_second_continuation_are_no_news(world: &World) {
    let told = world.news_handle();
    let child = world.sleeper(&[]);
    for signal in [Signal::Stop, Signal::Cont] {
        world.signal(child, signal);
        world.ready(told, Interest::READ);
        assert_eq!(world.sys.signal_read(told), Ok(Signal::Chld));
        assert!(world.sys.child_news(false).is_some());
        world.signal(child, signal);
        world.quiet(told);
        assert_eq!(world.sys.child_news(false), None, "{signal}");
    }
    world.kill(child);
}

fn k6_the_dead_have_no_other_news(world: &World) {
    let told = world.news_handle();
    let child = world.sleeper(&[]);
    world.signal(child, Signal::Stop);
    world.ready(told, Interest::READ);
    assert_eq!(world.sys.signal_read(told), Ok(Signal::Chld));
    world.signal(child, Signal::Kill);
    world.await_end(child);
    assert_eq!(world.sys.child_news(true), None, "that it was stopped is the past");
    assert_eq!(world.end_of(child), ExitStatus::by(Signal::Kill));
    assert_eq!(world.sys.child_news(true), None);
}

fn k20_a_child_holds_back_nothing_that_its_parent_does(world: &World) {
    let all = [Signal::Term, Signal::Int, Signal::Quit, Signal::Alrm, Signal::Usr2, Signal::Chld];
    world.sys.signals(&all).unwrap();
    let rows = [
        (Signal::Term, ExitStatus::Code(0)),
        (Signal::Int, ExitStatus::Code(0)),
        (Signal::Quit, ExitStatus::Code(QUIT)),
        (Signal::Alrm, ExitStatus::by(Signal::Alrm)),
    ];
    for (signal, status) in rows {
        let child = world.sleeper(&[]);
        world.signal(child, Signal::Usr2);
        world.signal(child, signal);
        assert_eq!(world.end_of(child), status, "{signal}");
    }
}

fn k21_nothing_is_pending_in_a_child(world: &World) {
    let (child, line) = world.fork_on_line(&[], |child, line| {
        let held = [Signal::Usr2, Signal::Chld];
        let signals = child.sys.signals(&held).unwrap();
        let first = child.fork(&[], |_| 0);
        assert_eq!(child.end_of(first), ExitStatus::Code(0));
        child.write(line, b"held");
        child.obey(line, b"sent");
        let second = child.fork(&[], move |grandchild| {
            let signals = grandchild.sys.signals(&held).unwrap();
            assert_eq!(grandchild.sys.signal_read(signals), Err(Errno::AGAIN));
            0
        });
        assert_eq!(child.end_of(second), ExitStatus::Code(0));
        assert_eq!(child.sys.signal_read(signals), Ok(Signal::Usr2), "the parent's own stay");
        assert_eq!(child.sys.signal_read(signals), Ok(Signal::Chld));
        assert_eq!(child.sys.signal_read(signals), Err(Errno::AGAIN));
        0
    });
    world.hear(line, b"held");
    world.signal(child, Signal::Usr2);
    world.write(line, b"sent");
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn k21_a_handle_of_signals_that_a_child_keeps_tells_the_childs_own(world: &World) {
    let told = world.news_handle();
    let (child, line) = world.fork_on_line(&[told], move |child, line| {
        child.write(line, b"ready");
        child.obey(line, b"look");
        assert_eq!(child.sys.signal_read(told), Err(Errno::AGAIN));
        0
    });
    world.hear(line, b"ready");
    let other = world.fork(&[], |_| 0);
    assert_eq!(world.end_of(other), ExitStatus::Code(0));
    world.write(line, b"look");
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
    assert_eq!(world.sys.signal_read(told), Ok(Signal::Chld));
}

fn each_handle_of_signals_tells_its_own(world: &World) {
    let (child, line) = world.fork_on_line(&[], |child, line| {
        let [first, second] = [Signal::Usr2, Signal::Hup].map(|signal| child.sys.signals(&[signal]).unwrap());
        child.sys.poll_add(first, 1, Interest::READ).unwrap();
        child.sys.poll_add(second, 2, Interest::READ).unwrap();
        child.write(line, b"held");
        assert_eq!(child.keys(), [1]);
        assert_eq!(child.sys.signal_read(second), Err(Errno::AGAIN));
        assert_eq!(child.sys.signal_read(first), Ok(Signal::Usr2));
        child.write(line, b"one");
        assert_eq!(child.keys(), [2]);
        assert_eq!(child.sys.signal_read(first), Err(Errno::AGAIN));
        assert_eq!(child.sys.signal_read(second), Ok(Signal::Hup));
        0
    });
    world.hear(line, b"held");
    world.signal(child, Signal::Usr2);
    world.hear(line, b"one");
    world.signal(child, Signal::Hup);
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn a_handle_of_signals_is_readable_while_one_is_pending(world: &World) {
    let (child, line) = world.fork_on_line(&[], |child, line| {
        let signals = child.sys.signals(&[Signal::Usr1, Signal::Usr2]).unwrap();
        child.sys.poll_add(signals, 3, Interest::READ).unwrap();
        assert_eq!(child.sys.signal_read(signals), Err(Errno::AGAIN));
        assert_eq!(child.look(), []);
        child.write(line, b"held");
        child.obey(line, b"sent");
        for signal in [Signal::Usr1, Signal::Usr2] {
            assert_eq!(child.look(), [3]);
            assert!(child.holds(signals).is_some());
            assert_eq!(child.sys.signal_read(signals), Ok(signal));
        }
        assert_eq!(child.look(), []);
        assert_eq!(child.holds(signals), None);
        0
    });
    world.hear(line, b"held");
    world.signal(child, Signal::Usr2);
    world.signal(child, Signal::Usr1);
    world.write(line, b"sent");
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn signals_that_are_given_back_end_the_process_at_once(world: &World) {
    for pending in [true, false] {
        let (child, line) = world.fork_on_line(&[], move |child, line| {
            child.sys.signals(&[Signal::Usr2]).unwrap();
            child.write(line, b"held");
            child.obey(line, b"go");
            child.sys.signals_end_process(&[Signal::Usr2]).unwrap();
            assert!(!pending, "what came too late strikes here");
            child.write(line, b"given back");
            child.stay()
        });
        world.hear(line, b"held");
        if pending {
            world.signal(child, Signal::Usr2);
            world.write(line, b"go");
        } else {
            world.write(line, b"go");
            world.hear(line, b"given back");
            world.signal(child, Signal::Usr2);
        }
        assert_eq!(world.end_of(child), ExitStatus::by(Signal::Usr2));
    }
}

fn a_kick_that_is_given_back_leaves_a_worker_as_it_was_born(world: &World) {
    let rows = [
        (Signal::Term, ExitStatus::Code(0)),
        (Signal::Int, ExitStatus::Code(0)),
        (Signal::Quit, ExitStatus::Code(QUIT)),
    ];
    for (signal, status) in rows {
        let (child, line) = world.fork_on_line(&[], |child, line| {
            // What a host inside a worker does with its signals, from its beginning to its end.
            child.sys.signals(&[Signal::Term, Signal::Int, Signal::Usr2]).unwrap();
            child.sys.kick_arm(crate::world::BOUND).unwrap();
            child.sys.signals_end_process(&[Signal::Term, Signal::Int]).unwrap();
            child.sys.kick_disarm();
            child.write(line, b"given back");
            child.stay()
        });
        world.hear(line, b"given back");
        for ignored in [Signal::Usr1, Signal::Usr2, Signal::Hup] {
            world.signal(child, ignored);
        }
        world.signal(child, signal);
        assert_eq!(world.end_of(child), status, "{signal}");
        world.sys.close(line);
    }
}
