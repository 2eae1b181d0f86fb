//! What a failure says.

use crate::world::{assert_contains, words_of};
use harness::Process;
use harness::process::{Signal, Stream};
use std::process::Command;
use std::time::Duration;

const SOON: Duration = Duration::from_millis(50);

/// What is wrong, what a test waits for, and what it is told.
type Row = (&'static str, &'static str, fn(&Process), &'static [&'static str]);

#[test]
fn each_failure_says_what_was_wanted_and_what_was_seen() {
    const LIVES: &str = "echo hello; sleep 1000";
    let rows: [Row; 14] = [
        (
            "never ready",
            LIVES,
            |p| drop(p.expect("it is ready").within(SOON).line("ready on {port}")),
            &[
                "it is ready",
                "wanted: a line like `ready on {port}` on standard output or standard error",
                "seen: not within 50ms",
                "out| hello",
            ],
        ),
        (
            "the wrong stream",
            LIVES,
            |p| drop(p.expect("it complains").within(SOON).line_on(Stream::Stderr, "hello")),
            &["a line like `hello` on standard error\n", "not within 50ms", "out| hello"],
        ),
        (
            "its outputs end",
            "exec >/dev/null 2>&1; sleep 1000",
            |p| drop(p.expect("it speaks").line("x")),
            &[
                "seen: standard output and standard error ended without it",
                " alive, the root runs since",
                "it said nothing",
            ],
        ),
        (
            "no end",
            LIVES,
            |p| {
                p.expect("it ends").within(SOON).exit();
            },
            &["it ends", "wanted: its end\n", "not within 50ms"],
        ),
        (
            "another status",
            "exit 3",
            |p| p.expect("all is well").exit_code(0),
            &["all is well", "wanted: its end with exit status 0", "seen: it ended with exit status 3"],
        ),
        (
            "a signal, not a status",
            "kill -KILL $$",
            |p| p.expect("all is well").exit_code(0),
            &["seen: it ended with signal KILL", "died: signal KILL"],
        ),
        (
            "a status, not a signal",
            "exit 3",
            |p| p.expect("it is killed").killed_by(Signal::TERM),
            &["wanted: its end with signal TERM", "seen: it ended with exit status 3"],
        ),
        (
            "another count",
            LIVES,
            |p| drop(p.expect("two workers").within(SOON).children(2)),
            &["two workers", "wanted: 2 living children", "not within 50ms", " `sleep` sleeping"],
        ),
        (
            "no child",
            "exit 0",
            |p| drop(p.expect("a worker").children(1)),
            &["wanted: 1 living child\n", "seen: nobody is left of the tree"],
        ),
        (
            "a tree that does not come",
            LIVES,
            |p| drop(p.expect("it grows").within(SOON).tree("a depth of 5", |_| false)),
            &["it grows", "wanted: a depth of 5", "not within 50ms"],
        ),
        (
            "somebody is left",
            LIVES,
            |p| p.expect("all are gone").within(SOON).nobody(),
            &["all are gone", "wanted: nobody is left of the tree", "2 alive"],
        ),
        ("no input", LIVES, |p| p.send("x"), &["nothing can be sent: standard input is not open"]),
        (
            "a wrong pattern",
            LIVES,
            |p| drop(p.expect("x").line("{")),
            &["the pattern `{` has a `{` without its `}`"],
        ),
        (
            "a signal to one who is gone",
            "sleep 1000 & wait; exec sleep 1000",
            |p| {
                let child = p.expect("a child").children(1).remove(0);
                p.signal_to(&child, Signal::KILL);
                p.expect("it is reaped").tree("without it", |tree| tree.find(child.pid()).is_none());
                p.signal_to(&child, Signal::KILL);
            },
            &["`sleep` cannot be signalled: it is gone", "was sent KILL by the test", "met: it is reaped"],
        ),
    ];
    for (row, script, wait, expected) in rows {
        let process = Process::sh(script).name("the program").spawn();
        let words = words_of(|| {
            if script == LIVES {
                process.output(Stream::Stdout).until("hello");
                process.expect("its child").children(1);
            }
            wait(&process);
        });
        let subject = format!("process `the program` (pid {}): ", process.pid());
        assert!(row == "a wrong pattern" || words.starts_with(&subject), "{row}: {words}");
        assert!(words.lines().count() <= 40, "{row}: {words}");
        for word in expected {
            assert!(words.contains(word), "{row}: no `{word}` in: {words}");
        }
    }
}

#[test]
fn however_much_there_is_to_tell_it_is_forty_lines() {
    let script = "n=0; while [ $n -lt 30 ]; do setsid sleep 1000 & n=$((n+1)); echo line $n; echo fehler $n >&2; done; wait";
    let process = Process::sh(script).spawn();
    process.expect("all are born").descendants(30);
    process.expect("it says so").line("line 30");
    let words = words_of(|| process.expect("they end").within(SOON).nobody());
    println!("{words}");
    assert!(words.lines().count() <= 40, "{words}");
    assert_contains(
        &words,
        &[
            "31 alive",
            "and 24 more",
            "the last 12 of 60 lines that it said",
            "out| line 30",
            "err| fehler 30",
        ],
    );
    assert_contains(&words, &["born, child of", "met: all are born", "met: it says so"]);
}

/// Runs a test that fails on purpose: what it printed.
fn planted(test: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "-q", "-p", "harness", "--test", "planted_processes", test, "--", "--exact"]);
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).env("RUST_BACKTRACE", "0");
    let output = command.envs(variables.iter().copied()).output().unwrap();
    assert!(!output.status.success(), "{test} passed");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_test_that_fails_for_another_reason_shows_the_report_once() {
    let words = planted("an_assertion_fails", &[]);
    assert_contains(
        &words,
        &["(pid", ", when its test failed:", "the answer is not 42", "out| my last words"],
    );
    let words = planted("an_expectation_fails", &[]);
    assert_contains(&words, &["it gets ready", "out| my last words"]);
    assert_eq!(words.matches("what happened:").count(), 1, "{words}");
}

#[test]
fn bounds_scale_by_one_variable_and_a_wrong_value_is_refused() {
    let words = planted("an_expectation_fails", &[("HOST_TIME_SCALE", "2")]);
    assert_contains(&words, &["seen: not within 200ms"]);
    let words = planted("an_expectation_fails", &[("HOST_TIME_SCALE", "slow")]);
    assert_contains(&words, &["HOST_TIME_SCALE is `slow`, but must be a number above 0"]);
}
