//! Signals: merged, ordered, held back, and what they do to a worker.

use crate::world::{BOUND, QUIET, World, on_a_machine};
use host_core::sys::{Child, ChildNews, Errno, ExitStatus, Handle, Interest, Signal};
use std::time::Duration;

#[test]
fn k1_five_deaths_are_one_signal() {
    on_a_machine(|world| {
        let news = world.sys.signals(&[Signal::Chld]).unwrap();
        let children = [1, 2, 3, 4, 5].map(|code| world.fork(&[], move |_| code));
        world.pause(QUIET);
        assert_eq!(world.sys.signal_read(news), Ok(Signal::Chld));
        assert_eq!(world.sys.signal_read(news), Err(Errno::AGAIN));
        let codes = children.map(|child| world.sys.reap(child.handle, false));
        assert_eq!(codes, [1, 2, 3, 4, 5].map(|code| Ok(Some(ExitStatus::Code(code)))));
    });
}

/// A child that holds signals back, and tells those that came when it is asked to: a byte each.
fn collector(world: &World) -> (Child, Handle) {
    let (mine, theirs) = world.channel();
    let child = world.fork(&[theirs], move |child| {
        let held = [Signal::Hup, Signal::Int, Signal::Usr1, Signal::Usr2, Signal::Term];
        let signals = child.sys.signals(&held).expect("a descriptor");
        assert_eq!(child.message(theirs), b"tell");
        let told: Vec<u8> =
            std::iter::from_fn(|| child.sys.signal_read(signals).ok()).map(Signal::number).collect();
        child.write(theirs, &told);
        0
    });
    world.sys.close(theirs);
    world.pause(QUIET);
    (child, mine)
}

#[test]
fn k3_signals_come_once_each_and_the_lowest_number_first() {
    use Signal::{Hup, Int, Term, Usr1, Usr2};
    on_a_machine(|world| {
        let (child, line) = collector(world);
        for signal in [Term, Usr2, Hup, Usr1, Usr1, Hup, Int] {
            world.signal(child, signal);
        }
        world.write(line, b"tell");
        assert_eq!(world.message(line), [Hup, Int, Usr1, Usr2, Term].map(Signal::number));
        assert_eq!(world.end_of(child), ExitStatus::Code(0));
    });
}

#[test]
fn k5_a_stopped_child_takes_term_when_it_is_continued_and_kill_at_once() {
    on_a_machine(|world| {
        let [patient, killed] = [world.sleeper(&[]), world.sleeper(&[])];
        for child in [patient, killed] {
            world.signal(child, Signal::Stop);
            world.signal(child, Signal::Term);
            world.quiet(child.handle);
        }
        world.signal(killed, Signal::Kill);
        assert_eq!(world.end_of(killed), ExitStatus::by(Signal::Kill));
        world.signal(patient, Signal::Cont);
        assert_eq!(world.end_of(patient), ExitStatus::Code(0), "TERM ends a worker with 0");
    });
}

#[test]
fn k6_a_stop_and_a_continuation_are_news_once_each_and_there_is_nothing_to_reap() {
    on_a_machine(|world| {
        let news = world.sys.signals(&[Signal::Chld]).unwrap();
        let child = world.sleeper(&[]);
        let rows =
            [(Signal::Stop, ChildNews::Stopped(child.pid)), (Signal::Cont, ChildNews::Continued(child.pid))];
        for (signal, expected) in rows {
            world.signal(child, signal);
            // A second one changes nothing.
            world.signal(child, signal);
            world.pause(QUIET);
            assert_eq!(world.sys.signal_read(news), Ok(Signal::Chld));
            assert_eq!(world.sys.signal_read(news), Err(Errno::AGAIN));
            assert_eq!(world.sys.child_news(true), Some(expected));
            assert_eq!(world.sys.child_news(true), None);
            assert_eq!(world.sys.reap(child.handle, false), Ok(None));
            assert_eq!(world.holds(child.handle), None, "its handle tells deaths only");
        }
        world.signal(child, Signal::Stop);
        world.signal(child, Signal::Cont);
        assert_eq!(world.sys.child_news(false), Some(ChildNews::Continued(child.pid)), "the latest only");
        world.signal(child, Signal::Stop);
        world.kill_stopped(child);
        assert_eq!(world.sys.child_news(true), None, "the dead have no news");
    });
}

impl World {
    fn kill_stopped(&self, child: Child) {
        self.signal(child, Signal::Kill);
        self.pause(QUIET);
        assert_eq!(self.sys.reap(child.handle, false), Ok(Some(ExitStatus::by(Signal::Kill))));
    }
}

#[test]
fn k20_s43_a_worker_is_born_with_the_documented_baseline() {
    on_a_machine(|world| {
        use Signal::{Abrt, Alrm, Chld, Cont, Hup, Int, Segv, Stop, Term, Ttin, Ttou, Usr1, Usr2, Winch};
        let sturdy = world.sleeper(&[]);
        for signal in [Hup, Usr1, Usr2, Ttin, Ttou, Winch, Chld, Cont] {
            world.signal(sturdy, signal);
        }
        world.quiet(sturdy.handle);
        assert_eq!(world.sys.child_news(false), None, "none of them stopped it");
        let core = |signal: Signal| ExitStatus::Signal { number: signal.number(), core: true };
        let rows = [
            (Term, ExitStatus::Code(0)),
            (Int, ExitStatus::Code(0)),
            (Abrt, core(Abrt)),
            (Segv, core(Segv)),
            (Alrm, ExitStatus::by(Alrm)),
            (Signal::Kill, ExitStatus::by(Signal::Kill)),
            (Signal::Quit, ExitStatus::Code(7)),
        ];
        for (signal, status) in rows {
            let child = world.sleeper(&[]);
            world.signal(child, signal);
            assert_eq!(world.end_of(child), status, "{signal}");
        }
        world.signal(sturdy, Stop);
        world.pause(QUIET);
        assert_eq!(world.sys.child_news(false), Some(ChildNews::Stopped(sturdy.pid)));
    });
}

#[test]
fn k21_nothing_is_pending_in_a_child() {
    on_a_machine(|world| {
        let news = world.sys.signals(&[Signal::Chld]).unwrap();
        let first = world.fork(&[], |_| 0);
        world.pause(QUIET);
        let second = world.fork(&[], |child| {
            let news = child.sys.signals(&[Signal::Chld]).unwrap();
            match child.sys.signal_read(news) {
                Err(Errno::AGAIN) => 0,
                _ => 1,
            }
        });
        assert_eq!(world.end_of(second), ExitStatus::Code(0));
        assert_eq!(world.sys.signal_read(news), Ok(Signal::Chld), "the parent's own");
        assert_eq!(world.end_of(first), ExitStatus::Code(0));
    });
}

#[test]
fn a_worker_that_computes_ends_on_term_at_once_and_on_quit_when_it_looks() {
    on_a_machine(|world| {
        let busy = |world: &World| {
            let child = world.fork(&[], |child| {
                child.pause(Duration::from_secs(1));
                if child.sys.quit_asked() { 7 } else { 1 }
            });
            world.pause(QUIET);
            child
        };
        let child = busy(world);
        let sent = world.sys.now();
        world.signal(child, Signal::Term);
        assert_eq!(world.end_of(child), ExitStatus::Code(0));
        assert!(world.sys.now().since(sent) < Duration::from_millis(1));
        let child = busy(world);
        world.signal(child, Signal::Quit);
        assert_eq!(world.end_of(child), ExitStatus::Code(7));
    });
}

#[test]
fn a_quit_ends_a_wait_and_a_ready_handle_goes_before_it() {
    on_a_machine(|world| {
        let (mine, theirs) = world.channel();
        let child = world.fork(&[theirs], move |child| {
            let wait = || child.sys.wait_or_quit(theirs, Interest::READ, None);
            assert_eq!(wait(), Err(Errno::CANCELED));
            assert!(child.sys.quit_asked());
            let quit = child.sys.quit_handle().unwrap();
            assert_eq!(child.sys.quit_handle(), Ok(quit), "the same one each time");
            assert!(child.holds(quit).is_some());
            child.write(theirs, b"asked");
            child.pause(QUIET);
            assert!(wait().is_ok_and(|readiness| readiness.readable));
            assert_eq!(child.message(theirs), b"more");
            assert_eq!(wait(), Err(Errno::CANCELED));
            0
        });
        world.sys.close(theirs);
        world.pause(QUIET);
        world.signal(child, Signal::Quit);
        assert_eq!(world.message(mine), b"asked");
        world.write(mine, b"more");
        assert_eq!(world.end_of(child), ExitStatus::Code(0));
        assert_eq!(world.sys.quit_handle(), Err(Errno::NOSYS), "this process is no worker");
        assert_eq!(
            world.sys.wait_or_quit(mine, Interest::READ, world.deadline(BOUND)).map(|r| r.ended),
            Ok(true)
        );
    });
}

#[test]
fn a_quit_interrupts_a_poller_and_makes_the_quit_handle_readable() {
    on_a_machine(|world| {
        let child = world.fork(&[], |child| {
            child.sys.poll_add(child.sys.quit_handle().unwrap(), 5, Interest::READ).unwrap();
            let mut events = Vec::new();
            assert_eq!(child.sys.poll_wait(&mut events, None), Err(Errno::INTR));
            assert_eq!(child.look(), [5]);
            0
        });
        world.pause(QUIET);
        world.signal(child, Signal::Quit);
        assert_eq!(world.end_of(child), ExitStatus::Code(0));
    });
}

#[test]
fn a_process_whose_signals_are_given_back_is_ended_by_what_came_too_late() {
    on_a_machine(|world| {
        let (mine, theirs) = world.channel();
        let child = world.fork(&[theirs], move |child| {
            child.sys.signals(&[Signal::Usr2]).unwrap();
            assert_eq!(child.message(theirs), b"go");
            child.sys.signals_end_process(&[Signal::Usr2]).unwrap();
            0
        });
        world.pause(QUIET);
        world.signal(child, Signal::Usr2);
        world.write(mine, b"go");
        assert_eq!(world.end_of(child), ExitStatus::by(Signal::Usr2));
    });
}
