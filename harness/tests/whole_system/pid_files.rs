//! Pid files on a simulated machine: whose number stands there, whatever befalls hosts.

use harness::{Faults, check};
use host_core::error::exit;
use host_core::sys::{ExitStatus, Pid, PidFileError, Signal};
use host_core::{App, Connected, Context, Fleet, Ready, Result, Service, Worker};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const PATH: &str = "/run/echo.pid";

fn app() -> App {
    App::new("echo").pid_file(PATH).fleet(Fleet::new("idle").workers(2).run(idle)).service(Clock)
}

/// Something in the host's own loop, which may hang.
struct Clock;

impl Service for Clock {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        cx.wake_at(cx.now() + SECOND);
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        Ok(())
    }

    fn wake(&mut self, cx: &mut Context<'_>) -> Result {
        cx.wake_at(cx.now() + SECOND);
        Ok(())
    }
}

fn idle(worker: &mut Worker) -> Result {
    while worker.pause(SECOND) {}
    Ok(())
}

#[test]
fn pf_c16_pf_c17_pf_c18_it_is_there_while_the_host_runs_and_no_longer() {
    for stop in [Signal::Quit, Signal::Term] {
        check!(|sim| {
            sim.host(app);
            sim.run_for(SECOND);
            // Number 2 is the first after init's.
            assert_eq!(sim.pid_file(PATH).as_deref(), Some("2\n"));
            sim.signal(stop);
            assert!(sim.run_until(60 * SECOND, |sim| sim.host_status().is_some()));
            assert_eq!((sim.host_status(), sim.pid_file(PATH)), (Some(ExitStatus::Code(0)), None));
        });
    }
}

#[test]
fn s41_whatever_happens_a_healed_host_has_its_own_number_there() {
    check!(|sim| {
        sim.host(app);
        sim.faults(Faults::all());
        sim.run_for(30 * SECOND);
        sim.heal_and_settle();
        let number = sim.pid_file(PATH).expect("the host has it");
        assert_eq!(number.trim().parse().ok(), sim.host_pid().map(|pid| pid.0));
    });
}

#[test]
fn pf_c20_nobody_else_has_it_meanwhile() {
    check!(|sim| {
        sim.host(app);
        sim.run_for(SECOND);
        sim.run_process(|sys| {
            assert_eq!(sys.pid_file(PATH), Err(PidFileError::Taken { by: Some(Pid(2)) }));
        });
        assert_eq!(sim.pid_file(PATH).as_deref(), Some("2\n"));
    });
}

#[test]
fn a_host_that_is_killed_leaves_it_behind() {
    check!(|sim| {
        sim.host(app);
        sim.run_for(SECOND);
        let before = sim.pid_file(PATH);
        sim.signal(Signal::Kill);
        assert_eq!(sim.pid_file(PATH), before, "nobody was there to remove it");
    });
}

#[test]
fn a_disk_that_is_full_is_told_before_anything_begins() {
    check!(|sim| {
        sim.disk_space(0);
        sim.host(app);
        let error = sim.wait_for_host(SECOND).expect_err("it cannot start").to_string();
        assert!(error.contains("pid_file") && error.contains("ENOSPC"), "{error}");
        assert_eq!(sim.host_status(), Some(ExitStatus::Code(exit::CONFIG)));
        assert_eq!(sim.pid_file(PATH), None);
    });
}
