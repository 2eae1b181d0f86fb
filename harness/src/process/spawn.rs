//! What is to be started, and how it may fail.

use super::clock::Stopwatch;
use super::collect::Ends;
use super::family::Family;
use super::handle::Handle;
use super::mark::{Mark, TREE};
use super::shared::{Shared, State};
use super::timeline::Timeline;
use super::{Process, guard};
use rustix::io::Errno;
use rustix::process::{getpid, set_child_subreaper};
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// A process to be: [`Process::command`] and its like begin one, [`Spawn::spawn`] starts it.
#[derive(Debug)]
#[must_use = "nothing is started before `spawn`"]
pub struct Spawn {
    command: Command,
    program: PathBuf,
    name: String,
    cwd: Option<PathBuf>,
    /// What is written to standard input, and whether that is all; `None` is `/dev/null`.
    input: Option<(Vec<u8>, bool)>,
    has_notify: bool,
    /// Whether it is to be of another user.
    is_another: bool,
    /// What to say if the program is missing.
    hint: Option<String>,
}

impl Spawn {
    pub(super) fn new(program: &OsStr) -> Self {
        let program = PathBuf::from(program);
        let name = program.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let mut command = Command::new(&program);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self {
            command,
            program,
            name,
            cwd: None,
            input: None,
            has_notify: false,
            is_another: false,
            hint: None,
        }
    }

    pub(super) fn hint(self, hint: &str) -> Self {
        Self { hint: Some(hint.to_owned()), ..self }
    }

    /// What it is called in reports; by default the name of the program.
    pub fn name(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// One more argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// More arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    /// A variable of its environment, beside those that the test has.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// A variable that the test has, and it has not.
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(name);
        self
    }

    /// None of the variables that the test has.
    pub fn env_clear(mut self) -> Self {
        self.command.env_clear();
        self
    }

    /// The directory in which it starts; by default that of the test.
    pub fn cwd(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(&directory);
        self.cwd = Some(directory.as_ref().to_owned());
        self
    }

    /// What it can read from standard input, and then its end; by default `/dev/null`.
    pub fn stdin(self, bytes: impl Into<Vec<u8>>) -> Self {
        Self { input: Some((bytes.into(), true)), ..self }
    }

    /// Standard input stays open for [`Process::send`].
    pub fn stdin_open(self) -> Self {
        Self { input: Some((Vec::new(), false)), ..self }
    }

    /// Another standard output: nothing of it is seen here.
    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.command.stdout(stdout);
        self
    }

    /// Another standard error: nothing of it is seen here.
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.command.stderr(stderr);
        self
    }

    /// It gets a `NOTIFY_SOCKET` (sd_notify(3)), for [`Expect::ready`](super::Expect::ready).
    pub fn notify(self) -> Self {
        Self { has_notify: true, ..self }
    }

    /// Another user and group, by their numbers and without any other groups: only root may have such.
    pub fn user(mut self, user: u32, group: u32) -> Self {
        self.command.uid(user).gid(group);
        Self { is_another: true, ..self }
    }

    /// Starts it.
    ///
    /// # Panics
    /// With what was wrong, if it cannot be started.
    #[track_caller]
    pub fn spawn(self) -> Process {
        self.try_spawn().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Starts it.
    ///
    /// # Errors
    /// If it cannot be started; nothing is left then.
    pub fn try_spawn(mut self) -> Result<Process, SpawnError> {
        let failed = |what| {
            let program = self.program.clone();
            move |error: io::Error| SpawnError::System { program, what, error }
        };
        // The orphans of a program that ends before its children come here, and not to init.
        set_child_subreaper(Some(getpid())).map_err(io::Error::from).map_err(failed("adopt its orphans"))?;
        guard::start().map_err(failed("start its guard, a /bin/sh"))?;
        let bell = Shared::bell().map_err(io::Error::from).map_err(failed("make an eventfd"))?;
        let mark = Mark::new();
        let notify = self.has_notify.then(|| notify_socket(&mark)).transpose();
        let notify = notify.map_err(failed("bind its NOTIFY_SOCKET"))?;
        if let Some((_, path)) = &notify {
            self.command.env("NOTIFY_SOCKET", path);
        }
        self.command.env(TREE, mark.value()).process_group(0);
        self.command.stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() });

        let begun = Stopwatch::start();
        let mut child = self.command.spawn().map_err(|error| self.why(error))?;
        let Some(root) = Handle::of(child.id()) else {
            end(&mut child);
            return Err(failed("open a pidfd of it")(io::Error::other("is /proc mounted?")));
        };
        guard::add(child.id());
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut timeline = Timeline::new(begun);
        let family = Family::new(root, mark, &mut timeline);
        let mut state = State::new(family, timeline);
        state.is_input_over = true;
        if let Some((bytes, is_all)) = self.input {
            (state.input, state.is_input_over) = (bytes.into(), is_all);
        }
        for (lines, is_here) in state.said.iter_mut().zip([stdout.is_some(), stderr.is_some()]) {
            if !is_here {
                lines.end(begun.elapsed());
            }
        }
        // A program that does not read must not keep the collector from collecting.
        let blocks = stdin.as_ref().map(|stdin| rustix::io::ioctl_fionbio(stdin, true)).transpose();
        let ends = Ends { stdin, stdout, stderr, notify: notify.map(|(socket, _)| socket) };
        let shared = Arc::new(Shared::new(self.name, begun, bell, state));
        // From here on it is ended by being dropped.
        let mut process = Process::new(shared, self.has_notify);
        let started = blocks.map_err(io::Error::from).and_then(|_| process.collect(ends));
        let program = self.program;
        let failed = |error| SpawnError::System { program, what: "start a thread that reads from it", error };
        started.map(|()| process).map_err(failed)
    }

    /// Why it could not be started: std tells of one errno what may have three reasons.
    fn why(&self, error: io::Error) -> SpawnError {
        let program = self.program.clone();
        if let Some(cwd) = self.cwd.as_ref().filter(|cwd| !cwd.is_dir()) {
            return SpawnError::NoDirectory { program, cwd: cwd.clone() };
        }
        let is_path = program.components().count() > 1;
        let kind = error.kind();
        if kind == ErrorKind::NotFound && is_path && program.exists() {
            SpawnError::NoInterpreter { program }
        } else if kind == ErrorKind::NotFound {
            SpawnError::NoProgram { program, is_path, hint: self.hint.clone() }
        } else if self.is_another && error.raw_os_error() == Some(Errno::PERM.raw_os_error()) {
            SpawnError::System { program, what: "make it another user's", error }
        } else if kind == ErrorKind::PermissionDenied {
            SpawnError::NotExecutable { program }
        } else {
            SpawnError::System { program, what: "execute it", error }
        }
    }
}

/// A socket at an address without a file, which ends with the socket.
fn notify_socket(mark: &Mark) -> io::Result<(UnixDatagram, String)> {
    let name = format!("host-harness/{}", mark.word());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
    socket.set_nonblocking(true)?;
    Ok((socket, format!("@{name}")))
}

/// A child of which nobody knows yet.
fn end(child: &mut Child) {
    // An error means that it has ended already.
    let _ = child.kill();
    let _ = child.wait();
}

/// Why a process could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum SpawnError {
    /// There is no such program.
    NoProgram {
        /// As it was named.
        program: PathBuf,
        /// Whether it was named by its path, and not looked for.
        is_path: bool,
        /// What may help.
        hint: Option<String>,
    },
    /// It may not be executed.
    NotExecutable {
        /// As it was named.
        program: PathBuf,
    },
    /// It is there, and what it says that it is to be run with is not.
    NoInterpreter {
        /// As it was named.
        program: PathBuf,
    },
    /// The directory in which it shall start is missing.
    NoDirectory {
        /// As it was named.
        program: PathBuf,
        /// The directory.
        cwd: PathBuf,
    },
    /// The system refused something.
    System {
        /// As it was named.
        program: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::NoProgram { program, .. }
        | Self::NotExecutable { program }
        | Self::NoInterpreter { program }
        | Self::NoDirectory { program, .. }
        | Self::System { program, .. }) = self;
        write!(f, "cannot start `{}`: ", program.display())?;
        match self {
            Self::NoProgram { is_path, hint, .. } => {
                f.write_str(if *is_path {
                    "there is no such file"
                } else {
                    "it is in no directory of PATH"
                })?;
                hint.iter().try_for_each(|hint| write!(f, "; {hint}"))
            }
            Self::NotExecutable { .. } => f.write_str("it is no file that may be executed"),
            Self::NoInterpreter { .. } => {
                f.write_str("it exists, but not the interpreter or loader that it names")
            }
            Self::NoDirectory { cwd, .. } => write!(f, "its directory `{}` does not exist", cwd.display()),
            Self::System { what, error, .. } => write!(f, "cannot {what}: {error}"),
        }
    }
}

impl std::error::Error for SpawnError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::System { error, .. } => Some(error),
            Self::NoProgram { .. }
            | Self::NotExecutable { .. }
            | Self::NoInterpreter { .. }
            | Self::NoDirectory { .. } => None,
        }
    }
}
