//! How a process is started, and what is said if it is not.

use crate::world::{Directory, assert_contains, bearing, unique};
use harness::Process;
use harness::process::{Spawn, Stream};
use rustix::process::geteuid;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

#[test]
fn arguments_environment_directory_and_input_are_as_they_were_asked_for() {
    let directory = Directory::new();
    let spawn = Process::command("sh")
        .args(["-c", "echo \"$0 $1\"; echo $COLOUR; pwd; cat; echo; env | grep -c ^PATH=", "zero"])
        .arg("one two")
        .env("COLOUR", "blue")
        .cwd(&directory.0)
        .stdin("some\ninput")
        .env_remove("PATH");
    let process = spawn.spawn();
    let place = fs::canonicalize(&directory.0).unwrap();
    let expected = format!("zero one two\nblue\n{}\nsome\ninput\n0\n", place.display());
    assert_eq!(process.output(Stream::Stdout).rest(), expected);
    process.expect("it ends").exit_code(1);
}

#[test]
fn without_its_testers_environment_it_is_found_all_the_same() {
    let word = unique();
    let process = Process::sh("/usr/bin/env; setsid sleep 1000 & echo born; exit 0")
        .env_clear()
        .env("WORD", &word)
        .env("PATH", "/usr/bin:/bin")
        .spawn();
    let lines = process.output(Stream::Stdout).all_until("born");
    assert!(lines.iter().any(|line| line.starts_with(harness::process::TREE)), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.starts_with("CARGO")), "{lines:#?}");
    process.expect("the first one ends").exit_code(0);
    process.expect("the orphan is seen").descendants(1);
    drop(process);
    assert!(bearing(&word).is_empty());
}

#[test]
fn input_that_is_longer_than_a_pipe_holds_keeps_nobody_waiting() {
    let bytes = "0123456789abcde\n".repeat(50_000);
    let process = Process::sh("cat; echo; echo end").stdin(bytes.clone()).spawn();
    process.expect("it ends").exit_code(0);
    let all = process.output(Stream::Stdout).rest();
    assert!(bytes.ends_with(&all[..all.len() - "\nend\n".len()]), "the end of it, as much as is kept");
    assert_eq!(all.lines().count(), 10_000);
    // One that reads nothing of it.
    let process = Process::sh("exec 0</dev/null; echo deaf; sleep 1000").stdin(bytes).spawn();
    process.expect("it goes on").line("deaf");
    process.expect("what is left is told").tree("the story says so", |_| true);
    assert!(!process.ends_within(std::time::Duration::ZERO));
}

#[test]
fn a_conversation_goes_on_until_its_input_is_closed() {
    let process =
        Process::sh("while read -r line; do echo \"you said $line\"; done; echo over").stdin_open().spawn();
    for word in ["one", "two"] {
        process.send(format!("{word}\n"));
        let heard = process.expect("it answers").line("you said {word}");
        assert_eq!(&heard["word"], word);
    }
    process.close_stdin();
    process.expect("it hears the end").line("over");
    process.expect("it ends").exit_code(0);
}

#[test]
fn its_outputs_may_be_somebody_elses() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let process = Process::sh("echo there; echo here >&2").stdout(Stdio::from(writer)).spawn();
    process.expect("it says so").line_on(Stream::Stderr, "here");
    let mut there = String::new();
    std::io::Read::read_to_string(&mut reader, &mut there).unwrap();
    assert_eq!(there, "there\n");
    assert_eq!(process.output(Stream::Stdout).rest(), "");
}

#[test]
fn one_of_another_user_has_no_groups_of_its_tester_and_nothing_is_left_of_it_either() {
    let word = unique();
    let daemon = "id -u; id -g; id -G; setsid sleep 1000 & echo born; exit 0";
    let other = |spawn: Spawn| spawn.env("WORD", &word).user(4242, 4343);
    if !geteuid().is_root() {
        let told = other(Process::sh(daemon)).try_spawn().unwrap_err().to_string();
        assert!(told.contains("cannot make it another user's"), "{told}");
        return;
    }
    let process = other(Process::sh(daemon)).spawn();
    let lines = process.output(Stream::Stdout).all_until("born");
    assert_eq!(lines, ["4242", "4343", "4343", "born"]);
    process.expect("the first one ends").exit_code(0);
    process.expect("the orphan is seen").descendants(1);
    drop(process);
    assert!(bearing(&word).is_empty());
}

#[test]
fn what_cannot_be_started_is_told_with_the_reason() {
    let directory = Directory::new();
    let script = |name: &str, text: &str, mode| {
        let path = directory.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let rows: [(Spawn, &[&str]); 7] = [
        (Process::command("no-such-program"), &["cannot start `no-such-program`", "in no directory of PATH"]),
        (Process::command("./no/such"), &["cannot start `./no/such`", "there is no such file"]),
        (Process::bin("/no/server"), &["there is no such file", "env!(\"CARGO_BIN_EXE_name\")"]),
        (Process::example("no-example"), &["examples/no-example`", "`cargo test` builds examples"]),
        (Process::bin(script("text", "hello", 0o644)), &["it is no file that may be executed"]),
        (
            Process::bin(script("lost", "#!/no/interpreter\n", 0o755)),
            &["it exists, but not the interpreter or loader"],
        ),
        (Process::sh("true").cwd("/no/where"), &["`/bin/sh`", "its directory `/no/where` does not exist"]),
    ];
    for (spawn, words) in rows {
        let error = spawn.try_spawn().expect_err("it cannot be started");
        assert_contains(&error.to_string(), words);
    }
}
