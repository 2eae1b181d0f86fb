//! The kick: ends a host whose heartbeat is too old, from inside a signal handler.
//!
//! The handler runs between any two instructions of this process, perhaps in the middle of an
//! allocation or with a lock held. So all that it reads is atomics, and it writes through a buffer on
//! its own stack.

use crate::signals::Signals;
use crate::{clock, raw};
use host_core::error::exit;
use host_core::id::ServiceId;
use host_core::service::kick::{Site, Verdict, last_words, verdict};
use host_core::time::{Duration, Instant};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, Result};
use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::os::fd::AsFd as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Whether a host of this process holds the kick: USR1 belongs to the process, so at most one can.
static HELD: AtomicBool = AtomicBool::new(false);
/// The threshold in nanoseconds; at the end of time nobody is hung.
static THRESHOLD: AtomicU64 = AtomicU64::new(u64::MAX);
/// The moment of the last beat.
static BEAT: AtomicU64 = AtomicU64::new(0);
/// Where the host is since then, packed.
static SITE: AtomicU64 = AtomicU64::new(0);
/// The names of the services, in rooms that are built when first needed and then stay: a handler may
/// be reading them.
static NAMES: [OnceLock<Box<[Name; ROOM]>>; ROOMS] = [const { OnceLock::new() }; ROOMS];

const ROOM: usize = 256;
/// With [`ROOM`]: the names of 65,536 services. Those beyond are kicked all the same, as `?`.
const ROOMS: usize = 256;

/// What one [`Linux`](crate::Linux) has to do with the kick.
#[derive(Debug, Default)]
pub(crate) struct Kick {
    /// Whether this one holds it.
    held: Cell<bool>,
    /// The names, until this one holds it: they must not overwrite those of another host.
    names: RefCell<Vec<(ServiceId, Box<str>)>>,
}

impl Kick {
    /// Takes the kick.
    pub(crate) fn arm(&self, threshold: Duration, signals: &Signals) -> Result<()> {
        HELD.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).map_err(|_| Errno::BUSY)?;
        // A host that has not beaten yet is as old as its kick. This also makes the clock ready for use in
        // a handler: the first time it looks for the kernel's function.
        store(clock::now(), Site::Loop);
        THRESHOLD.store(u64::try_from(threshold.as_nanos()).unwrap_or(u64::MAX), Ordering::Release);
        if let Err(errno) = signals.catch_kick() {
            let_go();
            return Err(errno);
        }
        self.held.set(true);
        for (service, name) in self.names.take() {
            publish(service, &name);
        }
        Ok(())
    }

    /// Makes `name` known.
    pub(crate) fn name(&self, service: ServiceId, name: &str) {
        if self.held.get() {
            publish(service, name);
        } else {
            self.names.borrow_mut().push((service, name.into()));
        }
    }

    /// Stores the heartbeat, if this one holds the kick.
    #[inline]
    pub(crate) fn beat(&self, at: Instant, site: Site) {
        if self.held.get() {
            store(at, site);
        }
    }

    /// Gives the kick and the signals back.
    pub(crate) fn disarm(&self, signals: &Signals) {
        let held = self.held.take();
        if held {
            // A kick that arrives while the handler is still in place finds nobody to judge.
            THRESHOLD.store(u64::MAX, Ordering::Release);
        }
        signals.restore();
        if held {
            raw::KICK_BELL.hang(None);
            let_go();
        }
    }
}

/// Makes this process one whose kick nobody holds: a child is born with the copy of a host that does.
pub(crate) fn let_go() {
    THRESHOLD.store(u64::MAX, Ordering::Release);
    HELD.store(false, Ordering::Release);
}

/// The moment first, then the site; [`judge`] loads them the other way round.
///
/// A handler that runs between the two, or beside them in another thread, then pairs a site with a
/// moment that is at least as young. In particular a host that waited for an hour is not seen at work
/// since an hour ago: whoever sees its new site sees its new moment as well.
#[inline]
fn store(at: Instant, site: Site) {
    BEAT.store(at.as_nanos(), Ordering::Relaxed);
    SITE.store(site.pack(), Ordering::Release);
}

/// Ends this process if its host hangs. Async-signal-safe.
pub(crate) fn judge() {
    // The time before the site before the moment: should this thread lose its processor in between and
    // the host run on in another, the host looks younger than it is, never older.
    let now = clock::now();
    let site = Site::unpack(SITE.load(Ordering::Acquire));
    let beat = Instant::from_nanos(BEAT.load(Ordering::Acquire));
    let threshold = Duration::from_nanos(THRESHOLD.load(Ordering::Acquire));
    match verdict(now, beat, site, threshold) {
        // Whoever has files that may have been renamed hears of it.
        Verdict::Alive => raw::KICK_BELL.ring(),
        Verdict::Hung { age } => {
            say(site, age, threshold);
            raw::exit_at_once(exit::KICKED)
        }
    }
}

fn say(site: Site, age: Duration, threshold: Duration) {
    let name = match site {
        Site::In(service, _) => known(service).map(Name::load),
        Site::Deciding(_) | Site::Loop | Site::Waiting => None,
    };
    let name = name.as_ref().map_or("?", Text::as_str);
    let mut words = Text::<WORDS_MAX>::new();
    // Cannot fail: what does not fit is left out.
    let _ = last_words(&mut words, site, name, age, threshold);
    // The handle of the standard library takes no lock before it is written to.
    let stderr = std::io::stderr();
    let mut room = [PollFd::new(&stderr, PollFlags::OUT)];
    // Nobody may be reading, as when the reader of a pipe hangs as well. Better no words than a kick that
    // blocks for ever, or that becomes a SIGPIPE with another exit status.
    if poll(&mut room, Some(&Timespec::default())) == Ok(1) && room[0].revents() == PollFlags::OUT {
        let _ = rustix::io::write(stderr.as_fd(), words.as_str().as_bytes());
    }
}

fn publish(service: ServiceId, name: &str) {
    if let Some(room) = NAMES.get(service.index() / ROOM) {
        let names = room.get_or_init(|| Box::new([const { Name::new() }; ROOM]));
        names[service.index() % ROOM].store(name);
    }
}

fn known(service: ServiceId) -> Option<&'static Name> {
    Some(&NAMES.get(service.index() / ROOM)?.get()?[service.index() % ROOM])
}

/// Long enough for the sentence, the longest name and two numbers.
const WORDS_MAX: usize = 256;
/// How many bytes of a name the kick knows: with the length nine words, and more than the 64 bytes that a
/// name may have.
const NAME_MAX: usize = 71;

/// A name that can be read while it is replaced: the length in the first byte, then the text.
///
/// Torn, it is a wrong name for a moment, not a fault. It is not torn when it matters: a service is
/// named before its first callback, and by the thread that calls it.
struct Name([AtomicU64; (NAME_MAX + 1) / 8]);

impl Name {
    const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; (NAME_MAX + 1) / 8])
    }

    fn store(&self, name: &str) {
        let name = &name[..name.floor_char_boundary(NAME_MAX)];
        let mut bytes = [0; NAME_MAX + 1];
        bytes[0] = name.len() as u8;
        bytes[1..=name.len()].copy_from_slice(name.as_bytes());
        for (word, bytes) in self.0.iter().zip(bytes.as_chunks().0) {
            word.store(u64::from_ne_bytes(*bytes), Ordering::Release);
        }
    }

    fn load(&self) -> Text<NAME_MAX> {
        let mut bytes = [0; NAME_MAX + 1];
        for (word, bytes) in self.0.iter().zip(bytes.as_chunks_mut().0) {
            *bytes = word.load(Ordering::Acquire).to_ne_bytes();
        }
        let length = usize::from(bytes[0]).min(NAME_MAX);
        let mut text = Text::new();
        // Cannot fail: what does not fit is left out.
        let _ = text.write_str(std::str::from_utf8(&bytes[1..=length]).unwrap_or("?"));
        text
    }
}

/// Text in place: no allocation.
struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Text<N> {
    const fn new() -> Self {
        Self { bytes: [0; N], length: 0 }
    }

    fn as_str(&self) -> &str {
        // Always text: only whole characters are ever put in.
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or("?")
    }
}

/// What does not fit is left out, from a whole character on.
impl<const N: usize> std::fmt::Write for Text<N> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let fits = text.floor_char_boundary(N - self.length);
        self.bytes[self.length..][..fits].copy_from_slice(&text.as_bytes()[..fits]);
        self.length += fits;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_core::service::kick::Callback;

    #[test]
    fn a_name_is_cut_at_a_whole_character() {
        let name = Name::new();
        assert_eq!(name.load().as_str(), "");
        let rows = [
            ("", ""),
            ("web", "web"),
            (&*"a".repeat(71), &*"a".repeat(71)),
            (&*"a".repeat(72), &*"a".repeat(71)),
            (&*format!("{}ä", "a".repeat(70)), &*"a".repeat(70)),
            (&*format!("{}ä", "a".repeat(69)), &*format!("{}ä", "a".repeat(69))),
            ("x", "x"),
        ];
        for (given, kept) in rows {
            name.store(given);
            assert_eq!(name.load().as_str(), kept);
        }
    }

    #[test]
    fn the_last_words_fit_with_the_longest_name_and_numbers() {
        let mut words = Text::<WORDS_MAX>::new();
        let forever = Duration::from_nanos(u64::MAX);
        let site = Site::In(ServiceId::new(u32::MAX), Callback::Prepare);
        last_words(&mut words, site, &"n".repeat(NAME_MAX), forever, forever).unwrap();
        assert!(words.as_str().ends_with("ms\n"), "{}", words.as_str());
    }

    #[test]
    fn what_does_not_fit_is_left_out_from_a_whole_character_on() {
        let mut text = Text::<4>::new();
        text.write_str("abc").unwrap();
        text.write_str("äd").unwrap();
        assert_eq!(text.as_str(), "abc");
        text.write_str("de").unwrap();
        assert_eq!(text.as_str(), "abcd");
    }

    #[test]
    fn a_service_past_the_last_room_has_no_name_and_is_no_fault() {
        let last = ServiceId::new((ROOM * ROOMS - 1) as u32);
        publish(last, "last");
        assert_eq!(known(last).unwrap().load().as_str(), "last");
        let beyond = ServiceId::new((ROOM * ROOMS) as u32);
        publish(beyond, "beyond");
        assert!(known(beyond).is_none());
        assert!(known(ServiceId::new(ROOM as u32)).is_none(), "its room was never built");
    }
}
