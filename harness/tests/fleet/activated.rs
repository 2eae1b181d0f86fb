//! Hosts that are started with their sockets: whoever comes while none runs waits, and is not refused.

use crate::apps::{echo, fleet, serve};
use harness::{Class, Faults, check};
use host_core::App;
use host_core::error::RunError;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn who_comes_before_the_host_waits_for_it() {
    check!(|sim| {
        sim.activated("echo", "127.0.0.1:7000".parse().unwrap());
        // They come before there is a host.
        let clients = sim.clients("echo", 6, |c| {
            c.write_all(b".")?;
            c.expect(b".")
        });
        sim.run_for(2 * SECOND);
        assert_eq!(clients.succeeded(), 0);
        sim.host(echo);
        sim.faults(Faults::only(&[Class::Latency, Class::Schedule, Class::LateNews, Class::HostStop]));
        sim.run_for(5 * SECOND);
        assert_eq!(clients.succeeded(), 6, "{:?}", clients.errors());
    });
}

#[test]
fn whatever_happens_a_host_that_is_started_again_has_its_socket() {
    check!(|sim| {
        sim.activated("echo", "127.0.0.1:7000".parse().unwrap());
        sim.host(echo);
        sim.faults(Faults::all());
        sim.clients("echo", 6, |c| {
            c.write_all(b".")?;
            c.expect(b".")
        });
        sim.run_for(30 * SECOND);
        sim.heal_and_settle();
    });
}

#[test]
fn one_that_is_for_nobody_is_a_mistake() {
    check!(|sim| {
        sim.activated("echo", "127.0.0.1:7000".parse().unwrap());
        sim.activated("jobs", "127.0.0.1:7001".parse().unwrap());
        sim.host(|| App::new("x").listen("echo", "127.0.0.1:7002").fleet(fleet().run(serve)));
        let ended = sim.wait_for_host(SECOND);
        let Err(RunError::Config(error)) = ended else { panic!("it was {ended:?}") };
        let words = "passed descriptor 4 is `jobs`, at 127.0.0.1:7001, but must be called like a listener";
        assert!(error.to_string().contains(words), "{error}");
    });
}
