//! Every run there is, up to a number of decisions.

use super::engine::Bounded;
use super::{Choice, Choices, Stream};

/// Enumerates runs: depth first, by advancing the last decision that can be (as `exhaustigen` does).
///
/// ```
/// use host_sim::{Exhaustive, Stream};
///
/// let mut seen = Vec::new();
/// let mut runs = Exhaustive::new(2);
/// while let Some(mut choices) = runs.next_run() {
///     let first = choices.choose(Stream::User, 0, 2);
///     seen.push((first, if first == 1 { choices.choose(Stream::User, 0, 3) } else { 0 }));
///     runs.learn(choices.log());
/// }
/// assert_eq!(seen, [(0, 0), (1, 0), (1, 1), (1, 2)]);
/// ```
#[derive(Clone, Debug)]
pub struct Exhaustive {
    depth: usize,
    width: u32,
    streams: u32,
    seed: Option<u64>,
    /// The path of the run that is to come, or that was not learned from yet.
    path: Vec<u32>,
    exhausted: bool,
    runs: u64,
}

impl Exhaustive {
    /// Every answer to the first `depth` decisions of a run; from there on boredom.
    pub const fn new(depth: usize) -> Self {
        let streams = (1 << Stream::ALL.len()) - 1;
        Self { depth, width: u32::MAX, streams, seed: None, path: Vec::new(), exhausted: false, runs: 0 }
    }

    /// No more than the first `answers` to each question: some have thousands.
    #[must_use]
    pub fn width(self, answers: u32) -> Self {
        Self { width: answers, ..self }
    }

    /// Only decisions of these streams count and vary. With [`Stream::Schedule`] among them every step of a
    /// process is scheduled.
    #[must_use]
    pub fn streams(self, streams: &[Stream]) -> Self {
        Self { streams: streams.iter().fold(0, |set, stream| set | stream.bit()), ..self }
    }

    /// All other streams decide as `seed` does.
    #[must_use]
    pub fn around(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// The next run; `None` after the last one. After each, [`learn`](Self::learn).
    pub fn next_run(&mut self) -> Option<Choices> {
        if self.exhausted {
            return None;
        }
        self.runs += 1;
        // Whoever does not learn has had one run, and no more.
        self.exhausted = true;
        let path = Bounded::new(self.path.clone(), self.streams, self.seed);
        Some(Choices::bounded(self.seed.unwrap_or_default(), path))
    }

    /// How the run went: its log says how many answers there were.
    pub fn learn(&mut self, log: &[Choice]) {
        let varied = log.iter().filter(|choice| self.streams & choice.stream.bit() != 0);
        let mut taken: Vec<_> = varied.take(self.depth).map(|choice| (choice.picked, choice.n)).collect();
        while let Some((picked, n)) = taken.pop() {
            if picked + 1 < n.min(self.width) {
                self.path = taken.iter().map(|(picked, _)| *picked).chain([picked + 1]).collect();
                self.exhausted = false;
                return;
            }
        }
    }

    /// How many runs there were.
    pub const fn runs(&self) -> u64 {
        self.runs
    }

    /// Whether there are no more.
    pub const fn is_exhausted(&self) -> bool {
        self.exhausted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks `count` times among `n`, and tells the answers of every run.
    fn enumerate(mut runs: Exhaustive, count: usize, n: u32) -> Vec<Vec<u32>> {
        let mut seen = Vec::new();
        while let Some(mut choices) = runs.next_run() {
            seen.push((0..count).map(|_| choices.choose(Stream::Wake, 0, n)).collect());
            runs.learn(choices.log());
        }
        assert_eq!(runs.runs(), seen.len() as u64);
        seen
    }

    #[test]
    fn every_run_comes_once() {
        let mut seen = enumerate(Exhaustive::new(10), 3, 4);
        assert_eq!(seen.len(), 64);
        assert_eq!(seen[0], [0, 0, 0], "the boring one is the first");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 64);
    }

    #[test]
    fn beyond_the_depth_is_boredom_and_beyond_the_width_nothing() {
        let seen = enumerate(Exhaustive::new(2).width(3), 4, 10);
        assert_eq!(seen.len(), 9);
        assert!(
            seen.iter().all(|run| run[2..] == [0, 0] && run.iter().all(|picked| *picked < 3)),
            "{seen:?}"
        );
    }

    #[test]
    fn other_streams_are_boring_or_a_seeds_and_do_not_count() {
        for seed in [None, Some(7)] {
            let runs = Exhaustive::new(1).streams(&[Stream::Wake]);
            let mut runs = seed.map_or_else(|| runs.clone(), |seed| runs.clone().around(seed));
            let expected = seed.map_or(0, |seed| Choices::seeded(seed).choose(Stream::Net, 3, 1000));
            let mut count = 0;
            while let Some(mut choices) = runs.next_run() {
                assert_eq!(choices.choose(Stream::Net, 3, 1000), expected);
                assert_eq!(choices.choose(Stream::Wake, 0, 2), count);
                runs.learn(choices.log());
                count += 1;
            }
            assert_eq!(count, 2);
        }
    }
}
