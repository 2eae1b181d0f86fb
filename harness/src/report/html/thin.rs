//! What a browser can hold: of a run with more events than that, those that tell little are thinned out, and the
//! page says so.

use crate::report::model::{Mark, MarkKind, Model, Span, State, span};
use host_core::time::Duration;

/// How many marks a page has at most.
pub(in crate::report) const MARKS_MAX: usize = 100_000;
/// How many spans.
pub(in crate::report) const SPANS_MAX: usize = 100_000;

/// A kind with fewer marks than this is never thinned out.
const FEW: usize = MARKS_MAX / 50;

/// What is left.
pub(super) struct Thinned<'a> {
    pub(super) marks: Vec<&'a Mark>,
    /// By kind, before anything was left out.
    pub(super) counts: Vec<usize>,
    /// By kind: one in so many is drawn.
    every: Vec<usize>,
    /// Waits and work that are shorter than this are one span.
    shortest: Duration,
}

impl<'a> Thinned<'a> {
    pub(super) fn of(model: &'a Model) -> Self {
        let mut counts = vec![0; MarkKind::ALL.len()];
        for mark in &model.marks {
            counts[mark.kind as usize] += 1;
        }
        let every = every(&counts);
        let mut seen = vec![0; MarkKind::ALL.len()];
        let stays = |mark: &&Mark| {
            let kind = mark.kind as usize;
            seen[kind] += 1;
            (seen[kind] - 1usize).is_multiple_of(every[kind])
        };
        let marks = model.marks.iter().filter(stays).collect();
        Self { marks, counts, every, shortest: shortest(model) }
    }

    /// The spans of a lane, as they are drawn.
    pub(super) fn spans(&self, model: &Model, lane: usize) -> Vec<Span> {
        merged(&model.lanes[lane].spans, self.shortest)
    }

    /// What is left out, in sentences.
    pub(super) fn sentences(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        for (kind, every) in MarkKind::ALL.iter().zip(&self.every).filter(|(_, every)| **every > 1) {
            let count = self.counts[*kind as usize];
            sentences.push(format!(
                "Thinned out: of {count} {} one in {every} is drawn. The trace has all of them.",
                kind.word()
            ));
        }
        if !self.shortest.is_zero() {
            let shortest = span(self.shortest);
            sentences.push(format!(
                "Thinned out: waiting and work in turns shorter than {shortest} are drawn as busy. The trace has all of them."
            ));
        }
        sentences
    }
}

/// How many of each kind stay: the dense ones share what the others leave, at least half of all.
fn every(counts: &[usize]) -> Vec<usize> {
    let thinned = |dense: bool| {
        let of = move |kind: &&MarkKind| kind.is_dense() == dense && counts[**kind as usize] > FEW;
        MarkKind::ALL.iter().filter(of).map(|kind| counts[*kind as usize]).sum::<usize>()
    };
    let (dense, others) = (thinned(true), thinned(false));
    let room = MARKS_MAX - FEW * MarkKind::ALL.len();
    let for_dense = room.saturating_sub(others).max(room / 2);
    let stride = |kind: &MarkKind| match counts[*kind as usize] {
        ..=FEW => 1,
        _ if kind.is_dense() => dense.div_ceil(for_dense),
        _ => others.div_ceil(room - room / 2),
    };
    MarkKind::ALL.iter().map(|kind| stride(kind).max(1)).collect()
}

/// The least time that leaves few enough spans.
fn shortest(model: &Model) -> Duration {
    let count = |shortest| model.lanes.iter().map(|lane| merged(&lane.spans, shortest).len()).sum::<usize>();
    let mut shortest = Duration::ZERO;
    // It doubles: after sixty times it is longer than any run.
    for _ in 0..60 {
        if count(shortest) <= SPANS_MAX {
            break;
        }
        shortest = (shortest * 2).max(Duration::from_micros(1));
    }
    shortest
}

/// The same with turns of waiting and work that are shorter than `shortest` made one.
fn merged(spans: &[Span], shortest: Duration) -> Vec<Span> {
    let turns = |span: &Span| matches!(span.state, State::Waiting | State::Busy) && span.length() < shortest;
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    let mut open = false;
    for span in spans {
        match merged.last_mut() {
            Some(last) if open && turns(span) && last.to == span.from => last.to = span.to,
            _ if turns(span) => {
                open = true;
                merged.push(Span { state: State::Busy, what: String::new(), ..span.clone() });
            }
            _ => {
                open = false;
                merged.push(span.clone());
            }
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_core::time::Instant;

    fn spans(lengths: &[(u64, State)]) -> Vec<Span> {
        let mut at = 0;
        let span = |(length, state): &(u64, State)| {
            let from = Instant::from_nanos(at);
            at += length;
            Span { from, to: Instant::from_nanos(at), state: *state, what: String::new() }
        };
        lengths.iter().map(span).collect()
    }

    #[test]
    fn what_stays_is_never_too_much_and_no_less_than_need_be() {
        let kinds = MarkKind::ALL.len();
        let (life, beat, network) =
            (MarkKind::Life as usize, MarkKind::Beat as usize, MarkKind::Network as usize);
        let rows: [&[(usize, usize)]; 5] = [
            &[(beat, 70_000)],
            &[(beat, 90_000), (network, 90_000), (life, 1999)],
            &[(life, 1_000_000)],
            &[(life, 1_000_000), (network, 3_000_000), (beat, 1000)],
            &[(life, 60_000), (network, 60_000)],
        ];
        for row in rows {
            let mut counts = vec![0; kinds];
            for (kind, count) in row {
                counts[*kind] = *count;
            }
            let every = every(&counts);
            let stay = |kind: usize| counts[kind].div_ceil(every[kind]);
            let all: usize = (0..kinds).map(stay).sum();
            assert!(all <= MARKS_MAX, "{row:?}: {all}");
            assert!(all >= (MARKS_MAX / 4).min(counts.iter().sum()), "{row:?}: {all}");
            assert!((0..kinds).all(|kind| counts[kind] > FEW || every[kind] == 1), "{row:?}: {every:?}");
        }
    }

    #[test]
    fn short_turns_become_one_span_and_everything_else_stays() {
        use State::{Busy, Hung, Waiting};
        let before = spans(&[(2, Busy), (3, Waiting), (50, Waiting), (2, Busy), (1, Hung), (4, Busy)]);
        let after: Vec<_> = merged(&before, Duration::from_nanos(5))
            .iter()
            .map(|span| (span.length().as_nanos(), span.state))
            .collect();
        assert_eq!(after, [(5, Busy), (50, Waiting), (2, Busy), (1, Hung), (4, Busy)]);
        assert_eq!(merged(&before, Duration::ZERO), before);
    }
}
