//! What a service manager is told of a host (sd_notify(3)): that it serves, how it is, how long it needs, that it stops.
//!
//! A report, and no decision: it follows from what the host knows, and nothing follows from it.

use crate::config::HostConfig;
use crate::fleet::config::FleetConfig;
use crate::fleet::crew::Stop;
use crate::id::FleetId;
use crate::sys::ManagerWants;
use crate::time::{Duration, Instant};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

/// What is added to a time that is asked for: the host's own, and the manager's.
const MARGIN: Duration = Duration::from_secs(1);
/// How often a worker may be tried before whoever waits for the start gives up, if each try takes as long as it may.
const BOOTS_MAX: u32 = 3;
/// That all can serve (sd_notify(3)).
const READY: &str = "READY=1";

/// How many workers of a fleet there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Staff {
    /// Those that can serve.
    pub(crate) ready: u32,
    /// All that are not reaped, and those that were ordered.
    pub(crate) alive: u32,
    /// How many are to be ready.
    pub(crate) wanted: u32,
    /// How many were ever born.
    pub(crate) births: u64,
    /// The restart budget is used up.
    pub(crate) exhausted: bool,
}

/// A host as it is, for its manager.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) config: &'a HostConfig,
    /// One a fleet.
    pub(crate) staff: &'a [Staff],
    pub(crate) stopping: Option<Stop>,
}

/// What one manager was told, and what it is owed.
#[derive(Debug)]
pub(crate) struct Manager {
    /// Half of the time after which it thinks that the host hangs.
    watchdog_each: Option<Duration>,
    /// It waits for the start, and has neither seen it nor given it up.
    awaits_start: bool,
    /// When it was first looked at.
    begun: Option<Instant>,
    /// It cannot be told anything.
    is_lost: bool,
    /// When it was last told that the host is alive.
    fed: Option<Instant>,
    is_ready: bool,
    stopping: Option<Stop>,
    /// How many workers were ready, and how many had been born, when time for more was last asked for.
    waited_for: Option<(u32, u64)>,
    status: String,
    owed: Vec<String>,
}

impl Manager {
    /// One that was told nothing yet.
    pub(crate) fn new(wants: ManagerWants) -> Self {
        let ManagerWants { watchdog, awaits_start } = wants;
        Self {
            watchdog_each: watchdog.map(|watchdog| watchdog / 2).filter(|each| !each.is_zero()),
            awaits_start,
            begun: None,
            is_lost: false,
            fed: None,
            is_ready: false,
            stopping: None,
            waited_for: None,
            status: String::new(),
            owed: Vec::new(),
        }
    }

    /// The fleet that will not be ready, if somebody waits for it; once. One that has used up its budget, or the first that
    /// is not complete when it is [too late](Self::start_deadline).
    pub(crate) fn abandons(&mut self, now: Instant, config: &HostConfig, staff: &[Staff]) -> Option<FleetId> {
        let begun = *self.begun.get_or_insert(now);
        if !self.awaits_start {
            return None;
        }
        let is_late = begun + patience(config) <= now;
        let hopeless = |staff: &Staff| staff.exhausted || is_late && !staff.is_complete();
        let fleet = staff.iter().position(hopeless)?;
        self.awaits_start = false;
        Some(FleetId::new(fleet as u16))
    }

    /// Until when whoever waits for the start does so.
    pub(crate) fn start_deadline(&self, config: &HostConfig) -> Option<Instant> {
        Some(self.begun.filter(|_| self.awaits_start)? + patience(config))
    }

    /// Looks at the host before it waits.
    pub(crate) fn look(&mut self, now: Instant, seen: Seen<'_>) {
        let begun = *self.begun.get_or_insert(now);
        if seen.stopping.is_some() && self.stopping.is_none() {
            self.owed.push("STOPPING=1".into());
        }
        if seen.stopping != self.stopping {
            self.stopping = seen.stopping;
            self.owed.push(extension(seen.time_to_stop()));
        }
        if !self.is_ready && self.stopping.is_none() {
            if seen.is_complete() {
                self.is_ready = true;
                self.awaits_start = false;
                self.owed.push(READY.into());
            } else if self.waited_for != Some(seen.progress()) && now < begun + patience(seen.config) {
                self.waited_for = Some(seen.progress());
                self.owed.push(extension(seen.time_to_boot()));
            }
        }
        let status = seen.status(self.is_ready);
        if status != self.status {
            self.owed.retain(|line| !line.starts_with("STATUS="));
            self.owed.push(format!("STATUS={status}"));
            self.status = status;
        }
    }

    /// It is to hear that the host is alive: if somebody serves. That its loop runs is seen from its asking.
    pub(crate) fn is_hungry(&self, now: Instant) -> bool {
        self.next_deadline().is_some_and(|due| due <= now)
    }

    /// Somebody serves, or nobody is wanted to.
    pub(crate) fn feed(&mut self, now: Instant) {
        self.fed = Some(now);
        self.owed.push("WATCHDOG=1".into());
    }

    /// The host ends, and nobody has asked it to. Before it has waited for the first time it was never there.
    pub(crate) fn ends(&mut self) {
        if self.begun.is_some() && self.stopping.is_none() {
            self.owed.push("STOPPING=1".into());
        }
    }

    /// What it is to be told now; nothing is empty.
    pub(crate) fn message(&self) -> String {
        if self.is_lost {
            return self.owed.iter().filter(|line| *line == READY).cloned().collect();
        }
        self.owed.join("\n")
    }

    /// It has been told.
    pub(crate) fn told(&mut self) {
        self.owed.clear();
    }

    /// It cannot be told anything, and is not tried again but for the word that whoever waits for the start hears, too;
    /// whether that is news.
    pub(crate) fn lost(&mut self) -> bool {
        self.told();
        !core::mem::replace(&mut self.is_lost, true)
    }

    /// Nobody hears anything any more.
    pub(crate) const fn is_over(&self) -> bool {
        self.is_lost && !self.awaits_start
    }

    /// When it wants to hear again that the host is alive: from the moment on at which it was told that it serves.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let each = self.watchdog_each.filter(|_| self.is_ready)?;
        Some(self.fed.map_or(Instant::ZERO, |fed| fed + each))
    }
}

impl Staff {
    const fn is_complete(&self) -> bool {
        self.ready >= self.wanted
    }
}

impl Seen<'_> {
    /// More of it is a reason to wait for longer: a worker more is ready, a fleet has opened, a worker is tried again.
    fn progress(&self) -> (u32, u64) {
        self.staff.iter().fold((0, 0), |(ready, births), staff| (ready + staff.ready, births + staff.births))
    }

    /// All workers that are wanted can serve.
    fn is_complete(&self) -> bool {
        self.staff.iter().all(Staff::is_complete)
    }

    /// How long those may take who are not ready: fleets begin one after the other.
    fn time_to_boot(&self) -> Duration {
        let missing =
            self.config.fleets.iter().zip(self.staff).filter(|(_, staff)| staff.ready < staff.wanted);
        missing.map(|(fleet, _)| fleet.boot_timeout).max().unwrap_or_default()
    }

    /// How long a stop may take: a drain goes through the fleets one by one, and then through the services.
    fn time_to_stop(&self) -> Duration {
        let fleets = self.config.fleets.iter();
        let each = |time: fn(&FleetConfig) -> Duration| fleets.clone().map(time);
        match self.stopping {
            Some(Stop::Drain) => {
                let drains = each(|fleet| fleet.drain_timeout);
                drains.fold(self.config.drain_patience(), Duration::saturating_add)
            }
            Some(Stop::AtOnce | Stop::Now) | None => {
                each(|fleet| fleet.term_timeout).max().unwrap_or_default()
            }
        }
    }

    /// In words: `3 of 4 workers ready`; with several fleets, of each.
    fn status(&self, is_ready: bool) -> String {
        let alive: u32 = self.staff.iter().map(|staff| staff.alive).sum();
        match self.stopping {
            Some(Stop::Drain) => return format!("draining: {}", left(alive)),
            Some(Stop::AtOnce | Stop::Now) => return format!("stopping: {}", left(alive)),
            None => {}
        }
        let fleets = self.config.fleets.iter().zip(self.staff);
        let words = match self.staff {
            // Nobody has to become ready first.
            [] => return "serving".to_string(),
            [staff] => format!("{} of {} workers ready", staff.ready, staff.wanted),
            _ => {
                let each = fleets
                    .map(|(fleet, staff)| format!("{} {} of {}", fleet.name, staff.ready, staff.wanted));
                format!("{} ready", each.collect::<Vec<_>>().join(", "))
            }
        };
        if is_ready { words } else { format!("starting: {words}") }
    }
}

/// How long a start may take: fleets begin one after the other, and each of their workers may be late and be tried again.
/// Boots that hang use up no budget.
fn patience(config: &HostConfig) -> Duration {
    let boots = config.fleets.iter().map(|fleet| fleet.boot_timeout.saturating_mul(BOOTS_MAX));
    boots.fold(Duration::ZERO, Duration::saturating_add)
}

fn left(alive: u32) -> String {
    match alive {
        0 => "no worker is left".into(),
        1 => "1 worker is left".into(),
        _ => format!("{alive} workers are left"),
    }
}

fn extension(time: Duration) -> String {
    format!("EXTEND_TIMEOUT_USEC={}", time.saturating_add(MARGIN).as_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(fleets: &[&str]) -> HostConfig {
        let ms = Duration::from_millis;
        let fleet = |name: &&str| {
            let mut fleet = FleetConfig::new(*name);
            (fleet.boot_timeout, fleet.drain_timeout, fleet.term_timeout) = (ms(5000), ms(7000), ms(500));
            fleet
        };
        HostConfig {
            fleets: fleets.iter().map(fleet).collect(),
            drain_timeout: Some(ms(2000)),
            ..HostConfig::default()
        }
    }

    const fn wants(watchdog: Option<Duration>) -> ManagerWants {
        ManagerWants { watchdog, awaits_start: false }
    }

    const fn staff(ready: u32, alive: u32, wanted: u32) -> Staff {
        // In these tables as many were born as are there.
        Staff { ready, alive, wanted, births: alive as u64, exhausted: false }
    }

    /// One row a look: milliseconds, staff, how it stops, and what is told then.
    fn play(watchdog: Option<u64>, fleets: &[&str], rows: &[(u64, &[Staff], Option<Stop>, &str)]) {
        let config = config(fleets);
        let mut manager = Manager::new(wants(watchdog.map(Duration::from_millis)));
        for (at, staff, stopping, expected) in rows {
            let now = Instant::from_nanos(at * 1_000_000);
            manager.look(now, Seen { config: &config, staff, stopping: *stopping });
            let serves = stopping.is_some() || staff.iter().any(|staff| staff.ready > 0 || staff.wanted == 0);
            if manager.is_hungry(now) && serves {
                manager.feed(now);
            }
            assert_eq!(manager.message().replace('\n', "; "), *expected, "at {at} ms");
            manager.told();
            assert!(
                manager.next_deadline().is_none_or(|due| due > now) || !staff.iter().any(|s| s.ready > 0)
            );
        }
    }

    #[test]
    fn it_is_ready_once_as_soon_as_all_are_and_then_says_how_it_is() {
        play(
            None,
            &["web"],
            &[
                (
                    0,
                    &[staff(0, 2, 2)],
                    None,
                    "EXTEND_TIMEOUT_USEC=6000000; STATUS=starting: 0 of 2 workers ready",
                ),
                (1, &[staff(0, 2, 2)], None, ""),
                (
                    2,
                    &[staff(1, 2, 2)],
                    None,
                    "EXTEND_TIMEOUT_USEC=6000000; STATUS=starting: 1 of 2 workers ready",
                ),
                (3, &[staff(2, 2, 2)], None, "READY=1; STATUS=2 of 2 workers ready"),
                (4, &[staff(1, 1, 2)], None, "STATUS=1 of 2 workers ready"),
                (5, &[staff(2, 2, 2)], None, "STATUS=2 of 2 workers ready"),
                (6, &[staff(2, 3, 3)], None, "STATUS=2 of 3 workers ready"),
            ],
        );
    }

    #[test]
    fn a_host_without_workers_serves_when_it_first_waits() {
        play(
            None,
            &[],
            &[
                (0, &[], None, "READY=1; STATUS=serving"),
                (1, &[], None, ""),
                (
                    2,
                    &[],
                    Some(Stop::Drain),
                    "STOPPING=1; EXTEND_TIMEOUT_USEC=3000000; STATUS=draining: no worker is left",
                ),
            ],
        );
    }

    #[test]
    fn several_fleets_are_told_by_name_and_all_must_be_complete() {
        play(
            None,
            &["web", "jobs"],
            &[
                (
                    0,
                    &[staff(2, 2, 2), staff(0, 0, 1)],
                    None,
                    "EXTEND_TIMEOUT_USEC=6000000; STATUS=starting: web 2 of 2, jobs 0 of 1 ready",
                ),
                (1, &[staff(2, 2, 2), staff(1, 1, 1)], None, "READY=1; STATUS=web 2 of 2, jobs 1 of 1 ready"),
            ],
        );
    }

    #[test]
    fn a_stop_is_told_with_the_time_that_it_may_take_and_a_harder_one_again() {
        play(
            None,
            &["web", "jobs"],
            &[
                (0, &[staff(1, 1, 1), staff(1, 1, 1)], None, "READY=1; STATUS=web 1 of 1, jobs 1 of 1 ready"),
                // 2 s for the services, 7 for each fleet, and the margin.
                (
                    1,
                    &[staff(1, 1, 1), staff(0, 1, 1)],
                    Some(Stop::Drain),
                    "STOPPING=1; EXTEND_TIMEOUT_USEC=17000000; STATUS=draining: 2 workers are left",
                ),
                (
                    2,
                    &[staff(0, 1, 1), staff(0, 0, 1)],
                    Some(Stop::Drain),
                    "STATUS=draining: 1 worker is left",
                ),
                (
                    3,
                    &[staff(0, 1, 1), staff(0, 0, 1)],
                    Some(Stop::AtOnce),
                    "EXTEND_TIMEOUT_USEC=1500000; STATUS=stopping: 1 worker is left",
                ),
                (
                    4,
                    &[staff(0, 0, 1), staff(0, 0, 1)],
                    Some(Stop::AtOnce),
                    "STATUS=stopping: no worker is left",
                ),
            ],
        );
    }

    #[test]
    fn one_that_is_stopped_before_it_served_is_never_ready() {
        play(
            None,
            &["web"],
            &[
                (
                    0,
                    &[staff(0, 1, 1)],
                    None,
                    "EXTEND_TIMEOUT_USEC=6000000; STATUS=starting: 0 of 1 workers ready",
                ),
                (
                    1,
                    &[staff(1, 1, 1)],
                    Some(Stop::AtOnce),
                    "STOPPING=1; EXTEND_TIMEOUT_USEC=1500000; STATUS=stopping: 1 worker is left",
                ),
            ],
        );
    }

    #[test]
    fn the_watchdog_is_fed_each_half_of_its_time_while_somebody_serves() {
        play(
            Some(1000),
            &["web"],
            &[
                (
                    0,
                    &[staff(0, 1, 1)],
                    None,
                    "EXTEND_TIMEOUT_USEC=6000000; STATUS=starting: 0 of 1 workers ready",
                ),
                (700, &[staff(0, 1, 1)], None, ""),
                (800, &[staff(1, 1, 1)], None, "READY=1; STATUS=1 of 1 workers ready; WATCHDOG=1"),
                (1299, &[staff(1, 1, 1)], None, ""),
                (1300, &[staff(1, 1, 1)], None, "WATCHDOG=1"),
                // Nobody serves: who restarts the host may do better.
                (1900, &[staff(0, 1, 1)], None, "STATUS=0 of 1 workers ready"),
                (2500, &[staff(0, 0, 1)], None, ""),
                (2600, &[staff(1, 1, 1)], None, "STATUS=1 of 1 workers ready; WATCHDOG=1"),
                // Nobody is wanted.
                (3200, &[staff(0, 0, 0)], None, "STATUS=0 of 0 workers ready; WATCHDOG=1"),
                (
                    3800,
                    &[staff(0, 1, 1)],
                    Some(Stop::Drain),
                    "STOPPING=1; EXTEND_TIMEOUT_USEC=10000000; STATUS=draining: 1 worker is left; WATCHDOG=1",
                ),
            ],
        );
        assert_eq!(Manager::new(wants(Some(Duration::from_nanos(1)))).watchdog_each, None);
    }

    #[test]
    fn what_could_not_be_told_is_told_later_and_of_the_status_only_the_last() {
        let config = config(&["web"]);
        let mut manager = Manager::new(wants(None));
        for ready in 0..3 {
            let staff = [staff(ready, 2, 2)];
            manager.look(Instant::ZERO, Seen { config: &config, staff: &staff, stopping: None });
        }
        let lines =
            "EXTEND_TIMEOUT_USEC=6000000\nEXTEND_TIMEOUT_USEC=6000000\nREADY=1\nSTATUS=2 of 2 workers ready";
        assert_eq!(manager.message(), lines);
    }

    #[test]
    fn whoever_waits_for_the_start_gives_up_once_and_only_before_it_has_seen_it() {
        let config = config(&["web", "jobs"]);
        let broken = Staff { exhausted: true, ..staff(0, 0, 1) };
        let awaited = || Manager::new(ManagerWants { watchdog: None, awaits_start: true });
        let zero = Instant::ZERO;
        let mut manager = awaited();
        assert_eq!(manager.abandons(zero, &config, &[staff(0, 1, 1), staff(0, 1, 1)]), None);
        assert_eq!(manager.abandons(zero, &config, &[staff(1, 1, 1), broken]), Some(FleetId::new(1)));
        assert_eq!(manager.abandons(zero, &config, &[staff(1, 1, 1), broken]), None);
        let mut serving = awaited();
        serving.look(zero, Seen { config: &config, staff: &[staff(1, 1, 1); 2], stopping: None });
        assert_eq!(serving.abandons(zero, &config, &[staff(1, 1, 1), broken]), None);
        assert_eq!(Manager::new(wants(None)).abandons(zero, &config, &[broken]), None);
    }

    #[test]
    fn a_boot_takes_as_long_as_those_may_who_are_missing() {
        let mut config = config(&["web", "jobs"]);
        config.fleets[1].boot_timeout = Duration::from_secs(90);
        for (staff, seconds) in
            [([staff(0, 1, 1), staff(1, 1, 1)], 6), ([staff(1, 1, 1), staff(0, 1, 1)], 91)]
        {
            let mut manager = Manager::new(wants(None));
            manager.look(Instant::ZERO, Seen { config: &config, staff: &staff, stopping: None });
            let line = manager.message().lines().next().map(String::from);
            assert_eq!(line, Some(format!("EXTEND_TIMEOUT_USEC={seconds}000000")));
        }
    }

    #[test]
    fn a_boot_that_is_tried_again_gets_its_time_anew_and_not_for_ever() {
        let config = config(&["web", "jobs"]);
        let mut manager = Manager::new(wants(None));
        let mut told = |ms: u64, staff: &[Staff]| {
            let now = Instant::from_nanos((7 + ms) * 1_000_000);
            manager.look(now, Seen { config: &config, staff, stopping: None });
            let message = manager.message();
            manager.told();
            message.contains("EXTEND_TIMEOUT_USEC=6000000")
        };
        let web = |births| Staff { births, ..staff(0, 1, 1) };
        let waits = staff(0, 0, 1);
        assert!(told(0, &[web(1), waits]));
        assert!(!told(1, &[web(1), waits]));
        assert!(told(4_999, &[web(2), waits]), "it was killed, and another is tried");
        assert!(!told(5_000, &[Staff { alive: 0, ..web(2) }, waits]), "one that ended boots nowhere");
        assert!(told(9_000, &[staff(1, 1, 1), waits]), "the first fleet is there");
        assert!(told(9_001, &[staff(1, 1, 1), staff(0, 1, 1)]), "the next has opened");
        let jobs = |births| Staff { births, ..staff(0, 1, 1) };
        assert!(told(29_999, &[staff(1, 1, 1), jobs(2)]));
        assert!(!told(30_000, &[staff(1, 1, 1), jobs(3)]), "each has been tried three times");
    }

    #[test]
    fn an_end_that_nobody_asked_for_is_told_to_whom_the_host_was_told() {
        let config = config(&["web"]);
        let mut unknown = Manager::new(wants(None));
        unknown.ends();
        assert_eq!(unknown.message(), "");
        for (stopping, expected) in [(None, "STOPPING=1"), (Some(Stop::AtOnce), "")] {
            let mut manager = Manager::new(wants(None));
            manager.look(Instant::ZERO, Seen { config: &config, staff: &[staff(1, 1, 1)], stopping });
            manager.told();
            manager.ends();
            assert_eq!(manager.message(), expected, "{stopping:?}");
        }
    }

    #[test]
    fn boots_that_hang_end_the_start_when_each_was_tried_three_times() {
        let config = config(&["web", "jobs"]);
        let mut manager = Manager::new(ManagerWants { watchdog: None, awaits_start: true });
        let at = |ms: u64| Instant::from_nanos((7 + ms) * 1_000_000);
        let boots = [staff(1, 1, 1), staff(0, 1, 1)];
        // Nobody has looked yet.
        assert_eq!(manager.start_deadline(&config), None);
        assert_eq!(manager.abandons(at(0), &config, &boots), None);
        // 5 s for each try in each of the two.
        assert_eq!(manager.start_deadline(&config), Some(at(30_000)));
        assert_eq!(manager.abandons(at(29_999), &config, &boots), None);
        let all = [staff(1, 1, 1); 2];
        assert_eq!(
            manager.abandons(at(30_000), &config, &all),
            None,
            "they are there, and it is told at once"
        );
        assert_eq!(manager.abandons(at(30_000), &config, &boots), Some(FleetId::new(1)));
        assert_eq!(manager.start_deadline(&config), None);
    }

    #[test]
    fn a_manager_that_is_lost_is_told_nothing_but_what_whoever_waits_for_the_start_hears() {
        let config = config(&["web"]);
        let mut manager =
            Manager::new(ManagerWants { watchdog: Some(Duration::from_secs(2)), awaits_start: true });
        let mut look = |ms: u64, staff: &[Staff]| {
            manager
                .look(Instant::from_nanos(ms * 1_000_000), Seen { config: &config, staff, stopping: None });
            let message = manager.message();
            (message, manager.lost(), manager.is_over())
        };
        let begun = "EXTEND_TIMEOUT_USEC=6000000\nSTATUS=starting: 0 of 1 workers ready";
        assert_eq!(look(0, &[staff(0, 1, 2)]), (begun.replace("0 of 1", "0 of 2"), true, false));
        assert_eq!(look(1, &[staff(1, 1, 2)]), (String::new(), false, false));
        assert_eq!(look(2, &[staff(2, 2, 2)]), ("READY=1".into(), false, true));
        // Where nobody waits for the start it is over with the first word that is lost.
        let mut alone = Manager::new(wants(None));
        assert!(!alone.is_over() && alone.lost() && alone.is_over());
    }
}
