//! L4: a stop comes to its end within its bound, whatever workers ignore.
//!
//! The bound follows from the settings, and is counted from the moment at which the host hears that it is to
//! stop; what it misses itself, and the time of services' own code, come on top.

use super::hangs::nanos;
use crate::check::Violation;
use crate::check::fleet::ledger::{Ledger, Stop};
use crate::kernel::poller::POLLING;
use crate::kernel::process::Run;
use crate::kernel::{Happening, Index, Kernel, MILLISECOND, Nanos};

/// What asking, reaping and telling take, for each fleet that is emptied.
const EPSILON: Nanos = 20 * MILLISECOND;
/// How soon to look again at a host that is busy with its services.
const AGAIN: Nanos = 100 * MILLISECOND;

impl Kernel {
    /// A fact or an order has passed: the host may be stopping, or stopping harder.
    pub(crate) fn check_stop(&mut self, host: Index) {
        let ledger = &self.checks.fleet.ledger;
        let Some((stop, _)) = ledger.stop.filter(|_| !ledger.is_empty()) else { return };
        if self.truths.stop.is_some_and(|before| before >= stop) {
            return;
        }
        self.truths.stop = Some(stop);
        let since = self.now;
        self.plan_at(since + bound(ledger, stop), Happening::StopDue { index: host, stop, since });
    }

    /// The moment at which a stop must have come to its end.
    pub(crate) fn check_stop_is_over(&mut self, host: Index, stop: Stop, since: Nanos) {
        let process = &self.processes[host as usize];
        if !process.is_living() || Some(host) != self.host {
            return;
        }
        let ledger = &self.checks.fleet.ledger;
        // Services drain when nobody is left in the fleets, and have a time of their own for that.
        let patience = self.checks.host().map(|host| nanos(host.config().drain_patience()));
        let services = patience.filter(|_| stop == Stop::Drain).unwrap_or(0);
        let fleets = ledger.configs.len() as Nanos;
        let delay = (EPSILON + 2 * self.news_delay()) * fleets;
        let due = since + bound(ledger, stop) + self.truths.pauses.missed(since, self.now) + delay;
        let again =
            |kernel: &mut Self, at| kernel.plan_at(at, Happening::StopDue { index: host, stop, since });
        if due > self.now {
            return again(self, due);
        }
        if !self.host_takes_part(host) {
            return again(self, self.now + AGAIN);
        }
        let waits = process.doing == POLLING && matches!(process.run, Run::Blocked { .. });
        let left = match ledger.workers.keys().next() {
            Some(worker) => format!("{worker} was not reaped"),
            None if self.now < due + services => return again(self, due + services),
            None if waits => "nobody is left, and the host waits".to_owned(),
            None => return again(self, self.now + AGAIN),
        };
        let after = (self.now - since) / MILLISECOND;
        let detail = format!("{after} ms after the host heard that it is to stop ({stop:?}), {left}");
        self.violate(Violation::new("L4", detail));
    }
}

/// How long a stop may take.
fn bound(ledger: &Ledger, stop: Stop) -> Nanos {
    let configs = ledger.configs.iter();
    match stop {
        // One fleet after the other.
        Stop::Drain => configs.map(|config| nanos(config.drain_timeout)).sum(),
        Stop::AtOnce => configs.map(|config| nanos(config.term_timeout)).max().unwrap_or(0),
        Stop::Now => 0,
    }
}
