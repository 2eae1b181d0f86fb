//! A slot of a fleet, and the worker that sits there.

use crate::fleet::beat::Beat;
use crate::fleet::config::Restart;
use crate::fleet::death::Intent;
use crate::fleet::judge::Vitals;
use crate::fleet::lanes::Usefulness;
use crate::id::Slot;
use crate::sys::{ConfineError, Pid, SlotReading};
use crate::time::Instant;

/// One slot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Seat {
    /// How many workers have sat here, the present one included.
    pub(crate) incarnation: u32,
    /// How many of the last died young, in a row.
    pub(crate) failures: u32,
    /// Who sits here.
    pub(crate) state: State,
}

/// Who sits in a slot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// Nobody, and nobody is expected.
    Vacant,
    /// Nobody until the backoff is over.
    Resting {
        /// Nobody is missed: it was a replacement in advance that died, and another is tried then.
        spare: bool,
    },
    /// A worker was ordered and is not born.
    Forking {
        /// The slot of the one that it will replace.
        replaces: Option<Slot>,
    },
    /// A worker.
    Taken(Worker),
    /// Nobody ever again: the last worker's exit status says so.
    Retired,
}

/// A worker from its birth until it was reaped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Worker {
    pub(crate) pid: Pid,
    pub(crate) born: Instant,
    /// The how manyeth birth of the fleet: who is older.
    pub(crate) birth: u64,
    pub(crate) phase: Phase,
    /// What it had published when the host last looked.
    pub(crate) beat: Option<Beat>,
    pub(crate) extended_until: Option<Instant>,
    pub(crate) requests: u64,
    pub(crate) connections: u64,
    /// How much memory it had when that was last read.
    pub(crate) memory: Option<u64>,
    /// That could not be read the last time, and was told.
    pub(crate) unread: bool,
    /// It had too much, and is to be replaced.
    pub(crate) too_large: bool,
    /// It has ended, and its author's function says whether it gets a successor.
    pub(crate) restart: Option<Restart>,
    /// When it was heard to be stopped, if it is.
    pub(crate) stopped_since: Option<Instant>,
    /// Its silence was warned of.
    pub(crate) warned: bool,
    /// In its silence it was late already, and not condemned since the host had not run just before.
    pub(crate) spared: bool,
    /// Since when it is late, and the kill budget holds its kill back.
    pub(crate) held: Option<Instant>,
    /// Why it could not confine itself, if it has said so: it is about to end.
    pub(crate) unconfined: Option<ConfineError>,
    /// It was asked to end.
    pub(crate) leaving: Option<Leaving>,
    /// The slot of the one that it replaces when it is ready.
    pub(crate) replaces: Option<Slot>,
}

/// How far a worker has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    /// It was forked and has not said that it can serve.
    Booting,
    /// It can serve.
    Ready {
        /// When the host heard of it.
        since: Instant,
    },
}

/// How a worker was asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Leaving {
    /// Why, at the last step.
    pub(crate) intent: Intent,
    /// How hard.
    pub(crate) step: Step,
    /// Since when.
    pub(crate) since: Instant,
    /// When it is killed if it has not ended, what the host misses left out; `None` for one that was killed.
    pub(crate) grace: Option<Instant>,
}

/// The rungs of the ladder; nobody goes down it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Step {
    /// It may finish what it has begun (QUIT).
    Quit,
    /// It ends at once (TERM).
    Term,
    /// It may leave evidence (the soft signal).
    Soft,
    /// The kernel ends it (KILL).
    Kill,
}

impl Seat {
    pub(crate) const fn new() -> Self {
        Self { incarnation: 0, failures: 0, state: State::Vacant }
    }
}

impl Worker {
    pub(crate) const fn new(pid: Pid, born: Instant, birth: u64, replaces: Option<Slot>) -> Self {
        Self {
            pid,
            born,
            birth,
            phase: Phase::Booting,
            beat: None,
            extended_until: None,
            requests: 0,
            connections: 0,
            memory: None,
            unread: false,
            too_large: false,
            restart: None,
            stopped_since: None,
            warned: false,
            spared: false,
            held: None,
            unconfined: None,
            leaving: None,
            replaces,
        }
    }

    /// What a look has found. A beat since the last one takes back what its silence had led to.
    pub(crate) fn observe(&mut self, reading: SlotReading) {
        if reading.beat != self.beat {
            self.warned = false;
            self.spared = false;
            self.held = None;
        }
        self.beat = reading.beat;
        self.extended_until = reading.extended_until;
        self.requests = reading.requests;
        self.connections = reading.connections;
    }

    /// What it is judged by, if it is ready and was not asked to end: other times have budgets of their own.
    pub(crate) const fn vitals(&self) -> Option<Vitals> {
        match (self.phase, self.leaving) {
            (Phase::Ready { since }, None) => Some(Vitals {
                ready_since: since,
                beat: self.beat,
                stopped_since: self.stopped_since,
                extended_until: self.extended_until,
            }),
            (Phase::Ready { .. }, Some(_)) | (Phase::Booting, _) => None,
        }
    }

    pub(crate) const fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready { .. })
    }
}

impl Usefulness {
    /// That of a worker which is ready and stays.
    pub(crate) const fn of(known: &Worker) -> Self {
        if known.stopped_since.is_some() {
            Self::Stopped
        } else if known.warned || known.held.is_some() {
            Self::Silent
        } else {
            Self::Well
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::beat::Pace;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    fn worker() -> Worker {
        Worker { phase: Phase::Ready { since: at(5) }, ..Worker::new(Pid(7), at(1), 3, None) }
    }

    fn reading(beat: u64) -> SlotReading {
        let beat = Some(Beat { at: at(beat), pace: Pace::Busy });
        SlotReading { beat, extended_until: Some(at(90)), requests: 4, connections: 2 }
    }

    #[test]
    fn a_beat_takes_back_what_silence_had_led_to_and_the_same_beat_does_not() {
        let mut worker = worker();
        worker.observe(reading(10));
        assert_eq!((worker.extended_until, worker.requests, worker.connections), (Some(at(90)), 4, 2));
        (worker.warned, worker.spared, worker.held) = (true, true, Some(at(10)));
        worker.observe(reading(10));
        assert!(worker.warned && worker.spared && worker.held.is_some(), "the same beat is the same silence");
        worker.observe(reading(11));
        assert!(!worker.warned && !worker.spared && worker.held.is_none());
    }

    #[test]
    fn only_who_is_ready_and_stays_is_judged_by_its_beats() {
        let mut ready = worker();
        ready.observe(reading(10));
        ready.stopped_since = Some(at(12));
        let vitals = ready.vitals().unwrap();
        assert_eq!((vitals.ready_since, vitals.beat.unwrap().at), (at(5), at(10)));
        assert_eq!((vitals.stopped_since, vitals.extended_until), (Some(at(12)), Some(at(90))));
        assert!(ready.is_ready());
        let leaving =
            Some(Leaving { intent: Intent::Drain, step: Step::Quit, since: at(20), grace: Some(at(30)) });
        assert!(Worker { leaving, ..ready.clone() }.vitals().is_none());
        let boots = Worker { phase: Phase::Booting, ..ready };
        assert!(boots.vitals().is_none() && !boots.is_ready());
    }

    #[test]
    fn the_ladder_goes_from_quit_to_kill() {
        assert!(Step::Quit < Step::Term && Step::Term < Step::Soft && Step::Soft < Step::Kill);
    }
}
