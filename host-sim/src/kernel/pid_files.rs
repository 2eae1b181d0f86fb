//! Pid files: one system call a function. In which order they come is `host_core`'s, as on the real kernel; between any
//! two of them others run, and a fault may strike.

use super::disk::has_directory;
use super::files::{FileId, Object};
use super::rules::Rule;
use super::{Call, Index, Kernel, Nanos};
use crate::choice::Stream;
use crate::marks::sometimes;
use crate::trace::Kind;
use host_core::sys::{Errno, Handle, Signal};

/// A file that is locked by who has it.
#[derive(Debug)]
pub(crate) struct PidFile {
    pub(crate) path: String,
    pub(crate) text: Vec<u8>,
    /// Its path names it: it was not removed.
    pub(crate) is_named: bool,
    /// It was removed by hand: who has it has nothing that anybody else could want.
    pub(crate) is_lost: bool,
    /// Whose it is: who may open it beside root.
    user: u32,
    /// The open file that has the lock (flock(2)), and who has locked it.
    pub(crate) lock: Option<(FileId, Index)>,
    /// Who has it, as far as it was told so, and removes it.
    pub(crate) taken_by: Option<Index>,
    /// What may stand in it: what stood there at first, and the numbers of those that have locked it.
    pub(crate) valid: Vec<Vec<u8>>,
}

/// A fault that waits for somebody to use a pid file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// So many calls come through before.
    pub(crate) calls: u32,
    /// How long a host is not scheduled then; zero: it is killed.
    pub(crate) holds: Nanos,
}

/// Whether `user` may make and remove files beside this one: as in a usual file system.
fn may_write_directory(path: &str, user: u32) -> bool {
    user == 0 || !path.contains('/') || path.starts_with("/tmp/")
}

impl Kernel {
    /// A file that stands there already, of this user.
    pub(crate) fn place_pid_file(&mut self, path: &str, user: u32, text: &[u8]) -> usize {
        let file = PidFile {
            path: path.to_owned(),
            text: text.to_owned(),
            is_named: true,
            is_lost: false,
            user,
            lock: None,
            taken_by: None,
            valid: vec![text.to_owned()],
        };
        self.disk.pid_files.push(file);
        self.disk.pid_files.len() - 1
    }

    pub(crate) fn pid_file_open(&mut self, me: Index, path: &str) -> Result<Handle, Errno> {
        if !has_directory(path) {
            return self.failed(me, Call::PidFile, Errno::NOENT);
        }
        let user = self.process(me).standing.user;
        let found = self.disk.named(path);
        let may = match found {
            Some(file) => user == 0 || self.disk.pid_files[file].user == user,
            None => may_write_directory(path, user),
        };
        if self.laid.pid_file_denied || !may {
            sometimes!(self.laid.pid_file_denied, "a pid file cannot be opened for a while");
            sometimes!(!may, "a pid file is another user's, or its directory is");
            self.process(me).truth.kept_out |= self.laid.pid_file_denied;
            return self.failed(me, Call::PidFile, Errno::ACCES);
        }
        let file = found.unwrap_or_else(|| self.place_pid_file(path, user, b""));
        let Some(handle) = self.open(me, Object::PidFile(file as u32)) else {
            return self.failed(me, Call::PidFile, Errno::MFILE);
        };
        self.record(me, Kind::PidFile, handle.raw(), 0);
        Ok(handle)
    }

    pub(crate) fn pid_file_lock(&mut self, me: Index, handle: Handle) -> Result<(), Errno> {
        let (open, file) = self.open_pid_file(me, handle)?;
        let exclusive = self.honours(Rule::LockIsExclusive);
        let number = self.process(me).number.map_or(0, |number| number.0);
        let found = &mut self.disk.pid_files[file];
        if exclusive && let Some((_, owner)) = found.lock.filter(|(locked, _)| *locked != open) {
            sometimes!("a pid file is taken");
            sometimes!(
                found.taken_by.is_none(),
                "a pid file is locked by who does not have it yet, or any more"
            );
            self.check_refusal(me, file, owner);
            return self.failed(me, Call::PidFile, Errno::AGAIN);
        }
        found.lock = Some((open, me));
        found.valid.push(format!("{number}\n").into_bytes());
        sometimes!(found.is_named && !found.text.is_empty(), "a pid file is taken over");
        self.record(me, Kind::PidFile, handle.raw(), 1);
        Ok(())
    }

    pub(crate) fn pid_file_is_there(&mut self, me: Index, handle: Handle, path: &str) -> bool {
        let named = self.disk.named(path);
        let is_there = self.open_pid_file(me, handle).is_ok_and(|(_, file)| Some(file) == named);
        sometimes!(!is_there, "a pid file that was opened or had has no name any more");
        is_there
    }

    pub(crate) fn pid_file_read(
        &mut self,
        me: Index,
        handle: Handle,
        buffer: &mut [u8],
    ) -> Result<usize, Errno> {
        let (_, file) = self.open_pid_file(me, handle)?;
        let text = &self.disk.pid_files[file].text;
        let length = text.len().min(buffer.len());
        buffer[..length].copy_from_slice(&text[..length]);
        Ok(length)
    }

    pub(crate) fn pid_file_empty(&mut self, me: Index, handle: Handle) -> Result<(), Errno> {
        let (_, file) = self.open_pid_file(me, handle)?;
        let text = &mut self.disk.pid_files[file].text;
        self.disk.space = self.disk.space.saturating_add(text.len() as u64);
        text.clear();
        self.record(me, Kind::PidFile, handle.raw(), 2);
        Ok(())
    }

    /// Writes from the beginning on: over what stands there, for which there is room, and as much more as there is
    /// room for.
    pub(crate) fn pid_file_write(&mut self, me: Index, handle: Handle, bytes: &[u8]) -> Result<usize, Errno> {
        let (_, file) = self.open_pid_file(me, handle)?;
        let before = self.disk.pid_files[file].text.len();
        let more = bytes.len().saturating_sub(before);
        let room = if self.laid.disk_full && more > 0 {
            self.process(me).truth.kept_out = true;
            // What is left of a block, or of what a user may have.
            self.choices.choose(Stream::Call, me, more as u32) as usize
        } else {
            usize::try_from(self.disk.space).unwrap_or(usize::MAX).min(more)
        };
        let written = bytes.len() - more + room;
        sometimes!(written == 0, "a disk has no room for the number of a pid file");
        sometimes!(
            written > 0 && written < bytes.len(),
            "a disk has room for a part of what is written to a pid file"
        );
        if written == 0 && !bytes.is_empty() {
            return self.failed(me, Call::PidFile, Errno::NOSPC);
        }
        self.disk.space -= room as u64;
        let text = &mut self.disk.pid_files[file].text;
        text.resize(before.max(written), 0);
        text[..written].copy_from_slice(&bytes[..written]);
        self.record(me, Kind::PidFile, handle.raw(), 3);
        Ok(written)
    }

    pub(crate) fn pid_file_unlink(&mut self, me: Index, path: &str) -> Result<(), Errno> {
        let user = self.process(me).standing.user;
        let Some(file) = self.disk.named(path) else { return self.failed(me, Call::PidFile, Errno::NOENT) };
        if !may_write_directory(path, user) {
            sometimes!("a pid file may not be removed by who has it");
            return self.failed(me, Call::PidFile, Errno::ACCES);
        }
        self.check_removal(me, file);
        let found = &mut self.disk.pid_files[file];
        (found.is_named, found.taken_by) = (false, None);
        self.record(me, Kind::PidFile, file as u64, 4);
        Ok(())
    }

    fn open_pid_file(&self, me: Index, handle: Handle) -> Result<(FileId, usize), Errno> {
        match (self.file(me, handle), self.object(me, handle)) {
            (Some(open), Some(Object::PidFile(file))) => Ok((open, file as usize)),
            _ => Err(Errno::BADF),
        }
    }

    /// A process has the file that it has locked.
    pub(crate) fn pid_file_taken(&mut self, me: Index, handle: Handle) {
        if let Ok((_, file)) = self.open_pid_file(me, handle) {
            self.disk.pid_files[file].taken_by = Some(me);
        }
    }

    /// It has left it, and closes it next. What it could have removed, and did not, is its own still (S41).
    pub(crate) fn pid_file_left(&mut self, me: Index, handle: Handle) {
        if let Ok((_, file)) = self.open_pid_file(me, handle) {
            let file = &mut self.disk.pid_files[file];
            file.taken_by = file.taken_by.filter(|_| file.is_named && !file.text.is_empty());
        }
    }

    /// Whether a handle is that of a file which this process has taken, and so removes.
    pub(crate) fn has_pid_file(&self, me: Index, handle: Handle) -> Option<&str> {
        let (_, file) = self.open_pid_file(me, handle).ok()?;
        let file = &self.disk.pid_files[file];
        (file.taken_by == Some(me)).then_some(&file.path)
    }

    /// An open file is closed, and its lock goes with it.
    pub(super) fn unlock_pid_file(&mut self, file: u32, open: FileId) {
        let file = &mut self.disk.pid_files[file as usize];
        if file.lock.is_some_and(|(locked, _)| locked == open) {
            file.lock = None;
        }
    }

    /// A fault: a host is killed, or not scheduled for a while, after a call that it makes for its pid file.
    pub(crate) fn cut_pid_file(&mut self, me: Index) {
        let Some(cut) = self.laid.pid_file_cut.filter(|_| self.hosts.contains(&me)) else { return };
        if cut.calls > 0 {
            self.laid.pid_file_cut = Some(Cut { calls: cut.calls - 1, ..cut });
            return;
        }
        self.laid.pid_file_cut = None;
        if cut.holds > 0 {
            sometimes!("a host is held up in the midst of its pid file");
            self.hold_for(me, cut.holds);
        } else {
            sometimes!("a host is killed in the midst of its pid file");
            self.process(me).truth.kept_out = true;
            self.signal(me, Signal::Kill);
        }
    }
}
