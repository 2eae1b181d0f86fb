//! Pid files on a simulated machine: whose number stands there, whatever befalls hosts.

use harness::{Class, Faults, Sim, check};
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

#[test]
fn a_disk_that_has_room_for_a_part_of_the_number_is_a_full_one() {
    for room in 0..3 {
        check!(|sim| {
            // The number of the host has two digits, and its line three bytes.
            for _ in 0..10 {
                sim.run_process(|_| {});
            }
            sim.disk_space(room);
            sim.host(app);
            let error = sim.wait_for_host(SECOND).expect_err("it cannot start").to_string();
            assert!(error.contains("pid_file") && error.contains("ENOSPC"), "{error}");
            assert_eq!((sim.pid_file(PATH), sim.births()), (None, 0));
        });
    }
}

#[test]
fn pf_c20_a_stale_file_is_replaced_whoever_has_its_number_now() {
    // Nobody's, that of process 1, which lives, and what is left of a number.
    for stale in ["4000000\n", "1\n", "", "xyz"] {
        check!(|sim| {
            sim.place_pid_file(PATH, 0, stale);
            sim.host(app);
            sim.run_for(SECOND);
            assert_eq!(sim.pid_file(PATH).as_deref(), Some("2\n"));
        });
    }
}

/// How a host ends that cannot begin, as `user`; nothing is forked before.
fn refusal(sim: &mut Sim, user: u32) -> String {
    sim.user(user);
    sim.host(app);
    let error = sim.wait_for_host(SECOND).expect_err("it cannot start").to_string();
    assert_eq!((sim.host_status(), sim.births()), (Some(ExitStatus::Code(exit::CONFIG)), 0), "{error}");
    error
}

#[test]
fn another_users_file_and_an_unwritable_directory_are_told_before_anything_is_forked() {
    check!(|sim| {
        let error = refusal(sim, 33);
        assert!(error.contains("pid_file") && error.contains("EACCES"), "{error}");
        assert_eq!(sim.pid_file(PATH), None);
    });
    check!(|sim| {
        sim.place_pid_file(PATH, 0, "7\n");
        let error = refusal(sim, 33);
        assert!(error.contains("pid_file") && error.contains("EACCES"), "{error}");
        assert_eq!(sim.pid_file(PATH).as_deref(), Some("7\n"), "it is left as it is");
    });
}

#[test]
fn s41_a_file_that_may_not_be_removed_is_left_and_names_nobody() {
    check!(|sim| {
        // One's own, in the directory of somebody else.
        sim.place_pid_file(PATH, 33, "");
        sim.user(33);
        sim.host(app);
        sim.run_for(SECOND);
        assert_eq!(sim.pid_file(PATH).as_deref(), Some("2\n"));
        sim.signal(Signal::Term);
        assert!(sim.wait_for_host(5 * SECOND).is_ok());
        assert_eq!(sim.pid_file(PATH).as_deref(), Some(""));
    });
}

#[test]
fn what_is_no_pid_file_is_left_as_it_is() {
    check!(|sim| {
        sim.place_pid_file(PATH, 0, "listen 80\n");
        let error = refusal(sim, 0);
        assert!(error.contains("has other content than a process number"), "{error}");
        assert_eq!(sim.pid_file(PATH).as_deref(), Some("listen 80\n"));
    });
}

#[test]
fn pf_c31_of_hosts_that_race_for_it_exactly_one_wins() {
    for stale in [None, Some("4000000\n")] {
        check!(|sim| {
            sim.unsteady();
            if let Some(stale) = stale {
                sim.place_pid_file(PATH, 0, stale);
            }
            sim.host(app);
            sim.another_host();
            sim.another_host();
            sim.run_for(5 * SECOND);
            let away = sim.turned_away();
            assert_eq!(away.len(), 2, "{away:?}");
            assert!(away.iter().all(|error| error.contains("has it: stop that one")), "{away:?}");
            assert_eq!(sim.pid_file(PATH), sim.host_pid().map(|pid| format!("{pid}\n")));
            assert_eq!(sim.fleet("idle").map(|fleet| fleet.ready()), Some(2));
        });
    }
}

#[test]
fn pf_c31_a_host_that_comes_while_another_goes_serves_or_is_turned_away() {
    for micros in [0, 1, 2, 4, 8, 16, 32] {
        check!(|sim| {
            sim.unsteady();
            sim.host(app);
            sim.run_for(SECOND);
            sim.signal(Signal::Term);
            // Its workers take some time to end; then it leaves the file.
            let first = sim.host_pid();
            sim.run_until(5 * SECOND, |sim| sim.workers().is_empty());
            sim.run_for(Duration::from_micros(micros));
            for _ in 0..3 {
                sim.another_host();
            }
            sim.run_for(5 * SECOND);
            let number = sim.pid_file(PATH).map(|text| text.trim().parse().ok());
            let serves = sim.host_pid().filter(|_| sim.host_status().is_none());
            assert_ne!(serves, first, "it has ended");
            assert_eq!(number, serves.map(|pid| Some(pid.0)), "{:?}", sim.turned_away());
        });
    }
}

#[test]
fn s41_a_host_that_is_killed_in_the_midst_leaves_nothing_that_misleads_anybody() {
    for calls in 0..9 {
        check!(|sim| {
            sim.place_pid_file(PATH, 0, "4000000\n");
            sim.cut_pid_file(calls, None);
            sim.host(app);
            sim.run_for(5 * SECOND);
            let number = sim.host_pid().expect("it was started again");
            assert_eq!(sim.pid_file(PATH), Some(format!("{number}\n")));
            // And when it goes.
            sim.cut_pid_file(calls, None);
            sim.signal(Signal::Term);
            sim.run_for(5 * SECOND);
            assert!(sim.host_status().is_some());
            // It makes fewer calls than some of these.
            sim.heal();
            sim.another_host();
            sim.run_for(5 * SECOND);
            let number = sim.host_pid().expect("nobody is in its way");
            assert_eq!(sim.pid_file(PATH), Some(format!("{number}\n")));
        });
    }
}

#[test]
fn s41_a_host_that_is_held_up_in_the_midst_still_wins_or_loses() {
    for calls in 0..9 {
        check!(|sim| {
            sim.unsteady();
            sim.cut_pid_file(calls, Some(SECOND));
            sim.host(app);
            sim.another_host();
            sim.run_for(5 * SECOND);
            assert_eq!(sim.turned_away().len(), 1);
            assert_eq!(sim.pid_file(PATH), sim.host_pid().map(|pid| format!("{pid}\n")));
        });
    }
}

#[test]
fn s41_a_file_that_took_its_place_is_left_alone() {
    check!(|sim| {
        sim.host(app);
        sim.run_for(SECOND);
        assert!(sim.remove_pid_file(PATH));
        // This one ends before it has left it.
        sim.run_process(|sys| {
            let _left_to_the_kernel = sys.pid_file(PATH).expect("nobody has it");
        });
        let theirs = sim.pid_file(PATH);
        sim.signal(Signal::Term);
        sim.wait_for_host(60 * SECOND).unwrap();
        assert!(theirs.is_some());
        assert_eq!(sim.pid_file(PATH), theirs);
    });
}

/// What befalls a pid file, and what makes hosts begin anew.
const FILES: &[Class] = &[
    Class::PidFileDenied,
    Class::PidFileCut,
    Class::DiskFull,
    Class::Schedule,
    Class::Hang,
    Class::Kick,
    Class::HostStop,
    Class::HostSlow,
];

#[test]
fn pf_c31_s41_whatever_befalls_the_file_a_healed_machine_has_one_host_and_its_number() {
    check!(|sim| {
        sim.faults(Faults::only(FILES));
        // Some of it is there when they begin.
        sim.run_for(SECOND);
        sim.host(|| app().poll_period_off().heartbeat_threshold(2 * SECOND));
        sim.another_host();
        for _ in 0..4 {
            sim.run_for(3 * SECOND);
            sim.another_host();
        }
        sim.run_for(3 * SECOND);
        sim.heal_and_settle();
        assert_eq!(sim.pid_file(PATH), sim.host_pid().map(|pid| format!("{pid}\n")));
        assert_eq!(sim.fleet("idle").map(|fleet| fleet.ready()), Some(2));
    });
}
