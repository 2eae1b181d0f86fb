//! Files that several processes hold: listeners, connections, channels, and who is woken.

use crate::world::{BOUND, QUIET, World, on_a_machine};
use host_core::sys::{Child, Errno, ExitStatus, Handle, Interest, Signal};
use host_sim::{Choices, Pool, Sim};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

#[test]
fn k12_a_queue_survives_while_anybody_holds_the_listener() {
    on_a_machine(|world| {
        let (listener, address) = world.listen();
        let holder = world.sleeper(&[listener]);
        world.sys.close(listener);
        let client = world.connect(address);
        world.quiet(client);
        world.kill(holder);
        assert_eq!(world.read(client), Err(Errno::CONNRESET));
    });
}

#[test]
fn k13_a_killed_worker_loses_none_that_are_queued() {
    on_a_machine(|world| {
        let (listener, address) = world.listen();
        let holder = world.sleeper(&[listener]);
        let clients: Vec<_> = (0..10).map(|_| world.connect(address)).collect();
        world.kill(holder);
        let heir = world.fork(&[listener], move |heir| {
            std::iter::from_fn(|| heir.sys.accept(listener).ok())
                .map(|(client, _)| heir.write(client, b"hi"))
                .count() as u8
        });
        for client in clients {
            assert_eq!(world.message(client), b"hi");
        }
        assert_eq!(world.end_of(heir), ExitStatus::Code(10));
    });
}

#[test]
fn k14_what_a_killed_worker_had_read_decides_what_its_client_sees() {
    on_a_machine(|world| {
        let (listener, address) = world.listen();
        for reads in [true, false] {
            let worker = world.fork(&[listener], move |worker| {
                worker.sys.wait(listener, Interest::READ, None).unwrap();
                let (client, _) = worker.sys.accept(listener).unwrap();
                worker.sys.wait(client, Interest::READ, None).unwrap();
                if reads {
                    assert_eq!(worker.message(client), b"request");
                }
                worker.pause(BOUND);
                0
            });
            let client = world.connect(address);
            world.write(client, b"request");
            world.pause(QUIET);
            world.kill(worker);
            let seen = world.read(client);
            assert_eq!(seen, if reads { Ok(Vec::new()) } else { Err(Errno::CONNRESET) });
        }
    });
}

#[test]
fn k16_a_worker_without_descriptors_leaves_the_connection_to_others() {
    on_a_machine(|world| {
        let (listener, address) = world.listen();
        let client = world.connect(address);
        let poor = world.fork(&[listener], move |poor| {
            while poor.sys.channel().is_ok() {}
            while poor.sys.connect(address).is_ok() {}
            assert_eq!(poor.sys.accept(listener).map(|_| ()), Err(Errno::MFILE));
            assert!(poor.holds(listener).is_some(), "it stays readable");
            0
        });
        assert_eq!(world.end_of(poor), ExitStatus::Code(0));
        let (server, _) = world.sys.accept(listener).unwrap();
        world.write(server, b"late");
        assert_eq!(world.message(client), b"late");
    });
}

#[test]
fn k17_a_channel_ends_with_the_last_copy_of_its_other_end() {
    on_a_machine(|world| {
        let (mine, theirs) = world.channel();
        let [first, sibling] = [world.sleeper(&[theirs]), world.sleeper(&[theirs])];
        world.sys.close(theirs);
        world.kill(first);
        world.quiet(mine);
        world.kill(sibling);
        assert_eq!(world.message(mine), b"");
        assert_eq!(world.sys.write(mine, b"x"), Err(Errno::PIPE));
    });
}

#[test]
fn a_channel_keeps_the_bounds_of_messages_and_has_room_for_278_small_ones() {
    on_a_machine(|world| {
        let (left, right) = world.channel();
        for message in [&b"one"[..], b"two", b"three"] {
            world.write(left, message);
        }
        assert_eq!(world.message(right), b"one");
        let mut short = [0; 1];
        assert_eq!(world.sys.read(right, &mut short), Ok(1), "what has no room is lost");
        assert_eq!(world.message(right), b"three");
        assert_eq!(world.sys.read(right, &mut short), Err(Errno::AGAIN));
        let written = (0..).take_while(|_| world.sys.write(left, b"m").is_ok()).count();
        assert_eq!(written, 278);
        assert_eq!(world.sys.write(left, b"m"), Err(Errno::AGAIN));
        let full = world.sys.wait(left, Interest::WRITE, world.deadline(QUIET));
        assert_eq!(full, Err(Errno::TIMEDOUT));
        for _ in 0..209 {
            world.message(right);
        }
        assert!(world.sys.wait(left, Interest::WRITE, world.deadline(QUIET)).is_ok());
    });
}

#[test]
fn a_peer_that_dies_with_an_unread_inbox_resets_once_and_its_last_messages_come_after() {
    on_a_machine(|world| {
        let (mine, theirs) = world.channel();
        let child = world.fork(&[theirs], move |child| {
            child.write(theirs, b"last");
            child.write(theirs, b"words");
            child.pause(QUIET);
            0
        });
        world.sys.close(theirs);
        world.write(mine, b"never read");
        assert_eq!(world.end_of(child), ExitStatus::Code(0));
        let seen: Vec<_> = (0..5).map(|_| world.read(mine)).collect();
        let expected = [
            Err(Errno::CONNRESET),
            Ok(b"last".to_vec()),
            Ok(b"words".to_vec()),
            Ok(Vec::new()),
            Ok(Vec::new()),
        ];
        assert_eq!(seen, expected);
    });
}

#[test]
fn a_handle_that_is_closed_while_it_is_watched_and_held_elsewhere_goes_on_being_reported() {
    on_a_machine(|world| {
        let (mine, theirs) = world.channel();
        let (kept, line) = world.channel();
        world.sys.poll_add(mine, 66, Interest::READ).unwrap();
        let child = world.sleeper(&[mine, line]);
        world.sys.close(mine);
        world.write(theirs, b"x");
        assert_eq!(world.keys(world.deadline(BOUND)), [66], "a ghost");
        world.kill(child);
        assert_eq!(world.look(), [], "with the last holder it is gone");
        // Taken out first, it leaves none.
        let child = world.sleeper(&[kept, line]);
        world.sys.poll_add(kept, 67, Interest::READ).unwrap();
        world.sys.poll_delete(kept).unwrap();
        world.sys.close(kept);
        world.write(line, b"x");
        assert_eq!(world.look(), []);
        world.signal(child, Signal::Kill);
    });
}

#[test]
fn each_process_has_a_poller_of_its_own() {
    on_a_machine(|world| {
        let (mine, theirs) = world.channel();
        world.sys.poll_add(mine, 1, Interest::READ).unwrap();
        let child = world.fork(&[mine], move |child| {
            assert_eq!(child.sys.poll_delete(mine), Err(Errno::NOENT));
            child.sys.poll_add(mine, 2, Interest::READ).unwrap();
            assert_eq!(child.keys(None), [2]);
            child.sys.poll_delete(mine).unwrap();
            0
        });
        world.pause(QUIET);
        world.write(theirs, b"x");
        assert_eq!(world.end_of(child), ExitStatus::Code(0));
        assert_eq!(world.look(), [1], "what the child took out was its own");
    });
}

/// A child that waits for connections with a shared registration, and then says who it is. It accepts if
/// it `serves`.
fn sharer(world: &World, listener: Handle, line: Handle, name: u8, serves: bool) -> Child {
    world.fork(&[listener, line], move |child| {
        child.sys.poll_add_shared(listener, 1).expect("it is not registered");
        loop {
            assert_eq!(child.keys(None), [1]);
            child.write(line, &[name]);
            let accepted = if serves { child.sys.accept(listener).is_ok() } else { true };
            if accepted {
                child.pause(BOUND);
            }
        }
    })
}

#[test]
fn k27_a_connection_wakes_one_of_those_that_share_a_listener_and_now_and_then_two() {
    let pool = Pool::default();
    let woken = Rc::new(RefCell::new(Vec::new()));
    for seed in 0..200 {
        let woken = Rc::clone(&woken);
        let mut sim = Sim::new(Choices::seeded(seed), &pool);
        sim.run_process(move |sys| {
            let world = World::new(sys);
            let (listener, address) = world.listen();
            let (mine, theirs) = world.channel();
            for name in 0..6 {
                sharer(&world, listener, theirs, name, true);
            }
            world.pause(QUIET);
            world.connect(address);
            world.pause(QUIET);
            let names: Vec<u8> = std::iter::from_fn(|| {
                let mut name = [0];
                world.sys.read(mine, &mut name).ok().map(|_| name[0])
            })
            .collect();
            woken.borrow_mut().push(names);
        });
    }
    let woken = woken.borrow();
    assert!(woken.iter().all(|names| names.len() == 1 || names.len() == 2));
    let herds = woken.iter().filter(|names| names.len() == 2).count();
    assert!(herds > 0 && herds < 40, "{herds} of 200");
    let first: BTreeSet<_> = woken.iter().map(|names| names[0]).collect();
    assert_eq!(first.len(), 6, "each of them is woken some time");
}

/// A child that registers at once and looks only when a connection has come and somebody else was woken;
/// whether it sees it then.
fn latecomer(world: &World, listener: Handle) -> Child {
    let child = world.fork(&[listener], move |late| {
        late.sys.poll_add_shared(listener, 1).expect("it is not registered");
        late.pause(QUIET * 5);
        let sees = late.look() == [1];
        assert!(late.holds(listener).is_some(), "it is there");
        late.sys.poll_delete(listener).expect("it is registered");
        late.sys.poll_add_shared(listener, 1).expect("it is not registered");
        assert_eq!(late.look(), [1], "registering looks");
        u8::from(sees)
    });
    world.pause(QUIET);
    child
}

#[test]
fn k27_a_connection_that_a_woken_process_leaves_is_left_to_chance() {
    on_a_machine(|world| {
        let (listener, address) = world.listen();
        let (mine, theirs) = world.channel();
        // One waits and does not accept. The others are busy: one was passed on the way to it.
        let before = latecomer(world, listener);
        sharer(world, listener, theirs, 1, false);
        let behind = latecomer(world, listener);
        world.connect(address);
        assert_eq!(world.message(mine), [1]);
        assert_eq!(world.end_of(before), ExitStatus::Code(1), "it sees it when it looks");
        assert_eq!(world.end_of(behind), ExitStatus::Code(0), "it never hears of it");
    });
}

#[test]
fn k27_if_nobody_waits_the_next_to_look_sees_the_connection() {
    on_a_machine(|world| {
        let (listener, address) = world.listen();
        let children = [1, 2].map(|round| {
            world.fork(&[listener], move |child| {
                child.sys.poll_add_shared(listener, 1).unwrap();
                child.pause(QUIET * (1 + round));
                assert_eq!(child.look(), [1]);
                assert_eq!(child.look(), [1], "level-triggered");
                0
            })
        });
        world.pause(QUIET);
        world.connect(address);
        assert_eq!(children.map(|child| world.end_of(child)), [ExitStatus::Code(0); 2]);
    });
}

#[test]
fn k11_a_stopped_process_may_be_the_one_that_is_woken() {
    on_a_machine(|world| {
        let (listener, address) = world.listen();
        let (mine, theirs) = world.channel();
        let child = sharer(world, listener, theirs, 1, false);
        world.pause(QUIET);
        world.signal(child, Signal::Stop);
        world.connect(address);
        world.quiet(mine);
        world.signal(child, Signal::Kill);
        assert_eq!(world.sys.accept(listener).map(|_| ()), Ok(()));
    });
}

#[test]
fn whoever_waits_for_a_listener_in_a_call_of_its_own_is_woken_with_all_others() {
    on_a_machine(|world| {
        let (listener, address) = world.listen();
        let children = [0; 3].map(|_| {
            world.fork(&[listener], move |child| {
                // The slower ones may find that it is gone, and wait on.
                let ready = child.sys.wait(listener, Interest::READ, child.deadline(QUIET * 3));
                u8::from(ready.is_ok() && child.sys.accept(listener).is_ok())
            })
        });
        world.pause(QUIET);
        world.connect(address);
        let accepted = children.map(|child| world.end_of(child));
        assert_eq!(accepted.iter().filter(|status| **status == ExitStatus::Code(1)).count(), 1);
    });
}
