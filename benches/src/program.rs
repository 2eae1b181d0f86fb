//! Programs that are measured from outside, and what `/proc` tells of them.

use crate::bare::dies_with_us;
use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A server that runs, and where.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// It may say more: a pipe that nobody reads holds some pages of that.
    _says: BufReader<ChildStdout>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts `command`, and waits for the line that tells where it listens.
    ///
    /// # Errors
    /// If it cannot be started, or says something else.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        dies_with_us(command);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut says =
            BufReader::new(child.stdout.take().ok_or_else(|| io::Error::other("it has no output"))?);
        let mut line = String::new();
        let read = says.read_line(&mut line);
        let address = line.trim().strip_prefix("listening on ").and_then(|address| address.parse().ok());
        match (read, address) {
            (Ok(_), Some(address)) => Ok(Self { child, _says: says, address }),
            (read, _) => {
                let _ = child.kill();
                let _ = child.wait();
                read.and(Err(io::Error::other(format!("it said {line:?} instead of where it listens"))))
            }
        }
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// It and its children.
    ///
    /// # Errors
    /// Whatever reading `/proc` answers.
    pub fn processes(&self) -> io::Result<Vec<u32>> {
        let own = self.pid();
        let list = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children"))?;
        let children = list.split_whitespace().filter_map(|pid| pid.parse().ok());
        Ok(std::iter::once(own).chain(children).collect())
    }
}

/// Its workers die with it.
impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An example of this house, if it was built with the profile of this program.
///
/// # Errors
/// How to build it.
pub fn example(name: &str) -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let path = this.ancestors().nth(2).map(|target| target.join("examples").join(name));
    path.filter(|path| path.exists())
        .ok_or_else(|| format!("{name} is not built: cargo build --release -p examples --example {name}"))
}

/// This program again, told to do something else.
///
/// # Errors
/// If nobody knows where it is.
pub fn this(arguments: &[&str]) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments);
    Ok(command)
}

/// The number in a line of a file of `/proc`: `Pss:  123 kB`.
///
/// # Errors
/// If the process has ended, or there is no such line.
pub fn number(pid: u32, file: &str, key: &str) -> io::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/{file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| io::Error::other(format!("no {key} in /proc/{pid}/{file}")))
}

/// How many nanoseconds a process of one thread has computed (proc_pid_schedstat(5)).
///
/// # Errors
/// If it has ended.
pub fn computed(pid: u32) -> io::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    let nanos = text.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
    nanos.ok_or_else(|| io::Error::other(format!("no number in /proc/{pid}/schedstat")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_tells_of_this_process() {
        let own = std::process::id();
        assert!(number(own, "smaps_rollup", "Pss").unwrap() > 100);
        assert!(number(own, "status", "voluntary_ctxt_switches").is_ok());
        assert!(number(own, "status", "voluntary").is_err());
        assert!(computed(own).is_ok());
    }
}
