//! Tests that fail on purpose, or are killed: `process` runs them and sees what they say and what they leave.

#![expect(clippy::print_stdout, reason = "it is how they tell who they are")]

use harness::Process;
use std::time::Duration;

const TALKS: &str = "echo my last words; sleep 1000 & wait";

#[test]
fn an_assertion_fails() {
    let process = Process::sh(TALKS).spawn();
    process.expect("it speaks").line("words");
    assert_eq!(process.children().len(), 42, "the answer is not 42");
}

#[test]
fn an_expectation_fails() {
    let process = Process::sh(TALKS).spawn();
    process.expect("it speaks").line("words");
    process.expect("it gets ready").within(Duration::from_millis(100)).line("ready");
}

#[test]
fn it_is_killed_in_the_midst() {
    // The daemon has changed its session, and hears nothing but KILL; another one has no mark.
    let script = "env -i /bin/sleep 1000 & echo bare $!; (trap '' TERM HUP INT; setsid sh -c 'echo daemon $$; exec sleep 1000' &); sleep 1000";
    let process = Process::sh(script).spawn();
    let bare = process.expect("one without a mark").line("bare {pid}").parse::<u32>("pid");
    let daemon = process.expect("it is away").line("daemon {pid}").parse::<u32>("pid");
    println!("test {} root {} daemon {daemon} bare {bare}", std::process::id(), process.pid());
    process.expect("its end").within(Duration::from_secs(600)).exit();
}
