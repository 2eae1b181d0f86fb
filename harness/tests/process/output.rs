//! What a program says.

use crate::world::{assert_contains, words_of};
use harness::Process;
use harness::process::Stream;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

#[test]
fn each_stream_is_read_on_from_what_was_found_there() {
    let script = "echo one; echo two; echo three; echo eins >&2; echo zwei >&2; sleep 1000";
    let process = Process::sh(script).spawn();
    process.expect("the second").line_on(Stream::Stdout, "two");
    process.expect("the first of the other").line("eins");
    process.expect("the third").line("three");
    process.expect("the second of the other").line("zwei");
    let words = words_of(|| drop(process.expect("the first").within(20 * MS).line("one")));
    assert_contains(
        &words,
        &["the first", "a line like `one` on standard output or standard error", "out| one"],
    );
    // A reader of its own begins at the beginning.
    let mut output = process.output(Stream::Stdout);
    assert_eq!(output.all_until("two"), ["one", "two"]);
    assert!(!output.is_silent_for(Duration::ZERO), "there is a third");
    output.until("three");
    assert!(output.is_silent_for(20 * MS));
}

#[test]
fn what_is_left_is_read_with_its_line_ends() {
    let process = Process::sh("echo one; echo; printf 'two\\nthree'").spawn();
    let mut output = process.output(Stream::Stdout);
    output.until("one");
    assert_eq!(output.rest(), "\ntwo\nthree");
    assert_eq!(output.rest(), "");
    let words = words_of(|| drop(output.until("four")));
    assert_contains(&words, &["it says `four`", "standard output ended without it"]);
}

#[test]
fn a_line_without_its_end_is_no_line_yet() {
    let process = Process::sh("printf 'password: '; read line; echo thanks").stdin_open().spawn();
    let output = process.output(Stream::Stdout);
    while output.is_silent_for(5 * MS) {}
    let words = words_of(|| drop(process.expect("it asks").within(20 * MS).line("password")));
    assert_contains(&words, &["password:  (a line without an end)"]);
    process.send("secret\n");
    process.expect("it thanks").line("password: thanks");
}

#[test]
fn bytes_that_are_no_text_are_matched_and_shown() {
    let process = Process::sh("printf 'a\\377b 12\\033[31m\\n'; sleep 1000").spawn();
    let line = process.expect("it says something").line("b {number}\u{1b}[31m");
    assert_eq!((line.line(), line.parse::<u32>("number")), ("a\u{fffd}b 12\u{1b}[31m", 12));
    assert_contains(&process.report(), &["out| a\u{fffd}b 12·[31m"]);
}

#[test]
fn a_flood_is_read_and_bounded_and_its_end_is_found() {
    let script = "yes \"$(head -c 99 /dev/zero | tr '\\0' x)\" | head -c 40000000; echo; echo the end";
    let process = Process::sh(script).spawn();
    let before = memory();
    process.expect("the flood ends").line("the end");
    let grown = memory().saturating_sub(before);
    assert!(grown < 32 << 20, "40 MB were said, and {grown} bytes more are held");
    process.expect("it ends").exit_code(0);
    let report = process.report();
    assert_contains(&report, &["the last 12 of 40", "out| the end"]);
    assert!(report.lines().count() <= 40);
}

/// What this process holds, in bytes (proc_pid_statm(5)).
fn memory() -> usize {
    let line = std::fs::read_to_string("/proc/self/statm").unwrap();
    line.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn nobody_waits_for_a_test_that_does_not_read() {
    // More than a pipe holds, twice.
    let process = Process::sh("yes | head -c 200000; yes | head -c 200000 >&2; exit 4").spawn();
    process.expect("it ends").exit_code(4);
}
