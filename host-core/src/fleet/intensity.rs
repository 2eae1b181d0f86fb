//! How many young deaths within how long.

use crate::fleet::config::RestartBudget;
use crate::time::Instant;
use alloc::collections::VecDeque;

/// A sliding window over the moments of young deaths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Intensity {
    /// The oldest first; never more than the budget.
    deaths: VecDeque<Instant>,
}

impl Intensity {
    /// One more young death: whether the budget still covers it.
    ///
    /// A death exactly one window old counts no more.
    pub(crate) fn note(&mut self, now: Instant, budget: RestartBudget) -> bool {
        while self.deaths.front().is_some_and(|death| now.since(*death) >= budget.window) {
            self.deaths.pop_front();
        }
        if self.deaths.len() >= budget.count as usize {
            return false;
        }
        self.deaths.push_back(now);
        true
    }

    /// Forgets all of them: a worker has lived long enough.
    pub(crate) fn forgive(&mut self) {
        self.deaths.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    #[test]
    fn the_budget_covers_its_count_within_the_window_and_no_more() {
        let budget = RestartBudget { count: 2, window: Duration::from_nanos(10) };
        let mut intensity = Intensity::default();
        let rows = [
            (0, true),
            (5, true),
            (9, false),
            (10, true),
            (14, false),
            (15, true),
            (40, true),
            (40, true),
            (40, false),
        ];
        for (now, covered) in rows {
            assert_eq!(intensity.note(Instant::from_nanos(now), budget), covered, "at {now}");
        }
        intensity.forgive();
        assert!(intensity.note(Instant::from_nanos(41), budget));
    }
}
