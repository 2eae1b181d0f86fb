//! Listening at a path (unix(7)): what an earlier process left behind there is replaced, and nothing else.

use crate::socket::FLAGS;
use host_core::sys::UnixPath;
use rustix::fd::OwnedFd;
use rustix::fs::{FileType, Stat, lstat, unlink};
use rustix::io::{Errno, Result};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, connect, socket_with};

/// The path that this process has bound a socket to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    path: UnixPath,
    /// Which file it is: another one at the same path is another host's.
    device: u64,
    inode: u64,
}

/// A socket bound to `path` and listening.
pub(crate) fn listen(path: &UnixPath, backlog: u32) -> Result<(OwnedFd, Bound)> {
    let socket = open()?;
    let address = SocketAddrUnix::new(path.as_str())?;
    match bind(&socket, &address) {
        Err(Errno::ADDRINUSE) => {
            make_room(path, &address)?;
            bind(&socket, &address)?;
        }
        answer => answer?,
    }
    let found = lstat(path.as_str())?;
    let bound = Bound { path: *path, device: found.st_dev, inode: found.st_ino };
    if let Err(errno) = rustix::net::listen(&socket, i32::try_from(backlog).unwrap_or(i32::MAX)) {
        drop(socket);
        bound.remove();
        return Err(errno);
    }
    Ok((socket, bound))
}

/// Takes away a socket at which nobody listens.
fn make_room(path: &UnixPath, address: &SocketAddrUnix) -> Result<()> {
    let found = match lstat(path.as_str()) {
        // It has gone by itself.
        Err(Errno::NOENT) => return Ok(()),
        found => found?,
    };
    if !is_socket(&found) {
        return Err(Errno::EXIST);
    }
    match connect(open()?, address) {
        // Bound by a process that is gone, or that has not come to listen: only the first can be told from
        // here, and a host binds and listens without a pause.
        Err(Errno::CONNREFUSED) => unlink(path.as_str()),
        Err(Errno::NOENT) => Ok(()),
        // Somebody listens, even if its queue is full.
        Ok(()) | Err(Errno::AGAIN) => Err(Errno::ADDRINUSE),
        Err(errno) => Err(errno),
    }
}

impl Bound {
    /// Removes the path after its socket was closed, if it is still the same file and nobody listens there: the
    /// number of a file may be that of a younger one by now, and workers may have the socket.
    pub(crate) fn remove(self) {
        let ours = |found: Stat| (found.st_dev, found.st_ino) == (self.device, self.inode);
        if !lstat(self.path.as_str()).is_ok_and(ours) {
            return;
        }
        let answer = SocketAddrUnix::new(self.path.as_str()).and_then(|address| connect(open()?, &address));
        if answer == Err(Errno::CONNREFUSED) {
            // Whoever removes it in between wanted the same.
            let _ = unlink(self.path.as_str());
        }
    }
}

fn is_socket(found: &Stat) -> bool {
    FileType::from_raw_mode(found.st_mode) == FileType::Socket
}

fn open() -> Result<OwnedFd> {
    socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of its own, gone when the test is.
    struct Scratch(std::path::PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("host-sys-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn path(&self) -> UnixPath {
            UnixPath::new(self.0.join("s").to_str().unwrap()).unwrap()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_socket_that_was_left_behind_is_replaced_and_one_in_use_is_not() {
        let scratch = Scratch::new("stale");
        let path = scratch.path();
        let (first, bound) = listen(&path, 5).unwrap();
        assert_eq!(listen(&path, 5).err(), Some(Errno::ADDRINUSE));
        drop(first);
        let (second, later) = listen(&path, 5).unwrap();
        bound.remove();
        assert!(lstat(path.as_str()).is_ok(), "the path of another socket is left alone");
        drop(second);
        later.remove();
        assert_eq!(lstat(path.as_str()).err(), Some(Errno::NOENT));
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let scratch = Scratch::new("file");
        let path = scratch.path();
        std::fs::write(path.as_str(), "precious").unwrap();
        assert_eq!(listen(&path, 5).err(), Some(Errno::EXIST));
        assert_eq!(std::fs::read(path.as_str()).unwrap(), b"precious");
        let nowhere = UnixPath::new("/nowhere/at/all").unwrap();
        assert_eq!(listen(&nowhere, 5).err(), Some(Errno::NOENT));
    }
}
