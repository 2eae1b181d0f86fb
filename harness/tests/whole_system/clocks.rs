//! Clocks: only the monotonic one counts.

use harness::sample::echo;
use harness::{Class, Faults, Sim};
use host_sim::{Choices, Pool};
use std::time::Duration;

/// Only in the simulator: nobody moves the real clock for a test.
#[test]
fn ph_c20_a_step_of_the_wall_clock_changes_no_decision() {
    let run = |seed, faults| {
        let mut sim = Sim::new(Choices::seeded(seed), &Pool::default());
        sim.host(echo);
        sim.faults(faults);
        sim.run_for(Duration::from_secs(20));
        (sim.decisions(), sim.struck(Class::WallJump), sim.struck(Class::Kick))
    };
    let (mut jumps, mut kicks) = (0, 0);
    for seed in 0..40 {
        let steady = run(seed, Faults::only(&[Class::Kick]));
        let jumping = run(seed, Faults::only(&[Class::Kick, Class::WallJump]));
        assert_eq!(steady.0, jumping.0, "seed {seed}: a jump of the wall clock changed a decision (S3)");
        jumps += jumping.1;
        kicks += jumping.2;
    }
    assert!(jumps > 20 && kicks > 20, "{jumps} jumps and {kicks} kicks");
}
