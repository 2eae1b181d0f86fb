//! Forking, watching, reaping.

use crate::arms::Case;
use crate::world::{QUIT, World};
use host_core::fleet::memory::MemoryFigure;
use host_core::sys::{Birth, ChildNews, Errno, ExitStatus, ForkError, Interest, Pid, Signal, SlotsId};

pub(crate) const CASES: &[Case] = cases![
    k2_children_are_reaped_by_handle_in_whatever_order_they_ended,
    k7_a_handle_is_not_readable_alive_readable_as_a_zombie_and_hung_up_once_reaped,
    k7_a_death_is_told_by_the_handle_and_by_a_signal_in_either_order,
    k7_a_handle_says_nothing_of_stops,
    k8_a_signal_to_a_zombie_succeeds_and_after_the_reap_there_is_no_such_process,
    k9_a_kill_that_races_an_exit_succeeds_whichever_comes_first,
    k9_a_kill_that_comes_while_a_child_is_exiting_changes_nothing,
    k25_a_zombie_keeps_its_number_until_it_is_reaped,
    k25_closing_a_handle_reaps_nobody,
    k25_what_is_looked_at_is_not_taken,
    every_status_is_told_as_it_was,
    a_child_is_another_process_and_its_number_is_known_to_both,
    a_reap_that_waits_comes_back_with_the_status_and_one_that_does_not_with_nothing,
    twenty_children_at_once_are_twenty_ends,
    a_child_has_the_handles_that_were_kept_and_no_others,
    a_handle_that_is_kept_has_the_same_name_in_grandchildren,
    a_handle_that_is_kept_twice_is_kept_once,
    a_closed_handle_in_a_child_never_names_a_younger_file,
    a_child_may_watch_a_sibling_and_signal_it_but_not_reap_it,
    a_fork_that_keeps_a_closed_handle_leaves_no_child,
    a_fork_for_a_slot_that_does_not_exist_leaves_no_child,
    a_fork_without_a_descriptor_for_the_child_leaves_no_child,
    a_panic_of_a_body_is_the_childs_own_affair,
    a_grandchild_is_nothing_to_its_grandparent,
    a_birth_without_an_end_is_ended_with_its_parent,
    a_process_has_one_thread_and_its_children_too,
    each_process_has_a_poller_of_its_own,
    what_was_taken_out_of_the_poller_and_closed_leaves_no_ghost,
    a_child_has_memory_until_it_has_ended_and_is_nobody_once_it_was_reaped,
];

/// Cases whose process adopts orphans.
pub(crate) const CASES_OF_ADOPTERS: &[Case] = cases![
    k2_strangers_are_reaped_once_each_in_an_order_that_means_nothing,
    k24_a_stranger_is_reaped_only_if_that_is_asked_for,
    k24_a_child_is_never_reaped_as_a_stranger_and_hides_none,
];

fn k2_children_are_reaped_by_handle_in_whatever_order_they_ended(world: &World) {
    let children = [0, 1, 2, 3].map(|code| {
        world.fork_on_line(&[], move |child, line| {
            child.obey(line, b"end");
            code
        })
    });
    for place in [3, 1, 2, 0] {
        let (child, line) = children[place];
        world.write(line, b"end");
        world.await_end(child);
    }
    for (code, (child, _)) in (0..).zip(children) {
        assert_eq!(world.end_of(child), ExitStatus::Code(code));
    }
}

fn a_child_has_memory_until_it_has_ended_and_is_nobody_once_it_was_reaped(world: &World) {
    for figure in [MemoryFigure::Rss, MemoryFigure::Pss] {
        let (child, line) = world.fork_on_line(&[], |child, line| {
            child.obey(line, b"end");
            0
        });
        let memory = || world.sys.memory(child.handle, figure);
        // Less than a page is nobody, and of more than a gigabyte nobody here has heard.
        let found = memory().expect("it lives");
        assert!((4096..1 << 30).contains(&found), "{found} bytes, {figure:?}");
        world.write(line, b"end");
        world.await_end(child);
        assert_eq!(memory(), Ok(0), "{figure:?}");
        assert_eq!(world.sys.reap(child.handle, false), Ok(Some(ExitStatus::Code(0))));
        assert_eq!(memory(), Err(Errno::SRCH), "{figure:?}");
        world.sys.close(child.handle);
    }
}

fn k2_strangers_are_reaped_once_each_in_an_order_that_means_nothing(world: &World) {
    let (child, line) = world.fork_on_line(&[], |child, line| {
        let grandchildren = [(); 4].map(|()| {
            child.fork_on_line(&[], |grandchild, order| {
                grandchild.obey(order, b"end");
                0
            })
        });
        for place in [3, 1, 2, 0] {
            let (grandchild, order) = grandchildren[place];
            child.write(order, b"end");
            child.await_end(grandchild);
            child.write(line, &grandchild.pid.0.to_le_bytes());
        }
        0
    });
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
    let pid = |bytes: Vec<u8>| Pid(u32::from_le_bytes(bytes.try_into().unwrap()));
    let mut ended: Vec<_> = (0..4).map(|_| ChildNews::StrangerReaped(pid(world.message(line)))).collect();
    assert_eq!(world.sys.child_news(false), None, "nobody asked for strangers");
    let mut reaped: Vec<_> = std::iter::from_fn(|| world.sys.child_news(true)).collect();
    let number = |news: &ChildNews| match *news {
        ChildNews::Stopped(pid) | ChildNews::Continued(pid) | ChildNews::StrangerReaped(pid) => pid,
    };
    ended.sort_by_key(number);
    reaped.sort_by_key(number);
    assert_eq!(reaped, ended);
}

fn k7_a_handle_is_not_readable_alive_readable_as_a_zombie_and_hung_up_once_reaped(world: &World) {
    let child = world.sleeper(&[]);
    world.sys.poll_add(child.handle, 7, Interest::READ).unwrap();
    assert_eq!(world.look(), []);
    assert_eq!(world.holds(child.handle), None);
    assert_eq!(world.sys.reap(child.handle, false), Ok(None));
    world.signal(child, Signal::Quit);
    assert_eq!(world.keys(), [7]);
    assert!(!world.holds(child.handle).unwrap().ended);
    assert_eq!(world.sys.reap(child.handle, false), Ok(Some(ExitStatus::Code(QUIT))));
    assert!(world.holds(child.handle).unwrap().ended);
    assert_eq!(world.look(), [7]);
    world.sys.poll_delete(child.handle).unwrap();
    assert_eq!(world.look(), []);
}

fn k7_a_death_is_told_by_the_handle_and_by_a_signal_in_either_order(world: &World) {
    let told = world.news_handle();
    let child = world.fork(&[], |_| 0);
    world.sys.poll_add(told, 1, Interest::READ).unwrap();
    world.sys.poll_add(child.handle, 2, Interest::READ).unwrap();
    let mut seen = world.keys();
    while seen.len() < 2 {
        assert!(seen == [1] || seen == [2], "{seen:?}");
        seen = world.keys();
    }
    assert_eq!(seen, [1, 2]);
    assert_eq!(world.sys.signal_read(told), Ok(Signal::Chld));
    assert_eq!(world.look(), [2], "the one says nothing of the other");
    assert_eq!(world.sys.reap(child.handle, false), Ok(Some(ExitStatus::Code(0))));
}

fn k7_a_handle_says_nothing_of_stops(world: &World) {
    let told = world.news_handle();
    let child = world.sleeper(&[]);
    world.stop(told, child);
    world.quiet(child.handle);
    assert_eq!(world.sys.reap(child.handle, false), Ok(None));
    world.cont(told, child);
    world.quiet(child.handle);
    assert_eq!(world.sys.reap(child.handle, false), Ok(None));
    world.kill(child);
}

fn k8_a_signal_to_a_zombie_succeeds_and_after_the_reap_there_is_no_such_process(world: &World) {
    let child = world.fork(&[], |_| 3);
    world.await_end(child);
    for signal in [Signal::Term, Signal::Stop, Signal::Cont, Signal::Kill] {
        assert_eq!(world.sys.signal_child(child.handle, signal), Ok(()), "{signal}");
    }
    assert_eq!(world.sys.reap(child.handle, false), Ok(Some(ExitStatus::Code(3))));
    assert_eq!(world.sys.signal_child(child.handle, Signal::Kill), Err(Errno::SRCH));
    for wait in [false, true] {
        assert_eq!(world.sys.reap(child.handle, wait), Err(Errno::CHILD));
    }
}

fn k9_a_kill_that_races_an_exit_succeeds_whichever_comes_first(world: &World) {
    for round in 0..40 {
        let (child, line) = world.fork_on_line(&[], |child, line| {
            child.write(line, b"going");
            0
        });
        if round % 2 == 0 {
            world.hear(line, b"going");
        }
        assert_eq!(world.sys.signal_child(child.handle, Signal::Kill), Ok(()));
        let ended = world.end_of(child);
        assert!([ExitStatus::Code(0), ExitStatus::by(Signal::Kill)].contains(&ended), "{ended}");
        world.sys.close(line);
    }
}

fn k9_a_kill_that_comes_while_a_child_is_exiting_changes_nothing(world: &World) {
    for _ in 0..10 {
        let (child, line) = world.fork_on_line(&[], |_, _| 5);
        // The descriptors of a process are closed before it is a zombie.
        world.hear_end(line);
        assert_eq!(world.sys.signal_child(child.handle, Signal::Kill), Ok(()));
        assert_eq!(world.end_of(child), ExitStatus::Code(5));
        world.sys.close(line);
    }
}

fn k24_a_stranger_is_reaped_only_if_that_is_asked_for(world: &World) {
    let told = world.news_handle();
    let (child, line) = world.fork_on_line(&[], |child, line| {
        let grandchild = child.fork(&[], |grandchild| grandchild.spin());
        child.write(line, &grandchild.pid.0.to_le_bytes());
        0
    });
    let orphan = Pid(u32::from_le_bytes(world.message(line).try_into().unwrap()));
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
    assert_eq!(world.sys.child_news(false), None);
    // The grandchild is killed when its parent dies.
    assert_eq!(world.news(told, true), ChildNews::StrangerReaped(orphan));
    assert_eq!(world.sys.child_news(true), None);
}

fn k24_a_child_is_never_reaped_as_a_stranger_and_hides_none(world: &World) {
    let told = world.news_handle();
    let first = world.fork(&[], |_| 1);
    world.await_end(first);
    let (child, line) = world.fork_on_line(&[], |child, line| {
        let grandchild = child.fork(&[], |_| 0);
        child.await_end(grandchild);
        child.write(line, &grandchild.pid.0.to_le_bytes());
        2
    });
    let orphan = Pid(u32::from_le_bytes(world.message(line).try_into().unwrap()));
    world.await_end(child);
    assert_eq!(world.news(told, true), ChildNews::StrangerReaped(orphan));
    assert_eq!(world.sys.child_news(true), None);
    assert_eq!([first, child].map(|child| world.end_of(child)), [1, 2].map(ExitStatus::Code));
}

fn k25_a_zombie_keeps_its_number_until_it_is_reaped(world: &World) {
    let zombie = world.fork(&[], |_| 1);
    world.await_end(zombie);
    for _ in 0..20 {
        let child = world.fork(&[], |_| 0);
        assert_ne!(child.pid, zombie.pid);
        assert_eq!(world.end_of(child), ExitStatus::Code(0));
    }
    assert_eq!(world.end_of(zombie), ExitStatus::Code(1));
}

fn k25_closing_a_handle_reaps_nobody(world: &World) {
    let [left, reaped] = [1, 2].map(|code| world.fork(&[], move |_| code));
    world.await_end(left);
    world.sys.close(left.handle);
    assert_eq!(world.sys.child_news(true), None, "it is no stranger");
    let next = world.fork(&[], |_| 0);
    assert_ne!(next.pid, left.pid);
    assert_eq!(world.end_of(next), ExitStatus::Code(0));
    assert_eq!(world.end_of(reaped), ExitStatus::Code(2));
}

fn k25_what_is_looked_at_is_not_taken(world: &World) {
    let child = world.fork(&[], |_| 4);
    for _ in 0..5 {
        world.await_end(child);
        assert_eq!(world.sys.child_news(true), None);
    }
    assert_eq!(world.sys.reap(child.handle, true), Ok(Some(ExitStatus::Code(4))));
}

fn every_status_is_told_as_it_was(world: &World) {
    for code in [0, 1, 70, 101, 127, 128, 255] {
        let child = world.fork(&[], move |_| code);
        assert_eq!(world.end_of(child), ExitStatus::Code(code));
    }
}

fn a_child_is_another_process_and_its_number_is_known_to_both(world: &World) {
    let mine = world.sys.pid();
    let (child, line) = world.fork_on_line(&[], move |child, line| {
        assert_ne!(child.sys.pid(), mine);
        child.write(line, &child.sys.pid().0.to_le_bytes());
        0
    });
    assert_eq!(world.message(line), child.pid.0.to_le_bytes());
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
    assert_eq!(world.sys.pid(), mine);
}

fn a_reap_that_waits_comes_back_with_the_status_and_one_that_does_not_with_nothing(world: &World) {
    let (child, line) = world.fork_on_line(&[], |child, line| {
        child.obey(line, b"end");
        9
    });
    assert_eq!(world.sys.reap(child.handle, false), Ok(None));
    world.write(line, b"end");
    assert_eq!(world.sys.reap(child.handle, true), Ok(Some(ExitStatus::Code(9))));
    assert_eq!(world.sys.reap(child.handle, true), Err(Errno::CHILD));
}

fn twenty_children_at_once_are_twenty_ends(world: &World) {
    let children: Vec<_> = (0..20).map(|code| (code, world.fork(&[], move |_| code))).collect();
    for (code, child) in &children {
        world.sys.poll_add(child.handle, u64::from(*code), Interest::READ).unwrap();
    }
    let mut left = children;
    while !left.is_empty() {
        for key in world.keys() {
            let place = left.iter().position(|(code, _)| u64::from(*code) == key).expect("told once reaped");
            let (code, child) = left.swap_remove(place);
            world.sys.poll_delete(child.handle).unwrap();
            assert_eq!(world.end_of(child), ExitStatus::Code(code));
        }
    }
    assert_eq!(world.look(), []);
}

fn a_child_has_the_handles_that_were_kept_and_no_others(world: &World) {
    let (mine, theirs) = world.channel();
    let (listener, _) = world.listen(4);
    let told = world.news_handle();
    let sibling = world.sleeper(&[]);
    let child = world.fork(&[theirs], move |child| {
        for closed in [mine, listener, told, sibling.handle] {
            assert_eq!(
                child.sys.wait(closed, Interest::READ, child.deadline(crate::world::BOUND)),
                Err(Errno::BADF)
            );
        }
        child.write(theirs, b"mine");
        0
    });
    world.hear(mine, b"mine");
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
    world.kill(sibling);
}

fn a_handle_that_is_kept_has_the_same_name_in_grandchildren(world: &World) {
    let (child, line) = world.fork_on_line(&[], |child, line| {
        let grandchild = child.fork(&[line], move |grandchild| {
            grandchild.write(line, b"from far");
            3
        });
        assert_eq!(child.end_of(grandchild), ExitStatus::Code(3));
        child.write(line, b"from near");
        4
    });
    world.hear(line, b"from far");
    world.hear(line, b"from near");
    world.hear_end(line);
    assert_eq!(world.end_of(child), ExitStatus::Code(4));
}

fn a_handle_that_is_kept_twice_is_kept_once(world: &World) {
    let (mine, theirs) = world.channel();
    let child = world.fork(&[theirs, theirs], move |child| {
        child.write(theirs, b"one");
        child.sys.close(theirs);
        assert_eq!(child.sys.write(theirs, b"x"), Err(Errno::BADF));
        child.stay()
    });
    world.sys.close(theirs);
    world.hear(mine, b"one");
    world.hear_end(mine);
    world.kill(child);
}

fn a_closed_handle_in_a_child_never_names_a_younger_file(world: &World) {
    let (mine, theirs) = world.channel();
    let child = world.fork(&[theirs], move |child| {
        assert_eq!(child.sys.write(mine, b"x"), Err(Errno::BADF));
        for _ in 0..3 {
            let (one, other) = child.channel();
            assert!(![one, other].contains(&mine));
        }
        child.sys.close(theirs);
        let (one, other) = child.channel();
        assert!(![one, other].contains(&mine) && ![one, other].contains(&theirs));
        0
    });
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
    world.write(theirs, b"still mine");
    world.hear(mine, b"still mine");
}

fn a_child_may_watch_a_sibling_and_signal_it_but_not_reap_it(world: &World) {
    let elder = world.sleeper(&[]);
    let child = world.fork(&[elder.handle], move |child| {
        assert_eq!(child.holds(elder.handle), None);
        assert_eq!(child.sys.reap(elder.handle, false), Err(Errno::CHILD));
        child.signal(elder, Signal::Quit);
        child.await_end(elder);
        assert_eq!(child.sys.reap(elder.handle, true), Err(Errno::CHILD));
        0
    });
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
    assert_eq!(world.end_of(elder), ExitStatus::Code(QUIT));
}

fn a_fork_that_keeps_a_closed_handle_leaves_no_child(world: &World) {
    let (open, closed) = world.channel();
    world.sys.close(closed);
    let refused = ForkError::System { call: "fork", errno: Errno::BADF };
    for keep in [&[closed][..], &[open, closed]] {
        assert_eq!(world.sys.fork(&world.birth(keep), Box::new(|_| 0)), Err(refused));
    }
    assert_eq!(world.sys.child_news(true), None);
    world.hear_end(open);
}

fn a_fork_for_a_slot_that_does_not_exist_leaves_no_child(world: &World) {
    let refused = ForkError::System { call: "fork", errno: Errno::INVAL };
    for slot in [(world.page, 8, 1), (SlotsId(99), 0, 1)] {
        let birth = Birth { slot, ..world.birth(&[]) };
        assert_eq!(world.sys.fork(&birth, Box::new(|_| 0)), Err(refused));
    }
    assert_eq!(world.sys.child_news(true), None);
}

fn a_fork_without_a_descriptor_for_the_child_leaves_no_child(world: &World) {
    let mut last = None;
    let refused = loop {
        match world.sys.channel() {
            Ok((_, end)) => last = Some(end),
            Err(errno) => break errno,
        }
    };
    assert_eq!(refused, Errno::MFILE);
    let refused = ForkError::System { call: "pidfd_open", errno: Errno::MFILE };
    // A pair needs two: one may be left.
    let fork = || world.sys.fork(&world.birth(&[]), Box::new(|_| 5));
    let first = fork();
    assert!(first.is_ok() || first == Err(refused), "{first:?}");
    for _ in 0..3 {
        assert_eq!(fork(), Err(refused));
        assert_eq!(world.sys.child_news(true), None);
    }
    if let Ok(child) = first {
        assert_eq!(world.end_of(child), ExitStatus::Code(5));
    }
    world.sys.close(last.unwrap());
    let child = fork().expect("there is room again");
    assert_eq!(world.end_of(child), ExitStatus::Code(5));
}

fn a_panic_of_a_body_is_the_childs_own_affair(world: &World) {
    let child = world.fork(&[], |_| panic!("planned: a worker panics"));
    assert_eq!(world.end_of(child), ExitStatus::Code(101));
}

fn a_grandchild_is_nothing_to_its_grandparent(world: &World) {
    let told = world.news_handle();
    let (child, line) = world.fork_on_line(&[], |child, line| {
        let told = child.news_handle();
        let grandchild = child.sleeper(&[]);
        child.stop(told, grandchild);
        child.cont(told, grandchild);
        child.kill(grandchild);
        child.write(line, b"done");
        child.stay()
    });
    world.hear(line, b"done");
    assert_eq!(world.sys.signal_read(told), Err(Errno::AGAIN));
    assert_eq!(world.sys.child_news(true), None);
    world.kill(child);
}

fn a_birth_without_an_end_is_ended_with_its_parent(world: &World) {
    // It outlives this program by microseconds; nothing waits for it but whoever runs this program.
    let _orphan = world.fork(&[], |child| child.spin());
}

fn a_process_has_one_thread_and_its_children_too(world: &World) {
    assert_eq!(world.sys.threads(), Ok(1));
    let processors = world.sys.processors();
    assert!(processors >= 1);
    let child = world.fork(&[], move |child| {
        assert_eq!(child.sys.threads(), Ok(1));
        assert_eq!(child.sys.processors(), processors);
        0
    });
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn each_process_has_a_poller_of_its_own(world: &World) {
    let (mine, theirs) = world.channel();
    world.sys.poll_add(mine, 1, Interest::READ).unwrap();
    let (child, line) = world.fork_on_line(&[mine], move |child, line| {
        assert_eq!(child.sys.poll_delete(mine), Err(Errno::NOENT), "kept, and registered nowhere");
        assert_eq!(child.look(), []);
        child.sys.poll_add(mine, 2, Interest::READ).unwrap();
        child.write(line, b"watching");
        assert_eq!(child.keys(), [2]);
        child.sys.poll_delete(mine).unwrap();
        child.sys.close(mine);
        0
    });
    world.hear(line, b"watching");
    world.write(theirs, b"x");
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
    assert_eq!(world.look(), [1], "what the child took out was its own");
}

fn what_was_taken_out_of_the_poller_and_closed_leaves_no_ghost(world: &World) {
    let (kept, theirs) = world.channel();
    world.sys.poll_add(kept, 67, Interest::READ).unwrap();
    let child = world.sleeper(&[kept]);
    world.sys.poll_delete(kept).unwrap();
    world.sys.close(kept);
    world.write(theirs, b"x");
    assert_eq!(world.look(), []);
    world.kill(child);
    assert_eq!(world.look(), []);
}
