//! What workers print: the pipes that they are born with, and how the host reads them.

use crate::fake::*;
use host_core::app::App;
use host_core::driver::{Until, run};
use host_core::fleet::config::Restart;
use host_core::sys::{Errno, ExitStatus, StdStream};
use host_core::{Fleet, Result, Worker};

/// The handles, in the order in which they are opened: the signals, both ends of each pipe, both ends of the
/// channel, the process.
const SIGNALS: u64 = 1;
const STDOUT: u64 = 2;
const STDERR: u64 = 4;
const PROCESS: u64 = 8;

fn idle(_: &mut Worker) -> Result {
    Ok(())
}

/// One worker, and no successor.
fn app(fleet: Fleet) -> App {
    App::new("test").seed(1).fleet(fleet.workers(1).restart(Restart::Never).run(idle))
}

fn ended() -> core::result::Result<Option<ExitStatus>, Errno> {
    Ok(Some(ExitStatus::Code(0)))
}

fn told(sys: &Fake) -> Vec<String> {
    let lines = sys.lines(&["tell"]).into_iter();
    lines.filter_map(|line| Some(line.split_once("(gen 1, pid 101) ")?.1.to_owned())).collect()
}

const CALLS: &[&str] =
    &["pipe", "channel", "fork", "poll_add", "poll_delete", "reap", "signal h", "read", "close"];

#[test]
fn a_worker_is_born_with_two_pipes_and_what_is_left_in_them_is_read_before_its_death_is_told() {
    let sys = Fake::new();
    sys.report([Report::Ready(vec![STDERR]), Report::Ready(vec![PROCESS])]);
    sys.says(STDERR, [Ok(b"oops\nand".to_vec())]);
    sys.says(STDOUT, [Ok(b"last words".to_vec())]);
    sys.ends([ended()]);
    run(app(Fleet::new("f").capture_output()), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(
        sys.lines(CALLS),
        [
            "poll_add h1 r",
            "pipe h2 h3",
            "pipe h4 h5",
            "channel h6 h7",
            "fork `f: worker 0 (gen 1)` keep h7 slot 0.0.1 output h3 h5",
            "close h7",
            "poll_add h8 r",
            "poll_add h6 r",
            // The last one to hold it ends a pipe.
            "close h3",
            "close h5",
            "poll_add h2 r",
            "poll_add h4 r",
            "pipe_read h4 Ok(8)",
            "reap h8",
            "read h6 Err(EAGAIN)",
            // To the end of what is there, and not until everybody has closed it.
            "pipe_read h2 Ok(10)",
            "pipe_read h2 Err(EAGAIN)",
            "poll_delete h2",
            "close h2",
            "pipe_read h4 Err(EAGAIN)",
            "poll_delete h4",
            "close h4",
            "poll_delete h8",
            "close h8",
            "poll_delete h6",
            "close h6",
            "poll_delete h1",
            "close h1",
        ]
    );
    assert_eq!(told(&sys), ["stderr: oops", "stdout: last words [no newline]", "stderr: and [no newline]"]);
    let lines = sys.lines(&["tell"]);
    let death = lines.iter().position(|line| line.contains("ended with")).unwrap();
    assert!(
        lines[death..].iter().all(|line| !line.contains("stdout") && !line.contains("stderr")),
        "{lines:?}"
    );
    assert_eq!(sys.registered(), [0; 0]);
}

#[test]
fn a_birth_that_fails_leaves_no_pipe_open_and_fails_as_any_other() {
    let full = Err(Errno::MFILE);
    // With the process of the one that is born in the end.
    let rows: [(&str, &[_], &str, u64, &[&str]); 6] = [
        ("pipe", &[full], "pipe2 failed", 8, &["pipe EMFILE"]),
        ("pipe", &[Ok(0), full], "pipe2 failed", 10, &["pipe h2 h3", "pipe EMFILE", "close h2", "close h3"]),
        (
            "channel",
            &[full],
            "socketpair failed",
            12,
            &["pipe h2 h3", "pipe h4 h5", "channel EMFILE", "close h3", "close h5", "close h2", "close h4"],
        ),
        (
            "fork",
            &[full],
            "clone3 failed",
            14,
            &[
                "pipe h2 h3",
                "pipe h4 h5",
                "channel h6 h7",
                "fork `f: worker 0 (gen 1)` keep h7 slot 0.0.1 output h3 h5",
                "close h7",
                "close h6",
                "close h3",
                "close h5",
                "close h2",
                "close h4",
            ],
        ),
        (
            "poll_add",
            &[Ok(0), Ok(0), Ok(0), full],
            "epoll_ctl failed",
            15,
            &[
                "poll_add h2 r",
                "close h2",
                "close h4",
                "poll_delete h8",
                "poll_delete h6",
                "signal h8 KILL",
                "reap h8 waiting",
                "close h8",
                "close h6",
            ],
        ),
        (
            "poll_add",
            &[Ok(0), Ok(0), Ok(0), Ok(0), full],
            "epoll_ctl failed",
            15,
            &[
                "poll_add h4 r",
                "poll_delete h2",
                "close h2",
                "close h4",
                "poll_delete h8",
                "poll_delete h6",
                "signal h8 KILL",
                "reap h8 waiting",
                "close h8",
                "close h6",
            ],
        ),
    ];
    for (failing, answers, words, process, expected) in rows {
        let sys = Fake::new();
        sys.answer(failing, answers.iter().copied());
        sys.answer("signal_read", [Ok(15)]);
        if failing == "poll_add" {
            sys.ends([ended()]);
        }
        sys.ends([ended()]);
        // The rest after the failure, and then the stop.
        sys.report([Report::Nothing, Report::Ready(vec![SIGNALS]), Report::Ready(vec![process])]);
        run(app(Fleet::new("f").capture_output()), sys.clone(), Until::Stopped).unwrap();
        let lines = sys.lines(CALLS);
        let found = lines.windows(expected.len()).any(|window| window == expected);
        assert!(found, "{failing} {answers:?}: {lines:#?}");
        let failed = sys.lines(&["tell"]).into_iter().filter(|line| line.contains(words)).count();
        assert_eq!(failed, 1, "{failing}: {:?}", sys.lines(&["tell"]));
        assert_eq!(sys.registered(), [0; 0], "{failing}");
    }
}

#[test]
fn a_stream_that_its_worker_closes_is_read_no_more_and_the_other_one_goes_on() {
    let sys = Fake::new();
    let both = || Report::Ready(vec![STDOUT, STDERR]);
    sys.says(STDOUT, [Ok(b"bye".to_vec()), Ok(Vec::new())]);
    sys.says(STDERR, [Ok(b"one\n".to_vec()), Err(Errno::INTR), Ok(b"two\n".to_vec()), Err(Errno::IO)]);
    sys.report([both(), both(), Report::Ready(vec![STDERR]), Report::Ready(vec![PROCESS])]);
    sys.ends([ended()]);
    run(app(Fleet::new("f").capture_output()), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(told(&sys), ["stderr: one", "stdout: bye [no newline]", "stderr: two"]);
    assert_eq!(sys.lines(&["close h2", "close h4"]), ["close h2", "close h4"], "each of them once");
    assert_eq!(sys.registered(), [0; 0]);
}

#[test]
fn whoever_prints_too_much_rests_is_read_at_a_deadline_and_watched_again_when_its_second_is_over() {
    let sys = Fake::new();
    sys.says(STDOUT, [Ok(b"1\n2\n3\n4\n".to_vec()), Ok(b"5\n".to_vec())]);
    let rests = (0..100).map(|_| Report::Nothing);
    sys.report([Report::Ready(vec![STDOUT])].into_iter().chain(rests).chain([Report::Ready(vec![PROCESS])]));
    sys.ends([ended()]);
    run(app(Fleet::new("f").output_rate(2)), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(told(&sys), ["stdout: 1", "stdout: 2", "prints too much: 3 lines were left out"]);
    let lines = sys.lines(&["pipe_read", "poll_add h2", "poll_delete h2", "wait"]);
    let begins = [
        "poll_add h2 r",
        // The poll period of the application.
        "wait 5000",
        "pipe_read h2 Ok(8)",
        "poll_delete h2",
        "wait 10",
        "pipe_read h2 Ok(2)",
        "pipe_read h2 Err(EAGAIN)",
        "pipe_read h4 Err(EAGAIN)",
        "wait 10",
    ];
    assert_eq!(lines[..begins.len()], begins);
    let again = lines.iter().rposition(|line| line == "poll_add h2 r").unwrap();
    assert!(lines[..again].iter().filter(|line| *line == "wait 10").count() == 100, "{lines:?}");
    assert_eq!(sys.registered(), [0; 0]);
}

#[test]
fn a_worker_prints_all_of_it_however_often_it_is_interrupted() {
    let sys = Fake::new();
    let child = sys.bears(20);
    child.answer("print", [Ok(3), Err(Errno::INTR), Ok(100), Err(Errno::PIPE), Ok(0)]);
    sys.ends([ended()]);
    sys.report([Report::Ready(vec![4])]);
    let fleet = Fleet::new("f").workers(1).restart(Restart::Never).run(|worker: &mut Worker| {
        assert_eq!(worker.print(StdStream::Stdout, "hello\n"), Ok(()));
        assert_eq!(worker.print(StdStream::Stderr, "gone"), Err(Errno::PIPE));
        assert_eq!(worker.print(StdStream::Stderr, "gone"), Err(Errno::PIPE), "no bytes are taken");
        assert_eq!(worker.print(StdStream::Stderr, ""), Ok(()));
        Ok(())
    });
    run(App::new("test").seed(1).fleet(fleet), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(
        child.lines(&["print"]),
        ["print stdout \"hel\"", "print stdout \"lo\\n\"", "print stderr \"\""]
    );
    assert_eq!(sys.lines(&["body"]), ["body: exit status 0"]);
}

#[test]
fn whoever_has_rested_and_cannot_be_watched_rests_on() {
    let sys = Fake::new();
    // Those at its birth; then one of the two fails.
    sys.answer("poll_add", [Ok(0); 5].into_iter().chain([Ok(0), Err(Errno::NOMEM)]));
    sys.says(STDOUT, [Ok(b"1\n2\n".to_vec())]);
    let rests = (0..103).map(|_| Report::Nothing);
    sys.report([Report::Ready(vec![STDOUT])].into_iter().chain(rests).chain([Report::Ready(vec![PROCESS])]));
    sys.ends([ended()]);
    run(app(Fleet::new("f").output_rate(1)), sys.clone(), Until::Stopped).unwrap();
    let watched = ["poll_add h2", "poll_add h4", "poll_delete h2", "poll_delete h4"];
    assert_eq!(
        sys.lines(&watched)[2..10],
        [
            "poll_delete h2",
            "poll_delete h4",
            "poll_add h2 r",
            "poll_add h4 r",
            "poll_delete h2",
            "poll_delete h4",
            "poll_add h2 r",
            "poll_add h4 r",
        ]
    );
    assert_eq!(sys.registered(), [0; 0]);
}
