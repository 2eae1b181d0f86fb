//! A worker's sign of life, as one word that two processes share.
//!
//! One 64-bit word, so that it is never read half written: the low eight bits of the incarnation that
//! wrote it, what the worker was about to do, and the moment in microseconds. A word that another
//! incarnation wrote, late, reads as no beat at all (S2, K26).

use crate::time::Instant;

/// What a worker does between two signs of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Pace {
    /// It waits in a call of the framework: alive, whatever the age of its beat.
    Waiting,
    /// It runs code of its own: alive for as long as the heartbeat timeout.
    Busy,
}

/// A sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Beat {
    /// When.
    pub at: Instant,
    /// What it was about to do then.
    pub pace: Pace,
}

/// Bits of the moment: microseconds, enough for 500 years.
const MOMENT_BITS: u32 = 54;
const BUSY: u64 = 1 << MOMENT_BITS;
/// Distinguishes a word that was written from an empty one.
const WRITTEN: u64 = 1 << (MOMENT_BITS + 1);
const TAG_SHIFT: u32 = 56;
const MOMENT_MASK: u64 = BUSY - 1;

impl Beat {
    /// The word of a slot in which nobody has beaten yet.
    pub const EMPTY: u64 = 0;

    /// The beat of `incarnation` as a word. The moment is rounded up to a microsecond, so that nobody
    /// looks older than it is.
    pub const fn pack(self, incarnation: u32) -> u64 {
        let busy = match self.pace {
            Pace::Waiting => 0,
            Pace::Busy => BUSY,
        };
        tag(incarnation) | WRITTEN | busy | micros(self.at)
    }

    /// The beat in `word`, if `incarnation` wrote it.
    pub const fn unpack(word: u64, incarnation: u32) -> Option<Self> {
        if word & WRITTEN == 0 || word >> TAG_SHIFT << TAG_SHIFT != tag(incarnation) {
            return None;
        }
        let pace = if word & BUSY == 0 { Pace::Waiting } else { Pace::Busy };
        Some(Self { at: moment(word), pace })
    }
}

/// Until when `incarnation` may be silent, as a word.
pub const fn pack_extension(until: Instant, incarnation: u32) -> u64 {
    tag(incarnation) | WRITTEN | micros(until)
}

/// The extension in `word`, if `incarnation` wrote it.
pub const fn unpack_extension(word: u64, incarnation: u32) -> Option<Instant> {
    match Beat::unpack(word, incarnation) {
        Some(beat) => Some(beat.at),
        None => None,
    }
}

/// A count of `incarnation` as a word; it stops counting at 2^54.
pub const fn pack_count(count: u64, incarnation: u32) -> u64 {
    let count = if count > MOMENT_MASK { MOMENT_MASK } else { count };
    tag(incarnation) | WRITTEN | count
}

/// The count in `word`; nothing if another incarnation wrote it.
pub const fn unpack_count(word: u64, incarnation: u32) -> u64 {
    match Beat::unpack(word, incarnation) {
        Some(_) => word & MOMENT_MASK,
        None => 0,
    }
}

/// Eight bits of the incarnation: a late word of a predecessor would have to come 256 workers late.
const fn tag(incarnation: u32) -> u64 {
    (incarnation as u64 & 0xff) << TAG_SHIFT
}

const fn micros(at: Instant) -> u64 {
    let micros = at.as_nanos().div_ceil(1_000);
    if micros > MOMENT_MASK { MOMENT_MASK } else { micros }
}

const fn moment(word: u64) -> Instant {
    Instant::from_nanos((word & MOMENT_MASK) * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn a_beat_is_read_by_its_own_incarnation_and_no_other() {
        for incarnation in [1, 2, 255, 256, 257, u32::MAX] {
            for pace in [Pace::Waiting, Pace::Busy] {
                let beat = Beat { at: at(7_000), pace };
                let word = beat.pack(incarnation);
                assert_eq!(Beat::unpack(word, incarnation), Some(beat), "{incarnation}");
                assert_eq!(Beat::unpack(word, incarnation.wrapping_add(1)), None, "{incarnation}");
                assert_eq!(Beat::unpack(word, incarnation.wrapping_sub(1)), None, "{incarnation}");
            }
        }
    }

    #[test]
    fn an_empty_word_is_nobodys() {
        for incarnation in [0, 1, 256] {
            assert_eq!(Beat::unpack(Beat::EMPTY, incarnation), None);
            assert_eq!(unpack_extension(Beat::EMPTY, incarnation), None);
            assert_eq!(unpack_count(Beat::EMPTY, incarnation), 0);
        }
    }

    #[test]
    fn moments_are_rounded_up_and_saturate() {
        for (nanos, told) in [(0, 0), (1, 1_000), (999, 1_000), (1_000, 1_000), (1_001, 2_000)] {
            let beat = Beat { at: at(nanos), pace: Pace::Busy };
            assert_eq!(Beat::unpack(beat.pack(1), 1).unwrap().at, at(told), "{nanos}");
            assert_eq!(unpack_extension(pack_extension(at(nanos), 1), 1), Some(at(told)), "{nanos}");
        }
        let last = Beat { at: at(u64::MAX), pace: Pace::Waiting };
        let read = Beat::unpack(last.pack(3), 3).unwrap();
        assert_eq!(read.pace, Pace::Waiting);
        assert!(read.at.as_nanos() > u64::MAX / 2);
    }

    #[test]
    fn counts_are_tagged_and_saturate() {
        assert_eq!(unpack_count(pack_count(42, 5), 5), 42);
        assert_eq!(unpack_count(pack_count(42, 5), 6), 0);
        assert_eq!(unpack_count(pack_count(u64::MAX, 5), 5), MOMENT_MASK);
    }
}
