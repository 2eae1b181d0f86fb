//! What /proc says of one process (proc_pid_stat(5)).

use rustix::io::Errno;
use std::fmt;
use std::fs;
use std::io;

/// How many ticks a second the kernel counts in; the same on every architecture for what /proc shows
/// (`USER_HZ`, time(7)).
pub(super) const TICKS: u64 = 100;

/// The flag of the kernel's own processes (linux/sched.h).
const PF_KTHREAD: u64 = 0x0020_0000;

/// A process for good: its number may come back, together with its start it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessId {
    /// The number that the kernel gave it.
    pub pid: u32,
    /// When it was born, in ticks of 10 ms since the machine started.
    pub start: u64,
}

/// What a process does, as ps(1) shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// On a processor, or ready to be.
    Running,
    /// Waiting for something, and a signal wakes it.
    Sleeping,
    /// Waiting for something that no signal interrupts: a disk, say.
    Blocked,
    /// Stopped by a signal, or by a debugger.
    Stopped,
    /// Dead, and its parent has not asked how it ended.
    Zombie,
    /// What else the kernel may call it.
    Other(char),
}

impl State {
    pub(super) const fn of(letter: char) -> Self {
        match letter {
            'R' => Self::Running,
            'S' | 'I' => Self::Sleeping,
            'D' => Self::Blocked,
            'T' | 't' => Self::Stopped,
            'Z' | 'X' => Self::Zombie,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("running"),
            Self::Sleeping => f.write_str("sleeping"),
            Self::Blocked => f.write_str("blocked"),
            Self::Stopped => f.write_str("stopped"),
            Self::Zombie => f.write_str("zombie"),
            Self::Other(letter) => write!(f, "in state {letter}"),
        }
    }
}

/// One line of /proc/PID/stat.
#[derive(Clone, Debug)]
pub(super) struct Stat {
    pub(super) id: ProcessId,
    pub(super) name: String,
    pub(super) state: State,
    pub(super) parent: u32,
    pub(super) group: u32,
    pub(super) session: u32,
    /// How long it was on a processor.
    pub(super) ticks: u64,
    /// Whether it is the kernel's own.
    is_kernel: bool,
    /// Where its environment begins and ends in its memory; nowhere while it is executed, as a zombie, and
    /// of the kernel's own.
    environment: (u64, u64),
    /// Of a zombie: how it ended, as wait(2) has it.
    pub(super) exit: i32,
}

/// A look at all processes.
#[derive(Debug)]
pub(super) struct Census {
    /// By their numbers.
    pub(super) all: Vec<Stat>,
    /// Those that ended while they were looked at: who they were, and whom they left behind, is not known.
    pub(super) vanished: Vec<u32>,
}

impl Stat {
    /// Of the process that has this number now, if there is one.
    pub(super) fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Whether it has no environment, and will have none: it was given an empty one, is dead, or the kernel's own.
    /// While it is executed it has none yet.
    pub(super) fn has_no_environment(&self) -> bool {
        let (start, end) = self.environment;
        self.is_kernel || self.state == State::Zombie || end != 0 && start == end
    }

    fn parse(line: &[u8]) -> Option<Self> {
        let line = String::from_utf8_lossy(line);
        // The name may hold anything, brackets and blanks as well.
        let (head, tail) = line.rsplit_once(')')?;
        let (pid, name) = head.split_once(" (")?;
        let fields: Vec<_> = tail.split_whitespace().collect();
        // The first of them is the third of the manual page.
        let field = |number: usize| fields.get(number - 3).copied();
        let number = |at: usize| field(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        Some(Self {
            id: ProcessId { pid: pid.parse().ok()?, start: field(22)?.parse().ok()? },
            name: name.to_owned(),
            state: State::of(field(3)?.chars().next()?),
            parent: field(4)?.parse().ok()?,
            group: field(5)?.parse().ok()?,
            session: field(6)?.parse().ok()?,
            ticks: number(14) + number(15),
            is_kernel: number(9) & PF_KTHREAD != 0,
            environment: (number(50), number(51)),
            exit: field(52).and_then(|exit| exit.parse().ok()).unwrap_or(0),
        })
    }
}

/// A process may end between the opening of its file and the reading of it.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::SRCH.raw_os_error())
}

impl Census {
    /// Looks at all processes that can be seen.
    ///
    /// # Errors
    /// If they cannot be listed, for want of descriptors for example.
    pub(super) fn take() -> io::Result<Self> {
        let mut pids = Vec::new();
        for entry in fs::read_dir("/proc")? {
            pids.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
        }
        // Parents are mostly older than their children.
        pids.sort_unstable();
        let mut census = Self { all: Vec::with_capacity(pids.len()), vanished: Vec::new() };
        for pid in pids {
            match fs::read(format!("/proc/{pid}/stat")) {
                Ok(line) => match Stat::parse(&line) {
                    Some(stat) => census.all.push(stat),
                    None => census.vanished.push(pid),
                },
                Err(error) if is_gone(&error) => census.vanished.push(pid),
                Err(error) => return Err(error),
            }
        }
        Ok(census)
    }

    pub(super) fn find(&self, pid: u32) -> Option<&Stat> {
        self.all.binary_search_by_key(&pid, |stat| stat.id.pid).ok().map(|place| &self.all[place])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_is_told_from_what_follows() {
        let numbers: Vec<String> = (4..=52).map(|number| (number * 10).to_string()).collect();
        let line = format!("17 (a) S 1 (b c)) Z {}", numbers.join(" "));
        let stat = Stat::parse(line.as_bytes()).expect("a line");
        assert_eq!(stat.id, ProcessId { pid: 17, start: 220 });
        assert_eq!((&*stat.name, stat.state), ("a) S 1 (b c)", State::Zombie));
        assert_eq!((stat.parent, stat.group, stat.session), (40, 50, 60));
        assert_eq!((stat.ticks, stat.environment, stat.exit), (140 + 150, (500, 510), 520));
        for cut in ["", "17", "17 (a)", "17 (a) S 1"] {
            assert!(Stat::parse(cut.as_bytes()).is_none(), "`{cut}`");
        }
    }

    #[test]
    fn this_process_is_among_all() {
        let own = std::process::id();
        let census = Census::take().expect("a look");
        let found = census.find(own).expect("this process");
        assert_eq!(Stat::of(own).expect("this process").id, found.id);
        assert!(!found.has_no_environment());
        assert!(census.all.is_sorted_by_key(|stat| stat.id.pid));
    }
}
