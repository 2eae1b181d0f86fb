//! Faults bite: each class changes what a host lives through, except the one that must not.

use harness::sample::echo;
use harness::{Class, Faults, Sim};
use host_sim::{Choices, Pool};
use std::time::Duration;

/// What a host was told and ordered in a busy minute, and how many faults struck.
fn live(seed: u64, faults: Faults, class: Class) -> (u64, u32) {
    let mut sim = Sim::new(Choices::seeded(seed), &Pool::default());
    sim.host(echo);
    sim.faults(faults);
    sim.clients("echo", 4, |c| {
        for round in 1.. {
            // Long enough to be cut, in parts that may come together or not, and new connections.
            let parts = [[7; 350]; 2];
            let sent = parts.iter().try_for_each(|part| c.write_all(part));
            if sent.and_then(|()| c.expect(&[7; 700])).is_err() || round % 10 == 0 {
                c.close();
            }
            c.pause(Duration::from_millis(100));
        }
        Ok(())
    });
    sim.run_for(Duration::from_secs(20));
    (sim.decisions(), sim.struck(class))
}

#[test]
fn every_class_of_fault_changes_what_a_host_lives_through_except_a_jump_of_the_wall_clock() {
    let plain: Vec<_> = (0..12).map(|seed| live(seed, Faults::none(), Class::Kick).0).collect();
    for class in Class::ALL {
        let (mut struck, mut changed) = (0, 0);
        for (seed, without) in (0..).zip(plain.iter().copied()) {
            let (with, strikes) = live(seed, Faults::only(&[class]), class);
            struck += u32::from(strikes > 0);
            changed += u32::from(with != without);
        }
        assert!((2..=10).contains(&struck), "{class:?} is on in half of the runs, not in {struck} of 12");
        if class == Class::WallJump {
            assert_eq!(changed, 0, "a jump of the wall clock changes a decision (S3)");
        } else {
            assert!(changed > 0, "{class:?} struck in {struck} runs and changed nothing");
        }
    }
}
