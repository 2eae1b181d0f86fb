//! Becoming a daemon (daemon(7), the part for SysV): a session of its own, no terminal, and a launcher that learns
//! how the start went.
//!
//! Launcher and daemon share a socket. What comes through it is the number of the daemon once it serves, or its exit
//! status and why; its end without a word means that the daemon died.

use crate::linux::{Linux, said};
use crate::{birth, passed, process, raw};
use host_core::app::App;
use host_core::driver::{self, Until};
use host_core::error::{ConfigError, Mistake, RunError, exit};
use host_core::sys::{ForkError, Pid};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, Result as Answer, retry_on_intr};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, send, socketpair};
use rustix::process::{WaitId, WaitIdOptions, getpid, setsid, waitid};
use rustix::stdio::dup2_stdin;
use std::cell::RefCell;
use std::io::{Read as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// What precedes the number of one that serves.
const SERVES: &str = "serves ";

/// The launcher of this process, until it has heard how the start went.
#[derive(Debug, Default)]
pub(crate) struct Launcher(RefCell<Option<OwnedFd>>);

impl Launcher {
    pub(crate) fn waits(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// It goes on with its own life. If it is gone, nobody minds.
    pub(crate) fn serves(&self, me: Pid) {
        self.tell(&format!("{SERVES}{me}"));
    }

    fn failed(&self, status: u8, words: &str) {
        self.tell(&format!("{status} {words}"));
    }

    fn tell(&self, words: &str) {
        if let Some(socket) = self.0.borrow_mut().take() {
            let _ = retry_on_intr(|| send(&socket, words.as_bytes(), SendFlags::NOSIGNAL));
        }
    }

    /// A worker is nobody whom it waits for, and must not keep it waiting.
    pub(crate) fn let_go(&self) {
        drop(self.0.borrow_mut().take());
    }
}

/// Runs `app` as a daemon. Comes back in the launcher only, once it serves or has failed; its number.
pub(crate) fn start(app: App) -> Result<Pid, RunError> {
    // What can be seen here is told here, where somebody reads it.
    app.check()?;
    allowed()?;
    process::alone().map_err(|error| match error {
        ForkError::Threads { count } => RunError::Threads { count },
        ForkError::System { call, errno } => RunError::System { call, errno },
    })?;
    let flags = SocketFlags::CLOEXEC;
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(failed("socketpair"))?;
    birth::flush();
    let Some(child) = raw::fork().map_err(failed("fork"))? else {
        drop(ours);
        leave(app, theirs)
    };
    drop(theirs);
    // It forks once more and ends at once; whatever else somebody has made of it is not known here.
    let _ = retry_on_intr(|| waitid(WaitId::Pid(process::of(child)), WaitIdOptions::EXITED));
    heard(ours)
}

/// Not every process can leave the one who started it.
fn allowed() -> Result<(), RunError> {
    let me = process::seen(getpid());
    let found = if me.0 == 1 {
        "as process 1, with which all others of its container end"
    } else if passed::are_for(me) {
        "with sockets that are passed to this process (LISTEN_FDS), which a daemon is not"
    } else {
        return Ok(());
    };
    let wanted = "must be left away: run in the foreground".into();
    let mistakes = vec![Mistake { field: "daemonize".into(), found: found.into(), wanted }];
    Err(ConfigError { mistakes }.into())
}

/// Waits for what the daemon says.
fn heard(socket: OwnedFd) -> Result<Pid, RunError> {
    let mut words = String::new();
    let read = std::os::unix::net::UnixStream::from(socket).read_to_string(&mut words);
    if let Some(pid) = words.strip_prefix(SERVES).and_then(|number| number.parse().ok()) {
        return Ok(Pid(pid));
    }
    let said = words.split_once(' ').and_then(|(status, words)| Some((status.parse().ok()?, words)));
    let (status, words) = match said {
        Some((status, words)) => (status, words.to_owned()),
        None => {
            let because = read.err().map(|error| format!(" ({error})")).unwrap_or_default();
            let words = format!(
                "the daemon has ended before it served, and did not say why{because}: look into its log"
            );
            (exit::SYSTEM_FAILED, words)
        }
    };
    Err(RunError::NotStarted { status, words })
}

/// The life of the first child, and of the daemon, which is its child.
fn leave(app: App, socket: OwnedFd) -> ! {
    let launcher = Launcher(RefCell::new(Some(socket)));
    let forked = detach().and_then(|()| raw::fork());
    match forked {
        // No session leader: a terminal that it opens does not become its own.
        Ok(Some(_)) => raw::exit_at_once(0),
        Err(errno) => {
            launcher.failed(exit::SYSTEM_FAILED, &format!("the host cannot become a daemon: {errno}"));
            raw::exit_at_once(exit::SYSTEM_FAILED)
        }
        Ok(None) => {}
    }
    let launcher = Rc::new(launcher);
    let run = || match Linux::launched(Rc::clone(&launcher)) {
        Ok(sys) => driver::run(app, Rc::new(sys), Until::Stopped),
        Err(errno) => Err(RunError::System { call: "epoll_create1", errno }),
    };
    // An unwinding that passed the forks would go on as the launcher.
    let (status, words) = match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => (exit::status(&result), result.err().map(|error| error.to_string())),
        Err(payload) => (exit::PANICKED, Some(format!("panicked: {}", said(payload)))),
    };
    // Not twice on the launcher's own terminal: it tells that itself.
    if let Some(words) = words.as_ref().filter(|_| !launcher.waits() || raw::redirected() != 0) {
        let _ = writeln!(std::io::stderr(), "error: {words}");
    }
    // Nobody hears this of one that has served.
    let unserved = if status == exit::STOPPED { exit::SYSTEM_FAILED } else { status };
    launcher.failed(unserved, words.as_deref().unwrap_or("the host was stopped before it served"));
    birth::flush();
    raw::exit_at_once(status)
}

/// A session of its own, and nothing to read.
fn detach() -> Answer<()> {
    setsid()?;
    dup2_stdin(open("/dev/null", OFlags::RDONLY, Mode::empty())?)
}

fn failed(call: &'static str) -> impl Fn(Errno) -> RunError {
    move |errno| RunError::System { call, errno: crate::linux::errno(errno) }
}
