//! What a worker is born with: what its signals do, and how it is asked to quit.

use crate::arms::Case;
use crate::world::{BOUND, QUIT, World, is_by};
use host_core::sys::{Child, Errno, ExitStatus, Handle, Interest, Signal};

pub(crate) const CASES: &[Case] = cases![
    s43_what_a_worker_ignores_neither_ends_nor_stops_nor_wakes_it,
    s43_each_signal_ends_a_worker_as_documented,
    s43_a_stop_stops_a_worker,
    term_and_int_end_a_worker_at_once_while_it_computes,
    term_and_int_end_a_worker_that_waits_in_any_call,
    term_to_a_worker_that_may_not_have_begun_ends_it_with_zero,
    quit_is_seen_by_a_worker_that_computes,
    quit_to_a_worker_that_may_not_have_begun_is_remembered,
    a_quit_ends_a_wait_before_and_after,
    a_quit_that_came_before_the_wait_ends_it,
    what_is_ready_goes_before_a_quit,
    a_wait_or_quit_keeps_its_deadline,
    a_quit_interrupts_a_plain_wait,
    a_quit_interrupts_a_poller_or_is_reported_by_it,
    the_quit_handle_is_the_same_each_time_and_cannot_be_closed,
    a_second_quit_is_no_news,
    a_child_of_one_who_was_asked_to_quit_was_not_asked,
    a_worker_that_takes_quit_over_is_not_asked,
    a_stop_interrupts_a_poller_and_no_plain_wait,
    a_process_that_is_no_worker_is_never_asked_to_quit,
];

fn s43_what_a_worker_ignores_neither_ends_nor_stops_nor_wakes_it(world: &World) {
    use Signal::{Chld, Cont, Hup, Ttin, Ttou, Usr1, Usr2, Winch};
    let (child, line) = world.fork_on_line(&[], |child, line| {
        child.write(line, b"ready");
        // An interruption would be an error here.
        child.obey(line, b"go on");
        QUIT
    });
    world.hear(line, b"ready");
    for signal in [Hup, Usr1, Usr2, Ttin, Ttou, Winch, Chld, Cont] {
        world.signal(child, signal);
    }
    world.quiet(child.handle);
    assert_eq!(world.sys.child_news(false), None, "none of them stopped it");
    world.write(line, b"go on");
    assert_eq!(world.end_of(child), ExitStatus::Code(QUIT));
}

fn s43_each_signal_ends_a_worker_as_documented(world: &World) {
    for (signal, status) in [(Signal::Term, 0), (Signal::Int, 0), (Signal::Quit, QUIT)] {
        let child = world.sleeper(&[]);
        world.signal(child, signal);
        assert_eq!(world.end_of(child), ExitStatus::Code(status), "{signal}");
    }
    for signal in [Signal::Abrt, Signal::Segv, Signal::Alrm, Signal::Kill] {
        let child = world.sleeper(&[]);
        world.signal(child, signal);
        let ended = world.end_of(child);
        assert!(is_by(ended, signal), "{ended} by {signal}");
    }
}

fn s43_a_stop_stops_a_worker(world: &World) {
    let told = world.news_handle();
    let (child, line) = world.fork_on_line(&[], |child, line| {
        child.write(line, b"ready");
        child.obey(line, b"go on");
        child.write(line, b"going on");
        0
    });
    world.hear(line, b"ready");
    world.stop(told, child);
    world.write(line, b"go on");
    world.quiet(line);
    world.signal(child, Signal::Cont);
    world.hear(line, b"going on");
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn term_and_int_end_a_worker_at_once_while_it_computes(world: &World) {
    for signal in [Signal::Term, Signal::Int] {
        let child = world.spinner();
        world.signal(child, signal);
        assert_eq!(world.end_of(child), ExitStatus::Code(0));
    }
}

fn term_and_int_end_a_worker_that_waits_in_any_call(world: &World) {
    // What they answer is nothing: none comes back.
    let calls: [fn(&World, Handle); 4] = [
        |child, line| {
            let _ = child.sys.wait(line, Interest::READ, None);
        },
        |child, line| {
            let _ = child.sys.wait_or_quit(line, Interest::READ, None);
        },
        |child, line| {
            child.sys.poll_add(line, 1, Interest::READ).unwrap();
            let _ = child.sys.poll_wait(&mut Vec::new(), None);
        },
        |child, _| {
            let grandchild = child.sleeper(&[]);
            let _ = child.sys.reap(grandchild.handle, true);
        },
    ];
    for call in calls {
        for signal in [Signal::Term, Signal::Int] {
            let (child, line) = world.fork_on_line(&[], move |child, line| {
                child.write(line, b"ready");
                call(child, line);
                1
            });
            world.hear(line, b"ready");
            world.signal(child, signal);
            assert_eq!(world.end_of(child), ExitStatus::Code(0));
            world.hear_end(line);
        }
    }
}

fn term_to_a_worker_that_may_not_have_begun_ends_it_with_zero(world: &World) {
    for signal in [Signal::Term, Signal::Int].repeat(5) {
        let child = world.fork(&[], |child| child.spin());
        world.signal(child, signal);
        assert_eq!(world.end_of(child), ExitStatus::Code(0));
    }
}

/// Computes until it is asked to quit.
fn compute_until_asked(child: &World) -> u8 {
    while !child.sys.quit_asked() {
        child.compute();
    }
    QUIT
}

fn quit_is_seen_by_a_worker_that_computes(world: &World) {
    let (child, line) = world.fork_on_line(&[], |child, line| {
        assert!(!child.sys.quit_asked());
        child.write(line, b"ready");
        compute_until_asked(child)
    });
    world.hear(line, b"ready");
    world.signal(child, Signal::Quit);
    assert_eq!(world.end_of(child), ExitStatus::Code(QUIT));
}

fn quit_to_a_worker_that_may_not_have_begun_is_remembered(world: &World) {
    for _ in 0..10 {
        let child = world.fork(&[], compute_until_asked);
        world.signal(child, Signal::Quit);
        assert_eq!(world.end_of(child), ExitStatus::Code(QUIT));
    }
}

fn a_quit_ends_a_wait_before_and_after(world: &World) {
    let (child, line) = world.fork_on_line(&[], |child, line| {
        let quit = child.sys.quit_handle().unwrap();
        assert_eq!(child.holds(quit), None);
        child.write(line, b"ready");
        for interest in [Interest::READ, Interest::READ, Interest::NONE] {
            let waited = child.sys.wait_or_quit(line, interest, child.deadline(BOUND));
            assert_eq!(waited, Err(Errno::CANCELED));
            assert!(child.sys.quit_asked());
            assert!(child.holds(quit).is_some());
        }
        0
    });
    world.hear(line, b"ready");
    world.signal(child, Signal::Quit);
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn a_quit_that_came_before_the_wait_ends_it(world: &World) {
    let (child, line) = world.fork_on_line(&[], |child, line| {
        child.write(line, b"ready");
        compute_until_asked(child);
        assert_eq!(child.sys.wait_or_quit(line, Interest::READ, None), Err(Errno::CANCELED));
        0
    });
    world.hear(line, b"ready");
    world.signal(child, Signal::Quit);
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn what_is_ready_goes_before_a_quit(world: &World) {
    let (child, line) = world.fork_on_line(&[], |child, line| {
        let wait = |interest| child.sys.wait_or_quit(line, interest, child.deadline(BOUND));
        child.write(line, b"ready");
        assert_eq!(wait(Interest::READ), Err(Errno::CANCELED));
        child.write(line, b"asked");
        child.ready(line, Interest::READ);
        assert!(wait(Interest::READ).is_ok_and(|readiness| readiness.readable));
        child.hear(line, b"more");
        assert_eq!(wait(Interest::READ), Err(Errno::CANCELED));
        assert!(wait(Interest::WRITE).is_ok_and(|readiness| readiness.writable));
        0
    });
    world.hear(line, b"ready");
    world.signal(child, Signal::Quit);
    world.hear(line, b"asked");
    world.write(line, b"more");
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn a_wait_or_quit_keeps_its_deadline(world: &World) {
    let (child, _line) = world.fork_on_line(&[], |child, line| {
        let deadline = child.deadline(crate::world::QUIET);
        assert_eq!(child.sys.wait_or_quit(line, Interest::READ, deadline), Err(Errno::TIMEDOUT));
        assert!(Some(child.sys.now()) >= deadline);
        assert!(!child.sys.quit_asked());
        0
    });
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

/// Asks a child to quit until it says so: one who is asked just before it begins to wait is not interrupted.
fn ask_until_told(world: &World, child: Child, line: Handle) -> Vec<u8> {
    let begun = world.sys.now();
    loop {
        world.signal(child, Signal::Quit);
        match world.sys.wait(line, Interest::READ, world.deadline(crate::world::QUIET)) {
            Ok(_) => return world.message(line),
            Err(errno) => assert_eq!(errno, Errno::TIMEDOUT),
        }
        assert!(world.sys.now().since(begun) < BOUND, "it is never interrupted");
    }
}

fn a_quit_interrupts_a_plain_wait(world: &World) {
    let (child, line) = world.fork_on_line(&[], |child, line| {
        child.write(line, b"ready");
        assert_eq!(child.sys.wait(line, Interest::READ, None), Err(Errno::INTR));
        assert!(child.sys.quit_asked());
        child.write(line, b"interrupted");
        0
    });
    world.hear(line, b"ready");
    assert_eq!(ask_until_told(world, child, line), b"interrupted");
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn a_quit_interrupts_a_poller_or_is_reported_by_it(world: &World) {
    for watched in [true, false] {
        let (child, line) = world.fork_on_line(&[], move |child, line| {
            if watched {
                child.sys.poll_add(child.sys.quit_handle().unwrap(), 5, Interest::READ).unwrap();
            }
            child.write(line, b"ready");
            let mut events = Vec::new();
            match child.sys.poll_wait(&mut events, None) {
                // It was asked before it began to wait.
                Ok(()) => assert!(watched && events.len() == 1 && events[0].key == 5, "{events:?}"),
                Err(errno) => assert_eq!(errno, Errno::INTR),
            }
            assert!(child.sys.quit_asked());
            assert_eq!(child.look(), if watched { vec![5] } else { vec![] });
            child.write(line, b"told");
            0
        });
        world.hear(line, b"ready");
        if watched {
            world.signal(child, Signal::Quit);
            world.hear(line, b"told");
        } else {
            assert_eq!(ask_until_told(world, child, line), b"told");
        }
        assert_eq!(world.end_of(child), ExitStatus::Code(0));
    }
}

fn the_quit_handle_is_the_same_each_time_and_cannot_be_closed(world: &World) {
    let (child, line) = world.fork_on_line(&[], |child, line| {
        let quit = child.sys.quit_handle().unwrap();
        assert_eq!(child.sys.quit_handle(), Ok(quit));
        child.sys.close(quit);
        assert_eq!(child.sys.quit_handle(), Ok(quit));
        assert_eq!(child.holds(quit), None);
        child.write(line, b"ready");
        child.stay()
    });
    world.hear(line, b"ready");
    world.signal(child, Signal::Quit);
    assert_eq!(world.end_of(child), ExitStatus::Code(QUIT));
}

fn a_second_quit_is_no_news(world: &World) {
    let (child, line) = world.fork_on_line(&[], |child, line| {
        child.write(line, b"ready");
        compute_until_asked(child);
        child.write(line, b"asked");
        while let Err(errno) = child.sys.wait(line, Interest::READ, child.deadline(BOUND)) {
            assert_eq!(errno, Errno::INTR);
        }
        assert!(child.sys.quit_asked());
        assert!(child.holds(child.sys.quit_handle().unwrap()).is_some(), "nothing takes it back");
        QUIT
    });
    world.hear(line, b"ready");
    world.signal(child, Signal::Quit);
    world.hear(line, b"asked");
    world.signal(child, Signal::Quit);
    world.write(line, b"asked again");
    assert_eq!(world.end_of(child), ExitStatus::Code(QUIT));
}

fn a_child_of_one_who_was_asked_to_quit_was_not_asked(world: &World) {
    let child = world.fork(&[], |child| {
        compute_until_asked(child);
        let grandchild = child.fork(&[], |grandchild| {
            assert!(!grandchild.sys.quit_asked());
            assert_eq!(grandchild.holds(grandchild.sys.quit_handle().unwrap()), None);
            0
        });
        assert_eq!(child.end_of(grandchild), ExitStatus::Code(0));
        0
    });
    world.signal(child, Signal::Quit);
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn a_worker_that_takes_quit_over_is_not_asked(world: &World) {
    let (child, line) = world.fork_on_line(&[], |child, line| {
        let signals = child.sys.signals(&[Signal::Quit, Signal::Term]).unwrap();
        child.write(line, b"ready");
        child.ready(signals, Interest::READ);
        assert_eq!(child.sys.signal_read(signals), Ok(Signal::Quit));
        assert!(!child.sys.quit_asked());
        assert_eq!(child.holds(child.sys.quit_handle().unwrap()), None);
        child.write(line, b"read");
        child.ready(signals, Interest::READ);
        assert_eq!(child.sys.signal_read(signals), Ok(Signal::Term));
        9
    });
    world.hear(line, b"ready");
    world.signal(child, Signal::Quit);
    world.hear(line, b"read");
    world.signal(child, Signal::Term);
    assert_eq!(world.end_of(child), ExitStatus::Code(9));
}

fn a_stop_interrupts_a_poller_and_no_plain_wait(world: &World) {
    let told = world.news_handle();
    let (child, line) = world.fork_on_line(&[], |child, line| {
        child.write(line, b"ready");
        // Not taken up again after a stop, although no handler has run (signal(7)).
        assert_eq!(child.sys.poll_wait(&mut Vec::new(), None), Err(Errno::INTR));
        child.write(line, b"interrupted");
        // Taken up again.
        child.obey(line, b"end");
        0
    });
    world.hear(line, b"ready");
    let begun = world.sys.now();
    // One who is stopped before it waits is not interrupted.
    while world.holds(line).is_none() {
        world.stop(told, child);
        world.cont(told, child);
        let _ = world.sys.wait(line, Interest::READ, world.deadline(crate::world::QUIET));
        assert!(world.sys.now().since(begun) < BOUND, "it is never interrupted");
    }
    world.hear(line, b"interrupted");
    for _ in 0..3 {
        world.stop(told, child);
        world.cont(told, child);
        world.quiet(child.handle);
    }
    world.write(line, b"end");
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn a_process_that_is_no_worker_is_never_asked_to_quit(world: &World) {
    assert!(!world.sys.quit_asked());
    assert_eq!(world.sys.quit_handle(), Err(Errno::NOSYS));
    let (near, far) = world.channel();
    let wait = |interest| world.sys.wait_or_quit(near, interest, world.deadline(crate::world::QUIET));
    assert_eq!(wait(Interest::READ), Err(Errno::TIMEDOUT));
    assert!(wait(Interest::WRITE).is_ok_and(|readiness| readiness.writable));
    world.sys.close(far);
    assert!(wait(Interest::READ).is_ok_and(|readiness| readiness.ended));
}
