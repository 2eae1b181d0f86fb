//! What a body does with processes.

use crate::process::{self, Process, Stopwatch, scaled};
use host_core::sys::Signal;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The signal as the system has it.
pub(super) fn raw(signal: Signal) -> process::Signal {
    process::Signal::from_named_raw(i32::from(signal.number())).expect("it is one of the system's")
}

pub(super) fn pass(process: &Process, duration: Duration) {
    // It ends early if there is nobody left with whom anything could happen.
    process.all_end_within(duration);
}

#[track_caller]
pub(super) fn expect_replaced(process: &Process, before: &[u32], worker: u32, bound: Duration) -> Vec<u32> {
    let (root, count) = (process.pid(), before.len());
    let living = |tree: &process::Tree| -> Vec<u32> {
        let children = tree.children_of(root).filter(|node| node.is_alive());
        children.map(process::Node::pid).collect()
    };
    let wanted = format!("{count} children, and somebody else in the place of {worker}");
    let expected = process.expect("the successor of a worker").within(bound);
    let tree = expected.tree(&wanted, |tree| {
        let now = living(tree);
        now.len() == count && !now.contains(&worker)
    });
    living(&tree)
}

#[track_caller]
pub(super) fn signal_worker(process: &Process, worker: u32, signal: Signal) {
    let children = process.children();
    let found = children.iter().find(|child| child.pid() == worker);
    let Some(child) = found else { panic!("no worker has the number {worker}: there are {children:?}") };
    process.signal_to(child, raw(signal));
}

#[track_caller]
pub(super) fn ask(process: &Process, listener: &str, request: &[u8], answer: &[u8], bound: Duration) {
    // From the beginning, each time.
    let mut told = process.output(process::Stream::Stderr);
    let line = told.until(&format!("listener `{listener}` is bound to {{address}}"));
    let address: SocketAddr = line.parse("address");
    let answered = exchange(address, request, answer.len(), scaled(bound));
    let heard =
        answered.unwrap_or_else(|error| panic!("`{listener}` at {address} has not answered: {error}"));
    assert_eq!(
        heard.escape_ascii().to_string(),
        answer.escape_ascii().to_string(),
        "what `{listener}` answers"
    );
}

/// Says `request` and reads as many bytes as wanted, or what comes before the end.
fn exchange(address: SocketAddr, request: &[u8], wanted: usize, bound: Duration) -> std::io::Result<Vec<u8>> {
    let watch = Stopwatch::start();
    let mut stream = TcpStream::connect_timeout(&address, bound)?;
    stream.write_all(request)?;
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    while heard.len() < wanted {
        let left = bound.saturating_sub(watch.elapsed());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer)? {
            0 => break,
            count => heard.extend_from_slice(&buffer[..count]),
        }
    }
    Ok(heard)
}
