//! Who starts and stops after whom, and who falls with whom.

use crate::kit::assert_contains;
use crate::three::{Three, fleets_of};
use rustix::process::Signal;

#[test]
fn fleets_start_in_order_each_when_the_one_before_it_is_ready() {
    let mut three = Three::bound("");
    // Two of each; whichever of two is the first.
    let notices: Vec<_> = (0..6).flat_map(|_| three.notices_until("is ready")).collect();
    assert_eq!(fleets_of(&notices, "starting"), ["db", "web", "mail"]);
    let begun = |name: &str| {
        let words = format!("fleet `{name}`: worker");
        notices.iter().position(|line| line.contains(&words)).unwrap()
    };
    for (before, after) in [("db", "web"), ("web", "mail")] {
        let ready = fleets_of(&notices[..begun(after)], "is ready");
        let count = ready.iter().filter(|name| *name == before).count();
        assert_eq!(count, 2, "{after} began before {before} was ready: {notices:#?}");
    }
}

#[test]
fn quit_drains_them_in_reverse_order_and_what_has_begun_in_the_last_holds_the_others() {
    let mut three = Three::ready(6, "");
    let (mut client, _) = three.served("mail");
    client.send("begun");
    three.signal(Signal::QUIT);
    three.notice("fleet `mail`: worker");
    // The others are there for it: one of them still answers.
    let (_, worker) = three.served("db");
    assert!(worker.is_alive());
    client.send(" and ended\n");
    assert_eq!(client.rest(), "begun and ended\n");
    let notices = three.program.stderr.rest();
    let notices: Vec<_> = notices.lines().map(str::to_owned).collect();
    assert_eq!(fleets_of(&notices, "nobody is left"), ["mail", "web", "db"]);
    let asked = |name: &str| {
        notices
            .iter()
            .position(|line| line.contains(&format!("fleet `{name}`")) && line.contains("sent QUIT"))
    };
    let empty = |name: &str| {
        notices.iter().position(|line| line.contains(&format!("fleet `{name}`: nobody is left")))
    };
    assert!(empty("mail") < asked("web") && empty("web") < asked("db"), "{notices:#?}");
    assert_eq!(three.program.end().code(), Some(0));
    assert_eq!(three.program.members(), [0; 0]);
}

/// Kills a worker of web, and waits until so many of `last` are ready, with whom all is well again: whose workers
/// fell with it, in order.
fn fallen_with_one_of_web(strategy: &str, last: &str, count: usize) -> Vec<String> {
    let mut three = Three::ready(6, &format!("--strategy {strategy}"));
    let (_client, worker) = three.served("web");
    worker.signal(Signal::KILL);
    let mut notices = Vec::new();
    while fleets_of(&notices, "is ready").iter().filter(|name| *name == last).count() < count {
        notices.extend(three.notices_until("is ready"));
    }
    assert_eq!(fleets_of(&notices, "signal KILL"), ["web"], "whoever fell was asked to: {notices:#?}");
    for name in ["db", "web", "mail"] {
        assert!(three.served(name).1.is_alive());
    }
    three.signal(Signal::TERM);
    let rest = three.program.stderr.rest();
    assert_eq!(three.program.end().code(), Some(0));
    assert_eq!(three.program.members(), [0; 0]);
    let words = "sent QUIT: a worker that it belongs with has died";
    assert!(!rest.contains(words), "nobody else fell: {rest}");
    fleets_of(&notices, words)
}

#[test]
fn one_for_one_nobody_falls_with_a_worker() {
    assert_eq!(fallen_with_one_of_web("one-for-one", "web", 1), [""; 0]);
}

#[test]
fn rest_for_one_the_fleets_after_it_fall() {
    assert_eq!(fallen_with_one_of_web("rest-for-one", "mail", 2), ["mail", "mail"]);
}

#[test]
fn one_for_all_all_fall_the_last_fleet_first() {
    // Of web the other one, and perhaps the replacement, which was there at once.
    let mut fallen = fallen_with_one_of_web("one-for-all", "mail", 2);
    fallen.dedup();
    assert_eq!(fallen, ["mail", "web", "db"]);
}

#[test]
fn rest_for_one_whoever_fell_starts_again_behind_the_replacement() {
    let mut three = Three::ready(6, "--strategy rest-for-one");
    let (_client, _) = three.misbehave("db", "!crash");
    let notices = three.notices_until("fleet `mail`: worker 1 (incarnation 2) is ready");
    assert_eq!(
        fleets_of(&notices, "sent QUIT"),
        ["mail", "mail", "web", "web"],
        "in reverse order: {notices:#?}"
    );
    assert_eq!(fleets_of(&notices, "created"), ["db", "web", "web", "mail", "mail"], "{notices:#?}");
    assert_contains(notices.iter().find(|line| line.contains("ABRT")).unwrap(), ["fleet `db`", "unasked"]);
    for name in ["web", "mail"] {
        assert!(three.served(name).1.is_alive());
    }
}
