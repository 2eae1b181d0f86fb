//! A service, and what an author says of it.

use super::name_mistake;
use crate::driver::Context;
use crate::error::{Mistake, Result};
use crate::io::Ready;
use crate::service::reconnect::{OnConnectError, Reconnect};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// One of many blocking, input-bound programs in a host: the contract of ProcessHost 1.1, 2.
///
/// Each callback is plain code that runs to its end while everything else waits. The host calls
/// `connect` until it stands, `prepare` before each wait, `receive` for one ready socket at a time. A
/// service that holds no socket any more is connected again.
///
/// An error or a panic ends the host: the notifier is told once, every service is closed, and `run`
/// answers that error.
pub trait Service {
    /// Opens what the service listens or talks to.
    ///
    /// Called when the service has no socket; the sockets that it opens through `cx` are watched for
    /// reading from then on. [`Connected::NotYet`] is no error: it is tried again as [`Reconnect`] says.
    ///
    /// # Errors
    /// Ends the host, unless [`Hosted::retry_connect_errors`] was asked for.
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected>;

    /// Called before the host waits, once after `connect` and once after each `receive` and `wake`:
    /// the place to write the next request (ProcessHost 1.1, 5).
    ///
    /// # Errors
    /// Ends the host.
    fn prepare(&mut self, cx: &mut Context<'_>) -> Result {
        let _ = cx;
        Ok(())
    }

    /// Called for one socket that is ready; `ready` says which and for what.
    ///
    /// Read, write or accept as much or as little as you like: what is left is reported again.
    ///
    /// # Errors
    /// Ends the host.
    fn receive(&mut self, cx: &mut Context<'_>, ready: Ready) -> Result;

    /// Called at the moment that [`Context::wake_at`] asked for.
    ///
    /// # Errors
    /// Ends the host.
    fn wake(&mut self, cx: &mut Context<'_>) -> Result {
        let _ = cx;
        Ok(())
    }

    /// Called once when the host drains (QUIT): take no new work – drop the listener – and finish what was
    /// begun. With [`Drained::NotYet`] the service goes on being served until its last socket is closed,
    /// and is not connected again. By default nothing is waited for.
    ///
    /// # Errors
    /// Ends the host.
    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Drained> {
        let _ = cx;
        Ok(Drained::Yes)
    }

    /// Called once when the host stops in order; the sockets are closed afterwards.
    ///
    /// # Errors
    /// Told like any other error; the other services are still told.
    fn stop(&mut self, cx: &mut Context<'_>) -> Result {
        let _ = cx;
        Ok(())
    }
}

/// What `connect` came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connected {
    /// The service stands and waits for its sockets.
    Yes,
    /// There is nothing to connect to yet: call again.
    NotYet,
}

/// What `drain` came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Nothing is left to do: the service may be stopped.
    Yes,
    /// The sockets that are open now are served to their end.
    NotYet,
}

/// A service with its name and its policies.
pub struct Hosted {
    pub(crate) name: String,
    pub(crate) service: Box<dyn Service>,
    pub(crate) reconnect: Reconnect,
    pub(crate) on_connect_error: OnConnectError,
}

impl Hosted {
    /// A service called `name` in log lines and errors; names are unique in a host.
    pub fn new(name: impl Into<String>, service: impl Service + 'static) -> Self {
        Self {
            name: name.into(),
            service: Box::new(service),
            reconnect: Reconnect::EachTurn,
            on_connect_error: OnConnectError::End,
        }
    }

    /// When `connect` is tried again after it did not connect. Default [`Reconnect::EachTurn`].
    #[must_use]
    pub fn reconnect(mut self, reconnect: Reconnect) -> Self {
        self.reconnect = reconnect;
        self
    }

    /// An error of `connect` is told as a warning and tried again; by default it ends the host.
    #[must_use]
    pub fn retry_connect_errors(mut self) -> Self {
        self.on_connect_error = OnConnectError::Retry;
        self
    }

    /// What is wrong with it beside the services that are `taken` already.
    pub(crate) fn mistakes<'a>(&self, mut taken: impl Iterator<Item = &'a str>) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        mistakes.extend(name_mistake("service", &self.name));
        if taken.any(|name| name == self.name) {
            mistakes.push(Mistake {
                field: "service".into(),
                found: format!("`{}` twice", self.name),
                wanted: "each needs a name of its own: Hosted::new(name, service)".into(),
            });
        }
        mistakes.extend(self.reconnect.mistake(&self.name));
        mistakes
    }
}

impl fmt::Debug for Hosted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, service: _, reconnect, on_connect_error } = self;
        f.debug_struct("Hosted")
            .field("name", name)
            .field("reconnect", reconnect)
            .field("on_connect_error", on_connect_error)
            .finish_non_exhaustive()
    }
}

/// A service without a name gets that of its type (ProcessHost 1.1, 11): `Web`.
impl<S: Service + 'static> From<S> for Hosted {
    fn from(service: S) -> Self {
        let path = core::any::type_name::<S>();
        let path = path.split('<').next().unwrap_or(path);
        Self::new(path.rsplit("::").next().unwrap_or(path), service)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::app) struct Idle;
    impl Service for Idle {
        fn connect(&mut self, _: &mut Context<'_>) -> Result<Connected> {
            Ok(Connected::NotYet)
        }
        fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
            Ok(())
        }
    }

    struct Generic<T>(T);
    impl<T> Service for Generic<T> {
        fn connect(&mut self, _: &mut Context<'_>) -> Result<Connected> {
            Ok(Connected::NotYet)
        }
        fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
            Ok(())
        }
    }

    #[test]
    fn ph_c13_a_service_has_the_given_name_or_that_of_its_type() {
        assert_eq!(Hosted::from(Idle).name, "Idle");
        assert_eq!(Hosted::from(Generic(alloc::vec![0u8])).name, "Generic");
        assert_eq!(Hosted::new("janitor", Idle).name, "janitor");
    }
}
