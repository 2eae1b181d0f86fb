//! What children print: the pipes that they have for it, and what is read from them.
//!
//! Nobody waits for it. A little is read in each wake, so that one which floods keeps nobody else waiting; of one that
//! has died what is there is read, whoever else may still hold the other end.

use super::Driver;
use super::workers::GENERATION;
use crate::fleet::output::{Output, REST, Told};
use crate::id::{WorkerHandle, WorkerId};
use crate::notice::{Notice, Record};
use crate::sys::{Errno, ForkError, Handle, Interest, Pid, StdStream, Sys};
use crate::time::Instant;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// How much of one stream is read in one wake: all that a pipe holds, if nobody has made it larger. The rest is
/// reported again.
const READ_MAX: usize = 64 * 1024;
/// How much is read of one that has died: as much as a pipe may hold that its user has made larger (pipe(7),
/// pipe-max-size), and no more, since somebody else may still write.
const LAST_WORDS_MAX: usize = 1024 * 1024;

/// Two pipes for a worker that is to be born, by stream.
pub(super) struct Pipes {
    pub(super) ours: [Handle; 2],
    /// What the worker prints into. To be closed when it has been born: the last one to hold it ends the pipe.
    pub(super) theirs: [Handle; 2],
}

/// The output of a worker that lives.
pub(super) struct Captured {
    pid: Pid,
    /// By stream; none once it has ended.
    pipes: [Option<Handle>; 2],
    output: Output,
    /// It prints too much: the poller does not report it, and it is read at the moment that stands in
    /// [`Reading::resting`].
    rests: bool,
}

/// What reading takes, of all children together.
#[derive(Default)]
pub(super) struct Reading {
    buffer: Vec<u8>,
    text: String,
    /// Who prints too much, and when that is read next.
    resting: BTreeMap<WorkerId, Instant>,
}

impl Pipes {
    pub(super) fn make(sys: &dyn Sys) -> Result<Self, ForkError> {
        let failed = |errno| ForkError::System { call: "pipe2", errno };
        let (our_out, their_out) = sys.pipe().map_err(failed)?;
        let (our_err, their_err) = sys.pipe().map_err(failed).inspect_err(|_| {
            close(sys, [our_out, their_out]);
        })?;
        Ok(Self { ours: [our_out, our_err], theirs: [their_out, their_err] })
    }
}

pub(super) fn close(sys: &dyn Sys, handles: [Handle; 2]) {
    handles.into_iter().for_each(|handle| sys.close(handle));
}

impl Driver {
    /// From here on what `worker` prints is reported; all or nothing.
    pub(super) fn watch_output(
        &self,
        worker: WorkerId,
        pid: Pid,
        ours: [Handle; 2],
        lines_per_second: u32,
    ) -> Result<Captured, Errno> {
        let sys = &self.shared.sys;
        let watch = |stream: StdStream| {
            let key = worker.key(WorkerHandle::Output(stream));
            sys.poll_add(ours[stream.index()], key, Interest::READ)
        };
        watch(StdStream::Stdout)?;
        watch(StdStream::Stderr).inspect_err(|_| {
            // It was registered a moment ago.
            let _ = sys.poll_delete(ours[StdStream::Stdout.index()]);
        })?;
        Ok(Captured { pid, pipes: ours.map(Some), output: Output::new(lines_per_second), rests: false })
    }

    /// The poller reports that a worker has printed something, or prints nothing more.
    pub(super) fn read_output(&mut self, worker: WorkerId, stream: StdStream) {
        let Some(mut captured) = self.children.take_captured(worker) else { return };
        if !captured.rests {
            self.read_some(worker, &mut captured, stream, 1);
            self.watch_or_rest(worker, &mut captured);
        }
        self.children.give_captured_back(worker, captured);
    }

    /// Reads those who have printed too much, if they have rested; when the next ones have.
    pub(super) fn read_resting(&mut self) -> Option<Instant> {
        let now = self.shared.now;
        let is_due = |(worker, due): (&WorkerId, &Instant)| (*due <= now).then_some(*worker);
        while let Some(worker) = self.children.reading.resting.iter().find_map(is_due) {
            self.children.reading.resting.remove(&worker);
            let Some(mut captured) = self.children.take_captured(worker) else { continue };
            for stream in StdStream::ALL {
                // All of it: who waits for room must not wait for another rest, since that is no sign of life.
                self.read_some(worker, &mut captured, stream, READ_MAX);
            }
            if let Some(told) = captured.output.left_out(now, false) {
                self.tell_output(worker, captured.pid, StdStream::Stdout, "", told);
            }
            self.watch_or_rest(worker, &mut captured);
            self.children.give_captured_back(worker, captured);
        }
        self.children.reading.resting.values().min().copied()
    }

    /// After it was read: the poller reports what it prints, or it is left alone for a while.
    fn watch_or_rest(&mut self, worker: WorkerId, captured: &mut Captured) {
        let now = self.shared.now;
        let mut until = captured.output.rests_until(now);
        match (captured.rests, until) {
            (false, Some(_)) => self.unwatch(captured),
            (true, None) => {
                let sys = &self.shared.sys;
                let watched = StdStream::ALL.into_iter().try_for_each(|stream| {
                    let key = worker.key(WorkerHandle::Output(stream));
                    captured.pipes[stream.index()]
                        .map_or(Ok(()), |pipe| sys.poll_add(pipe, key, Interest::READ))
                });
                if watched.is_err() {
                    // There is no memory for it: it goes on as it was, and is tried again.
                    self.unwatch(captured);
                    until = Some(now + REST);
                }
            }
            (false, None) | (true, Some(_)) => {}
        }
        captured.rests = until.is_some();
        if let Some(until) = until {
            self.children.reading.resting.insert(worker, until);
        }
    }

    fn unwatch(&self, captured: &Captured) {
        for pipe in captured.pipes.into_iter().flatten() {
            // It can only fail because it is not registered, which is what is wanted.
            let _ = self.shared.sys.poll_delete(pipe);
        }
    }

    /// Reads what a worker that has died left behind, and closes its pipes.
    pub(super) fn end_output(&mut self, worker: WorkerId) {
        let Some(mut captured) = self.children.take_captured(worker) else { return };
        self.children.reading.resting.remove(&worker);
        for stream in StdStream::ALL {
            self.read_some(worker, &mut captured, stream, LAST_WORDS_MAX);
            self.end_stream(worker, &mut captured, stream);
        }
        if let Some(told) = captured.output.left_out(self.shared.now, true) {
            self.tell_output(worker, captured.pid, StdStream::Stdout, "", told);
        }
    }

    /// Reads until there is nothing, or `enough` bytes were read: with 1, all that one read gives.
    fn read_some(&mut self, worker: WorkerId, captured: &mut Captured, stream: StdStream, enough: usize) {
        let mut buffer = core::mem::take(&mut self.children.reading.buffer);
        let mut text = core::mem::take(&mut self.children.reading.text);
        buffer.resize(READ_MAX, 0);
        let mut read = 0;
        while read < enough {
            let Some(pipe) = captured.pipes[stream.index()] else { break };
            match self.shared.sys.pipe_read(pipe, &mut buffer) {
                Ok(length @ 1..) => {
                    read += length;
                    let (now, mut bytes) = (self.shared.now, &buffer[..length]);
                    while let Some(told) = captured.output.next(now, stream, &mut bytes, &mut text) {
                        self.tell_output(worker, captured.pid, stream, &text, told);
                    }
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                // Its end; and a pipe that cannot be read would be reported for ever.
                Ok(0) | Err(_) => self.end_stream(worker, captured, stream),
            }
        }
        (self.children.reading.buffer, self.children.reading.text) = (buffer, text);
    }

    /// Nothing more is read from this stream.
    fn end_stream(&mut self, worker: WorkerId, captured: &mut Captured, stream: StdStream) {
        let Some(pipe) = captured.pipes[stream.index()].take() else { return };
        // It can only fail because it is not registered, which is what is wanted.
        let _ = self.shared.sys.poll_delete(pipe);
        self.shared.sys.close(pipe);
        let mut text = String::new();
        if let Some(told) = captured.output.end(self.shared.now, stream, &mut text) {
            self.tell_output(worker, captured.pid, stream, &text, told);
        }
    }

    fn tell_output(&mut self, worker: WorkerId, pid: Pid, stream: StdStream, text: &str, told: Told) {
        let generation = GENERATION;
        let (notice, text) = match told {
            Told::Line { end } => (Notice::Output { worker, pid, generation, stream, end }, Some(text)),
            Told::LeftOut { lines } => (Notice::OutputLeftOut { worker, pid, generation, lines }, None),
        };
        let fleet = self.children.name(worker.fleet);
        self.tell_record(&Record {
            at: self.shared.now,
            wall: self.shared.sys.wall(),
            subject: Some(&fleet.name),
            service: None,
            fleet: Some(worker.fleet),
            error: None,
            text,
            notice: &notice,
        });
    }
}
