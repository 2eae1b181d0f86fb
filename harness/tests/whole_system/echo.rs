//! A service with a listener and many clients, written as an author would.

use harness::sample::echo;
use harness::{ClientError, Faults, check};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn without_faults_every_client_is_answered() {
    check!(|sim| {
        sim.host(echo);
        let clients = sim.clients("echo", 10, |c| {
            for round in 0..20u8 {
                let line = [round; 100];
                c.write_all(&line)?;
                c.expect(&line)?;
            }
            Ok(())
        });
        sim.run_for(SECOND * 10);
        assert_eq!(clients.succeeded(), 10, "{:?}", clients.errors());
    });
}

#[test]
fn under_every_fault_answers_are_right_or_missing_and_every_client_comes_to_its_end() {
    check!(|sim| {
        sim.host(echo);
        sim.faults(Faults::all());
        let talk = |c: &mut harness::Client| -> Result<(), ClientError> {
            for round in 0..20u32 {
                let line = vec![round as u8; 1 + c.choose(2000) as usize];
                c.write_all(&line)?;
                c.expect(&line)?;
                c.pause(Duration::from_millis(u64::from(c.choose(2000))));
            }
            Ok(())
        };
        let clients = sim.clients("echo", 10, talk);
        sim.run_for(SECOND * 60);
        sim.heal_and_settle();
        assert!(clients.all_ended());
        let late = sim.clients("echo", 3, talk);
        sim.heal_and_settle();
        assert_eq!(late.succeeded(), 3, "a healed host serves everybody: {:?}", late.errors());
    });
}

/// A client that is cut off may blame a reset; here nothing may be blamed.
#[test]
fn under_faults_that_excuse_nothing_every_client_is_answered() {
    use harness::Class::{Interrupt, Kick, Latency, Schedule, ShortIo, WallJump};
    check!(|sim| {
        sim.host(echo);
        sim.faults(Faults::only(&[ShortIo, Interrupt, Latency, Schedule, WallJump, Kick]));
        let clients = sim.clients("echo", 5, |c| {
            for round in 0..20u8 {
                let line = [round; 100];
                c.write_all(&line)?;
                c.expect(&line)?;
                c.pause(Duration::from_millis(100));
            }
            Ok(())
        });
        sim.run_for(SECOND * 5);
        sim.heal_and_settle();
        assert_eq!(clients.errors(), [], "nobody was cut off");
    });
}
