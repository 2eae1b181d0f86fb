//! L8: no livelock. What is told and ordered brings something about.

use crate::check::Violation;
use crate::kernel::{MILLISECOND, Nanos};
use host_core::action::Action;
use host_core::event::{Activity, Event, Outcome};
use host_core::service::kick::Callback;
use host_core::sys::Fact;
use std::time::Duration;

/// Counts facts and orders that bring nothing about.
#[derive(Debug, Default)]
pub(crate) struct LivelockCheck {
    /// So many since `since`, when something was brought about or time had passed.
    idle: u32,
    since: Nanos,
    /// Turning without end is what it is configured to.
    may_turn: bool,
}

/// So many facts and orders in a row may bring nothing about: more than all that a fleet of a thousand is told in
/// one wake.
const IDLE_MAX: u32 = 10_000;
/// Within this time; an idle host has a handful in as many seconds.
const WITHIN: Nanos = 100 * MILLISECOND;
/// A host whose turns end sooner than that of themselves is meant to turn.
const POLL_PERIOD_MIN: Duration = Duration::from_millis(1);

impl LivelockCheck {
    pub(crate) fn on_fact(&mut self, now: Nanos, fact: &Fact<'_>) -> Option<Violation> {
        let brings_about = match fact {
            Fact::Begin(config) => {
                self.may_turn = config.poll_period.is_some_and(|period| period < POLL_PERIOD_MIN);
                true
            }
            Fact::Event(_, event) => is_progress(event),
            Fact::Action(action) => matches!(
                action,
                Action::SignalWorker { .. }
                    | Action::CloseService { .. }
                    | Action::Finish(_)
                    | Action::ReopenFiles
                    | Action::Reopen { .. }
                    | Action::KillAll
            ),
            Fact::Settled(_) => return None,
        };
        if brings_about || now - self.since > WITHIN {
            (self.idle, self.since) = (0, now);
            return None;
        }
        self.idle += 1;
        (self.idle > IDLE_MAX && !self.may_turn).then(|| {
            let detail = format!(
                "{IDLE_MAX} facts and orders within {} ms, and nobody was served, born, killed or reaped",
                (now - self.since) / MILLISECOND
            );
            Violation::new("L8", detail)
        })
    }
}

/// Somebody was served, born, heard or reaped, or something was opened or closed.
#[expect(clippy::wildcard_enum_match_arm, reason = "all others may come for ever without any use")]
fn is_progress(event: &Event) -> bool {
    match event {
        Event::Returned { callback: Callback::Prepare, .. } => false,
        Event::Returned { outcome: Outcome::Done(Activity::Progress), .. }
        | Event::Started { .. }
        | Event::Added { .. }
        | Event::Opened { .. }
        | Event::Closed { .. }
        | Event::Spawned { .. }
        | Event::WorkerExited { .. }
        | Event::WorkerSaid { message: Ok(_), .. }
        | Event::StrangerReaped { .. } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_core::config::HostConfig;
    use host_core::sys::Pid;
    use host_core::time::Instant;

    /// What is found when ticks come, `apart` nanoseconds apart, and after each `each` of them a reaping.
    fn ticks(config: &HostConfig, apart: Nanos, each: u32) -> Option<&'static str> {
        let mut check = LivelockCheck::default();
        assert_eq!(check.on_fact(0, &Fact::Begin(config)), None);
        (1..=3 * IDLE_MAX).find_map(|count| {
            let reaped = Event::StrangerReaped { pid: Pid(7) };
            let event = if count.is_multiple_of(each) { reaped } else { Event::Tick };
            let now = u64::from(count) * apart;
            check.on_fact(now, &Fact::Event(Instant::from_nanos(now), &event)).map(|found| found.id)
        })
    }

    #[test]
    fn what_brings_nothing_about_is_a_livelock_unless_time_passes_or_it_is_asked_for() {
        let config = HostConfig::default();
        let turning = HostConfig { poll_period: Some(Duration::ZERO), ..HostConfig::default() };
        let never = u32::MAX;
        assert_eq!(ticks(&config, 700, never), Some("L8"));
        assert_eq!(ticks(&config, 700, IDLE_MAX), None, "somebody is reaped");
        assert_eq!(ticks(&config, 50_000, never), None, "each 50 µs is slow enough to be something else");
        assert_eq!(ticks(&turning, 700, never), None, "it is configured so");
    }
}
