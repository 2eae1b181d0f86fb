//! Heartbeat slots: words that parent and children share.
//!
//! They are memory, not messages: what a worker stored stays when it is killed (K26), until the slot is
//! claimed for its successor.

use crate::check::Violation;
use crate::kernel::rules::Rule;
use crate::kernel::{Index, Kernel, MILLISECOND, Nanos};
use crate::trace::Kind;
use host_core::fleet::beat::{Beat, Pace, pack_count, pack_extension, unpack_count, unpack_extension};
use host_core::sys::{SlotReading, SlotsId};
use host_core::time::Instant;

/// The words of one slot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Words {
    beat: u64,
    extension: u64,
    count: u64,
    connections: u64,
    /// For the rules: when the sign of life was stored, and by which incarnation.
    stored: Option<(Nanos, u32)>,
    /// When the parent last looked, what stood there then, and when it had looked before.
    seen: Option<(Nanos, (Nanos, u32), Nanos)>,
}

/// What a parent has read in a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// When it last looked.
    pub(crate) at: Nanos,
    /// When the sign of life that it found had been given.
    pub(crate) stored: Nanos,
    /// When it had looked before.
    pub(crate) before: Nanos,
}

impl Words {
    /// What the parent has read of whoever sits in `seat`.
    pub(crate) fn seen(&self, seat: Seat) -> Option<Seen> {
        let (at, (stored, by), before) = self.seen?;
        (by == seat.incarnation).then_some(Seen { at, stored, before })
    }
}

/// Which slot a worker writes, and as whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) page: SlotsId,
    pub(crate) slot: u32,
    pub(crate) incarnation: u32,
}

/// All pages of the machine.
pub(crate) type Pages = Vec<Vec<Words>>;

/// One tick of the coarse clock (CLOCK_MONOTONIC_COARSE at 250 Hz).
const TICK: Nanos = 4 * MILLISECOND;

impl Kernel {
    pub(crate) fn slots(&mut self, count: u32) -> SlotsId {
        self.pages.push(vec![Words::default(); count as usize]);
        SlotsId(self.pages.len() as u32 - 1)
    }

    pub(crate) fn slot_claim(&mut self, me: Index, seat: Seat) {
        if !self.process(me).is_living() {
            return;
        }
        self.record(me, Kind::Claim, u64::from(seat.slot), u64::from(seat.incarnation));
        if self.honours(Rule::ClaimEmptiesSlot) {
            self.empty_slot(seat);
        }
    }

    pub(crate) fn empty_slot(&mut self, seat: Seat) {
        if let Some(words) = self.words(seat) {
            *words = Words::default();
        }
    }

    pub(crate) fn slot_read(&mut self, seat: Seat) -> SlotReading {
        let now = self.now;
        let Some(words) = self.words(seat) else { return SlotReading::default() };
        let before = words.seen.map_or(0, |(before, ..)| before);
        words.seen = words.stored.map(|stored| (now, stored, before));
        let reading = SlotReading {
            beat: Beat::unpack(words.beat, seat.incarnation),
            extended_until: unpack_extension(words.extension, seat.incarnation),
            requests: unpack_count(words.count, seat.incarnation),
            connections: unpack_count(words.connections, seat.incarnation),
        };
        let by =
            words.stored.map(|(_, by)| by).filter(|by| reading.beat.is_some() && *by != seat.incarnation);
        if let Some(by) = by {
            let Seat { slot, incarnation, .. } = seat;
            let detail = format!(
                "what incarnation {by} stored in slot {slot} is read as a sign of life of incarnation {incarnation}"
            );
            self.violate(Violation::new("S2", detail));
        }
        reading
    }

    /// Whether `me` is a worker that has told that it waits: until it tells otherwise it runs the
    /// framework's code and none of its own.
    pub(crate) fn has_told_that_it_waits(&mut self, me: Index) -> bool {
        self.process(me).pace == Some(Pace::Waiting)
    }

    /// Stores a sign of life of `me`, two ticks ahead of the coarse clock: a worker may look younger than
    /// it is, never older.
    pub(crate) fn pulse(&mut self, me: Index, pace: Pace) {
        let now = self.now;
        let process = self.process(me);
        process.truth.progress = now;
        let Some(seat) = process.seat else { return };
        if process.pace.replace(pace) != Some(pace) {
            self.record(me, Kind::Pulse, u64::from(pace == Pace::Busy), 0);
        }
        let at = Instant::from_nanos((now / TICK + 2) * TICK);
        if let Some(words) = self.words(seat) {
            words.beat = Beat { at, pace }.pack(seat.incarnation);
            words.stored = Some((now, seat.incarnation));
        }
    }

    pub(crate) fn slot_extend(&mut self, me: Index, until: Instant) {
        let Some(seat) = self.process(me).seat else { return };
        self.record(me, Kind::Extend, until.as_nanos(), 0);
        if let Some(words) = self.words(seat) {
            words.extension = pack_extension(until, seat.incarnation);
        }
    }

    pub(crate) fn slot_count(&mut self, me: Index, requests: u64) {
        let Some(seat) = self.process(me).seat else { return };
        if let Some(words) = self.words(seat) {
            words.count = pack_count(requests, seat.incarnation);
        }
    }

    pub(crate) fn slot_busy(&mut self, me: Index, connections: u64) {
        let Some(seat) = self.process(me).seat else { return };
        if let Some(words) = self.words(seat) {
            words.connections = pack_count(connections, seat.incarnation);
        }
    }

    /// Until when whoever sits in `seat` has asked to be let alone; zero if it has not.
    pub(crate) fn extension(&mut self, seat: Seat) -> Nanos {
        let extended = self.words(seat).and_then(|words| unpack_extension(words.extension, seat.incarnation));
        extended.map_or(0, Instant::as_nanos)
    }

    pub(crate) fn words(&mut self, seat: Seat) -> Option<&mut Words> {
        self.pages.get_mut(seat.page.0 as usize)?.get_mut(seat.slot as usize)
    }
}
