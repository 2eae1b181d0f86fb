//! Who belongs to a tree, and what is seen of them.

use crate::world::exists;
use harness::Process;
use harness::process::{Node, Signal, State, Tree};

#[test]
fn a_zombie_is_told_from_the_living() {
    // A parent that asks for nobody's status.
    let process = Process::sh("sh -c 'echo dying; exit 5' & exec sleep 1000").spawn();
    process.expect("one dies").line("dying");
    let tree = process.expect("it is not reaped").tree("a zombie", |tree| tree.zombies().count() == 1);
    let zombie = tree.zombies().next().unwrap();
    assert_eq!((zombie.state, zombie.parent, zombie.is_alive()), (State::Zombie, process.pid(), false));
    process.expect("no living child").children(0);
    assert!(
        process.report().contains(&format!("{} `sh` died: exit status 5", zombie.pid())),
        "{}",
        process.report()
    );
    // Once its parent is gone it is this process's to reap, and is.
    process.signal(Signal::KILL);
    process.expect("the parent is killed").killed_by(Signal::KILL);
    process.expect("it is reaped").tree("no zombie", |tree| tree.zombies().count() == 0);
    assert!(!exists(zombie.pid()));
}

#[test]
fn names_states_and_sessions_are_as_the_kernel_has_them() {
    let process = Process::sh("setsid sleep 1000 & sleep 1000 & echo born; wait").spawn();
    process.expect("both are born").line("born");
    let sleeps = |node: &&Node| node.name == "sleep" && node.state == State::Sleeping;
    let is_there = |tree: &Tree| tree.iter().filter(sleeps).count() == 2;
    let tree = process.expect("both are seen").tree("two that sleep", is_there);
    let root = tree.root().unwrap();
    assert_eq!((root.pid(), root.parent, root.depth), (process.pid(), std::process::id(), 0));
    assert_eq!(root.group, root.pid(), "the leader of its group");
    for child in tree.children_of(root.pid()) {
        assert_eq!(child.depth, 1);
        assert!(child.id.start >= root.id.start);
    }
    let leaders = tree.iter().filter(|node| node.session == node.pid()).count();
    assert_eq!(leaders, 1, "{tree}");
}

#[test]
fn who_was_seen_once_belongs_to_it_wherever_it_goes() {
    // No mark, a session of its own, and soon no parent.
    let script = "env -i /usr/bin/setsid /bin/sleep 1000 & read line; exit 0";
    let process = Process::sh(script).stdin_open().spawn();
    let is_away = |tree: &Tree| tree.iter().any(|node| node.name == "sleep");
    process.expect("it is away").tree("one that sleeps", is_away);
    process.send("\n");
    process.expect("its parent ends").exit_code(0);
    let orphan = process.expect("it is left").descendants(1).remove(0);
    assert_eq!(orphan.parent, std::process::id(), "adopted by this process");
    drop(process);
    assert!(!exists(orphan.pid()));
}

#[test]
fn who_is_in_a_session_that_was_begun_here_belongs_to_it() {
    // It has no mark, its parent ends at once, and it comes when nobody looks.
    let daemon = "echo daemon; read go <&3; (/bin/sleep 1000 & echo born $!); exec /bin/sleep 1000";
    let script = format!("exec 3<&0; env -i /usr/bin/setsid /bin/sh -c '{daemon}' & wait");
    let process = Process::sh(&script).stdin_open().spawn();
    process.expect("it is away").line("daemon");
    assert!(process.tree().iter().any(|node| node.session == node.pid()), "it is seen");
    process.send("go\n");
    let orphan = process.expect("the last one is born").line("born {pid}").parse::<u32>("pid");
    process.expect("it is seen").tree("it is adopted", |tree| {
        tree.find(orphan).is_some_and(|node| node.parent == std::process::id())
    });
    drop(process);
    assert!(!exists(orphan));
}

#[test]
fn a_process_of_another_test_is_not_looked_at() {
    let other = Process::sh("sleep 1000").spawn();
    let process = Process::sh("sleep 1000").spawn();
    // Neither are those of nobody: the guard, and what std starts.
    let mut stranger = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let tree = process.tree();
    assert_eq!(tree.iter().filter(|node| node.pid() == process.pid()).count(), 1);
    for pid in [other.pid(), stranger.id()] {
        assert!(tree.find(pid).is_none(), "{tree}");
    }
    drop(process);
    assert!(!other.ends_within(std::time::Duration::ZERO));
    assert!(stranger.try_wait().unwrap().is_none(), "it lives, and its status is its parent's");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}
