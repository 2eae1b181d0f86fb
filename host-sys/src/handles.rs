//! Which descriptor a handle names: a seat, and the nth descriptor to sit there.

use host_core::sys::{Handle, Interest};
use rustix::fd::OwnedFd;
use rustix::io::{Errno, Result};

/// The open descriptors of one [`Linux`](crate::Linux).
#[derive(Debug, Default)]
pub(crate) struct Handles {
    seats: Vec<Seat>,
    /// The empty seats; the last to be left is the first to be taken, since it is in the cache.
    free: Vec<u32>,
}

#[derive(Debug)]
struct Seat {
    /// How many descriptors sat here before this one.
    generation: u32,
    open: Option<Open>,
}

/// An open descriptor.
#[derive(Debug)]
pub(crate) struct Open {
    /// The descriptor, closed when this is dropped.
    pub(crate) fd: OwnedFd,
    /// How it is registered in the poller, if it is.
    pub(crate) watched: Option<Watch>,
}

/// A registration in the poller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watch {
    /// What its owner wants to be told.
    pub(crate) interest: Interest,
    /// Whether other processes watch it as well, and one of them is to be woken rather than all.
    pub(crate) shared: bool,
}

impl Handles {
    /// Takes `fd` in and names it.
    pub(crate) fn insert(&mut self, fd: OwnedFd) -> Handle {
        let open = Some(Open { fd, watched: None });
        if let Some(index) = self.free.pop() {
            let seat = &mut self.seats[index as usize];
            debug_assert!(seat.open.is_none(), "seat {index} is free and taken");
            seat.open = open;
            return name(index, seat.generation);
        }
        let index = u32::try_from(self.seats.len()).expect("a process cannot hold 2^32 descriptors");
        self.seats.push(Seat { generation: 0, open });
        // There is room for all of them to be free, so that a child allocates nothing as it lets go of them.
        self.free.reserve(self.seats.len());
        name(index, 0)
    }

    /// What `handle` names.
    ///
    /// # Errors
    /// [`Errno::BADF`] if it was closed or never given out.
    #[inline]
    pub(crate) fn get(&self, handle: Handle) -> Result<&Open> {
        let (index, generation) = parts(handle);
        match self.seats.get(index) {
            Some(Seat { generation: now, open: Some(open) }) if *now == generation => Ok(open),
            _ => Err(Errno::BADF),
        }
    }

    /// As [`get`](Self::get), to change it.
    ///
    /// # Errors
    /// [`Errno::BADF`] if it was closed or never given out.
    pub(crate) fn get_mut(&mut self, handle: Handle) -> Result<&mut Open> {
        let (index, generation) = parts(handle);
        match self.seats.get_mut(index) {
            Some(Seat { generation: now, open: Some(open) }) if *now == generation => Ok(open),
            _ => Err(Errno::BADF),
        }
    }

    /// Forgets `handle` and gives back what it named; `None` if that happened before.
    pub(crate) fn remove(&mut self, handle: Handle) -> Option<Open> {
        let (index, generation) = parts(handle);
        let seat = self.seats.get_mut(index).filter(|seat| seat.generation == generation)?;
        let open = seat.vacate()?;
        if seat.is_of_use() {
            self.free.push(index as u32);
        }
        Some(open)
    }

    /// Closes all but those in `keep`, which keep their names and are registered nowhere: for a child,
    /// whose poller is another one. Nobody is asked to take out what was registered, since the set that
    /// it was registered in still serves the parent.
    pub(crate) fn keep_only(&mut self, keep: &[Handle]) {
        for (index, seat) in (0..).zip(&mut self.seats) {
            let kept = keep.contains(&name(index, seat.generation));
            match &mut seat.open {
                Some(open) if kept => open.watched = None,
                Some(_) => {
                    drop(seat.vacate());
                    if seat.is_of_use() {
                        self.free.push(index);
                    }
                }
                None => {}
            }
        }
    }
}

impl Seat {
    /// Ends the generation that sits here, if one does.
    fn vacate(&mut self) -> Option<Open> {
        let open = self.open.take()?;
        self.generation = self.generation.wrapping_add(1);
        Some(open)
    }

    /// A seat whose generations are used up stays empty for ever: 12 bytes lost after four thousand
    /// million sockets, and no old handle ever names a new one.
    fn is_of_use(&self) -> bool {
        self.generation != 0
    }
}

fn name(index: u32, generation: u32) -> Handle {
    Handle::from_raw(u64::from(generation) << 32 | u64::from(index))
}

fn parts(handle: Handle) -> (usize, u32) {
    let raw = handle.raw();
    (raw as u32 as usize, (raw >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::{AsFd as _, AsRawFd as _};

    #[test]
    fn what_is_kept_keeps_its_name_and_loses_its_registration_and_the_rest_is_closed() {
        let mut handles = Handles::default();
        let names: Vec<_> = (0..4).map(|_| handles.insert(fd())).collect();
        assert!(handles.remove(names[0]).is_some());
        let young = handles.insert(fd());
        for name in [young, names[1], names[2]] {
            handles.get_mut(name).unwrap().watched = Some(Watch { interest: Interest::READ, shared: true });
        }
        let numbers = [young, names[2]].map(|name| handles.get(name).unwrap().fd.as_raw_fd());

        // A name from before and one that was never given out keep nothing.
        handles.keep_only(&[young, names[0], names[2], Handle::from_raw(99)]);
        for (name, number) in [young, names[2]].into_iter().zip(numbers) {
            let open = handles.get(name).unwrap();
            assert_eq!(open.fd.as_raw_fd(), number);
            assert_eq!(open.watched, None);
        }
        for closed in [names[0], names[1], names[3]] {
            assert_eq!(handles.get(closed).err(), Some(Errno::BADF));
        }
        let next = [handles.insert(fd()), handles.insert(fd())];
        assert!(next.iter().all(|name| ![young, names[0], names[1], names[2], names[3]].contains(name)));
        assert_eq!(handles.seats.len(), 4, "the seats that were left are used again");
    }

    #[test]
    fn letting_go_of_all_of_them_allocates_nothing() {
        let mut handles = Handles::default();
        for _ in 0..100 {
            let _ = handles.insert(fd());
            let room = handles.free.capacity();
            assert!(room >= handles.seats.len(), "{room} for {}", handles.seats.len());
        }
    }

    fn fd() -> OwnedFd {
        std::io::stderr().as_fd().try_clone_to_owned().unwrap()
    }

    #[test]
    fn a_handle_names_its_own_descriptor_until_it_is_removed() {
        let mut handles = Handles::default();
        let (first, second) = (fd(), fd());
        let numbers = [first.as_raw_fd(), second.as_raw_fd()];
        let names = [handles.insert(first), handles.insert(second)];
        for (name, number) in names.into_iter().zip(numbers) {
            assert_eq!(handles.get(name).unwrap().fd.as_raw_fd(), number);
            assert_eq!(handles.get_mut(name).unwrap().fd.as_raw_fd(), number);
        }
        assert_eq!(handles.remove(names[0]).unwrap().fd.as_raw_fd(), numbers[0]);
        assert_eq!(handles.get(names[0]).err(), Some(Errno::BADF));
        assert_eq!(handles.get_mut(names[0]).err(), Some(Errno::BADF));
        assert!(handles.remove(names[0]).is_none());
        assert_eq!(handles.get(names[1]).unwrap().fd.as_raw_fd(), numbers[1]);
    }

    #[test]
    fn a_stale_handle_never_names_the_next_to_sit_there() {
        let mut handles = Handles::default();
        let mut stale = Vec::new();
        for _ in 0..100 {
            let handle = handles.insert(fd());
            assert!(!stale.contains(&handle));
            for old in &stale {
                assert_eq!(handles.get(*old).err(), Some(Errno::BADF));
                assert!(handles.remove(*old).is_none());
            }
            assert!(handles.remove(handle).is_some());
            stale.push(handle);
        }
        assert_eq!(handles.seats.len(), 1, "the seat is used again");
    }

    #[test]
    fn a_seat_is_given_up_when_its_generations_are_used_up() {
        let mut handles = Handles::default();
        let first = handles.insert(fd());
        assert!(handles.remove(first).is_some());
        handles.seats[0].generation = u32::MAX;
        let last = handles.insert(fd());
        assert_eq!(last, name(0, u32::MAX));
        assert!(handles.remove(last).is_some());
        assert_eq!(handles.get(last).err(), Some(Errno::BADF));
        assert_eq!(handles.insert(fd()), name(1, 0));
        assert_eq!(handles.get(first).err(), Some(Errno::BADF));
    }

    #[test]
    fn a_handle_that_was_never_given_out_is_bad() {
        let handles = Handles::default();
        for raw in [0, 1, 1 << 32, u64::MAX] {
            assert_eq!(handles.get(Handle::from_raw(raw)).err(), Some(Errno::BADF), "{raw}");
        }
    }
}
