//! A named listener as an author asks for it, and why one cannot be had.

use super::name_mistake;
use crate::error::Mistake;
use crate::sys::{Place, UnixPath};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// A named listener as it was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Listen {
    pub(crate) name: String,
    pub(crate) asked: String,
    /// What was understood of it.
    pub(crate) place: Option<Place>,
}

impl Listen {
    pub(crate) fn new(name: impl Into<String>, address: impl ToString) -> Self {
        let asked = address.to_string();
        let place = match asked.strip_prefix("unix:") {
            Some(path) => UnixPath::new(path).map(Place::Unix),
            None => asked.parse().ok().map(Place::Ip),
        };
        Self { name: name.into(), asked, place }
    }

    /// What is wrong with it beside the names that are `taken` already.
    pub(super) fn mistakes<'a>(
        &self,
        spread: bool,
        mut taken: impl Iterator<Item = &'a Self>,
    ) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let field = if spread { "listen_spread" } else { "listen" };
        mistakes.extend(name_mistake(field, &self.name));
        if taken.any(|other| other.name == self.name) {
            mistakes.push(Mistake {
                field: field.into(),
                found: format!("`{}` twice", self.name),
                wanted: "each listener needs a name of its own".into(),
            });
        }
        let wanted = match self.place {
            Some(Place::Unix(_)) if spread => {
                "must be an IP address and a port: the kernel spreads no connections of Unix sockets"
            }
            Some(_) => return mistakes,
            None if spread => "must be an IP address and a port, such as 127.0.0.1:8080 or [::1]:0",
            None => {
                "must be an IP address and a port, such as 127.0.0.1:8080 or [::1]:0, or unix: and a path of at most 107 bytes"
            }
        };
        mistakes.push(Mistake {
            field: format!("{field} `{}`", self.name),
            found: format!("`{}`", self.asked.escape_debug()),
            wanted: wanted.into(),
        });
        mistakes
    }
}

/// Why a named listener cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListenerError {
    /// The application has no listener of this name.
    #[error("no listener is called `{name}`; the application has: {}", if known.is_empty() { "none".into() } else { known.join(", ") })]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// It is spread over the workers of a fleet, and asked for by a service of the host.
    #[error("listener `{name}` is spread over the workers of fleet `{fleet}`: only they can take it")]
    Spread {
        /// The name asked for.
        name: String,
        /// The fleet's.
        fleet: String,
    },
    /// A service has it open.
    #[error("listener `{name}` is in use; drop it first")]
    InUse {
        /// The name asked for.
        name: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_place_for_one_listener_and_none_to_spread() {
        let one = |listen: &str, spread: bool| {
            let mistakes = Listen::new("web", listen).mistakes(spread, core::iter::empty());
            mistakes.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        for (listen, spread) in [("unix:/run/web", false), ("[::1]:0", false), ("127.0.0.1:80", true)] {
            assert_eq!(one(listen, spread), [""; 0], "{listen}");
        }
        assert_eq!(
            one("unix:/run/web", true),
            [
                "listen_spread `web` is `unix:/run/web`, but must be an IP address and a port: the kernel spreads no connections of Unix sockets"
            ]
        );
        assert_eq!(
            one("80", true),
            [
                "listen_spread `web` is `80`, but must be an IP address and a port, such as 127.0.0.1:8080 or [::1]:0"
            ]
        );
    }

    #[test]
    fn an_unknown_listener_lists_those_there_are() {
        let known = alloc::vec!["web".into(), "jobs".into()];
        let error = ListenerError::Unknown { name: "wep".into(), known };
        assert_eq!(error.to_string(), "no listener is called `wep`; the application has: web, jobs");
    }
}
