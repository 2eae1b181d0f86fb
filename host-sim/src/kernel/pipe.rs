//! Pipes (pipe(7)), and what processes print into them.

use crate::kernel::files::{FileId, Object};
use crate::kernel::poller::Holds;
use crate::kernel::rules::Rule;
use crate::kernel::{Call, Index, Kernel};
use crate::marks::sometimes;
use crate::trace::{Kind, Who, hash_bytes};
use host_core::sys::{Errno, Handle, StdStream};
use std::collections::VecDeque;

/// A pipe holds so many pages, whatever is in them: 64 KiB of whole ones.
const PAGES: usize = 16;
/// What fits into one, and is written at once or not at all (PIPE_BUF).
const PAGE: usize = 4096;

/// A pipe. What is written can be read at once.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    /// The files that stand for its ends; none once the last descriptor of one is closed.
    reading: Option<FileId>,
    writing: Option<FileId>,
    pages: VecDeque<Page>,
}

#[derive(Debug)]
struct Page {
    /// All that was ever put into it: what was read makes no room in its page.
    bytes: Vec<u8>,
    read: usize,
}

impl Pipe {
    /// Puts in as many of `bytes` as have room; how many that is. Of a write that `begins`, what is over whole
    /// pages goes into the last page, if it has room for that (pipe_write; observed on Linux 6.18).
    fn put(&mut self, bytes: &[u8], begins: bool, pages_max: usize) -> usize {
        let over = bytes.len() % PAGE;
        let last = self.pages.back_mut().filter(|last| begins && over > 0 && last.bytes.len() + over <= PAGE);
        let mut put = last.map_or(0, |last| {
            last.bytes.extend_from_slice(&bytes[..over]);
            over
        });
        while put < bytes.len() && self.pages.len() < pages_max {
            let page = &bytes[put..bytes.len().min(put + PAGE)];
            self.pages.push_back(Page { bytes: page.to_vec(), read: 0 });
            put += page.len();
        }
        put
    }

    /// Takes as many bytes as `buffer` has room for.
    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let mut taken = 0;
        while let Some(page) = self.pages.front_mut().filter(|_| taken < buffer.len()) {
            let rest = &page.bytes[page.read..];
            let count = rest.len().min(buffer.len() - taken);
            buffer[taken..taken + count].copy_from_slice(&rest[..count]);
            (page.read, taken) = (page.read + count, taken + count);
            if page.read == page.bytes.len() {
                self.pages.pop_front();
            }
        }
        taken
    }

    fn length(&self) -> usize {
        self.pages.iter().map(|page| page.bytes.len() - page.read).sum()
    }
}

impl Kernel {
    pub(crate) fn pipe(&mut self, me: Index) -> Result<(Handle, Handle), Errno> {
        if self.laid.descriptors_short && Some(me) == self.host {
            return self.failed(me, Call::Pipe, Errno::MFILE);
        }
        let pipe = self.pipes.len() as u32;
        self.pipes.push(Pipe::default());
        let Some(reading) = self.open(me, Object::Pipe { pipe, writes: false }) else {
            return self.failed(me, Call::Pipe, Errno::MFILE);
        };
        let Some(writing) = self.open(me, Object::Pipe { pipe, writes: true }) else {
            self.close(me, reading);
            return self.failed(me, Call::Pipe, Errno::MFILE);
        };
        let files = (self.file(me, reading), self.file(me, writing));
        let made = &mut self.pipes[pipe as usize];
        (made.reading, made.writing) = files;
        self.record(me, Kind::Pipe, reading.raw(), writing.raw());
        Ok((reading, writing))
    }

    /// How many ends of pipes a process has open.
    pub(crate) fn pipes_of(&self, me: Index) -> usize {
        if self.pipes.is_empty() {
            return 0;
        }
        let handles = self.processes[me as usize].descriptors.handles();
        handles.iter().filter(|handle| matches!(self.object(me, **handle), Some(Object::Pipe { .. }))).count()
    }

    pub(crate) fn pipe_holds(&self, pipe: u32, writes: bool) -> Holds {
        let pipe = &self.pipes[pipe as usize];
        let (readable, writable) = (!writes && !pipe.pages.is_empty(), writes && pipe.pages.len() < PAGES);
        let other = if writes { pipe.reading } else { pipe.writing };
        Holds { readable, writable, hung_up: other.is_none(), read_ended: false }
    }

    pub(crate) fn pipe_read(&mut self, me: Index, handle: Handle, buffer: &mut [u8]) -> Result<usize, Errno> {
        let Some(Object::Pipe { pipe, writes: false }) = self.object(me, handle) else {
            return self.failed(me, Call::Read, Errno::BADF);
        };
        self.progressed(me, handle, true);
        let there = self.pipes[pipe as usize].length();
        if there == 0 && self.pipes[pipe as usize].writing.is_some() {
            return self.failed(me, Call::Read, Errno::AGAIN);
        }
        let mut most = there.min(buffer.len());
        if self.laid.short_io && most > 0 {
            most = self.shorter(me, most);
        }
        let read = &mut self.pipes[pipe as usize];
        let was_full = read.pages.len() >= PAGES;
        let count = read.take(&mut buffer[..most]);
        let has_room = read.pages.len() < PAGES;
        self.record(me, Kind::Read, handle.raw(), count as u64);
        if was_full && has_room {
            self.notify_pipe(pipe, true);
        }
        Ok(count)
    }

    /// Takes as many of `bytes` as there is room for, where `me` prints; `begins` if none of this write were taken before.
    pub(crate) fn print(
        &mut self,
        me: Index,
        stream: StdStream,
        bytes: &[u8],
        begins: bool,
    ) -> Result<usize, Errno> {
        let file = self.process(me).prints_into.map(|files| files[stream.index()]);
        if let (None, Some(file)) = (file, self.printed_on(me, stream)) {
            return self.append(me, Call::Print, file, bytes);
        }
        let Some(file) = file else {
            // Where the machine shows it.
            let words = format!("prints: {}", String::from_utf8_lossy(bytes).trim_end());
            let now = self.now;
            self.trace.note(now, Who(me), words);
            return Ok(bytes.len());
        };
        let Object::Pipe { pipe, .. } = self.files.get(file).object else {
            unreachable!("whoever was born with something else was not born")
        };
        if self.pipes[pipe as usize].reading.is_none() {
            sometimes!("a worker prints what nobody reads any more");
            return self.failed(me, Call::Print, Errno::PIPE);
        }
        let pages_max = if self.honours(Rule::PipeIsBounded) { PAGES } else { usize::MAX };
        let is_cut = !self.honours(Rule::SmallWritesAreWhole);
        let written = &mut self.pipes[pipe as usize];
        let mut count = written.put(bytes, begins, pages_max);
        if is_cut && let Some(last) = written.pages.back_mut().filter(|_| count == 0) {
            count = bytes.len().min(PAGE - last.bytes.len());
            last.bytes.extend_from_slice(&bytes[..count]);
        }
        sometimes!(count < bytes.len(), "a worker prints more than its pipe holds");
        self.record(me, Kind::Print, stream.index() as u64, count as u64);
        self.record(me, Kind::Content, hash_bytes(&bytes[..count]), 0);
        if count > 0 {
            self.notify_pipe(pipe, false);
        }
        Ok(count)
    }

    /// Nobody holds this end any more.
    pub(crate) fn close_pipe(&mut self, pipe: u32, writes: bool) {
        let keeps = self.honours(Rule::PipeKeepsLastWords);
        let closed = &mut self.pipes[pipe as usize];
        if writes {
            closed.writing = None;
            if !keeps {
                closed.pages.clear();
            }
        } else {
            closed.reading = None;
            closed.pages.clear();
        }
        self.notify_pipe(pipe, !writes);
    }

    /// The standard streams of a child: the pipes that it was born for, or where its parent prints.
    pub(crate) fn inherit_output(&mut self, me: Index, output: Option<[Handle; 2]>) -> Option<[FileId; 2]> {
        let files = match output {
            None => self.process(me).prints_into,
            Some([stdout, stderr]) => self.file(me, stdout).zip(self.file(me, stderr)).map(Into::into),
        };
        for file in files.into_iter().flatten() {
            self.name_again(file);
        }
        files
    }

    /// A process that has ended prints nothing more.
    pub(crate) fn close_output(&mut self, me: Index) {
        for file in self.process(me).prints_into.take().into_iter().flatten() {
            self.let_go_of(file);
        }
    }

    fn notify_pipe(&mut self, pipe: u32, writes: bool) {
        let pipe = &self.pipes[pipe as usize];
        if let Some(file) = if writes { pipe.writing } else { pipe.reading } {
            self.notify(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_holds_pages_and_only_the_rest_of_a_write_goes_into_one_that_is_begun() {
        // How long each write is, and how many of them have room.
        let rows = [(1, 65_536), (4096, 16), (3000, 16), (2048, 32), (2049, 16), (1000, 64), (5000, 10)];
        for (length, expected) in rows {
            let mut pipe = Pipe::default();
            let count = (0..).take_while(|_| pipe.put(&vec![7; length], true, PAGES) == length).count();
            assert_eq!(count, expected, "{length}");
        }
    }

    #[test]
    fn what_goes_in_comes_out_in_order_however_it_is_cut() {
        let mut pipe = Pipe::default();
        let all: Vec<u8> = (0..40_000_u32).map(|place| place as u8 ^ (place >> 8) as u8).collect();
        for some in all.chunks(777) {
            assert_eq!(pipe.put(some, true, PAGES), some.len());
        }
        assert_eq!(pipe.length(), all.len());
        let mut out = Vec::new();
        for length in (1..).map(|step| step * 13 % 5000) {
            let mut buffer = vec![0; length];
            let count = pipe.take(&mut buffer);
            out.extend_from_slice(&buffer[..count]);
            if out.len() == all.len() {
                break;
            }
        }
        assert_eq!(out, all);
        assert_eq!(pipe.pages.len(), 0);
    }
}
