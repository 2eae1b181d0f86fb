//! A worker's own side: how its body is called and ends, its signs of life, its connections, and what it tells
//! its host.

use crate::fake::*;
use crate::worker_rig::*;
use host_core::id::WorkerId;
use host_core::sys::Errno;
use host_core::time::Instant;
use host_core::{Fleet, Result, Worker};

#[test]
fn a_body_ends_with_a_status_that_says_how() {
    type Body = fn(&mut Worker) -> Result;
    type Script = fn(&Fake);
    let canceled = |_: &mut Worker| Err(Errno::CANCELED.into());
    let rows: [(&str, Script, Body, &str); 7] = [
        ("well", |_| {}, |_| Ok(()), "body: exit status 0"),
        ("ill", |_| {}, |_| Err(Errno::PIPE.into()), "body: exit status 70"),
        // It was interrupted in the midst of something because it was asked to quit: that is no failure.
        (
            "interrupted by a quit",
            |_| {},
            |worker| {
                worker.accept("web")?;
                Err(Errno::CANCELED.into())
            },
            "body: exit status 0",
        ),
        (
            "interrupted by a quit, as the standard library tells it",
            |_| {},
            |worker| {
                worker.accept("web")?;
                Err(std::io::Error::from_raw_os_error(Errno::CANCELED.raw()).into())
            },
            "body: exit status 0",
        ),
        ("interrupted by nobody", |_| {}, canceled, "body: exit status 70"),
        (
            "failed after a quit",
            |_| {},
            |worker| {
                worker.accept("web")?;
                Err(Errno::PIPE.into())
            },
            "body: exit status 70",
        ),
        ("cannot begin", |sys| sys.fail("quit_handle", Errno::MFILE), |_| Ok(()), "body: exit status 70"),
    ];
    for (name, script, body, expected) in rows {
        let record = work(
            plain,
            |sys| {
                sys.report([Report::Quit(QUIT)]);
                script(sys);
            },
            body,
        );
        assert_eq!(lines(&record, &["body"]), [expected], "{name}");
        let failed = expected.ends_with("70");
        let reasons = record.iter().filter(|line| line.starts_with("say h5 failed: ")).count();
        assert_eq!(reasons, usize::from(failed), "{name}: {record:?}");
    }
}

#[test]
fn a_body_that_fails_tells_its_host_why_and_somebody_else_where_that_cannot_be() {
    let fails = |_: &mut Worker| Err("no".into());
    let record = work(plain, |sys| sys.answer("write", [Err(Errno::INTR)]), fails);
    let said = ["say h5 failed: no Err(EINTR)", "say h5 failed: no Ok(3)", "body: exit status 70"];
    assert_eq!(lines(&record, &["say", "tell", "body"]), said);
    for errno in [Errno::AGAIN, Errno::PIPE] {
        let record = work(plain, |sys| sys.fail("write", errno), fails);
        let told = [
            "tell fleet `f`: worker 0 (incarnation 1) failed: no",
            "tell aloud fleet `f`: worker 0 (incarnation 1) failed: no",
        ];
        assert_eq!(lines(&record, &["tell"]), told, "{errno}");
    }
}

#[test]
fn a_worker_that_was_asked_to_quit_before_it_began_is_not_begun() {
    let record = work(plain, Fake::quit, |worker| {
        worker.request_done();
        Ok(())
    });
    assert_eq!(record, ["body: exit status 0"]);
}

#[test]
fn ready_is_told_once_and_after_the_first_sign_of_life() {
    let record = work(
        plain,
        |_| {},
        |worker| {
            assert!(worker.wanted());
            assert!(worker.wanted());
            Ok(())
        },
    );
    assert_eq!(record, ["pulse Busy", "say h5 [1] Ok(1)", "pulse Busy", "pulse Busy", "body: exit status 0"]);
}

#[test]
fn a_message_is_told_again_if_the_write_was_interrupted_and_given_up_if_nobody_reads() {
    let record = work(
        plain,
        |sys| sys.answer("write", [Err(Errno::INTR), Err(Errno::PIPE)]),
        |worker| {
            assert!(worker.wanted());
            Ok(())
        },
    );
    assert_eq!(lines(&record, &["say"]), ["say h5 [1] Err(EINTR)", "say h5 [1] Err(EPIPE)"]);
}

#[test]
fn a_worker_that_waits_for_connections_is_alive_and_wakes_for_its_quit() {
    let record = work(
        plain,
        |sys| {
            sys.answer("accept", [Err(Errno::AGAIN), Ok(0)]);
            sys.report([Report::Ready(vec![LISTENER]), Report::Quit(QUIT)]);
        },
        |worker| {
            assert!(worker.accept("web")?.is_some());
            assert!(worker.accept("web")?.is_none());
            Ok(())
        },
    );
    assert_eq!(
        lines(&record, &["accept", "poll", "pulse", "wait", "count", "close"]),
        [
            "pulse Busy",
            "pulse Busy",
            "accept h2 Err(EAGAIN)",
            "poll_add h100 r",
            "poll_add h5 r",
            "poll_add_shared h2",
            "pulse Waiting",
            "wait for ever",
            "pulse Busy",
            "pulse Busy",
            "accept h2 Ok(0)",
            "count 1",
            "close h101",
            "pulse Busy",
            "accept h2 Err(EAGAIN)",
            "pulse Waiting",
            "wait for ever",
            "pulse Busy",
            "pulse Busy",
        ]
    );
}

#[test]
fn a_connection_that_was_aborted_is_passed_over() {
    let record = work(
        plain,
        |sys| sys.answer("accept", [Err(Errno::CONNABORTED), Err(Errno::INTR), Ok(0)]),
        |worker| {
            assert!(worker.accept("web")?.is_some());
            Ok(())
        },
    );
    assert_eq!(
        lines(&record, &["accept", "wait", "body"]),
        ["accept h2 Err(ECONNABORTED)", "accept h2 Err(EINTR)", "accept h2 Ok(0)", "body: exit status 0"]
    );
}

#[test]
fn a_worker_without_descriptors_rests_and_leaves_the_connections_to_its_siblings() {
    let record = work(
        plain,
        |sys| {
            sys.answer("accept", [Err(Errno::MFILE), Err(Errno::NFILE), Ok(0)]);
            sys.answer("wait_or_quit", [Err(Errno::TIMEDOUT), Err(Errno::TIMEDOUT)]);
        },
        |worker| {
            assert!(worker.accept("web")?.is_some());
            Ok(())
        },
    );
    assert_eq!(
        lines(&record, &["accept", "wait", "pulse W"]),
        [
            "accept h2 Err(EMFILE)",
            "pulse Waiting",
            "wait_or_quit h100 r 100",
            "accept h2 Err(ENFILE)",
            "pulse Waiting",
            "wait_or_quit h100 r 100",
            "accept h2 Ok(0)",
        ]
    );
    // One that was woken for the connection says once that others may take it, if only it is short.
    for (errno, left) in [(Errno::MFILE, true), (Errno::NFILE, false)] {
        let record = work(
            plain,
            |sys| {
                sys.answer("accept", [Err(Errno::AGAIN), Err(errno), Err(errno), Ok(0)]);
                sys.answer("wait_or_quit", [Err(Errno::TIMEDOUT), Err(Errno::TIMEDOUT)]);
                sys.report([Report::Ready(vec![LISTENER])]);
            },
            |worker| worker.accept("web").map(drop),
        );
        let said: &[_] = if left { &["say h5 [1] Ok(1)", "say h5 [4] Ok(1)"] } else { &["say h5 [1] Ok(1)"] };
        assert_eq!(lines(&record, &["say"]), said, "{errno}");
    }
    // A quit ends the rest, and a wait that fails is an error.
    let record = work(
        plain,
        |sys| {
            sys.answer("accept", [Err(Errno::MFILE)]);
            sys.answer("wait_or_quit", [Err(Errno::BADF)]);
        },
        |worker| worker.accept("web").map(drop),
    );
    assert_eq!(lines(&record, &["body"]), ["body: exit status 70"]);
}

#[test]
fn a_worker_that_cannot_wait_may_try_again() {
    // The second and the third registration fail, one attempt after the other; nothing stays half registered.
    let record = work(
        plain,
        |sys| {
            sys.answer("accept", [Err(Errno::AGAIN), Err(Errno::AGAIN), Err(Errno::AGAIN), Ok(0)]);
            sys.answer("poll_add", [Ok(0), Err(Errno::NOSPC), Ok(0), Ok(0), Err(Errno::NOSPC), Ok(0)]);
            sys.report([Report::Ready(vec![LISTENER])]);
        },
        |worker| {
            assert!(worker.accept("web").is_err() && worker.accept("web").is_err());
            assert!(worker.accept("web")?.is_some());
            Ok(())
        },
    );
    assert_eq!(
        lines(&record, &["poll_add", "poll_delete", "body"]),
        [
            "poll_add h100 r",
            "poll_add h5 r",
            "poll_delete h100",
            "poll_add h100 r",
            "poll_add h5 r",
            "poll_add_shared h2",
            "poll_add_shared h2",
            "body: exit status 0"
        ]
    );
}

#[test]
fn other_errors_of_accept_and_of_waiting_are_the_bodys() {
    for (call, errno) in [("accept", Errno::BADF), ("poll_add", Errno::NOSPC)] {
        let record = work(
            plain,
            |sys| sys.fail(call, errno),
            move |worker| {
                let error = worker.accept("web").unwrap_err();
                assert_eq!(error.downcast_ref::<Errno>(), Some(&errno));
                Ok(())
            },
        );
        assert_eq!(lines(&record, &["body"]), ["body: exit status 0"], "{call}");
    }
    let record = work(
        plain,
        |sys| sys.report([Report::Fails(Errno::INTR), Report::Fails(Errno::BADF)]),
        |worker| {
            let error = worker.accept("web").unwrap_err();
            assert_eq!(error.downcast_ref::<Errno>(), Some(&Errno::BADF));
            Ok(())
        },
    );
    assert_eq!(lines(&record, &["wait"]), ["wait for ever", "wait for ever"]);
}

#[test]
fn a_listener_that_is_not_there_is_an_error_that_lists_those_that_are() {
    let record = work(
        plain,
        |_| {},
        |worker| {
            let error = worker.accept("wep").unwrap_err();
            assert_eq!(error.to_string(), "no listener is called `wep`; the application has: web, jobs");
            assert_eq!(worker.listener_address("jobs"), Some(ADDRESS.parse()?));
            assert_eq!(worker.listener_address("wep"), None);
            Ok(())
        },
    );
    assert_eq!(record, ["body: exit status 0"]);
}

#[test]
fn a_worker_that_changes_its_listener_watches_only_the_new_one() {
    let record = work(
        plain,
        |sys| {
            sys.report([Report::Ready(vec![LISTENER]), Report::Ready(vec![3]), Report::Ready(vec![3])]);
            sys.answer("accept", [Err(Errno::AGAIN), Ok(0), Err(Errno::AGAIN), Err(Errno::AGAIN), Ok(0)]);
        },
        |worker| {
            worker.accept("web")?;
            worker.accept("jobs")?;
            Ok(())
        },
    );
    assert_eq!(
        lines(&record, &["poll"]),
        ["poll_add h100 r", "poll_add h5 r", "poll_add_shared h2", "poll_delete h2", "poll_add_shared h3",]
    );
}

#[test]
fn a_connection_that_a_worker_was_woken_for_and_does_not_take_is_left_to_its_siblings() {
    let record = work(
        plain,
        |sys| sys.report([Report::QuitAnd(QUIT, LISTENER)]),
        |worker| worker.accept("web").map(|client| assert!(client.is_none())),
    );
    assert_eq!(
        lines(&record, &["accept", "say"]),
        ["say h5 [1] Ok(1)", "accept h2 Err(EAGAIN)", "say h5 [4] Ok(1)"]
    );
    // Somebody else was quicker, or it took one: nobody waits.
    for answer in [Err(Errno::AGAIN), Ok(0)] {
        let record = work(
            plain,
            |sys| {
                sys.report([Report::Ready(vec![LISTENER]), Report::Quit(QUIT)]);
                sys.answer("accept", [Err(Errno::AGAIN), answer]);
            },
            |worker| {
                while worker.accept("web")?.is_some() {}
                Ok(())
            },
        );
        assert_eq!(lines(&record, &["say"]), ["say h5 [1] Ok(1)"], "{answer:?}");
    }
}

#[test]
fn what_a_host_cannot_be_told_since_its_channel_is_full_is_told_as_soon_as_it_can_be() {
    let record = work(
        |fleet| fleet.requests_max(1).requests_jitter_percent(0),
        |sys| {
            sys.answer("write", [Ok(1), Err(Errno::AGAIN), Err(Errno::AGAIN)]);
            sys.answer("accept", [Ok(0)]);
        },
        |worker| {
            assert!(worker.accept("web")?.is_some());
            assert!(worker.wanted());
            assert!(worker.wanted() && worker.wanted());
            Ok(())
        },
    );
    assert_eq!(
        lines(&record, &["say"]),
        ["say h5 [1] Ok(1)", "say h5 [2] Err(EAGAIN)", "say h5 [2] Err(EAGAIN)", "say h5 [2] Ok(1)"]
    );
}

#[test]
fn two_things_that_a_host_cannot_be_told_are_both_owed() {
    let record = work(
        |fleet| fleet.requests_max(1).requests_jitter_percent(0),
        |sys| {
            sys.report([Report::Ready(vec![LISTENER])]);
            // It is ready; then the channel is full for two rounds, of which each asks for both.
            let full = Err(Errno::AGAIN);
            sys.answer("write", [Ok(1), full, full, full, full, full]);
            sys.answer("accept", [Err(Errno::AGAIN), Err(Errno::BADF), Ok(0)]);
        },
        |worker| {
            assert!(worker.accept("web").is_err());
            // Turning to another listener leaves the connection of the first.
            worker.accept("jobs").map(drop)?;
            worker.request_done();
            assert!(worker.wanted() && worker.wanted() && worker.wanted());
            Ok(())
        },
    );
    let said = lines(&record, &["say"]);
    let count = |line: &str| said.iter().filter(|said| *said == line).count();
    assert_eq!((count("say h5 [4] Ok(1)"), count("say h5 [2] Ok(1)")), (1, 1), "each once: {said:?}");
    assert!(count("say h5 [4] Err(EAGAIN)") > 1 && count("say h5 [2] Err(EAGAIN)") > 1, "{said:?}");
}

#[test]
fn a_connection_that_is_left_is_told_of_later_whatever_else_is_owed() {
    // Alone; and after a debt of another kind, in the same round.
    for requests in [0, 1] {
        let record = work(
            |fleet| fleet.requests_max(1).requests_jitter_percent(0),
            |sys| {
                sys.report([Report::Ready(vec![LISTENER])]);
                let full = Err(Errno::AGAIN);
                let answers =
                    if requests == 0 { vec![Ok(1), full] } else { vec![Ok(1), full, full, full, full] };
                sys.answer("write", answers);
                sys.answer("accept", [Err(Errno::AGAIN), Err(Errno::BADF), Ok(0)]);
            },
            move |worker| {
                assert!(worker.accept("web").is_err());
                (0..requests).for_each(|_| worker.request_done());
                let _other = worker.accept("jobs");
                (0..4).for_each(|_| _ = worker.wanted());
                Ok(())
            },
        );
        let said = lines(&record, &["say"]);
        let told = said.iter().filter(|line| *line == "say h5 [4] Ok(1)").count();
        assert_eq!(told, 1, "{requests}: {said:?}");
    }
}

#[test]
fn work_that_is_declared_is_told_to_the_system() {
    let record = work(
        plain,
        |_| {},
        |worker| {
            let before = worker.now();
            worker.work(30 * MS);
            assert_eq!(worker.now().since(before), 30 * MS);
            Ok(())
        },
    );
    assert_eq!(lines(&record, &["body"]), ["body: exit status 0"]);
}

#[test]
fn a_worker_that_turns_to_another_listener_leaves_what_it_was_woken_for() {
    let record = work(
        plain,
        |sys| {
            sys.report([Report::Ready(vec![LISTENER])]);
            sys.answer("accept", [Err(Errno::AGAIN), Err(Errno::BADF), Ok(0)]);
        },
        |worker| {
            assert!(worker.accept("web").is_err());
            worker.accept("jobs").map(drop)
        },
    );
    assert_eq!(lines(&record, &["say"]), ["say h5 [1] Ok(1)", "say h5 [4] Ok(1)"]);
}

#[test]
fn a_worker_that_is_told_to_look_looks_and_one_whose_host_is_gone_is_not_wanted() {
    let record = work(
        plain,
        |sys| {
            sys.says(CHANNEL, [Ok(vec![1]), Err(Errno::INTR), Ok(vec![7])]);
            sys.says(CHANNEL, [Err(Errno::AGAIN), Err(Errno::CONNRESET), Ok(vec![])]);
            sys.report([Report::Ready(vec![CHANNEL]), Report::Ready(vec![CHANNEL])]);
        },
        |worker| {
            assert!(worker.accept("web")?.is_none());
            assert!(!worker.wanted());
            Ok(())
        },
    );
    assert_eq!(
        lines(&record, &["accept", "read", "poll_delete"]),
        [
            "accept h2 Err(EAGAIN)",
            "read h5 Ok([1])",
            "read h5 Err(EINTR)",
            "read h5 Ok([7])",
            "read h5 Err(EAGAIN)",
            "accept h2 Err(EAGAIN)",
            "read h5 Err(ECONNRESET)",
            "read h5 Ok([])",
            // It would be reported for ever.
            "poll_delete h5",
        ]
    );
}

#[test]
fn a_host_that_floods_its_worker_does_not_keep_it_from_its_work() {
    let record = work(
        plain,
        |sys| {
            sys.says(CHANNEL, (0..40).map(|_| Ok(vec![1])));
            sys.report([Report::Ready(vec![CHANNEL])]);
            sys.answer("accept", [Err(Errno::AGAIN), Ok(0)]);
        },
        |worker| worker.accept("web").map(drop),
    );
    assert_eq!(lines(&record, &["read"]).len(), 16);
}

#[test]
fn idle_workers_beat_twice_a_timeout_if_their_fleet_asks_for_it() {
    let beats = |fleet: Fleet| fleet.heartbeat_timeout(60 * MS).idle_beats().io_timeout(100 * MS);
    let record = work(
        beats,
        |sys| {
            sys.answer("accept", [Err(Errno::AGAIN), Ok(0)]);
            sys.answer("wait_or_quit", [Err(Errno::TIMEDOUT), Err(Errno::INTR), Ok(0)]);
            sys.answer("read", [Err(Errno::AGAIN), Ok(1)]);
        },
        |worker| {
            let mut stream = worker.accept("web")?.expect("a connection");
            stream.read_waiting(&mut [0])?;
            Ok(())
        },
    );
    assert_eq!(
        lines(&record, &["wait", "pulse W"]),
        [
            "pulse Waiting",
            "wait 30",
            "pulse Waiting",
            "wait_or_quit h101 r 30",
            // It beats and waits on, for what is left.
            "pulse Waiting",
            "wait_or_quit h101 r 30",
            // A wait that is interrupted begins anew, and so does the time until the next beat.
            "pulse Waiting",
            "wait_or_quit h101 r 30",
        ]
    );
}

#[test]
fn a_wait_for_a_peer_ends_by_the_timeout_of_the_fleet() {
    let record = work(
        |fleet| fleet.io_timeout(70 * MS),
        |sys| {
            sys.answer("accept", [Ok(0)]);
            sys.answer("wait_or_quit", [Err(Errno::TIMEDOUT)]);
        },
        |worker| {
            let mut stream = worker.accept("web")?.expect("a connection");
            assert_eq!(stream.read_waiting(&mut [0]), Err(Errno::TIMEDOUT));
            Ok(())
        },
    );
    assert_eq!(lines(&record, &["wait"]), ["wait_or_quit h101 r 70"]);
    assert_eq!(lines(&record, &["pulse"])[2..], ["pulse Waiting", "pulse Busy"]);
}

#[test]
fn a_quit_ends_a_wait_between_messages_at_once_and_lets_one_within_a_message_go_on_for_a_while() {
    let patient = |fleet: Fleet| fleet.quit_patience(200 * MS);
    let asked = |sys: &Fake| {
        sys.answer("accept", [Ok(0)]);
        sys.answer("wait_or_quit", [Err(Errno::CANCELED)]);
        sys.fail("wait", Errno::TIMEDOUT);
    };
    // Between: an answer was written, and nothing of the next message has come.
    let record = work(patient, asked, |worker| {
        let mut stream = worker.accept("web")?.expect("a connection");
        stream.write_waiting(b"answer")?;
        assert_eq!(stream.read_waiting(&mut [0]), Err(Errno::CANCELED));
        Ok(())
    });
    assert_eq!(lines(&record, &["wait"]), ["wait_or_quit h101 r 5000"]);
    // Within: the connection is new, or has read something since; or there is no room to write.
    let record = work(patient, asked, |worker| {
        let mut stream = worker.accept("web")?.expect("a connection");
        assert_eq!(stream.read_waiting(&mut [0]), Err(Errno::TIMEDOUT));
        Ok(())
    });
    assert_eq!(lines(&record, &["wait"]), ["wait_or_quit h101 r 5000", "wait_for h101 r 200"]);
}

#[test]
fn patience_is_no_longer_than_what_is_left_of_the_wait() {
    let record = work(
        |fleet| fleet.quit_patience(200 * MS).io_timeout(90 * MS),
        |sys| {
            sys.answer("accept", [Ok(0)]);
            sys.answer("wait_or_quit", [Err(Errno::CANCELED)]);
            sys.fail("wait", Errno::TIMEDOUT);
        },
        |worker| {
            let mut stream = worker.accept("web")?.expect("a connection");
            assert_eq!(stream.read_waiting(&mut [0]), Err(Errno::TIMEDOUT));
            Ok(())
        },
    );
    assert_eq!(lines(&record, &["wait"]), ["wait_or_quit h101 r 90", "wait_for h101 r 90"]);
}

#[test]
fn a_worker_has_the_time_it_asked_for_until_its_next_sign_of_life() {
    let record = work(
        plain,
        |sys| sys.now.set(2_000_000),
        |worker| {
            assert!(worker.wanted());
            worker.extend(500 * MS);
            worker.work(300 * MS);
            assert!(worker.wanted());
            assert!(worker.wanted());
            Ok(())
        },
    );
    assert_eq!(
        record[3..],
        [
            "extend until 502",
            "say h5 [3] Ok(1)",
            "pulse Busy",
            "extend until 0",
            "pulse Busy",
            "body: exit status 0",
        ]
    );
}

#[test]
fn requests_are_counted_and_the_worker_asks_once_to_be_replaced() {
    let two = |fleet: Fleet| fleet.requests_max(2).requests_jitter_percent(0);
    let record = work(
        two,
        |_| {},
        |worker| {
            (0..3).for_each(|_| worker.request_done());
            Ok(())
        },
    );
    assert_eq!(lines(&record, &["count", "say"]), ["count 1", "count 2", "say h5 [2] Ok(1)", "count 3"]);
    // One that counts none is counted by its connections; one that does, by those.
    let accepts = |sys: &Fake| sys.answer("accept", [Ok(0), Ok(0), Ok(0)]);
    let record = work(two, accepts, |worker| (0..3).try_for_each(|_| worker.accept("web").map(drop)));
    assert_eq!(
        lines(&record, &["count", "say"]),
        ["say h5 [1] Ok(1)", "count 1", "count 2", "say h5 [2] Ok(1)", "count 3"]
    );
    let record = work(two, accepts, |worker| {
        worker.request_done();
        (0..3).try_for_each(|_| worker.accept("web").map(drop))
    });
    assert_eq!(lines(&record, &["count"]), ["count 1"; 4]);
    assert_eq!(lines(&record, &["say h5 [2]"]), [""; 0]);
}

#[test]
fn the_number_of_requests_is_raised_by_the_systems_chance_and_by_no_more_than_its_share() {
    let asked = |percent| {
        let settings = move |fleet: Fleet| fleet.requests_max(100).requests_jitter_percent(percent);
        let record = work(
            settings,
            |_| {},
            |worker| {
                (0..250).for_each(|_| worker.request_done());
                Ok(())
            },
        );
        let counts = record.iter().take_while(|line| !line.starts_with("say"));
        counts.filter(|line| line.starts_with("count")).count()
    };
    assert_eq!(asked(0), 100);
    assert!((100..=150).contains(&asked(50)), "{}", asked(50));
    assert_ne!(asked(50), 100);
}

#[test]
fn a_pause_is_alive_and_ends_with_the_quit() {
    let record = work(
        plain,
        |sys| sys.answer("wait_or_quit", [Err(Errno::TIMEDOUT)]),
        |worker| {
            assert!(worker.pause(40 * MS));
            Ok(())
        },
    );
    // It tells that it is ready before it rests.
    let expected = [
        "pulse Busy",
        "say h5 [1] Ok(1)",
        "pulse Busy",
        "pulse Waiting",
        "wait_or_quit h100 r 40",
        "pulse Busy",
    ];
    assert_eq!(record[..6], expected);
    let record = work(
        plain,
        |sys| sys.report([Report::Quit(QUIT)]),
        |worker| {
            worker.accept("web")?;
            assert!(!worker.pause(40 * MS));
            Ok(())
        },
    );
    assert_eq!(lines(&record, &["body"]), ["body: exit status 0"]);
}

#[test]
fn a_worker_connects_as_a_client_with_the_patience_of_its_fleet() {
    let record = work(
        |fleet| fleet.io_timeout(80 * MS),
        |sys| sys.answer("take_error", [Ok(0), Ok(111)]),
        |worker| {
            let address: std::net::SocketAddr = PEER.parse()?;
            worker.connect_to(address)?;
            assert_eq!(worker.connect_to(address).unwrap_err(), Errno::CONNREFUSED);
            Ok(())
        },
    );
    assert_eq!(
        lines(&record, &["connect", "wait", "close"]),
        [
            "connect h101",
            // That it is asked to quit does not end this.
            "wait_for h101 w 80",
            "close h101",
            "connect h102",
            "wait_for h102 w 80",
            "close h102",
        ]
    );
}

#[test]
fn a_worker_knows_who_it_is() {
    let record = work(
        plain,
        |sys| sys.now.set(7),
        |worker| {
            let WorkerId { fleet, slot, incarnation } = worker.id();
            assert_eq!((fleet.index(), slot.number(), incarnation), (0, 0, 1));
            assert_eq!((worker.fleet(), worker.pid().0), ("f", 100));
            assert_eq!((worker.now(), worker.random()), (Instant::from_nanos(7), 0x5eed));
            assert!(format!("{worker:?}").starts_with("Worker"));
            Ok(())
        },
    );
    assert_eq!(lines(&record, &["body"]), ["body: exit status 0"]);
}

// Workers that are hosts themselves.

#[test]
fn a_connection_is_in_hand_from_its_accept_until_it_is_dropped() {
    let record = work(
        plain,
        |sys| {
            sys.answer("accept", [Ok(0), Ok(0), Ok(0)]);
            sys.report([Report::Quit(QUIT)]);
        },
        |worker| {
            let first = worker.accept("web")?;
            let second = worker.accept("jobs")?;
            // One that it makes itself keeps nobody from being served.
            let upstream = worker.connect_to(([127, 0, 0, 1], 82).into())?;
            drop(first);
            drop(upstream);
            drop(second);
            drop(worker.accept("web")?);
            Ok(())
        },
    );
    let expected = ["in hand 1", "in hand 2", "in hand 1", "in hand 0", "in hand 1", "in hand 0"];
    assert_eq!(lines(&record, &["in hand"]), expected);
}
