//! The collector: one thread for each process under test, which takes whatever comes from its tree at the
//! moment it comes, so that no program waits for its test to read.

use super::clock::Stopwatch;
use super::handle::{Handle, timespec};
use super::shared::{LOOK_SHARE, Shared, State, Stream};
use super::timeline::Event;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io::{ErrorKind, Read, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixDatagram;
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::Arc;
use std::time::Duration;

/// How long after something has happened the tree is looked at for the record, if nobody waits for it: late
/// enough to leave the processors to those who are being tested.
const LOOK_LATER: Duration = Duration::from_millis(20);

/// How much is read at once: as much as a pipe holds (pipe(7)).
const PORTION: usize = 64 << 10;

/// The ends of what connects a process with its test.
#[derive(Debug, Default)]
pub(super) struct Ends {
    pub(super) stdin: Option<ChildStdin>,
    pub(super) stdout: Option<ChildStdout>,
    pub(super) stderr: Option<ChildStderr>,
    pub(super) notify: Option<UnixDatagram>,
}

/// What became ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Bell,
    Stdin,
    Said(Stream),
    Notify,
    Death(u32),
}

/// Collects until the tree is gone and all that it said was read.
pub(super) fn collect(shared: &Shared, mut ends: Ends) {
    let mut portion = vec![0; PORTION];
    let mut look = LookLater::default();
    loop {
        let state = shared.lock();
        let (asked, is_over, watched) = (state.asked(), state.is_over, state.family.watched());
        let is_asked = asked > state.answered;
        if state.is_input_over && state.input.is_empty() {
            ends.stdin = None;
        }
        let has_input = !state.input.is_empty();
        drop(state);

        let bound = if is_over || is_asked { Some(Duration::ZERO) } else { look.left() };
        let ready = ready(shared, &ends, has_input, &watched, bound);

        let mut state = shared.lock();
        for source in &ready {
            match source {
                Source::Bell => drain(shared),
                Source::Stdin => write(&mut ends, &mut state),
                Source::Said(stream) => read(*stream, &mut ends, &mut portion, &mut state),
                Source::Notify => be_notified(&ends, &mut portion, &mut state),
                Source::Death(pid) => {
                    let State { family, timeline, .. } = &mut *state;
                    family.settle(*pid, timeline);
                }
            }
        }
        let has_happened = ready.iter().any(|source| !matches!(source, Source::Bell | Source::Stdin));
        let has_looked = look.after(has_happened, &mut state);
        state.answered = state.answered.max(asked);
        let is_done = is_over && !has_happened;
        state.is_collecting = !is_done;
        drop(state);
        // Not after each turn: those who look at the tree ring the bell, and would be told of it for ever.
        if has_happened || has_looked || is_asked || is_done {
            shared.tell();
        }
        if is_done {
            return;
        }
    }
}

/// Waits until something is ready.
fn ready(
    shared: &Shared,
    ends: &Ends,
    has_input: bool,
    watched: &[(u32, Arc<Handle>)],
    bound: Option<Duration>,
) -> Vec<Source> {
    let mut sources = vec![Source::Bell];
    let mut fds = vec![PollFd::new(&shared.bell, PollFlags::IN)];
    let mut add = |source, fd, flags| {
        sources.push(source);
        fds.push(PollFd::from_borrowed_fd(fd, flags));
    };
    if let Some(stdin) = ends.stdin.as_ref().filter(|_| has_input) {
        add(Source::Stdin, stdin.as_fd(), PollFlags::OUT);
    }
    if let Some(stdout) = &ends.stdout {
        add(Source::Said(Stream::Stdout), stdout.as_fd(), PollFlags::IN);
    }
    if let Some(stderr) = &ends.stderr {
        add(Source::Said(Stream::Stderr), stderr.as_fd(), PollFlags::IN);
    }
    if let Some(notify) = &ends.notify {
        add(Source::Notify, notify.as_fd(), PollFlags::IN);
    }
    for (pid, handle) in watched {
        add(Source::Death(*pid), handle.as_fd(), PollFlags::IN);
    }
    match poll(&mut fds, bound.map(timespec).as_ref()) {
        Ok(_) => {}
        Err(Errno::INTR) => return Vec::new(),
        // The kernel has no memory for it now: as if nothing had come.
        Err(_) => return Vec::new(),
    }
    let is_ready = |(source, fd): (Source, PollFd<'_>)| (!fd.revents().is_empty()).then_some(source);
    sources.into_iter().zip(fds).filter_map(is_ready).collect()
}

fn drain(shared: &Shared) {
    let mut count = [0; 8];
    // Somebody may have been faster.
    let _ = rustix::io::read(&shared.bell, &mut count);
}

fn write(ends: &mut Ends, state: &mut State) {
    let Some(stdin) = &mut ends.stdin else { return };
    let (portion, _) = state.input.as_slices();
    match stdin.write(portion) {
        Ok(count) => drop(state.input.drain(..count)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
        Err(_) => {
            let text = format!("nobody reads standard input; {} bytes are left", state.input.len());
            state.note(Event::Told { text });
            state.input.clear();
            state.is_input_over = true;
            ends.stdin = None;
        }
    }
}

fn read(stream: Stream, ends: &mut Ends, portion: &mut [u8], state: &mut State) {
    let count = match stream {
        Stream::Stdout => ends.stdout.as_mut().map(|pipe| pipe.read(portion)),
        Stream::Stderr => ends.stderr.as_mut().map(|pipe| pipe.read(portion)),
    };
    let at = state.timeline.now();
    let lines = &mut state.said[stream as usize];
    match count {
        Some(Ok(count @ 1..)) => lines.push(at, &portion[..count]),
        Some(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
        Some(Ok(0) | Err(_)) | None => {
            lines.end(at);
            match stream {
                Stream::Stdout => ends.stdout = None,
                Stream::Stderr => ends.stderr = None,
            }
        }
    }
}

fn be_notified(ends: &Ends, portion: &mut [u8], state: &mut State) {
    let Some(Ok(count)) = ends.notify.as_ref().map(|socket| socket.recv(portion)) else { return };
    for line in String::from_utf8_lossy(&portion[..count]).lines() {
        state.note(Event::Told { text: format!("NOTIFY_SOCKET: {line}") });
        state.notified.push(line.to_owned());
    }
}

/// When to look at the tree for the record.
#[derive(Debug, Default)]
struct LookLater {
    due: Option<(Stopwatch, Duration)>,
    cost: Duration,
}

impl LookLater {
    fn left(&self) -> Option<Duration> {
        self.due.map(|(watch, pause)| watch.left_of(pause))
    }

    /// Whether this was the moment.
    fn after(&mut self, has_happened: bool, state: &mut State) -> bool {
        let is_due = self.left() == Some(Duration::ZERO);
        if is_due {
            let watch = Stopwatch::start();
            state.look();
            (self.due, self.cost) = (None, watch.elapsed());
        }
        if (has_happened || state.family.is_in_doubt()) && self.due.is_none() {
            self.due = Some((Stopwatch::start(), LOOK_LATER.max(self.cost * LOOK_SHARE)));
        }
        is_due
    }
}
