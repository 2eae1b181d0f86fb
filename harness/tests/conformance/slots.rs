//! Heartbeat slots: memory that parent and children share.

use crate::arms::Case;
use crate::world::{BOUND, World};
use host_core::fleet::beat::{Beat, Pace};
use host_core::service::kick::Site;
use host_core::sys::{Birth, Child, ExitStatus, Handle, Signal, SlotReading, SlotsId};
use host_core::time::Instant;
use std::time::Duration;

pub(crate) const CASES: &[Case] = cases![
    k26_what_a_killed_worker_stored_stays_until_its_slot_is_claimed,
    k26_to_another_incarnation_it_is_nothing,
    k26_a_late_word_of_a_predecessor_is_nothing_to_its_successor,
    each_word_of_a_slot_is_stored_by_itself,
    slots_of_one_page_are_apart,
    a_pulse_is_not_earlier_than_now_and_at_most_ten_milliseconds_ahead,
    pulses_go_forward,
    the_heartbeat_of_a_host_in_a_worker_is_a_sign_of_life_of_the_worker,
    a_loop_of_nothing_but_signs_of_life_lets_time_pass,
    a_process_without_a_slot_stores_nothing,
    a_slot_that_does_not_exist_is_empty,
    what_a_grandchild_stores_is_read_by_all_its_ancestors,
    a_page_that_a_child_makes_is_its_own,
];

fn reading(world: &World, incarnation: u32) -> SlotReading {
    world.sys.slot_read(world.page, 0, incarnation)
}

/// What a beater stores.
const REQUESTS: u64 = 3;
const CONNECTIONS: u64 = 2;
const EXTENSION: Instant = Instant::from_nanos(77_000);

/// A child that stores something in its slot, says so, and then computes.
fn beater(world: &World) -> (Child, Handle) {
    let (child, line) = world.fork_on_line(&[], |child, line| {
        child.sys.pulse(Pace::Busy);
        child.sys.slot_count(REQUESTS);
        child.sys.slot_extend(EXTENSION);
        child.sys.slot_busy(CONNECTIONS);
        child.write(line, b"beaten");
        child.spin()
    });
    world.hear(line, b"beaten");
    (child, line)
}

fn k26_what_a_killed_worker_stored_stays_until_its_slot_is_claimed(world: &World) {
    world.sys.slot_claim(world.page, 0, 1);
    assert_eq!(reading(world, 1), SlotReading::default());
    let (child, _) = beater(world);
    let stored = reading(world, 1);
    assert_eq!(stored.beat.map(|beat| beat.pace), Some(Pace::Busy));
    assert_eq!((stored.requests, stored.extended_until), (REQUESTS, Some(EXTENSION)));
    assert_eq!(stored.connections, CONNECTIONS);
    world.kill(child);
    assert_eq!(reading(world, 1), stored);
    world.sys.slot_claim(world.page, 0, 2);
    for incarnation in [1, 2] {
        assert_eq!(reading(world, incarnation), SlotReading::default());
    }
}

fn k26_to_another_incarnation_it_is_nothing(world: &World) {
    let (child, _) = beater(world);
    for other in [0, 2, 3, u32::MAX] {
        assert_eq!(reading(world, other), SlotReading::default(), "{other}");
    }
    assert_ne!(reading(world, 1), SlotReading::default());
    world.kill(child);
}

fn k26_a_late_word_of_a_predecessor_is_nothing_to_its_successor(world: &World) {
    let (late, line) = world.fork_on_line(&[], |late, line| {
        late.obey(line, b"speak");
        late.sys.pulse(Pace::Busy);
        late.sys.slot_count(9);
        late.sys.slot_busy(9);
        late.sys.slot_extend(EXTENSION);
        0
    });
    world.sys.slot_claim(world.page, 0, 2);
    world.write(line, b"speak");
    assert_eq!(world.end_of(late), ExitStatus::Code(0));
    assert_eq!(reading(world, 2), SlotReading::default());
    let birth = Birth { slot: (world.page, 0, 2), ..world.birth(&[]) };
    let successor = world.fork_as(&birth, |successor| {
        successor.sys.slot_count(1);
        0
    });
    assert_eq!(world.end_of(successor), ExitStatus::Code(0));
    assert_eq!(reading(world, 2), SlotReading { requests: 1, ..SlotReading::default() });
}

fn each_word_of_a_slot_is_stored_by_itself(world: &World) {
    let (child, line) = world.fork_on_line(&[], |child, line| {
        let steps: [fn(&World); 5] = [
            |child| child.sys.slot_count(1),
            |child| child.sys.slot_extend(EXTENSION),
            |child| child.sys.pulse(Pace::Waiting),
            |child| child.sys.slot_count(2),
            |child| child.sys.slot_busy(CONNECTIONS),
        ];
        for step in steps {
            child.obey(line, b"next");
            step(child);
            child.write(line, b"done");
        }
        0
    });
    let seen: Vec<_> = (0..5)
        .map(|_| {
            world.write(line, b"next");
            world.hear(line, b"done");
            let SlotReading { beat, extended_until, requests, connections } = reading(world, 1);
            (beat.map(|beat| beat.pace), extended_until, requests, connections)
        })
        .collect();
    let paced = Some(Pace::Waiting);
    let expected = [
        (None, None, 1, 0),
        (None, Some(EXTENSION), 1, 0),
        (paced, Some(EXTENSION), 1, 0),
        (paced, Some(EXTENSION), 2, 0),
        (paced, Some(EXTENSION), 2, CONNECTIONS),
    ];
    assert_eq!(seen, expected);
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn slots_of_one_page_are_apart(world: &World) {
    let children: Vec<_> = (0..8)
        .map(|slot| {
            let birth = Birth { slot: (world.page, slot, slot + 1), ..world.birth(&[]) };
            world.fork_as(&birth, move |child| {
                child.sys.slot_count(u64::from(slot) + 10);
                0
            })
        })
        .collect();
    for child in children {
        assert_eq!(world.end_of(child), ExitStatus::Code(0));
    }
    world.sys.slot_claim(world.page, 3, 9);
    for slot in 0..8 {
        let expected = if slot == 3 { 0 } else { u64::from(slot) + 10 };
        assert_eq!(world.sys.slot_read(world.page, slot, slot + 1).requests, expected, "slot {slot}");
    }
}

fn a_pulse_is_not_earlier_than_now_and_at_most_ten_milliseconds_ahead(world: &World) {
    let child = world.fork(&[], |child| {
        let give_up = child.sys.now() + BOUND;
        // A tick of the machine may come late, and then a pulse is early. Not each time.
        while child.sys.now() < give_up {
            let mut early = 0;
            for _ in 0..200 {
                child.compute();
                let before = child.sys.now();
                child.sys.pulse(Pace::Busy);
                let at = child.sys.slot_read(child.page, 0, 1).beat.unwrap().at;
                assert!(at <= child.sys.now() + Duration::from_millis(10), "{at} is more than ahead");
                early += u32::from(at < before);
            }
            if early == 0 {
                return 0;
            }
        }
        1
    });
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn pulses_go_forward(world: &World) {
    let child = world.fork(&[], |child| {
        let mut last = Instant::ZERO;
        for _ in 0..500 {
            child.sys.pulse(Pace::Busy);
            let at = child.sys.slot_read(child.page, 0, 1).beat.unwrap().at;
            assert!(at >= last);
            last = at;
            child.compute();
        }
        0
    });
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn the_heartbeat_of_a_host_in_a_worker_is_a_sign_of_life_of_the_worker(world: &World) {
    let child = world.fork(&[], |child| {
        for (site, pace) in
            [(Site::Loop, Pace::Busy), (Site::Waiting, Pace::Waiting), (Site::Loop, Pace::Busy)]
        {
            let now = child.sys.now();
            child.sys.beat(now, site);
            let Beat { at, pace: told } = child.sys.slot_read(child.page, 0, 1).beat.unwrap();
            assert_eq!(told, pace);
            let ahead = Duration::from_millis(10);
            assert!(at <= now + ahead && now <= at + ahead, "{at} for {now}");
        }
        0
    });
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn a_loop_of_nothing_but_signs_of_life_lets_time_pass(world: &World) {
    let (child, line) = world.fork_on_line(&[], |child, line| {
        child.write(line, b"ready");
        while !child.sys.quit_asked() {
            child.sys.pulse(Pace::Busy);
        }
        0
    });
    world.hear(line, b"ready");
    world.quiet(child.handle);
    world.signal(child, Signal::Quit);
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn a_process_without_a_slot_stores_nothing(world: &World) {
    world.sys.pulse(Pace::Busy);
    world.sys.slot_count(5);
    world.sys.slot_busy(5);
    world.sys.slot_extend(EXTENSION);
    for slot in 0..8 {
        for incarnation in [0, 1] {
            assert_eq!(world.sys.slot_read(world.page, slot, incarnation), SlotReading::default());
        }
    }
}

fn a_slot_that_does_not_exist_is_empty(world: &World) {
    for (page, slot) in [(world.page, 8), (SlotsId(99), 0)] {
        world.sys.slot_claim(page, slot, 1);
        assert_eq!(world.sys.slot_read(page, slot, 1), SlotReading::default());
    }
    let none = world.sys.slots(0).unwrap();
    assert_eq!(world.sys.slot_read(none, 0, 1), SlotReading::default());
}

fn what_a_grandchild_stores_is_read_by_all_its_ancestors(world: &World) {
    let child = world.fork(&[], |child| {
        let birth = Birth { slot: (child.page, 1, 4), ..child.birth(&[]) };
        let grandchild = child.fork_as(&birth, |grandchild| {
            grandchild.sys.slot_count(44);
            0
        });
        assert_eq!(child.end_of(grandchild), ExitStatus::Code(0));
        child.sys.slot_count(child.sys.slot_read(child.page, 1, 4).requests + 1);
        0
    });
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
    assert_eq!(world.sys.slot_read(world.page, 1, 4).requests, 44);
    assert_eq!(reading(world, 1).requests, 45);
}

fn a_page_that_a_child_makes_is_its_own(world: &World) {
    let (child, line) = world.fork_on_line(&[], |child, line| {
        let page = child.sys.slots(2).unwrap();
        let birth = Birth { slot: (page, 0, 1), ..child.birth(&[]) };
        let grandchild = child.fork_as(&birth, |grandchild| {
            grandchild.sys.slot_count(6);
            0
        });
        assert_eq!(child.end_of(grandchild), ExitStatus::Code(0));
        assert_eq!(child.sys.slot_read(page, 0, 1).requests, 6);
        child.write(line, b"stored");
        child.stay()
    });
    world.hear(line, b"stored");
    let page = world.sys.slots(2).unwrap();
    assert_eq!(world.sys.slot_read(page, 0, 1), SlotReading::default());
    assert_eq!(reading(world, 1), SlotReading::default());
    world.kill(child);
}
