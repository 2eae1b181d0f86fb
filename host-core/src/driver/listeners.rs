//! The named listeners: bound before anything starts, kept until the end.

use super::passed;
use crate::app::fleet::Fleet;
use crate::app::{App, Listen};
use crate::error::Mistake;
use crate::fleet::lanes::Lanes;
use crate::id::FleetId;
use crate::sys::{Errno, Handle, Passed, Place, Sys};
use crate::worker::Link;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

/// A named listener that the host keeps.
#[derive(Clone, Debug)]
pub(crate) struct NamedListener {
    pub(crate) name: String,
    /// Its socket; one for each lane if it is spread.
    pub(crate) sockets: Rc<[Handle]>,
    pub(crate) place: Place,
    /// The fleet over whose workers it is spread.
    pub(crate) spread: Option<FleetId>,
}

impl NamedListener {
    /// Where it is bound, if that is an internet address.
    pub(crate) const fn address(&self) -> Option<SocketAddr> {
        match self.place {
            Place::Ip(address) => Some(address),
            Place::Unix(_) => None,
        }
    }

    /// The first of its sockets, which stands for all.
    pub(crate) fn first(&self) -> Handle {
        self.sockets[0]
    }

    /// Which of its sockets a worker accepts from.
    pub(crate) fn lanes(&self, link: &Link) -> Lanes {
        if self.spread.is_some() { link.lanes() } else { Lanes::all(1) }
    }

    /// Whether the workers of `fleet` have it: what is spread is its fleet's alone.
    pub(super) fn is_for(&self, fleet: FleetId) -> bool {
        self.spread.is_none_or(|owner| owner == fleet)
    }
}

/// Binds every listener whose address can be read, but for those that `passed` descriptors are for; what cannot be
/// bound is a mistake like any other.
pub(super) fn bind(
    app: &App,
    passed: &[Passed],
    sys: &dyn Sys,
    mistakes: &mut Vec<Mistake>,
) -> Vec<NamedListener> {
    let mut bound = Vec::new();
    let spread: Vec<_> =
        app.fleets.iter().flat_map(|fleet| &fleet.listens).map(|listen| &*listen.name).collect();
    let taken = passed::assign(passed, &app.listens, &spread, mistakes);
    let left = passed.iter().filter_map(|passed| passed.listener.ok());
    for (handle, _) in left.filter(|one| !taken.contains(&Some(*one))) {
        sys.close(handle);
    }
    for (listen, taken) in app.listens.iter().zip(&taken) {
        let backlog = app.backlog.max(1);
        let answer = match (taken, listen.place) {
            (Some(taken), _) => Ok(*taken),
            (None, None) => continue,
            (None, Some(Place::Ip(address))) => sys.listen(address, backlog).and_then(|handle| {
                let address = sys.local_address(handle).inspect_err(|_| sys.close(handle))?;
                Ok((handle, Place::Ip(address)))
            }),
            (None, Some(Place::Unix(path))) => {
                sys.listen_unix(&path, backlog).map(|handle| (handle, Place::Unix(path)))
            }
        };
        match answer {
            Ok((handle, place)) => bound.push(NamedListener {
                name: listen.name.clone(),
                sockets: [handle].into(),
                place,
                spread: None,
            }),
            Err(errno) => mistakes.push(not_bound("listen", listen, errno)),
        }
    }
    bound
}

/// Binds the listeners that are spread, a socket for each worker that is wanted at first.
pub(super) fn bind_spread(
    fleets: &mut [Fleet],
    backlog: u32,
    sys: &dyn Sys,
    mistakes: &mut Vec<Mistake>,
) -> Vec<NamedListener> {
    let mut bound = Vec::new();
    for (index, fleet) in fleets.iter_mut().enumerate() {
        for listen in &fleet.listens {
            let Some(Place::Ip(address)) = listen.place else { continue };
            fleet.config.workers.get_or_insert_with(|| sys.processors());
            let lanes = fleet.config.lanes();
            let answer = sys.listen_spread(address, backlog.max(1), lanes).and_then(|sockets| {
                let address = sys.local_address(sockets[0]);
                let address =
                    address.inspect_err(|_| sockets.iter().for_each(|socket| sys.close(*socket)))?;
                Ok((sockets, Place::Ip(address)))
            });
            match answer {
                Ok((sockets, place)) => bound.push(NamedListener {
                    name: listen.name.clone(),
                    sockets: sockets.into(),
                    place,
                    spread: Some(FleetId::new(index as u16)),
                }),
                Err(errno) => mistakes.push(not_bound("listen_spread", listen, errno)),
            }
        }
    }
    bound
}

fn not_bound(field: &str, listen: &Listen, errno: Errno) -> Mistake {
    Mistake {
        field: format!("{field} `{}`", listen.name),
        found: listen.asked.clone(),
        wanted: format!("cannot be bound: {errno}"),
    }
}

pub(super) fn close(sys: &dyn Sys, listeners: &[NamedListener]) {
    for socket in listeners.iter().flat_map(|listener| listener.sockets.iter()) {
        sys.close(*socket);
    }
}
