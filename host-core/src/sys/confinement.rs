//! What a worker gives up before its first line of user code, as numbers: names are for people.

use super::Errno;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// A user or a group, as its author names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Account {
    /// By the name that the system's database has (passwd(5), group(5)).
    Name(String),
    /// By its number; it need not be in any database.
    Number(u32),
}

/// Digits alone are a number: no tool makes an account whose name has nothing else (useradd(8)).
impl From<&str> for Account {
    fn from(words: &str) -> Self {
        let digits = !words.is_empty() && words.bytes().all(|byte| byte.is_ascii_digit());
        // What is too large for a number is left as a name, which nobody has.
        let number = if digits { words.parse().ok() } else { None };
        number.map_or_else(|| Self::Name(words.into()), Self::Number)
    }
}

impl From<String> for Account {
    fn from(words: String) -> Self {
        words.as_str().into()
    }
}

impl From<u32> for Account {
    fn from(number: u32) -> Self {
        Self::Number(number)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "`{}`", name.escape_debug()),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

/// What the system's database says of a user.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct User {
    /// Its number.
    pub number: u32,
    /// Its first group.
    pub group: u32,
    /// All groups that it is in, the first one included (initgroups(3)).
    pub groups: Vec<u32>,
}

/// A resource of a process that is limited (setrlimit(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Limit {
    /// One more than the highest number of a descriptor (RLIMIT_NOFILE).
    OpenFiles,
    /// Processes and threads of the same user, all of them together (RLIMIT_NPROC). Counted where one is made: it
    /// does not keep a worker from being born.
    Processes,
    /// Bytes of address space (RLIMIT_AS).
    AddressSpace,
    /// Bytes of heap and other data (RLIMIT_DATA).
    Data,
    /// Bytes of stack (RLIMIT_STACK).
    Stack,
    /// Bytes that may be locked in memory (RLIMIT_MEMLOCK).
    LockedMemory,
    /// Bytes of the largest file that may be written; more is XFSZ, which ends a worker (RLIMIT_FSIZE).
    FileSize,
    /// Bytes of a core (RLIMIT_CORE). Above zero a worker that has changed its user may leave one, which it otherwise may not
    /// (PR_SET_DUMPABLE).
    Core,
    /// Seconds of computing; then comes XCPU, which ends a worker (RLIMIT_CPU).
    CpuSeconds,
}

impl Limit {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::OpenFiles,
        Self::Processes,
        Self::AddressSpace,
        Self::Data,
        Self::Stack,
        Self::LockedMemory,
        Self::FileSize,
        Self::Core,
        Self::CpuSeconds,
    ];
}

/// Its name in setrlimit(2): `RLIMIT_NOFILE`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpenFiles => "RLIMIT_NOFILE",
            Self::Processes => "RLIMIT_NPROC",
            Self::AddressSpace => "RLIMIT_AS",
            Self::Data => "RLIMIT_DATA",
            Self::Stack => "RLIMIT_STACK",
            Self::LockedMemory => "RLIMIT_MEMLOCK",
            Self::FileSize => "RLIMIT_FSIZE",
            Self::Core => "RLIMIT_CORE",
            Self::CpuSeconds => "RLIMIT_CPU",
        })
    }
}

/// What a child does to itself, in this order; `None` and nothing at all leave things as the host has them. By
/// default it does nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Confinement {
    /// Both the limit and how far the worker itself may raise it; `u64::MAX` is none.
    pub limits: Vec<(Limit, u64)>,
    /// From -20, the first to be scheduled, to 19 (setpriority(2)).
    pub nice: Option<i8>,
    /// The supplementary groups.
    pub groups: Option<Vec<u32>>,
    /// The new root.
    pub chroot: Option<String>,
    /// The working directory, seen from the new root; with one, `/` if nothing is said.
    pub working_directory: Option<String>,
    /// The real, effective and saved group.
    pub group: Option<u32>,
    /// The real, effective and saved user; with one that is not root go all capabilities.
    pub user: Option<u32>,
    /// What is taken from the mode of new files (umask(2)).
    pub umask: Option<u16>,
    /// No program that it runs can give it more privileges (PR_SET_NO_NEW_PRIVS).
    pub no_new_privs: bool,
}

impl Confinement {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One thing that a child does to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Step {
    /// One of its limits.
    Limit(Limit),
    /// How nice it is.
    Nice,
    /// Its supplementary groups.
    Groups,
    /// Its root.
    Chroot,
    /// Its working directory.
    WorkingDirectory,
    /// Its group.
    Group,
    /// Its user.
    User,
    /// That it has no capabilities.
    Capabilities,
    /// That it ends with its host: a change of user or group takes that away.
    HostDeath,
    /// That it may leave a core.
    Dumpable,
    /// That it gets no new privileges.
    NoNewPrivs,
}

impl Step {
    const WITHOUT_LIMITS: [Self; 10] = [
        Self::Nice,
        Self::Groups,
        Self::Chroot,
        Self::WorkingDirectory,
        Self::Group,
        Self::User,
        Self::Capabilities,
        Self::HostDeath,
        Self::Dumpable,
        Self::NoNewPrivs,
    ];

    /// All of them, each limit being one.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::WITHOUT_LIMITS.into_iter().chain(Limit::ALL.iter().copied().map(Self::Limit))
    }
}

/// The system call, as somebody would look it up: `setrlimit(RLIMIT_NOFILE)`, `setuid`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Limit(limit) => return write!(f, "setrlimit({limit})"),
            Self::Nice => "setpriority",
            Self::Groups => "setgroups",
            Self::Chroot => "chroot",
            Self::WorkingDirectory => "chdir",
            Self::Group => "setgid",
            Self::User => "setuid",
            Self::Capabilities => "capset",
            Self::HostDeath => "prctl(PR_SET_PDEATHSIG)",
            Self::Dumpable => "prctl(PR_SET_DUMPABLE)",
            Self::NoNewPrivs => "prctl(PR_SET_NO_NEW_PRIVS)",
        })
    }
}

/// Why a child could not confine itself; what comes before the step is done, what comes after it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{step} failed: {errno}")]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ConfineError {
    /// Which step.
    pub step: Step,
    /// What the system answered.
    pub errno: Errno,
}

/// For a message: a byte for the step, and the number of the error.
impl ConfineError {
    /// The error as bytes.
    pub(crate) fn bytes(self) -> [u8; 5] {
        let place = Step::all().position(|step| step == self.step);
        let place = place.expect("the table has all there are") as u8;
        let [a, b, c, d] = self.errno.raw().to_le_bytes();
        [place, a, b, c, d]
    }

    /// The error in bytes; `None` if they are none.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let [place, errno @ ..] = bytes else { return None };
        let step = Step::all().nth((*place).into())?;
        Some(Self { step, errno: Errno::from_raw(i32::from_le_bytes(errno.try_into().ok()?)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn digits_alone_are_a_number() {
        let rows = [
            ("www-data", Account::Name("www-data".into()), "`www-data`"),
            ("0", Account::Number(0), "0"),
            ("65534", Account::Number(65_534), "65534"),
            ("4294967296", Account::Name("4294967296".into()), "`4294967296`"),
            ("+1", Account::Name("+1".into()), "`+1`"),
            ("-1", Account::Name("-1".into()), "`-1`"),
            ("", Account::Name(String::new()), "``"),
        ];
        for (words, account, told) in rows {
            assert_eq!(Account::from(words), account);
            assert_eq!(Account::from(String::from(words)), account);
            assert_eq!(account.to_string(), told);
        }
        assert_eq!(Account::from(7), Account::Number(7));
    }

    #[test]
    fn an_error_names_the_call_and_what_it_answered() {
        let rows = [
            (Step::User, Errno::PERM, "setuid failed: operation not permitted (EPERM)"),
            (
                Step::Limit(Limit::OpenFiles),
                Errno::INVAL,
                "setrlimit(RLIMIT_NOFILE) failed: invalid argument (EINVAL)",
            ),
            (Step::WorkingDirectory, Errno::NOENT, "chdir failed: no such file or entry (ENOENT)"),
        ];
        for (step, errno, words) in rows {
            assert_eq!(ConfineError { step, errno }.to_string(), words);
        }
    }

    #[test]
    fn each_error_survives_as_bytes() {
        for step in Step::all() {
            for errno in [Errno::PERM, Errno::from_raw(0), Errno::from_raw(i32::MIN)] {
                let error = ConfineError { step, errno };
                assert_eq!(ConfineError::of_bytes(&error.bytes()), Some(error));
            }
        }
        for wrong in [&[][..], &[0], &[19, 0, 0, 0, 0], &[0; 4], &[0; 6]] {
            assert_eq!(ConfineError::of_bytes(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn nothing_is_asked_for_by_default() {
        assert!(Confinement::default().is_empty());
        assert!(!Confinement { no_new_privs: true, ..Confinement::default() }.is_empty());
        assert!(!Confinement { umask: Some(0), ..Confinement::default() }.is_empty());
    }
}
