//! A running prefork server.

use crate::kit::process::Process;
use crate::kit::{Client, Program};
use rustix::process::Signal;
use std::net::SocketAddr;
use std::time::Duration;

pub(crate) const MS: Duration = Duration::from_millis(1);

/// One of the two, with all its workers ready.
pub(crate) struct Server {
    pub(crate) program: Program,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// The web server with so many workers.
    pub(crate) fn http(workers: u32, flags: &[&str]) -> Self {
        Self::start("prefork_http", workers, flags)
    }

    /// The echo server with so many workers.
    pub(crate) fn echo(workers: u32, flags: &[&str]) -> Self {
        Self::start("prefork_echo", workers, flags)
    }

    /// The web server, started by another program.
    pub(crate) fn http_by(by: &[&str], workers: u32, flags: &[&str]) -> Self {
        Self::begin(workers, flags, |arguments| Program::spawn_by(by, "prefork_http", arguments))
    }

    fn start(example: &str, workers: u32, flags: &[&str]) -> Self {
        Self::begin(workers, flags, |arguments| Program::spawn(example, arguments))
    }

    fn begin(workers: u32, flags: &[&str], spawn: impl FnOnce(&[&str]) -> Program) -> Self {
        let workers_flag = workers.to_string();
        let own = ["--listen", "127.0.0.1:0", "--workers", &workers_flag];
        let mut program = spawn(&[&own, flags].concat());
        let line = program.stdout.until("listening on ");
        let address = line.strip_prefix("listening on ").expect("a line of its own").parse().unwrap();
        program.stdout.until("kill -QUIT");
        let mut server = Self { program, address };
        server.notices(workers as usize, "is ready");
        server
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.program.signal(signal);
    }

    /// Waits for a notice with these words; those before it are passed over.
    pub(crate) fn notice(&mut self, words: &str) -> String {
        self.program.stderr.until(words)
    }

    /// Waits for so many of them.
    pub(crate) fn notices(&mut self, count: usize, words: &str) -> Vec<String> {
        (0..count).map(|_| self.notice(words)).collect()
    }

    /// The numbers of its workers.
    pub(crate) fn workers(&self) -> Vec<u32> {
        self.program.children()
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// A client with the worker that serves it, of the web server.
    pub(crate) fn served(&self) -> (Client, Process) {
        let mut client = self.client();
        let pid = body(&client.get("/pid").1).trim().parse().unwrap();
        (client, Process::of(pid))
    }

    /// A client with the worker that serves it, of the echo server.
    pub(crate) fn echoed(&self) -> (Client, Process) {
        let mut client = self.client();
        client.send("!pid\n");
        let pid = client.line().parse().unwrap();
        (client, Process::of(pid))
    }
}

/// A request for a page.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")
}

/// What follows the head of an answer.
pub(crate) fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}
