//! Heartbeat slots.

use crate::world::{BOUND, QUIET, World, on_a_machine};
use host_core::fleet::beat::Pace;
use host_core::service::kick::Site;
use host_core::sys::{Child, ExitStatus, Signal, SlotReading};
use host_core::time::Instant;
use std::time::Duration;

/// One tick of the coarse clock.
const TICK: Duration = Duration::from_millis(4);

fn reading(world: &World, incarnation: u32) -> SlotReading {
    world.sys.slot_read(world.page, 0, incarnation)
}

/// A child that beats, says so, and then computes.
fn beater(world: &World) -> Child {
    let (mine, theirs) = world.channel();
    let child = world.fork(&[theirs], move |child| {
        child.sys.pulse(Pace::Busy);
        child.sys.slot_count(3);
        child.sys.slot_extend(Instant::from_nanos(77_000));
        child.write(theirs, b"beaten");
        child.pause(BOUND);
        0
    });
    assert_eq!(world.message(mine), b"beaten");
    child
}

#[test]
fn k26_a_slot_keeps_what_a_killed_worker_stored_until_it_is_claimed_again() {
    on_a_machine(|world| {
        world.sys.slot_claim(world.page, 0, 1);
        assert_eq!(reading(world, 1), SlotReading::default());
        let child = beater(world);
        let stored = reading(world, 1);
        assert_eq!(stored.beat.map(|beat| beat.pace), Some(Pace::Busy));
        assert_eq!((stored.requests, stored.extended_until), (3, Some(Instant::from_nanos(77_000))));
        assert_eq!(reading(world, 2), SlotReading::default(), "to another incarnation it is nothing");
        world.kill(child);
        assert_eq!(reading(world, 1), stored);
        world.sys.slot_claim(world.page, 0, 2);
        assert_eq!(reading(world, 1), SlotReading::default());
        assert_eq!(reading(world, 2), SlotReading::default());
    });
}

#[test]
fn k26_a_late_word_of_a_predecessor_is_nothing_to_its_successor() {
    on_a_machine(|world| {
        let child = world.fork(&[], |child| {
            child.pause(QUIET);
            child.sys.pulse(Pace::Busy);
            0
        });
        world.sys.slot_claim(world.page, 0, 2);
        assert_eq!(world.end_of(child), ExitStatus::Code(0));
        assert_eq!(reading(world, 2), SlotReading::default());
    });
}

#[test]
fn a_beat_is_never_older_than_it_is_and_at_most_a_tick_younger() {
    on_a_machine(|world| {
        let child = world.fork(&[], |child| {
            for step in 0..50 {
                child.pause(Duration::from_micros(713 * step));
                child.sys.pulse(Pace::Waiting);
                let (now, read) = (child.sys.now(), child.sys.slot_read(child.page, 0, 1));
                let at = read.beat.unwrap().at;
                assert!(at >= now && at.since(now) < TICK, "{at} at {now}");
            }
            0
        });
        assert_eq!(world.end_of(child), ExitStatus::Code(0));
    });
}

#[test]
fn the_heartbeat_of_a_host_in_a_worker_is_a_sign_of_life_of_the_worker() {
    on_a_machine(|world| {
        let child = world.fork(&[], |child| {
            let pace = || child.sys.slot_read(child.page, 0, 1).beat.map(|beat| beat.pace);
            child.sys.beat(child.sys.now(), Site::Loop);
            assert_eq!(pace(), Some(Pace::Busy));
            child.sys.beat(child.sys.now(), Site::Waiting);
            assert_eq!(pace(), Some(Pace::Waiting));
            0
        });
        assert_eq!(world.end_of(child), ExitStatus::Code(0));
        // This process has no slot.
        world.sys.pulse(Pace::Busy);
    });
}

#[test]
fn a_loop_of_nothing_but_signs_of_life_lets_time_pass() {
    on_a_machine(|world| {
        let child = world.fork(&[], |child| {
            while !child.sys.quit_asked() {
                child.sys.pulse(Pace::Busy);
            }
            0
        });
        world.pause(QUIET);
        world.signal(child, Signal::Quit);
        assert_eq!(world.end_of(child), ExitStatus::Code(0));
    });
}
