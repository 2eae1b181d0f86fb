//! An application that runs until a signal ends it, in either world.

use harness::{ExitStatus, Sim};
use host_core::App;
use host_core::sys::Signal;
use host_sim::{Choices, Pool};
use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// How long a real process may take for anything that takes milliseconds; a bound, not a wait.
const BOUND: Duration = Duration::from_secs(20);

/// In its environment, a process knows which case it is the child of: it runs that application.
pub(crate) const CHILD: &str = "HOST_TEST_CHILD";

/// A word from inside the application: a line on standard error for real, a note in the simulator.
pub(crate) type Say = Rc<dyn Fn(&str)>;

/// A case: its name, the application, and what is done to it and demanded of it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) app: fn(Say) -> App,
    pub(crate) body: fn(&dyn Fn() -> Running),
}

impl Case {
    /// Runs the body in the simulator with some seeds, then for real.
    pub(crate) fn run(&'static self) {
        for seed in 0..3 {
            (self.body)(&|| Running::simulated(seed, self.app));
        }
        (self.body)(&|| Running::Real(RealHost::spawn(self.name)));
    }

    /// Runs the application in this process, to its end.
    pub(crate) fn run_as_child(&self) -> ! {
        let ended = host_sys::run((self.app)(Rc::new(|words| eprintln!("{words}"))));
        if let Err(error) = &ended {
            eprintln!("{error}");
        }
        std::process::exit(i32::from(host_core::error::exit::status(&ended)));
    }
}

/// An application that runs.
pub(crate) enum Running {
    Simulated { sim: Box<Sim>, said: Rc<RefCell<Vec<String>>>, read: usize },
    Real(RealHost),
}

impl Running {
    fn simulated(seed: u64, app: fn(Say) -> App) -> Self {
        let mut sim = Sim::new(Choices::seeded(seed), &Pool::default());
        let said: Rc<RefCell<Vec<String>>> = Rc::default();
        let notes = Rc::clone(&said);
        let say: Say = Rc::new(move |words| notes.borrow_mut().push(words.to_owned()));
        sim.host(move || app(Rc::clone(&say)));
        Self::Simulated { sim: Box::new(sim), said, read: 0 }
    }

    /// Waits until the application says `words`, from where the last such wait ended.
    pub(crate) fn wait_until_said(&mut self, words: &str) {
        match self {
            Self::Simulated { sim, said, read } => {
                let find = || said.borrow().iter().skip(*read).position(|line| line == words);
                assert!(sim.run_until(BOUND, |_| find().is_some()), "the application never said `{words}`");
                *read += find().expect("just found") + 1;
            }
            Self::Real(host) => while host.next_line(words) != words {},
        }
    }

    /// Demands that the application says nothing for `duration`.
    pub(crate) fn stay_quiet(&mut self, duration: Duration) {
        match self {
            Self::Simulated { sim, said, read } => {
                sim.run_for(duration);
                assert_eq!(said.borrow().len(), *read, "{said:?}");
            }
            Self::Real(host) => {
                assert_eq!(host.lines.recv_timeout(duration), Err(RecvTimeoutError::Timeout));
            }
        }
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        match self {
            Self::Simulated { sim, .. } => sim.signal(signal),
            Self::Real(host) => host.signal(signal),
        }
    }

    /// Waits for the end: the status, and the lines on standard error.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        match &mut self {
            Self::Simulated { sim, .. } => {
                sim.expect_end();
                assert!(sim.run_until(BOUND, |sim| sim.host_status().is_some()), "the host did not end");
                (sim.host_status().expect("it ended"), sim.host_said().join("\n"))
            }
            Self::Real(host) => host.wait(),
        }
    }
}

/// A child process that is gone when this is.
pub(crate) struct RealHost {
    child: Child,
    lines: Receiver<String>,
}

impl RealHost {
    fn spawn(case: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("the path of this test"))
            .env(CHILD, case)
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a child process");
        let stderr = child.stderr.take().expect("it is piped");
        let (sender, lines) = channel();
        #[expect(
            clippy::disallowed_methods,
            reason = "a read with a bound needs a thread; this process never forks itself"
        )]
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    fn next_line(&self, awaited: &str) -> String {
        match self.lines.recv_timeout(BOUND) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("waited {BOUND:?} for the line `{awaited}`"),
            Err(RecvTimeoutError::Disconnected) => panic!("the host ended before it said `{awaited}`"),
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let number = i32::from(signal.number());
        let signal = rustix::process::Signal::from_named_raw(number).expect("a known signal");
        rustix::process::kill_process(pid, signal).expect("the child is not reaped");
    }

    fn wait(&mut self) -> (ExitStatus, String) {
        use std::os::unix::process::ExitStatusExt as _;
        // Its standard error ends when it does.
        let mut said = Vec::new();
        loop {
            match self.lines.recv_timeout(BOUND) {
                Ok(line) => said.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("the host did not end in {BOUND:?}; it said {said:?}")
                }
            }
        }
        let status = self.child.wait().expect("it was not reaped before");
        let status = match (status.code(), status.signal()) {
            (Some(code), _) => ExitStatus::Code(code as u8),
            (None, Some(signal)) => {
                ExitStatus::by(Signal::from_number(signal as u32).expect("a signal that tests send"))
            }
            (None, None) => panic!("neither a status nor a signal: {status:?}"),
        };
        (status, said.join("\n"))
    }
}

impl Drop for RealHost {
    fn drop(&mut self) {
        // It may have ended: then there is nothing to kill, and wait answers at once.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
