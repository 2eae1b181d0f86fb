//! What may be expected, and what comes to pass.

use crate::world::{assert_contains, words_of};
use harness::Process;
use harness::process::{Signal, State, Stream};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// Keeps two children, and says who comes for whom.
const SUPERVISOR: &str = "
    start() { sleep 1000 & eval \"child_$1=$!\"; echo \"worker $1 is $!\"; }
    start 1; start 2
    while :; do
        for n in 1 2; do
            eval pid=\\$child_$n
            kill -0 $pid 2>/dev/null || { wait $pid; echo \"worker $n died with $?\"; start $n; }
        done
        sleep 0.01
    done";

#[test]
fn an_end_by_itself_and_by_a_signal() {
    let process = Process::sh("exit 3").spawn();
    assert_eq!(process.expect("it ends").exit().code(), Some(3));
    process.expect("it has ended").exit_code(3);
    assert_eq!(process.status().and_then(|status| status.code()), Some(3));

    let process = Process::sh("sleep 1000").spawn();
    assert!(!process.ends_within(10 * MS));
    assert_eq!(process.status(), None);
    process.signal(Signal::TERM);
    process.expect("it is killed").killed_by(Signal::TERM);
    // As a zombie it takes signals without effect, and its number is nobody else's.
    process.signal(Signal::TERM);
    assert!(process.ends_within(Duration::ZERO));
}

#[test]
fn a_count_of_children_and_of_all_who_are_below() {
    let process = Process::sh("for n in 1 2 3; do (sleep 1000 & sleep 1000 & wait) & done; wait").spawn();
    let children = process.expect("three children").children(3);
    process.expect("two below each").descendants(9);
    assert!(children.iter().all(|child| child.parent == process.pid()));
    process.signal_to(&children[1], Signal::KILL);
    process.expect("one is killed").death_of(&children[1]);
    process.expect("two children").children(2);
    // Its own children have lost their parent, and belong here all the same.
    process.expect("the orphans stay").descendants(8);
}

#[test]
fn one_who_dies_is_replaced() {
    let process = Process::sh(SUPERVISOR).spawn();
    process.expect("both run").line("worker 2 is {pid}");
    // The supervisor's own pauses are children as well.
    let sleeping = |tree: &harness::process::Tree| tree.children_of(process.pid()).count() >= 2;
    let tree = process.expect("both are seen").tree("two children", sleeping);
    let first = process.output(Stream::Stdout).until("worker 1 is {pid}").parse::<u32>("pid");
    let worker = tree.find(first).expect("worker 1").clone();
    process.signal_to(&worker, Signal::KILL);
    process.expect("it dies").death_of(&worker);
    let next = process.expect("it is replaced").line("worker 1 is {pid}").parse::<u32>("pid");
    assert_ne!(next, first);
    let tree = process.tree();
    assert_eq!(tree.find(next).map(|node| node.parent), Some(process.pid()));
    assert!(tree.find(first).is_none(), "it was reaped");
}

#[test]
fn the_replacement_is_another_child_of_the_same_parent() {
    let script = "while :; do sleep 1000 & wait $!; done";
    let process = Process::sh(script).spawn();
    let mut worker = process.expect("a worker").children(1).remove(0);
    for _ in 0..3 {
        process.signal_to(&worker, Signal::KILL);
        let next = process.expect("it is replaced").respawn_of(&worker);
        assert_ne!(next.id, worker.id);
        assert_eq!(next.parent, process.pid());
        worker = next;
    }
    // Nobody has died: the one who is there is no replacement.
    let words = words_of(|| drop(process.expect("a replacement").within(30 * MS).respawn_of(&worker)));
    assert_contains(&words, &["a replacement", "another child of", "not within 30ms"]);
    process.signal(Signal::KILL);
    let words = words_of(|| drop(process.expect("a replacement").respawn_of(&worker)));
    assert_contains(&words, &["its parent, ", "is no longer alive"]);
}

#[test]
fn who_was_there_before_replaces_nobody() {
    let process = Process::sh("sleep 1000 & sleep 1000 & while :; do wait; done").spawn();
    let [first, _] = &process.expect("two workers").children(2)[..] else { panic!("two") };
    process.signal_to(first, Signal::KILL);
    process.expect("one dies").death_of(first);
    let words = words_of(|| drop(process.expect("a replacement").within(30 * MS).respawn_of(first)));
    assert_contains(&words, &["a replacement", "not within 30ms"]);
}

#[test]
fn a_replacement_in_advance_counts_from_the_death_on() {
    let process =
        Process::sh("sleep 1000 & read go; sleep 1000 & while :; do wait; done").stdin_open().spawn();
    let first = process.expect("one worker").children(1).remove(0);
    process.send("go\n");
    process.expect("two workers").children(2);
    let words = words_of(|| drop(process.expect("a replacement").within(30 * MS).respawn_of(&first)));
    assert_contains(&words, &["a replacement", "not within 30ms"]);
    process.signal_to(&first, Signal::KILL);
    assert_ne!(process.expect("a replacement").respawn_of(&first).id, first.id);
}

#[test]
fn nobody_is_left_when_the_last_orphan_has_ended() {
    let process =
        Process::sh("exec 3<&0; (setsid sh -c 'read line; exit 0' <&3 &); exit 0").stdin_open().spawn();
    process.expect("the first one ends").exit_code(0);
    process.expect("the orphan is there").descendants(1);
    let words = words_of(|| process.expect("all are gone").within(30 * MS).nobody());
    assert_contains(&words, &["all are gone", "wanted: nobody is left", "1 alive"]);
    process.send("\n");
    process.expect("all are gone").nobody();
    assert_eq!(process.tree().zombies().count(), 0, "the orphan was reaped here");
}

#[test]
fn who_is_stopped_and_continued_is_seen_to_be() {
    let process = Process::sh("sleep 1000").spawn();
    let is = |wanted: State| {
        move |tree: &harness::process::Tree| tree.root().is_some_and(|root| root.state == wanted)
    };
    process.signal(Signal::STOP);
    process.expect("it is stopped").tree("the root is stopped", is(State::Stopped));
    process.signal(Signal::CONT);
    process.expect("it goes on").tree("the root sleeps", is(State::Sleeping));
}

#[test]
fn a_signal_to_all_reaches_those_in_other_sessions() {
    let script = "exec 3<&0
                  trap 'echo first' USR1
                  setsid sh -c 'trap \"echo second\" USR1; echo ready; while :; do read line <&3; done' &
                  while :; do read line <&3; done";
    let process = Process::sh(script).stdin_open().spawn();
    process.expect("both listen").line("ready");
    process.signal_all(Signal::USR1);
    let heard = ["first", "second"].map(|word| process.output(Stream::Stdout).until(word).line().to_owned());
    assert_eq!(heard, ["first", "second"]);
    process.signal_all(Signal::KILL);
    process.expect("all are gone").nobody();
}
