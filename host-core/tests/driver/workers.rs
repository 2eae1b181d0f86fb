//! The host's side of its workers: forking and watching them, hearing them, and what is closed in the end.

use crate::fake::*;
use host_core::app::App;
use host_core::driver::{Until, run};
use host_core::error::RunError;
use host_core::fleet::beat::{Beat, Pace};
use host_core::fleet::config::{OnExhausted, Restart};
use host_core::sys::{ChildNews, Errno, ExitStatus, Pid, Signal};
use host_core::time::{Duration, Instant};
use host_core::{Fleet, Result, Worker};
use std::rc::Rc;

const MS: Duration = Duration::from_millis(1);
/// The handles, in the order in which they are opened: the signals, then of each worker both ends of its channel
/// and its process.
const SIGNALS: u64 = 1;
const OURS: u64 = 2;
const PROCESS: u64 = 4;

fn idle(_: &mut Worker) -> Result {
    Ok(())
}

/// One worker, and no successor.
fn fleet() -> Fleet {
    Fleet::new("f").workers(1).restart(Restart::Never).run(idle)
}

fn app(fleet: Fleet) -> App {
    App::new("test").seed(1).fleet(fleet)
}

fn ended(code: u8) -> core::result::Result<Option<ExitStatus>, Errno> {
    Ok(Some(ExitStatus::Code(code)))
}

/// What is done with children and handles.
const CALLS: &[&str] = &[
    "slots",
    "channel",
    "claim",
    "fork",
    "poll_add",
    "poll_delete",
    "reap",
    "signal h",
    "read",
    "say",
    "close",
];

fn told(sys: &Fake, words: &str) -> Vec<String> {
    sys.lines(&["tell"]).into_iter().filter(|line| line.contains(words)).collect()
}

#[test]
fn s23_a_worker_is_forked_watched_reaped_and_nothing_of_it_stays_open() {
    let sys = Fake::new();
    sys.report([Report::Ready(vec![PROCESS])]);
    sys.ends([ended(0)]);
    run(app(fleet()), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(
        sys.lines(CALLS),
        [
            "poll_add h1 r",
            // Twice the most that can be wanted, and one on top.
            "slots 129",
            "channel h2 h3",
            "claim 0.0.1",
            "fork `f: worker 0 (gen 1)` keep h3 slot 0.0.1",
            "close h3",
            "poll_add h4 r",
            "poll_add h2 r",
            "reap h4",
            "read h2 Err(EAGAIN)",
            // Out of the poller first: a sibling may hold the description.
            "poll_delete h4",
            "close h4",
            "poll_delete h2",
            "close h2",
            "poll_delete h1",
            "close h1",
        ]
    );
    assert_eq!(sys.registered(), [0; 0]);
}

#[test]
fn listeners_are_kept_by_workers_and_pages_are_the_fleets_own() {
    let sys = Fake::new();
    sys.answer("slots", [Ok(7), Ok(8)]);
    sys.report([Report::Ready(vec![6]), Report::Ready(vec![9])]);
    sys.ends([ended(0), ended(0)]);
    let second = Fleet::new("g").workers(1).workers_max(3).surge_max(2).restart(Restart::Never).run(idle);
    let app = App::new("test")
        .seed(1)
        .listen("web", "127.0.0.1:80")
        .listen("jobs", "127.0.0.1:81")
        .fleet(fleet())
        .fleet(second);
    run(app, sys.clone(), Until::Stopped).unwrap();
    assert_eq!(
        sys.lines(&["slots", "fork"]),
        [
            "slots 129",
            "slots 8",
            "fork `f: worker 0 (gen 1)` keep h2 h3 h5 slot 7.0.1",
            "fork `g: worker 0 (gen 1)` keep h2 h3 h8 slot 8.0.1",
        ]
    );
}

#[test]
fn there_are_as_many_workers_as_processors_if_nothing_else_is_said() {
    let sys = Fake::new();
    sys.answer("processors", [Ok(3)]);
    sys.answer("signal_read", [Ok(15)]);
    sys.report([Report::Ready(vec![SIGNALS]), Report::Ready(vec![4, 7, 10])]);
    sys.ends([ended(0), ended(0), ended(0)]);
    run(app(Fleet::new("f").run(idle)), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(sys.lines(&["fork"]).len(), 3);
    assert_eq!(sys.lines(&["signal h"]), ["signal h4 TERM", "signal h7 TERM", "signal h10 TERM"]);
    assert_eq!(sys.registered(), [0; 0]);
}

#[test]
fn s19_a_birth_that_fails_half_way_leaves_nothing_open_and_is_tried_again() {
    let again = ["channel h4 h5", "claim 0.0.2", "fork `f: worker 0 (gen 1)` keep h5 slot 0.0.2"];
    let rows: [(&str, &[_], &str, &[&str]); 4] = [
        ("channel", &[Err(Errno::MFILE)], "socketpair failed", &["channel EMFILE"]),
        (
            "fork",
            &[Err(Errno::AGAIN)],
            "clone3 failed",
            &[
                "channel h2 h3",
                "claim 0.0.1",
                "fork `f: worker 0 (gen 1)` keep h3 slot 0.0.1",
                "close h3",
                "close h2",
            ],
        ),
        (
            "poll_add",
            &[Ok(0), Err(Errno::NOSPC)],
            "epoll_ctl failed",
            &[
                "channel h2 h3",
                "claim 0.0.1",
                "fork `f: worker 0 (gen 1)` keep h3 slot 0.0.1",
                "close h3",
                "poll_add h4 r",
                // Nobody would hear of its death.
                "signal h4 KILL",
                "reap h4 waiting",
                "close h4",
                "close h2",
            ],
        ),
        (
            "poll_add",
            &[Ok(0), Ok(0), Err(Errno::NOSPC)],
            "epoll_ctl failed",
            &[
                "channel h2 h3",
                "claim 0.0.1",
                "fork `f: worker 0 (gen 1)` keep h3 slot 0.0.1",
                "close h3",
                "poll_add h4 r",
                "poll_add h2 r",
                "poll_delete h4",
                "signal h4 KILL",
                "reap h4 waiting",
                "close h4",
                "close h2",
            ],
        ),
    ];
    for (failing, answers, words, expected) in rows {
        let sys = Fake::new();
        sys.answer(failing, answers.iter().copied());
        sys.answer("signal_read", [Ok(15)]);
        // The rest after the failure, and then the stop.
        let (channel, process) = match expected.len() {
            1 => (2, 4),
            5 => (4, 6),
            _ => (5, 7),
        };
        sys.report([Report::Nothing, Report::Ready(vec![SIGNALS]), Report::Ready(vec![process])]);
        if expected.len() > 5 {
            sys.ends([Ok(Some(ExitStatus::by(Signal::Kill)))]);
        }
        sys.ends([ended(0)]);
        run(app(fleet()), sys.clone(), Until::Stopped).unwrap();
        let lines = sys.lines(CALLS);
        assert_eq!(lines[2..2 + expected.len()], *expected, "{failing}");
        let next = &lines[2 + expected.len()..];
        assert!(next[0].starts_with(&format!("channel h{channel}")), "{failing}: {next:?}");
        assert_eq!(next[1], again[1], "{failing}");
        assert_eq!(told(&sys, words).len(), 1, "{failing}: {:?}", sys.lines(&["tell"]));
        assert_eq!(sys.registered(), [0; 0], "{failing}");
    }
}

#[test]
fn a_handle_that_is_readable_too_early_is_no_death() {
    let sys = Fake::new();
    sys.report([Report::Ready(vec![PROCESS]), Report::Ready(vec![PROCESS]), Report::Ready(vec![PROCESS])]);
    sys.ends([Ok(None), Err(Errno::INTR), ended(0)]);
    run(app(fleet()), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(sys.lines(&["reap"]), ["reap h4", "reap h4", "reap h4"]);
    assert_eq!(told(&sys, "ended with").len(), 1);
}

#[test]
fn s14_a_child_that_somebody_else_has_reaped_is_gone_and_replaced() {
    let sys = Fake::new();
    sys.report([Report::Ready(vec![PROCESS])]);
    sys.ends([Err(Errno::CHILD)]);
    sys.answer("signal_read", [Ok(15)]);
    sys.report([Report::Ready(vec![SIGNALS]), Report::Ready(vec![7])]);
    sys.ends([ended(0)]);
    run(app(fleet().restart(Restart::Permanent)), sys.clone(), Until::Stopped).unwrap();
    let died = told(&sys, "unknown status: somebody else reaped it");
    assert_eq!(died.len(), 1, "{:?}", sys.lines(&["tell"]));
    assert_eq!(sys.lines(&["fork"]).len(), 2, "it is replaced");
    assert_eq!(sys.registered(), [0; 0]);
}

#[test]
fn a_child_that_cannot_be_waited_for_ends_the_host_and_all_others() {
    let sys = Fake::new();
    sys.report([Report::Ready(vec![PROCESS])]);
    sys.ends([Err(Errno::BADF), Err(Errno::CHILD)]);
    let result = run(app(fleet().workers(2)), sys.clone(), Until::Stopped);
    assert!(matches!(result, Err(RunError::System { call: "waitid", errno: Errno::BADF })), "{result:?}");
    assert_eq!(
        sys.lines(&["reap", "signal h"]),
        ["reap h4", "signal h4 KILL", "reap h4 waiting", "signal h7 KILL", "reap h7 waiting"]
    );
    assert_eq!(sys.registered(), [0; 0]);
}

#[test]
fn a_loop_that_cannot_go_on_leaves_nobody_behind() {
    let sys = Fake::new();
    sys.report([Report::Fails(Errno::BADF)]);
    let result = run(app(fleet()), sys.clone(), Until::Stopped);
    assert!(matches!(result, Err(RunError::System { call: "epoll_wait", errno: Errno::BADF })), "{result:?}");
    assert_eq!(
        sys.lines(CALLS)[8..],
        [
            "signal h4 KILL",
            "reap h4 waiting",
            "poll_delete h4",
            "close h4",
            "poll_delete h2",
            "close h2",
            "poll_delete h1",
            "close h1",
        ]
    );
}

#[test]
fn what_a_worker_said_is_heard_in_order_and_to_the_end_before_its_death() {
    let sys = Fake::new();
    sys.witnesses.set(true);
    sys.says(OURS, [Ok(vec![1]), Err(Errno::AGAIN)]);
    // Its last words, behind an error that is not the end.
    sys.says(OURS, [Err(Errno::CONNRESET), Ok(vec![3]), Err(Errno::INTR), Ok(vec![9]), Ok(vec![])]);
    sys.report([Report::Ready(vec![OURS]), Report::Ready(vec![PROCESS])]);
    sys.ends([ended(0)]);
    run(app(fleet()), sys.clone(), Until::Stopped).unwrap();
    let heard: Vec<_> = sys
        .lines(&["fact"])
        .iter()
        .filter_map(|line| {
            let words = ["Ok(Ready)", "Ok(Extended)", "Err(Garbled", "WorkerExited"];
            words.into_iter().find(|word| line.contains(word))
        })
        .collect();
    assert_eq!(heard, ["Ok(Ready)", "Ok(Extended)", "Err(Garbled", "WorkerExited"]);
    // The end of the channel took it out of the poller, once.
    assert_eq!(sys.lines(&["poll_delete h2"]), ["poll_delete h2"]);
}

#[test]
fn the_end_of_a_channel_is_no_death_and_is_not_reported_again() {
    let sys = Fake::new();
    sys.says(OURS, [Ok(vec![])]);
    sys.report([Report::Ready(vec![OURS]), Report::Nothing, Report::Ready(vec![PROCESS])]);
    sys.ends([ended(0)]);
    run(app(fleet()), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(
        sys.lines(CALLS)[8..14],
        ["read h2 Ok([])", "poll_delete h2", "reap h4", "poll_delete h4", "close h4", "close h2"]
    );
}

#[test]
fn a_message_that_is_none_is_told() {
    let sys = Fake::new();
    sys.says(OURS, [Ok(vec![9, 9]), Ok(vec![0; 16])]);
    sys.report([Report::Ready(vec![OURS]), Report::Ready(vec![PROCESS])]);
    sys.ends([ended(0)]);
    run(app(fleet()), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(
        told(&sys, "sent no message"),
        [
            "tell fleet `f`: worker 0 (incarnation 1) sent no message: 2 bytes that begin with 9 are no message",
            "tell fleet `f`: worker 0 (incarnation 1) sent no message: 16 bytes that begin with 0 are no message",
        ]
    );
}

#[test]
fn why_a_body_has_failed_is_told_by_the_host_and_aloud_where_nobody_listens() {
    for listens in [false, true] {
        let sys = Fake::new();
        sys.says(OURS, [Ok(b"\x07no database".to_vec()), Ok(b"\x07two\nlines".to_vec())]);
        sys.report([Report::Ready(vec![OURS]), Report::Ready(vec![PROCESS])]);
        sys.ends([ended(70)]);
        let mut app = app(fleet());
        if listens {
            app = app.on_notice(|_| {});
        }
        run(app, sys.clone(), Until::Stopped).unwrap();
        let failed = "fleet `f`: worker 0 (incarnation 1) failed: no database";
        let aloud = format!("tell aloud {failed}");
        let expected = [format!("tell {failed}")].into_iter().chain((!listens).then_some(aloud));
        assert_eq!(told(&sys, "failed"), expected.collect::<Vec<_>>());
        // A line that a terminal would take for two is none.
        assert_eq!(told(&sys, "sent no message: 10 bytes that begin with 7 are no message").len(), 1);
    }
}

#[test]
fn a_worker_that_floods_its_channel_keeps_nobody_waiting() {
    let sys = Fake::new();
    sys.says(OURS, (0..40).map(|_| Ok(vec![1])));
    sys.report([Report::Ready(vec![OURS]), Report::Ready(vec![PROCESS])]);
    sys.ends([ended(0)]);
    run(app(fleet()), sys.clone(), Until::Stopped).unwrap();
    let lines = sys.lines(&["read", "reap", "wait"]);
    let reap = lines.iter().position(|line| line.starts_with("reap")).expect("it is reaped");
    let reads = |lines: &[String]| lines.iter().filter(|line| line.starts_with("read")).count();
    // So many in one wake, and all that is left when it has died.
    assert_eq!((reads(&lines[..reap]), reads(&lines[reap..])), (16, 25));
}

#[test]
fn s10_reports_of_a_worker_that_is_gone_are_nobodys() {
    let sys = Fake::new();
    sys.report([
        // Both of its handles, in one wake, and once more its process.
        Report::Ready(vec![PROCESS, OURS, PROCESS]),
        Report::Key(u64::MAX - 1),
        Report::Key(u64::MAX - 2),
    ]);
    sys.ends([ended(1)]);
    sys.answer("signal_read", [Ok(15)]);
    sys.report([Report::Ready(vec![SIGNALS]), Report::Ready(vec![7])]);
    sys.ends([ended(0)]);
    run(app(fleet().restart(Restart::Permanent)), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(sys.lines(&["reap"]), ["reap h4", "reap h7"]);
    assert_eq!(sys.lines(&["signal h"]), ["signal h7 TERM"]);
}

#[test]
fn a_signal_that_cannot_be_sent_is_told_and_the_ladder_goes_on() {
    let sys = Fake::new();
    sys.answer("signal_read", [Ok(15)]);
    sys.fail("signal_child", Errno::ACCES);
    sys.report([Report::Ready(vec![SIGNALS]), Report::Nothing, Report::Ready(vec![PROCESS])]);
    sys.ends([Ok(Some(ExitStatus::by(Signal::Kill)))]);
    run(app(fleet()), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(sys.lines(&["signal h"]), ["signal h4 TERM", "signal h4 KILL"]);
    assert_eq!(told(&sys, "cannot be sent TERM").len(), 1);
}

#[test]
fn beats_are_read_by_incarnation_and_a_worker_that_hangs_is_killed() {
    let sys = Fake::new();
    sys.says(OURS, [Ok(vec![1])]);
    sys.says(5, [Ok(vec![1])]);
    sys.beats_in(0, Beat { at: Instant::ZERO, pace: Pace::Busy });
    sys.beats_in(1, Beat { at: Instant::ZERO, pace: Pace::Waiting });
    sys.report([Report::Ready(vec![OURS, 5]), Report::Nothing, Report::Ready(vec![PROCESS])]);
    sys.ends([Ok(Some(ExitStatus::by(Signal::Kill)))]);
    sys.answer("signal_read", [Ok(15)]);
    sys.report([Report::Ready(vec![SIGNALS]), Report::Ready(vec![7, 10])]);
    sys.ends([ended(0), ended(0)]);
    let fleet = fleet().workers(2).heartbeat_timeout(100 * MS).restart(Restart::Permanent);
    run(app(fleet), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(
        sys.lines(&["slot_read", "signal h4"]),
        ["slot_read 0.0.1", "slot_read 0.1.1", "signal h4 KILL"]
    );
    assert_eq!(told(&sys, "has been silent for 100 ms").len(), 1);
}

#[test]
fn the_siblings_of_a_dead_worker_are_told_to_look_and_a_full_channel_harms_nobody() {
    let sys = Fake::new();
    sys.says(OURS, [Ok(vec![1])]);
    sys.says(5, [Ok(vec![1])]);
    sys.answer("write", [Err(Errno::INTR), Err(Errno::AGAIN)]);
    sys.report([Report::Ready(vec![OURS, 5]), Report::Ready(vec![PROCESS]), Report::Ready(vec![7])]);
    sys.ends([ended(0), ended(0)]);
    run(app(fleet().workers(2)), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(sys.lines(&["say"]), ["say h5 [1] Err(EINTR)", "say h5 [1] Err(EAGAIN)"]);
}

#[test]
fn news_of_children_is_read_until_there_is_none() {
    for (own, words) in [(100, ""), (1, " and strangers")] {
        let sys = Fake::new();
        sys.answer("pid", [Ok(own)]);
        sys.answer("signal_read", [Ok(17)]);
        sys.news([
            ChildNews::Stopped(Pid(101)),
            ChildNews::StrangerReaped(Pid(7)),
            ChildNews::Continued(Pid(101)),
        ]);
        sys.report([Report::Ready(vec![SIGNALS]), Report::Ready(vec![PROCESS])]);
        sys.ends([ended(0)]);
        run(app(fleet()), sys.clone(), Until::Stopped).unwrap();
        let news = sys.lines(&["child_news"]);
        // Process 1 asks when it begins, too: who had ended by then sends no CHLD any more.
        assert_eq!(news.len(), if own == 1 { 5 } else { 4 });
        // As process 1 the strangers are everybody's who dies.
        assert!(news.iter().all(|line| line.starts_with(&format!("child_news{words} "))), "{news:?}");
        for words in ["was stopped", "was continued", "reaped pid 7"] {
            assert_eq!(told(&sys, words).len(), 1, "{words}");
        }
    }
    // It is so without workers, too, and such a host takes no other signal that means fleets.
    for (own, asked) in [(1, false), (100, true)] {
        let sys = Fake::new();
        sys.answer("pid", [Ok(own)]);
        sys.answer("signal_read", [Ok(17), Ok(15)]);
        sys.report([Report::Ready(vec![SIGNALS])]);
        let app = App::new("test").seed(1);
        run(if asked { app.reap_strangers() } else { app }, sys.clone(), Until::Stopped).unwrap();
        assert_eq!(sys.lines(&["signals ["]), ["signals [Int, Quit, Term, Chld]"]);
        assert_eq!(sys.lines(&["child_news"]), ["child_news and strangers None"; 2]);
    }
    // Or if the application says so.
    let sys = Fake::new();
    sys.answer("signal_read", [Ok(17)]);
    sys.report([Report::Ready(vec![SIGNALS]), Report::Ready(vec![PROCESS])]);
    sys.ends([ended(0)]);
    run(app(fleet()).reap_strangers(), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(sys.lines(&["child_news"]), ["child_news and strangers None"; 2]);
}

#[test]
fn a_host_with_fleets_takes_the_signals_that_mean_them() {
    let sys = Fake::new();
    sys.report([Report::Ready(vec![PROCESS])]);
    sys.ends([ended(0)]);
    run(app(fleet()), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(
        sys.lines(&["signals ["]),
        ["signals [Hup, Int, Quit, Usr2, Term, Chld, Cont, Ttin, Ttou, Winch]"]
    );
}

#[test]
fn a_process_with_threads_is_refused_before_anything_is_forked() {
    let sys = Fake::new();
    sys.answer("threads", [Ok(3)]);
    let result = run(app(fleet()), sys.clone(), Until::Stopped);
    let Err(RunError::Config(error)) = result else { panic!("{result:?}") };
    assert!(error.to_string().contains("this process is one of 3 threads"), "{error}");
    assert_eq!(sys.lines(CALLS), ["poll_add h1 r", "slots 129", "poll_delete h1", "close h1"]);
}

#[test]
fn a_host_that_cannot_look_at_its_process_or_make_its_pages_gives_everything_back() {
    for (failing, named) in [("threads", "reading /proc/self/task"), ("slots", "mmap")] {
        let sys = Fake::new();
        sys.fail(failing, Errno::NOMEM);
        let result = run(app(fleet()).listen("web", "127.0.0.1:80"), sys.clone(), Until::Stopped);
        let Err(RunError::System { call, errno }) = result else { panic!("{result:?}") };
        assert_eq!((call, errno), (named, Errno::NOMEM));
        assert_eq!(sys.lines(&["close", "kick_disarm"]), ["close h2", "close h1", "kick_disarm"]);
    }
}

#[test]
fn a_run_of_some_turns_has_no_fleets() {
    let sys = Fake::new();
    let result = run(app(fleet()), sys.clone(), Until::Turns(3));
    let Err(RunError::Config(error)) = result else { panic!("{result:?}") };
    assert!(error.to_string().contains("fleet `f` is in a run of 3 turns"), "{error}");
    assert_eq!(sys.lines(&["fork", "kick", "signals"]), [""; 0]);
}

#[test]
fn threads_that_were_started_later_end_the_host() {
    let sys = Fake::new();
    sys.answer("fork_threads", [Ok(4)]);
    let result = run(app(fleet()), sys.clone(), Until::Stopped);
    assert!(matches!(result, Err(RunError::Threads { count: 4 })), "{result:?}");
    assert_eq!(sys.registered(), [0; 0]);
}

#[test]
fn a_fleet_that_takes_its_host_along_says_who_died_last_and_why_if_that_is_known() {
    // The channel of whom says why its body has failed.
    for (channel, expected) in [(None, "ready"), (Some(OURS), "ready"), (Some(5), "ready: no database")] {
        let sys = Fake::new();
        if let Some(channel) = channel {
            sys.says(channel, [Ok(b"\x07no database".to_vec())]);
        }
        sys.report([Report::Ready(vec![PROCESS]), Report::Ready(vec![7])]);
        sys.ends([ended(1), ended(70)]);
        let fleet = fleet()
            .restart(Restart::Permanent)
            .restart_budget(1, Duration::from_secs(9))
            .on_exhausted(OnExhausted::StopHost);
        let result = run(app(fleet), sys.clone(), Until::Stopped);
        let Err(RunError::FleetGivenUp { fleet, last }) = result else { panic!("{result:?}") };
        assert_eq!(fleet, "f");
        assert!(last.starts_with("worker 0 (incarnation 2), pid 102, ended with exit status 70"), "{last}");
        assert!(last.ends_with(expected), "{channel:?}: {last}");
    }
}

#[test]
fn a_service_of_the_host_asks_about_its_fleets_and_for_more_workers() {
    let sys = Fake::new();
    let seen = Rc::clone(&sys);
    let asks = Hooks::new(&sys, "a").talks().prepare(move |_, cx| {
        let status = cx.fleet("f").expect("there is one");
        seen.note(format!("seen {} of {}", status.workers.len(), status.wanted));
        assert!(cx.fleet("g").is_none());
        assert!(!cx.resize("g", 3));
        assert!(!cx.restore("g"));
        assert!(cx.restore("f"));
        assert!(cx.resize("f", 2));
        assert_eq!((cx.worker(), cx.pid()), (None, Pid(100)));
        // It counts nothing outside a worker.
        cx.request_done();
        Ok(())
    });
    sys.answer("signal_read", [Ok(15)]);
    // The connection of the service is the second handle.
    sys.report([Report::Nothing, Report::Ready(vec![SIGNALS]), Report::Ready(vec![5, 8])]);
    sys.ends([ended(0), ended(0)]);
    run(app(fleet()).service(asks.hosted()), sys.clone(), Until::Stopped).unwrap();
    // Its first callback comes before the first fork.
    assert_eq!(sys.lines(&["seen"]), ["seen 0 of 1"]);
    assert_eq!(sys.lines(&["fork"]).len(), 2);
    assert_eq!(sys.lines(&["count"]), [""; 0]);
}

#[test]
fn the_memory_of_each_worker_is_read_where_there_is_a_bound_and_one_that_cannot_be_read_hides_no_other() {
    let sys = Fake::new();
    sys.says(OURS, [Ok(vec![1])]);
    sys.says(5, [Ok(vec![1])]);
    sys.report([Report::Ready(vec![OURS, 5]), Report::Nothing]);
    sys.answer("memory", [Err(Errno::MFILE), Ok(200)]);
    sys.answer("signal_read", [Ok(15)]);
    sys.report([Report::Ready(vec![SIGNALS]), Report::Ready(vec![PROCESS, 7, 10])]);
    sys.ends([ended(0), ended(0), ended(0)]);
    let fleet = fleet().workers(2).memory_max(100).memory_period(50 * MS).restart(Restart::Permanent);
    run(app(fleet), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(sys.lines(&["memory"]), ["memory h4 Rss Err(EMFILE)", "memory h7 Rss Ok(200)"]);
    assert_eq!(told(&sys, "its memory cannot be read").len(), 1);
    assert_eq!(told(&sys, "it is replaced").len(), 1);
    assert_eq!(sys.lines(&["fork"]).len(), 3);
}

#[test]
fn a_function_is_asked_how_many_are_wanted_after_a_look_and_its_panic_is_told() {
    let sys = Fake::new();
    sys.says(OURS, [Ok(vec![1])]);
    sys.report([Report::Ready(vec![OURS]), Report::Nothing, Report::Nothing]);
    sys.answer("signal_read", [Ok(15)]);
    sys.report([Report::Ready(vec![SIGNALS]), Report::Ready(vec![PROCESS, 7])]);
    sys.ends([ended(0), ended(0)]);
    let fleet = fleet().restart(Restart::Permanent).scale_by(50 * MS, |fleet| {
        assert!(fleet.workers.len() < 2, "two are too many for it");
        2
    });
    run(app(fleet), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(told(&sys, "2 workers are wanted and not 1: 1 idle, 0 busy").len(), 1);
    let failed = "fleet `f`: a function that decides about it failed: panicked: two are too many for it";
    assert_eq!(told(&sys, failed).len(), 1);
    assert_eq!(sys.lines(&["fork"]).len(), 2);
    // Each time it may hang, and is a sign of life like a callback.
    assert_eq!(sys.lines(&["beat deciding about fleet 0"]).len(), 2);
}

#[test]
fn a_function_is_asked_whether_one_that_ended_gets_a_successor_and_without_an_answer_the_settings_say_so() {
    for (panics, forks) in [(false, 2), (true, 1)] {
        let sys = Fake::new();
        sys.report([Report::Ready(vec![PROCESS]), Report::Ready(vec![7])]);
        sys.ends([ended(7), ended(0)]);
        let fleet = fleet().on_exit(move |fleet, worker, status| {
            assert!(!panics, "no idea");
            let alone = fleet.workers.len() == 1 && worker.incarnation == 1;
            if alone && status == ExitStatus::Code(7) { Restart::Permanent } else { Restart::Never }
        });
        run(app(fleet), sys.clone(), Until::Stopped).unwrap();
        assert_eq!(sys.lines(&["fork"]).len(), forks, "panics: {panics}");
        assert_eq!(sys.lines(&["beat deciding about fleet 0"]).len(), forks, "panics: {panics}");
        assert_eq!(told(&sys, "failed: panicked: no idea").len(), usize::from(panics));
    }
}
