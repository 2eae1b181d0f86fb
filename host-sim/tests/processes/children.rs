//! Numbers, threads and processors: what a machine is set up with; and who goes first.

use crate::world::{QUIET, on_a_machine, on_a_machine_with};
use host_core::sys::{Errno, ExitStatus, ForkError, Pid, Signal};

#[test]
fn k25_a_zombie_keeps_its_number_until_it_is_reaped_and_closing_its_handle_reaps_nobody() {
    on_a_machine_with(
        |sim| sim.pid_max(5),
        |world| {
            assert_eq!(world.sys.pid(), Pid(2));
            let first = world.fork(&[], |world| world.sys.pid().0 as u8);
            let second = world.fork(&[], |_| 0);
            assert_eq!((first.pid, second.pid), (Pid(3), Pid(4)));
            world.pause(QUIET);
            world.sys.close(second.handle);
            let none = world.sys.fork(&world.birth(&[]), Box::new(|_| 0));
            assert_eq!(none, Err(ForkError::System { call: "fork", errno: Errno::AGAIN }));
            assert_eq!(world.end_of(first), ExitStatus::Code(3));
            // The circle has gone round.
            assert_eq!(world.fork(&[], |_| 0).pid, Pid(3));
        },
    );
}

#[test]
fn numbers_are_used_again_and_a_handle_still_names_the_old_child() {
    on_a_machine_with(
        |sim| sim.pid_max(4),
        |world| {
            let first = world.fork(&[], |_| 1);
            assert_eq!(world.sys.reap(first.handle, true), Ok(Some(ExitStatus::Code(1))));
            let second = world.sleeper(&[]);
            assert_eq!(first.pid, second.pid);
            assert_eq!(world.sys.signal_child(first.handle, Signal::Kill), Err(Errno::SRCH));
            world.signal(second, Signal::Quit);
            assert_eq!(world.end_of(second), ExitStatus::Code(7));
        },
    );
}

#[test]
fn a_process_with_threads_may_not_fork() {
    on_a_machine_with(
        |sim| sim.threads(3),
        |world| {
            assert_eq!(world.sys.threads(), Ok(3));
            let refused = world.sys.fork(&world.birth(&[]), Box::new(|_| 0));
            assert_eq!(refused, Err(ForkError::Threads { count: 3 }));
        },
    );
}

#[test]
fn a_machine_has_the_processors_that_it_was_given() {
    on_a_machine(|world| assert_eq!(world.sys.processors(), 2));
    on_a_machine_with(|sim| sim.processors(6), |world| assert_eq!(world.sys.processors(), 6));
}

#[test]
fn a_child_may_be_the_first_to_run_after_its_parent_went_on() {
    on_a_machine(|world| {
        let before = world.sys.now();
        let (mine, theirs) = world.channel();
        world.fork(&[theirs], move |child| {
            child.write(theirs, &child.sys.now().as_nanos().to_le_bytes());
            0
        });
        let forked = world.sys.now();
        let begun = u64::from_le_bytes(world.message(mine).try_into().unwrap());
        assert!(forked > before);
        assert!(begun > forked.as_nanos(), "in a calm world the parent is the first");
    });
}
