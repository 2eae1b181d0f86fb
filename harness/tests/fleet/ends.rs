//! How fleets end: drained, at once, or with their host.

use crate::apps::{echo, fleet, lines, serve};
use harness::{Faults, check};
use host_core::sys::{OnHostDeath, Signal};
use host_core::{App, Worker};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Longer than the drain timeout, the boot timeout and all graces of the fleets in `apps` together.
const STOP_BOUND: Duration = Duration::from_secs(30);

#[test]
fn a_stop_is_bounded_whatever_workers_ignore() {
    for signal in [Signal::Quit, Signal::Term, Signal::Int] {
        check!(|sim| {
            sim.pid_max(8);
            sim.host(echo);
            // Without those that stop the host for longer than any bound.
            sim.faults(Faults::all().without(harness::Class::Hang));
            sim.clients("echo", 4, |c| {
                c.write_all(b"hello")?;
                c.expect(b"hello")
            });
            sim.run_for(20 * SECOND);
            sim.heal();
            sim.signal(signal);
            assert!(sim.run_until(STOP_BOUND, |sim| sim.host_status().is_some()), "{:?}", sim.pending());
            // A kick may have ended it while it was slow: then its workers end by their policy.
            if sim.host_status() == Some(harness::ExitStatus::Code(0)) {
                assert_eq!(sim.children(), 0);
            }
        });
    }
}

#[test]
fn pf_c27_term_after_quit_does_not_wait_for_the_drain() {
    check!(|sim| {
        sim.host(|| {
            let stubborn = |worker: &mut Worker| {
                while worker.accept("echo")?.is_some() {}
                worker.work(Duration::from_secs(3600));
                Ok(())
            };
            let fleet = fleet().drain_timeout(60 * SECOND).run(stubborn);
            App::new("stubborn").listen("echo", "127.0.0.1:7000").fleet(fleet)
        });
        sim.run_for(SECOND);
        sim.signal(Signal::Quit);
        sim.run_for(SECOND);
        assert_eq!(sim.host_status(), None, "the workers drain");
        let asked = sim.now();
        sim.signal(Signal::Term);
        sim.wait_for_host(STOP_BOUND).unwrap();
        assert!(sim.now().since(asked) < SECOND);
    });
}

fn dying(policy: OnHostDeath) -> App {
    let fleet = fleet().on_host_death(policy).run(serve);
    App::new("dying").listen("echo", "127.0.0.1:7000").poll_period_off().fleet(fleet)
}

#[test]
fn pf_c28_when_the_host_dies_its_workers_end_as_their_policy_says() {
    for policy in [OnHostDeath::Exit, OnHostDeath::Drain] {
        check!(|sim| {
            sim.host(move || dying(policy));
            sim.faults(Faults::all());
            sim.clients("echo", 4, |c| {
                for _ in 0..20 {
                    c.write_all(b"hello")?;
                    c.expect(b"hello")?;
                    c.pause(Duration::from_millis(300));
                }
                Ok(())
            });
            sim.run_for(5 * SECOND);
            sim.signal(Signal::Kill);
            // S42 is checked when each of them must have ended.
            sim.run_for(10 * SECOND);
            sim.heal();
            sim.run_for(10 * SECOND);
            assert_eq!(sim.workers(), []);
        });
    }
}

#[test]
fn a_drain_loses_no_request_that_was_begun() {
    check!(|sim| {
        sim.host(|| {
            let fleet = fleet().run(lines);
            App::new("lines").listen("echo", "127.0.0.1:7000").poll_period_off().fleet(fleet)
        });
        sim.faults(Faults::only(&[
            harness::Class::Latency,
            harness::Class::ShortIo,
            harness::Class::Schedule,
        ]));
        let clients = sim.clients("echo", 6, |c| {
            // Two halves, with time between them: QUIT may come while the worker has the first.
            c.write_all(b"hel")?;
            c.pause(Duration::from_millis(50));
            c.write_all(b"lo\n")?;
            c.expect(b"hello\n")
        });
        sim.run_for(Duration::from_millis(500));
        sim.signal(Signal::Quit);
        let _ = sim.wait_for_host(STOP_BOUND);
        sim.run_for(20 * SECOND);
        for error in clients.errors() {
            // Those who came when nobody listened any more, or were in the queue then.
            let excused = matches!(
                error,
                harness::ClientError::Io(
                    host_core::sys::Errno::CONNREFUSED | host_core::sys::Errno::CONNRESET
                )
            );
            assert!(excused, "{error}");
        }
    });
}
