//! When a pid file is taken and left, and what befalls a host that cannot have it.

use crate::fake::*;
use host_core::app::App;
use host_core::driver::{Until, run};
use host_core::error::RunError;
use host_core::sys::{Errno, Pid, PidFileError};

#[test]
fn it_is_taken_before_anything_is_bound_and_left_after_all_else() {
    let sys = Fake::new();
    let app = App::new("test").seed(1).pid_file("/run/x.pid").listen("web", "127.0.0.1:80");
    run(app, sys.clone(), Until::Turns(1)).unwrap();
    let calls = sys.lines(&["pid_file", "listen", "close"]);
    assert_eq!(calls, ["pid_file /run/x.pid", "listen h2 1024", "close h2", "close h1"]);
}

#[test]
fn one_that_cannot_be_had_is_told_with_what_to_do_and_nothing_is_left() {
    let sys = Fake::new();
    sys.fail("pid_file", Errno::ACCES);
    let app = App::new("test").seed(1).pid_file("/run/x.pid").listen("web", "127.0.0.1:80");
    let Err(RunError::Config(error)) = run(app, sys.clone(), Until::Turns(1)) else { panic!("it runs") };
    let told = "pid_file is `/run/x.pid`, but cannot be made: open failed: permission denied (EACCES)";
    assert_eq!(error.mistakes.iter().map(ToString::to_string).collect::<Vec<_>>(), [told]);
    let calls = sys.lines(&["pid_file", "listen", "close"]);
    assert_eq!(calls, ["pid_file /run/x.pid", "listen h1 1024", "close h1"]);
}

#[test]
fn a_start_that_fails_for_another_reason_leaves_it() {
    let sys = Fake::new();
    sys.fail("listen", Errno::ADDRINUSE);
    let app = App::new("test").seed(1).pid_file("/run/x.pid").listen("web", "127.0.0.1:80");
    assert!(matches!(run(app, sys.clone(), Until::Turns(1)), Err(RunError::Config(_))));
    assert_eq!(sys.lines(&["pid_file", "close"]), ["pid_file /run/x.pid", "close h1"]);
}

#[test]
fn one_that_is_taken_names_who_has_it() {
    let taken = |by| PidFileError::Taken { by }.to_string();
    assert_eq!(taken(Some(Pid(7))), "process 7 runs and has it: stop that one, or take another path");
    assert_eq!(taken(None), "a process that runs has it: stop that one, or take another path");
}

#[test]
fn what_is_no_path_is_a_mistake_and_touches_nothing() {
    for path in ["", "a\0b"] {
        let sys = Fake::new();
        let app = App::new("test").pid_file(path).service(Hooks::new(&sys, "a").hosted());
        assert_eq!(app.check().unwrap_err().mistakes.len(), 1);
        assert!(matches!(run(app, sys.clone(), Until::Turns(1)), Err(RunError::Config(_))));
        assert!(sys.lines(&["pid_file"]).is_empty());
    }
}
