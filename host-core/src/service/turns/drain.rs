//! A drain: services finish what they have begun, and then the host stops.

use super::{Orders, Turns};
use crate::action::Action;
use crate::config::HostConfig;
use crate::id::ServiceId;
use crate::notice::Notice;
use crate::service::roster::Phase;
use crate::service::shutdown::Shutdown;
use crate::sys::Signal;
use crate::time::Instant;
use crate::timers::Timer;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// How far a drain has come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Drain {
    /// The signal that asked for it; `None` if the application did.
    signal: Option<Signal>,
    /// Who is still to be asked, in reverse order of addition.
    todo: Vec<ServiceId>,
    /// Who was asked and goes on until its last socket is closed.
    left: BTreeSet<ServiceId>,
}

impl Turns {
    /// Somebody asked for a drain. A second time changes nothing, nor does it during a stop.
    pub(crate) fn drain_asked(&mut self, config: &HostConfig, now: Instant, signal: Option<Signal>) {
        if self.drain.is_some() || self.shutdown != Shutdown::Running {
            return;
        }
        self.hear();
        self.hurry = true;
        let mut todo: Vec<_> =
            self.roster.ids().filter(|service| self.roster.phase(*service) != Phase::Closed).collect();
        todo.reverse();
        self.timers.set(Timer::DrainEnd, now + config.drain_patience());
        self.drain = Some(Drain { signal, todo, left: BTreeSet::new() });
    }

    /// The next service to be asked.
    pub(super) fn next_to_drain(&mut self) -> Option<ServiceId> {
        self.drain.as_mut()?.todo.pop()
    }

    /// It has answered that it is not done.
    pub(super) fn drains_on(&mut self, service: ServiceId) {
        if let Some(drain) = &mut self.drain {
            drain.left.insert(service);
        }
    }

    /// Whether a drain has come to its end: all were asked, and nobody has a socket left that it goes on for.
    pub(super) fn is_drained(&mut self) -> bool {
        let Some(drain) = &mut self.drain else { return false };
        let sockets = &self.sockets;
        drain.left.retain(|service| sockets.open_count(*service) > 0);
        drain.todo.is_empty() && drain.left.is_empty() && self.shutdown == Shutdown::Running
    }

    /// Its time is over: whoever has not finished is told to stop like all others.
    pub(super) fn cut_drain_short(&mut self, orders: &mut Orders) {
        let Some(drain) = &mut self.drain else { return };
        let services = (drain.todo.len() + drain.left.len()) as u32;
        drain.todo.clear();
        drain.left.clear();
        orders.push_back(Action::Tell { service: None, notice: Notice::DrainCutShort { services } });
    }

    /// The stop that a drain ends with.
    pub(super) fn end_drain(&mut self) {
        self.timers.clear(Timer::DrainEnd);
        let signal = self.drain.as_ref().and_then(|drain| drain.signal);
        // It is running: that was asked before.
        let _ = self.shutdown.ask(signal);
    }
}
