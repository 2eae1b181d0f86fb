//! Runs an example as a process of its own, and waits for what it does: each wait has a name and a bound.
//!
//! Whatever a program leaves behind is in its process group: it is killed when the test is over, by a guard if
//! this process does not get to it, and reaped here, since this process adopts the orphans.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "what was measured is shown by --show-output")]
#![allow(dead_code, unused_imports, reason = "each test binary uses what it needs")]

mod client;
mod lines;
pub(crate) mod process;

pub(crate) use client::{Client, accept};
pub(crate) use lines::Lines;

use process::{Process, members, number};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Resource, Rlimit, Signal, WaitId, WaitIdOptions, getpid, kill_process_group, set_child_subreaper,
    setrlimit, waitid,
};
use std::fmt::Debug;
use std::io::Write as _;
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

/// How long anything may take on a machine that is busy with other things.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// How late something may be on such a machine that happens by itself: far less than the servers' own
/// timeouts, which are 30 s.
pub(crate) const LATE: Duration = Duration::from_secs(5);

/// An example as a running process, the leader of its own process group.
pub(crate) struct Program {
    pub(crate) process: Process,
    guard: Child,
    pub(crate) stdout: Lines<ChildStdout>,
    pub(crate) stderr: Lines<ChildStderr>,
}

impl Program {
    /// Starts an example with these arguments. It may not serve yet.
    pub(crate) fn spawn(example: &str, arguments: &[&str]) -> Self {
        Self::spawn_to(example, arguments, Stdio::piped(), Stdio::piped())
    }

    #[expect(clippy::zombie_processes, reason = "it is reaped by the number of its group")]
    /// Starts it with other outputs; nothing can be read here then of what is no pipe.
    pub(crate) fn spawn_to(example: &str, arguments: &[&str], stdout: Stdio, stderr: Stdio) -> Self {
        prepare_this_process();
        let this = std::env::current_exe().unwrap();
        let program = this.parent().and_then(|deps| deps.parent()).unwrap().join("examples").join(example);
        assert!(
            program.exists(),
            "{} is missing: `cargo test -p examples` builds it, `cargo test --test …` alone does not",
            program.display()
        );
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(stdout).stderr(stderr).process_group(0);
        let mut child = command.spawn().unwrap();
        let guard = guard(child.id());
        let stdout = Lines::new("standard output", child.stdout.take());
        let stderr = Lines::new("standard error", child.stderr.take());
        Self { process: Process::of(child.id()), guard, stdout, stderr }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Whether it ends within this time.
    pub(crate) fn ends_within(&self, bound: Duration) -> bool {
        self.process.ends_within(bound)
    }

    /// Waits for its end.
    pub(crate) fn end(&self) -> ExitStatus {
        assert!(self.ends_within(BOUND), "the program has not ended");
        // It stays a zombie: until the test is over, its number and that of its group are nobody else's.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::PidFd(self.process.pidfd().as_fd()), options).unwrap().unwrap();
        let code = status.exit_status().map_or(0, |code| code << 8);
        ExitStatus::from_raw(status.terminating_signal().unwrap_or(code))
    }

    /// It and its offspring, as far as they are alive.
    pub(crate) fn members(&self) -> Vec<u32> {
        members(self.pid())
    }

    /// Waits until nobody is alive of it and its offspring; whether that was within `bound`.
    pub(crate) fn all_end_within(&self, bound: Duration) -> bool {
        let watch = Stopwatch::start();
        let rest = |pid: &u32| {
            let left = bound.saturating_sub(watch.elapsed());
            Process::find(*pid).is_none_or(|process| process.ends_within(left))
        };
        let all = self.members();
        all.iter().all(rest) && self.members().is_empty()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It fails if nobody is left, which is what is wanted.
        let _ = kill_process_group(number(self.pid()), Signal::KILL);
        // The leader, and then its orphans, which are this process's children from its death on.
        while waitid(WaitId::Pgid(Some(number(self.pid()))), WaitIdOptions::EXITED).is_ok() {}
        let stdin = self.guard.stdin.take();
        let _ = stdin.map(|mut stdin| stdin.write_all(b"over\n"));
        let _ = self.guard.wait();
    }
}

/// Kills the group when this process ends without having said that all is over.
fn guard(group: u32) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", "read -r over || kill -s KILL -- -$0", &group.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    command.spawn().unwrap()
}

fn prepare_this_process() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        set_child_subreaper(Some(getpid())).unwrap();
        // Workers are aborted on purpose.
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: None });
    });
}

/// Waits until a descriptor is readable (or a process has ended); false after `bound`.
pub(crate) fn is_ready(fd: impl AsFd, bound: Duration) -> bool {
    wait(&mut [PollFd::new(&fd, PollFlags::IN)], bound)
}

/// Lets time go by, in which nothing is expected to happen.
pub(crate) fn pass(duration: Duration) {
    wait(&mut [], duration);
}

fn wait(fds: &mut [PollFd<'_>], bound: Duration) -> bool {
    let watch = Stopwatch::start();
    loop {
        let left = Timespec::try_from(bound.saturating_sub(watch.elapsed())).unwrap();
        match poll(fds, Some(&left)) {
            Err(Errno::INTR) => {}
            answer => return answer.unwrap() > 0,
        }
    }
}

/// How long something takes, seen from here.
#[derive(Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "real processes are timed by the real clock")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Measures until it took no longer than `bound`, which a quiet machine gives at the first try: all that was
/// measured. If chance never gives it where more wants to run than there are processors, the best may take longer
/// in proportion.
pub(crate) fn one_within(
    what: &str,
    bound: Duration,
    mut measure: impl FnMut() -> Duration,
) -> Vec<Duration> {
    const TRIES: usize = 15;
    let mut all = Vec::new();
    while all.len() < TRIES && all.last().is_none_or(|took| *took > bound) {
        all.push(measure());
    }
    println!("{what}: {all:?}");
    let best = all.iter().min().expect("at least one");
    assert!(*best <= bound.mul_f64(crowding()), "{what}: {all:?}, times {:.1}", crowding());
    all
}

/// How many want to run for each processor, on an average of the last minute; at least 1 (proc_loadavg(5)).
fn crowding() -> f64 {
    let average = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let average: f64 = average.split(' ').next().and_then(|average| average.parse().ok()).unwrap_or(1.0);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (average / processors as f64).max(1.0)
}

/// Sees that `words` are all in `text`.
pub(crate) fn assert_contains<'a>(text: &str, words: impl IntoIterator<Item = &'a str> + Debug) {
    for word in words {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
}
