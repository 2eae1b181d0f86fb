//! Who is late: a pure function of what a worker has published, the budgets, and what the host has missed.
//!
//! A worker that waits in a call of the framework is alive, whatever the age of its beat; unless the
//! kernel has told that it is stopped: then it is judged from that moment on (K6). One that is busy is late
//! when its last beat is *more* than the heartbeat timeout ago (preforker 2.2, 6), the time left out in
//! which the host itself did not run.

use crate::fleet::beat::{Beat, Pace};
use crate::fleet::config::FleetConfig;
use crate::fleet::pauses::Pauses;
use crate::time::{Duration, Instant};

/// What the host knows of a ready worker's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Vitals {
    /// When it was heard to be ready.
    pub(crate) ready_since: Instant,
    /// Its last beat, as of the last look.
    pub(crate) beat: Option<Beat>,
    /// When it was heard to be stopped, if it is.
    pub(crate) stopped_since: Option<Instant>,
    /// Until when it has asked to be let alone.
    pub(crate) extended_until: Option<Instant>,
}

/// What holds of a worker at the moment of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is not late before `late_at`; `None` if that depends on what it does next.
    Alive { late_at: Option<Instant>, silent_for: Duration },
    /// It is late.
    Late {
        /// How long it was silent, what the host has missed left out.
        age: Duration,
    },
}

/// The shortest time beyond a bound: late is more than the timeout, not as much.
const BEYOND: Duration = Duration::from_nanos(1);

/// Judges one worker.
pub(crate) fn judge(now: Instant, vitals: &Vitals, config: &FleetConfig, pauses: &Pauses) -> Verdict {
    let Some(since) = silent_since(vitals, config) else {
        return Verdict::Alive { late_at: None, silent_for: Duration::ZERO };
    };
    let missed = pauses.missed_since(since);
    let age = now.since(since).saturating_sub(missed);
    // What the host has missed is left out of this, too: its worker was stopped or frozen with it.
    let extended_until = vitals.extended_until.map(|until| until + missed);
    let extended = extended_until.filter(|until| *until >= now);
    if age > config.heartbeat_timeout && extended.is_none() {
        return Verdict::Late { age };
    }
    let by_beat = since + config.heartbeat_timeout + missed + BEYOND;
    let late_at = extended_until.map_or(by_beat, |until| by_beat.max(until + BEYOND));
    Verdict::Alive { late_at: Some(late_at), silent_for: age }
}

/// Since when it gives no sign of life, if it owes one.
fn silent_since(vitals: &Vitals, config: &FleetConfig) -> Option<Instant> {
    match vitals.beat {
        None => Some(vitals.ready_since),
        Some(Beat { at, pace: Pace::Busy }) => Some(at),
        Some(Beat { at, pace: Pace::Waiting }) if config.idle_beats => Some(at),
        Some(Beat { at, pace: Pace::Waiting }) => vitals.stopped_since.map(|stopped| stopped.max(at)),
    }
}

/// The earliest moment at which a worker that is alive at `now`, and late at `late_at` if it does nothing
/// more, could be late. One that waits may become busy the next moment.
pub(crate) fn could_be_late_at(now: Instant, late_at: Option<Instant>, config: &FleetConfig) -> Instant {
    late_at.unwrap_or(now + config.heartbeat_timeout + BEYOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    fn config() -> FleetConfig {
        FleetConfig { heartbeat_timeout: Duration::from_nanos(100), ..FleetConfig::new("f") }
    }

    fn vitals(beat: Option<(u64, Pace)>) -> Vitals {
        let beat = beat.map(|(nanos, pace)| Beat { at: at(nanos), pace });
        Vitals { ready_since: at(10), beat, stopped_since: None, extended_until: None }
    }

    fn late(age: u64) -> Verdict {
        Verdict::Late { age: Duration::from_nanos(age) }
    }

    fn alive(late_at: u64, silent_for: u64) -> Verdict {
        Verdict::Alive { late_at: Some(at(late_at)), silent_for: Duration::from_nanos(silent_for) }
    }

    const NOBODY_KNOWS: Verdict = Verdict::Alive { late_at: None, silent_for: Duration::ZERO };

    #[test]
    fn a_worker_is_late_after_more_than_the_timeout_and_not_before() {
        let busy = vitals(Some((50, Pace::Busy)));
        let stopped = Vitals { stopped_since: Some(at(80)), ..vitals(Some((50, Pace::Waiting))) };
        let stopped_before = Vitals { stopped_since: Some(at(30)), ..vitals(Some((50, Pace::Waiting))) };
        let extended = Vitals { extended_until: Some(at(400)), ..busy };
        let shorter = Vitals { extended_until: Some(at(120)), ..busy };
        let rows = [
            ("busy and young", 51, busy, alive(151, 1)),
            ("busy for the timeout", 150, busy, alive(151, 100)),
            ("busy for longer", 151, busy, late(101)),
            ("a beat that the coarse clock dates ahead", 40, busy, alive(151, 0)),
            ("never beat since it was ready", 110, vitals(None), alive(111, 100)),
            ("never beat, and late", 111, vitals(None), late(101)),
            ("waiting for ever", 99_999, vitals(Some((50, Pace::Waiting))), NOBODY_KNOWS),
            ("stopped while it waited", 180, stopped, alive(181, 100)),
            ("stopped while it waited, and late", 181, stopped, late(101)),
            ("stopped before it beat", 150, stopped_before, alive(151, 100)),
            ("extended", 399, extended, alive(401, 349)),
            ("to the end of the extension", 400, extended, alive(401, 350)),
            ("beyond the extension", 401, extended, late(351)),
            ("an extension shorter than the timeout", 150, shorter, alive(151, 100)),
            ("and after it", 151, shorter, late(101)),
        ];
        for (name, now, vitals, expected) in rows {
            assert_eq!(judge(at(now), &vitals, &config(), &Pauses::default()), expected, "{name}");
        }
    }

    #[test]
    fn a_waiting_worker_owes_beats_if_the_fleet_asks_for_them() {
        let config = FleetConfig { idle_beats: true, ..config() };
        let waiting = vitals(Some((50, Pace::Waiting)));
        assert_eq!(judge(at(150), &waiting, &config, &Pauses::default()), alive(151, 100));
        assert_eq!(judge(at(151), &waiting, &config, &Pauses::default()), late(101));
    }

    #[test]
    fn what_the_host_has_missed_is_not_held_against_a_worker() {
        let mut pauses = Pauses::default();
        pauses.note(at(60), at(500));
        let busy = vitals(Some((50, Pace::Busy)));
        assert_eq!(judge(at(500), &busy, &config(), &pauses), alive(591, 10));
        assert_eq!(judge(at(590), &busy, &config(), &pauses), alive(591, 100));
        assert_eq!(judge(at(591), &busy, &config(), &pauses), late(101));
    }

    #[test]
    fn who_waits_could_be_late_a_timeout_from_now() {
        assert_eq!(could_be_late_at(at(7), None, &config()), at(108));
        assert_eq!(could_be_late_at(at(7), Some(at(9)), &config()), at(9));
    }
}
