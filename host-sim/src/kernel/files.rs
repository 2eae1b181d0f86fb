//! Open files, and the descriptors that name them.
//!
//! fork(2) copies descriptors, not files: what a file stands for – a queue of connections, one end of a
//! channel – goes with the last descriptor that names it, in whichever process that is (K12, K17).

use crate::kernel::poller::WatchId;
use crate::kernel::rules::Rule;
use crate::kernel::{Index, Kernel};
use crate::trace::Kind;
use host_core::sys::Handle;

/// An open file, by its place in the table; used again once it is closed.
pub(crate) type FileId = u32;

/// What an open file stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    Listener(u32),
    Conn {
        conn: u32,
        side: u8,
    },
    Channel {
        channel: u32,
        side: u8,
    },
    Pipe {
        pipe: u32,
        writes: bool,
    },
    /// Of these signals, a set, those that are pending for whoever looks (signalfd(2)).
    Signals(u64),
    /// A process, as its parent sees it (pidfd_open(2)).
    Child(Index),
    /// Whether a worker was asked to quit.
    Quit(Index),
    /// Whether a kick has found this host alive, and it has not heard of that.
    Bell(Index),
    /// A file on the disk, by its place in the list of all that ever were.
    Recording(u32),
    /// A pid file, by its place in the list of all that ever were; locked while it is open.
    PidFile(u32),
}

/// An open file.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) object: Object,
    /// How many descriptors name it, in all processes.
    holders: u32,
    /// The registrations with pollers, in the order in which they were made.
    pub(crate) watchers: Vec<(Index, WatchId)>,
    /// The processes that wait for it in a call of their own, in order.
    pub(crate) waiters: Vec<Index>,
}

/// All open files of the machine.
#[derive(Debug, Default)]
pub(crate) struct Files {
    table: Vec<File>,
    free: Vec<FileId>,
}

impl Files {
    fn add(&mut self, object: Object) -> FileId {
        let file = File { object, holders: 1, watchers: Vec::new(), waiters: Vec::new() };
        match self.free.pop() {
            Some(id) => {
                self.table[id as usize] = file;
                id
            }
            None => {
                self.table.push(file);
                self.table.len() as FileId - 1
            }
        }
    }

    pub(crate) fn get(&mut self, file: FileId) -> &mut File {
        &mut self.table[file as usize]
    }
}

/// A seat for a descriptor: the generation makes a stale handle name nobody.
#[derive(Debug, Default)]
struct Seat {
    generation: u32,
    file: Option<FileId>,
    watch: Option<WatchId>,
}

/// The descriptors of one process.
#[derive(Debug)]
pub(crate) struct Descriptors {
    seats: Vec<Seat>,
    /// How many are open.
    pub(crate) open: usize,
    /// Every seat before this one is taken: the lowest free one is given first, as POSIX wants it.
    free_from: usize,
    limit: usize,
}

/// The usual soft limit of open descriptors.
const FD_LIMIT: usize = 1024;

impl Descriptors {
    pub(crate) fn new() -> Self {
        Self { seats: Vec::new(), open: 0, free_from: 0, limit: FD_LIMIT }
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.open
    }

    pub(crate) fn is_full(&self) -> bool {
        self.open >= self.limit
    }

    fn add(&mut self, file: FileId) -> Handle {
        let free = self.seats[self.free_from..].iter().position(|seat| seat.file.is_none());
        let index = free.map_or(self.seats.len(), |offset| self.free_from + offset);
        if index == self.seats.len() {
            self.seats.push(Seat::default());
        }
        self.free_from = index + 1;
        self.open += 1;
        self.seats[index].file = Some(file);
        self.handle(index)
    }

    fn handle(&self, index: usize) -> Handle {
        Handle::from_raw(u64::from(self.seats[index].generation) << 32 | index as u64)
    }

    fn seat(&mut self, handle: Handle) -> Option<&mut Seat> {
        let seat = self.seats.get_mut(handle.raw() as u32 as usize)?;
        (seat.file.is_some() && seat.generation == (handle.raw() >> 32) as u32).then_some(seat)
    }

    /// The file that a handle names.
    pub(crate) fn file(&self, handle: Handle) -> Option<FileId> {
        let seat = self.seats.get(handle.raw() as u32 as usize)?;
        seat.file.filter(|_| seat.generation == (handle.raw() >> 32) as u32)
    }

    /// The registration of a handle with its process's poller.
    pub(crate) fn watch(&self, handle: Handle) -> Option<WatchId> {
        self.seats.get(handle.raw() as u32 as usize)?.watch
    }

    pub(crate) fn set_watch(&mut self, handle: Handle, watch: Option<WatchId>) {
        if let Some(seat) = self.seat(handle) {
            seat.watch = watch;
        }
    }

    /// Takes a descriptor out: its file, and the registration that it was known by.
    fn remove(&mut self, handle: Handle, uses_name_up: bool) -> Option<(FileId, Option<WatchId>)> {
        let seat = self.seat(handle)?;
        let (file, watch) = (seat.file.take()?, seat.watch.take());
        seat.generation += u32::from(uses_name_up);
        self.open -= 1;
        self.free_from = self.free_from.min(handle.raw() as u32 as usize);
        Some((file, watch))
    }

    /// All open handles.
    pub(crate) fn handles(&self) -> Vec<Handle> {
        let open = self.seats.iter().enumerate().filter(|(_, seat)| seat.file.is_some());
        open.map(|(index, _)| self.handle(index)).collect()
    }

    /// The descriptors of a child that keeps `keep`, under the same names. The names of all others are
    /// used up, so that none of them ever names a younger file.
    fn inherited(&self, keep: &[Handle]) -> Self {
        let mut child = Self { seats: Vec::new(), open: 0, free_from: 0, limit: self.limit };
        for seat in &self.seats {
            let generation = seat.generation + u32::from(seat.file.is_some());
            child.seats.push(Seat { generation, file: None, watch: None });
        }
        for handle in keep {
            if let Some(file) = self.file(*handle) {
                let seat = &mut child.seats[handle.raw() as u32 as usize];
                child.open += usize::from(seat.file.is_none());
                *seat = Seat { generation: (handle.raw() >> 32) as u32, file: Some(file), watch: None };
            }
        }
        child
    }
}

impl Kernel {
    /// Opens a file; `None` at the limit of descriptors, and for destructors of the dead.
    pub(crate) fn open(&mut self, me: Index, object: Object) -> Option<Handle> {
        let process = self.process(me);
        if !process.is_living() || process.descriptors.is_full() {
            return None;
        }
        let file = self.files.add(object);
        Some(self.process(me).descriptors.add(file))
    }

    /// A file that nobody in the simulation holds open but the one who started everything.
    pub(crate) fn open_for_ever(&mut self, object: Object) -> FileId {
        self.files.add(object)
    }

    /// Gives a process a descriptor of a file that somebody else holds.
    pub(crate) fn pass(&mut self, me: Index, file: FileId) -> Handle {
        self.files.get(file).holders += 1;
        self.process(me).descriptors.add(file)
    }

    pub(crate) fn file(&self, me: Index, handle: Handle) -> Option<FileId> {
        self.processes[me as usize].descriptors.file(handle)
    }

    /// What a handle names.
    pub(crate) fn object(&self, me: Index, handle: Handle) -> Option<Object> {
        let file = self.file(me, handle)?;
        Some(self.files.table[file as usize].object)
    }

    /// Copies descriptors for a child.
    pub(crate) fn inherit(&mut self, me: Index, keep: &[Handle]) -> Descriptors {
        let inherited = self.process(me).descriptors.inherited(keep);
        for seat in &inherited.seats {
            if let Some(file) = seat.file {
                self.name_again(file);
            }
        }
        inherited
    }

    /// One more names this file.
    pub(crate) fn name_again(&mut self, file: FileId) {
        self.files.get(file).holders += 1;
    }

    /// Closes a descriptor, and with the last one its file.
    pub(crate) fn close(&mut self, me: Index, handle: Handle) {
        let uses_name_up = self.honours(Rule::ClosedIsBad);
        let Some((file, watch)) = self.process(me).descriptors.remove(handle, uses_name_up) else { return };
        self.record(me, Kind::Close, handle.raw(), 0);
        let open = self.files.get(file);
        if matches!(open.object, Object::Signals(_)) {
            self.processes[me as usize].signals.files.retain(|of_signals| *of_signals != file);
        }
        if open.holders > 1 {
            self.let_go_of(file);
            // Whoever else holds the file keeps the registration alive (epoll(7), question 6).
            if let Some(key) = watch.and_then(|watch| self.process(me).poller.make_ghost(watch)) {
                self.record(me, Kind::Ghost, handle.raw(), key);
            }
            return;
        }
        self.let_go_of(file);
    }

    /// One less names this file; with the last one it is closed.
    pub(crate) fn let_go_of(&mut self, file: FileId) {
        let open = self.files.get(file);
        open.holders -= 1;
        let object = open.object;
        if open.holders > 0 {
            if let Object::PidFile(locked) = object
                && !self.honours(Rule::LockIsTheFiles)
            {
                self.unlock_pid_file(locked, file);
            }
            self.closed_elsewhere(object);
            return;
        }
        let watchers = std::mem::take(&mut open.watchers);
        open.waiters.clear();
        for (watcher, watch) in watchers {
            self.process(watcher).poller.remove(watch);
        }
        self.files.free.push(file);
        if let Object::PidFile(locked) = object {
            self.unlock_pid_file(locked, file);
        }
        self.last_close(object);
    }

    /// Somebody has closed what others hold: nothing comes of it.
    fn closed_elsewhere(&mut self, object: Object) {
        match object {
            Object::Listener(listener) if !self.honours(Rule::LastHolderEndsQueue) => {
                self.close_listener(listener);
            }
            Object::Channel { channel, side } if !self.honours(Rule::LastCopyEndsChannel) => {
                self.close_channel(channel, side);
            }
            Object::Pipe { pipe, writes: true } if !self.honours(Rule::LastWriterEndsPipe) => {
                self.close_pipe(pipe, true);
            }
            Object::Listener(_)
            | Object::Channel { .. }
            | Object::Pipe { .. }
            | Object::Conn { .. }
            | Object::Signals(_)
            | Object::Child(_)
            | Object::Quit(_)
            | Object::Bell(_)
            | Object::Recording(_)
            | Object::PidFile(_) => {}
        }
    }

    /// Nobody names this object any more.
    fn last_close(&mut self, object: Object) {
        match object {
            Object::Conn { conn, side } => self.close_end(conn, side),
            Object::Listener(listener) => self.close_listener(listener),
            Object::Channel { channel, side } => self.close_channel(channel, side),
            Object::Pipe { pipe, writes } => self.close_pipe(pipe, writes),
            Object::Child(child) => self.process(child).seen_as = None,
            Object::Quit(worker) => self.process(worker).quit_file = None,
            Object::Bell(host) => self.process(host).bell = None,
            Object::Signals(_) | Object::Recording(_) | Object::PidFile(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_seat_is_given_and_an_old_handle_names_nobody() {
        let mut descriptors = Descriptors::new();
        let handles: Vec<_> = (0..4).map(|file| descriptors.add(file)).collect();
        assert_eq!(descriptors.remove(handles[2], true).map(|(file, _)| file), Some(2));
        assert_eq!(descriptors.remove(handles[1], true).map(|(file, _)| file), Some(1));
        assert_eq!(descriptors.remove(handles[1], true), None);
        let again = [descriptors.add(7), descriptors.add(8), descriptors.add(9)];
        assert_eq!(again.map(|handle| handle.raw() as u32), [1, 2, 4]);
        assert_eq!(descriptors.file(handles[1]), None);
        assert_eq!(descriptors.file(again[0]), Some(7));
        assert_eq!(descriptors.open, 5);
    }

    #[test]
    fn a_child_has_what_was_kept_and_no_name_of_the_rest_ever_comes_back() {
        let mut parent = Descriptors::new();
        let handles: Vec<_> = (0..3).map(|file| parent.add(file)).collect();
        let mut child = parent.inherited(&[handles[1], handles[1]]);
        assert_eq!(child.open, 1);
        assert_eq!(
            handles.iter().map(|handle| child.file(*handle)).collect::<Vec<_>>(),
            [None, Some(1), None]
        );
        let younger = child.add(9);
        assert_eq!(younger.raw() as u32, 0);
        assert_eq!(child.file(handles[0]), None);
        assert_eq!(child.file(younger), Some(9));
    }
}
