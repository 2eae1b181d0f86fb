//! The flags of the program with three fleets.

use clap::{Parser, ValueEnum};
use host_core::fleet::config;
use std::net::IpAddr;
use std::str::FromStr;

/// Three fleets of workers in one host – db, web and mail, started in this order and stopped in reverse – whose
/// settings are what is tried here; all fleets have the same.
///
/// Signals as with the prefork servers. Exit status: 0 after a stop, 69 if a fleet has used up its restart budget and
/// takes the host with it, 71 if the system refused something, 78 if it cannot start like this.
#[derive(Clone, Debug, Parser)]
pub struct Options {
    /// Where it listens.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub ip: IpAddr,

    /// The port of the first fleet; the others have the next ones. 0 lets the kernel choose all of them.
    #[arg(long, value_name = "N", default_value_t = 7001)]
    pub port: u16,

    /// How many workers each fleet has.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub workers: u32,

    /// Who is restarted as well when a worker dies unasked.
    #[arg(long, value_name = "STRATEGY", value_enum, default_value_t = Strategy::OneForOne)]
    pub strategy: Strategy,

    /// A worker that is silent for longer is killed and replaced.
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    pub timeout_ms: u64,

    /// A worker that is not ready after so long is killed and replaced.
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    pub boot_timeout_ms: u64,

    /// A worker that was asked to quit is killed after so long.
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    pub drain_timeout_ms: u64,

    /// When to warn of a silent worker; by default not before it is killed.
    #[arg(long, value_name = "N")]
    pub warn_ms: Option<u64>,

    /// A late worker is sent ABRT first, to leave evidence, and killed after so long; by default it is killed at once.
    #[arg(long, value_name = "N")]
    pub soft_signal_ms: Option<u64>,

    /// Which share of a fleet may be killed for being late within how many milliseconds, such as 50/10000; by default
    /// all of it.
    #[arg(long, value_name = "PERCENT/MS")]
    pub kill_budget: Option<Budget<u8>>,

    /// Whether a worker that ended unasked is replaced.
    #[arg(long, value_name = "POLICY", value_enum, default_value_t = Restart::Permanent)]
    pub restart: Restart,

    /// The same for one exit status, such as 7=never; may be given several times.
    #[arg(long, value_name = "STATUS=POLICY")]
    pub restart_on: Vec<ByStatus>,

    /// How many workers of a fleet may die young within how many milliseconds, such as 10/60000; the fleet's default is
    /// five for each worker within a minute.
    #[arg(long, value_name = "COUNT/MS")]
    pub restart_budget: Option<Budget<u32>>,

    /// What becomes of a fleet beyond that.
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Exhausted::Keep)]
    pub on_exhausted: Exhausted,

    /// How long each slot of a degraded fleet rests.
    #[arg(long, value_name = "N", default_value_t = 30_000)]
    pub retry_ms: u64,

    /// A worker that dies sooner dies young.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub stable_ms: u64,

    /// What the workers of web do.
    #[arg(long, value_name = "BODY", value_enum, default_value_t = WebBody::Serves)]
    pub web: WebBody,
}

/// Who is restarted as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Strategy {
    /// Nobody.
    OneForOne,
    /// The fleets after its own.
    RestForOne,
    /// All fleets.
    OneForAll,
}

impl From<Strategy> for config::Strategy {
    fn from(strategy: Strategy) -> Self {
        match strategy {
            Strategy::OneForOne => Self::OneForOne,
            Strategy::RestForOne => Self::RestForOne,
            Strategy::OneForAll => Self::OneForAll,
        }
    }
}

/// Who is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Restart {
    /// Everybody.
    Permanent,
    /// Who has not ended with status 0.
    Transient,
    /// Nobody.
    Never,
}

impl From<Restart> for config::Restart {
    fn from(restart: Restart) -> Self {
        match restart {
            Restart::Permanent => Self::Permanent,
            Restart::Transient => Self::Transient,
            Restart::Never => Self::Never,
        }
    }
}

/// What follows when too many have died young.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Exhausted {
    /// It is degraded, and tried again slowly.
    Keep,
    /// The fleet stops, and the others go on.
    Fleet,
    /// The host stops, with status 69.
    Host,
}

impl From<Exhausted> for config::OnExhausted {
    fn from(exhausted: Exhausted) -> Self {
        match exhausted {
            Exhausted::Keep => Self::KeepTrying,
            Exhausted::Fleet => Self::StopFleet,
            Exhausted::Host => Self::StopHost,
        }
    }
}

/// What the workers of web do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WebBody {
    /// They answer lines.
    Serves,
    /// They end at once, with status 0.
    Returns,
    /// They end at once, with an error.
    Fails,
    /// They begin and never say that they are ready.
    NeverReady,
}

/// So many within so long: `COUNT/MS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget<T> {
    /// How many.
    pub count: T,
    /// Within how many milliseconds.
    pub window_ms: u64,
}

impl<T: FromStr> FromStr for Budget<T> {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (count, window_ms) = text.split_once('/')?;
            Some(Self { count: count.parse().ok()?, window_ms: window_ms.parse().ok()? })
        };
        parse().ok_or("it takes two numbers: how many or which percentage, and milliseconds, such as 50/1000")
    }
}

/// A policy for one exit status: `STATUS=POLICY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByStatus {
    /// The exit status.
    pub status: u8,
    /// Who ends with it, is replaced or not.
    pub restart: Restart,
}

impl FromStr for ByStatus {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (status, restart) = text.split_once('=')?;
            Some(Self { status: status.parse().ok()?, restart: Restart::from_str(restart, false).ok()? })
        };
        parse().ok_or("it takes a status and permanent, transient or never, such as 7=never")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_two_numbers() {
        let budget = |count, window_ms| Some(Budget::<u8> { count, window_ms });
        let rows = [
            ("50/1000", budget(50, 1000)),
            ("0/0", budget(0, 0)),
            ("50", None),
            ("50%/1000", None),
            ("256/1", None),
            ("1/2/3", None),
            ("/", None),
        ];
        for (text, expected) in rows {
            assert_eq!(text.parse::<Budget<u8>>().ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_policy_by_status_is_a_status_and_a_policy() {
        let rows = [
            ("7=never", Some(ByStatus { status: 7, restart: Restart::Never })),
            ("0=permanent", Some(ByStatus { status: 0, restart: Restart::Permanent })),
            ("256=never", None),
            ("7=always", None),
            ("never", None),
        ];
        for (text, expected) in rows {
            assert_eq!(text.parse::<ByStatus>().ok(), expected, "{text}");
        }
    }
}
