//! What must hold whatever happens to host and workers.

use crate::apps::{echo, fleet, serve};
use harness::{Class, Faults, check};
use host_core::App;
use host_core::sys::Signal;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn without_faults_every_client_is_served_and_a_drain_ends_the_host_well() {
    check!(|sim| {
        sim.host(echo);
        let clients = sim.clients("echo", 6, |c| {
            for _ in 0..3 {
                c.write_all(b"hello")?;
                c.expect(b"hello")?;
            }
            Ok(())
        });
        sim.run_for(20 * SECOND);
        assert_eq!(clients.succeeded(), 6, "{:?}", clients.errors());
        sim.signal(Signal::Quit);
        sim.wait_for_host(10 * SECOND).unwrap();
    });
}

#[test]
fn workers_share_a_unix_socket_like_any_other() {
    check!(|sim| {
        sim.host(|| {
            let fleet = fleet().run(serve);
            App::new("echo").listen("echo", "unix:/run/echo.sock").poll_period_off().fleet(fleet)
        });
        let clients = sim.clients("echo", 6, |c| {
            c.write_all(b"hello")?;
            c.expect(b"hello")
        });
        sim.run_for(20 * SECOND);
        assert_eq!(clients.succeeded(), 6, "{:?}", clients.errors());
    });
}

#[test]
fn strangers_are_reaped_and_change_nothing() {
    check!(|sim| {
        sim.pid_max(16);
        sim.subreaper();
        sim.host(|| echo().reap_strangers());
        sim.faults(Faults::only(&[Class::LateNews, Class::WorkerKill, Class::WorkerStop, Class::Schedule]));
        for _ in 0..6 {
            sim.run_for(2 * SECOND);
            sim.adopt_stranger();
        }
        sim.heal_and_settle();
        // News of the last one may still be on its way.
        assert!(sim.run_until(30 * SECOND, |sim| sim.children() == 3), "{} children", sim.children());
    });
}

#[test]
fn l7_whatever_happens_those_who_can_serve_do_although_other_slots_are_broken_for_ever() {
    check!(|sim| {
        sim.pid_max(16);
        sim.host(|| {
            App::new("echo").listen("echo", "127.0.0.1:7000").poll_period_off().fleet(fleet().run(serve))
        });
        sim.faults(Faults::all());
        sim.clients("echo", 6, |c| {
            c.write_all(b"hello")?;
            c.expect(b"hello")
        });
        sim.run_for(20 * SECOND);
        sim.heal_core_and_settle();
    });
}

#[test]
fn whatever_happens_a_healed_fleet_serves() {
    check!(|sim| {
        sim.pid_max(8);
        sim.host(echo);
        sim.faults(Faults::all());
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
