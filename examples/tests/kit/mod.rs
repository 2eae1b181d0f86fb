//! Runs an example as a process of its own, and waits for what it does: each wait has a name and a bound.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use examples::reply;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fmt::Debug;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How long anything may take on a machine that is busy with other things.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// The example `web_and_worker` as a running process; it is killed when the test is over.
pub(crate) struct Program {
    child: Child,
    pidfd: OwnedFd,
    pub(crate) stdout: Lines<ChildStdout>,
    pub(crate) stderr: Lines<ChildStderr>,
}

impl Program {
    /// Starts it with these arguments. It may not serve yet.
    pub(crate) fn spawn(arguments: &[&str]) -> Self {
        Self::spawn_to(arguments, Stdio::piped())
    }

    /// Starts it with another standard output; nothing can be read from [`Self::stdout`] then.
    pub(crate) fn spawn_to(arguments: &[&str], stdout: Stdio) -> Self {
        let this = std::env::current_exe().unwrap();
        let program = this.parent().and_then(|deps| deps.parent()).unwrap().join("examples/web_and_worker");
        assert!(
            program.exists(),
            "{} is missing: `cargo test -p examples` builds it, `cargo test --test …` alone does not",
            program.display()
        );
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap();
        let stdout = Lines::new("standard output", child.stdout.take());
        let stderr = Lines::new("standard error", child.stderr.take());
        Self { child, pidfd, stdout, stderr }
    }

    /// Starts it on free ports with these arguments, and waits until it serves: the addresses of the web
    /// server and of the worker.
    pub(crate) fn serving(arguments: &[&str]) -> (Self, SocketAddr, SocketAddr) {
        let ports = ["--listen", "127.0.0.1:0", "--jobs-listen", "127.0.0.1:0"];
        let mut program = Self::spawn(&[&ports, arguments].concat());
        let mut address = |words| program.stdout.until(words).split_once(words).unwrap().1.parse().unwrap();
        let (web, jobs) = (address("listening on "), address("jobs on "));
        program.stdout.until("kill -TERM");
        (program, web, jobs)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        pidfd_send_signal(&self.pidfd, signal).unwrap();
    }

    /// Whether it ends within this time.
    pub(crate) fn ends_within(&self, bound: Duration) -> bool {
        is_ready(&self.pidfd, bound)
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        assert!(self.ends_within(BOUND), "the program has not ended");
        self.child.wait().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail if it has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a pipe.
pub(crate) struct Lines<R> {
    name: &'static str,
    pipe: Option<R>,
    bytes: Vec<u8>,
}

impl<R: Read + AsFd> Lines<R> {
    fn new(name: &'static str, pipe: Option<R>) -> Self {
        Self { name, pipe, bytes: Vec::new() }
    }

    /// Waits for a line with these words; those before it are passed over.
    pub(crate) fn until(&mut self, words: &str) -> String {
        let mut passed = String::new();
        loop {
            while let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.bytes.drain(..=end).collect();
                let line = String::from_utf8(line).unwrap();
                if line.contains(words) {
                    return line.trim_end().into();
                }
                passed += &line;
            }
            assert!(self.read(), "{} ended without `{words}`, after: {passed}", self.name);
        }
    }

    /// All that comes until the end.
    pub(crate) fn rest(&mut self) -> String {
        while self.read() {}
        String::from_utf8(std::mem::take(&mut self.bytes)).unwrap()
    }

    fn read(&mut self) -> bool {
        let pipe = self.pipe.as_mut().expect("it is a pipe");
        assert!(
            is_ready(&*pipe, BOUND),
            "nothing more on {}; so far: {:?}",
            self.name,
            self.bytes.escape_ascii()
        );
        let mut portion = [0; 4096];
        let count = pipe.read(&mut portion).unwrap();
        self.bytes.extend_from_slice(&portion[..count]);
        count > 0
    }
}

/// Waits until a descriptor is readable (or a process has ended); false after `bound`.
pub(crate) fn is_ready(fd: impl AsFd, bound: Duration) -> bool {
    let timeout = Timespec::try_from(bound).unwrap();
    poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&timeout)).unwrap() == 1
}

/// The next connection, with a bound.
pub(crate) fn accept(listener: &TcpListener) -> Client {
    assert!(is_ready(listener, BOUND), "nobody connects");
    Client::over(listener.accept().unwrap().0)
}

/// One end of a connection; each read has a bound.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    bytes: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect_timeout(&address, BOUND).unwrap())
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(BOUND)).unwrap();
        stream.set_write_timeout(Some(BOUND)).unwrap();
        Self { stream, bytes: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Waits for one line.
    pub(crate) fn line(&mut self) -> String {
        let line = self.take_with(|bytes| bytes.iter().position(|byte| *byte == b'\n').map(|end| end + 1));
        line.trim_end().into()
    }

    /// Waits for one answer of a web server: status and all.
    pub(crate) fn answer(&mut self) -> (u16, String) {
        let mut status = 0;
        let answer = self.take_with(|bytes| {
            let reply = reply::parse(bytes).unwrap()?;
            status = reply.status;
            Some(reply.length)
        });
        (status, answer)
    }

    /// Asks for a page and waits for it.
    pub(crate) fn get(&mut self, path: &str) -> (u16, String) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
        self.answer()
    }

    /// Waits for a request of a web client, head and body.
    pub(crate) fn request(&mut self) -> String {
        self.take_with(|bytes| match examples::http::parse(bytes).unwrap() {
            examples::http::Parsed::Whole { length, .. } => Some(length),
            examples::http::Parsed::Partial { .. } => None,
        })
    }

    /// Waits for the end of the connection: all that came before it.
    pub(crate) fn rest(&mut self) -> String {
        while self.read() {}
        String::from_utf8(std::mem::take(&mut self.bytes)).unwrap()
    }

    fn take_with(&mut self, mut length: impl FnMut(&[u8]) -> Option<usize>) -> String {
        loop {
            if let Some(length) = length(&self.bytes) {
                return String::from_utf8(self.bytes.drain(..length).collect()).unwrap();
            }
            assert!(self.read(), "the connection ended; so far: {:?}", self.bytes.escape_ascii());
        }
    }

    fn read(&mut self) -> bool {
        let mut portion = [0; 4096];
        match self.stream.read(&mut portion) {
            Ok(count) => {
                self.bytes.extend_from_slice(&portion[..count]);
                count > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => panic!("the connection was reset"),
            Err(error) => panic!("nothing more came: {error}; so far: {:?}", self.bytes.escape_ascii()),
        }
    }
}

/// Sees that `words` are all in `text`.
pub(crate) fn assert_contains<'a>(text: &str, words: impl IntoIterator<Item = &'a str> + Debug) {
    for word in words {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
}
