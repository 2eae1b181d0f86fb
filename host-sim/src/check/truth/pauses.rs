//! When the host itself did not run, as the machine knows it.

use crate::kernel::{Index, Kernel, MILLISECOND, Nanos};
use host_core::event::Event;
use host_core::sys::Signal;

/// The times in which a host was stopped, passed over by its scheduler, or in code that is not its own.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    /// In the order of their beginnings; they may overlap.
    spans: Vec<Span>,
    /// When the host last ticked: until then it had heard of everything.
    ticked: Nanos,
}

#[derive(Debug)]
struct Span {
    kind: Kind,
    /// When the host had last ticked before it.
    ticked: Nanos,
    from: Nanos,
    until: Option<Nanos>,
    known: Known,
}

/// How far a host can know of a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Known {
    /// Not at all: nothing was due in it.
    No,
    /// It woke late, and cannot tell when the pause began: so the look at that moment condemns nobody, and the next
    /// one goes by what that one has read.
    Late,
    /// It was told that it goes on (CONT), and hears of it in its first wake.
    Told,
}

/// Why a host takes part in nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is stopped, or not scheduled.
    Halted,
    /// It is in a callback that computes.
    Busy,
}

/// Being late by less is the ordinary course of a busy machine; the documented tolerance of hosts.
const TOLERANCE: Nanos = 5 * MILLISECOND;

impl Pauses {
    fn begin(&mut self, now: Nanos, kind: Kind) {
        let ticked = self.ticked.min(now);
        self.spans.push(Span { kind, ticked, from: now, until: None, known: Known::No });
    }

    fn end(&mut self, now: Nanos, kind: Kind, known: Known) {
        if let Some(span) = self.spans.iter_mut().rfind(|span| span.kind == kind && span.until.is_none()) {
            span.until = Some(now);
            span.known = span.known.max(known);
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "two facts tell whether the host has run")]
    pub(super) fn on_event(&mut self, now: Nanos, event: &Event) {
        match event {
            Event::Tick => self.ticked = now,
            Event::Signalled(Signal::Cont) => {
                let ticked = self.ticked;
                if let Some(span) =
                    self.spans.last_mut().filter(|span| span.until.is_some_and(|until| until >= ticked))
                {
                    span.known = Known::Told;
                }
                // It may not have been stopped at all; how would it know?
                self.begin(now, Kind::Halted);
                self.end(now, Kind::Halted, Known::No);
            }
            _ => {}
        }
    }

    /// How much of the time from `since` to `now` the host has missed at most, however it reckons: also what
    /// it waited before a pause may count, for it cannot tell when the pause began.
    pub(super) fn missed(&self, since: Nanos, now: Nanos) -> Nanos {
        overlap(since, now, self.spans.iter().map(|span| (span.ticked, span.until)))
    }

    /// How long it was halted in that time, as far as it can know of it in the first look since `looked`.
    pub(super) fn halted(&self, since: Nanos, now: Nanos, looked: Nanos) -> Nanos {
        let known = |span: &&Span| {
            let until = span.until.unwrap_or(now);
            let known = match span.known {
                Known::No => false,
                Known::Late => until >= looked,
                Known::Told => true,
            };
            span.kind == Kind::Halted && known && until - span.from > TOLERANCE
        };
        overlap(since, now, self.spans.iter().filter(known).map(|span| (span.from, span.until)))
    }
}

/// How much of the time from `since` to `now` lies in `spans`.
fn overlap(since: Nanos, now: Nanos, spans: impl Iterator<Item = (Nanos, Option<Nanos>)>) -> Nanos {
    let (mut sum, mut reach) = (0, since);
    for (from, until) in spans {
        let (from, until) = (from.max(reach), until.unwrap_or(now).min(now));
        if until > from {
            sum += until - from;
            reach = until;
        }
    }
    sum
}

impl Kernel {
    /// A process stops taking part.
    pub(crate) fn check_pause(&mut self, index: Index, kind: Kind) {
        if Some(index) == self.host {
            self.truths.pauses.begin(self.now, kind);
        }
    }

    /// And takes part again.
    pub(crate) fn check_resumption(&mut self, index: Index, kind: Kind) {
        if Some(index) != self.host {
            return;
        }
        if let Some(span) = self.truths.pauses.spans.last_mut().filter(|_| self.laid.single_events) {
            // Only if it turns out to be the first thing that the poller tells.
            span.known = Known::No;
        }
        let due = self.checks.host().and_then(|host| host.next_deadline());
        let late = due.is_some_and(|due| due.at.as_nanos() + TOLERANCE < self.now);
        self.truths.pauses.end(self.now, kind, if late { Known::Late } else { Known::No });
    }

    /// A process that reads it is sent CONT: that it was stopped is no secret, unless its poller has so much else
    /// to tell that this comes later.
    pub(crate) fn check_continuation(&mut self, index: Index) {
        if Some(index) == self.host
            && !self.laid.single_events
            && let Some(span) = self.truths.pauses.spans.last_mut()
            && span.until.is_none()
        {
            span.known = Known::Told;
        }
    }

    /// A signal that stops by default takes a pending CONT away (signal(7)), also where it stops nobody: then nobody
    /// is told that the pause is over.
    pub(crate) fn check_continuation_lost(&mut self, index: Index) {
        if Some(index) == self.host {
            let ticked = self.truths.pauses.ticked;
            for span in self.truths.pauses.spans.iter_mut().rev() {
                if span.until.is_some_and(|until| until < ticked) {
                    break;
                }
                span.known = Known::No;
            }
        }
    }

    /// Whether the host can do anything about its workers now.
    pub(super) fn host_takes_part(&self, host: Index) -> bool {
        let process = &self.processes[host as usize];
        let busy = process.doing == crate::kernel::poller::COMPUTING;
        process.begun && !busy && !process.is_halted() && process.truth.hung_since.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_missed_is_counted_once_and_from_the_last_tick_before_it() {
        let mut pauses = Pauses { ticked: 10, ..Pauses::default() };
        pauses.begin(20, Kind::Halted);
        pauses.begin(25, Kind::Busy);
        pauses.end(30, Kind::Busy, Known::No);
        pauses.end(40, Kind::Halted, Known::No);
        pauses.on_event(41, &Event::Tick);
        pauses.begin(50, Kind::Halted);
        for (since, now, missed) in [(0, 45, 34), (15, 45, 29), (35, 60, 24), (60, 70, 10), (0, 5, 0)] {
            assert_eq!(pauses.missed(since, now), missed, "from {since} to {now}");
        }
    }

    #[test]
    fn only_what_the_host_can_know_of_and_is_long_counts_as_halted() {
        let mut pauses = Pauses::default();
        let spans = [
            (10, 20, Known::Told),
            (30, 40, Known::No),
            (50, 52, Known::Told),
            (60, 70, Known::Told),
            (80, 90, Known::Late),
        ];
        for (from, until, known) in spans {
            pauses.begin(from * MILLISECOND, Kind::Halted);
            pauses.end(until * MILLISECOND, Kind::Halted, known);
        }
        for (since, now, looked, halted) in [(15, 65, 0, 10), (0, 95, 85, 30), (0, 95, 91, 20)] {
            let found = pauses.halted(since * MILLISECOND, now * MILLISECOND, looked * MILLISECOND);
            assert_eq!(found, halted * MILLISECOND, "from {since} to {now}, and looked at {looked}");
        }
    }
}
