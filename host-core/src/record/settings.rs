//! The settings of a host, and which host it is.

use super::bytes::{In, Out, Wrong};
use super::wire::{Numbered, Wire, fields, variants};
use super::{Begin, End};
use crate::config::HostConfig;
use crate::fleet::backoff::Backoff;
use crate::fleet::config::{
    FleetConfig, KillBudget, OnExhausted, Restart, RestartBudget, SoftSignal, Strategy,
};
use crate::fleet::memory::{MemoryBound, MemoryFigure};
use crate::fleet::privileges::Privileges;
use crate::fleet::spares::Spares;
use crate::service::reconnect::{OnConnectError, Reconnect};
use crate::sys::{Account, OnHostDeath};

fields! {
    Begin { config, app, version, pid, wall }
    HostConfig {
        poll_period, heartbeat_threshold, io_timeout, empty_wakes_max, burst, accept_pause, drain_timeout,
        fleets, strategy, reap_strangers, seed,
    }
    FleetConfig {
        name, workers, workers_max, boot_timeout, heartbeat_timeout, late_warning, soft_signal, idle_beats,
        drain_timeout, term_timeout, quit_patience, io_timeout, on_host_death, requests_max,
        requests_jitter_percent, surge_max, backoff, stable_after, restart_budget, on_exhausted,
        degraded_retry, kill_budget, restart, restart_by_status, deaths_kept, spread, spares, memory, privileges,
        scale_each,
    }
    Privileges {
        user, group, supplementary_groups, umask, working_directory, chroot, limits, nice, no_new_privs,
    }
    MemoryBound { max, figure, period }
    Spares { min, max, period, shrink_after }
    RestartBudget { count, window }
    KillBudget { percent, window }
    SoftSignal { signal, grace }
    Backoff { first, max }
}

variants! {
    End {
        1 = Host;
        2 = Size;
    }
    Reconnect {
        1 = EachTurn;
        2 = Backoff { first, max };
    }
    OnConnectError {
        1 = End;
        2 = Retry;
    }
    Strategy {
        1 = OneForOne;
        2 = RestForOne;
        3 = OneForAll;
    }
    OnExhausted {
        1 = KeepTrying;
        2 = StopFleet;
        3 = StopHost;
    }
    MemoryFigure {
        1 = Rss;
        2 = Pss;
    }
    Restart {
        1 = Permanent;
        2 = Transient;
        3 = Never;
    }
    Account {
        1 = Name(name);
        2 = Number(number);
    }
    OnHostDeath {
        1 = Exit;
        2 = Drain;
    }
}
