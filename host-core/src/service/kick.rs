//! The heartbeat of a host and the kick that ends it when the heartbeat is too old.
//!
//! Everything here runs inside a signal handler, perhaps while user code is stuck in an endless loop:
//! no allocation, no lock, no panic.

use crate::id::{FleetId, ServiceId};
use crate::time::{Duration, Instant};
use core::fmt;

/// Which of a service's callbacks is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Callback {
    /// [`Service::connect`](crate::app::Service::connect).
    Connect = 1,
    /// [`Service::prepare`](crate::app::Service::prepare).
    Prepare = 2,
    /// [`Service::receive`](crate::app::Service::receive).
    Receive = 3,
    /// [`Service::wake`](crate::app::Service::wake).
    Wake = 4,
    /// [`Service::stop`](crate::app::Service::stop).
    Stop = 5,
    /// [`Service::drain`](crate::app::Service::drain).
    Drain = 6,
}

impl Callback {
    const ALL: [Self; 6] = [Self::Connect, Self::Prepare, Self::Receive, Self::Wake, Self::Stop, Self::Drain];
}

/// The name of the method: `receive`.
impl fmt::Display for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::Prepare => "prepare",
            Self::Receive => "receive",
            Self::Wake => "wake",
            Self::Stop => "stop",
            Self::Drain => "drain",
        })
    }
}

/// Where a host is: what its heartbeat says beside the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Site {
    /// In the loop's own code, between callbacks.
    Loop,
    /// Waiting for the next event. This counts as alive, however long it takes.
    Waiting,
    /// In this callback of this service.
    In(ServiceId, Callback),
    /// In a function by which the author decides about this fleet.
    Deciding(FleetId),
}

impl Site {
    const LOOP: u64 = 0;
    const WAITING: u64 = 0xff;
    const DECIDING: u64 = 0xfe;

    /// The site as one word, which is stored and loaded in one piece.
    pub const fn pack(self) -> u64 {
        match self {
            Self::Loop => Self::LOOP,
            Self::Waiting => Self::WAITING,
            Self::In(service, callback) => (service.number() as u64) << 8 | callback as u64,
            Self::Deciding(fleet) => (fleet.number() as u64) << 8 | Self::DECIDING,
        }
    }

    /// The site that [`pack`](Self::pack) made. A word that no site packs to reads as [`Site::Loop`].
    pub fn unpack(word: u64) -> Self {
        let low = word & 0xff;
        match low {
            Self::WAITING => return Self::Waiting,
            Self::DECIDING => return Self::Deciding(FleetId::new((word >> 8) as u16)),
            _ => {}
        }
        match Callback::ALL.into_iter().find(|callback| *callback as u64 == low) {
            Some(callback) => Self::In(ServiceId::new((word >> 8) as u32), callback),
            None => Self::Loop,
        }
    }
}

/// What a kick does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: the host is alive.
    Alive,
    /// Ends the host: its last beat is this old.
    Hung {
        /// Time since the last beat; more than the threshold.
        age: Duration,
    },
}

/// Decides what a kick at `now` does to a host that last beat at `beat` and is at `site`.
///
/// Strictly older than `threshold` is hung (ProcessHost 1.1, 14). Waiting is alive whatever the age:
/// nobody beats while there is nothing to do. Wall-clock time plays no part.
pub fn verdict(now: Instant, beat: Instant, site: Site, threshold: Duration) -> Verdict {
    let age = now.since(beat);
    if site != Site::Waiting && age > threshold { Verdict::Hung { age } } else { Verdict::Alive }
}

/// Writes the line that a kicked host leaves on standard error.
///
/// `name` is the service's name if the site has a service.
///
/// # Errors
/// Only those of `out`, such as a buffer that is full.
pub fn last_words(
    out: &mut dyn fmt::Write,
    site: Site,
    name: &str,
    age: Duration,
    threshold: Duration,
) -> fmt::Result {
    let (age, threshold) = (age.as_millis(), threshold.as_millis());
    match site {
        Site::In(_, callback) => writeln!(
            out,
            "kicked: service `{name}` hangs in {callback}: last heartbeat {age} ms ago, threshold {threshold} ms"
        ),
        Site::Deciding(fleet) => writeln!(
            out,
            "kicked: a function that decides about {fleet} hangs: last heartbeat {age} ms ago, threshold {threshold} ms"
        ),
        Site::Loop | Site::Waiting => writeln!(
            out,
            "kicked: the host hangs between callbacks: last heartbeat {age} ms ago, threshold {threshold} ms"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    const MS: Duration = Duration::from_millis(1);

    fn at(ms: u32) -> Instant {
        Instant::ZERO + ms * MS
    }

    #[test]
    fn ph_c5_ph_c6_only_a_beat_strictly_older_than_the_threshold_is_hung() {
        let inside = Site::In(ServiceId::new(0), Callback::Receive);
        let rows = [
            ("just beaten", 100, 100, inside, Verdict::Alive),
            ("exactly the threshold", 150, 100, inside, Verdict::Alive),
            ("one past it", 151, 100, inside, Verdict::Hung { age: 51 * MS }),
            ("hung in the loop itself", 151, 100, Site::Loop, Verdict::Hung { age: 51 * MS }),
            ("idle for a week", 604_800_000, 100, Site::Waiting, Verdict::Alive),
            ("a beat from the future", 100, 200, inside, Verdict::Alive),
        ];
        for (name, now, beat, site, expected) in rows {
            assert_eq!(verdict(at(now), at(beat), site, 50 * MS), expected, "{name}");
        }
    }

    #[test]
    fn a_site_survives_packing() {
        let service = ServiceId::new(70_000);
        let sites = Callback::ALL.map(|callback| Site::In(service, callback));
        let deciding = [0, 1, u16::MAX].map(|number| Site::Deciding(FleetId::new(number)));
        for site in sites.into_iter().chain(deciding).chain([Site::Loop, Site::Waiting]) {
            assert_eq!(Site::unpack(site.pack()), site);
        }
        assert_eq!(Site::unpack(0x77), Site::Loop);
    }

    #[test]
    fn ph_c16_the_last_words_name_service_callback_age_and_threshold() {
        let mut words = String::new();
        let site = Site::In(ServiceId::new(1), Callback::Receive);
        last_words(&mut words, site, "jobs", 1500 * MS, 200 * MS).unwrap();
        assert_eq!(
            words,
            "kicked: service `jobs` hangs in receive: last heartbeat 1500 ms ago, threshold 200 ms\n"
        );
        words.clear();
        last_words(&mut words, Site::Loop, "", 2 * MS, MS).unwrap();
        assert_eq!(
            words,
            "kicked: the host hangs between callbacks: last heartbeat 2 ms ago, threshold 1 ms\n"
        );
    }

    #[test]
    fn each_callback_prints_the_name_of_its_method() {
        let names = Callback::ALL.map(|callback| alloc::format!("{callback}"));
        assert_eq!(names, ["connect", "prepare", "receive", "wake", "stop", "drain"]);
    }
}
