//! Who is woken for files that several processes hold, and what a closed one that is watched leaves behind.

use crate::world::{BOUND, QUIET, World, on_a_machine};
use host_core::sys::{Child, ExitStatus, Handle, Interest, Signal};
use host_sim::{Choices, Pool, Sim};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

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
