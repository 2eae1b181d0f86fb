//! The disk: files that are made and appended to, and space that is used up.

use super::files::Object;
use super::pid_files::PidFile;
use super::{Call, Index, Kernel};
use host_core::sys::{Errno, Handle};
use std::collections::BTreeMap;

/// What stands on the disk.
#[derive(Debug)]
pub(crate) struct Disk {
    /// All files that ever were; the last one of a name is the one that has it.
    pub(super) files: Vec<(String, Vec<u8>)>,
    /// How many bytes are free.
    pub(crate) space: u64,
    /// Those that are logs: the path that each was opened by, and whether its host could not open that anew.
    pub(super) logs: BTreeMap<u32, (String, bool)>,
    /// All pid files that ever were.
    pub(crate) pid_files: Vec<PidFile>,
}

impl Default for Disk {
    fn default() -> Self {
        Self { files: Vec::new(), space: u64::MAX, logs: BTreeMap::new(), pid_files: Vec::new() }
    }
}

impl Disk {
    /// What the file of this name holds.
    pub(crate) fn file(&self, path: &str) -> Option<&[u8]> {
        self.all(path).last()
    }

    /// What all files of this name hold, the oldest first.
    pub(crate) fn all(&self, path: &str) -> impl Iterator<Item = &[u8]> {
        self.files.iter().filter(move |(name, _)| name == path).map(|(_, bytes)| bytes.as_slice())
    }
}

impl Disk {
    /// The pid file that a path names.
    pub(crate) fn named(&self, path: &str) -> Option<usize> {
        self.pid_files.iter().position(|file| file.is_named && file.path == path)
    }

    /// What the pid file at `path` says, if there is one.
    pub(crate) fn pid_file(&self, path: &str) -> Option<String> {
        self.named(path).map(|file| String::from_utf8_lossy(&self.pid_files[file].text).into_owned())
    }
}

/// Whether a file can be made at `path`: without a directory, or in one of the usual ones.
pub(super) fn has_directory(path: &str) -> bool {
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    ["", "/tmp", "/run", "/var", "/dev"].contains(&directory)
}

/// Whether this is a directory of the machine, seen from whatever root.
pub(crate) fn is_directory(path: &str) -> bool {
    ["/", "/srv", "/tmp", "/run", "/var"].contains(&path)
}

impl Kernel {
    /// A file that is appended to.
    pub(crate) fn record_create(&mut self, me: Index, path: &str) -> Result<Handle, Errno> {
        if !has_directory(path) {
            return self.failed(me, Call::RecordCreate, Errno::NOENT);
        }
        let Some(handle) = self.open(me, Object::Recording(self.disk.files.len() as u32)) else {
            return self.failed(me, Call::RecordCreate, Errno::MFILE);
        };
        self.disk.files.push((path.to_owned(), Vec::new()));
        Ok(handle)
    }

    /// A disk that has some room takes as much (write(2)).
    pub(crate) fn record_write(&mut self, me: Index, handle: Handle, bytes: &[u8]) -> Result<usize, Errno> {
        let Some(Object::Recording(file)) = self.object(me, handle) else { return Err(Errno::BADF) };
        self.append(me, Call::RecordWrite, file, bytes)
    }

    /// Appends as much as there is room for.
    pub(super) fn append(&mut self, me: Index, call: Call, file: u32, bytes: &[u8]) -> Result<usize, Errno> {
        let space = if self.laid.disk_full { 0 } else { self.disk.space };
        let room = usize::try_from(space).unwrap_or(usize::MAX).min(bytes.len());
        if room == 0 && !bytes.is_empty() {
            return self.failed(me, call, Errno::NOSPC);
        }
        self.disk.space -= room as u64;
        self.disk.files[file as usize].1.extend_from_slice(&bytes[..room]);
        Ok(room)
    }
}
