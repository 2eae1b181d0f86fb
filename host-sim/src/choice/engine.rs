//! Where decisions come from.

use super::{Script, Stream};
use host_core::random::Random;
use std::collections::BTreeMap;

/// Who answers.
#[derive(Debug)]
pub(super) enum Engine {
    /// A seed, by stream and entity.
    Seeded(Seeded),
    /// The log of an earlier run, in order.
    Replayed { log: Vec<u32>, next: usize },
    /// The answers of an earlier run by stream and entity, and how many of each were given.
    Scripted(BTreeMap<(Stream, u32), (Vec<u32>, usize)>),
    /// A seed, and priorities for who goes first.
    Pct(Pct),
    /// One path of an enumeration.
    Bounded(Bounded),
    /// Another engine at first, then a seed.
    Branch { first: Box<Self>, left: usize, then: Seeded },
}

impl Engine {
    pub(super) fn scripted(script: &Script) -> Self {
        let answers = script.answers.iter().map(|(of, picked)| (*of, (picked.clone(), 0)));
        Self::Scripted(answers.collect())
    }

    /// An index in `0..n`; `n` is at least 2.
    pub(super) fn choose(&mut self, stream: Stream, entity: u32, n: u32) -> u32 {
        match self {
            Self::Seeded(seeded) => seeded.choose(stream, entity, n),
            Self::Replayed { log, next } => take(log, next).min(n - 1),
            Self::Scripted(answers) => {
                answers.get_mut(&(stream, entity)).map_or(0, |(log, next)| take(log, next).min(n - 1))
            }
            Self::Pct(pct) => pct.choose(stream, entity, n),
            Self::Bounded(bounded) => bounded.choose(stream, entity, n),
            Self::Branch { left: 0, then, .. } => then.choose(stream, entity, n),
            Self::Branch { first, left, .. } => {
                *left -= 1;
                first.choose(stream, entity, n)
            }
        }
    }
}

/// The next answer; the boring one once there are no more.
fn take(log: &[u32], next: &mut usize) -> u32 {
    let picked = log.get(*next).copied().unwrap_or(0);
    *next += 1;
    picked
}

/// How many entities of a stream have a generator of their own; beyond, they share one. A bound on
/// memory: runs with more connections than this exist.
const ENTITIES_MAX: usize = 4096;

/// A generator for each entity of each stream.
#[derive(Debug)]
pub(super) struct Seeded {
    seed: u64,
    streams: [Vec<Random>; Stream::ALL.len()],
}

impl Seeded {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, streams: Default::default() }
    }

    fn choose(&mut self, stream: Stream, entity: u32, n: u32) -> u32 {
        let entities = &mut self.streams[stream as usize];
        // Entities beyond the bound share the last generator: still deterministic.
        let index = (entity as usize).min(ENTITIES_MAX - 1);
        while entities.len() <= index {
            let mut mixer = Random::new(self.seed ^ ((stream as u64 + 1) << 56));
            let mixed = mixer.next_u64().wrapping_add((entities.len() as u64).wrapping_mul(0x9e37_79b9));
            entities.push(Random::new(mixed));
        }
        entities[index].below(u64::from(n)) as u32
    }
}

/// Processes with priorities: one of high priority takes its steps fast, one of low priority slowly, so
/// that it is overtaken for long; and a few times in a run the one that is about to go on falls behind all
/// others. A defect that needs d such orders is found with a chance that does not shrink with the length of
/// the run as that of dice does.
#[derive(Debug)]
pub(super) struct Pct {
    seeded: Seeded,
    random: Random,
    /// How slow each process is, by number.
    slowness: Vec<u16>,
    /// How many steps were scheduled when priorities change, the last first.
    changes: Vec<u64>,
    scheduled: u64,
}

/// A run schedules between a dozen and some hundred thousand steps, and nobody knows beforehand: a change
/// falls into each order of magnitude up to this power of two alike.
const STEPS_LOG2_MAX: u64 = 18;

impl Pct {
    pub(super) fn new(seed: u64, changes: u32) -> Self {
        // Its own numbers: a seed's faults and clients are those that it has anyway.
        let mut random = Random::new(seed ^ 0x7063_745f_7072_696f);
        let mut moment = || {
            let magnitude = 1 << random.below(STEPS_LOG2_MAX + 1);
            magnitude + random.below(magnitude)
        };
        let mut changes: Vec<_> = (0..changes).map(|_| moment()).collect();
        changes.sort_unstable_by(|left, right| right.cmp(left));
        Self { seeded: Seeded::new(seed), random, slowness: Vec::new(), changes, scheduled: 0 }
    }

    fn choose(&mut self, stream: Stream, entity: u32, n: u32) -> u32 {
        if stream != Stream::Schedule {
            return self.seeded.choose(stream, entity, n);
        }
        let index = (entity as usize).min(ENTITIES_MAX - 1);
        while self.slowness.len() <= index {
            self.slowness.push(self.random.below(1 << 16) as u16);
        }
        self.scheduled += 1;
        while self.changes.last().is_some_and(|at| *at <= self.scheduled) {
            self.changes.pop();
            self.slowness[index] = u16::MAX;
        }
        ((u64::from(self.slowness[index]) * u64::from(n)) >> 16) as u32
    }
}

/// One path through the tree of the first decisions of some streams; the rest is boring, or a seed's.
#[derive(Debug)]
pub(super) struct Bounded {
    /// The answers, from the root.
    path: Vec<u32>,
    next: usize,
    /// Which streams are enumerated, by bit.
    streams: u32,
    /// Who decides everything else.
    others: Option<Seeded>,
}

impl Bounded {
    pub(super) fn new(path: Vec<u32>, streams: u32, others: Option<u64>) -> Self {
        Self { path, next: 0, streams, others: others.map(Seeded::new) }
    }

    pub(super) const fn varies(&self, stream: Stream) -> bool {
        self.streams & stream.bit() != 0
    }

    fn choose(&mut self, stream: Stream, entity: u32, n: u32) -> u32 {
        if self.varies(stream) {
            return take(&self.path, &mut self.next).min(n - 1);
        }
        self.others.as_mut().map_or(0, |others| others.choose(stream, entity, n))
    }
}
