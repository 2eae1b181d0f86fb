//! Whatever happens, nothing of the tree is left.

use crate::world::{bearing, exists, unique};
use harness::Process;
use harness::process::{Handle, Signal, Stopwatch, Stream};
use std::time::Duration;

/// One that daemonises by two forks and hears neither TERM nor HUP.
const DAEMON: &str = "trap '' TERM HUP INT
    (setsid sh -c 'trap \"\" TERM HUP; (echo daemon; exec sleep 1000) & wait' &)
    echo parent; exit 0";

/// Each has two children, in sessions of their own, for so many generations; the elder do not wait for them.
const BOMB: &str = r#"
    bomb='[ $1 -gt 0 ] || { echo leaf; exec sleep 1000; }
          for n in 1 2; do setsid sh -c "$0" "$0" $(($1 - 1)) & done'
    sh -c "$bomb" "$bomb" 5; exec sleep 1000"#;

#[test]
fn a_daemon_that_hears_no_signals_ends_with_its_test() {
    let word = unique();
    let process = Process::sh(DAEMON).env("WORD", &word).spawn();
    process.expect("it is away").line("daemon");
    process.expect("its parent has ended").exit_code(0);
    process.signal_all(Signal::TERM);
    assert!(!bearing(&word).is_empty(), "it did not hear that");
    drop(process);
    assert!(bearing(&word).is_empty());
}

#[test]
fn a_daemon_that_was_never_looked_at_ends_as_well() {
    let word = unique();
    let process = Process::sh(DAEMON).env("WORD", &word).spawn();
    process.output(Stream::Stdout).until("daemon");
    drop(process);
    assert!(bearing(&word).is_empty());
}

#[test]
fn some_generations_of_a_fork_bomb_end() {
    let word = unique();
    let process = Process::sh(BOMB).env("WORD", &word).spawn();
    let mut output = process.output(Stream::Stdout);
    (0..32).for_each(|_| drop(output.until("leaf")));
    drop(process);
    assert!(bearing(&word).is_empty());
    // And in the midst of it.
    let process = Process::sh(BOMB).env("WORD", &word).spawn();
    process.output(Stream::Stdout).until("leaf");
    drop(process);
    assert!(bearing(&word).is_empty());
}

#[test]
fn one_who_is_replaced_again_and_again_ends() {
    let word = unique();
    let process = Process::sh("while :; do setsid sleep 1000 & wait $!; done").env("WORD", &word).spawn();
    let worker = process.expect("a worker").children(1).remove(0);
    process.signal_to(&worker, Signal::KILL);
    process.expect("another").respawn_of(&worker);
    drop(process);
    assert!(bearing(&word).is_empty());
}

#[test]
fn one_who_is_stopped_ends() {
    let process = Process::sh("sleep 1000 & kill -STOP $$; wait").spawn();
    let pid = process.pid();
    let is_stopped = |tree: &harness::process::Tree| {
        tree.iter().any(|node| node.state == harness::process::State::Stopped)
    };
    let tree = process.expect("it is stopped").tree("somebody is stopped", is_stopped);
    drop(process);
    assert!(tree.iter().all(|node| !exists(node.pid())) && !exists(pid));
}

#[test]
fn a_panic_in_the_midst_of_a_test_leaves_nobody() {
    let word = unique();
    #[expect(clippy::disallowed_methods, reason = "a test of its own, which panics")]
    let test = std::thread::spawn({
        let word = word.clone();
        move || {
            let process = Process::sh(DAEMON).env("WORD", &word).spawn();
            process.output(Stream::Stdout).until("daemon");
            assert!(bearing(&word).is_empty(), "a bug of the test");
        }
    });
    let payload = test.join().expect_err("it panicked");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"a bug of the test"));
    assert!(bearing(&word).is_empty());
}

#[test]
fn an_expectation_that_fails_leaves_nobody() {
    let word = unique();
    let words = crate::world::words_of(|| {
        let process = Process::sh(DAEMON).env("WORD", &word).spawn();
        process.expect("never").within(Duration::from_millis(20)).line("never");
    });
    assert!(words.contains("never: ") || words.contains(": never"), "{words}");
    assert!(bearing(&word).is_empty());
}

#[test]
fn orphans_who_end_are_reaped_by_the_test_process() {
    let orphan = "echo orphan $$; read line; exit 3";
    let script = format!("exec 3<&0; for n in 1 2 3; do (setsid sh -c '{orphan}' <&3 &); done; exit 0");
    let process = Process::sh(&script).stdin_open().spawn();
    let mut output = process.output(Stream::Stdout);
    let orphans = [(); 3].map(|()| output.until("orphan {pid}").parse::<u32>("pid"));
    process.expect("all others have ended").descendants(3);
    process.close_stdin();
    process.expect("they end").nobody();
    for orphan in orphans {
        assert!(!exists(orphan), "not even as a zombie");
        let words = format!("{orphan} `sh` died: exit status 3");
        assert!(process.report().contains(&words), "{}", process.report());
    }
}

#[test]
fn what_a_test_process_that_is_killed_leaves_is_ended_by_its_guard() {
    let word = unique();
    let test = "it_is_killed_in_the_midst";
    let cargo = Process::command(env!("CARGO"))
        .args([
            "test",
            "-q",
            "-p",
            "harness",
            "--test",
            "planted_processes",
            test,
            "--",
            "--exact",
            "--nocapture",
        ])
        .cwd(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .env("WORD", &word)
        .spawn();
    let line = cargo.expect("its tree stands").line("test {test} root {root} daemon {daemon} bare {bare}");
    let [test, root, daemon, bare] = ["test", "root", "daemon", "bare"].map(|name| line.parse::<u32>(name));
    let left = [root, daemon, bare].map(|pid| Handle::of(pid).expect("it is there"));
    let tree = cargo.tree();
    cargo.signal_to(tree.find(test).expect("the test process"), Signal::KILL);
    let watch = Stopwatch::start();
    for handle in &left {
        assert!(handle.ends_within(Duration::from_secs(30)), "{} lives on", handle.pid());
    }
    println!("the guard took {:?}", watch.elapsed());
    cargo.expect("cargo tells of it").exit();
    cargo.expect("the guard ends as well").nobody();
    assert!(bearing(&word).is_empty());
}
