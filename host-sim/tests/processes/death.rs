//! What becomes of children whose parent dies.

use crate::world::{BOUND, QUIET, World, on_a_machine};
use host_core::sys::{Birth, ExitStatus, Handle, OnHostDeath, Signal};
use std::time::Duration;

const DRAIN: Duration = Duration::from_millis(500);

/// A parent that is killed while its child goes on for `longer` after it is asked to quit. How long after
/// the kill the child closed its end of a channel.
fn outlives(world: &World, policy: OnHostDeath, longer: Duration) -> Duration {
    let (mine, theirs) = world.channel();
    let parent = world.fork(&[theirs], move |parent| {
        let birth = Birth { on_host_death: policy, drain_timeout: DRAIN, ..parent.birth(&[]) };
        let keep = [theirs];
        parent.fork_as(&Birth { keep: &keep, ..birth }, move |child| {
            child.write(theirs, b"born");
            let waited = child.sys.wait_or_quit(theirs, host_core::sys::Interest::READ, None);
            assert_eq!(waited, Err(host_core::sys::Errno::CANCELED));
            child.pause(longer);
            0
        });
        parent.sys.close(theirs);
        parent.pause(BOUND);
        0
    });
    world.sys.close(theirs);
    assert_eq!(world.message(mine), b"born");
    world.pause(QUIET);
    let killed = world.sys.now();
    world.kill(parent);
    ended(world, mine);
    world.sys.now().since(killed)
}

fn ended(world: &World, line: Handle) {
    assert_eq!(world.message(line), b"");
}

#[test]
fn a_child_that_is_to_exit_is_killed_with_its_parent() {
    on_a_machine(|world| {
        let later = outlives(world, OnHostDeath::Exit, BOUND);
        assert!(later < Duration::from_millis(1), "{later:?}");
    });
}

#[test]
fn a_child_that_is_to_drain_is_asked_to_quit_and_killed_by_its_alarm() {
    on_a_machine(|world| {
        let later = outlives(world, OnHostDeath::Drain, DRAIN / 2);
        assert!(later >= DRAIN / 2 && later < DRAIN / 2 + QUIET, "{later:?}");
        let later = outlives(world, OnHostDeath::Drain, BOUND);
        assert!(later >= DRAIN && later < DRAIN + QUIET, "{later:?}");
    });
}

#[test]
fn an_orphan_is_reaped_by_init_and_its_number_is_free() {
    on_a_machine(|world| {
        let parent = world.fork(&[], |parent| {
            let child = parent.fork(&[], |child| {
                child.pause(BOUND);
                0
            });
            child.pid.0 as u8
        });
        let ExitStatus::Code(orphan) = world.end_of(parent) else { panic!("it exits") };
        world.pause(QUIET);
        assert_eq!(world.sys.child_news(true), None, "this process adopts nobody");
        assert_eq!(orphan, 4);
        let next = world.sleeper(&[]);
        world.signal(next, Signal::Kill);
        assert_eq!(world.end_of(next), ExitStatus::by(Signal::Kill));
    });
}
