//! Forking, watching, reaping.

use crate::world::{BOUND, QUIET, on_a_machine, on_a_machine_with};
use host_core::sys::{Birth, ChildNews, Errno, ExitStatus, ForkError, Interest, Pid, Signal};

#[test]
fn k2_strangers_are_reaped_in_the_order_of_their_births_whatever_the_order_of_their_ends() {
    on_a_machine_with(
        |sim| sim.subreaper(),
        |world| {
            let (mine, theirs) = world.channel();
            let child = world.fork(&[theirs], move |child| {
                for place in [3, 1, 2, 0_u32] {
                    let grandchild = child.fork(&[], move |grandchild| {
                        grandchild.pause(QUIET * place);
                        0
                    });
                    child.write(theirs, &grandchild.pid.0.to_le_bytes());
                }
                // Until the last of them has ended: this one's death would kill them.
                child.pause(QUIET * 4);
                0
            });
            world.sys.close(theirs);
            assert_eq!(world.end_of(child), ExitStatus::Code(0));
            let born: Vec<_> =
                (0..4).map(|_| Pid(u32::from_le_bytes(world.message(mine).try_into().unwrap()))).collect();
            world.pause(QUIET);
            assert_eq!(world.sys.child_news(false), None);
            let reaped: Vec<_> = std::iter::from_fn(|| world.sys.child_news(true)).collect();
            assert_eq!(reaped, born.into_iter().map(ChildNews::StrangerReaped).collect::<Vec<_>>());
        },
    );
}

#[test]
fn k7_a_handle_is_not_readable_alive_readable_as_a_zombie_and_hung_up_once_reaped() {
    on_a_machine(|world| {
        let child = world.sleeper(&[]);
        world.sys.poll_add(child.handle, 7, Interest::READ).unwrap();
        assert_eq!(world.look(), []);
        assert_eq!(world.sys.reap(child.handle, false), Ok(None));
        world.signal(child, Signal::Quit);
        assert_eq!(world.keys(world.deadline(BOUND)), [7]);
        assert!(!world.holds(child.handle).unwrap().ended);
        assert_eq!(world.sys.reap(child.handle, false), Ok(Some(ExitStatus::Code(7))));
        assert!(world.holds(child.handle).unwrap().ended);
        assert_eq!(world.look(), [7]);
    });
}

#[test]
fn k8_a_signal_to_a_zombie_succeeds_and_after_the_reap_there_is_no_such_process() {
    on_a_machine(|world| {
        let child = world.fork(&[], |_| 3);
        world.sys.wait(child.handle, Interest::READ, world.deadline(BOUND)).unwrap();
        assert_eq!(world.sys.signal_child(child.handle, Signal::Kill), Ok(()));
        assert_eq!(world.sys.reap(child.handle, false), Ok(Some(ExitStatus::Code(3))));
        assert_eq!(world.sys.signal_child(child.handle, Signal::Kill), Err(Errno::SRCH));
        assert_eq!(world.sys.reap(child.handle, true), Err(Errno::CHILD));
    });
}

#[test]
fn k9_a_kill_that_comes_while_a_child_is_exiting_succeeds_and_changes_nothing() {
    on_a_machine(|world| {
        let (mine, theirs) = world.channel();
        let child = world.fork(&[theirs], |_| 0);
        world.sys.close(theirs);
        // The end of a channel comes before the zombie.
        assert_eq!(world.message(mine), b"");
        assert_eq!(world.sys.reap(child.handle, false), Ok(None));
        assert_eq!(world.sys.signal_child(child.handle, Signal::Kill), Ok(()));
        assert_eq!(world.end_of(child), ExitStatus::Code(0));
    });
}

#[test]
fn k24_a_stranger_is_reaped_only_if_that_is_asked_for_and_no_child_ever_is() {
    on_a_machine_with(
        |sim| sim.subreaper(),
        |world| {
            let news = world.sys.signals(&[Signal::Chld]).unwrap();
            let child = world.fork(&[], |child| {
                child.fork(&[], |grandchild| {
                    grandchild.pause(BOUND);
                    0
                });
                0
            });
            world.sys.wait(child.handle, Interest::READ, world.deadline(BOUND)).unwrap();
            // The grandchild is killed when its parent dies, and this process hears of both deaths.
            world.pause(QUIET);
            assert_eq!(world.sys.signal_read(news), Ok(Signal::Chld));
            assert_eq!(world.sys.child_news(false), None);
            assert!(matches!(world.sys.child_news(true), Some(ChildNews::StrangerReaped(_))));
            assert_eq!(world.sys.child_news(true), None);
            assert_eq!(world.sys.reap(child.handle, false), Ok(Some(ExitStatus::Code(0))));
        },
    );
}

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
fn a_child_has_the_handles_that_were_kept_and_no_others() {
    on_a_machine(|world| {
        let (mine, theirs) = world.channel();
        let child = world.fork(&[theirs], move |child| {
            assert_eq!(child.sys.write(mine, b"x"), Err(Errno::BADF));
            let (younger, _) = child.channel();
            assert_ne!(younger, mine, "a closed handle never names a younger file");
            child.write(theirs, b"mine");
            0
        });
        assert_eq!(world.message(mine), b"mine");
        assert_eq!(world.end_of(child), ExitStatus::Code(0));
    });
}

#[test]
fn a_fork_without_a_descriptor_for_the_child_leaves_no_child() {
    on_a_machine(|world| {
        let news = world.sys.signals(&[Signal::Chld]).unwrap();
        let mut last = None;
        let refused = loop {
            match world.sys.channel() {
                Ok((_, end)) => last = Some(end),
                Err(errno) => break errno,
            }
        };
        assert_eq!(refused, Errno::MFILE);
        // A pair needs two: one may be left.
        let mut children: Vec<_> =
            std::iter::from_fn(|| world.sys.fork(&world.birth(&[]), Box::new(|_| 0)).ok()).collect();
        assert!(children.len() <= 1);
        let failed = world.sys.fork(&world.birth(&[]), Box::new(|_| 0));
        assert_eq!(failed, Err(ForkError::System { call: "pidfd_open", errno: Errno::MFILE }));
        children.drain(..).for_each(|child| assert_eq!(world.end_of(child), ExitStatus::Code(0)));
        world.pause(QUIET);
        let _ = world.sys.signal_read(news);
        assert_eq!(world.sys.child_news(true), None);
        world.sys.close(last.unwrap());
        let child = world.fork(&[], |_| 0);
        assert_eq!(world.end_of(child), ExitStatus::Code(0));
    });
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
fn a_panic_of_a_body_is_the_childs_own_affair() {
    on_a_machine(|world| {
        let child = world.fork(&[], |_| panic!("planned: a worker panics"));
        assert_eq!(world.end_of(child), ExitStatus::Code(101));
    });
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

#[test]
fn a_birth_without_an_end_is_ended_by_the_machine() {
    on_a_machine(|world| {
        let birth = Birth { title: "no worker", ..world.birth(&[]) };
        // It outlives this program by microseconds; nothing waits for it.
        let _orphan = world.fork_as(&birth, |world| {
            world.pause(BOUND);
            0
        });
    });
}
