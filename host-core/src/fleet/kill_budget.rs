//! How many late workers may be killed within how long: when everybody waits for the same dependency,
//! killing everybody makes it worse.

use crate::fleet::config::KillBudget;
use crate::time::Instant;
use alloc::collections::VecDeque;

/// A sliding window over the moments of kills.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Kills {
    /// The oldest first; never more than the budget.
    kills: VecDeque<Instant>,
}

impl Kills {
    /// Asks to kill one more, of a fleet in which `wanted` workers are wanted and `before` late ones have waited for
    /// longer. `Err` says when to ask again.
    pub(crate) fn ask(
        &mut self,
        now: Instant,
        budget: Option<KillBudget>,
        wanted: u32,
        before: usize,
    ) -> Result<(), Instant> {
        let Some(budget) = budget else { return Ok(()) };
        while self.kills.front().is_some_and(|kill| now.since(*kill) >= budget.window) {
            self.kills.pop_front();
        }
        let most = (u64::from(wanted) * u64::from(budget.percent) / 100).max(1) as usize;
        if self.kills.len() + before >= most {
            // If none was spent, those who have waited for longer ask at this moment, too.
            let oldest = self.kills.front().copied().unwrap_or(now);
            return Err(oldest + budget.window);
        }
        self.kills.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn kills_beyond_the_share_wait_until_the_oldest_has_left_the_window() {
        let budget = Some(KillBudget { percent: 50, window: Duration::from_nanos(100) });
        let mut kills = Kills::default();
        assert_eq!(kills.ask(at(0), budget, 4, 0), Ok(()));
        assert_eq!(kills.ask(at(10), budget, 4, 0), Ok(()));
        assert_eq!(kills.ask(at(20), budget, 4, 0), Err(at(100)));
        assert_eq!(kills.ask(at(99), budget, 4, 0), Err(at(100)));
        assert_eq!(kills.ask(at(100), budget, 4, 0), Ok(()));
        assert_eq!(kills.ask(at(100), budget, 4, 0), Err(at(110)));
    }

    #[test]
    fn one_may_always_be_killed_and_without_a_budget_all() {
        let budget = Some(KillBudget { percent: 1, window: Duration::from_nanos(100) });
        let mut kills = Kills::default();
        assert_eq!(kills.ask(at(0), budget, 3, 0), Ok(()));
        assert_eq!(kills.ask(at(0), budget, 3, 0), Err(at(100)));
        assert!((0..50).all(|_| kills.ask(at(0), None, 3, 0) == Ok(())));
    }

    #[test]
    fn who_has_waited_for_longer_comes_first() {
        let budget = Some(KillBudget { percent: 50, window: Duration::from_nanos(100) });
        let mut kills = Kills::default();
        assert_eq!(kills.ask(at(0), budget, 4, 1), Ok(()), "there is one for each");
        assert_eq!(kills.ask(at(10), budget, 4, 1), Err(at(100)), "the other is not his");
        assert_eq!(kills.ask(at(10), budget, 4, 0), Ok(()));
        assert_eq!(kills.ask(at(200), budget, 4, 2), Err(at(300)), "both will be spent at this moment");
    }
}
