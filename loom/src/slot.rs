//! The slot, its rules, and what must hold.

use host_core::fleet::beat::{Beat, Pace, pack_count, pack_extension, unpack_count, unpack_extension};
use host_core::time::Instant;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use std::cell::Cell;
use std::rc::Rc;

/// What the promises depend on.
#[derive(Clone, Copy)]
struct Rules {
    /// Words say which incarnation wrote them.
    tags: bool,
    /// A word is written at once, not in two halves.
    whole: bool,
    /// Who sees a word sees what its writer did before.
    publishes: bool,
    /// The extension is read before the beat. A worker that ends one has beaten before.
    extension_first: bool,
}

const RULES: Rules = Rules { tags: true, whole: true, publishes: true, extension_first: true };

/// The same numbers but for the tag, which is that of the lowest eight bits.
const OLD: u32 = 7;
const NEW: u32 = 8;

/// Moments whose two halves both differ, so that a torn word would be none of them.
fn moment(number: u64) -> Instant {
    Instant::from_nanos(((number << 32) + number) * 1_000)
}

struct Slot {
    rules: Rules,
    beat: Word,
    extension: Word,
    count: Word,
}

/// A word, and the upper half of it where words are not whole.
#[derive(Default)]
struct Word(AtomicU64, AtomicU64);

#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    beat: Option<Beat>,
    extended_until: Option<Instant>,
    requests: u64,
}

impl Slot {
    fn new(rules: Rules) -> Arc<Self> {
        let [beat, extension, count] = [Word::default(), Word::default(), Word::default()];
        Arc::new(Self { rules, beat, extension, count })
    }

    /// What the host does before it forks.
    fn claim(&self) {
        for word in [&self.beat, &self.extension, &self.count] {
            self.store(word, Beat::EMPTY);
        }
    }

    fn beat(&self, incarnation: u32, number: u64) {
        let beat = Beat { at: moment(number), pace: Pace::Busy };
        self.store(&self.beat, beat.pack(self.tag(incarnation)));
    }

    fn extend(&self, incarnation: u32, until: Instant) {
        self.store(&self.extension, pack_extension(until, self.tag(incarnation)));
    }

    fn count(&self, incarnation: u32, requests: u64) {
        self.store(&self.count, pack_count(requests, self.tag(incarnation)));
    }

    fn read(&self, incarnation: u32) -> Reading {
        let tag = self.tag(incarnation);
        let extended_until = || unpack_extension(self.load(&self.extension), tag);
        let before = self.rules.extension_first.then(extended_until);
        let beat = Beat::unpack(self.load(&self.beat), tag);
        let extended_until = before.unwrap_or_else(extended_until);
        Reading { beat, extended_until, requests: unpack_count(self.load(&self.count), tag) }
    }

    fn tag(&self, incarnation: u32) -> u32 {
        if self.rules.tags { incarnation } else { 0 }
    }

    fn store(&self, word: &Word, value: u64) {
        let order = if self.rules.publishes { Ordering::Release } else { Ordering::Relaxed };
        if self.rules.whole {
            word.0.store(value, order);
        } else {
            word.0.store(value & 0xffff_ffff, order);
            word.1.store(value >> 32 << 32, order);
        }
    }

    fn load(&self, word: &Word) -> u64 {
        let order = if self.rules.publishes { Ordering::Acquire } else { Ordering::Relaxed };
        if self.rules.whole { word.0.load(order) } else { word.1.load(order) | word.0.load(order) }
    }
}

/// Tries all orders, and gives how many of them had what `run` answers yes to: a promise about what never
/// occurs says nothing.
fn every_order(run: impl Fn() -> bool + Sync + Send + 'static) -> u32 {
    thread_local! {
        static SEEN: Rc<Cell<u32>> = Rc::default();
    }
    SEEN.with(|seen| seen.set(0));
    loom::model(move || {
        let yes = run();
        SEEN.with(|seen| seen.set(seen.get() + u32::from(yes)));
    });
    SEEN.with(|seen| seen.get())
}

/// The predecessor's last words come at any moment: before the claim, after it, after its successor's.
fn predecessor(slot: &Arc<Slot>, last_words: fn(&Slot)) -> thread::JoinHandle<()> {
    let slot = Arc::clone(slot);
    thread::spawn(move || last_words(&slot))
}

/// Nothing of a predecessor is read, nothing that nobody wrote, and no beat after a later one.
fn beats_are_its_own_and_in_order(rules: Rules) -> u32 {
    every_order(move || {
        let slot = Slot::new(rules);
        let old = predecessor(&slot, |slot| slot.beat(OLD, 9));
        slot.claim();
        let worker = Arc::clone(&slot);
        let new = thread::spawn(move || (1..=2).for_each(|number| worker.beat(NEW, number)));
        let reads = [(); 3].map(|()| slot.read(NEW).beat);
        let own = [1, 2].map(moment);
        let mut last = Instant::ZERO;
        for beat in reads.into_iter().flatten() {
            assert_ne!(beat.at, moment(9), "a beat of its predecessor");
            assert!(own.contains(&beat.at), "a torn word");
            assert!(beat.at >= last, "an older beat after a later one");
            last = beat.at;
        }
        old.join().expect("it stores");
        new.join().expect("it stores");
        // A beat was read, and then a foreign word had come on top of it.
        reads[0].is_some() && reads[2].is_none()
    })
}

#[test]
fn beats_are_those_of_the_incarnation_and_each_is_as_late_as_the_one_before() {
    assert!(beats_are_its_own_and_in_order(RULES) > 0, "no order has a late word");
}

#[test]
#[should_panic(expected = "a beat of its predecessor")]
fn without_tags_a_late_beat_of_a_predecessor_is_taken_for_its_successors() {
    beats_are_its_own_and_in_order(Rules { tags: false, ..RULES });
}

#[test]
#[should_panic(expected = "a torn word")]
fn in_two_halves_a_moment_is_read_that_never_was() {
    beats_are_its_own_and_in_order(Rules { whole: false, ..RULES });
}

/// The same of the other two words.
fn extensions_and_counts_are_its_own(rules: Rules) -> u32 {
    every_order(move || {
        let slot = Slot::new(rules);
        let old = predecessor(&slot, |slot| {
            slot.extend(OLD, moment(9));
            slot.count(OLD, 9);
        });
        slot.claim();
        let worker = Arc::clone(&slot);
        let new = thread::spawn(move || {
            worker.extend(NEW, moment(1));
            worker.count(NEW, 1);
        });
        let read = slot.read(NEW);
        assert!(read.extended_until.is_none_or(|until| until == moment(1)), "its predecessor's extension");
        assert!(read.requests <= 1, "its predecessor's count");
        old.join().expect("it stores");
        new.join().expect("it stores");
        read.extended_until.is_some() && read.requests == 1
    })
}

#[test]
fn extensions_and_counts_are_those_of_the_incarnation() {
    assert!(extensions_and_counts_are_its_own(RULES) > 0, "no order has both");
}

#[test]
#[should_panic(expected = "its predecessor's")]
fn without_tags_so_are_extensions_and_counts() {
    extensions_and_counts_are_its_own(Rules { tags: false, ..RULES });
}

/// A beat that the host knows of is read, or a later one. Only a foreign word on top of it hides it, and then
/// nothing is read.
fn no_beat_is_lost(has_predecessor: bool) -> u32 {
    every_order(move || {
        let slot = Slot::new(RULES);
        let old = has_predecessor.then(|| predecessor(&slot, |slot| slot.beat(OLD, 9)));
        slot.claim();
        // The channel: whoever has the message knows what came before it.
        let told = Arc::new(AtomicU64::new(0));
        let (worker, says) = (Arc::clone(&slot), Arc::clone(&told));
        let new = thread::spawn(move || {
            for number in 1..=2 {
                worker.beat(NEW, number);
                says.store(number, Ordering::Release);
            }
        });
        let known = told.load(Ordering::Acquire);
        let read = slot.read(NEW).beat;
        match read {
            Some(beat) => assert!(beat.at >= moment(known.max(1)), "an older beat than the known one"),
            None => assert!(known == 0 || has_predecessor, "a beat is lost"),
        }
        old.map(|old| old.join().expect("it stores"));
        new.join().expect("it stores");
        known > 0 && read.is_some() != has_predecessor
    })
}

#[test]
fn a_beat_that_the_host_knows_of_is_read() {
    assert!(no_beat_is_lost(false) > 0, "no order has one");
}

#[test]
fn a_beat_under_a_late_word_reads_as_nothing_and_not_as_an_older_one() {
    assert!(no_beat_is_lost(true) > 0, "no order has one");
}

/// A worker that ends an extension beats first: a host that reads meanwhile finds one or the other (S1).
fn is_alive_while_an_extension_ends(rules: Rules) -> u32 {
    every_order(move || {
        let slot = Slot::new(rules);
        slot.claim();
        slot.beat(NEW, 1);
        slot.extend(NEW, moment(4));
        let worker = Arc::clone(&slot);
        let new = thread::spawn(move || {
            worker.beat(NEW, 3);
            worker.extend(NEW, Instant::ZERO);
        });
        let read = slot.read(NEW);
        let beats = read.beat.is_some_and(|beat| beat.at == moment(3));
        let extended = read.extended_until == Some(moment(4));
        assert!(beats || extended, "an old beat and no extension any more: the look of one that hangs");
        new.join().expect("it stores");
        beats && !extended
    })
}

#[test]
fn a_worker_looks_alive_while_its_extension_ends() {
    assert!(is_alive_while_an_extension_ends(RULES) > 0, "no order has the end of one");
}

#[test]
#[should_panic(expected = "the look of one that hangs")]
fn read_after_the_beat_the_end_of_an_extension_makes_a_worker_look_as_if_it_hung() {
    is_alive_while_an_extension_ends(Rules { extension_first: false, ..RULES });
}

#[test]
#[should_panic(expected = "the look of one that hangs")]
fn without_release_and_acquire_the_end_of_an_extension_is_seen_before_the_beat() {
    is_alive_while_an_extension_ends(Rules { publishes: false, ..RULES });
}
