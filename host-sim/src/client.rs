//! Simulated clients: blocking code, each in a process of its own.

use crate::check::Violation;
use crate::choice::Stream as Choosing;
use crate::kernel::{Index, Kernel};
use host_core::io::Stream;
use host_core::sys::{Errno, Sys};
use host_core::time::{Duration, Instant};
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// How long a client waits for an answer before it gives up, unless it was told otherwise.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Why a client's body ended early.
#[derive(Clone, PartialEq, Eq)]
pub enum ClientError {
    /// The connection failed or the answer did not come in time: faults do that.
    Io(Errno),
    /// The peer ended the connection before all of it came.
    Ended {
        /// What had come.
        got: Vec<u8>,
    },
    /// Something else came than was expected. No fault does that: it is a failure of the test too.
    Unexpected {
        /// What came.
        got: Vec<u8>,
        /// What was expected.
        wanted: Vec<u8>,
    },
    /// The host has announced no listener of this name: a failure of the test too.
    NoListener(String),
}

impl From<Errno> for ClientError {
    fn from(errno: Errno) -> Self {
        Self::Io(errno)
    }
}

impl std::error::Error for ClientError {}

/// As it is displayed: tests print lists of them, and bytes as numbers tell nobody anything.
impl fmt::Debug for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match self {
            Self::Io(errno) => write!(f, "{errno}"),
            Self::Ended { got } => write!(f, "the connection ended after {:?}", text(got)),
            Self::Unexpected { got, wanted } => write!(f, "got {:?}, expected {:?}", text(got), text(wanted)),
            Self::NoListener(name) => write!(f, "no listener is called `{name}`"),
        }
    }
}

/// A client: it connects when it first reads or writes.
pub struct Client {
    pub(crate) kernel: Rc<RefCell<Kernel>>,
    pub(crate) sys: Rc<dyn Sys>,
    pub(crate) index: Index,
    pub(crate) listener: String,
    pub(crate) stream: Option<Stream>,
    /// Which of its kind it is, from 0.
    pub(crate) number: usize,
    /// How long it waits in each of its calls.
    pub(crate) patience: Duration,
}

impl Client {
    /// Which of its kind this client is, from 0.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The connection, which is opened if there is none.
    ///
    /// # Errors
    /// What connecting answers.
    pub fn stream(&mut self) -> Result<&mut Stream, ClientError> {
        if self.stream.is_none() {
            let known = self.kernel.borrow().addresses.clone();
            if known.is_empty() {
                // The host has not come so far: nobody listens.
                return Err(Errno::CONNREFUSED.into());
            }
            let Some(address) = known.get(&self.listener).copied() else {
                let error = ClientError::NoListener(self.listener.clone());
                self.kernel.borrow_mut().violate(Violation::new("test", error.to_string()));
                return Err(error);
            };
            self.stream = Some(Stream::connect(Rc::clone(&self.sys), address, self.patience)?);
        }
        Ok(self.stream.as_mut().expect("just set"))
    }

    /// Sends all of `bytes`.
    ///
    /// # Errors
    /// What writing answers; [`Errno::TIMEDOUT`] if the peer does not read.
    pub fn write_all(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        let mut left = bytes;
        while !left.is_empty() {
            let count = self.stream()?.write_waiting(left)?;
            left = &left[count..];
        }
        Ok(())
    }

    /// Reads exactly `wanted.len()` bytes and compares.
    ///
    /// # Errors
    /// If they do not come, or are others; others are a failure of the test too.
    pub fn expect(&mut self, wanted: &[u8]) -> Result<(), ClientError> {
        let mut got = Vec::new();
        let mut buffer = [0; 512];
        while got.len() < wanted.len() {
            let most = (wanted.len() - got.len()).min(buffer.len());
            let count = self.stream()?.read_waiting(&mut buffer[..most])?;
            if count == 0 {
                return Err(ClientError::Ended { got });
            }
            got.extend_from_slice(&buffer[..count]);
            if !wanted.starts_with(&got) {
                let error = ClientError::Unexpected { got, wanted: wanted.to_vec() };
                let detail = format!("client {} of `{}`: {error}", self.number, self.listener);
                self.kernel.borrow_mut().violate(Violation::new("test", detail));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Reads until `delimiter` has come, and gives all up to and with it.
    ///
    /// # Errors
    /// If it does not come.
    pub fn read_until(&mut self, delimiter: &[u8]) -> Result<Vec<u8>, ClientError> {
        let mut got = Vec::new();
        while !got.ends_with(delimiter) {
            let mut byte = [0];
            if self.stream()?.read_waiting(&mut byte)? == 0 {
                return Err(ClientError::Ended { got });
            }
            got.push(byte[0]);
        }
        Ok(got)
    }

    /// Reads to the end.
    ///
    /// # Errors
    /// What reading answers.
    pub fn read_to_end(&mut self) -> Result<Vec<u8>, ClientError> {
        let mut got = Vec::new();
        let mut buffer = [0; 512];
        loop {
            match self.stream()?.read_waiting(&mut buffer)? {
                0 => return Ok(got),
                count => got.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// Closes the connection; the next use opens another.
    pub fn close(&mut self) {
        self.stream = None;
    }

    /// Lets time pass.
    pub fn pause(&self, duration: Duration) {
        self.sys.work(duration);
    }

    /// A decision of this run: an index in `0..n`, 0 being the plainest.
    pub fn choose(&self, n: u32) -> u32 {
        self.kernel.borrow_mut().choices.choose(Choosing::Workload, self.index, n)
    }

    /// The moment.
    pub fn now(&self) -> Instant {
        self.sys.now()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({} of `{}`)", self.number, self.listener)
    }
}

/// How the bodies of some clients ended, so far.
pub(crate) type Endings = Rc<RefCell<Vec<Option<Result<(), ClientError>>>>>;

/// Some clients of one kind.
#[derive(Clone, Debug)]
pub struct Clients {
    pub(crate) endings: Endings,
}

impl Clients {
    /// Whether every body came to its end, well or not.
    pub fn all_ended(&self) -> bool {
        self.endings.borrow().iter().all(Option::is_some)
    }

    /// How many came to their end without an error.
    pub fn succeeded(&self) -> usize {
        self.endings.borrow().iter().filter(|ending| matches!(ending, Some(Ok(())))).count()
    }

    /// The errors of those that ended early.
    pub fn errors(&self) -> Vec<ClientError> {
        self.endings.borrow().iter().filter_map(|ending| ending.clone()?.err()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Choices;
    use crate::sim::{Pool, Sim};
    use host_core::{App, Fleet};

    const SECOND: Duration = Duration::from_secs(1);

    /// A machine on which somebody takes connections and says nothing.
    fn machine() -> Sim {
        let app = || {
            let fleet = Fleet::new("silent").workers(1).run(|worker| {
                let _clients = [worker.accept("silent")?, worker.accept("silent")?];
                while worker.pause(SECOND) {}
                Ok(())
            });
            App::new("app").listen("silent", "127.0.0.1:7000").fleet(fleet)
        };
        let mut sim = Sim::new(Choices::seeded(0), &Pool::default());
        assert_eq!(sim.address("silent"), None, "nobody has bound it");
        sim.host(app);
        sim.run_for(SECOND);
        sim
    }

    #[test]
    fn one_client_comes_at_once_and_waits_for_as_long_as_it_was_told() {
        let mut sim = machine();
        assert_eq!(sim.address("silent"), Some(([127, 0, 0, 1], 7000).into()));
        assert_eq!(sim.address("nobody"), None);
        for patience in [SECOND / 10, 60 * SECOND] {
            let begun = sim.now();
            let client = sim.client("silent", patience, |client| client.expect(b"something"));
            assert!(sim.run_until(2 * patience, |_| client.all_ended()));
            assert_eq!(client.errors(), [ClientError::Io(Errno::TIMEDOUT)]);
            let took = sim.now().since(begun);
            assert!(took >= patience && took < patience + SECOND / 100, "{patience:?}: {took:?}");
        }
        assert_eq!(sim.client_calls(), [1, 1], "it can be left out of a run like others");
    }

    #[test]
    fn the_patient_are_waited_for_when_all_settles() {
        let mut sim = machine();
        let client = sim.client("silent", 2000 * SECOND, |client| client.expect(b"something"));
        sim.heal_and_settle();
        assert_eq!(client.errors(), [ClientError::Io(Errno::TIMEDOUT)]);
    }
}
