//! The settings of a fleet: plain data, checked once, unchanged afterwards.

use crate::error::{Milliseconds, Mistake};
use crate::fleet::backoff::Backoff;
use crate::fleet::lanes::Lane;
use crate::fleet::memory::MemoryBound;
use crate::fleet::privileges::Privileges;
use crate::fleet::spares::{Bounds, Spares};
use crate::id::Slot;
use crate::sys::{ExitStatus, OnHostDeath, Signal};
use crate::time::Duration;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Whether a worker that ended unasked gets a successor (OTP's restart types).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Restart {
    /// Always. The default: a body that returns without being asked has ended too early.
    #[default]
    Permanent,
    /// Unless it exited with status 0.
    Transient,
    /// Never: its slot stays empty.
    Never,
}

impl Restart {
    /// Whether a worker that ended unasked with `status` gets a successor.
    pub(crate) fn allows(self, status: ExitStatus) -> bool {
        match self {
            Self::Permanent => true,
            Self::Transient => status != ExitStatus::Code(0),
            Self::Never => false,
        }
    }
}

/// What becomes of a fleet whose restart budget is used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnExhausted {
    /// It is degraded, visibly, and each slot is tried again after [`FleetConfig::degraded_retry`]. The default.
    #[default]
    KeepTrying,
    /// Its workers are drained, and it stays empty; the rest of the application goes on.
    StopFleet,
    /// The host stops and exits with a status of its own.
    StopHost,
}

/// How fleets hang together when a worker dies unasked (OTP's supervision strategies).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// Only the dead worker is replaced. The default.
    #[default]
    OneForOne,
    /// So are all workers of the fleets that were added after its own, stopped in reverse order.
    RestForOne,
    /// So are all workers of all fleets.
    OneForAll,
}

/// At most so many deaths of young workers within this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RestartBudget {
    /// How many.
    pub count: u32,
    /// Within how long.
    pub window: Duration,
}

/// At most this share of a fleet is killed for being late within this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KillBudget {
    /// Percent of the wanted workers, 1 to 99; at least one worker may always be killed.
    pub percent: u8,
    /// Within how long.
    pub window: Duration,
}

/// The signal before the last one, for evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SoftSignal {
    /// Which; ABRT leaves a core, or a backtrace where a handler prints one.
    pub signal: Signal,
    /// How long the worker has before it is killed.
    pub grace: Duration,
}

/// The settings of one fleet. Setters live on [`Fleet`](crate::app::fleet::Fleet); this is what they fill.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FleetConfig {
    /// What the fleet is called in titles, log lines and calls; unique in a host.
    pub name: String,
    /// How many workers are wanted at first. `None` until the driver has put in the number of processors
    /// that the process may use.
    pub workers: Option<u32>,
    /// How many can be wanted at most, by signals and by calls. Default: four times the workers, at
    /// least 64. It decides the size of the shared page: 128 bytes a slot.
    pub workers_max: Option<u32>,
    /// How long a worker may take from the fork until it is ready. Default 30 s.
    pub boot_timeout: Duration,
    /// How long a worker that is busy may give no sign of life. Default 30 s.
    pub heartbeat_timeout: Duration,
    /// When to warn of a silent worker, if earlier than killing it. Default: not.
    pub late_warning: Option<Duration>,
    /// The signal that a late worker gets before it is killed. Default: none.
    pub soft_signal: Option<SoftSignal>,
    /// Waiting workers beat as well, so that one that does not return from its wait is found. Default:
    /// not, for it wakes each worker twice a heartbeat timeout.
    pub idle_beats: bool,
    /// How long a worker that was asked to quit may take to finish. Default 30 s.
    pub drain_timeout: Duration,
    /// How long a worker that was told to end at once (TERM) may take. Default 1 s.
    pub term_timeout: Duration,
    /// How long a blocked read of a worker that was asked to quit goes on when a message has begun.
    /// Default 1 s.
    pub quit_patience: Duration,
    /// How long a blocking read or write of a worker's stream waits for its peer. Default 5 s.
    pub io_timeout: Duration,
    /// What becomes of the workers when the host dies. Default [`OnHostDeath::Exit`].
    pub on_host_death: OnHostDeath,
    /// After so many requests a worker is replaced. Default: never.
    pub requests_max: Option<u64>,
    /// By how much the number of requests is raised at random, in percent, so that workers of one age
    /// do not leave together. Default 10.
    pub requests_jitter_percent: u8,
    /// How many workers above the wanted number may live while others are replaced, and so how many are
    /// replaced at once. Default 1.
    pub surge_max: u32,
    /// When a dead worker is replaced. Default: at once, from the second young death in a row on after
    /// 100 ms that double up to 10 s.
    pub backoff: Backoff,
    /// How long a worker must have been ready to count as stable: its death is no mark against its slot.
    /// Default 1 s.
    pub stable_after: Duration,
    /// How many young deaths the fleet may have. Default: five for each worker, at least 10, within 60 s.
    pub restart_budget: Option<RestartBudget>,
    /// What becomes of the fleet beyond that. Default [`OnExhausted::KeepTrying`].
    pub on_exhausted: OnExhausted,
    /// How long a slot of a degraded fleet waits for its next try. Default 30 s.
    pub degraded_retry: Duration,
    /// How many late workers may be killed. Default: all of them.
    pub kill_budget: Option<KillBudget>,
    /// Who gets a successor. Default [`Restart::Permanent`].
    pub restart: Restart,
    /// Exceptions from that, by exit status. Default none.
    pub restart_by_status: Vec<(u8, Restart)>,
    /// How many deaths are remembered. Default 64.
    pub deaths_kept: u32,
    /// Whether it has listeners that are spread over its workers. Default: not.
    pub spread: bool,
    /// How many idle workers it keeps. Default: that does not matter.
    pub spares: Spares,
    /// What workers may do and use. Default: what the host may.
    pub privileges: Privileges,
    /// How much memory each worker may have. Default: as much as it likes.
    pub memory: MemoryBound,
    /// How often a function of the author's says how many workers are wanted. Default: never.
    pub scale_each: Option<Duration>,
}

impl FleetConfig {
    /// A fleet called `name`, with every setting at its default.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            workers: None,
            workers_max: None,
            boot_timeout: Duration::from_secs(30),
            heartbeat_timeout: Duration::from_secs(30),
            late_warning: None,
            soft_signal: None,
            idle_beats: false,
            drain_timeout: Duration::from_secs(30),
            term_timeout: Duration::from_secs(1),
            quit_patience: Duration::from_secs(1),
            io_timeout: Duration::from_secs(5),
            on_host_death: OnHostDeath::Exit,
            requests_max: None,
            requests_jitter_percent: 10,
            surge_max: 1,
            backoff: Backoff::default(),
            stable_after: Duration::from_secs(1),
            restart_budget: None,
            on_exhausted: OnExhausted::KeepTrying,
            degraded_retry: Duration::from_secs(30),
            kill_budget: None,
            restart: Restart::Permanent,
            restart_by_status: Vec::new(),
            deaths_kept: 64,
            spread: false,
            spares: Spares::default(),
            privileges: Privileges::default(),
            memory: MemoryBound::default(),
            scale_each: None,
        }
    }

    /// How many workers are wanted at first.
    pub fn wanted(&self) -> u32 {
        self.workers.unwrap_or(1)
    }

    /// How many can be wanted at most.
    pub fn wanted_max(&self) -> u32 {
        self.workers_max.unwrap_or_else(|| self.wanted().saturating_mul(4).clamp(64, SLOTS_MAX / 2))
    }

    /// How many slots there are: workers that drain keep theirs while their successors have others.
    pub fn slots(&self) -> u32 {
        self.wanted_max().saturating_mul(2).saturating_add(self.surge_max).min(SLOTS_MAX)
    }

    /// How long the services of a worker that runs a host may drain, if its application says nothing else: nine
    /// tenths of [`drain_timeout`](Self::drain_timeout), so that they are stopped in order before it is killed.
    pub fn hosted_drain_timeout(&self) -> Duration {
        self.drain_timeout / 10 * 9
    }

    /// How many sockets stand behind each listener that is spread over the workers: as many as workers are
    /// wanted at first, 1 to 256, however many there are later. None if no listener is.
    pub fn lanes(&self) -> u32 {
        if self.spread { self.wanted().clamp(1, Lane::COUNT_MAX) } else { 0 }
    }

    /// How many young deaths, within how long.
    pub fn budget(&self) -> RestartBudget {
        self.restart_budget.unwrap_or_else(|| RestartBudget {
            count: self.wanted().saturating_mul(5).max(10),
            window: Duration::from_secs(60),
        })
    }

    /// Whether a worker that ended unasked with `status` gets a successor.
    pub fn restarts(&self, status: ExitStatus) -> bool {
        let by_status = |code| self.restart_by_status.iter().find(|(other, _)| *other == code);
        let restart = match status {
            ExitStatus::Code(code) => by_status(code).map_or(self.restart, |(_, restart)| *restart),
            ExitStatus::Signal { .. } | ExitStatus::Unknown => self.restart,
        };
        restart.allows(status)
    }

    /// How often it is decided anew how many workers are wanted; `None` where only signals and calls say so.
    pub fn scale_period(&self) -> Option<Duration> {
        self.scale_each.or_else(|| self.spares.bounds().map(|_| self.spares.period))
    }

    /// Whether a worker that was killed for hanging, or for never being ready, gets a successor. However it ended
    /// then, that is no end of its own.
    pub fn restarts_faulty(&self) -> bool {
        self.restart != Restart::Never
    }

    /// All that is wrong with these settings; empty if they may be used.
    pub fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let mut refuse = |field: &str, found: &dyn ToString, wanted: &str| {
            mistakes.push(Mistake {
                field: format!("{field} of fleet `{}`", self.name.escape_debug()),
                found: found.to_string(),
                wanted: wanted.into(),
            });
        };
        let most = self.wanted_max();
        if most == 0 || most > SLOTS_MAX / 2 {
            refuse("workers_max", &most, &format!("must be 1 to {}", SLOTS_MAX / 2));
        }
        if self.wanted() > most {
            refuse("workers", &self.wanted(), &format!("must not be above workers_max ({most})"));
        }
        for (field, duration) in [
            ("boot_timeout", self.boot_timeout),
            ("heartbeat_timeout", self.heartbeat_timeout),
            ("drain_timeout", self.drain_timeout),
            ("term_timeout", self.term_timeout),
            ("io_timeout", self.io_timeout),
            ("degraded_retry", self.degraded_retry),
            ("stable_after", self.stable_after),
            ("late_warning", self.late_warning.unwrap_or(self.heartbeat_timeout)),
        ] {
            if duration.is_zero() {
                refuse(field, &"0 ms", "must be longer than zero");
            }
        }
        if !self.heartbeat_timeout.is_zero() && self.heartbeat_timeout < Self::HEARTBEAT_MIN {
            let found = Milliseconds(self.heartbeat_timeout);
            let wanted =
                "must be at least 20 ms: the coarse clock that workers beat by ticks each 4 to 10 ms";
            refuse("heartbeat_timeout", &found, wanted);
        }
        if let Some(warning) = self.late_warning.filter(|warning| *warning >= self.heartbeat_timeout) {
            let wanted =
                format!("must be shorter than heartbeat_timeout ({})", Milliseconds(self.heartbeat_timeout));
            refuse("late_warning", &Milliseconds(warning), &wanted);
        }
        if let Some(soft) = self.soft_signal {
            if matches!(soft.signal, Signal::Kill | Signal::Stop | Signal::Cont | Signal::Chld) {
                let wanted = "must be a signal that can leave evidence, such as ABRT";
                refuse("soft_signal", &soft.signal, wanted);
            }
            if soft.grace.is_zero() {
                refuse("grace of soft_signal", &"0 ms", "must be longer than zero, or nothing can be left");
            }
        }
        if let Some(Bounds { min, max }) = self.spares.bounds() {
            if min == 0 {
                refuse("min_spare", &min, "must be at least 1, or nobody would be there for who comes");
            }
            if min > most {
                refuse("min_spare", &min, &format!("must not be above workers_max ({most})"));
            }
            if max < min {
                refuse("max_spare", &max, &format!("must not be below min_spare ({min})"));
            }
            if self.spares.max.is_some_and(|max| max > most) {
                refuse("max_spare", &max, &format!("must not be above workers_max ({most})"));
            }
        }
        if self.spares.period < Spares::PERIOD_MIN {
            refuse(
                "spare_period",
                &Milliseconds(self.spares.period),
                "must be at least 10 ms: each look wakes the host",
            );
        }
        if let Some(each) = self.scale_each {
            if each < Spares::PERIOD_MIN {
                refuse(
                    "scale_by",
                    &Milliseconds(each),
                    "must be each 10 ms or longer: each look wakes the host",
                );
            }
            if self.spares.bounds().is_some() {
                let wanted = "must not be set beside scale_by: both say how many workers are wanted";
                refuse("min_spare or max_spare", &"set", wanted);
            }
        }
        if self.memory.max == Some(0) {
            refuse("memory_max", &0, "must be at least 1 byte");
        }
        if self.memory.period < MemoryBound::PERIOD_MIN {
            let found = Milliseconds(self.memory.period);
            refuse("memory_period", &found, "must be at least 10 ms: a file is read for each worker");
        }
        if self.requests_max == Some(0) {
            refuse("requests_max", &0, "must be at least 1");
        }
        if self.requests_jitter_percent > 100 {
            refuse("requests_jitter_percent", &self.requests_jitter_percent, "must be at most 100");
        }
        if self.surge_max == 0 {
            refuse("surge_max", &0, "must be at least 1, or nobody could be replaced in advance");
        }
        let budget = self.budget();
        if budget.count == 0 || budget.window.is_zero() {
            let found = format!("{} in {}", budget.count, Milliseconds(budget.window));
            refuse("restart_budget", &found, "must be at least 1 restart in a window longer than zero");
        }
        if let Some(budget) = self.kill_budget
            && (!(1..=99).contains(&budget.percent) || budget.window.is_zero())
        {
            let found = format!("{} % in {}", budget.percent, Milliseconds(budget.window));
            refuse("kill_budget", &found, "must be 1 to 99 % in a window longer than zero");
        }
        if let Some((found, wanted)) = self.backoff.mistake() {
            refuse("backoff", &found, wanted);
        }
        for (index, (status, _)) in self.restart_by_status.iter().enumerate() {
            if self.restart_by_status[..index].iter().any(|(other, _)| other == status) {
                refuse("restart_by_status", &format!("status {status} twice"), "must name each status once");
            }
        }
        for (field, found, wanted) in self.privileges.mistakes() {
            refuse(field, &found, &wanted);
        }
        mistakes
    }

    /// The shortest heartbeat timeout that the coarse clock can be held to.
    pub const HEARTBEAT_MIN: Duration = Duration::from_millis(20);
}

const SLOTS_MAX: u32 = Slot::COUNT_MAX as u32;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn mistakes(change: impl Fn(&mut FleetConfig)) -> Vec<String> {
        let mut config = FleetConfig::new("f");
        change(&mut config);
        config.mistakes().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_defaults_are_allowed() {
        assert_eq!(mistakes(|_| {}), [""; 0]);
        assert_eq!(FleetConfig::new("f").wanted_max(), 64);
        let mut many = FleetConfig::new("f");
        many.workers = Some(10_000);
        assert_eq!((many.wanted_max(), many.slots(), many.budget().count), (32_768, 65_536, 50_000));
        assert_eq!(many.mistakes(), []);
        let all_jitter = FleetConfig { requests_jitter_percent: 100, ..FleetConfig::new("f") };
        assert_eq!(all_jitter.mistakes(), []);
    }

    #[test]
    fn each_mistake_names_the_field_what_was_found_and_what_is_allowed() {
        type Row = (fn(&mut FleetConfig), &'static str);
        let rows: &[Row] = &[
            (|c| c.workers = Some(65), ""),
            (
                |c| c.workers = Some(40_000),
                "workers of fleet `f` is 40000, but must not be above workers_max (32768)",
            ),
            (
                |c| (c.workers, c.workers_max) = (Some(5), Some(4)),
                "workers of fleet `f` is 5, but must not be above workers_max (4)",
            ),
            (
                |c| c.boot_timeout = Duration::ZERO,
                "boot_timeout of fleet `f` is 0 ms, but must be longer than zero",
            ),
            (
                |c| c.drain_timeout = Duration::ZERO,
                "drain_timeout of fleet `f` is 0 ms, but must be longer than zero",
            ),
            (
                |c| c.term_timeout = Duration::ZERO,
                "term_timeout of fleet `f` is 0 ms, but must be longer than zero",
            ),
            (
                |c| c.io_timeout = Duration::ZERO,
                "io_timeout of fleet `f` is 0 ms, but must be longer than zero",
            ),
            (
                |c| c.degraded_retry = Duration::ZERO,
                "degraded_retry of fleet `f` is 0 ms, but must be longer than zero",
            ),
            (
                |c| c.stable_after = Duration::ZERO,
                "stable_after of fleet `f` is 0 ms, but must be longer than zero",
            ),
            (
                |c| c.late_warning = Some(Duration::ZERO),
                "late_warning of fleet `f` is 0 ms, but must be longer than zero",
            ),
            (
                |c| c.heartbeat_timeout = Duration::ZERO,
                "heartbeat_timeout of fleet `f` is 0 ms, but must be longer than zero",
            ),
            (
                |c| c.heartbeat_timeout = 19 * MS,
                "heartbeat_timeout of fleet `f` is 19 ms, but must be at least 20 ms: the coarse clock that workers beat by ticks each 4 to 10 ms",
            ),
            (|c| c.heartbeat_timeout = 20 * MS, ""),
            (
                |c| c.late_warning = Some(c.heartbeat_timeout),
                "late_warning of fleet `f` is 30000 ms, but must be shorter than heartbeat_timeout (30000 ms)",
            ),
            (|c| c.late_warning = Some(c.heartbeat_timeout - MS), ""),
            (
                |c| c.soft_signal = Some(SoftSignal { signal: Signal::Kill, grace: MS }),
                "soft_signal of fleet `f` is KILL, but must be a signal that can leave evidence, such as ABRT",
            ),
            (
                |c| c.soft_signal = Some(SoftSignal { signal: Signal::Abrt, grace: Duration::ZERO }),
                "grace of soft_signal of fleet `f` is 0 ms, but must be longer than zero, or nothing can be left",
            ),
            (|c| c.requests_max = Some(0), "requests_max of fleet `f` is 0, but must be at least 1"),
            (
                |c| c.requests_jitter_percent = 101,
                "requests_jitter_percent of fleet `f` is 101, but must be at most 100",
            ),
            (
                |c| c.surge_max = 0,
                "surge_max of fleet `f` is 0, but must be at least 1, or nobody could be replaced in advance",
            ),
            (
                |c| c.restart_budget = Some(RestartBudget { count: 0, window: MS }),
                "restart_budget of fleet `f` is 0 in 1 ms, but must be at least 1 restart in a window longer than zero",
            ),
            (
                |c| c.kill_budget = Some(KillBudget { percent: 100, window: MS }),
                "kill_budget of fleet `f` is 100 % in 1 ms, but must be 1 to 99 % in a window longer than zero",
            ),
            (
                |c| c.restart_by_status = [(7, Restart::Never), (7, Restart::Permanent)].into(),
                "restart_by_status of fleet `f` is status 7 twice, but must name each status once",
            ),
            (
                |c| c.backoff = Backoff { first: 2 * MS, max: MS },
                "backoff of fleet `f` is 2 ms up to 1 ms, but must not end below its first delay",
            ),
            (
                |c| c.spares.min = Some(0),
                "min_spare of fleet `f` is 0, but must be at least 1, or nobody would be there for who comes",
            ),
            (
                |c| c.spares.min = Some(65),
                "min_spare of fleet `f` is 65, but must not be above workers_max (64)",
            ),
            (
                |c| (c.spares.min, c.spares.max) = (Some(3), Some(2)),
                "max_spare of fleet `f` is 2, but must not be below min_spare (3)",
            ),
            (
                |c| c.spares.max = Some(65),
                "max_spare of fleet `f` is 65, but must not be above workers_max (64)",
            ),
            // Twice as many as may live is no mistake where nobody has asked for it.
            (|c| c.spares.min = Some(64), ""),
            (
                |c| {
                    c.spares = Spares { min: Some(2), max: Some(2), shrink_after: Duration::ZERO, ..c.spares }
                },
                "",
            ),
            (
                |c| c.spares.period = 9 * MS,
                "spare_period of fleet `f` is 9 ms, but must be at least 10 ms: each look wakes the host",
            ),
            (|c| c.privileges.nice = Some(20), "nice of fleet `f` is 20, but must be -20 to 19"),
            (
                |c| c.scale_each = Some(9 * MS),
                "scale_by of fleet `f` is 9 ms, but must be each 10 ms or longer: each look wakes the host",
            ),
            (
                |c| (c.scale_each, c.spares.min) = (Some(10 * MS), Some(1)),
                "min_spare or max_spare of fleet `f` is set, but must not be set beside scale_by: both say how many workers are wanted",
            ),
            (|c| c.memory.max = Some(0), "memory_max of fleet `f` is 0, but must be at least 1 byte"),
            (
                |c| c.memory.period = Duration::ZERO,
                "memory_period of fleet `f` is 0 ms, but must be at least 10 ms: a file is read for each worker",
            ),
            (|c| c.workers_max = Some(0), "workers_max of fleet `f` is 0, but must be 1 to 32768"),
            (|c| c.workers_max = Some(32_769), "workers_max of fleet `f` is 32769, but must be 1 to 32768"),
        ];
        for (change, expected) in rows {
            let found = mistakes(change);
            assert_eq!(found.first().map_or("", String::as_str), *expected);
        }
    }

    #[test]
    fn who_is_restarted_follows_the_policy_and_its_exceptions() {
        let (well, ill, killed) = (ExitStatus::Code(0), ExitStatus::Code(9), ExitStatus::by(Signal::Kill));
        let rows = [
            (Restart::Permanent, [true, true, true]),
            (Restart::Transient, [false, true, true]),
            (Restart::Never, [false, false, false]),
        ];
        for (restart, expected) in rows {
            let config = FleetConfig { restart, ..FleetConfig::new("f") };
            assert_eq!([well, ill, killed].map(|status| config.restarts(status)), expected, "{restart:?}");
        }
        let config = FleetConfig { restart_by_status: [(9, Restart::Never)].into(), ..FleetConfig::new("f") };
        assert_eq!([well, ill, killed].map(|status| config.restarts(status)), [true, false, true]);
    }
}
