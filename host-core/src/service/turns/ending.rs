//! The end of a host: services are told, closed, and the last order is given.

use super::{Orders, Step, Turns};
use crate::action::{Action, Ending, Why};
use crate::id::ServiceId;
use crate::notice::Notice;
use crate::service::kick::Callback;
use crate::service::roster::Phase;
use crate::service::shutdown::Shutdown;
use crate::sys::Signal;
use crate::timers::Timer;

impl Turns {
    pub(super) fn begin_stop(&mut self, signal: Option<Signal>, orders: &mut Orders) {
        orders.push_back(Action::Tell { service: None, notice: Notice::Stopping { signal } });
        self.end_on_next_signal(orders);
        self.shutdown.begin(self.roster.len());
        self.stop_next(orders);
    }

    /// From here on a stop signal needs nothing of ours to run: what is called now may hang.
    pub(super) fn end_on_next_signal(&self, orders: &mut Orders) {
        // Once is enough, and a limited run has no signals of its own.
        if self.turns_left.is_none() && !self.shutdown.is_stopping() {
            orders.push_back(Action::EndOnNextSignal);
        }
    }

    pub(super) fn stop_next(&mut self, orders: &mut Orders) {
        match self.shutdown.next() {
            Some(service) => self.call(service, Callback::Stop, orders),
            None => {
                let ending = self.shutdown.ending();
                orders.push_back(Action::Tell { service: None, notice: Notice::Stopped });
                self.end(ending, orders);
            }
        }
    }

    pub(super) fn fail(&mut self, service: ServiceId, callback: Callback, why: Why, orders: &mut Orders) {
        orders.push_back(Action::NotifyFailure { service, callback, why });
        self.end(Ending::ServiceFailed, orders);
    }

    /// Closes whatever is open, in order of addition, and gives the last order.
    pub(super) fn end(&mut self, ending: Ending, orders: &mut Orders) {
        for service in self.roster.ids() {
            if self.roster.phase(service) != Phase::Closed {
                self.close_service(service, orders);
            }
        }
        self.shutdown = Shutdown::Ended;
        self.step = Step::Ended;
        orders.push_back(Action::Finish(ending));
    }

    pub(super) fn close_service(&mut self, service: ServiceId, orders: &mut Orders) {
        self.roster.member(service).phase = Phase::Closed;
        self.timers.clear(Timer::Wake(service));
        self.timers.clear(Timer::Reconnect(service));
        self.wakes.retain(|waiting| *waiting != service);
        orders.push_back(Action::CloseService { service });
    }
}
