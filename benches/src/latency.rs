//! How long single things took, and the table that comes of several ways to do them.

use crate::table::say;
use rustix::time::{ClockId, clock_gettime};
use std::fmt;

/// Nanoseconds on CLOCK_MONOTONIC, which all processes share.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    // It is never negative.
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// How long it took in one way, round by round.
#[derive(Clone, Debug)]
pub struct Latencies {
    /// The way.
    pub name: String,
    /// Nanoseconds, one a round; below zero if it came before its time.
    pub nanos: Vec<i64>,
}

impl Latencies {
    /// Of a way that was not tried yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), nanos: Vec::new() }
    }

    /// One more, from `begin` until now.
    pub fn since(&mut self, begin: u64) {
        self.nanos.push(now() as i64 - begin as i64);
    }

    /// The value below which so many of a hundred are, in nanoseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.nanos.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        sorted.get((sorted.len() * percent / 100).min(last)).map_or(f64::NAN, |nanos| *nanos as f64)
    }

    /// The middle one of how many times as long it took as `other`, round by round.
    pub fn ratio(&self, other: &Self) -> f64 {
        let rounds = self.nanos.iter().zip(&other.nanos);
        let mut ratios: Vec<_> = rounds.map(|(this, other)| *this as f64 / *other as f64).collect();
        ratios.sort_unstable_by(f64::total_cmp);
        ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// Prints the ways, in microseconds; the ratios of all others are to the first.
pub fn tell(title: impl fmt::Display, ways: &[Latencies]) {
    let rounds = ways.iter().map(|way| way.nanos.len()).max().unwrap_or(0);
    say(&format_args!("{title}: up to {rounds} rounds, µs, and the median ratio to the first"));
    let [least, median, most, worst, ratio] = ["least", "median", "of 100 95", "most", "ratio"];
    say(&format_args!("  {:<34} {least:>9} {median:>9} {most:>9} {worst:>9} {ratio:>7}", ""));
    for way in ways {
        let [least, median, most, worst] = [0, 50, 95, 100].map(|percent| way.percentile(percent) / 1e3);
        let ratio = ways.first().map_or(f64::NAN, |first| way.ratio(first));
        let name = &way.name;
        say(&format_args!("  {name:<34} {least:>9.1} {median:>9.1} {most:>9.1} {worst:>9.1} {ratio:>7.2}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_within_a_round() {
        let [mut one, mut two] = ["one", "two"].map(Latencies::new);
        one.nanos = vec![1, 10, 100];
        two.nanos = vec![3, 20, 500];
        assert_eq!(two.ratio(&one), 3.0);
        assert_eq!(one.ratio(&one), 1.0);
    }

    #[test]
    fn percentiles_have_both_ends_and_nothing_has_none() {
        let mut way = Latencies::new("way");
        assert!(way.percentile(50).is_nan());
        way.nanos = vec![5, -3, 4, 1];
        assert_eq!([0, 50, 95, 100].map(|percent| way.percentile(percent)), [-3.0, 4.0, 5.0, 5.0]);
    }
}
