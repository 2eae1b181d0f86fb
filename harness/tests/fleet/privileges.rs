//! Fleets whose workers give up what they need not: under every fault, and when they cannot.

use crate::apps::{fleet, serve};
use harness::{Class, Faults, Sim, check};
use host_core::error::{RunError, exit};
use host_core::fleet::config::OnExhausted;
use host_core::sys::{ExitStatus, Limit, OnHostDeath, Signal};
use host_core::{App, Fleet, Worker};
use host_sim::{Choices, Pool};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MICROSECOND: Duration = Duration::from_micros(1);

/// All that can be given up.
fn small(fleet: Fleet) -> Fleet {
    fleet
        .user("www-data")
        .umask(0o27)
        .chroot("/srv")
        .limit(Limit::OpenFiles, 64)
        .limit(Limit::Core, 0)
        .nice(5)
        .no_new_privs()
}

fn app(fleet: Fleet) -> App {
    App::new("echo").listen("echo", "127.0.0.1:7000").poll_period_off().fleet(fleet.run(serve))
}

fn clients(sim: &mut Sim) {
    sim.clients("echo", 6, |c| {
        c.write_all(b"hello")?;
        c.expect(b"hello")
    });
}

#[test]
fn whatever_happens_workers_that_serve_are_confined_and_the_fleet_is_complete_once_faults_stop() {
    for on_host_death in [OnHostDeath::Exit, OnHostDeath::Drain] {
        check!(|sim| {
            sim.pid_max(16);
            sim.host(move || app(small(fleet().on_host_death(on_host_death))));
            sim.faults(Faults::all());
            clients(sim);
            sim.run_for(30 * SECOND);
            sim.heal_and_settle();
        });
    }
}

#[test]
fn a_worker_that_cannot_be_confined_is_tried_again_with_backoff_and_runs_nothing() {
    check!(|sim| {
        sim.host(|| app(small(fleet())));
        sim.faults(Faults::only(&[Class::Unconfined, Class::WorkerCrash]));
        clients(sim);
        sim.run_for(20 * SECOND);
        sim.heal_and_settle();
    });
}

#[test]
fn a_privilege_that_can_never_be_had_uses_up_the_restart_budget() {
    check!(|sim| {
        // Whoever is not root cannot be served before others: that is for each worker to find out.
        sim.user(33);
        sim.host(|| app(fleet().nice(-5).restart_budget(6, 60 * SECOND).on_exhausted(OnExhausted::StopHost)));
        sim.expect_end();
        let error = sim.wait_for_host(60 * SECOND).unwrap_err();
        let RunError::FleetGivenUp { last, .. } = &error else { panic!("{error}") };
        // The last to die may be one that was told to stop with its host.
        let is_asked = last.contains("asked to because the host stops");
        assert!(is_asked || last.contains(&format!("exit status {}", exit::UNCONFINED)), "{last}");
        let why = "could not be confined: setpriority failed: permission denied (EACCES)";
        assert!(is_asked || last.contains(why), "{last}");
        assert_eq!(sim.host_status(), Some(ExitStatus::Code(exit::FLEET_GIVEN_UP)));
    });
}

#[test]
fn who_is_not_root_is_told_so_before_anything_is_forked() {
    check!(|sim| {
        sim.user(33);
        sim.host(|| app(small(fleet()).user("nobody")));
        sim.expect_end();
        let error = sim.wait_for_host(SECOND).unwrap_err().to_string();
        for words in ["2 mistakes", "chroot of fleet `echo` is `/srv`", "user of fleet `echo` is `nobody`"] {
            assert!(error.contains(words), "{error}");
        }
        assert_eq!(sim.births(), 0);
    });
}

#[test]
fn who_is_that_user_already_needs_no_privilege_for_it() {
    check!(|sim| {
        sim.user(33);
        sim.host(|| app(fleet().user("www-data").group(0).supplementary_groups([0; 0]).no_new_privs()));
        clients(sim);
        sim.heal_and_settle();
    });
}

/// The host is killed at each moment around the births of its workers, and so between any two of their system calls.
#[test]
fn a_host_that_dies_while_its_workers_confine_themselves_takes_them_along() {
    let pool = Pool::default();
    // Finer than a system call takes.
    for moment in (0..1_600).map(|step| step * MICROSECOND / 4) {
        let mut sim = Sim::new(Choices::seeded(0), &pool);
        // One that waits hears the end of its channel as well.
        let busy = |worker: &mut Worker| {
            worker.work(3600 * SECOND);
            Ok(())
        };
        sim.host(move || App::new("busy").fleet(small(fleet()).run(busy)));
        sim.run_for(moment);
        sim.expect_end();
        sim.signal(Signal::Kill);
        // S42 looks whether they have ended.
        sim.run_for(SECOND);
        assert_eq!(sim.workers(), [], "killed after {moment:?}");
    }
}
