//! Many at once, in the threads of one test process.

use crate::world::{bearing, exists, unique};
use harness::Process;
use harness::process::Signal;
use std::process::Command;
use std::thread;

const THREADS: i32 = 8;
const ROUNDS: i32 = 5;

#[test]
fn nobody_takes_anothers_children_nor_their_statuses() {
    let word = unique();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let word = word.clone();
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    one_test(thread, round, &word);
                }
            });
        }
        // Children of std are nobody's business, and wait for their parent.
        scope.spawn(|| {
            for round in 0..50 {
                let status = Command::new("sh").args(["-c", &format!("exit {round}")]).status().unwrap();
                assert_eq!(status.code(), Some(round));
            }
        });
    });
    assert!(bearing(&word).is_empty());
}

fn one_test(thread: i32, round: i32, word: &str) {
    let own = 10 * thread + round;
    let script = format!(
        "echo mine {own}; (setsid sh -c 'sleep 1000' &); sleep 1000 & sleep 1000 & read line; exit {own}"
    );
    let process = Process::sh(&script).env("WORD", word).stdin_open().spawn();
    let line = process.expect("it is mine").line("mine {number}");
    assert_eq!(line.parse::<i32>("number"), own);
    process.expect("two children").children(2);
    let all = process
        .expect("two children, the orphan and its child")
        .tree("four", |tree| tree.living().filter(|node| node.name == "sleep").count() == 3);
    process.send("\n");
    process.expect("it ends as it was told").exit_code(own);
    let orphans = process.tree().living().cloned().collect::<Vec<_>>();
    assert!(orphans.len() >= 3, "all outlive it");
    process.signal_to(&orphans[0], Signal::KILL);
    process.expect("one of them is killed").death_of(&orphans[0]);
    drop(process);
    assert!(all.iter().all(|node| !exists(node.pid())));
}
