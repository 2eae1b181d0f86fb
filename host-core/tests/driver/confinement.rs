//! What workers give up: looked up once by the host, done first by the worker.

use crate::fake::*;
use crate::worker_rig::*;
use host_core::app::App;
use host_core::driver::{Until, run};
use host_core::error::RunError;
use host_core::sys::{ConfineError, Errno, Limit, Step};
use host_core::{Fleet, Result, Worker};
use std::rc::Rc;

fn idle(_: &mut Worker) -> Result {
    Ok(())
}

/// What a host of this fleet finds wrong at its start.
fn mistakes(fleet: impl FnOnce(Fleet) -> Fleet, sys: &Rc<Fake>) -> Vec<String> {
    let app = App::new("test").seed(1).listen("web", "127.0.0.1:80").fleet(fleet(Fleet::new("f").run(idle)));
    let Err(RunError::Config(error)) = run(app, sys.clone(), Until::Stopped) else { panic!("it runs") };
    assert!(sys.lines(&["fork"]).is_empty());
    assert_eq!(sys.registered(), [0; 0]);
    error.mistakes.iter().map(ToString::to_string).collect()
}

#[test]
fn a_worker_confines_itself_before_its_body_as_its_host_has_looked_up() {
    let sys = Fake::new();
    let child = sys.bears(QUIT);
    let settings = |fleet: Fleet| {
        fleet
            .user("www")
            .umask(0o27)
            .working_directory("/w")
            .chroot("/r")
            .limit(Limit::OpenFiles, 64)
            .nice(5)
            .no_new_privs()
            .run(idle)
    };
    host(settings, &sys);
    assert_eq!(sys.lines(&["user", "group"]), ["user `www` None"]);
    let expected = "Confinement { limits: [(OpenFiles, 64)], nice: Some(5), groups: Some([1000, 44]), chroot: Some(\"/r\"), working_directory: Some(\"/w\"), group: Some(1000), user: Some(1000), umask: Some(23), no_new_privs: true }";
    assert_eq!(child.record()[0], format!("confine {expected}"));
    assert_eq!(sys.lines(&["foresee"]), [format!("foresee {expected}")]);
}

#[test]
fn a_fleet_that_says_nothing_of_it_costs_no_call() {
    let sys = Fake::new();
    let child = sys.bears(QUIT);
    host(|fleet| fleet.run(idle), &sys);
    assert!(child.lines(&["confine"]).is_empty());
    assert!(sys.lines(&["user", "group", "foresee"]).is_empty());
}

#[test]
fn groups_are_the_users_unless_others_are_said() {
    let group = |fleet: Fleet| fleet.group("adm");
    let both = |fleet: Fleet| fleet.user("www").group("adm");
    let none = |fleet: Fleet| fleet.user("www").supplementary_groups([0; 0]);
    let others = |fleet: Fleet| fleet.supplementary_groups(["adm", "9"]);
    type Settings = fn(Fleet) -> Fleet;
    let rows: [(Settings, &str); 4] = [
        (group, "groups: None, chroot: None, working_directory: None, group: Some(7), user: None"),
        (
            both,
            "groups: Some([7, 44]), chroot: None, working_directory: None, group: Some(7), user: Some(1000)",
        ),
        (
            none,
            "groups: Some([]), chroot: None, working_directory: None, group: Some(1000), user: Some(1000)",
        ),
        (others, "groups: Some([7, 9]), chroot: None, working_directory: None, group: None, user: None"),
    ];
    for (settings, expected) in rows {
        let sys = Fake::new();
        let child = sys.bears(QUIT);
        host(|fleet| settings(fleet).run(idle), &sys);
        assert!(child.record()[0].contains(expected), "{:?}", child.record()[0]);
    }
}

#[test]
fn a_number_that_is_in_no_database_needs_a_group() {
    let sys = Fake::new();
    sys.fail("user", Errno::NOENT);
    let told = mistakes(|fleet| fleet.user(4242), &sys);
    assert_eq!(
        told,
        ["user of fleet `f` is 4242, but must be in the database of users, or have a group of its own given"]
    );
    let sys = Fake::new();
    let child = sys.bears(QUIT);
    sys.fail("user", Errno::NOENT);
    host(|fleet| fleet.user(4242).group(4243).run(idle), &sys);
    let expected =
        "groups: Some([4243]), chroot: None, working_directory: None, group: Some(4243), user: Some(4242)";
    assert!(child.record()[0].contains(expected), "{:?}", child.record()[0]);
}

#[test]
fn a_worker_that_fails_in_it_runs_nothing_and_says_so() {
    let record = work(
        |fleet| fleet.user("www"),
        |sys| sys.fail("confine", Errno::PERM),
        |_| panic!("user code runs in a worker that is not confined"),
    );
    assert_eq!(record.len(), 3, "{record:?}");
    assert!(record[0].starts_with("confine"));
    // 6 is what it is, 5 setuid, 1 EPERM.
    assert_eq!(record[1..], ["say h5 [6, 5, 1, 0, 0, 0] Ok(6)", "body: exit status 77"]);
}

#[test]
fn every_name_that_there_is_not_is_listed_with_all_other_mistakes() {
    let sys = Fake::new();
    sys.fail("user", Errno::NOENT);
    sys.answer("group", [Err(Errno::NOENT), Err(Errno::IO)]);
    let told = mistakes(|fleet| fleet.user("wwww").group("admm").supplementary_groups(["audio"]), &sys);
    assert_eq!(
        told,
        [
            "group of fleet `f` is `admm`, but must be a group of this machine: there is none of that name",
            "user of fleet `f` is `wwww`, but must be a user of this machine: there is none of that name",
            "supplementary_groups of fleet `f` is `audio`, but cannot be looked up: input/output error (EIO)",
        ]
    );
    assert!(sys.lines(&["foresee"]).is_empty(), "of what is not known nothing can be foreseen");
}

#[test]
fn what_each_worker_would_fail_in_is_a_mistake() {
    let sys = Fake::new();
    let error = |step, errno| ConfineError { step, errno };
    sys.foresees([
        error(Step::Chroot, Errno::PERM),
        error(Step::WorkingDirectory, Errno::NOENT),
        error(Step::User, Errno::PERM),
        // That of the user, and so no mistake of its own.
        error(Step::Group, Errno::PERM),
    ]);
    let told = mistakes(|fleet| fleet.user("www").chroot("/r").working_directory("/nowhere"), &sys);
    assert_eq!(
        told,
        [
            "chroot of fleet `f` is `/r`, but needs a host that may do that: run it as root, or take it out (chroot failed: operation not permitted (EPERM))",
            "working_directory of fleet `f` is `/nowhere`, but cannot be had: chdir failed: no such file or entry (ENOENT)",
            "user of fleet `f` is `www`, but needs a host that may do that: run it as root, or take it out (setuid failed: operation not permitted (EPERM))",
        ]
    );
}

#[test]
fn numbers_out_of_range_are_mistakes_and_nothing_is_looked_up_then() {
    let sys = Fake::new();
    let told = mistakes(|fleet| fleet.user("www").nice(20).umask(0o1000).limit(Limit::OpenFiles, 1), &sys);
    assert_eq!(
        told,
        [
            "umask of fleet `f` is 0o1000, but must be at most 0o777",
            "limit of fleet `f` is 1 for RLIMIT_NOFILE, but must be at least 16, or no worker could begin",
            "nice of fleet `f` is 20, but must be -20 to 19",
        ]
    );
    assert!(sys.lines(&["user"]).is_empty());
}
