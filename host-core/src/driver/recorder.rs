//! The recording of a running host: when its frames are written, and what becomes of it when that fails.

use crate::action::Action;
use crate::event::Event;
use crate::notice::Notice;
use crate::record::writer::Writer;
use crate::record::{Begin, End, Recording, RecordingStatus};
use crate::sys::{Errno, Handle, Sys};
use crate::time::{Duration, Instant};
use alloc::rc::Rc;

/// A host that is about to wait writes what it has recorded, unless it wrote so shortly before: one write takes some
/// microseconds, ten where caches are cold, and so a thousandth of a busy host's time. What is lost when it is killed is
/// what it did since.
const WRITE_EACH: Duration = Duration::from_millis(10);
/// One that was told no more than so many facts meanwhile is not busy, and writes that often.
const WRITE_EACH_QUIET: Duration = Duration::from_millis(1);
const QUIET: u64 = 64;

/// Writes the recording of one host. Whatever goes wrong is its own affair: the host goes on.
pub(crate) struct Recorder {
    sys: Rc<dyn Sys>,
    file: Handle,
    writer: Writer,
    size_max: u64,
    status: RecordingStatus,
    written_at: Instant,
    stopped: bool,
    /// What people are still to be told.
    notice: Option<Notice>,
}

impl Recorder {
    /// Writes which host it is.
    pub(crate) fn begin(sys: Rc<dyn Sys>, file: Handle, recording: &Recording, begin: &Begin) -> Self {
        let mut recorder = Self {
            sys,
            file,
            writer: Writer::new(recording.text, begin),
            size_max: recording.size_max,
            status: RecordingStatus::default(),
            written_at: Instant::ZERO,
            stopped: false,
            notice: None,
        };
        recorder.write();
        recorder
    }

    /// A fact is told.
    #[inline]
    pub(crate) fn event(&mut self, at: Instant, event: &Event) {
        if self.stopped {
            self.status.left_out += 1;
            return;
        }
        self.status.facts += 1;
        self.writer.event(at, event);
        self.write_if_full();
    }

    /// An order has come out.
    #[inline]
    pub(crate) fn action(&mut self, action: &Action) {
        if !self.stopped {
            self.writer.action(action);
            self.write_if_full();
        }
    }

    /// The host is about to wait; `now` is the moment of its last fact.
    pub(crate) fn before_wait(&mut self, now: Instant) {
        let is_quiet = self.writer.facts_waiting() <= QUIET;
        if now.since(self.written_at) >= if is_quiet { WRITE_EACH_QUIET } else { WRITE_EACH } {
            self.written_at = now;
            self.write();
        }
    }

    /// The host ends.
    pub(crate) fn end(&mut self) {
        if !self.stopped {
            self.writer.end(End::Host);
        }
    }

    /// Writes what waits.
    pub(crate) fn write(&mut self) {
        if self.stopped || self.writer.waiting() == 0 {
            return;
        }
        if self.status.bytes + self.writer.waiting() as u64 > self.size_max {
            self.stop_at_size();
            return;
        }
        let answer = write_all(&*self.sys, self.file, self.writer.frame(), &mut self.status.bytes);
        match answer {
            Ok(()) => self.writer.written(),
            Err(errno) => self.stop(Some(errno)),
        }
    }

    pub(crate) fn take_notice(&mut self) -> Option<Notice> {
        self.notice.take()
    }

    pub(crate) const fn status(&self) -> RecordingStatus {
        self.status
    }

    #[inline]
    fn write_if_full(&mut self) {
        if self.writer.is_full() {
            self.write();
        }
    }

    /// The last frame says why nothing follows, in place of the facts that have no room. It may be as much longer
    /// than allowed as it is itself.
    fn stop_at_size(&mut self) {
        self.writer.forget();
        self.writer.end(End::Size);
        // If not even that can be written, the recording ends without saying why.
        let _ = write_all(&*self.sys, self.file, self.writer.frame(), &mut self.status.bytes);
        self.stop(None);
    }

    fn stop(&mut self, errno: Option<Errno>) {
        self.stopped = true;
        self.status.failed = errno;
        let lost = self.writer.facts_waiting();
        self.status.facts -= lost;
        self.status.left_out += lost;
        self.writer.written();
        self.notice = Some(Notice::RecordingStopped { facts: self.status.facts, errno });
    }
}

/// However the host ends, what it did stands in the recording: also when it unwinds.
impl Drop for Recorder {
    fn drop(&mut self) {
        self.write();
        self.sys.close(self.file);
    }
}

/// Writes all of `bytes`, and counts in `written` what was.
fn write_all(sys: &dyn Sys, file: Handle, mut bytes: &[u8], written: &mut u64) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match sys.record_write(file, bytes) {
            // A disk that takes nothing, and says that it is well, would be asked for ever.
            Ok(0) => return Err(Errno::NOSPC),
            Ok(count) => {
                *written += count as u64;
                bytes = &bytes[count..];
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
