//! What `sweep` promises: what it finds is told and replayed by a line, and its status says what kind it is.

use std::process::Command;

/// Sweeps the planted bug `name`; what it said, and its status.
fn sweep(arguments: &str, name: &str) -> (String, Option<i32>) {
    let line = format!("-p harness --test planted --profile test --seeds 20 --jobs 2 {arguments} {name}");
    let output = Command::new(env!("CARGO_BIN_EXE_sweep"))
        .args(line.split_whitespace())
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .env("HOST_SHRINK_SECONDS", "2")
        .env("HOST_RUN_SECONDS", "1")
        .env_remove("HOST_ENGINE")
        .output()
        .expect("the program was built");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (said, output.status.code())
}

#[test]
fn each_kind_of_failure_has_its_status_and_is_told() {
    let rows = [
        ("", "replies_are_whole", 10, "1 × safety"),
        ("", "waits_for_ever", 11, "1 × liveness"),
        ("", "computes_for_ever", 12, "1 × crash"),
        ("--twin", "peeks_at_a_real_clock", 13, "1 × nondeterminism"),
        ("", "peeks_at_a_real_clock", 0, "found: nothing"),
        ("", "s_for_ever", 12, "1 × crash, 1 × liveness"),
        ("", "no_such_test", 1, "there are no such tests"),
        ("--sedes 5", "", 2, "`--sedes` is no option"),
    ];
    for (arguments, name, status, told) in rows {
        let (said, ended) = sweep(arguments, name);
        assert_eq!(ended, Some(status), "{arguments} {name}:\n{said}");
        assert!(said.contains(told), "{arguments} {name}:\n{said}");
    }
}

#[test]
fn a_finding_is_told_with_the_lines_that_replay_it_and_the_seeds_are_counted() {
    let (said, _) = sweep("", "replies_are_whole");
    for expected in [
        "== replies_are_whole: seed 0 of replies_are_whole breaks test (safety)",
        "  replay: HOST_SEED=0 cargo test -p harness --test planted replies_are_whole",
        "  the small one alone: HOST_CHOICES=",
        "1 seeds of 1 tests in ",
    ] {
        assert!(said.contains(expected), "`{expected}` is not in:\n{said}");
    }
    let (said, status) = sweep("--from 0x10 --seeds 300", "peeks");
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("300 seeds of 1 tests in "), "{said}");
    let (said, status) = sweep("--seeds 1000000 --minutes 0.02", "peeks");
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("the time was over before all were run"), "{said}");
}

#[test]
fn marks_that_were_never_reached_are_listed_and_may_be_no_more_than_asked_for() {
    let rows = [("", 0), ("--marks-missed-max 1", 0), ("--marks-missed-max 0", 14)];
    for (arguments, status) in rows {
        let (said, ended) = sweep(&format!("--marks-of plant {arguments}"), "marks_what_happens");
        assert_eq!(ended, Some(status), "{arguments}:\n{said}");
        assert!(said.contains("1 of 2 marks were reached; never:\n  a host ends by itself  ("), "{said}");
    }
    // The tests of this library have to reach its own as well.
    for (arguments, status) in [("--marks-of host_sim", 0), ("", 0), ("--marks-missed-max 0", 14)] {
        let (said, ended) = sweep(arguments, "marks_what_happens");
        assert_eq!(ended, Some(status), "{arguments}:\n{said}");
        assert!(said.contains(" marks were reached; never:") && said.contains("a backlog is full"), "{said}");
        assert_eq!(said.contains("a host ends by itself"), !arguments.contains("host_sim"), "{said}");
    }
    // Where there are none, it demands nothing that they be reached; what is found counts for more.
    for (arguments, name, status) in [
        ("--marks-of nobody", "marks_what_happens", 0),
        ("--marks-of nobody --marks-missed-max 0", "marks_what_happens", 1),
        ("--marks-of nobody --marks-missed-max 0", "waits_for_ever", 11),
    ] {
        let (said, ended) = sweep(arguments, name);
        assert_eq!(ended, Some(status), "{arguments} {name}:\n{said}");
        assert_eq!(said.contains("no test that was run has any"), status == 1, "{said}");
    }
}

#[test]
fn what_was_reached_stays_where_somebody_wants_to_know_it() {
    let directory = std::env::temp_dir().join(format!("marks-of-a-sweep-{}", std::process::id()));
    let line = "-p harness --test planted --profile test --seeds 300 --marks-of plant marks_what_happens";
    let swept = Command::new(env!("CARGO_BIN_EXE_sweep"))
        .args(line.split_whitespace())
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .env("HOST_MARKS", &directory)
        .output()
        .expect("the program was built");
    assert!(swept.status.success(), "{swept:?}");
    let added = harness::marks::Ledger::read(&directory).expect("there are some").of(&["planted".into()]);
    std::fs::remove_dir_all(&directory).expect("it is there");
    assert!(added.to_string().starts_with("1 of 2 marks were reached"), "{added}");
}

#[test]
fn marks_are_added_up_by_hand_too() {
    let directory = std::env::temp_dir().join(format!("marks-by-hand-{}", std::process::id()));
    let marks = |more: &str| {
        let arguments = format!("{} {more}", directory.display());
        let program = Command::new(env!("CARGO_BIN_EXE_marks")).args(arguments.split_whitespace()).output();
        let output = program.expect("the program was built");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert_eq!(marks("").0, Some(1), "nobody has left anything");
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::write(directory.join("7.marks"), "1\tmine\ta.rs:1\tyes\n0\tmine\ta.rs:2\tno\n").expect("a file");
    assert_eq!(
        marks("--missed-max 0"),
        (Some(14), "1 of 2 marks were reached; never:\n  no  (a.rs:2)\n".to_owned())
    );
    assert_eq!(marks("--missed-max 1").0, Some(0));
    assert_eq!(marks("--of host-sim").0, Some(1), "there are none of these");
    assert_eq!(marks("--most 1").0, Some(2));
    std::fs::remove_dir_all(&directory).expect("it is there");
}
