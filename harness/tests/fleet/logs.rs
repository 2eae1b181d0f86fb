//! Log files that are renamed, that cannot be written and that cannot be opened anew.

use crate::apps::{echo, fleet, serve};
use harness::{Class, Faults, Scripted, Sim, check};
use host_core::error::RunError;
use host_core::notice::Level;
use host_core::sys::Signal;
use host_core::{App, Worker};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
const LOG: &str = "/var/x.log";

fn logged(app: App) -> App {
    app.log(LOG).stdout("/var/out").stderr(LOG)
}

fn clients(sim: &mut Sim) {
    sim.clients("echo", 6, |c| {
        c.write_all(b".")?;
        c.expect(b".")?;
        c.pause(SECOND);
        Ok(())
    });
}

#[test]
fn s47_whatever_happens_nobody_goes_on_writing_to_a_file_that_was_renamed() {
    check!(|sim| {
        sim.host(|| logged(echo()));
        sim.faults(Faults::all());
        clients(sim);
        sim.run_for(20 * SECOND);
        sim.heal_and_settle();
    });
}

#[test]
fn s47_where_nothing_else_goes_wrong_everybody_is_seen_to_write_to_the_new_files_in_a_moment() {
    check!(|sim| {
        sim.host(|| logged(echo()));
        sim.faults(Faults::only(&[Class::Rotation, Class::Schedule, Class::WorkerCrash, Class::HostStop]));
        clients(sim);
        sim.run_for(20 * SECOND);
        sim.heal_and_settle();
    });
}

#[test]
fn s47_a_worker_that_was_stopped_through_several_rotations_prints_on_the_last_file() {
    check!(|sim| {
        sim.host(|| logged(echo()));
        sim.faults(Faults::only(&[Class::Schedule]));
        sim.run_for(SECOND);
        let worker = sim.workers()[0].pid;
        sim.signal_worker(worker, Signal::Stop);
        for _ in 0..3 {
            sim.run_for(100 * MS);
            sim.rotate_logs();
        }
        sim.run_for(100 * MS);
        sim.signal_worker(worker, Signal::Cont);
        sim.heal_and_settle();
        assert!(sim.workers().iter().any(|known| known.pid == worker), "it lives");
    });
}

/// The lines that a log has got, renamed or not, the first first, without their moments.
fn lines_of(sim: &Sim) -> Vec<String> {
    let files = sim.recordings(&format!("{LOG}.1")).into_iter().chain(sim.recordings(LOG));
    let text: String = files.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
    text.lines().map(|line| line.split_once("] ").expect("a line of a log").1.to_owned()).collect()
}

/// An application that also tells here what it tells.
fn overheard(told: &Rc<RefCell<Vec<String>>>) -> App {
    let told = Rc::clone(told);
    logged(echo()).on_notice(move |record| {
        if record.notice.level() >= Level::Info {
            told.borrow_mut().push(record.to_string());
        }
    })
}

#[test]
fn each_notice_is_one_line_of_the_log_and_none_is_lost_by_a_rotation() {
    check!(|sim| {
        let told = Rc::new(RefCell::new(Vec::new()));
        let teller = Rc::clone(&told);
        sim.host(move || overheard(&teller));
        sim.faults(Faults::only(&[Class::WorkerCrash, Class::OperatorSignals, Class::Schedule]));
        for _ in 0..5 {
            sim.run_for(2 * SECOND);
            sim.rotate_logs();
        }
        sim.heal_and_settle();
        // The run may end between a line and whoever hears of it next.
        let (lines, told) = (lines_of(sim), told.borrow());
        assert!(lines.starts_with(&told) && lines.len() <= told.len() + 1, "{lines:?}");
        let headers = told.iter().filter(|line| line.starts_with("the log of process")).count();
        assert_eq!(headers, 6);
    });
}

#[test]
fn a_disk_that_is_full_for_a_while_costs_lines_and_how_many_they_were_is_told() {
    check!(|sim| {
        let told = Rc::new(RefCell::new(Vec::new()));
        let teller = Rc::clone(&told);
        sim.host(move || overheard(&teller));
        sim.run_for(SECOND);
        sim.disk_space(10);
        for _ in 0..7 {
            sim.signal(Signal::Hup);
            sim.run_for(SECOND);
        }
        sim.disk_space(u64::MAX);
        sim.signal(Signal::Hup);
        sim.run_for(SECOND);
        assert!(sim.incomplete().is_empty(), "{:?}", sim.incomplete());
        let log = sim.log(LOG).expect("a log");
        assert!(log.contains("7 lines of the log were lost\n"), "{log}");
        assert_eq!(log.matches("HUP received and ignored").count(), 1, "{log}");
        let failed =
            told.borrow().iter().filter(|line| line.starts_with("the log cannot be written")).count();
        assert_eq!(failed, 1, "it is told once");
    });
}

#[test]
fn a_launcher_hears_that_all_can_serve() {
    check!(|sim| {
        sim.launched();
        sim.host(|| logged(echo()));
        sim.run_for(5 * SECOND);
        let ready = sim.notified().iter().filter(|(_, told)| told.lines().any(|l| l == "READY=1")).count();
        assert_eq!((ready, sim.incomplete()), (1, Vec::new()));
    });
}

#[test]
fn boots_that_hang_make_the_start_fail_in_the_end() {
    check!(|sim| {
        sim.launched();
        sim.play(Scripted::of("echo").slot(1).never_ready());
        // One dies in half a minute: that uses up no budget.
        sim.host(|| {
            App::new("x").listen("echo", "127.0.0.1:7000").fleet(fleet().boot_timeout(20 * SECOND).run(serve))
        });
        let ended = sim.wait_for_host(90 * SECOND);
        let Err(RunError::FleetGivenUp { fleet, last }) = ended else { panic!("it was {ended:?}") };
        assert_eq!(fleet, "echo");
        assert!(last.contains("not ready in time"), "{last}");
    });
}

#[test]
fn a_fleet_that_cannot_live_makes_the_start_fail_and_a_host_that_nobody_waits_for_goes_on() {
    let crashes = |worker: &mut Worker| {
        worker.wanted();
        Err("no database".into())
    };
    check!(|sim| {
        sim.launched();
        sim.host(move || {
            App::new("x")
                .listen("echo", "127.0.0.1:7000")
                .fleet(fleet().run(serve))
                .fleet(crate::apps::fleet_called("broken").workers(2).run(crashes))
        });
        let ended = sim.wait_for_host(60 * SECOND);
        let Err(RunError::FleetGivenUp { fleet, last }) = ended else { panic!("it was {ended:?}") };
        assert_eq!(fleet, "broken");
        // Not one that has ended since, because the host stops.
        assert!(last.contains("exit status 70") && last.contains("unasked"), "{last}");
        assert!(last.ends_with(": no database"), "its own words: {last}");
        assert!(!sim.notified().iter().any(|(_, told)| told.contains("READY=1")));
    });
    check!(|sim| {
        sim.host(move || {
            let broken = crate::apps::fleet_called("broken").workers(2);
            App::new("x").log(LOG).fleet(broken.run(crashes))
        });
        sim.run_for(60 * SECOND);
        assert_eq!(sim.host_status(), None);
        let lines = lines_of(sim);
        let of = |words: &str| lines.iter().filter(|line| line.contains(words)).count();
        assert!(of("failed: no database") >= 4, "{lines:#?}");
        assert_eq!(of("failed: no database"), of("ended with exit status 70"), "each has its line");
    });
}
