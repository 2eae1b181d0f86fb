//! The one source of randomness of a run.
//!
//! Whoever needs a decision that the world would take – how long a packet travels, which connection
//! breaks – asks [`Choices::choose`]. Index 0 is always the boring answer: no fault, no delay, all of
//! it. So a log of zeros is the world in which nothing goes wrong.
//!
//! Where an answer comes from is the affair of an engine: a seed, the log of another run, bytes of a fuzzer,
//! an enumeration, priorities of processes, a seed after the beginning of another run.

mod bytes;
mod engine;
mod exhaustive;
mod script;

pub use exhaustive::Exhaustive;
pub use script::{Script, ScriptError};

use crate::fault::Fault;
use engine::{Bounded, Engine, Pct, Seeded};
use host_core::time::Instant;
use std::collections::BTreeSet;

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
    /// Which slots stay broken for ever, and how.
    Fate = 9,
}

impl Stream {
    /// All of them. The list only grows at its end, so that seeds keep their meaning.
    pub const ALL: [Self; 10] = [
        Self::Schedule,
        Self::Net,
        Self::Fault,
        Self::Call,
        Self::Workload,
        Self::User,
        Self::Wake,
        Self::News,
        Self::Operator,
        Self::Fate,
    ];

    const fn bit(self) -> u32 {
        1 << self as u8
    }
}

/// One decision that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Which stream decided.
    pub stream: Stream,
    /// For which thing of its kind.
    pub entity: u32,
    /// The answers there were: 0..n.
    pub n: u32,
    /// The answer.
    pub picked: u32,
}

/// The decisions of one run: taken here, and kept.
#[derive(Debug)]
pub struct Choices {
    seed: u64,
    engine: Engine,
    log: Vec<Choice>,
    /// Every step of a process is scheduled, whether that fault is on or not.
    schedules: bool,
    /// What goes wrong, if that is not to be decided.
    faults: Option<Vec<Fault>>,
    /// Clients that do not come, by call and number.
    absent: BTreeSet<(u32, u32)>,
    /// The moment; kept here only for [`branched_at`](Self::branched_at).
    pub(crate) now: u64,
    branched_at: Option<u64>,
}

impl Choices {
    fn new(seed: u64, engine: Engine) -> Self {
        Self {
            seed,
            engine,
            log: Vec::new(),
            schedules: false,
            faults: None,
            absent: BTreeSet::new(),
            now: 0,
            branched_at: None,
        }
    }

    /// Decisions that `seed` begins.
    pub fn seeded(seed: u64) -> Self {
        Self::new(seed, Engine::Seeded(Seeded::new(seed)))
    }

    /// The decisions of an earlier run, in order; the boring answer once they are exhausted.
    ///
    /// `seed` is only kept for reports. To edit a run, take its [`Script`]: here, one decision less shifts all
    /// that follow.
    pub fn replayed(seed: u64, log: Vec<u32>) -> Self {
        Self::new(seed, Engine::Replayed { log, next: 0 })
    }

    /// What a fuzzer wrote: every byte string is a run, and one that is cut off ends in boredom.
    ///
    /// A byte is one decision; after `0xff` two more are one, the high one first. An answer that is too large
    /// for its question is the last one.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self::replayed(0, bytes::decode(bytes))
    }

    /// The decisions of an earlier run, by stream and entity, with its faults; the boring answer where there is
    /// none.
    ///
    /// `seed` is only kept for reports.
    pub fn scripted(seed: u64, script: &Script) -> Self {
        Self {
            schedules: script.schedules,
            faults: Some(script.faults.clone()),
            absent: script.absent.clone(),
            ..Self::new(seed, Engine::scripted(script))
        }
    }

    /// As `seed` decides, but the order of processes by priorities, of which `changes` fall in the course of
    /// the run (probabilistic concurrency testing: Burckhardt, Kothari, Musuvathi, Nagarakatte 2010).
    pub fn pct(seed: u64, changes: u32) -> Self {
        Self { schedules: true, ..Self::new(seed, Engine::Pct(Pct::new(seed, changes))) }
    }

    fn bounded(seed: u64, engine: Bounded) -> Self {
        Self { schedules: engine.varies(Stream::Schedule), ..Self::new(seed, Engine::Bounded(engine)) }
    }

    /// These for the first `after` decisions, then those that `seed` begins: what might have followed.
    #[must_use]
    pub fn branch(self, after: usize, seed: u64) -> Self {
        let then = Seeded::new(seed);
        Self { engine: Engine::Branch { first: Box::new(self.engine), left: after, then }, ..self }
    }

    /// When the first decision fell that the branch took otherwise, if one did.
    pub fn branched_at(&self) -> Option<Instant> {
        self.branched_at.map(Instant::from_nanos)
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The log so far.
    pub fn log(&self) -> &[Choice] {
        &self.log
    }

    /// What goes wrong, if it is given.
    pub(crate) fn faults(&self) -> Option<&[Fault]> {
        self.faults.as_deref()
    }

    /// Whether a client does not come.
    pub(crate) fn is_absent(&self, call: u32, number: u32) -> bool {
        self.absent.contains(&(call, number))
    }

    pub(crate) fn absent(&self) -> &BTreeSet<(u32, u32)> {
        &self.absent
    }

    /// Whether every step of a process is scheduled.
    pub(crate) fn schedules(&self) -> bool {
        self.schedules
    }

    /// Decides: an index in `0..n`, for the `entity`th thing of its kind (a process, a connection).
    ///
    /// Asking with `n` 0 or 1 decides nothing and is not logged.
    pub fn choose(&mut self, stream: Stream, entity: u32, n: u32) -> u32 {
        if n <= 1 {
            return 0;
        }
        if let (Engine::Branch { left: 0, .. }, None) = (&self.engine, self.branched_at) {
            self.branched_at = Some(self.now);
        }
        let picked = self.engine.choose(stream, entity, n);
        self.log.push(Choice { stream, entity, n, picked });
        picked
    }

    /// Decides between the boring answer and another one that comes `one_in` times as seldom.
    pub fn one_in(&mut self, stream: Stream, entity: u32, one_in: u32) -> bool {
        one_in > 0 && self.choose(stream, entity, one_in.max(2)) == one_in.max(2) - 1
    }
}

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

    #[test]
    fn a_branch_goes_as_before_and_then_as_another_seed() {
        let before = draw(&mut Choices::seeded(3), Stream::Net, 8);
        let mut branch = Choices::seeded(3).branch(5, 4);
        branch.now = 7;
        assert_eq!(draw(&mut branch, Stream::Net, 5), before[..5]);
        assert_eq!(branch.branched_at(), None);
        branch.now = 8;
        let then = draw(&mut branch, Stream::Net, 3);
        assert_ne!(then, before[5..]);
        assert_eq!(then, draw(&mut Choices::seeded(4), Stream::Net, 3));
        assert_eq!(branch.branched_at(), Some(Instant::from_nanos(8)));
    }

    #[test]
    fn bytes_are_a_run_and_too_large_an_answer_is_the_last() {
        let mut choices = Choices::from_bytes(&[1, 200, 0xff, 1, 0]);
        let picks = [4, 4, 1000, 4].map(|n| choices.choose(Stream::Net, 0, n));
        assert_eq!(picks, [1, 3, 256, 0]);
    }

    #[test]
    fn priorities_make_processes_fast_or_slow_until_one_of_them_falls_behind() {
        let slow = |choices: &mut Choices, process| choices.choose(Stream::Schedule, process, 16);
        let (mut steady, mut behind) = (0, 0);
        for seed in 0..64 {
            let mut choices = Choices::pct(seed, 1);
            let paces: Vec<_> = (0..4096).map(|_| slow(&mut choices, 0)).collect();
            let changes = paces.windows(2).filter(|pair| pair[0] != pair[1]).count();
            steady += u32::from(changes == 0);
            behind += u32::from(changes == 1 && paces.last() == Some(&15));
            assert_eq!(choices.log().len(), 4096);
            let again: Vec<_> =
                (0..4096).map(|_| 0).scan(Choices::pct(seed, 1), |c, _| Some(slow(c, 0))).collect();
            assert_eq!(paces, again, "the same seed, the same priorities");
        }
        assert_eq!(steady + behind, 64, "one change, and downwards");
        assert!(steady > 8 && behind > 8, "early or late: {steady} {behind}");
        let paces: Vec<_> = (0..8).map(|process| slow(&mut Choices::pct(1, 0), process)).collect();
        assert_eq!(paces[0], slow(&mut Choices::pct(1, 0), 0));
        let others = draw(&mut Choices::pct(7, 3), Stream::Net, 5);
        assert_eq!(others, draw(&mut Choices::seeded(7), Stream::Net, 5), "all else is the seed's");
    }
}
