//! Around what happened nothing breaks, and what would is told with its seed.

use crate::apps::{SECOND, fleets, recorded, services, talk};
use harness::replay::How;
use harness::{Faults, check};
use host_core::id::FleetId;

#[test]
fn around_whatever_happens_to_fleets_no_rule_is_broken() {
    check!(|sim| {
        sim.pid_max(8);
        sim.host(fleets);
        sim.faults(Faults::all());
        talk(sim, 4);
        sim.run_for(20 * SECOND);
        for replay in recorded(sim) {
            if let Err(broken) = replay.fuzz_around(20).seed(sim.seed() * 20).check() {
                panic!("{broken}");
            }
        }
    });
}

#[test]
fn around_whatever_happens_to_services_no_rule_is_broken() {
    check!(|sim| {
        sim.host(services);
        sim.faults(Faults::all());
        talk(sim, 4);
        sim.run_for(20 * SECOND);
        for replay in recorded(sim) {
            if let Err(broken) = replay.fuzz_around(20).seed(sim.seed() * 20).check() {
                panic!("{broken}");
            }
        }
    });
}

#[test]
fn a_neighbour_that_breaks_what_is_demanded_is_told_with_its_seed_and_again_by_it() {
    check!(|sim| {
        sim.host(fleets);
        sim.run_for(8 * SECOND);
        let replay = recorded(sim).remove(0);
        // Nobody is ever late in the recording: only where the host itself is late does anybody look so.
        let demand = |host: &host_core::host::Host| {
            let status = host.fleet(FleetId::new(0))?;
            (!status.deaths.is_empty() || status.workers.len() > 2).then_some("nobody is replaced")
        };
        replay.fuzz_around(0).demand(demand).check().unwrap();
        let Err(broken) = replay.fuzz_around(3000).demand(demand).check() else {
            panic!("nothing was found")
        };
        assert_eq!(broken.how, How::Broken("nobody is replaced"));
        assert!(!broken.changes.is_empty());
        let again = replay.fuzz_around(1).seed(broken.seed).demand(demand).check().unwrap_err();
        assert_eq!(again, broken);
        let told = broken.to_string();
        assert!(told.starts_with(&format!("in the neighbour with seed {} fact ", broken.seed)), "{told}");
        assert!(told.contains("\n  changed  fact "), "{told}");
    });
}
