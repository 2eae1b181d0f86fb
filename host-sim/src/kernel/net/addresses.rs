//! Addresses: which are free, who listens at one, and which a socket has.

use super::{Listener, Net};
use crate::kernel::files::Object;
use crate::kernel::rules::Rule;
use crate::kernel::{Call, Index, Kernel};
use host_core::sys::{Errno, Handle, UnixPath};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The first port that port 0 gives.
const FIRST_PORT: u16 = 40_000;
/// How many it gives before it begins anew; the last one is the last there is.
const PORTS: u16 = u16::MAX - FIRST_PORT + 1;
/// Where Unix sockets are, for clients that connect to them by the name of their listener.
pub(super) const PATHS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 255, 255, 254));
/// Where simulated clients come from.
pub(super) const CLIENTS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

impl Net {
    /// The address that stands for a path.
    pub(crate) fn at_path(&self, path: &UnixPath) -> Option<SocketAddr> {
        self.paths.get(path).copied()
    }

    pub(super) fn listening(&self, address: SocketAddr) -> Option<u32> {
        let matches = |listener: &Listener| {
            listener.file.is_some()
                && listener.address.port() == address.port()
                && (listener.address.ip() == address.ip() || listener.address.ip().is_unspecified())
        };
        self.listeners.iter().position(matches).map(|index| index as u32)
    }

    /// Whether somebody listens there, or on all addresses, or anywhere if `address` is all of them.
    fn is_taken(&self, address: SocketAddr) -> bool {
        let conflicts = |listener: &Listener| {
            let (theirs, ours) = (listener.address.ip(), address.ip());
            listener.file.is_some()
                && listener.address.port() == address.port()
                && (theirs == ours || theirs.is_unspecified() || ours.is_unspecified())
        };
        self.listeners.iter().any(conflicts)
    }

    /// The port that port 0 gives: not one that was just given back, since whoever still connects there means
    /// somebody else.
    fn free_port(&mut self, ip: IpAddr) -> u16 {
        let taken = |port| self.is_taken(SocketAddr::new(ip, port));
        let mut ports = (FIRST_PORT + self.bound..=u16::MAX).chain(FIRST_PORT..=u16::MAX);
        let port = ports.find(|port| !taken(*port)).expect("fewer listeners than ports");
        self.bound = (port - FIRST_PORT + 1) % PORTS;
        port
    }
}

impl Kernel {
    /// The address to bind, with a port; nobody else may listen there.
    pub(super) fn free_address(&mut self, me: Index, mut address: SocketAddr) -> Result<SocketAddr, Errno> {
        // The machine has a loopback interface and no other.
        if !address.ip().is_loopback() && !address.ip().is_unspecified() {
            return self.failed(me, Call::Listen, Errno::ADDRNOTAVAIL);
        }
        if address.port() == 0 {
            address.set_port(self.net.free_port(address.ip()));
        } else if self.net.is_taken(address) && self.honours(Rule::AddressIsTaken) {
            return self.failed(me, Call::Listen, Errno::ADDRINUSE);
        }
        Ok(address)
    }

    pub(crate) fn addresses(
        &mut self,
        me: Index,
        handle: Handle,
    ) -> Result<(SocketAddr, Option<SocketAddr>), Errno> {
        match self.object(me, handle) {
            Some(Object::Listener(listener)) => Ok((self.net.listeners[listener as usize].address, None)),
            Some(Object::Conn { conn, side }) => {
                let addresses = self.net.conns[conn as usize].addresses;
                let stands = self.net.end(conn, side).stands();
                Ok((addresses[side as usize], stands.then_some(addresses[1 - side as usize])))
            }
            // Its addresses are of another family, and have no port.
            Some(Object::Channel { .. }) => Err(Errno::AFNOSUPPORT),
            Some(
                Object::Signals(_)
                | Object::Child(_)
                | Object::Quit(_)
                | Object::Bell(_)
                | Object::Pipe { .. }
                | Object::Recording(_)
                | Object::PidFile(_),
            ) => Err(Errno::NOTSOCK),
            None => Err(Errno::BADF),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_port_is_given_once_and_then_the_first_again() {
        let mut net = Net::default();
        let given: Vec<_> = (0..PORTS).map(|_| net.free_port(CLIENTS)).collect();
        assert!(given.iter().copied().eq(FIRST_PORT..=u16::MAX));
        assert_eq!(net.free_port(CLIENTS), FIRST_PORT);
    }
}
