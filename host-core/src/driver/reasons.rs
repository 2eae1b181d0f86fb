//! Why bodies fail: the worker tells its host, and the host tells people, so that one log has it all.

use super::Driver;
use crate::error::exit;
use crate::fleet::reason;
use crate::id::WorkerId;
use crate::notice::{Notice, Record};
use crate::sys::{Errno, Handle, Sys};

/// In the worker: its body has failed. The exit status that says so.
pub(super) fn failed(
    sys: &dyn Sys,
    channel: Handle,
    worker: WorkerId,
    fleet: &str,
    error: &dyn core::error::Error,
) -> u8 {
    let packet = reason::encode(&error);
    let answer = loop {
        match sys.write(channel, &packet) {
            Err(Errno::INTR) => {}
            answer => break answer,
        }
    };
    if answer.is_err() {
        // Its host is gone, or does not read: whoever reads what this worker prints may.
        let record = Record {
            at: sys.now(),
            wall: sys.wall(),
            subject: Some(fleet),
            service: None,
            fleet: Some(worker.fleet),
            error: Some(error),
            text: None,
            notice: &Notice::BodyFailed { worker },
        };
        sys.tell(&record);
        sys.tell_aloud(&record);
    }
    exit::SERVICE_FAILED
}

impl Driver {
    /// In the host: a worker says why it is about to end.
    pub(super) fn body_failed(&mut self, worker: WorkerId, reason: &str) {
        let fleet = self.children.name(worker.fleet);
        let record = Record {
            at: self.shared.now,
            wall: self.shared.sys.wall(),
            subject: Some(&fleet.name),
            service: None,
            fleet: Some(worker.fleet),
            error: None,
            text: Some(reason),
            notice: &Notice::BodyFailed { worker },
        };
        self.tell_record(&record);
        if self.on_notice.is_none() {
            // An author who has not begun to listen to notices wants to know at least this.
            self.shared.sys.tell_aloud(&record);
        }
        self.children.keep_reason(worker, reason);
    }
}
