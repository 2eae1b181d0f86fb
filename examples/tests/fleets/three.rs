//! The program with three fleets, running.

use crate::kit::process::Process;
use crate::kit::{Client, Program};
use examples::fleets::FLEETS;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

pub(crate) const MS: Duration = Duration::from_millis(1);

/// The program, with a port of its own for each fleet.
pub(crate) struct Three {
    pub(crate) program: Program,
    addresses: BTreeMap<&'static str, SocketAddr>,
}

impl Three {
    /// Starts it with these flags. It is bound, and its workers may not be ready.
    pub(crate) fn bound(flags: &str) -> Self {
        let flags: Vec<_> = ["--port", "0"].into_iter().chain(flags.split_whitespace()).collect();
        let mut program = Program::spawn("fleets", &flags);
        let address = |name| {
            let line = program.stderr.until(&format!("listener `{name}` is bound to "));
            (name, line.rsplit(' ').next().unwrap().parse().unwrap())
        };
        let addresses = FLEETS.into_iter().map(address).collect();
        Self { program, addresses }
    }

    /// Starts it with these flags, and waits until so many workers are ready.
    pub(crate) fn ready(workers: usize, flags: &str) -> Self {
        let mut three = Self::bound(flags);
        three.notices(workers, "is ready");
        three
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

    /// All notices up to the one with these words.
    pub(crate) fn notices_until(&mut self, words: &str) -> Vec<String> {
        self.program.stderr.all_until(words)
    }

    pub(crate) fn client(&self, fleet: &str) -> Client {
        Client::connect(self.addresses[fleet])
    }

    /// A client with the worker that serves it.
    pub(crate) fn served(&self, fleet: &str) -> (Client, Process) {
        let mut client = self.client(fleet);
        client.send("!pid\n");
        let pid = client.line().parse().unwrap();
        (client, Process::of(pid))
    }

    /// Makes a worker of this fleet do this: a client that waits for what comes of it, and the worker.
    pub(crate) fn misbehave(&self, fleet: &str, how: &str) -> (Client, Process) {
        let (mut client, worker) = self.served(fleet);
        client.send(format!("{how}\n"));
        (client, worker)
    }
}

/// When a notice was told, on the host's clock: that a test reads it late makes no difference.
pub(crate) fn told_at(notice: &str) -> Duration {
    let seconds = notice.split_once("] ").unwrap().1.split_once("s ").unwrap().0;
    Duration::from_secs_f64(seconds.parse().unwrap())
}

/// Of notices: those with these words, by the fleet that they are about.
pub(crate) fn fleets_of(notices: &[String], words: &str) -> Vec<String> {
    let about = |line: &String| Some(line.split_once("fleet `")?.1.split_once('`')?.0.to_owned());
    notices.iter().filter(|line| line.contains(words)).filter_map(about).collect()
}
