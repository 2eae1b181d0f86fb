//! Log files: what processes append to, what becomes of it when a file is renamed, and who is told.

use super::files::Object;
use super::{Call, Index, Kernel};
use crate::marks::sometimes;
use host_core::sys::{Errno, Handle, Signal, StdStream};

/// What is added to the name of a file that is renamed.
const RENAMED: &str = ".1";

/// So many messages wait in a socket.
const HANDED_MAX: usize = 64;

/// What a process prints on.
#[derive(Clone, Debug)]
pub(crate) struct Printed {
    path: String,
    /// The file on the disk.
    file: u32,
    /// It could not be opened anew: then it stays.
    kept: bool,
}

impl Kernel {
    /// Opens a file to append to, or makes it.
    pub(crate) fn log_open(&mut self, me: Index, path: &str) -> Result<Handle, Errno> {
        let file = self.appended(me, Call::LogOpen, path)?;
        let Some(handle) = self.open(me, Object::Recording(file)) else {
            return self.failed(me, Call::LogOpen, Errno::MFILE);
        };
        Ok(handle)
    }

    pub(crate) fn log_write(&mut self, me: Index, handle: Handle, bytes: &[u8]) -> Result<usize, Errno> {
        let Some(Object::Recording(file)) = self.object(me, handle) else { return Err(Errno::BADF) };
        sometimes!(self.laid.disk_full, "a log is written while the disk is full");
        self.append(me, Call::LogWrite, file, bytes)
    }

    pub(crate) fn redirect(&mut self, me: Index, output: StdStream, path: &str) -> Result<(), Errno> {
        let opened = self.appended(me, Call::Redirect, path);
        let place = &mut self.process(me).outputs[output.index()];
        match opened {
            Ok(file) => *place = Some(Printed { path: path.to_owned(), file, kept: false }),
            Err(errno) => {
                if let Some(printed) = place {
                    printed.kept = true;
                }
                return Err(errno);
            }
        }
        Ok(())
    }

    /// The file that a process prints on, if it is one.
    pub(super) fn printed_on(&self, me: Index, stream: StdStream) -> Option<u32> {
        self.processes[me as usize].outputs[stream.index()].as_ref().map(|printed| printed.file)
    }

    /// A parent hands a child what it prints on, and tells it.
    pub(crate) fn hand_outputs(&mut self, me: Index, child: Handle) -> Result<(), Errno> {
        let index = self.child_of(me, child)?;
        if self.process(index).outputs.iter().all(Option::is_none) {
            return self.failed(me, Call::HandOutputs, Errno::NOTCONN);
        }
        if !self.process(index).is_living() {
            return self.failed(me, Call::HandOutputs, Errno::PIPE);
        }
        if self.process(index).handed.len() >= HANDED_MAX {
            return self.failed(me, Call::HandOutputs, Errno::AGAIN);
        }
        let outputs = self.process(me).outputs.clone();
        self.process(index).handed.push(outputs);
        self.signal(index, Signal::Usr1);
        Ok(())
    }

    /// What the handler of a worker does: of several the last is what counts.
    pub(super) fn take_outputs(&mut self, index: Index) {
        let handed = std::mem::take(&mut self.process(index).handed);
        sometimes!(handed.len() > 1, "a worker takes what it was handed several times");
        if let Some(outputs) = handed.into_iter().next_back() {
            sometimes!("a worker prints on the files that it was handed");
            self.process(index).outputs = outputs;
        }
    }

    /// The handle that tells a host that a kick has found it alive.
    pub(crate) fn kick_bell(&mut self, me: Index) -> Result<Handle, Errno> {
        let Some(handle) = self.open(me, Object::Bell(me)) else {
            return self.failed(me, Call::KickBell, Errno::MFILE);
        };
        let file = self.file(me, handle);
        let process = self.process(me);
        (process.bell, process.rung) = (file, false);
        Ok(handle)
    }

    pub(super) fn ring(&mut self, index: Index) {
        let process = self.process(index);
        process.rung = true;
        if let Some(file) = process.bell {
            self.notify(file);
        }
    }

    /// What logrotate does: it renames all log files of the host, and tells it.
    pub(crate) fn rotate_all(&mut self, refuse: bool) {
        let Some(host) = self.host.filter(|host| self.processes[*host as usize].is_living()) else { return };
        let mut paths: Vec<String> = self.logs_of(host).into_iter().map(|(path, ..)| path).collect();
        paths.sort();
        paths.dedup();
        if paths.is_empty() {
            return;
        }
        self.laid.refuse_open = refuse;
        for path in paths {
            self.rename(&path);
        }
        self.signal(host, Signal::Usr1);
    }

    fn rename(&mut self, path: &str) {
        let renamed = format!("{path}{RENAMED}");
        for (name, _) in self.disk.files.iter_mut().filter(|(name, _)| name == path) {
            name.clone_from(&renamed);
        }
    }

    /// Each file that a process writes to as a log: its path, which one it is, whether it was to be opened anew and
    /// could not be.
    fn logs_of(&self, index: Index) -> Vec<(String, u32, bool)> {
        let process = &self.processes[index as usize];
        let printed = process.outputs.iter().flatten();
        let mut logs: Vec<_> = printed.map(|on| (on.path.clone(), on.file, on.kept)).collect();
        for handle in process.descriptors.handles() {
            if let Some(Object::Recording(file)) = self.object(index, handle)
                && let Some((path, kept)) = self.disk.logs.get(&file)
            {
                logs.push((path.clone(), file, *kept));
            }
        }
        logs
    }

    /// S47: who goes on writing to a file that was renamed, in words.
    pub(crate) fn stale_logs(&self) -> Vec<String> {
        let Some(host) = self.host else { return Vec::new() };
        let family = std::iter::once(host).chain(self.processes[host as usize].children.iter().copied());
        let living = family.filter(|index| self.processes[*index as usize].is_living());
        let stale = living.flat_map(|index| {
            let logs = self.logs_of(index).into_iter();
            let stale = logs.filter(|(path, file, kept)| !kept && self.disk.files[*file as usize].0 != *path);
            stale.map(move |(path, ..)| {
                format!(
                    "`{}` writes to what was `{path}` and was renamed",
                    self.processes[index as usize].name
                )
            })
        });
        stale.collect()
    }

    /// The file that has this name, made if there is none.
    fn appended(&mut self, me: Index, call: Call, path: &str) -> Result<u32, Errno> {
        if !super::disk::has_directory(path) {
            return self.failed(me, call, Errno::NOENT);
        }
        // Whoever begins finds it as it should be.
        let was_renamed = |(open, file, _): &(String, u32, bool)| {
            open == path && self.disk.files[*file as usize].0 != *path
        };
        if self.laid.refuse_open && self.logs_of(me).iter().any(was_renamed) {
            self.laid.refuse_open = false;
            sometimes!("a log cannot be opened anew");
            // Whoever has it open keeps it, and that is as it should be.
            for (of, kept) in self.disk.logs.values_mut() {
                *kept |= call as u64 == Call::LogOpen as u64 && of == path;
            }
            return self.failed(me, call, Errno::ACCES);
        }
        let found = self.disk.files.iter().rposition(|(name, _)| name == path);
        let file = found.unwrap_or_else(|| {
            self.disk.files.push((path.to_owned(), Vec::new()));
            self.disk.files.len() - 1
        }) as u32;
        if call as u64 == Call::LogOpen as u64 {
            self.disk.logs.insert(file, (path.to_owned(), false));
        }
        Ok(file)
    }
}
