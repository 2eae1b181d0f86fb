//! Runs an example as a process of its own, and waits for what it does: each wait has a name and a bound.
//!
//! The harness does the work; here are the words of these tests.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "what was measured is shown by --show-output")]
#![allow(dead_code, unused_imports, reason = "each test binary uses what it needs")]

mod client;
mod lines;
pub(crate) mod process;

pub(crate) use client::{Client, accept};
pub(crate) use harness::process::{BOUND, Stopwatch};
pub(crate) use lines::Lines;

use harness::process::{Node, Spawn, Stream};
use process::Process;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use std::fmt::Debug;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Once;
use std::time::Duration;

/// How late something may be that happens by itself, on a machine that is busy with other things: far less than
/// the servers' own timeouts, which are 30 s.
pub(crate) const LATE: Duration = Duration::from_secs(5);

/// An example as a running process, with its workers.
pub(crate) struct Program {
    pub(crate) process: Process,
    tree: harness::Process,
    pub(crate) stdout: Lines,
    pub(crate) stderr: Lines,
}

impl Program {
    /// Starts an example with these arguments. It may not serve yet.
    #[track_caller]
    pub(crate) fn spawn(example: &str, arguments: &[&str]) -> Self {
        Self::over(harness::Process::example(example).args(arguments))
    }

    /// Starts it with other outputs; nothing can be read here then.
    #[track_caller]
    pub(crate) fn spawn_to(example: &str, arguments: &[&str], stdout: Stdio, stderr: Stdio) -> Self {
        Self::over(harness::Process::example(example).args(arguments).stdout(stdout).stderr(stderr))
    }

    /// Starts it by another program, which is told the rest of its arguments: one that changes the user, say.
    #[track_caller]
    pub(crate) fn spawn_by(by: &[&str], example: &str, arguments: &[&str]) -> Self {
        let [program, own @ ..] = by else { panic!("by whom?") };
        let spawn = harness::Process::command(program).args(own).arg(Self::path(example)).args(arguments);
        Self::over(spawn)
    }

    /// Where an example was built.
    pub(crate) fn path(example: &str) -> PathBuf {
        // The test is in `deps`, beside `examples`.
        let test = std::env::current_exe().unwrap();
        test.parent().unwrap().with_file_name("examples").join(example)
    }

    #[track_caller]
    fn over(spawn: Spawn) -> Self {
        leave_no_cores();
        let tree = spawn.spawn();
        let [stdout, stderr] = Stream::BOTH.map(|stream| Lines(tree.output(stream)));
        Self { process: Process::of(tree.pid()), tree, stdout, stderr }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid
    }

    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        self.tree.signal(signal);
    }

    /// Whether it ends within this time.
    pub(crate) fn ends_within(&self, bound: Duration) -> bool {
        self.process.ends_within(bound)
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(&self) -> ExitStatus {
        self.tree.expect("the program ends").exit()
    }

    /// It and its offspring, as far as they are alive.
    pub(crate) fn members(&self) -> Vec<u32> {
        numbers(self.tree.tree().living())
    }

    /// Its children that are alive.
    pub(crate) fn children(&self) -> Vec<u32> {
        self.children_of(self.pid())
    }

    /// Those of one of its offspring.
    pub(crate) fn children_of(&self, pid: u32) -> Vec<u32> {
        numbers(self.tree.tree().children_of(pid))
    }

    /// Waits until one of its offspring has no more children than this, alive or not.
    #[track_caller]
    pub(crate) fn awaits_children_of(&self, pid: u32, count: usize) {
        let wanted = format!("{count} children of {pid}, zombies included");
        self.tree.expect("the dead are reaped").tree(&wanted, |tree| {
            let of = |node: &&Node| node.parent == pid;
            tree.iter().filter(of).count() == count
        });
    }

    /// Waits until nobody is alive of it and its offspring; whether that was within `bound`.
    pub(crate) fn all_end_within(&self, bound: Duration) -> bool {
        self.tree.all_end_within(bound)
    }
}

fn numbers<'a>(nodes: impl Iterator<Item = &'a Node>) -> Vec<u32> {
    let mut numbers: Vec<_> = nodes.map(Node::pid).collect();
    numbers.sort_unstable();
    numbers
}

/// Workers are aborted on purpose.
fn leave_no_cores() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
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
