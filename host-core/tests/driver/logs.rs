//! The files of a host: what is written to them, when they are opened anew, and what a full disk does.

use crate::fake::*;
use host_core::Fleet;
use host_core::app::App;
use host_core::driver::{Until, run};
use host_core::error::RunError;
use host_core::sys::{Errno, ExitStatus};
use std::cell::RefCell;
use std::rc::Rc;

const TERM: usize = 15;
const LOGGED: &[&str] = &["log_", "redirect", "kick_b", "kick_h", "close"];

fn app() -> App {
    App::new("test").seed(1).log("x.log")
}

/// What is told to the application, and what the log's calls are, of a host that ends at the last of these signals'
/// reports.
fn host(app: App, sys: &Rc<Fake>, reports: impl IntoIterator<Item = Report>) -> Vec<String> {
    let told = Rc::new(RefCell::new(Vec::new()));
    let heard = Rc::clone(&told);
    let app = app.on_notice(move |record| heard.borrow_mut().push(record.to_string()));
    sys.report(reports);
    sys.report([Report::Ready(vec![1])]);
    sys.answer("signal_read", [Ok(TERM)]);
    run(app, sys.clone(), Until::Stopped).expect("it is stopped");
    told.take()
}

#[test]
fn each_notice_becomes_a_line_with_its_moment_and_level_and_the_number_of_the_host() {
    let sys = Fake::new();
    host(app(), &sys, []);
    assert_eq!(
        sys.lines(LOGGED),
        [
            "kick_bell",
            "log_open x.log",
            "log_write h3 1970-01-01T00:00:00.000001Z INFO [100] the log of process 100 begins|",
            "log_write h3 1970-01-01T00:00:00.000001Z INFO [100] host started with 0 services|",
            "log_write h3 1970-01-01T00:00:00.000001Z INFO [100] stopping: TERM received|",
            "log_write h3 1970-01-01T00:00:00.000001Z INFO [100] host stopped|",
            "close h2",
            "close h3",
            "close h1",
        ]
    );
}

#[test]
fn what_comes_from_outside_stays_on_its_line() {
    let sys = Fake::new();
    let service = Hooks::new(&sys, "a").connect(|_, _| Err("two\nlines\u{1b}[1m".into()));
    host(app().service(service.hosted().retry_connect_errors()), &sys, []);
    let line = sys.lines(&["log_write"]).into_iter().find(|line| line.contains("WARN")).expect("a failure");
    assert!(
        line.ends_with(r"connect failed (try 1): two\nlines\u{1b}[1m; again in the next turn|"),
        "{line}"
    );
}

#[test]
fn the_outputs_are_opened_before_anything_is_begun_and_the_bell_rings_for_all_files() {
    let sys = Fake::new();
    let told = host(app().stdout("out").stderr("/dev/null"), &sys, [Report::Ready(vec![2])]);
    assert_eq!(
        sys.lines(&["log_open", "redirect", "kick_b", "kick_h"]),
        [
            "kick_bell",
            "log_open x.log",
            "log_open out",
            "log_open /dev/null",
            "redirect stdout out",
            "redirect stderr /dev/null",
            "kick_heard h2",
            "redirect stdout out",
            "redirect stderr /dev/null",
            "log_open x.log",
        ]
    );
    assert_eq!(told.iter().filter(|line| *line == "the log of process 100 begins").count(), 2);
}

#[test]
fn the_new_file_is_written_from_then_on_and_the_old_one_closed() {
    let sys = Fake::new();
    host(app(), &sys, [Report::Ready(vec![2])]);
    let lines = sys.lines(&["log_open", "log_write", "close"]);
    let at = lines.iter().rposition(|line| line == "log_open x.log").expect("it was opened anew");
    assert_eq!(lines[at + 1], "close h3");
    assert!(lines[at + 2].ends_with("the log of process 100 begins|"), "{lines:?}");
    assert!(
        lines[at + 2..].iter().filter(|l| l.contains("log_write")).all(|l| l.contains(" h4 ")),
        "{lines:?}"
    );
}

#[test]
fn a_file_that_cannot_be_opened_anew_is_kept_and_that_is_told() {
    let sys = Fake::new();
    sys.answer("log_open", [Ok(0), Ok(0), Err(Errno::ACCES)]);
    sys.answer("redirect", [Ok(0), Err(Errno::NOENT)]);
    let told = host(app().stdout("out"), &sys, [Report::Ready(vec![2])]);
    for words in [
        "the file of stdout cannot be opened anew: no such file or entry (ENOENT); the one before is kept",
        "the file of the log cannot be opened anew: permission denied (EACCES); the one before is kept",
    ] {
        assert!(told.iter().any(|line| line == words), "{told:?}");
    }
    let last = sys.lines(&["log_write"]).pop().expect("lines");
    assert!(last.starts_with("log_write h3 ") && last.ends_with("host stopped|"), "{last}");
}

#[test]
fn workers_are_handed_what_the_host_prints_on_and_one_that_cannot_be_is_told() {
    let cases: [(bool, Option<Errno>, &[&str], usize); 5] = [
        (false, None, &["hand_outputs h7 Ok(())"], 0),
        (false, Some(Errno::AGAIN), &["hand_outputs h7 Err(EAGAIN)"], 1),
        // It is about to be reaped; or it was born when there were no files.
        (false, Some(Errno::PIPE), &["hand_outputs h7 Err(EPIPE)"], 0),
        (false, Some(Errno::NOTCONN), &["hand_outputs h7 Err(ENOTCONN)"], 0),
        // What it prints is read by its host.
        (true, None, &[], 0),
    ];
    for (is_captured, fails, expected, notices) in cases {
        let sys = Fake::new();
        sys.answer("hand_outputs", fails.map(Err));
        let mut fleet = Fleet::new("f").workers(1).run(|_| Ok(()));
        if is_captured {
            fleet = fleet.capture_output();
        }
        let process = if is_captured { 11 } else { 7 };
        sys.ends([Ok(Some(ExitStatus::Code(0)))]);
        let reports = [Report::Ready(vec![2]), Report::Ready(vec![1]), Report::Ready(vec![process])];
        let told = host(app().stdout("out").fleet(fleet), &sys, reports);
        assert_eq!(sys.lines(&["hand_outputs"]), expected, "{fails:?}");
        let keeps = "fleet `f`: worker 0 (incarnation 1) keeps the files that it prints on: not possible now, try again (EAGAIN)";
        assert_eq!(told.iter().filter(|line| *line == keeps).count(), notices, "{told:?}");
    }
}

#[test]
fn a_full_disk_costs_lines_which_are_counted_and_told_once_there_is_room() {
    let sys = Fake::new();
    // The header, then two that fail, and from then on there is room.
    sys.answer("log_write", [Ok(99), Err(Errno::NOSPC), Err(Errno::NOSPC)]);
    let told = host(app(), &sys, []);
    let failed = "the log cannot be written: no space left (ENOSPC); lines are counted, and the host goes on";
    let lost = "2 lines of the log were lost";
    assert_eq!(
        told,
        [
            "the log of process 100 begins",
            failed,
            "host started with 0 services",
            "stopping: TERM received",
            lost,
            "host stopped"
        ]
    );
    let written: Vec<_> =
        sys.lines(&["log_write"]).iter().map(|line| line.split("] ").nth(1).unwrap().to_owned()).collect();
    assert_eq!(written, ["the log of process 100 begins|", "2 lines of the log were lost|", "host stopped|"]);
}

#[test]
fn a_line_that_was_cut_off_is_ended_before_the_next_one() {
    let sys = Fake::new();
    sys.answer("log_write", [Ok(99), Ok(10), Err(Errno::NOSPC)]);
    host(app(), &sys, []);
    let lines = sys.lines(&["log_write"]);
    assert_eq!(lines[1], "log_write h3 1970-01-01");
    assert!(
        lines[2].starts_with("log_write h3 |1970") && lines[2].ends_with("1 lines of the log were lost|")
    );
    assert!(lines[3].starts_with("log_write h3 1970"), "{lines:?}");
}

#[test]
fn one_that_takes_nothing_and_says_that_it_is_well_is_full() {
    let sys = Fake::new();
    sys.answer("log_write", [Ok(0), Err(Errno::INTR), Ok(99)]);
    let told = host(app(), &sys, []);
    assert_eq!(
        told[0],
        "the log cannot be written: no space left (ENOSPC); lines are counted, and the host goes on"
    );
    assert!(told.contains(&"1 lines of the log were lost".to_owned()), "{told:?}");
}

#[test]
fn a_file_that_cannot_be_opened_is_a_mistake_and_nothing_stays_open() {
    let sys = Fake::new();
    sys.answer("log_open", [Ok(0), Err(Errno::ACCES)]);
    let app = app().stdout("/not/mine/out").listen("web", "127.0.0.1:80").pid_file("x.pid");
    let Err(RunError::Config(error)) = run(app, sys.clone(), Until::Stopped) else { panic!("it runs") };
    assert_eq!(
        error.mistakes[0].to_string(),
        "stdout is `/not/mine/out`, but cannot be opened: permission denied (EACCES)"
    );
    assert_eq!(sys.lines(&["redirect"]), [""; 0]);
    let [opened, closed] = ["pid_file", "close"].map(|call| sys.lines(&[call]).len());
    assert_eq!((opened, closed), (1, 5), "{:?}", sys.record());
}

#[test]
fn what_goes_wrong_after_that_ends_the_start_in_order() {
    for (call, told) in [
        ("redirect", "the host cannot go on: opening of an output failed: "),
        (
            "kick_bell",
            "the application cannot start: 1 mistake\n  USR1 is `for files`, but cannot be heard of: ",
        ),
    ] {
        let sys = Fake::new();
        sys.fail(call, Errno::MFILE);
        let error = run(app().stdout("out"), sys.clone(), Until::Stopped).unwrap_err();
        assert_eq!(error.to_string(), format!("{told}{}", Errno::MFILE), "{call}");
        assert_eq!(sys.lines(&["kick_disarm"]).len(), 1, "{call}");
        assert_eq!(sys.registered(), [0; 0], "{call}");
    }
}

#[test]
fn what_is_no_path_is_a_mistake() {
    let app = App::new("test").log("").stdout("a\0b").stderr("");
    assert_eq!(app.check().unwrap_err().mistakes.len(), 3);
}

#[test]
fn a_daemon_has_one_file_of_its_own_for_what_has_no_path() {
    let sys = Fake::new();
    host(App::new("a/b").seed(1).daemonize().stderr("err"), &sys, []);
    assert_eq!(
        sys.lines(&["log_open", "redirect"]),
        [
            "log_open a-b.log",
            "log_open a-b.log",
            "log_open err",
            "redirect stdout a-b.log",
            "redirect stderr err"
        ]
    );
}

#[test]
fn a_host_without_files_has_no_bell() {
    let sys = Fake::new();
    host(App::new("test").seed(1), &sys, []);
    assert_eq!(sys.lines(&["log_", "redirect", "kick_b"]), [""; 0]);
}
