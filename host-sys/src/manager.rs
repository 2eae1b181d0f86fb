//! The service manager that started this process: where it is told, and what it wants (sd_notify(3), sd_watchdog_enabled(3)).

use host_core::sys::{ManagerWants, Pid};
use rustix::fd::OwnedFd;
use rustix::io::{Errno, Result};
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sendto, socket_with};
use std::cell::OnceCell;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

/// Its address: a path, or a name of its own kind, which begins with `@`.
const ADDRESS: &str = "NOTIFY_SOCKET";
/// After so many microseconds it wants to hear of the process, and of which one.
const WATCHDOG: &str = "WATCHDOG_USEC";
const WATCHDOG_OF: &str = "WATCHDOG_PID";

/// The way to it; none until something is told.
#[derive(Debug, Default)]
pub(crate) struct Manager(OnceCell<OwnedFd>);

/// What it wants, if it wants to be told anything.
pub(crate) fn wants(me: Pid) -> Option<ManagerWants> {
    if !is_there() {
        return None;
    }
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let is_me = std::env::var_os(WATCHDOG_OF).is_none() || number(WATCHDOG_OF) == Some(u64::from(me.0));
    let watchdog = number(WATCHDOG).filter(|micros| is_me && *micros > 0).map(Duration::from_micros);
    Some(ManagerWants { watchdog, awaits_start: false })
}

/// Whether there is one.
pub(crate) fn is_there() -> bool {
    std::env::var_os(ADDRESS).is_some_and(|address| !address.is_empty())
}

impl Manager {
    pub(crate) fn tell(&self, message: &str) -> Result<()> {
        let address = std::env::var_os(ADDRESS).ok_or(Errno::DESTADDRREQ)?;
        let to = match address.as_bytes() {
            [b'@', name @ ..] => SocketAddrUnix::new_abstract_name(name)?,
            path => SocketAddrUnix::new(path)?,
        };
        let socket = match self.0.get() {
            Some(socket) => socket,
            None => {
                let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
                let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
                self.0.get_or_init(|| socket)
            }
        };
        sendto(socket, message.as_bytes(), SendFlags::NOSIGNAL, &to).map(drop)
    }
}
