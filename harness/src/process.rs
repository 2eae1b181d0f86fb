//! Real processes under test: any program, in any language.
//!
//! ```
//! use harness::Process;
//! use harness::process::Signal;
//!
//! let server = Process::sh(
//!     "trap 'echo bye; exit 3' TERM
//!      sleep 1000 & echo serving with worker $!
//!      wait",
//! )
//! .spawn();
//! let line = server.expect("it serves").line("worker {pid}");
//! let worker = server.expect("its worker is born").children(1).remove(0);
//! assert_eq!(worker.pid(), line.parse::<u32>("pid"));
//!
//! server.signal(Signal::TERM);
//! server.expect("it says goodbye").line("bye");
//! server.expect("it stops").exit_code(3);
//! // The worker has survived it. Whatever is left of the tree is ended when `server` is dropped.
//! assert!(server.tree().living().any(|node| node.id == worker.id));
//! ```
//!
//! A process is described ([`Spawn`]), started, and expected to do things ([`Expect`]): each wait has a name and a
//! bound, and is for an event, never for time to pass. A wait that fails says in forty lines what it waited for, who
//! lives in the tree, what befell it, and what it said last; so does a test that fails for another reason.
//!
//! **Whatever happens, nothing of the tree is left** when a [`Process`] is dropped: everybody in it is killed by
//! pidfd and reaped. The test process adopts orphans (`PR_SET_CHILD_SUBREAPER`, which it keeps until its end), knows
//! its own by ancestry, process group, session and a variable in their environment ([`TREE`]), and
//! signals nobody else; it asks for the status of its own children only, so that tests which run side by
//! side in one process do not disturb each other. Should the test process itself be killed, a guard –
//! a `/bin/sh` that waits for just that – ends what it left. Only who drops that variable, begins a session and loses
//! its parent, all before it was ever looked at, escapes.
//!
//! Environment:
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `HOST_TIME_SCALE` | every bound is multiplied by it: for slow or busy machines | 1 |
//!
//! For Linux, 5.11 or later, with `/proc`.

mod clock;
mod collect;
mod end;
mod expect;
mod family;
mod files;
mod guard;
mod handle;
mod lines;
mod mark;
mod output;
mod pattern;
mod ready;
mod report;
mod shared;
mod spawn;
mod stat;
mod timeline;
mod tree;
mod words;

pub use clock::{BOUND, Stopwatch, TIME_SCALE, scaled};
pub use expect::Expect;
pub use handle::Handle;
pub use mark::TREE;
pub use output::Output;
pub use pattern::Captures;
pub use rustix::process::Signal;
pub use shared::Stream;
pub use spawn::{Spawn, SpawnError};
pub use stat::{ProcessId, State};
pub use tree::{Node, Tree};

use collect::{Ends, collect};
use report::{report, subject};
use shared::Shared;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::thread::{JoinHandle, panicking};
use std::time::Duration;
use timeline::Event;

/// A running process with all its descendants, which end with it.
#[derive(Debug)]
pub struct Process {
    shared: Arc<Shared>,
    root: Arc<Handle>,
    collector: Option<JoinHandle<()>>,
    has_notify: bool,
}

impl Process {
    /// Any program: a path, or a name that is looked for in `PATH`.
    pub fn command(program: impl AsRef<OsStr>) -> Spawn {
        Spawn::new(program.as_ref())
    }

    /// A binary of the crate under test: `Process::bin(env!("CARGO_BIN_EXE_server"))`.
    pub fn bin(path: impl AsRef<Path>) -> Spawn {
        Spawn::new(path.as_ref().as_os_str())
            .hint("`env!(\"CARGO_BIN_EXE_name\")` is the path of a binary of the crate, and has it built")
    }

    /// An example of the crate under test, which has no such variable: where cargo builds it.
    pub fn example(name: &str) -> Spawn {
        // The test is in `deps`, beside `examples`.
        let this = std::env::current_exe().unwrap_or_default();
        let built = this.parent().and_then(Path::parent).unwrap_or_else(|| Path::new("target"));
        let path = built.join("examples").join(name);
        Spawn::new(path.as_os_str())
            .hint("`cargo test` builds examples, `cargo test --test …` alone does not")
    }

    /// A script for `/bin/sh`.
    pub fn sh(script: &str) -> Spawn {
        Spawn::new(OsStr::new("/bin/sh")).args(["-c", script])
    }

    fn new(shared: Arc<Shared>, has_notify: bool) -> Self {
        let root = Arc::clone(shared.lock().family.root());
        Self { shared, root, collector: None, has_notify }
    }

    /// Starts to take what comes from it.
    fn collect(&mut self, ends: Ends) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        self.shared.lock().is_collecting = true;
        let thread = std::thread::Builder::new().name(format!("collect {}", self.pid()));
        match thread.spawn(move || collect(&shared, ends)) {
            Ok(collector) => self.collector = Some(collector),
            Err(error) => {
                self.shared.lock().is_collecting = false;
                return Err(error);
            }
        }
        Ok(())
    }

    /// What it is called in reports.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Its number, which is also that of its process group. It is nobody else's until this is dropped.
    pub fn pid(&self) -> u32 {
        self.root.pid()
    }

    /// Itself, without its tree.
    pub fn handle(&self) -> &Handle {
        &self.root
    }

    /// Begins to wait for something; `name` tells what it is if it does not come to pass.
    pub fn expect(&self, name: &str) -> Expect<'_> {
        Expect { process: self, name: name.to_owned(), bound: scaled(BOUND) }
    }

    /// Sends a signal to it. If it has ended, that has no effect.
    ///
    /// # Panics
    /// With a report, if that is not permitted.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        self.send_to(&self.root, signal);
    }

    /// Sends a signal to a process of its tree. If that has ended and was not reaped, it has no effect.
    ///
    /// # Panics
    /// With a report, if it is gone, or if that is not permitted.
    #[track_caller]
    pub fn signal_to(&self, node: &Node, signal: Signal) {
        let handle = self.shared.lock().family.handle(node.id);
        match handle {
            Some(handle) => self.send_to(&handle, signal),
            None => self.fail(&format!("{} `{}` cannot be signalled: it is gone", node.pid(), node.name)),
        }
    }

    /// Sends a signal to all of its tree that are alive.
    #[track_caller]
    pub fn signal_all(&self, signal: Signal) {
        for node in self.tree().living() {
            let handle = self.shared.lock().family.handle(node.id);
            if let Some(handle) = handle.filter(|handle| handle.is_alive()) {
                self.send_to(&handle, signal);
            }
        }
    }

    #[track_caller]
    fn send_to(&self, handle: &Handle, signal: Signal) {
        self.shared.lock().note(Event::Sent { pid: handle.pid(), signal });
        if let Err(error) = handle.signal(signal) {
            let name = words::signal_name(signal.as_raw());
            self.fail(&format!("{} cannot be sent {name}: {error}", handle.pid()));
        }
    }

    /// Looks at it and its descendants.
    pub fn tree(&self) -> Tree {
        self.shared.look().family.tree()
    }

    /// Its living children.
    pub fn children(&self) -> Vec<Node> {
        let tree = self.tree();
        tree.children_of(self.pid()).cloned().collect()
    }

    /// How it ended, if it has.
    pub fn status(&self) -> Option<ExitStatus> {
        self.shared.catch_up();
        self.shared.lock().family.status()
    }

    /// Whether it ends within this time, which scales. Its descendants may live on.
    pub fn ends_within(&self, bound: Duration) -> bool {
        self.root.ends_within(scaled(bound))
    }

    /// Whether it and all its descendants, orphans included, end within this time, which scales.
    pub fn all_end_within(&self, bound: Duration) -> bool {
        self.shared.wait_looking(scaled(bound), |tree| tree.is_over().then_some(())).is_some()
    }

    /// All lines that it has said through `NOTIFY_SOCKET` so far, in order.
    pub fn notifications(&self) -> Vec<String> {
        self.shared.catch_up();
        self.shared.lock().notified.clone()
    }

    /// A reader of one of its streams, from the beginning.
    pub fn output(&self, stream: Stream) -> Output {
        Output::new(Arc::clone(&self.shared), stream)
    }

    /// Writes to its standard input, if it was spawned with [`Spawn::stdin_open`]. It does not wait for anybody
    /// to read that.
    ///
    /// # Panics
    /// With a report, if standard input is not open.
    #[track_caller]
    pub fn send(&self, bytes: impl AsRef<[u8]>) {
        let mut state = self.shared.lock();
        if state.is_input_over {
            drop(state);
            self.fail("nothing can be sent: standard input is not open");
        }
        state.input.extend(bytes.as_ref());
        drop(state);
        self.shared.ring();
    }

    /// Ends its standard input, after what was sent.
    pub fn close_stdin(&self) {
        self.shared.lock().is_input_over = true;
        self.shared.ring();
    }

    /// Notes something in the timeline of its reports.
    pub fn note(&self, text: &str) {
        self.shared.lock().note(Event::Told { text: text.to_owned() });
    }

    /// The tree, what befell it, and what it said last: what a failed test shows.
    pub fn report(&self) -> String {
        let state = self.shared.look();
        report(&self.shared, &state, &subject(&self.shared, &state))
    }

    #[track_caller]
    fn fail(&self, words: &str) -> ! {
        let mut state = self.shared.look();
        state.is_reported = true;
        let words = report(&self.shared, &state, &format!("{}: {words}", subject(&self.shared, &state)));
        drop(state);
        panic!("{words}");
    }

    /// What a test that fails for another reason is told, unless it was told before.
    fn last_report(&self) -> Option<String> {
        let state = self.shared.look();
        let head = || format!("{}, when its test failed:", subject(&self.shared, &state));
        (panicking() && !state.is_reported).then(|| report(&self.shared, &state, &head()))
    }
}

/// Nothing of the tree is left behind, whichever way its test ends.
impl Drop for Process {
    fn drop(&mut self) {
        if let Some(words) = self.last_report() {
            eprintln!("{words}");
        }
        let pid = self.pid();
        let left = end::end_all(&self.shared);
        self.shared.lock().is_over = true;
        self.shared.ring();
        // It has nothing to panic for; if it did, that was told.
        let _ = self.collector.take().map(JoinHandle::join);
        if left.is_empty() {
            guard::remove(pid);
            return;
        }
        let left: Vec<_> = left.iter().map(|node| node.to_string().trim().to_owned()).collect();
        let words =
            format!("process `{}` (pid {pid}) cannot be ended: {} is left", self.name(), left.join(", "));
        // To panic twice would end the test process.
        if panicking() { eprintln!("{words}") } else { panic!("{words}") }
    }
}
