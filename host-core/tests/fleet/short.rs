//! Every short sequence of facts about two workers.

use crate::rig::*;
use host_core::sys::Signal;

/// What may happen next: each is a fact that a driver could tell at that moment, or nothing.
type Letter = fn(&mut Rig);

const ALPHABET: [Letter; 8] = [
    // Time goes on to the next deadline, and what is wanted to be known then is told.
    |rig| {
        if rig.host.next_deadline().is_some() {
            let words = rig.tell(at_deadline());
            if words.contains("read a") {
                rig.tell(beats("a"));
            }
        }
    },
    // Whoever was ordered is born.
    |rig| {
        if let Some(worker) = { rig.checker.forking().next() } {
            rig.tell(born(&name(worker)));
        }
    },
    // The youngest is ready, and busy from then on: it hangs.
    |rig| {
        if let Some(worker) = { rig.checker.living().last() } {
            rig.tell(all([busy(&name(worker)), ready(&name(worker))]));
        }
    },
    // The first dies.
    |rig| {
        if let Some(worker) = { rig.checker.living().next() } {
            rig.tell(exits(&name(worker), 1));
        }
    },
    // The first has served enough.
    |rig| {
        if let Some(worker) = { rig.checker.living().next() } {
            rig.tell(enough(&name(worker)));
        }
    },
    // A fork fails.
    |rig| {
        if let Some(worker) = { rig.checker.forking().next() } {
            rig.tell(unborn(&name(worker)));
        }
    },
    |rig| drop(rig.tell(signal(Signal::Winch))),
    |rig| drop(rig.tell(signal(Signal::Ttou))),
];

/// Plays all sequences of so many letters; the checks are those of the rig. How many there were.
fn play(rig: &Rig, letters: u32) -> u32 {
    if letters == 0 {
        return 1;
    }
    let mut count = 0;
    for letter in ALPHABET {
        let mut next = rig.clone();
        letter(&mut next);
        // What changed nothing was played with one letter less.
        if next.host != rig.host {
            count += play(&next, letters - 1);
        }
    }
    count
}

#[test]
fn every_short_sequence_from_the_start_keeps_the_promises() {
    let count = play(&Rig::started(with(2, |fleet| fleet.restart_budget = budget(2, 1_000 * MS))), 6);
    assert!(count > 10_000, "only {count} sequences were tried");
}

#[test]
fn every_short_sequence_after_the_start_keeps_the_promises() {
    let count = play(&Rig::up(with(2, |fleet| fleet.restart_budget = budget(2, 1_000 * MS))), 5);
    assert!(count > 2_000, "only {count} sequences were tried");
}

#[test]
fn every_short_sequence_ends_when_it_is_asked_to() {
    fn stops(rig: &Rig, letters: u32) {
        let mut rig_stopped = rig.clone();
        rig_stopped.tell(signal(Signal::Term));
        for _ in 0..50 {
            rig_stopped.tell(tick());
            if rig_stopped.checker.is_finished() {
                break;
            }
            for worker in rig_stopped.checker.forking().collect::<Vec<_>>() {
                rig_stopped.tell(born(&name(worker)));
            }
            let asked: Vec<_> =
                rig_stopped.checker.living().filter(|worker| rig_stopped.checker.is_asked(*worker)).collect();
            for worker in asked {
                rig_stopped.tell(exits(&name(worker), 0));
            }
        }
        assert!(rig_stopped.checker.is_finished(), "a stop that never ends");
        if letters > 0 {
            for letter in ALPHABET {
                let mut next = rig.clone();
                letter(&mut next);
                if next.host != rig.host {
                    stops(&next, letters - 1);
                }
            }
        }
    }
    stops(&Rig::started(workers(2)), 3);
    stops(&Rig::up(workers(2)), 3);
}
