//! What the host itself has missed: while it was stopped or starved it saw no beats, and that is no
//! worker's fault (S4; preforker's suspend guard, 2.2).

use crate::time::{Duration, Instant};
use alloc::collections::VecDeque;

/// The last times at which the host did not run when it should have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Pauses {
    /// From, to; the oldest first; they do not overlap.
    spans: VecDeque<(Instant, Instant)>,
}

/// More pauses than this within the life of one beat belong to a machine on which nobody can be judged;
/// the oldest are forgotten.
const SPANS_MAX: usize = 16;

impl Pauses {
    /// Being late by less than this is the ordinary course of a busy machine.
    pub(crate) const TOLERANCE: Duration = Duration::from_millis(5);

    /// How long a worker that was frozen with its host has to give a sign of life, once both go on. When the freeze
    /// began the host cannot tell: only that it is late.
    pub(crate) const CHANCE: Duration = Duration::from_millis(10);

    /// The host did not run from `from` to `to`. Reports come in the order of their ends.
    pub(crate) fn note(&mut self, mut from: Instant, mut to: Instant) {
        if from >= to {
            return;
        }
        // Two reports of one pause – an overdue deadline and the CONT that ended it – are one. Those that only
        // touch are two: so their number bounds what CONT after CONT can put off.
        while let Some((before, end)) = self.spans.back().copied().filter(|(_, end)| *end > from) {
            from = from.min(before);
            to = to.max(end);
            self.spans.pop_back();
        }
        if self.spans.len() == SPANS_MAX {
            self.spans.pop_front();
        }
        self.spans.push_back((from, to));
    }

    /// How much of the time since `since` the host has missed.
    pub(crate) fn missed_since(&self, since: Instant) -> Duration {
        self.spans.iter().map(|(from, to)| to.since((*from).max(since))).sum()
    }

    /// Forgets what nobody asks about any more: pauses that ended before `since`.
    pub(crate) fn forget_before(&mut self, since: Instant) {
        while self.spans.front().is_some_and(|(_, to)| *to < since) {
            self.spans.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn what_was_missed_is_counted_from_the_moment_asked_about() {
        let mut pauses = Pauses::default();
        assert_eq!(pauses.missed_since(at(0)), Duration::ZERO);
        pauses.note(at(10), at(20));
        pauses.note(at(30), at(35));
        for (since, missed) in [(0, 15), (10, 15), (15, 10), (20, 5), (30, 5), (34, 1), (35, 0), (99, 0)] {
            assert_eq!(pauses.missed_since(at(since)), Duration::from_nanos(missed), "since {since}");
        }
    }

    #[test]
    fn a_pause_that_is_reported_twice_counts_once() {
        type Row = (&'static str, &'static [(u64, u64)], u64);
        let rows: [Row; 7] = [
            ("the same", &[(10, 20), (10, 20)], 10),
            ("one that began before", &[(10, 20), (5, 20)], 15),
            ("one that ended later", &[(10, 20), (15, 22)], 12),
            ("one that is longer at both ends", &[(10, 20), (5, 22)], 17),
            ("one that spans two", &[(10, 12), (14, 16), (11, 20)], 10),
            ("one within another", &[(10, 20), (12, 20)], 10),
            ("none at all", &[(10, 20), (30, 30), (31, 30)], 10),
        ];
        for (name, spans, missed) in rows {
            let mut pauses = Pauses::default();
            spans.iter().for_each(|(from, to)| pauses.note(at(*from), at(*to)));
            assert_eq!(pauses.missed_since(at(0)), Duration::from_nanos(missed), "{name}");
        }
    }

    #[test]
    fn pauses_without_a_moment_between_them_are_bounded_all_the_same() {
        let mut pauses = Pauses::default();
        for start in 0..100 {
            pauses.note(at(start * 10), at(start * 10 + 10));
        }
        assert_eq!(pauses.missed_since(at(0)), Duration::from_nanos(160));
    }

    #[test]
    fn old_pauses_are_forgotten_and_their_number_is_bounded() {
        let mut pauses = Pauses::default();
        for start in 0..100 {
            pauses.note(at(start * 10), at(start * 10 + 1));
        }
        assert_eq!(pauses.missed_since(at(0)), Duration::from_nanos(16));
        pauses.forget_before(at(992));
        assert_eq!(pauses, Pauses::default());
    }
}
