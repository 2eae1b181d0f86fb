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

/// One of them, and where it listens, or why it does not.
pub(crate) struct Socket {
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) listener: Result<(OwnedFd, Place)>,
}

/// Whether there are any for process `me`.
pub(crate) fn are_for(me: Pid) -> bool {
    count_for(me) > 0
}

/// All of them, to the first who asks.
pub(crate) fn take(me: Pid) -> Vec<Socket> {
    let names = std::env::var(NAMES).unwrap_or_default();
    match count_for(me) {
        0 => Vec::new(),
        count => named(raw::passed_descriptors(count), &names),
    }
}

fn count_for(me: Pid) -> u32 {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
    number(COUNT).filter(|_| number(FOR) == Some(me.0)).unwrap_or(0)
}

fn named(fds: Vec<(u32, Option<OwnedFd>)>, names: &str) -> Vec<Socket> {
    let mut names = names.split(':').map(str::to_owned);
    let sockets = fds.into_iter().map(|(number, fd)| {
        let name = names.next().filter(|name| !name.is_empty()).unwrap_or_else(|| NAMELESS.to_owned());
        let listener = fd.ok_or(Errno::BADF).and_then(|fd| {
            prepare(fd.as_fd())?;
            let place = place_of(fd.as_fd())?;
            Ok((fd, place))
        });
        Socket { number, name, listener }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::net::UnixListener;

    #[test]
    fn each_is_known_for_what_it_is_and_one_that_is_missing_keeps_its_name() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        let path = std::env::temp_dir().join(format!("host-sys-passed-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let unix = UnixListener::bind(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let connected = std::net::TcpStream::connect(address).unwrap();
        let fds: Vec<Option<OwnedFd>> = vec![
            Some(tcp.into()),
            Some(unix.into()),
            Some(UdpSocket::bind("127.0.0.1:0").unwrap().into()),
            Some(connected.into()),
            Some(File::open("/dev/null").unwrap().into()),
            None,
        ];
        let found = named((3..).zip(fds).collect(), "web::u:c:f:gone:too many");
        let found: Vec<_> = found
            .into_iter()
            .map(|Socket { number, name, listener }| {
                let place = listener.map(|(fd, place)| {
                    // What is used from here on waits for nobody, and is no child's.
                    assert!(fcntl_getfl(&fd).unwrap().contains(OFlags::NONBLOCK));
                    assert!(rustix::io::fcntl_getfd(&fd).unwrap().contains(FdFlags::CLOEXEC));
                    place.to_string()
                });
                (number, name, place)
            })
            .collect();
        let unix = format!("unix:{}", path.display());
        let expected = [
            (3, "web", Ok(address.to_string())),
            (4, NAMELESS, Ok(unix)),
            (5, "u", Err(Errno::PROTOTYPE)),
            (6, "c", Err(Errno::INVAL)),
            (7, "f", Err(Errno::NOTSOCK)),
            (8, "gone", Err(Errno::BADF)),
        ];
        assert_eq!(found, expected.map(|(number, name, place)| (number, name.to_owned(), place)));
    }
}
