//! S6: a kick ends the host if and only if its own heartbeat is older than the threshold.

use crate::check::Violation;
use crate::kernel::Nanos;
use host_core::action::Action;
use host_core::sys::Fact;
use std::time::Duration;

/// Knows when the host last entered a callback from its orders, not from its heartbeat word: a host
/// that forgets to beat is caught.
#[derive(Default)]
pub(crate) struct KickCheck {
    entered: Option<Nanos>,
    waiting: bool,
    /// It is back from its poller, and has done nothing since: its heartbeat still says that it waits.
    has_just_woken: bool,
}

impl KickCheck {
    pub(crate) fn on_fact(&mut self, now: Nanos, fact: &Fact<'_>) {
        self.has_just_woken = false;
        // A look is a sign of life like a callback, and so is a service about to be dropped.
        if let Fact::Action(
            Action::Call { .. } | Action::Receive { .. } | Action::Look | Action::CloseService { .. },
        ) = fact
        {
            self.entered = Some(now);
        }
    }

    pub(crate) fn on_waiting(&mut self, now: Nanos, waiting: bool) {
        self.waiting = waiting;
        self.has_just_woken = !waiting;
        if !waiting {
            self.entered = Some(now);
        }
    }

    /// No order says that one who has ended is judged by a function of the author's; that each of these is a sign of
    /// life is for the driver's own tests.
    pub(crate) fn on_deciding(&mut self, now: Nanos) {
        self.has_just_woken = false;
        self.entered = Some(now);
    }

    pub(crate) fn on_kick(&self, now: Nanos, hung: bool, threshold: Duration) -> Option<Violation> {
        // The beat is stored a moment after the order, and the order comes a moment after the clock was
        // read: within this much of the threshold either verdict is right.
        const SLACK: Duration = Duration::from_micros(100);
        let entered = self.entered?;
        let age = Duration::from_nanos(now - entered);
        let wrong = if hung {
            self.waiting || age + SLACK < threshold
        } else {
            // Stopped in the moment in which it woke, it counts as waiting.
            !self.waiting && !self.has_just_woken && age > threshold + SLACK
        };
        wrong.then(|| {
            let verdict = if hung { "hung" } else { "alive" };
            let place = if self.waiting { "waits for events" } else { "is in a callback" };
            let detail = format!(
                "a kick found the host {verdict}, which {place} and entered its last callback {age:?} ago; threshold {threshold:?}"
            );
            Violation::new("S6", detail)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_core::id::ServiceId;
    use host_core::service::kick::Callback;

    #[test]
    fn a_wrong_verdict_is_caught_either_way() {
        const MS: u64 = 1_000_000;
        let threshold = Duration::from_millis(50);
        let rows = [
            ("hung and found hung", 100, false, true, false),
            ("fresh and found alive", 10, false, false, false),
            ("waiting and found alive", 100, true, false, false),
            ("fresh and found hung", 10, false, true, true),
            ("hung and found alive", 100, false, false, true),
            ("waiting and found hung", 100, true, true, true),
        ];
        for (name, age, waiting, hung, wrong) in rows {
            let mut check = KickCheck::default();
            let action = Action::Call { service: ServiceId::new(0), callback: Callback::Connect };
            check.on_fact(7 * MS, &Fact::Action(&action));
            check.waiting = waiting;
            let found = check.on_kick((7 + age) * MS, hung, threshold);
            assert_eq!(found.map(|violation| violation.id), wrong.then_some("S6"), "{name}");
        }
    }

    #[test]
    fn one_that_was_stopped_in_the_moment_in_which_it_woke_may_count_as_waiting() {
        let threshold = Duration::from_millis(50);
        let mut check = KickCheck::default();
        check.on_waiting(0, true);
        check.on_waiting(0, false);
        assert_eq!(check.on_kick(100_000_000, false, threshold), None);
        check.on_fact(0, &Fact::Action(&Action::Look));
        assert!(check.on_kick(100_000_000, false, threshold).is_some());
    }
}
