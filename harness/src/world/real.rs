//! What a body does with processes.

use super::{Birth, Heard, Who, cannot_signal, may_go_on};
use crate::process::{self, Process, ProcessId, Stopwatch, Tree, scaled};
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

/// The first one first. Numbers do not tell: they begin again.
fn by_birth(mut ids: Vec<ProcessId>) -> Vec<Who> {
    ids.sort_by_key(|id| (id.start, id.pid));
    ids.into_iter().map(|id| Who { pid: id.pid, birth: Birth::Tick(id.start) }).collect()
}

fn living(process: &Process, tree: &Tree) -> Vec<Who> {
    by_birth(tree.children_of(process.pid()).map(|node| node.id).collect())
}

pub(super) fn workers(process: &Process) -> Vec<Who> {
    living(process, &process.tree())
}

#[track_caller]
pub(super) fn expect_workers(process: &Process, count: usize, bound: Duration) -> Vec<Who> {
    let children = process.expect("as many workers as are wanted").within(bound).children(count);
    by_birth(children.into_iter().map(|node| node.id).collect())
}

#[track_caller]
pub(super) fn expect_replaced(process: &Process, before: &[Who], worker: Who, bound: Duration) -> Vec<Who> {
    let count = before.len();
    let wanted = format!("{count} children, and somebody else in the place of {worker:?}");
    let expected = process.expect("the successor of a worker").within(bound);
    let tree = expected.tree(&wanted, |tree| {
        let now = living(process, tree);
        now.len() == count && !now.contains(&worker)
    });
    living(process, &tree)
}

#[track_caller]
pub(super) fn signal_worker(process: &Process, worker: Who, signal: Signal) {
    let tree = process.tree();
    let is_it = |id: ProcessId| id.pid == worker.pid && Birth::Tick(id.start) == worker.birth;
    match tree.children_of(process.pid()).find(|child| is_it(child.id)) {
        Some(child) => process.signal_to(child, raw(signal)),
        None => {
            let is_dead = tree.zombies().any(|node| is_it(node.id));
            cannot_signal(worker, signal, is_dead, &living(process, &tree))
        }
    }
}

#[track_caller]
pub(super) fn ask(
    process: &Process,
    listener: &str,
    request: &[u8],
    answer: &[u8],
    bound: Duration,
) -> Heard {
    let watch = Stopwatch::start();
    // From the beginning, each time.
    let mut told = process.output(process::Stream::Stderr).within(bound);
    let line = told.until(&format!("listener `{listener}` is bound to {{address}}"));
    let mut bytes = Vec::new();
    let end = match exchange(line.parse("address"), request, answer, &mut bytes, (watch, scaled(bound))) {
        Ok(()) => "that is all".to_owned(),
        Err(error) if [ErrorKind::TimedOut, ErrorKind::WouldBlock].contains(&error.kind()) => {
            format!("no more within {:?}", scaled(bound))
        }
        Err(error) => error.to_string(),
    };
    Heard { bytes, end }
}

/// Says `request` and reads the answer into `heard`, as far as it is one.
fn exchange(
    address: SocketAddr,
    request: &[u8],
    answer: &[u8],
    heard: &mut Vec<u8>,
    (watch, bound): (Stopwatch, Duration),
) -> std::io::Result<()> {
    let left = || {
        let left = bound.saturating_sub(watch.elapsed());
        // A socket takes none for without end.
        if left.is_zero() { Err(ErrorKind::TimedOut) } else { Ok(left) }
    };
    let mut stream = TcpStream::connect_timeout(&address, left()?)?;
    let mut unsaid = request;
    while !unsaid.is_empty() {
        stream.set_write_timeout(Some(left()?))?;
        let count = stream.write(unsaid)?;
        unsaid = &unsaid[count..];
    }
    let mut buffer = [0; 4096];
    while may_go_on(heard, answer) {
        stream.set_read_timeout(Some(left()?))?;
        match stream.read(&mut buffer)? {
            0 => break,
            count => heard.extend_from_slice(&buffer[..count]),
        }
    }
    Ok(())
}

#[track_caller]
pub(super) fn expect_end(process: &Process, bound: Duration) -> Option<u8> {
    // One wait for both, so that it is one bound.
    process.expect("the end of the host and of all of its processes").within(bound).nobody();
    let status = process.status().expect("it is the test's child, and nobody else asks for its status");
    status.code().and_then(|code| u8::try_from(code).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_be_born_is_the_first_whatever_its_number() {
        let ids = [(9, 30), (4, 31), (2, 31), (700, 29)].map(|(pid, start)| ProcessId { pid, start });
        let sorted = by_birth(ids.to_vec());
        assert_eq!(sorted.iter().map(Who::pid).collect::<Vec<_>>(), [700, 9, 2, 4]);
        assert_eq!(format!("{:?}", sorted[0]), "700 (born at tick 29)");
    }
}
