//! The one source of randomness of a run.
//!
//! Whoever needs a decision that the world would take – how long a packet travels, which connection
//! breaks – asks [`Choices::choose`]. Index 0 is always the boring answer: no fault, no delay, all of
//! it. So a log of zeros is the world in which nothing goes wrong.

use host_core::random::Random;

/// Which part of the world decides. Streams are independent: one more draw in one of them leaves the
/// numbers of all others as they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Stream {
    /// How long a process takes for a step.
    Schedule = 0,
    /// How the network delivers.
    Net = 1,
    /// Which faults are planned.
    Fault = 2,
    /// How a system call that a fault is laid upon answers.
    Call = 3,
    /// What clients do.
    Workload = 4,
    /// What `Sys::random` answers.
    User = 5,
    /// Which of several that wait for the same thing goes first.
    Wake = 6,
    /// How late the news of a child is.
    News = 7,
    /// What an operator sends.
    Operator = 8,
}

const STREAMS: usize = 9;

/// One decision that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Which stream decided.
    pub stream: Stream,
    /// The answers there were: 0..n.
    pub n: u32,
    /// The answer.
    pub picked: u32,
}

/// Where decisions come from.
#[derive(Debug)]
enum Engine {
    /// From a seed, by stream and entity.
    Seeded { streams: [Vec<Random>; STREAMS] },
    /// From the log of an earlier run; the boring answer once it is exhausted.
    Replayed { log: Vec<u32>, next: usize },
}

/// The decisions of one run: taken here, and kept.
#[derive(Debug)]
pub struct Choices {
    seed: u64,
    engine: Engine,
    log: Vec<Choice>,
}

impl Choices {
    /// Decisions that `seed` begins.
    pub fn seeded(seed: u64) -> Self {
        Self { seed, engine: Engine::Seeded { streams: Default::default() }, log: Vec::new() }
    }

    /// The decisions of an earlier run, in order.
    ///
    /// `seed` is only kept for reports.
    pub fn replayed(seed: u64, log: Vec<u32>) -> Self {
        Self { seed, engine: Engine::Replayed { log, next: 0 }, log: Vec::new() }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The log so far.
    pub fn log(&self) -> &[Choice] {
        &self.log
    }

    /// Decides: an index in `0..n`, for the `entity`th thing of its kind (a process, a connection).
    ///
    /// Asking with `n` 0 or 1 decides nothing and is not logged.
    pub fn choose(&mut self, stream: Stream, entity: u32, n: u32) -> u32 {
        if n <= 1 {
            return 0;
        }
        let seed = self.seed;
        let picked = match &mut self.engine {
            Engine::Seeded { streams } => {
                let entities = &mut streams[stream as usize];
                // Entities beyond the bound share the last generator: still deterministic.
                let index = (entity as usize).min(ENTITIES_MAX - 1);
                while entities.len() <= index {
                    let mut mixer = Random::new(seed ^ ((stream as u64 + 1) << 56));
                    let mixed =
                        mixer.next_u64().wrapping_add((entities.len() as u64).wrapping_mul(0x9e37_79b9));
                    entities.push(Random::new(mixed));
                }
                entities[index].below(u64::from(n)) as u32
            }
            Engine::Replayed { log, next } => {
                let picked = log.get(*next).copied().unwrap_or(0);
                *next += 1;
                picked.min(n - 1)
            }
        };
        self.log.push(Choice { stream, n, picked });
        picked
    }

    /// Decides between the boring answer and another one that comes `one_in` times as seldom.
    pub fn one_in(&mut self, stream: Stream, entity: u32, one_in: u32) -> bool {
        one_in > 0 && self.choose(stream, entity, one_in.max(2)) == one_in.max(2) - 1
    }
}

/// How many entities of a stream have a generator of their own; beyond, they share one. A bound on
/// memory: runs with more connections than this exist.
const ENTITIES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(choices: &mut Choices, stream: Stream, count: usize) -> Vec<u32> {
        (0..count).map(|_| choices.choose(stream, 0, 1000)).collect()
    }

    #[test]
    fn one_more_draw_in_a_stream_leaves_the_others_as_they_were() {
        let mut plain = Choices::seeded(7);
        let expected = draw(&mut plain, Stream::Net, 5);
        let mut disturbed = Choices::seeded(7);
        draw(&mut disturbed, Stream::Fault, 3);
        disturbed.choose(Stream::Net, 9, 1000);
        assert_eq!(draw(&mut disturbed, Stream::Net, 5), expected);
    }

    #[test]
    fn seeds_and_entities_differ() {
        let mut choices = Choices::seeded(1);
        let zero = draw(&mut choices, Stream::Net, 8);
        let one: Vec<_> = (0..8).map(|_| choices.choose(Stream::Net, 1, 1000)).collect();
        assert_ne!(zero, one);
        assert_ne!(draw(&mut Choices::seeded(2), Stream::Net, 8), zero);
    }

    #[test]
    fn a_log_replays_and_ends_in_boredom() {
        let mut first = Choices::seeded(3);
        let picks = draw(&mut first, Stream::Call, 4);
        let log: Vec<_> = first.log().iter().map(|choice| choice.picked).collect();
        assert_eq!(log, picks);
        let mut again = Choices::replayed(3, log);
        assert_eq!(draw(&mut again, Stream::Call, 4), picks);
        assert_eq!(draw(&mut again, Stream::Call, 2), [0, 0]);
    }

    #[test]
    fn a_choice_of_one_is_none() {
        let mut choices = Choices::seeded(0);
        assert_eq!(choices.choose(Stream::Call, 0, 1), 0);
        assert_eq!(choices.choose(Stream::Call, 0, 0), 0);
        assert!(choices.log().is_empty());
    }
}
