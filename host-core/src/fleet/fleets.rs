//! All fleets of a host: who is meant, in which order they start and stop, and who falls with whom.
//!
//! Fleets start in the order of addition: the next one opens when everybody whom the one before has
//! ordered is ready or has failed once, so that one broken worker does not keep the rest from starting.
//! They drain in reverse order. Ending at once takes all of them together.

use crate::action::Orders;
use crate::config::HostConfig;
use crate::fleet::config::{FleetConfig, Strategy};
use crate::fleet::crew::{Crew, Means, Stop};
use crate::fleet::death::Intent;
use crate::fleet::status::FleetStatus;
use crate::id::{FleetId, WorkerId};
use crate::manager::Staff;
use crate::random::Random;
use crate::sys::Pid;
use crate::time::Instant;
use crate::timers::{Deadline, Timer, Timers};
use alloc::vec::Vec;

/// Where all fleets together are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Course {
    /// The host has not started.
    Fresh,
    /// One after the other opens, up to the last.
    Opening,
    /// All have opened.
    Up,
    /// Those from this one on are emptied, the last first, and open again afterwards.
    Restarting {
        /// The first of them.
        from: usize,
    },
    /// They stop.
    Stopping(Stop),
}

/// The fleets of one host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fleets {
    crews: Vec<Crew>,
    timers: Timers,
    course: Course,
}

/// What a decision needs that belongs to the host.
pub(crate) struct Setting<'a> {
    pub(crate) config: &'a HostConfig,
    pub(crate) now: Instant,
    pub(crate) random: &'a mut Random,
    pub(crate) orders: &'a mut Orders,
}

impl Fleets {
    pub(crate) fn new(configs: &[FleetConfig]) -> Self {
        let crew = |(index, config)| Crew::new(FleetId::new(index as u16), config);
        Self {
            crews: configs.iter().enumerate().map(crew).collect(),
            timers: Timers::default(),
            course: Course::Fresh,
        }
    }

    /// The host has started.
    pub(crate) fn started(&mut self, setting: &mut Setting<'_>) {
        debug_assert_eq!(self.course, Course::Fresh, "a host starts once");
        self.course = Course::Opening;
        self.proceed(setting);
    }

    /// A fact about one fleet.
    pub(crate) fn tell(
        &mut self,
        setting: &mut Setting<'_>,
        fleet: FleetId,
        fact: impl FnOnce(&mut Crew, &mut Means<'_>),
    ) {
        self.with(setting, fleet.index(), fact);
        self.proceed(setting);
    }

    /// A fact about a process of which only the number is known.
    pub(crate) fn tell_of(
        &mut self,
        setting: &mut Setting<'_>,
        pid: Pid,
        fact: impl FnOnce(&mut Crew, &mut Means<'_>),
    ) {
        // A stranger is nobody's worker (S15, K24).
        if let Some(worker) = self.find(pid) {
            self.tell(setting, worker.fleet, fact);
        }
    }

    /// A fact about all fleets.
    pub(crate) fn tell_all(
        &mut self,
        setting: &mut Setting<'_>,
        mut fact: impl FnMut(&mut Crew, &mut Means<'_>),
    ) {
        for index in 0..self.crews.len() {
            self.with(setting, index, &mut fact);
        }
        self.proceed(setting);
    }

    /// All that was known at this moment has been told: the timers whose moment has come.
    /// `due` is the deadline that the host had, its services' included.
    pub(crate) fn tick(&mut self, setting: &mut Setting<'_>, due: Option<Instant>) {
        // Between a deadline and its tick the host has not run, for whatever reason.
        if let Some(due) = due.filter(|due| *due < setting.now) {
            for crew in &mut self.crews {
                crew.paused(due, setting.now);
            }
        }
        while let Some(timer) = self.timers.pop_due(setting.now) {
            let fleet = match timer {
                Timer::Look(fleet)
                | Timer::Respawn(fleet, _)
                | Timer::ForkAgain(fleet)
                | Timer::MindAgain(fleet)
                | Timer::Sample(fleet) => fleet,
                Timer::Boot(worker) | Timer::Grace(worker) | Timer::Stable(worker) => worker.fleet,
                Timer::PollPeriod
                | Timer::Reconnect(_)
                | Timer::Wake(_)
                | Timer::AcceptRest(_)
                | Timer::DrainEnd => {
                    debug_assert!(false, "a timer of services: {timer}");
                    continue;
                }
            };
            self.with(setting, fleet.index(), |crew, means| crew.timer(means, timer));
        }
        for index in 0..self.crews.len() {
            self.with(setting, index, Crew::nudge);
        }
        self.proceed(setting);
    }

    /// Stops all fleets, or stops them harder.
    pub(crate) fn stop(&mut self, setting: &mut Setting<'_>, stop: Stop) {
        if let Course::Stopping(before) = self.course
            && before >= stop
        {
            return;
        }
        self.course = Course::Stopping(stop);
        self.proceed(setting);
    }

    // What follows.

    /// Goes on with whatever the course is.
    fn proceed(&mut self, setting: &mut Setting<'_>) {
        self.fall_together(setting);
        match self.course {
            Course::Fresh | Course::Up => {}
            Course::Opening => self.open_next(setting),
            Course::Restarting { from } => self.restart_last(setting, from),
            Course::Stopping(Stop::Drain) => {
                // One after the other, the last first: each may need those before it to finish.
                if let Some(index) = self.crews.iter().rposition(|crew| !crew.is_empty() || crew.is_open()) {
                    self.with(setting, index, |crew, means| crew.stop(means, Stop::Drain, Intent::Drain));
                    // An empty one has nothing to wait for.
                    if self.crews[index].is_empty() && index > 0 {
                        self.proceed(setting);
                    }
                }
            }
            Course::Stopping(stop @ (Stop::AtOnce | Stop::Now)) => {
                for index in 0..self.crews.len() {
                    self.with(setting, index, |crew, means| crew.stop(means, stop, Intent::Stop));
                }
            }
        }
    }

    fn open_next(&mut self, setting: &mut Setting<'_>) {
        for index in 0..self.crews.len() {
            self.with(setting, index, |crew, means| crew.open(means));
            if !self.crews[index].is_settled() {
                return;
            }
        }
        self.course = Course::Up;
    }

    /// A worker has died unasked: who falls with it.
    fn fall_together(&mut self, setting: &mut Setting<'_>) {
        let first = self.crews.iter().position(|crew| crew.bereaved);
        for crew in &mut self.crews {
            crew.bereaved = false;
        }
        let Some(first) = first else { return };
        let from = match setting.config.strategy {
            Strategy::OneForOne => return,
            Strategy::RestForOne => first + 1,
            Strategy::OneForAll => 0,
        };
        // Those behind it open when its replacement is ready.
        self.crews[first].await_newcomers();
        match self.course {
            Course::Fresh | Course::Stopping(_) => {}
            Course::Opening | Course::Up if from < self.crews.len() => {
                self.course = Course::Restarting { from };
            }
            Course::Opening | Course::Up => {}
            Course::Restarting { from: before } => {
                self.course = Course::Restarting { from: before.min(from) };
            }
        }
    }

    /// Empties the fleets from `from` on, the last first, and then opens them again.
    fn restart_last(&mut self, setting: &mut Setting<'_>, from: usize) {
        for index in (from..self.crews.len()).rev() {
            self.with(setting, index, |crew, means| crew.restart(means));
            if !self.crews[index].is_empty() {
                return;
            }
        }
        self.course = Course::Opening;
        self.open_next(setting);
    }

    fn with(
        &mut self,
        setting: &mut Setting<'_>,
        index: usize,
        fact: impl FnOnce(&mut Crew, &mut Means<'_>),
    ) {
        let (Some(crew), Some(config)) = (self.crews.get_mut(index), setting.config.fleets.get(index)) else {
            debug_assert!(false, "there is no fleet {index}");
            return;
        };
        let mut means = Means {
            config,
            now: setting.now,
            random: setting.random,
            timers: &mut self.timers,
            orders: setting.orders,
        };
        fact(crew, &mut means);
    }

    // Questions.

    fn find(&self, pid: Pid) -> Option<WorkerId> {
        self.crews.iter().find_map(|crew| crew.find(pid))
    }

    /// Nobody is left: the host may end.
    pub(crate) fn is_empty(&self) -> bool {
        self.crews.iter().all(Crew::is_empty)
    }

    /// How they stop, if they do.
    pub(crate) const fn stopping(&self) -> Option<Stop> {
        match self.course {
            Course::Stopping(stop) => Some(stop),
            Course::Fresh | Course::Opening | Course::Up | Course::Restarting { .. } => None,
        }
    }

    /// All have done what they were for, or were given up.
    pub(crate) fn are_finished(&self) -> bool {
        !self.crews.is_empty() && self.crews.iter().all(|crew| crew.is_finished() || crew.is_given_up())
    }

    /// A fleet that was given up, if there is one.
    pub(crate) fn first_given_up(&self) -> Option<FleetId> {
        self.crews.iter().position(Crew::is_given_up).map(|index| FleetId::new(index as u16))
    }

    /// The fleet whose restart budget is used up and that takes the host with it.
    pub(crate) fn given_up(&self) -> Option<FleetId> {
        self.crews.iter().position(|crew| crew.host_must_stop).map(|index| FleetId::new(index as u16))
    }

    /// How many workers of a fleet are wanted.
    pub(crate) fn wanted(&self, fleet: FleetId) -> Option<u32> {
        self.crews.get(fleet.index()).map(Crew::target)
    }

    /// How many workers of each fleet there are.
    pub(crate) fn staff(&self) -> impl Iterator<Item = Staff> {
        self.crews.iter().map(Crew::staff)
    }

    /// Some worker serves, or none is wanted to.
    pub(crate) fn serve(&self) -> bool {
        self.crews.iter().any(Crew::serves) || self.staff().all(|staff| staff.wanted == 0)
    }

    pub(crate) fn next_deadline(&self) -> Option<Deadline> {
        self.timers.next()
    }

    pub(crate) fn status(&self, config: &HostConfig, fleet: FleetId) -> Option<FleetStatus> {
        Some(self.crews.get(fleet.index())?.status(config.fleets.get(fleet.index())?))
    }

    /// How each fleet is.
    pub(crate) fn statuses(&self, config: &HostConfig) -> Vec<FleetStatus> {
        self.crews.iter().zip(&config.fleets).map(|(crew, config)| crew.status(config)).collect()
    }

    /// What must hold after each event; the first sentence that does not.
    pub(crate) fn broken_invariant(&self, config: &HostConfig) -> Option<&'static str> {
        let mut crews = self.crews.iter().zip(&config.fleets);
        crews.find_map(|(crew, config)| crew.broken_invariant(config, &self.timers))
    }
}
