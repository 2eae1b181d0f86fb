//! The settings of a host: plain data, checked once, unchanged afterwards.

use crate::error::{Milliseconds, Mistake};
use crate::fleet::config::{FleetConfig, Strategy};
use crate::time::Duration;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

/// The settings that decisions depend on.
///
/// Setters live on [`App`](crate::app::App); this is what they fill.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostConfig {
    /// How long one turn waits for input at most. Default 5 s (ProcessHost 1.1, 9); zero spins; `None`
    /// waits for ever.
    pub poll_period: Option<Duration>,
    /// A kick ends a host whose last heartbeat is older. Default 12 s (ProcessHost 1.1, 9).
    pub heartbeat_threshold: Duration,
    /// How long a blocking read or write of a stream waits for its peer. `None` is 5 s, or half the
    /// heartbeat threshold if that is less.
    pub io_timeout: Option<Duration>,
    /// How many times in a row a service may leave a ready socket untouched before that is an error.
    /// Default 16: more than any service needs to change its mind, and 16 wakes cost no time.
    pub empty_wakes_max: u32,
    /// How many times one service is served at most before the host looks whether others have become
    /// ready; a service alone, in a host without workers, is served as long as something was reported.
    /// Default 8: the look costs less than a tenth of that, and no service, and no death of a worker, waits
    /// for more than 8 callbacks of each other service.
    pub burst: u32,
    /// How long a listener rests after descriptors or memory ran out. Default 100 ms: a tenth of a
    /// second late is better than a loop that spins.
    pub accept_pause: Duration,
    /// How long a drain waits for services that have not finished; then the host stops all the same. `None` is
    /// 30 s, and in a worker nine tenths of the drain timeout of its fleet.
    pub drain_timeout: Option<Duration>,
    /// The fleets, in the order in which they start.
    pub fleets: Vec<FleetConfig>,
    /// Who falls with whom. Default [`Strategy::OneForOne`].
    pub strategy: Strategy,
    /// Reap children that nobody here forked: for process 1 of a container, and for a subreaper. Default:
    /// if the host is process 1.
    pub reap_strangers: bool,
    /// The seed of all jitter. Set from the system's randomness if the application sets none.
    pub seed: u64,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self {
            poll_period: Some(Self::POLL_PERIOD),
            heartbeat_threshold: Duration::from_secs(12),
            io_timeout: None,
            empty_wakes_max: 16,
            burst: 8,
            accept_pause: Duration::from_millis(100),
            drain_timeout: None,
            fleets: Vec::new(),
            strategy: Strategy::OneForOne,
            reap_strangers: false,
            seed: 0,
        }
    }
}

impl HostConfig {
    /// The default poll period; also how long a connect that answered "not yet" waits at most for its
    /// next try when the poll period is off.
    pub const POLL_PERIOD: Duration = Duration::from_secs(5);

    /// How long a blocking read or write waits: as set, or derived from the threshold.
    pub fn io_patience(&self) -> Duration {
        self.io_timeout.unwrap_or_else(|| (self.heartbeat_threshold / 2).min(Duration::from_secs(5)))
    }

    /// How long a drain waits: as set, or 30 s.
    pub fn drain_patience(&self) -> Duration {
        self.drain_timeout.unwrap_or(Duration::from_secs(30))
    }

    /// All that is wrong with these settings; empty if they may be used.
    pub fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let mut refuse = |field: &str, found: &dyn ToString, wanted: &str| {
            mistakes.push(Mistake { field: field.into(), found: found.to_string(), wanted: wanted.into() });
        };
        let threshold = Milliseconds(self.heartbeat_threshold);
        if self.heartbeat_threshold.is_zero() {
            refuse("heartbeat_threshold", &threshold, "must be longer than zero");
        } else {
            if let Some(period) = self.poll_period.filter(|period| *period >= self.heartbeat_threshold) {
                let wanted = format!("must be longer than poll_period ({})", Milliseconds(period));
                refuse("heartbeat_threshold", &threshold, &wanted);
            }
            if let Some(timeout) = self.io_timeout.filter(|timeout| *timeout >= self.heartbeat_threshold) {
                let wanted = format!("must be shorter than heartbeat_threshold ({threshold})");
                refuse("io_timeout", &Milliseconds(timeout), &wanted);
            }
        }
        if self.io_timeout.is_some_and(|timeout| timeout.is_zero()) {
            refuse("io_timeout", &"0 ms", "must be longer than zero");
        }
        if self.empty_wakes_max == 0 {
            refuse("empty_wakes_max", &0, "must be at least 1");
        }
        if self.burst == 0 {
            refuse("burst", &0, "must be at least 1");
        }
        if self.accept_pause.is_zero() {
            refuse(
                "accept_pause",
                &"0 ms",
                "must be longer than zero, or the host spins while descriptors are short",
            );
        }
        if self.drain_timeout.is_some_and(|timeout| timeout.is_zero()) {
            refuse("drain_timeout", &"0 ms", "must be longer than zero; to stop at once, ask for that");
        }
        mistakes.extend(self.fleets.iter().flat_map(FleetConfig::mistakes));
        mistakes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    const MS: Duration = Duration::from_millis(1);

    fn mistakes(change: impl Fn(&mut HostConfig)) -> Vec<String> {
        let mut config = HostConfig::default();
        change(&mut config);
        config.mistakes().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_defaults_are_the_seeds_and_are_allowed() {
        let config = HostConfig::default();
        assert_eq!(config.poll_period, Some(5000 * MS));
        assert_eq!(config.heartbeat_threshold, 12_000 * MS);
        assert_eq!(config.mistakes(), []);
    }

    #[test]
    fn ph_c17_a_threshold_not_longer_than_the_poll_period_is_refused() {
        let refused = ["heartbeat_threshold is 50 ms, but must be longer than poll_period (50 ms)"];
        assert_eq!(
            mistakes(|config| {
                config.poll_period = Some(50 * MS);
                config.heartbeat_threshold = 50 * MS;
            }),
            refused
        );
        let none: [&str; 0] = [];
        assert_eq!(
            mistakes(|config| {
                config.poll_period = Some(50 * MS);
                config.heartbeat_threshold = 51 * MS;
            }),
            none
        );
        assert_eq!(
            mistakes(|config| {
                config.poll_period = None;
                config.heartbeat_threshold = MS;
            }),
            none
        );
        assert_eq!(mistakes(|config| config.poll_period = Some(Duration::ZERO)), none);
    }

    #[test]
    fn each_wrong_setting_is_named_with_value_and_remedy() {
        type Change = fn(&mut HostConfig);
        let rows: [(Change, &str); 8] = [
            (
                |c| c.heartbeat_threshold = Duration::ZERO,
                "heartbeat_threshold is 0 ms, but must be longer than zero",
            ),
            (|c| c.io_timeout = Some(Duration::ZERO), "io_timeout is 0 ms, but must be longer than zero"),
            (
                |c| c.io_timeout = Some(12_000 * MS),
                "io_timeout is 12000 ms, but must be shorter than heartbeat_threshold (12000 ms)",
            ),
            (|c| c.empty_wakes_max = 0, "empty_wakes_max is 0, but must be at least 1"),
            (
                |c| c.drain_timeout = Some(Duration::ZERO),
                "drain_timeout is 0 ms, but must be longer than zero; to stop at once, ask for that",
            ),
            (|c| c.burst = 0, "burst is 0, but must be at least 1"),
            (
                |c| c.accept_pause = Duration::ZERO,
                "accept_pause is 0 ms, but must be longer than zero, or the host spins while descriptors are short",
            ),
            (
                |c| c.poll_period = Some(Duration::from_micros(12_000_500)),
                "heartbeat_threshold is 12000 ms, but must be longer than poll_period (12000.5 ms)",
            ),
        ];
        for (change, expected) in rows {
            assert_eq!(mistakes(change), [expected]);
        }
    }

    #[test]
    fn all_mistakes_are_listed_together() {
        let found = mistakes(|config| {
            config.burst = 0;
            config.empty_wakes_max = 0;
            config.heartbeat_threshold = Duration::ZERO;
        });
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn blocking_io_waits_less_than_the_threshold() {
        let rows = [
            (12_000 * MS, None, 5000 * MS),
            (12_000 * MS, Some(7 * MS), 7 * MS),
            (10_000 * MS, None, 5000 * MS),
            (100 * MS, None, 50 * MS),
        ];
        for (heartbeat_threshold, io_timeout, expected) in rows {
            let config = HostConfig { heartbeat_threshold, io_timeout, ..HostConfig::default() };
            assert_eq!(config.io_patience(), expected);
        }
    }
}
