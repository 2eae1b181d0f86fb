//! TCP sockets: all non-blocking and close-on-exec.

use host_core::sys::ShutdownHow;
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::io::{Errno, Result};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketAddrAny, SocketFlags, SocketType, acceptfrom_with,
    bind, getpeername, getsockname, recv, send, socket_with, sockopt,
};
use std::net::{Ipv4Addr, SocketAddr};

pub(crate) const FLAGS: SocketFlags = SocketFlags::NONBLOCK.union(SocketFlags::CLOEXEC);

/// A socket bound to `address` and listening.
pub(crate) fn listen(address: SocketAddr, backlog: u32) -> Result<OwnedFd> {
    let socket = bound(address)?;
    start(&socket, backlog)?;
    Ok(socket)
}

/// Sockets bound to one `address` and listening, over which the kernel spreads connections.
pub(crate) fn listen_spread(address: SocketAddr, backlog: u32, count: u32) -> Result<Vec<OwnedFd>> {
    // The first is bound alone and shares from then on: so anybody who listens there already is found, even
    // one that would share. Whoever is to share must say so before it listens.
    let first = bound(address)?;
    sockopt::set_socket_reuseport(&first, true)?;
    start(&first, backlog)?;
    let address = local_address(first.as_fd())?;
    let mut sockets = vec![first];
    for _ in 1..count {
        let socket = open(address)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        sockopt::set_socket_reuseport(&socket, true)?;
        bind(&socket, &address)?;
        start(&socket, backlog)?;
        sockets.push(socket);
    }
    Ok(sockets)
}

/// A socket that is bound to `address`, and to which nobody else is.
fn bound(address: SocketAddr) -> Result<OwnedFd> {
    let socket = open(address)?;
    // Without it a host that starts again waits a minute for the connections of its predecessor to be
    // forgotten (TIME_WAIT). Two live listeners still exclude each other.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    Ok(socket)
}

fn start(socket: &OwnedFd, backlog: u32) -> Result<()> {
    // The kernel cuts it down to net.core.somaxconn.
    rustix::net::listen(socket, i32::try_from(backlog).unwrap_or(i32::MAX))
}

/// A socket whose connection to `address` has begun.
pub(crate) fn connect(address: SocketAddr) -> Result<OwnedFd> {
    let socket = open(address)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(errno) => Err(errno),
    }
}

/// The next connection in the queue of `listener`.
pub(crate) fn accept(listener: BorrowedFd<'_>) -> Result<(OwnedFd, SocketAddr)> {
    let (socket, peer) = acceptfrom_with(listener, FLAGS)?;
    // accept(2) of Linux fails rather than tell no address; the type allows it for other systems.
    let peer = peer.ok_or(Errno::CONNABORTED)?;
    // A peer that came by a path has no address that could be told.
    let unnamed = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
    let peer = if peer.address_family() == AddressFamily::UNIX { unnamed } else { internet(peer)? };
    Ok((socket, peer))
}

/// Reads up to `buffer.len()` bytes.
#[inline]
pub(crate) fn read(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize> {
    recv(socket, buffer, RecvFlags::empty()).map(|(length, _)| length)
}

/// Writes a prefix of `bytes`.
#[inline]
pub(crate) fn write(socket: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize> {
    // The process may have SIGPIPE at its default, and a connection that ended must not end the host.
    send(socket, bytes, SendFlags::NOSIGNAL)
}

/// Ends one or both directions.
pub(crate) fn shutdown(socket: BorrowedFd<'_>, how: ShutdownHow) -> Result<()> {
    let how = match how {
        ShutdownHow::Read => Shutdown::Read,
        ShutdownHow::Write => Shutdown::Write,
        ShutdownHow::Both => Shutdown::Both,
    };
    rustix::net::shutdown(socket, how)
}

/// The pending error, cleared by asking.
pub(crate) fn take_error(socket: BorrowedFd<'_>) -> Result<Option<Errno>> {
    Ok(sockopt::socket_error(socket)?.err())
}

/// Sends small writes at once.
pub(crate) fn set_nodelay(socket: BorrowedFd<'_>, on: bool) -> Result<()> {
    sockopt::set_tcp_nodelay(socket, on)
}

/// The address that the socket is bound to.
pub(crate) fn local_address(socket: BorrowedFd<'_>) -> Result<SocketAddr> {
    internet(getsockname(socket)?)
}

/// The address at the other end.
pub(crate) fn peer_address(socket: BorrowedFd<'_>) -> Result<SocketAddr> {
    internet(getpeername(socket)?.ok_or(Errno::NOTCONN)?)
}

fn open(address: SocketAddr) -> Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    socket_with(family, SocketType::STREAM, FLAGS, None)
}

fn internet(address: SocketAddrAny) -> Result<SocketAddr> {
    SocketAddr::try_from(address)
}
