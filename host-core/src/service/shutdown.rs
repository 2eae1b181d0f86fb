//! The end of a host: orderly, at once, or by a failure.

use crate::action::Ending;
use crate::id::ServiceId;
use crate::sys::Signal;

/// How far the end has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Shutdown {
    /// Nobody has asked for it.
    #[default]
    Running,
    /// It was asked for; the callback that is out comes back first.
    Asked {
        /// The signal that asked; `None` if the application did.
        signal: Option<Signal>,
    },
    /// The services are told, the youngest first.
    Stopping {
        /// Those from here up to the youngest were told; the next is the one before.
        left: usize,
        /// A service failed while it was told; the others are told all the same.
        failed: bool,
    },
    /// The last order was given.
    Ended,
}

/// What follows a stop signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// The stop begins when the callback that is out has come back.
    Begin,
    /// The stop is cut short.
    AtOnce,
    /// Nothing.
    Ignore,
}

impl Shutdown {
    /// Somebody asked for a stop: a signal, or the application itself.
    ///
    /// Only a second *signal* cuts a stop short: an application that asks twice means the same.
    pub(crate) fn ask(&mut self, signal: Option<Signal>) -> Reaction {
        match (&*self, signal) {
            (Self::Running, _) => {
                *self = Self::Asked { signal };
                Reaction::Begin
            }
            (Self::Asked { .. } | Self::Stopping { .. }, Some(_)) => Reaction::AtOnce,
            (Self::Asked { .. } | Self::Stopping { .. }, None) | (Self::Ended, _) => Reaction::Ignore,
        }
    }

    /// Begins to tell `services` services.
    pub(crate) fn begin(&mut self, services: usize) {
        *self = Self::Stopping { left: services, failed: false };
    }

    /// The next service to be told; `None` when all were, or none is to be.
    pub(crate) fn next(&mut self) -> Option<ServiceId> {
        match self {
            Self::Stopping { left, .. } => {
                *left = left.checked_sub(1)?;
                Some(ServiceId::new(*left as u32))
            }
            Self::Running | Self::Asked { .. } | Self::Ended => None,
        }
    }

    /// Whether services are being told.
    pub(crate) const fn is_stopping(&self) -> bool {
        matches!(self, Self::Stopping { .. })
    }

    /// Whether the last order was given.
    pub(crate) const fn is_ended(&self) -> bool {
        matches!(self, Self::Ended)
    }

    /// A service failed while it was told.
    pub(crate) fn note_failure(&mut self) {
        if let Self::Stopping { failed, .. } = self {
            *failed = true;
        }
    }

    /// All were told: how that ends.
    pub(crate) const fn ending(&self) -> Ending {
        match self {
            Self::Stopping { failed: true, .. } => Ending::ServiceFailed,
            Self::Stopping { failed: false, .. } | Self::Running | Self::Asked { .. } | Self::Ended => {
                Ending::Stopped
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const TERM: Option<Signal> = Some(Signal::Term);

    #[test]
    fn a_second_signal_cuts_short_and_a_second_request_does_not() {
        let stopping = Shutdown::Stopping { left: 1, failed: false };
        let rows = [
            ("first signal", Shutdown::Running, TERM, Reaction::Begin),
            ("first request", Shutdown::Running, None, Reaction::Begin),
            ("signal after a request", Shutdown::Asked { signal: None }, TERM, Reaction::AtOnce),
            ("second signal", Shutdown::Asked { signal: TERM }, TERM, Reaction::AtOnce),
            ("second request", Shutdown::Asked { signal: None }, None, Reaction::Ignore),
            ("signal while stopping", stopping.clone(), TERM, Reaction::AtOnce),
            ("request while stopping", stopping, None, Reaction::Ignore),
            ("signal after the end", Shutdown::Ended, TERM, Reaction::Ignore),
        ];
        for (name, mut state, signal, expected) in rows {
            assert_eq!(state.ask(signal), expected, "{name}");
        }
    }

    #[test]
    fn services_are_told_in_reverse_order_of_addition() {
        let mut shutdown = Shutdown::default();
        assert_eq!(shutdown.next(), None);
        assert!(!shutdown.is_stopping());
        shutdown.begin(3);
        let told: Vec<_> = core::iter::from_fn(|| shutdown.next()).map(|id| id.index()).collect();
        assert_eq!(told, [2, 1, 0]);
        assert!(shutdown.is_stopping());
        assert_eq!(shutdown.ending(), Ending::Stopped);
        shutdown.note_failure();
        assert_eq!(shutdown.ending(), Ending::ServiceFailed);
    }

    #[test]
    fn a_failure_outside_a_stop_is_not_a_failure_of_the_stop() {
        let mut shutdown = Shutdown::Running;
        shutdown.note_failure();
        assert_eq!(shutdown, Shutdown::Running);
        assert!(!shutdown.is_ended());
        assert!(Shutdown::Ended.is_ended());
    }
}
