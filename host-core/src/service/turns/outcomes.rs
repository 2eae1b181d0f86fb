//! What a callback did, and what that means for its service: prepare, connect again, or fail.

use super::{Served, Turns};
use crate::action::{Action, Why};
use crate::config::HostConfig;
use crate::event::Activity;
use crate::id::ServiceId;
use crate::notice::Notice;
use crate::random::Random;
use crate::service::roster::Phase;
use crate::service::turns::Orders;
use crate::time::Instant;
use crate::timers::Timer;

impl Turns {
    /// A `receive` or `wake` came back: `prepare` is due before the next wait (ProcessHost 1.1, 5),
    /// unless the service has to be connected first.
    pub(super) fn after_own_call(
        &mut self,
        config: &HostConfig,
        now: Instant,
        random: &mut Random,
        service: ServiceId,
    ) {
        let member = self.roster.member(service);
        if member.phase == Phase::Prepared {
            member.phase = Phase::Connected;
        }
        self.settle(config, now, random, service);
    }

    /// A service whose last socket is gone is connected again.
    pub(super) fn settle(
        &mut self,
        config: &HostConfig,
        now: Instant,
        random: &mut Random,
        service: ServiceId,
    ) {
        let open = self.sockets.open_count(service);
        let member = self.roster.member(service);
        if !member.lost || open > 0 || !matches!(member.phase, Phase::Connected | Phase::Prepared) {
            return;
        }
        member.lost = false;
        if member.proved {
            member.attempt = 0;
            member.phase = Phase::Unconnected;
            self.hurry = true;
            self.roster.mark_due(service);
        } else {
            // It connected and lost the connection before anything came through: that is no better than
            // not connecting. The first time it may be chance, and the next try does not wait.
            let first = member.attempt == 0;
            let delay = self.try_again(config, now, random, service);
            self.hurry |= first && delay.is_none();
        }
    }

    /// `connect` did not connect: when it is due again; `None` is the next turn.
    pub(super) fn try_again(
        &mut self,
        config: &HostConfig,
        now: Instant,
        random: &mut Random,
        service: ServiceId,
    ) -> Option<core::time::Duration> {
        let member = self.roster.member(service);
        member.phase = Phase::Unconnected;
        let delay = member.failed_try(random);
        match delay {
            Some(delay) => {
                self.timers.set(Timer::Reconnect(service), now + delay);
                // Its prepare may have been due; its connect is not.
                self.roster.unmark_due(service);
                self.todo.retain(|due| *due != service);
            }
            None => {
                self.roster.mark_due(service);
                if config.poll_period.is_none() {
                    // Nothing else need ever end the turn.
                    self.timers.set(Timer::Reconnect(service), now + HostConfig::POLL_PERIOD);
                }
            }
        }
        delay
    }

    /// What a `receive` did with its socket; `Some` if it must not go on like this.
    pub(super) fn judge(
        &mut self,
        config: &HostConfig,
        now: Instant,
        service: ServiceId,
        served: Served,
        activity: Activity,
        orders: &mut Orders,
    ) -> Option<Why> {
        let Served { socket: id, ended, proves } = served;
        if activity == Activity::Progress && proves {
            let member = self.roster.member(service);
            member.proved = true;
            member.attempt = 0;
        }
        let socket = self.sockets.find(id)?;
        match activity {
            Activity::Progress => socket.empty_wakes = 0,
            Activity::Nothing if socket.interest.is_none() => socket.empty_wakes = 0,
            Activity::Nothing => {
                socket.empty_wakes += 1;
                let wakes = socket.empty_wakes;
                return (wakes >= config.empty_wakes_max).then_some(Why::NoProgress { wakes, ended });
            }
            Activity::Starved => {
                socket.resting = true;
                self.sockets.unready(id);
                self.unmark_if_done(service);
                self.arm(id, orders);
                self.timers.set(Timer::AcceptRest(id), now + config.accept_pause);
                let notice = Notice::AcceptPaused { pause: config.accept_pause };
                orders.push_back(Action::Tell { service: Some(service), notice });
            }
        }
        None
    }
}
