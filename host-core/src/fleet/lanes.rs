//! Lanes: the queues of a listener that is spread over the workers of a fleet, and who minds which.
//!
//! The kernel spreads connections over sockets whether anybody accepts from them or not, and resets those that
//! are queued on a socket that is closed (K13). So the host binds a fixed number of sockets, the lanes, and
//! closes none of them while it lives; what moves is who accepts from them. A worker is born minding the lane
//! of its slot, and as long as every lane has such a worker, nobody is told anything. A lane whose workers
//! are gone, leaving or silent is minded by another one until it has one of its own again.

use crate::action::{Action, Orders};
use crate::id::{Slot, WorkerId};
use crate::time::Duration;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;

/// One lane of a fleet, from 0: in each of its spread listeners the socket of this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane(u8);

impl Lane {
    /// How many lanes a fleet can have: each worker has a descriptor for each of them.
    pub const COUNT_MAX: u32 = 256;

    /// The lane that a worker in `slot` is born minding, in a fleet of `count` lanes, 1 to 256.
    pub const fn of_slot(slot: Slot, count: u32) -> Self {
        Self((slot.number() as u32 % count) as u8)
    }

    /// The number, as an index into a `Vec`.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A set of lanes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lanes([u64; Self::WORDS]);

impl Lanes {
    const WORDS: usize = Lane::COUNT_MAX as usize / 64;
    /// None.
    pub const NONE: Self = Self([0; Self::WORDS]);
    /// As many bytes as [`bytes`](Self::bytes) gives at most.
    pub const BYTES_MAX: usize = Self::WORDS * 8;

    /// The one lane.
    pub fn only(lane: Lane) -> Self {
        let mut lanes = Self::NONE;
        lanes.insert(lane);
        lanes
    }

    /// All lanes of a fleet of `count`.
    pub fn all(count: u32) -> Self {
        (0..count).map(|number| Lane(number as u8)).collect()
    }

    /// Adds a lane.
    pub fn insert(&mut self, lane: Lane) {
        self.0[lane.index() / 64] |= 1 << (lane.index() % 64);
    }

    /// Whether it is one of them.
    pub const fn contains(self, lane: Lane) -> bool {
        self.0[lane.index() / 64] & 1 << (lane.index() % 64) != 0
    }

    /// How many there are.
    pub fn count(self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// Those in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(core::array::from_fn(|word| self.0[word] | other.0[word]))
    }

    /// Those that are not in `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(core::array::from_fn(|word| self.0[word] & !other.0[word]))
    }

    /// Each of them, the lowest first.
    pub fn iter(self) -> impl Iterator<Item = Lane> {
        self.0.into_iter().enumerate().flat_map(|(word, mut bits)| {
            core::iter::from_fn(move || {
                let bit = bits.trailing_zeros();
                bits &= bits.wrapping_sub(1);
                (bit < 64).then(|| Lane((word * 64) as u8 + bit as u8))
            })
        })
    }

    /// The set as bytes, a bit a lane, up to the last lane of it.
    pub fn bytes(self) -> Vec<u8> {
        let mut bytes: Vec<_> = self.0.iter().flat_map(|word| word.to_le_bytes()).collect();
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(used);
        bytes
    }

    /// The set that [`bytes`](Self::bytes) gave; `None` if it can have given no such bytes.
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > Self::BYTES_MAX || bytes.last() == Some(&0) {
            return None;
        }
        let mut lanes = Self::NONE;
        for (index, byte) in bytes.iter().enumerate() {
            lanes.0[index / 8] |= u64::from(*byte) << (index % 8 * 8);
        }
        Some(lanes)
    }
}

impl FromIterator<Lane> for Lanes {
    fn from_iter<I: IntoIterator<Item = Lane>>(lanes: I) -> Self {
        let mut all = Self::NONE;
        for lane in lanes {
            all.insert(lane);
        }
        all
    }
}

/// `{0, 3}`.
impl fmt::Debug for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Lane::index)).finish()
    }
}

/// A worker that is ready and was not asked to leave, as the lanes are dealt out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Minder {
    pub(crate) worker: WorkerId,
    pub(crate) usefulness: Usefulness,
}

/// Of what use a worker is to a lane, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Usefulness {
    /// It is stopped, and accepts nothing until it is continued (K11).
    Stopped,
    /// It has given no sign of life for too long, and may come round.
    Silent,
    /// Nothing speaks against it.
    Well,
}

/// Who minds which lane of one fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Minding {
    /// How many lanes there are; none in a fleet whose listeners are not spread.
    count: u32,
    /// What each worker minds that is ready and stays: what it was born with, or told last. Nothing, of one
    /// that could not be told.
    told: BTreeMap<WorkerId, Lanes>,
    /// Those who could not be told, until it is tried again.
    untold: BTreeSet<WorkerId>,
    /// Those who have said that they take no more.
    declined: BTreeSet<WorkerId>,
}

impl Minding {
    /// How long after a worker could not be told it is tried again: its channel is full, and it reads that
    /// when it waits next.
    pub(crate) const AGAIN_AFTER: Duration = Duration::from_millis(100);

    pub(crate) fn new(count: u32) -> Self {
        Self { count, ..Self::default() }
    }

    /// Whether there is anything to mind.
    pub(crate) const fn has_lanes(&self) -> bool {
        self.count > 0
    }

    /// Deals the lanes out to those who are ready and stay, in the order of their slots, and orders what has
    /// changed. Nothing is lost while a worker does not know yet: the lane is there, and waits.
    pub(crate) fn deal(&mut self, staying: &[Minder], orders: &mut Orders) {
        let stays = |worker: &WorkerId| staying.binary_search_by_key(worker, |minder| minder.worker).is_ok();
        self.told.retain(|worker, _| stays(worker));
        self.untold.retain(stays);
        self.declined.retain(stays);
        for minder in staying {
            let own = Lanes::only(Lane::of_slot(minder.worker.slot, self.count));
            self.told.entry(minder.worker).or_insert(own);
        }
        let minders = self.minders(staying);
        for (worker, lanes) in minders.iter().zip(deal(self.count, &minders)) {
            if !self.untold.contains(worker) && self.told.insert(*worker, lanes) != Some(lanes) {
                orders.push_back(Action::Mind { worker: *worker, lanes });
            }
        }
    }

    /// A worker could not be told; whether the next try is to be planned.
    pub(crate) fn not_told(&mut self, worker: WorkerId) -> bool {
        let Some(told) = self.told.get_mut(&worker) else { return false };
        *told = Lanes::NONE;
        self.untold.insert(worker)
    }

    /// Those who could not be told may be tried again.
    pub(crate) fn try_again(&mut self) {
        self.untold.clear();
    }

    /// A worker takes no more connections, whoever has asked it to.
    pub(crate) fn declines(&mut self, worker: WorkerId) {
        if self.told.contains_key(&worker) {
            self.declined.insert(worker);
        }
    }

    /// Whether somebody waits to be told.
    pub(crate) fn waits(&self) -> bool {
        !self.untold.is_empty()
    }

    /// Whether every lane is minded by one of those who can, if anybody can.
    pub(crate) fn is_complete(&self, staying: &[Minder]) -> bool {
        let minders = self.minders(staying);
        let told = minders.iter().filter_map(|worker| self.told.get(worker));
        minders.is_empty() || told.fold(Lanes::NONE, |all, lanes| all.union(*lanes)) == Lanes::all(self.count)
    }

    /// Who minds: those who are of the most use, of all who take connections.
    fn minders(&self, staying: &[Minder]) -> Vec<WorkerId> {
        let takers = staying.iter().filter(|minder| !self.declined.contains(&minder.worker));
        let most = takers.clone().map(|minder| minder.usefulness).max();
        takers.filter(|minder| Some(minder.usefulness) == most).map(|minder| minder.worker).collect()
    }
}

/// What each of `minders` minds: the lane of its slot, and its share of those that are nobody's. Whoever has
/// the fewest takes one; of these one that is not alone in its own lane, and then the one in the lowest slot.
fn deal(count: u32, minders: &[WorkerId]) -> Vec<Lanes> {
    let own: Vec<_> = minders.iter().map(|worker| Lane::of_slot(worker.slot, count)).collect();
    let mut sharers = [0; Lane::COUNT_MAX as usize];
    for lane in &own {
        sharers[lane.index()] += 1;
    }
    let mut shares: Vec<_> = own.iter().map(|lane| Lanes::only(*lane)).collect();
    for lane in Lanes::all(count).without(own.iter().copied().collect()).iter() {
        let load = |index: &usize| (shares[*index].count(), sharers[own[*index].index()] == 1, *index);
        let Some(index) = (0..minders.len()).min_by_key(load) else { break };
        shares[index].insert(lane);
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::FleetId;
    use alloc::format;
    use alloc::string::String;

    #[test]
    fn a_set_has_what_was_put_in_and_nothing_else() {
        let mut lanes = Lanes::NONE;
        for number in [0, 3, 64, 255] {
            lanes.insert(Lane(number));
        }
        let has: Vec<_> = (0..=255).filter(|number| lanes.contains(Lane(*number))).collect();
        assert_eq!(has, [0, 3, 64, 255]);
        assert!((0..=255).all(|number| !Lanes::NONE.contains(Lane(number))));
    }

    fn worker(slot: u16, incarnation: u32) -> WorkerId {
        WorkerId { fleet: FleetId::new(0), slot: Slot::new(slot), incarnation }
    }

    /// Who stays: a slot, `-` for one that is silent, `=` for one that is stopped, `'` for its second incarnation.
    fn staying(words: &str) -> Vec<Minder> {
        let minder = |word: &str| {
            let slot = word.trim_end_matches(['-', '=', '\'']).parse().unwrap();
            let worker = worker(slot, 1 + u32::from(word.contains('\'')));
            let usefulness = match word.chars().last() {
                Some('-') => Usefulness::Silent,
                Some('=') => Usefulness::Stopped,
                _ => Usefulness::Well,
            };
            Minder { worker, usefulness }
        };
        words.split_whitespace().map(minder).collect()
    }

    fn words(orders: &mut Orders) -> String {
        let word = |action| {
            let Action::Mind { worker, lanes } = action else { panic!("{action:?}") };
            format!("{}{lanes:?}", worker.slot)
        };
        orders.drain(..).map(word).collect::<Vec<_>>().join(" ")
    }

    /// Deals to these, one after the other, and compares the orders.
    #[track_caller]
    fn play(count: u32, rows: &[(&str, &str)]) -> Minding {
        let (mut minding, mut orders) = (Minding::new(count), Orders::new());
        for (index, (who, expected)) in rows.iter().enumerate() {
            minding.deal(&staying(who), &mut orders);
            assert_eq!(words(&mut orders), *expected, "row {index}: {who}");
            assert!(minding.is_complete(&staying(who)), "row {index}: {who}");
        }
        minding
    }

    #[test]
    fn while_every_lane_has_a_worker_of_its_own_nobody_is_told_anything() {
        play(3, &[("0 1 2", ""), ("0 1 2", ""), ("0 1 2 3 4", ""), ("3 4 5", ""), ("5 6 7", "")]);
        play(1, &[("", ""), ("0", ""), ("7 9", "")]);
    }

    #[test]
    fn a_lane_without_a_worker_goes_to_another_until_it_has_one_again() {
        play(3, &[("0 1 2", ""), ("0 2", "0{0, 1}"), ("0 2", ""), ("0 1' 2", "0{0}")]);
    }

    #[test]
    fn at_the_start_whoever_is_ready_minds_for_those_who_are_not() {
        play(4, &[("", ""), ("1", "1{0, 1, 2, 3}"), ("1 2", "1{0, 1} 2{2, 3}"), ("0 1 2 3", "1{1} 2{2}")]);
    }

    #[test]
    fn lanes_that_are_nobodys_go_to_whoever_has_the_fewest_and_sits_lowest() {
        play(5, &[("0 1 2 3 4", ""), ("1 4", "1{0, 1, 3} 4{2, 4}"), ("4", "4{0, 1, 2, 3, 4}")]);
        play(4, &[("0 1 2 3", ""), ("2 3", "2{0, 2} 3{1, 3}")]);
    }

    #[test]
    fn of_several_with_as_few_one_that_is_not_alone_in_its_lane_takes_another() {
        // As after a replacement in advance: slots 1 and 5 share lane 1, and lane 2 is nobody's.
        play(4, &[("0 1 2 3", ""), ("0 1 3 5", "1{1, 2}")]);
    }

    #[test]
    fn one_that_is_stopped_or_silent_keeps_what_it_has_and_another_minds_it_as_well() {
        play(2, &[("0 1", ""), ("0- 1", "1{0, 1}"), ("0 1", "1{1}")]);
        play(2, &[("0 1", ""), ("0= 1", "1{0, 1}"), ("0= 1-", ""), ("0 1-", "0{0, 1}")]);
        // Nobody is better: whoever may come round keeps the rest.
        play(
            2,
            &[("0 1", ""), ("0- 1", "1{0, 1}"), ("0- 1-", "1{1}"), ("1-", "1{0, 1}"), ("0' 1-", "0{0, 1}")],
        );
    }

    #[test]
    fn a_successor_in_a_slot_begins_with_the_lane_of_the_slot_whatever_its_predecessor_had() {
        play(2, &[("0", "0{0, 1}"), ("0'", "0{0, 1}"), ("0 1", "")]);
    }

    #[test]
    fn who_has_said_that_it_takes_no_more_minds_nothing() {
        let mut minding = play(2, &[("0 1", "")]);
        let mut orders = Orders::new();
        minding.declines(worker(0, 1));
        minding.deal(&staying("0 1"), &mut orders);
        assert_eq!(words(&mut orders), "1{0, 1}");
        assert!(minding.is_complete(&staying("0 1")));
        // Nor does its word hold for whoever comes after it, nor for one that nobody knows.
        minding.declines(worker(7, 1));
        minding.deal(&staying("0' 1"), &mut orders);
        assert_eq!(words(&mut orders), "1{1}");
        minding.declines(worker(0, 2));
        minding.declines(worker(1, 1));
        minding.deal(&staying("0' 1"), &mut orders);
        assert_eq!(words(&mut orders), "", "nobody is left who could");
        assert!(minding.is_complete(&staying("0' 1")));
    }

    #[test]
    fn who_could_not_be_told_is_told_again_and_not_before_its_time() {
        let mut minding = play(2, &[("0 1", ""), ("1", "1{0, 1}")]);
        let mut orders = Orders::new();
        assert!(minding.not_told(worker(1, 1)));
        assert!(!minding.not_told(worker(1, 1)), "it is planned");
        assert!(!minding.not_told(worker(0, 1)), "it is gone");
        assert!(minding.waits() && !minding.is_complete(&staying("1")));
        minding.deal(&staying("1"), &mut orders);
        assert_eq!(words(&mut orders), "");
        minding.try_again();
        minding.deal(&staying("1"), &mut orders);
        assert_eq!(words(&mut orders), "1{0, 1}");
        assert!(!minding.waits() && minding.is_complete(&staying("1")));
        // Whoever has gone meanwhile is not waited for.
        assert!(minding.not_told(worker(1, 1)));
        minding.deal(&staying("0'"), &mut orders);
        assert_eq!(words(&mut orders), "0{0, 1}");
        assert!(!minding.waits());
    }

    #[test]
    fn every_lane_is_minded_evenly_whoever_is_left_of_up_to_eight_workers() {
        for count in 1..=6 {
            for mask in 1_u16..256 {
                let minders: Vec<_> =
                    (0..8).filter(|slot| mask & 1 << slot != 0).map(|slot| worker(slot, 1)).collect();
                let shares = deal(count, &minders);
                let all = shares.iter().fold(Lanes::NONE, |all, lanes| all.union(*lanes));
                assert_eq!(all, Lanes::all(count), "{count} lanes, {mask:b}");
                let most = shares.iter().map(|lanes| lanes.count()).max().unwrap();
                let nobodys = count - count.min(own_lanes(count, &minders));
                let expected = 1 + nobodys.div_ceil(minders.len() as u32);
                assert!(most <= expected, "{count} lanes, {mask:b}: {shares:?}");
                for (worker, lanes) in minders.iter().zip(&shares) {
                    assert!(lanes.contains(Lane::of_slot(worker.slot, count)), "{count} lanes, {mask:b}");
                }
            }
        }
    }

    fn own_lanes(count: u32, minders: &[WorkerId]) -> u32 {
        minders.iter().map(|worker| Lane::of_slot(worker.slot, count)).collect::<Lanes>().count()
    }

    #[test]
    fn a_set_of_lanes_has_what_was_put_in_and_survives_its_bytes() {
        let rows: [(&[u8], &[u8]); 6] = [
            (&[], &[]),
            (&[0], &[1]),
            (&[0, 3, 7], &[0b1000_1001]),
            (&[9], &[0, 2]),
            (&[63, 64], &[0, 0, 0, 0, 0, 0, 0, 128, 1]),
            (
                &[255],
                &[
                    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                    0, 128,
                ],
            ),
        ];
        for (numbers, bytes) in rows {
            let lanes: Lanes = numbers.iter().map(|number| Lane(*number)).collect();
            assert_eq!(lanes.iter().map(|lane| lane.0).collect::<Vec<_>>(), numbers);
            assert_eq!((lanes.count(), lanes.is_empty()), (numbers.len() as u32, numbers.is_empty()));
            assert_eq!(lanes.bytes(), bytes);
            assert_eq!(Lanes::of_bytes(bytes), Some(lanes));
        }
        assert_eq!(Lanes::all(Lane::COUNT_MAX).count(), 256);
        assert_eq!(format!("{:?}", Lanes::all(2)), "{0, 1}");
        assert_eq!(Lanes::of_bytes(&[1; Lanes::BYTES_MAX + 1]), None, "more than there can be");
        assert_eq!(Lanes::of_bytes(&[1, 0]), None, "not as it is written");
    }
}
