//! A reader of what a process says, line by line.

use super::clock::{BOUND, Stopwatch, scaled};
use super::expect::{Unmet, fail};
use super::pattern::{Captures, Pattern};
use super::shared::{Shared, State, Stream};
use std::sync::Arc;
use std::time::Duration;

/// Reads one stream of a process from its beginning, at its own pace: what it has read others still find.
#[derive(Debug)]
pub struct Output {
    shared: Arc<Shared>,
    stream: Stream,
    /// The number of the line to be read next.
    next: u64,
    /// How long each of its waits may take.
    bound: Duration,
}

impl Output {
    pub(super) fn new(shared: Arc<Shared>, stream: Stream) -> Self {
        Self { shared, stream, next: 0, bound: scaled(BOUND) }
    }

    /// How long each of its waits may take; by default [`BOUND`]. Scales by [`TIME_SCALE`](super::TIME_SCALE).
    #[must_use]
    pub fn within(self, bound: Duration) -> Self {
        Self { bound: scaled(bound), ..self }
    }

    /// Waits for a line like `pattern` (see [`Expect::line`](super::Expect::line)); those before it are passed
    /// over.
    ///
    /// # Panics
    /// With a report, if there is none within its bound.
    #[track_caller]
    pub fn until(&mut self, pattern: &str) -> Captures {
        self.lines_until(pattern).1
    }

    /// Waits for a line like `pattern`, and gives it with those before it.
    ///
    /// # Panics
    /// With a report, if there is none within its bound.
    #[track_caller]
    pub fn all_until(&mut self, pattern: &str) -> Vec<String> {
        self.lines_until(pattern).0
    }

    /// Waits until nobody can say anything any more: what was said since.
    ///
    /// # Panics
    /// With a report, if that takes longer than its bound.
    #[track_caller]
    pub fn rest(&mut self) -> String {
        let stream = self.stream;
        let bound = self.bound;
        let ended = self.shared.wait(bound, |state| state.said[stream as usize].has_ended().then_some(()));
        if ended.is_none() {
            let wanted = format!("the end of {stream}");
            fail(&self.shared, &format!("{stream} ends"), Unmet::late(wanted, bound));
        }
        let state = self.shared.lock();
        let lines = &state.said[stream as usize];
        let mut rest = String::new();
        for (_, line) in lines.since(self.next) {
            rest.push_str(&line.text());
            if line.has_end {
                rest.push('\n');
            }
        }
        self.next = lines.next();
        rest
    }

    /// Whether nothing is said for as long as this, and nothing was that has not been read. The end counts as
    /// something. Not a bound: it does not scale.
    pub fn is_silent_for(&self, duration: Duration) -> bool {
        let watch = Stopwatch::start();
        self.shared.catch_up();
        let has_said = |state: &mut State| {
            let lines = &state.said[self.stream as usize];
            let is_silent = lines.next() <= self.next && lines.partial().is_empty() && !lines.has_ended();
            (!is_silent).then_some(())
        };
        self.shared.wait(watch.left_of(duration), has_said).is_none()
    }

    #[track_caller]
    fn lines_until(&mut self, pattern: &str) -> (Vec<String>, Captures) {
        let pattern = Pattern::of(pattern);
        let bound = self.bound;
        let mut passed = Vec::new();
        let (stream, next) = (self.stream, &mut self.next);
        let found = self.shared.wait(bound, |state| {
            let lines = &state.said[stream as usize];
            for (number, line) in lines.since(*next) {
                *next = number + 1;
                passed.push(line.text());
                if let Some(captures) = passed.last().and_then(|line| pattern.find(line)) {
                    return Some(Ok(captures));
                }
            }
            lines.has_ended().then_some(Err(()))
        });
        let wanted = format!("a line like `{pattern}` on {stream}");
        let unmet = match found {
            Some(Ok(captures)) => return (passed, captures),
            Some(Err(())) => Unmet { wanted, seen: format!("{stream} ended without it") },
            None => Unmet::late(wanted, bound),
        };
        fail(&self.shared, &format!("it says `{pattern}`"), unmet)
    }
}
