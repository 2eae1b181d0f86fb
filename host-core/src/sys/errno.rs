//! Why a system call failed.

use core::fmt;

/// An error number of the operating system, with Linux's numbering and names (errno(3)).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Errno(i32);

/// Declares the numbers that have a name here, and the table that prints them.
macro_rules! errnos {
    ($($name:ident = $number:literal, $posix:literal, $words:literal;)*) => {
        impl Errno {
            $(#[doc = concat!("`", $posix, "`: ", $words, ".")]
            pub const $name: Self = Self($number);)*
        }

        const NAMES: &[(i32, &str, &str)] = &[$(($number, $posix, $words)),*];
    };
}

errnos! {
    PERM = 1, "EPERM", "operation not permitted";
    NOENT = 2, "ENOENT", "no such file or entry";
    SRCH = 3, "ESRCH", "no such process";
    INTR = 4, "EINTR", "interrupted by a signal";
    IO = 5, "EIO", "input/output error";
    NXIO = 6, "ENXIO", "no such device, or nobody reads it";
    BADF = 9, "EBADF", "bad or closed descriptor";
    CHILD = 10, "ECHILD", "no such child";
    AGAIN = 11, "EAGAIN", "not possible now, try again";
    NOMEM = 12, "ENOMEM", "out of memory";
    ACCES = 13, "EACCES", "permission denied";
    BUSY = 16, "EBUSY", "in use by another";
    EXIST = 17, "EEXIST", "exists already";
    NOTDIR = 20, "ENOTDIR", "not a directory";
    ISDIR = 21, "EISDIR", "a directory";
    INVAL = 22, "EINVAL", "invalid argument";
    NFILE = 23, "ENFILE", "too many open files in the system";
    MFILE = 24, "EMFILE", "too many open files in this process";
    FBIG = 27, "EFBIG", "file too large";
    NOSPC = 28, "ENOSPC", "no space left";
    ROFS = 30, "EROFS", "nothing can be written there";
    PIPE = 32, "EPIPE", "the connection has ended";
    NOSYS = 38, "ENOSYS", "not available on this system";
    LOOP = 40, "ELOOP", "a symbolic link";
    NONET = 64, "ENONET", "machine is not on the network";
    PROTO = 71, "EPROTO", "protocol error";
    NOTSOCK = 88, "ENOTSOCK", "not a socket";
    PROTOTYPE = 91, "EPROTOTYPE", "a socket of another type";
    NOPROTOOPT = 92, "ENOPROTOOPT", "protocol not available";
    OPNOTSUPP = 95, "EOPNOTSUPP", "operation not supported";
    AFNOSUPPORT = 97, "EAFNOSUPPORT", "not an address of this family";
    ADDRINUSE = 98, "EADDRINUSE", "address already in use";
    ADDRNOTAVAIL = 99, "EADDRNOTAVAIL", "address not available on this machine";
    NETDOWN = 100, "ENETDOWN", "network is down";
    NETUNREACH = 101, "ENETUNREACH", "network is unreachable";
    CONNABORTED = 103, "ECONNABORTED", "the connection was aborted before it was accepted";
    CONNRESET = 104, "ECONNRESET", "connection reset by peer";
    NOBUFS = 105, "ENOBUFS", "no buffer space";
    NOTCONN = 107, "ENOTCONN", "not connected";
    TIMEDOUT = 110, "ETIMEDOUT", "timed out";
    CONNREFUSED = 111, "ECONNREFUSED", "connection refused";
    HOSTDOWN = 112, "EHOSTDOWN", "host is down";
    HOSTUNREACH = 113, "EHOSTUNREACH", "no route to host";
    INPROGRESS = 115, "EINPROGRESS", "in progress";
    CANCELED = 125, "ECANCELED", "given up: this worker was asked to quit";
}

impl Errno {
    /// The error with this number; any number is allowed, also one without a name here.
    pub const fn from_raw(number: i32) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// Whether accept(2) failed because something is used up that will be free again: descriptors or
    /// memory. The connection stays in the queue and the listener stays readable, so that a loop that
    /// merely tries again spins.
    pub const fn is_shortage(self) -> bool {
        matches!(self, Self::MFILE | Self::NFILE | Self::NOBUFS | Self::NOMEM)
    }

    /// Whether what is used up is this process's own (`RLIMIT_NOFILE`): another one may accept what waits.
    pub const fn is_own_shortage(self) -> bool {
        matches!(self, Self::MFILE)
    }

    /// Whether accept(2) failed because of the one connection that it took: "treat them like EAGAIN by
    /// retrying" (accept(2), error handling). That connection is gone, the next one may be there.
    pub const fn is_lost_connection(self) -> bool {
        matches!(
            self,
            Self::CONNABORTED
                | Self::PROTO
                | Self::NONET
                | Self::NOPROTOOPT
                | Self::OPNOTSUPP
                | Self::NETDOWN
                | Self::NETUNREACH
                | Self::HOSTDOWN
                | Self::HOSTUNREACH
        )
    }

    fn entry(self) -> Option<&'static (i32, &'static str, &'static str)> {
        NAMES.iter().find(|(number, _, _)| *number == self.0)
    }
}

/// `connection reset by peer (ECONNRESET)`.
impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry() {
            Some((_, name, words)) => write!(f, "{words} ({name})"),
            None => write!(f, "system error number {}", self.0),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry() {
            Some((_, name, _)) => f.write_str(name),
            None => write!(f, "Errno({})", self.0),
        }
    }
}

impl core::error::Error for Errno {}

#[cfg(feature = "std")]
impl From<Errno> for std::io::Error {
    fn from(errno: Errno) -> Self {
        Self::from_raw_os_error(errno.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn it_prints_words_and_the_name_a_manual_uses() {
        assert_eq!(format!("{}", Errno::CONNRESET), "connection reset by peer (ECONNRESET)");
        assert_eq!(format!("{:?}", Errno::CONNRESET), "ECONNRESET");
        assert_eq!(format!("{}", Errno::from_raw(9999)), "system error number 9999");
        assert_eq!(format!("{:?}", Errno::from_raw(9999)), "Errno(9999)");
        assert_eq!(Errno::from_raw(9999).raw(), 9999);
    }

    #[test]
    fn no_number_is_named_twice() {
        for (index, (number, ..)) in NAMES.iter().enumerate() {
            assert!(NAMES[..index].iter().all(|(other, ..)| other < number), "{number} is out of order");
        }
    }

    #[test]
    fn only_what_runs_out_is_a_shortage() {
        let shortages: alloc::vec::Vec<_> =
            NAMES.iter().map(|(number, ..)| Errno(*number)).filter(|errno| errno.is_shortage()).collect();
        assert_eq!(shortages, [Errno::NOMEM, Errno::NFILE, Errno::MFILE, Errno::NOBUFS]);
    }

    #[test]
    fn only_what_befell_one_connection_is_a_lost_connection() {
        let lost: alloc::vec::Vec<_> =
            NAMES.iter().map(|(number, ..)| *number).filter(|n| Errno(*n).is_lost_connection()).collect();
        assert_eq!(lost, [64, 71, 92, 95, 100, 101, 103, 112, 113]);
    }

    #[cfg(feature = "std")]
    #[test]
    fn it_becomes_the_matching_io_error() {
        assert_eq!(std::io::Error::from(Errno::AGAIN).kind(), std::io::ErrorKind::WouldBlock);
        assert_eq!(std::io::Error::from(Errno::CONNREFUSED).kind(), std::io::ErrorKind::ConnectionRefused);
    }
}
