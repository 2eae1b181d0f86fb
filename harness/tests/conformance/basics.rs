//! Clocks, deadlines, panics and recordings.

use crate::arms::Case;
use crate::world::{Kernel, QUIET, World};
use host_core::sys::{Errno, Interest};
use host_core::time::Instant;

pub(crate) const CASES: &[Case] = cases![
    a_wait_with_a_deadline_ends_at_it_and_not_before,
    a_panic_of_user_code_is_a_value,
    a_deadline_that_has_passed_is_a_look,
    the_clock_never_goes_back_and_the_wall_clock_is_past_2020,
    random_numbers_differ,
    a_recording_is_appended_to_until_it_is_closed_and_takes_the_place_of_the_one_before,
];

fn a_wait_with_a_deadline_ends_at_it_and_not_before(world: &World) {
    let begun = world.sys.now();
    let deadline = begun + QUIET;
    assert_eq!(world.wait_for_events(Some(deadline)), []);
    assert!(world.sys.now() >= deadline);
}

fn a_panic_of_user_code_is_a_value(world: &World) {
    assert_eq!(world.sys.run_user(&mut || {}), Ok(()));
    let caught = world.sys.run_user(&mut || panic!("number {}", 7)).expect_err("it panics");
    assert_eq!(caught.message, "number 7");
}

fn a_deadline_that_has_passed_is_a_look(world: &World) {
    let (client, server) = world.pair();
    let look = || world.sys.wait(server, Interest::READ, Some(Instant::ZERO));
    assert_eq!(look(), Err(Errno::TIMEDOUT));
    assert_eq!(world.sys.write(client, b"x"), Ok(1));
    world.ready(server, Interest::READ);
    assert!(look().is_ok_and(|ready| ready.readable));
    assert_eq!(world.events(), [], "nothing is registered");
}

fn the_clock_never_goes_back_and_the_wall_clock_is_past_2020(world: &World) {
    let mut last = world.sys.now();
    for _ in 0..1000 {
        let now = world.sys.now();
        assert!(now >= last);
        last = now;
    }
    assert!(world.sys.wall().0 > 1_577_836_800 * 1_000_000_000);
}

fn random_numbers_differ(world: &World) {
    let mut numbers: Vec<_> = (0..100).map(|_| world.sys.random()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 100);
}

fn a_recording_is_appended_to_until_it_is_closed_and_takes_the_place_of_the_one_before(world: &World) {
    let path = format!("/tmp/conformance-{}.rec", std::process::id());
    let create = |path: &str| world.sys.record_create(path);
    let write = |file, bytes| world.sys.record_write(file, bytes);
    assert_eq!(create("/tmp/no-such-directory/x.rec"), Err(Errno::NOENT));
    let first = create(&path).expect("the directory is there");
    assert_eq!([write(first, b"one"), write(first, b"")], [Ok(3), Ok(0)]);
    let second = create(&path).expect("the first one makes room");
    assert_eq!([write(first, b"two"), write(second, b"three")], [Ok(3), Ok(5)]);
    world.sys.close(first);
    assert_eq!([write(first, b"x"), write(second, b"x")], [Err(Errno::BADF), Ok(1)]);
    world.sys.close(second);
    let (listener, _) = world.listen(1);
    assert_eq!(write(listener, b"x"), Err(Errno::BADF), "it is none");
    // A simulated disk is nowhere.
    if world.kernel == Kernel::Real {
        for (name, expected) in [(path.clone(), "threex"), (path + ".1", "onetwo")] {
            assert_eq!(std::fs::read_to_string(&name).expect("it was written"), expected);
            std::fs::remove_file(name).expect("it is ours");
        }
    }
}
