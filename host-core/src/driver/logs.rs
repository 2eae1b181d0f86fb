//! The files of a host: its log, and what it and its workers print on.

use super::Driver;
use crate::app::LogPaths;
use crate::error::{Mistake, RunError};
use crate::escaped::Escaped;
use crate::notice::{Level, Notice, Record};
use crate::sys::{Errno, Handle, Interest, Pid, StdStream, Sys};
use crate::time::WallTime;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The poller key of the bell that rings when they are to be opened anew.
pub(super) const BELL_KEY: u64 = u64::MAX - 3;

/// The files of one host.
pub(super) struct Logs {
    sys: Rc<dyn Sys>,
    log: Option<Log>,
    /// What it prints on, by path.
    outputs: Vec<(StdStream, String)>,
    bell: Option<Handle>,
}

/// A file of lines. What cannot be written is counted, and nothing is kept in memory.
struct Log {
    path: String,
    pid: Pid,
    file: Handle,
    /// How many lines could not be written since one last could.
    lost: u64,
    /// The last line ends in its middle: the disk was full there.
    is_torn: bool,
}

impl Logs {
    /// Opens the log, and looks whether the others can be opened; one that cannot is a mistake like any other. A host
    /// that has `armed` its kick hears when they are to be opened anew.
    pub(super) fn open(paths: LogPaths, armed: bool, sys: &Rc<dyn Sys>, mistakes: &mut Vec<Mistake>) -> Self {
        let mut logs = Self { sys: Rc::clone(sys), log: None, outputs: Vec::new(), bell: None };
        let LogPaths { log, stdout, stderr } = paths;
        let outputs = StdStream::ALL.into_iter().zip([stdout, stderr]);
        let outputs: Vec<_> = outputs.filter_map(|(output, path)| Some((output, path?))).collect();
        // What else is wrong is told without making any.
        if !mistakes.is_empty() || log.is_none() && outputs.is_empty() {
            return logs;
        }
        let mut refuse = |field: &str, path: &str, what: &str, errno: Errno| {
            mistakes.push(Mistake {
                field: field.into(),
                found: format!("`{}`", path.escape_debug()),
                wanted: format!("{what}: {errno}"),
            });
        };
        // Before any of them: one that is renamed right after it was opened must be heard of.
        if armed {
            let answer = sys.kick_bell().and_then(|bell| {
                logs.bell = Some(bell);
                sys.poll_add(bell, BELL_KEY, Interest::READ)
            });
            if let Err(errno) = answer {
                refuse("USR1", "for files", "cannot be heard of", errno);
            }
        }
        if let Some(path) = log {
            match sys.log_open(&path) {
                Ok(file) => logs.log = Some(Log { path, pid: sys.pid(), file, lost: 0, is_torn: false }),
                Err(errno) => refuse("log", &path, "cannot be opened", errno),
            }
        }
        for (output, path) in outputs {
            match sys.log_open(&path) {
                Ok(file) => sys.close(file),
                Err(errno) => refuse(output.name(), &path, "cannot be opened", errno),
            }
            logs.outputs.push((output, path));
        }
        logs
    }

    /// From here on the process prints on them.
    pub(super) fn begin(&self) -> Result<(), RunError> {
        for (output, path) in &self.outputs {
            let redirected = self.sys.redirect(*output, path);
            redirected.map_err(|errno| RunError::System { call: "opening of an output", errno })?;
        }
        Ok(())
    }

    /// The bell was heard.
    pub(super) fn heard(&self) {
        if let Some(bell) = self.bell {
            self.sys.kick_heard(bell);
        }
    }

    /// A notice becomes a line; what became of the log by that.
    fn write(&mut self, record: &Record<'_>) -> [Option<Notice>; 2] {
        let Some(log) = self.log.as_mut().filter(|_| record.notice.level() >= Level::Info) else {
            return [None, None];
        };
        log.write(&*self.sys, record)
    }

    /// Opens all anew; what is to be told of that.
    fn reopen(&mut self) -> Vec<Notice> {
        let mut notices = Vec::new();
        for (output, path) in &self.outputs {
            if let Err(errno) = self.sys.redirect(*output, path) {
                notices.push(Notice::NotReopened { output: Some(*output), errno });
            }
        }
        if let Some(log) = &mut self.log {
            match self.sys.log_open(&log.path) {
                Ok(file) => {
                    self.sys.close(core::mem::replace(&mut log.file, file));
                    log.is_torn = false;
                    notices.insert(0, Notice::LogOpened { pid: log.pid });
                }
                Err(errno) => notices.push(Notice::NotReopened { output: None, errno }),
            }
        }
        notices
    }

    /// The first line of a log.
    pub(super) fn header(&self) -> Option<Notice> {
        self.log.as_ref().map(|log| Notice::LogOpened { pid: log.pid })
    }

    /// Lets go of all that is open. What the process prints on stays.
    pub(super) fn close(self) {
        if let Some(bell) = self.bell {
            // It can only fail because it is not registered, which is what is wanted.
            let _ = self.sys.poll_delete(bell);
            self.sys.close(bell);
        }
        if let Some(log) = self.log {
            self.sys.close(log.file);
        }
    }
}

impl Log {
    fn write(&mut self, sys: &dyn Sys, record: &Record<'_>) -> [Option<Notice>; 2] {
        let mut told = [None, None];
        if self.lost > 0 {
            let notice = Notice::LogLost { lines: self.lost };
            let lost = Record {
                notice: &notice,
                subject: None,
                service: None,
                fleet: None,
                error: None,
                text: None,
                ..*record
            };
            if self.append(sys, &line(self.pid, &lost)).is_err() {
                self.lost += 1;
                return told;
            }
            self.lost = 0;
            told[0] = Some(notice);
        }
        if let Err(errno) = self.append(sys, &line(self.pid, record)) {
            self.lost = 1;
            told[1] = Some(Notice::LogFailed { errno });
        }
        told
    }

    /// A line in one piece, if there is room for it.
    fn append(&mut self, sys: &dyn Sys, line: &str) -> Result<(), Errno> {
        let mended;
        let mut bytes = line.as_bytes();
        if self.is_torn {
            mended = format!("\n{line}");
            bytes = mended.as_bytes();
        }
        let whole = bytes.len();
        while !bytes.is_empty() {
            let answer = sys.log_write(self.file, bytes);
            match answer {
                Ok(count) if count > 0 => bytes = &bytes[count..],
                Err(Errno::INTR) => {}
                Ok(_) | Err(_) => {
                    self.is_torn |= bytes.len() < whole;
                    return Err(answer.err().unwrap_or(Errno::NOSPC));
                }
            }
        }
        self.is_torn = false;
        Ok(())
    }
}

impl Driver {
    /// Tells the log. It has no notices of its own beyond two, and those are not told to it again.
    pub(super) fn tell_log(&mut self, record: &Record<'_>) {
        let notices = self.logs.write(record);
        for notice in notices.iter().flatten() {
            let about = Record {
                notice,
                subject: None,
                service: None,
                fleet: None,
                error: None,
                text: None,
                ..*record
            };
            self.tell_people(&about);
        }
    }

    pub(super) fn reopen_files(&mut self) {
        for notice in self.logs.reopen() {
            self.tell(None, None, None, &notice);
        }
    }
}

/// `2026-11-26T21:19:23.000000Z INFO [17] host started with 2 services`. Control characters are written as they are in
/// source code: a line is one line.
fn line(pid: Pid, record: &Record<'_>) -> String {
    let text = format!("{record}");
    let level = record.notice.level();
    let text = Escaped(&text);
    format!("{} {level} [{pid}] {text}\n", Stamp(record.wall))
}

struct Stamp(WallTime);

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(self.0.0) {
            Ok(stamp) => write!(f, "{stamp:.6}"),
            // A clock that is ten thousand years off.
            Err(_) => write!(f, "{} ns", self.0.0),
        }
    }
}
