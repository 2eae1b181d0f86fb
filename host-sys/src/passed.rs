//! The listeners that this process was started with (sd_listen_fds_with_names(3)).

use crate::raw;
use host_core::sys::{Pid, Place, UnixPath};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, FdFlags, Result, fcntl_setfd};
use rustix::net::{AddressFamily, SocketAddrAny, SocketAddrUnix, SocketType, getsockname, sockopt};
use std::net::SocketAddr;

/// For whom they are, how many, and what they are called, with colons between.
const FOR: &str = "LISTEN_PID";
const COUNT: &str = "LISTEN_FDS";
const NAMES: &str = "LISTEN_FDNAMES";
/// What one is called that has no name.
const NAMELESS: &str = "unknown";

/// One of them, and what it is.
pub(crate) struct Socket {
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) fd: OwnedFd,
    pub(crate) place: Result<Place>,
}

/// All of them, to the first who asks.
pub(crate) fn take(me: Pid) -> Vec<Socket> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
    if number(FOR) != Some(me.0) {
        return Vec::new();
    }
    let names = std::env::var(NAMES).unwrap_or_default();
    let mut names = names.split(':').map(str::to_owned);
    let fds = raw::passed_descriptors(number(COUNT).unwrap_or(0));
    let sockets = fds.into_iter().map(|(number, fd)| {
        let name = names.next().filter(|name| !name.is_empty()).unwrap_or_else(|| NAMELESS.to_owned());
        let place = prepare(fd.as_fd()).and_then(|()| place_of(fd.as_fd()));
        Socket { number, name, fd, place }
    });
    sockets.collect()
}

fn prepare(fd: BorrowedFd<'_>) -> Result<()> {
    fcntl_setfd(fd, FdFlags::CLOEXEC)?;
    fcntl_setfl(fd, fcntl_getfl(fd)? | OFlags::NONBLOCK)
}

/// Where it listens, if it is a stream socket that does.
fn place_of(fd: BorrowedFd<'_>) -> Result<Place> {
    if sockopt::socket_type(fd)? != SocketType::STREAM {
        return Err(Errno::PROTOTYPE);
    }
    if !sockopt::socket_acceptconn(fd)? {
        return Err(Errno::INVAL);
    }
    let address = getsockname(fd)?;
    match address.address_family() {
        AddressFamily::INET | AddressFamily::INET6 => {
            SocketAddr::try_from(address).map(Place::Ip).map_err(|_| Errno::AFNOSUPPORT)
        }
        AddressFamily::UNIX => unix(&address).map(Place::Unix).ok_or(Errno::AFNOSUPPORT),
        _ => Err(Errno::AFNOSUPPORT),
    }
}

fn unix(address: &SocketAddrAny) -> Option<UnixPath> {
    let address = SocketAddrUnix::try_from(address.clone()).ok()?;
    match (address.path(), address.abstract_name()) {
        (Some(path), _) => UnixPath::new(path.to_str().ok()?),
        (_, Some(name)) => UnixPath::new(&format!("@{}", str::from_utf8(name).ok()?)),
        (None, None) => None,
    }
}
