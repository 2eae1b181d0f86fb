//! A child process in a role, which never outlives its test.

use crate::PATIENCE;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_host-sys-probe");

pub(crate) struct Probe {
    child: Child,
}

/// How a probe ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Exited(i32),
    Killed(i32),
}

impl Probe {
    /// Starts a probe and waits until it says that it is ready.
    pub(crate) fn ready(role: &str) -> Self {
        let mut probe = Self::start(role);
        assert_eq!(probe.line(), "ready");
        probe
    }

    /// Starts a probe.
    pub(crate) fn start(role: &str) -> Self {
        Self::spawn(Command::new(PROGRAM).arg(role).stdin(Stdio::piped()))
    }

    /// Starts a probe in another directory.
    pub(crate) fn start_in(directory: &Path, role: &str) -> Self {
        Self::spawn(Command::new(PROGRAM).arg(role).current_dir(directory).stdin(Stdio::piped()))
    }

    /// Starts a probe whose standard input is something else.
    pub(crate) fn start_on(stdin: OwnedFd, role: &str) -> Self {
        Self::spawn(Command::new(PROGRAM).arg(role).stdin(stdin))
    }

    /// Starts a probe that ignores a signal, which only who execs it can arrange.
    pub(crate) fn start_ignoring(signal: &str, role: &str) -> Self {
        let option = format!("--ignore-signal={signal}");
        Self::spawn(Command::new("env").args([&option, PROGRAM, role]).stdin(Stdio::piped()))
    }

    /// Starts a probe as process 1 of a namespace of process numbers, if one can be made here: `None`, with the reason on
    /// standard output, if not.
    pub(crate) fn start_as_first(role: &str) -> Option<Self> {
        const AS_ROOT: &[&str] = &["--pid", "--fork", "--mount-proc"];
        let ways = [AS_ROOT.to_vec(), [&["--user", "--map-root-user"], AS_ROOT].concat()];
        let open = |way: &&Vec<&str>| {
            let answer = Command::new("unshare").args(*way).arg("true").stderr(Stdio::null()).status();
            answer.is_ok_and(|status| status.success())
        };
        let Some(way) = ways.iter().find(open) else {
            println!("skipped: nobody may make a namespace of process numbers here");
            return None;
        };
        Some(Self::spawn(Command::new("unshare").args(way).args([PROGRAM, role]).stdin(Stdio::piped())))
    }

    /// Sends the only child of this process, which is the first of its namespace, a signal.
    pub(crate) fn signal_first(&self, signal: Signal) {
        let parent = self.pid().as_raw_nonzero();
        let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
        let child = children.trim().parse().ok().and_then(Pid::from_raw).expect("one child");
        kill_process(child, signal).unwrap();
    }

    fn spawn(command: &mut Command) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Self { child }
    }

    /// The next line that it says.
    pub(crate) fn line(&mut self) -> String {
        self.line_within(PATIENCE).expect("a line in time")
    }

    /// The next line that it says, if it says one by then.
    pub(crate) fn line_within(&mut self, patience: Duration) -> Option<String> {
        let stdout = self.child.stdout.as_mut().unwrap();
        let mut line = Vec::new();
        loop {
            if !readable(stdout.as_fd(), patience) {
                return None;
            }
            let mut byte = [0];
            assert_eq!(stdout.read(&mut byte).unwrap(), 1, "it ended before a line was full");
            if byte == *b"\n" {
                return Some(String::from_utf8(line).unwrap());
            }
            line.push(byte[0]);
        }
    }

    /// What else it says, or others to whom it has left its standard output, until all are gone.
    pub(crate) fn rest(&mut self) -> String {
        let stdout = self.child.stdout.as_mut().unwrap();
        let mut rest = Vec::new();
        loop {
            assert!(readable(stdout.as_fd(), PATIENCE), "not gone yet");
            let mut some = [0; 4096];
            match stdout.read(&mut some).unwrap() {
                0 => return String::from_utf8(rest).unwrap(),
                length => rest.extend_from_slice(&some[..length]),
            }
        }
    }

    /// Kicks it until it has ended: for one whose heartbeat has yet to grow old.
    pub(crate) fn kick_to_death(&mut self) -> (End, String) {
        let pidfd = pidfd_open(self.pid(), PidfdFlags::empty()).unwrap();
        let kicks = PATIENCE.as_millis() / 20;
        let died = (0..kicks).any(|_| {
            self.signal(Signal::USR1);
            readable(pidfd.as_fd(), Duration::from_millis(20))
        });
        assert!(died, "it survived {kicks} kicks");
        self.last_words()
    }

    /// Lets it go on.
    pub(crate) fn go_on(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Stops reading what it says on standard error.
    pub(crate) fn leave_stderr(&mut self) {
        drop(self.child.stderr.take());
    }

    /// Waits until it has ended, without reading what it said.
    pub(crate) fn end(&mut self) -> End {
        let pidfd = pidfd_open(self.pid(), PidfdFlags::empty()).unwrap();
        assert!(readable(pidfd.as_fd(), PATIENCE), "it is still alive");
        how(self.child.wait().unwrap())
    }

    /// Waits until it has ended, and tells what it said on standard error.
    pub(crate) fn last_words(&mut self) -> (End, String) {
        let end = self.end();
        let mut words = String::new();
        self.child.stderr.as_mut().unwrap().read_to_string(&mut words).unwrap();
        (end, words)
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

/// No probe is left behind, whichever way its test ends.
impl Drop for Probe {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn how(status: ExitStatus) -> End {
    match status.code() {
        Some(code) => End::Exited(code),
        None => End::Killed(status.signal().expect("exited or killed")),
    }
}

fn readable(fd: BorrowedFd<'_>, patience: Duration) -> bool {
    let timeout = Timespec::try_from(patience).unwrap();
    poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&timeout)).unwrap() > 0
}
