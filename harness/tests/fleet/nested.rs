//! Workers that each run an event host.

use crate::apps::fleet;
use harness::sample::Echo;
use harness::{Faults, check};
use host_core::App;
use host_core::sys::Signal;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn app() -> App {
    let fleet = fleet().host(|_| App::new("worker").poll_period_off().service(Echo::default()));
    App::new("nested").listen("echo", "127.0.0.1:7000").poll_period_off().fleet(fleet)
}

#[test]
fn whatever_happens_a_healed_fleet_of_hosts_serves() {
    check!(|sim| {
        sim.pid_max(8);
        sim.host(app);
        // Signals may ask for less workers than these clients need, and nobody here restores them.
        sim.faults(Faults::all().without(harness::Class::OperatorSignals));
        sim.clients("echo", 6, |c| {
            c.write_all(b"hello")?;
            c.expect(b"hello")
        });
        sim.run_for(30 * SECOND);
        sim.heal_and_settle();
        let late = sim.clients("echo", 3, |c| {
            c.write_all(b"hello")?;
            c.expect(b"hello")
        });
        sim.heal_and_settle();
        assert_eq!(late.succeeded(), 3, "{:?}", late.errors());
    });
}

#[test]
fn a_fleet_of_hosts_drains_and_ends_well() {
    check!(|sim| {
        sim.host(app);
        let clients = sim.clients("echo", 6, |c| {
            for _ in 0..10 {
                c.write_all(b"hello")?;
                c.expect(b"hello")?;
            }
            Ok(())
        });
        sim.run_for(5 * SECOND);
        assert_eq!(clients.succeeded(), 6, "{:?}", clients.errors());
        sim.signal(Signal::Quit);
        sim.wait_for_host(10 * SECOND).unwrap();
    });
}
