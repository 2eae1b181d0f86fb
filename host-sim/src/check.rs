//! What must hold after every event, one rule a file. The ids are those of the project's list of
//! invariants.

mod failure_path;
mod fairness;
mod fleet;
mod kick;
mod livelock;
mod purity;
pub(crate) mod truth;

pub(crate) use fleet::ledger::Stop;

use crate::kernel::Nanos;
use crate::trace::{StableHasher, mix};
use host_core::event::Event;
use host_core::sys::Fact;
use std::fmt;
use std::time::Duration;

/// The rules, with their sentences.
pub(crate) const RULES: &[(&str, &str)] = &[
    ("S1", "a worker is killed for hanging only if its last visible beat is older than the threshold"),
    ("S2", "a verdict goes by signs of life of the same incarnation, not of a predecessor in its slot"),
    ("S3", "no decision depends on the wall clock: a jump of it changes nothing"),
    (
        "S4",
        "nobody is condemned by what was read before, nor for a time in which the host itself did not run",
    ),
    ("S5", "a worker that makes progress is never killed for hanging"),
    ("S6", "a kick ends the host if and only if its own heartbeat is older than the threshold"),
    ("S7", "the signs of life of an incarnation, as the host reads them, only grow"),
    ("S8", "a worker that boots is judged by its boot timeout"),
    (
        "S9",
        "each signal is harder than the last, and KILL comes after its grace or for a reason that is known",
    ),
    ("S10", "signals go only to the worker that was decided on, while it is not reaped"),
    ("S11", "a worker is killed once"),
    ("S12", "what is kept of a death is what was ordered and what was reaped"),
    ("S13", "no more workers stay than are wanted, and as many as may be replaced in advance"),
    ("S14", "every child that has died is reaped before the host waits again"),
    ("S15", "news of a process that is nobody's worker changes nothing"),
    ("S16", "a slot is used again only after its worker was reaped, by a younger incarnation"),
    ("S17", "a slot is filled no sooner than its backoff after a young death, whatever happens meanwhile"),
    ("S18", "a restart budget that is used up leads to the documented state, once"),
    ("S19", "a fork that fails is no death, and is tried again later"),
    ("S21", "as many workers are wanted as the signals, the calls and the load that were heard of make"),
    ("S22", "who ends because it was asked to is no failure"),
    ("S23", "the host has no more descriptors than its workers need"),
    ("S34", "no busy spin: what is reported time and again is served"),
    ("S35", "a readable source is served within a bounded number of turns of all others"),
    ("S36", "an unhandled error takes the documented path, once"),
    ("S37", "a worker that was asked to quit takes no new work"),
    ("S38", "the host ends after its last child was reaped"),
    (
        "S41",
        "a pid file is empty or has a whole number; one host has it at a time, and nobody else removes it",
    ),
    ("S42", "when the host dies its workers end as their policy says"),
    ("S43", "a fresh worker's signals are set as documented, none held back, none pending"),
    ("S44", "the same state, event and moment give the same actions"),
    ("S45", "no panic, no deadline in the past"),
    ("S46", "while a worker is ready and stays, each lane is minded by one that does"),
    ("S47", "once USR1 was heard, nobody goes on writing to a log file that was renamed"),
    (
        "S48",
        "where the load says how many are wanted, it is what a look has found that says so, within the bounds",
    ),
    ("S49", "a worker is replaced for its memory only if a sample, none of them early, has found too much"),
    ("S50", "a worker that says that it can serve has become what its fleet says"),
    ("H1", "the host's own invariants hold"),
    ("H2", "the host ends only when it was told to"),
    ("L1", "once faults stop, as many workers are ready as are wanted"),
    ("L2", "a worker that truly hangs is dead within its threshold, whatever else goes wrong"),
    ("L3", "everything that was begun comes to an end once faults stop"),
    ("L4", "a stop comes to its end within its bound, whatever workers ignore"),
    ("L6", "a degraded fleet is well again once its workers live"),
    ("L7", "slots that are broken for ever take nobody away who serves, nor keep anybody from it"),
    ("L8", "no livelock: what is told and ordered brings something about"),
    ("twin", "the same seed gives the same run"),
    ("test", "what the test itself demands holds"),
];

/// A rule was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule: `S6`.
    pub id: &'static str,
    /// The rule as a sentence.
    pub sentence: &'static str,
    /// What was seen.
    pub detail: String,
}

impl Violation {
    /// The rule `id` was broken; `detail` says what was seen.
    ///
    /// # Panics
    /// If there is no such rule.
    pub fn new(id: &'static str, detail: String) -> Self {
        let rule = RULES.iter().find(|(known, _)| *known == id);
        let (id, sentence) = rule.expect("a rule of the list");
        Self { id, sentence, detail }
    }
}

/// `S6: a kick ends …; seen: …`.
impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; seen: {}", self.id, self.sentence, self.detail)
    }
}

/// All checkers, fed with the same facts.
#[derive(Default)]
pub(crate) struct Checks {
    kick: kick::KickCheck,
    fairness: fairness::FairnessCheck,
    failure_path: failure_path::FailurePathCheck,
    purity: purity::PurityCheck,
    fleet: fleet::FleetCheck,
    livelock: livelock::LivelockCheck,
    /// No rule: what should happen in some run.
    marks: crate::marks::decisions::Decisions,
    facts: u64,
    decisions: u64,
    /// Some service has opened a socket.
    opened: bool,
}

impl Checks {
    /// A fact or an order of the host passed.
    pub(crate) fn on_fact(&mut self, now: Nanos, fact: &Fact<'_>, violation: &mut Option<Violation>) {
        self.facts += 1;
        match fact {
            Fact::Event(_, event) => {
                self.opened |= matches!(event, Event::Opened { .. });
                self.decisions = mix(self.decisions, StableHasher::of(event));
            }
            Fact::Action(action) => self.decisions = mix(self.decisions, StableHasher::of(action)),
            Fact::Begin(_) | Fact::Settled(_) => {}
        }
        let mut broken = |found: Option<Violation>| {
            if let (None, Some(found)) = (&violation, found) {
                *violation = Some(found);
            }
        };
        if matches!(fact, Fact::Begin(_)) {
            // A host that was started again is another host.
            *self = Self { facts: self.facts, decisions: self.decisions, ..Self::default() };
        }
        broken(self.purity.on_fact(fact));
        self.kick.on_fact(now, fact);
        broken(self.fairness.on_fact(fact));
        broken(self.failure_path.on_fact(fact));
        broken(self.fleet.on_fact(now, fact));
        broken(self.livelock.on_fact(now, fact));
        self.marks.on_fact(fact);
    }

    /// The host as its facts make it.
    pub(crate) fn host(&self) -> Option<&host_core::host::Host> {
        self.purity.shadow()
    }

    /// Whether some service has ever opened a socket.
    pub(crate) fn opened_sockets(&self) -> bool {
        self.opened
    }

    /// The host asks a function of its author's.
    pub(crate) fn on_deciding(&mut self, now: Nanos) {
        self.kick.on_deciding(now);
    }

    /// The host blocks in its poller, or comes back from it.
    pub(crate) fn on_waiting(&mut self, now: Nanos, waiting: bool) {
        self.kick.on_waiting(now, waiting);
    }

    /// A kick was judged.
    pub(crate) fn on_kick(
        &mut self,
        now: Nanos,
        hung: bool,
        threshold: Duration,
        violation: &mut Option<Violation>,
    ) {
        if violation.is_none() {
            *violation = self.kick.on_kick(now, hung, threshold);
        }
    }

    /// The rolling hash of all facts and orders.
    pub(crate) fn decisions(&self) -> u64 {
        self.decisions
    }

    /// How many facts and orders passed.
    pub(crate) fn facts(&self) -> u64 {
        self.facts
    }
}

#[cfg(test)]
mod tests {
    use super::RULES;

    #[test]
    fn the_documents_list_each_rule_with_its_sentence() {
        let document = include_str!("../../TESTING.md");
        for (id, sentence) in RULES {
            assert!(
                document.contains(&format!("| {id} | {sentence} |")),
                "TESTING.md lacks {id}: {sentence}"
            );
        }
    }
}
