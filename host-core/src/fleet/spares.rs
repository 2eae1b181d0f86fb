//! How many workers are wanted so that some of them are idle: the spare servers of Apache's prefork.
//!
//! A look counts who is idle and who is busy, and this file says how many are wanted from there on. They become more
//! at once and fewer slowly: who comes is served by those who are there, and who leaves may come back.

use crate::time::{Duration, Instant};

/// How many idle workers a fleet keeps. Off by default: then only signals and calls change how many are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spares {
    /// When fewer are idle, more are forked. Default, where [`max`](Self::max) is given: 1.
    pub min: Option<u32>,
    /// When more are idle for long, one after the other is taken away. Default, where [`min`](Self::min) is given:
    /// twice as many, as in Apache.
    pub max: Option<u32>,
    /// How often the host looks who is idle. Default 1 s, as in Apache. With spares off it does not look for that.
    pub period: Duration,
    /// How long too many must have been idle before one of them is taken away. Default 10 s.
    pub shrink_after: Duration,
}

/// How many are to be idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// At least.
    pub min: u32,
    /// At most.
    pub max: u32,
}

impl Default for Spares {
    fn default() -> Self {
        let (period, shrink_after) = (Duration::from_secs(1), Duration::from_secs(10));
        Self { min: None, max: None, period, shrink_after }
    }
}

impl Spares {
    /// The shortest period: each look wakes the host.
    pub const PERIOD_MIN: Duration = Duration::from_millis(10);

    /// How many are to be idle; `None` if that does not matter.
    pub fn bounds(&self) -> Option<Bounds> {
        if self.min.is_none() && self.max.is_none() {
            return None;
        }
        let min = self.min.unwrap_or(1);
        Some(Bounds { min, max: self.max.unwrap_or_else(|| min.saturating_mul(2)) })
    }
}

/// What a look has counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    /// How many are wanted. Whoever of them is not idle and not busy is on its way, and will be idle.
    pub(crate) wanted: u32,
    /// Those who could serve at once.
    pub(crate) idle: u32,
    /// Those who could not: with a connection in hand, stopped, or silent.
    pub(crate) busy: u32,
}

/// What was, as far as the next decision depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Trend {
    /// At how many decisions in a row there were too few.
    short: u32,
    /// Since when there are too many.
    above_since: Option<Instant>,
}

/// At most so many more at once, beside those who are missing (Apache: MAX_SPAWN_RATE).
const STEP_MAX: u32 = 32;

impl Trend {
    /// How many are wanted from here on, `most` at most.
    pub(crate) fn decide(&mut self, now: Instant, load: Load, spares: &Spares, most: u32) -> u32 {
        let Some(Bounds { min, max }) = spares.bounds() else { return load.wanted };
        let coming = load.wanted.saturating_sub(load.busy);
        if let Some(missing) = min.checked_sub(coming).filter(|missing| *missing > 0) {
            // They were enough a moment ago, or they were too few: then the load outgrows them.
            let step = 1 << self.short.min(STEP_MAX.ilog2());
            *self = Self { short: self.short.saturating_add(1), above_since: None };
            return load.wanted.saturating_add(missing.max(step)).min(most.max(load.wanted));
        }
        self.short = 0;
        if load.idle <= max || load.wanted <= min {
            self.above_since = None;
            return load.wanted;
        }
        let since = *self.above_since.get_or_insert(now);
        if now.since(since) < spares.shrink_after { load.wanted } else { load.wanted - 1 }
    }

    /// A look between two decisions has counted this: whoever saw that they were not too many has not seen too many
    /// for long.
    pub(crate) fn glance(&mut self, load: Load, spares: &Spares) {
        if spares.bounds().is_some_and(|Bounds { max, .. }| load.idle <= max) {
            self.above_since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const SECOND: Duration = Duration::from_secs(1);
    const MOST: u32 = 20;

    /// 2 to 4 idle ones, and three seconds until one is too many.
    fn spares() -> Spares {
        Spares { min: Some(2), max: Some(4), shrink_after: 3 * SECOND, ..Spares::default() }
    }

    /// Looks a second apart, each with (wanted, idle, busy); what is wanted after each.
    type Row = (&'static str, &'static [(u32, u32, u32)], &'static [u32]);

    #[test]
    fn each_look_gives_the_number_that_the_load_and_what_was_before_call_for() {
        let rows: &[Row] = &[
            ("enough are idle", &[(5, 3, 2)], &[5]),
            ("as few as may be", &[(5, 2, 3)], &[5]),
            ("as many as may be, for ever", &[(5, 4, 1); 9], &[5; 9]),
            ("one is missing", &[(5, 1, 4)], &[6]),
            ("two are missing, and come at once", &[(5, 0, 5)], &[7]),
            ("who boots will be idle", &[(7, 0, 5)], &[7]),
            ("who boots is not idle enough to be too many", &[(9, 4, 0); 9], &[9; 9]),
            (
                "while they stay too few they double",
                &[(5, 1, 4), (6, 0, 6), (8, 0, 8), (12, 1, 11)],
                &[6, 8, 12, 20],
            ),
            ("enough once, and the row begins anew", &[(5, 1, 4), (6, 2, 4), (6, 1, 5)], &[6, 6, 7]),
            ("never above the most", &[(19, 0, 19), (20, 0, 20), (20, 0, 20)], &[20; 3]),
            (
                "too many for three seconds, then one each look",
                &[(9, 9, 0), (9, 9, 0), (9, 9, 0), (9, 9, 0), (8, 8, 0), (7, 7, 0)],
                &[9, 9, 9, 8, 7, 6],
            ),
            (
                "a look that finds no more than may be begins anew",
                &[(9, 5, 4), (9, 5, 4), (9, 4, 5), (9, 5, 4), (9, 5, 4), (9, 5, 4), (9, 5, 4)],
                &[9, 9, 9, 9, 9, 9, 8],
            ),
            (
                "a lack begins both anew",
                &[(9, 9, 0), (9, 9, 0), (9, 1, 8), (10, 9, 1), (10, 9, 1), (10, 9, 1), (10, 9, 1)],
                &[9, 9, 10, 10, 10, 10, 9],
            ),
            ("more are busy than are wanted", &[(5, 0, 6)], &[7]),
            ("above the most by a setting of its own nobody is taken away at once", &[(22, 0, 22)], &[22]),
        ];
        for (name, looks, expected) in rows {
            let mut trend = Trend::default();
            let mut now = Instant::ZERO;
            let wanted = looks.iter().map(|&(wanted, idle, busy)| {
                now = now + SECOND;
                trend.decide(now, Load { wanted, idle, busy }, &spares(), MOST)
            });
            assert!(wanted.eq(expected.iter().copied()), "{name}");
        }
    }

    #[test]
    fn never_below_the_least_and_one_of_two_bounds_gives_the_other() {
        let bounds = |min, max| Spares { min, max, ..Spares::default() }.bounds();
        assert_eq!(bounds(None, None), None);
        assert_eq!(bounds(Some(3), None), Some(Bounds { min: 3, max: 6 }));
        assert_eq!(bounds(None, Some(3)), Some(Bounds { min: 1, max: 3 }));
        let load = Load { wanted: 7, idle: 7, busy: 0 };
        assert_eq!(Trend::default().decide(Instant::ZERO, load, &Spares::default(), MOST), 7);
        // What is wanted falls to the least only, whatever idles beside it.
        let at_once =
            Spares { min: Some(3), max: Some(3), shrink_after: Duration::ZERO, ..Spares::default() };
        let mut wanted = 9;
        for _ in 0..20 {
            let load = Load { wanted, idle: wanted + 1, busy: 0 };
            wanted = Trend::default().decide(Instant::ZERO, load, &at_once, MOST);
        }
        assert_eq!(wanted, 3);
    }

    #[test]
    fn a_glance_between_two_decisions_forgets_too_many_and_nothing_else() {
        let (many, enough) = (Load { wanted: 9, idle: 5, busy: 4 }, Load { wanted: 9, idle: 4, busy: 5 });
        for (between, expected) in [(many, 8), (enough, 9)] {
            let mut trend = Trend::default();
            trend.decide(Instant::ZERO, many, &spares(), MOST);
            trend.glance(between, &spares());
            assert_eq!(
                trend.decide(Instant::ZERO + 3 * SECOND, many, &spares(), MOST),
                expected,
                "{between:?}"
            );
        }
        // A lack is a matter of decisions alone: the second asks for twice as many, whatever was seen between.
        let short = Load { wanted: 9, idle: 1, busy: 8 };
        let mut trend = Trend::default();
        assert_eq!(trend.decide(Instant::ZERO, short, &spares(), MOST), 10);
        trend.glance(enough, &spares());
        assert_eq!(trend.decide(Instant::ZERO + SECOND, short, &spares(), MOST), 11);
    }

    /// A fleet whose workers are there as soon as they are wanted, or some looks later.
    #[test]
    fn in_a_steady_load_the_number_comes_to_rest_and_goes_one_way_only() {
        for seed in 0..2_000 {
            let mut random = Random::new(seed);
            let mut below = |most: u64| random.below(most) as u32;
            let min = 1 + below(6);
            let spares = Spares {
                min: Some(min),
                max: Some(min + below(6)),
                shrink_after: below(8) * SECOND,
                ..Spares::default()
            };
            let most = spares.bounds().unwrap().max + below(40);
            let (steady, boots_for) = (below(50), below(4) as usize);
            let mut wanted = 1 + below(u64::from(most));
            let mut history = alloc::vec![wanted];
            let mut trend = Trend::default();
            let mut now = Instant::ZERO;
            for _ in 0..200 {
                now = now + SECOND;
                // Who is taken away is gone at once; who was ordered lately boots.
                let there = history.iter().rev().take(boots_for + 1).min().copied().unwrap_or(wanted);
                let busy = steady.min(there);
                wanted = trend.decide(now, Load { wanted, idle: there - busy, busy }, &spares, most);
                assert!((1..=most).contains(&wanted), "seed {seed}");
                history.push(wanted);
            }
            let mut ways: alloc::vec::Vec<_> = history.windows(2).map(|pair| pair[1].cmp(&pair[0])).collect();
            ways.retain(|way| way.is_ne());
            ways.dedup();
            // Once up, then down again where the load was outgrown; never up once more.
            let turns = ways.iter().filter(|way| way.is_gt()).count();
            assert!(turns <= 1 && ways.len() <= 2, "seed {seed}: {history:?}");
            assert!(history[150..].iter().all(|later| *later == wanted), "seed {seed}: {history:?}");
        }
    }
}
