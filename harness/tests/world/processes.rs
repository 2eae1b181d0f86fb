//! The world of processes: programs of a line.

use crate::{MS, SECOND, assert_contains, names, words_of};
use harness::process::Stopwatch;
use harness::world::WorldKind;
use harness::{Process, World};
use host_core::sys::Signal;
use std::io::Write as _;
use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// What is seen within this was not waited for in vain: half of what a wait has that says nothing of its bound.
const SOON: Duration = Duration::from_secs(15);
/// A bound that is too short for whatever does not come.
const SHORT: Duration = Duration::from_millis(200);

/// Two workers, of whom somebody looks after the second.
const SUPERVISOR: &str = "sleep 1000 & while :; do sleep 1000 & wait $!; done";

/// A program that says where a listener is, and does nothing else; the listener is the test's.
fn announcer() -> (Process, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let line = format!("echo 'app: listener `echo` is bound to {address}' >&2; exec sleep 1000");
    (Process::sh(&line).spawn(), listener)
}

#[test]
fn a_world_says_which_it_is() {
    let process = Process::sh("exit 0").spawn();
    assert_eq!(names(&World::real(&process)), (WorldKind::Real, "World(Real)".to_owned()));
}

#[test]
fn time_passes_while_anybody_lives() {
    let process = Process::sh("read line").stdin_open().spawn();
    let mut world = World::real(&process);
    let watch = Stopwatch::start();
    world.pass(SHORT);
    assert!(watch.elapsed() >= SHORT);
    process.close_stdin();
    world.pass(1000 * SECOND);
    assert!(watch.elapsed() < SOON, "nobody is left");
}

#[test]
fn workers_are_counted_and_told_apart() {
    let process = Process::sh(SUPERVISOR).spawn();
    let mut world = World::real(&process);
    let workers = world.expect_workers(2, SOON);
    assert_eq!(world.workers(), workers);
    let words = words_of(|| world.expect_workers(3, SHORT));
    assert_contains(&words, &["as many workers as are wanted", "wanted: 3 living children"]);

    let words = words_of(|| world.expect_replaced(&workers, workers[1], SHORT));
    assert_contains(&words, &["wanted: 2 children, and somebody else in the place of", "(born at tick "]);
    let words = words_of(|| world.expect_replaced(&workers[..1], workers[1], SHORT));
    assert_contains(&words, &["was not there before, and cannot be replaced: there were ["]);

    world.signal_worker(workers[1], Signal::Kill);
    let after = world.expect_replaced(&workers, workers[1], SOON);
    assert_eq!(after[0], workers[0]);
    let words = words_of(|| world.signal_worker(workers[1], Signal::Term));
    let wanted = "wanted is a living worker, to be sent TERM, and ";
    assert_contains(&words, &[wanted, "is no worker any more: there are ["]);
}

#[test]
fn who_is_dead_is_sent_nothing() {
    let process = Process::sh("sleep 1000 & exec sleep 1000").spawn();
    let mut world = World::real(&process);
    let worker = world.expect_workers(1, SOON)[0];
    world.signal_worker(worker, Signal::Kill);
    process.expect("a zombie").within(SOON).tree("a zombie", |tree| tree.zombies().next().is_some());
    assert_eq!(world.workers(), []);
    let words = words_of(|| world.signal_worker(worker, Signal::Term));
    assert_contains(&words, &["to be sent TERM, and ", "is dead and was not reaped: there are []"]);
}

#[test]
fn an_answer_is_read_in_pieces_and_another_one_told() {
    let (process, listener) = announcer();
    thread::scope(|scope| {
        scope.spawn(|| {
            for pieces in [["he", "llo"], ["he", "y"], ["he", ""]] {
                let (mut client, _) = listener.accept().unwrap();
                for piece in pieces {
                    client.write_all(piece.as_bytes()).unwrap();
                }
            }
        });
        let mut world = World::real(&process);
        world.ask("echo", b"", b"hello", SOON);
        let words = words_of(|| world.ask("echo", b"", b"hello", SOON));
        assert_eq!(words, "`echo` is to answer \"hello\", and has answered \"hey\": that is all");
        let words = words_of(|| world.ask("echo", b"", b"hello", SOON));
        assert_eq!(words, "`echo` is to answer \"hello\", and has answered \"he\": that is all");
    });
}

#[test]
fn an_answer_that_does_not_come_is_waited_for_within_the_bound() {
    let (process, _listener) = announcer();
    let watch = Stopwatch::start();
    let words = words_of(|| World::real(&process).ask("echo", b"hello", b"hello", SHORT));
    assert_contains(&words, &["`echo` is to answer \"hello\", and has answered \"\": no more within "]);
    assert!(watch.elapsed() >= SHORT && watch.elapsed() < SOON);
}

#[test]
fn a_question_that_nobody_reads_is_asked_within_the_bound() {
    let (process, listener) = announcer();
    let (done, is_done) = channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            // Should it be asked for ever, that ends it.
            let _late = is_done.recv_timeout(2 * SOON);
            drop(listener);
        });
        let watch = Stopwatch::start();
        // More than any buffer holds.
        let question = vec![0; 64 << 20];
        let words = words_of(|| World::real(&process).ask("echo", &question, b"hello", SHORT));
        let took = watch.elapsed();
        done.send(()).unwrap();
        assert_contains(&words, &["has answered \"\": no more within "]);
        assert!(took < SOON, "{took:?}");
    });
}

#[test]
fn a_listener_that_is_never_bound_is_waited_for_within_the_bound() {
    let (process, _listener) = announcer();
    let watch = Stopwatch::start();
    let words = words_of(|| World::real(&process).ask("nobody", b"hello", b"hello", SHORT));
    assert_contains(&words, &["a line like `listener `nobody` is bound to {address}` on standard error"]);
    assert!(watch.elapsed() < SOON);
}

#[test]
fn an_end_is_told_with_its_status_and_waited_for_once() {
    let process = Process::sh("read line; exit 3").stdin_open().spawn();
    let mut world = World::real(&process);
    // It is one wait, with one bound, whoever of them is late.
    let late = ["the end of the host and of all of its processes", "wanted: nobody is left of the tree"];
    assert_contains(&words_of(|| world.expect_end(SHORT)), &late);
    process.close_stdin();
    assert_eq!(world.expect_end(SOON), Some(3));

    let process = Process::sh("exec sleep 1000").spawn();
    let mut world = World::real(&process);
    world.signal(Signal::Kill);
    assert_eq!(world.expect_end(SOON), None, "a signal has ended it");

    let process = Process::sh("sleep 1000 & exit 3").spawn();
    process.expect("its end").within(SOON).exit();
    let words = words_of(|| World::real(&process).expect_end(10 * MS));
    assert_contains(&words, &late);
}
