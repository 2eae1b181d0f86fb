//! The disk: files that are made and appended to, and space that is used up.

use super::files::Object;
use super::{Call, Index, Kernel};
use host_core::sys::{Errno, Handle};

/// What stands on the disk.
#[derive(Debug)]
pub(crate) struct Disk {
    /// All files that ever were; the last one of a name is the one that has it.
    files: Vec<(String, Vec<u8>)>,
    /// How many bytes are free.
    pub(crate) space: u64,
}

impl Default for Disk {
    fn default() -> Self {
        Self { files: Vec::new(), space: u64::MAX }
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

impl Kernel {
    /// Only a name without a directory, and one in `/tmp` or `/var`, can be made.
    pub(crate) fn record_create(&mut self, me: Index, path: &str) -> Result<Handle, Errno> {
        let exists = |directory: &str| ["", "/tmp", "/var"].contains(&directory);
        if !exists(path.rsplit_once('/').map_or("", |(directory, _)| directory)) {
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
        let room = usize::try_from(self.disk.space).unwrap_or(usize::MAX).min(bytes.len());
        if room == 0 && !bytes.is_empty() {
            return self.failed(me, Call::RecordWrite, Errno::NOSPC);
        }
        self.disk.space -= room as u64;
        self.disk.files[file as usize].1.extend_from_slice(&bytes[..room]);
        Ok(room)
    }
}
