//! Heartbeat slots: a line of words for each worker, which it writes and its host reads. Nobody calls
//! the kernel for that.

use crate::clock;
use crate::raw::Shared;
use host_core::fleet::beat::{Beat, Pace, pack_count, pack_extension, unpack_count, unpack_extension};
use host_core::sys::{SlotReading, SlotsId};
use host_core::time::{Duration, Instant};
use rustix::io::{Errno, Result};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering;

/// The words of a line. Each is whole by itself; they need not fit together.
const BEAT: usize = 0;
const EXTENSION: usize = 1;
const REQUESTS: usize = 2;
const CONNECTIONS: usize = 3;
const WORDS: [usize; 4] = [BEAT, EXTENSION, REQUESTS, CONNECTIONS];

/// The slots that one [`Linux`](crate::Linux) knows.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    pages: RefCell<Vec<Rc<Shared>>>,
    /// The slot that this process writes, if it is a worker.
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    page: Rc<Shared>,
    slot: usize,
    incarnation: u32,
    /// How far the clock that a pulse reads is behind at most.
    lag: Duration,
}

impl Slots {
    /// A page of `count` slots.
    pub(crate) fn add(&self, count: u32) -> Result<SlotsId> {
        let page = Shared::new(count as usize)?;
        let mut pages = self.pages.borrow_mut();
        let id = u32::try_from(pages.len()).map_err(|_| Errno::NOMEM)?;
        pages.push(Rc::new(page));
        Ok(SlotsId(id))
    }

    /// Those of a child, which knows what its parent knows and writes the given slot. A child of one that
    /// does not exist writes none.
    pub(crate) fn of_child(&self, (page, slot, incarnation): (SlotsId, u32, u32)) -> Self {
        let own = self.page(page).filter(|page| page.len() > slot as usize).map(|page| Own {
            page,
            slot: slot as usize,
            incarnation,
            lag: clock::lag(),
        });
        Self { pages: RefCell::new(self.pages.borrow().clone()), own }
    }

    /// Whether there is such a slot.
    pub(crate) fn has(&self, page: SlotsId, slot: u32) -> bool {
        self.page(page).is_some_and(|page| page.len() > slot as usize)
    }

    /// Empties a slot. Empty is the same for all incarnations: none has written.
    pub(crate) fn claim(&self, page: SlotsId, slot: u32) {
        let Some(page) = self.page(page) else { return };
        let Some(line) = page.get(slot as usize) else { return };
        for word in WORDS {
            line.0[word].store(Beat::EMPTY, Ordering::Release);
        }
    }

    /// What `incarnation` has stored.
    pub(crate) fn read(&self, page: SlotsId, slot: u32, incarnation: u32) -> SlotReading {
        let Some(page) = self.page(page) else { return SlotReading::default() };
        let Some(line) = page.get(slot as usize) else { return SlotReading::default() };
        let load = |word: usize| line.0[word].load(Ordering::Acquire);
        // The extension first: a worker that ends one has beaten before, and whoever sees that end sees that
        // beat. The other way round a worker could look silent for as long as it was extended.
        let extension = load(EXTENSION);
        SlotReading {
            beat: Beat::unpack(load(BEAT), incarnation),
            extended_until: unpack_extension(extension, incarnation),
            requests: unpack_count(load(REQUESTS), incarnation),
            connections: unpack_count(load(CONNECTIONS), incarnation),
        }
    }

    /// Stores a sign of life of now.
    #[inline]
    pub(crate) fn pulse(&self, pace: Pace) {
        if let Some(own) = &self.own {
            own.store(BEAT, Beat { at: clock::about_now(own.lag), pace }.pack(own.incarnation));
        }
    }

    /// Stores a sign of life of `at`.
    #[inline]
    pub(crate) fn beat(&self, beat: Beat) {
        if let Some(own) = &self.own {
            own.store(BEAT, beat.pack(own.incarnation));
        }
    }

    /// Stores until when this worker may be silent.
    pub(crate) fn extend(&self, until: Instant) {
        if let Some(own) = &self.own {
            own.store(EXTENSION, pack_extension(until, own.incarnation));
        }
    }

    /// Stores how many requests this worker has served.
    #[inline]
    pub(crate) fn count(&self, requests: u64) {
        if let Some(own) = &self.own {
            own.store(REQUESTS, pack_count(requests, own.incarnation));
        }
    }

    /// Stores how many connections this worker has in hand.
    #[inline]
    pub(crate) fn busy(&self, connections: u64) {
        if let Some(own) = &self.own {
            own.store(CONNECTIONS, pack_count(connections, own.incarnation));
        }
    }

    fn page(&self, id: SlotsId) -> Option<Rc<Shared>> {
        self.pages.borrow().get(id.0 as usize).cloned()
    }
}

impl Own {
    /// Whoever sees the word sees what this worker did before.
    #[inline]
    fn store(&self, word: usize, value: u64) {
        self.page[self.slot].0[word].store(value, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: SlotsId = SlotsId(0);

    #[test]
    fn what_a_worker_stores_is_read_by_who_asks_for_its_incarnation() {
        let host = Slots::default();
        assert_eq!(host.add(2), Ok(FIRST));
        host.claim(FIRST, 1);
        let worker = host.of_child((FIRST, 1, 7));
        assert_eq!(host.read(FIRST, 1, 7), SlotReading::default());

        let beat = Beat { at: Instant::from_nanos(5_000), pace: Pace::Busy };
        worker.beat(beat);
        worker.extend(Instant::from_nanos(9_000));
        worker.count(42);
        worker.busy(3);
        let stored = SlotReading {
            beat: Some(beat),
            extended_until: Some(Instant::from_nanos(9_000)),
            requests: 42,
            connections: 3,
        };
        assert_eq!(host.read(FIRST, 1, 7), stored);
        assert_eq!(host.read(FIRST, 1, 8), SlotReading::default(), "another incarnation");
        assert_eq!(host.read(FIRST, 0, 7), SlotReading::default(), "another slot");

        host.claim(FIRST, 1);
        assert_eq!(host.read(FIRST, 1, 7), SlotReading::default());
    }

    #[test]
    fn a_slot_that_does_not_exist_is_empty_and_a_process_without_one_stores_nothing() {
        let host = Slots::default();
        assert_eq!(host.add(0), Ok(FIRST));
        for (page, slot) in [(FIRST, 0), (SlotsId(1), 0)] {
            assert!(!host.has(page, slot));
            host.claim(page, slot);
            host.of_child((page, slot, 1)).pulse(Pace::Busy);
            assert_eq!(host.read(page, slot, 1), SlotReading::default());
        }
        assert_eq!(host.add(1), Ok(SlotsId(1)));
        host.pulse(Pace::Busy);
        host.count(1);
        host.busy(1);
        host.extend(Instant::ZERO);
        assert_eq!(host.read(SlotsId(1), 0, 1), SlotReading::default());
    }
}
