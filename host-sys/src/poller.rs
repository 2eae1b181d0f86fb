//! Waiting: epoll(7), level-triggered, for all that is registered, and poll(2) for one descriptor.

use crate::clock;
use crate::handles::{Open, Watch};
use host_core::sys::{Interest, PollEvent, Readiness};
use host_core::time::Instant;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::{Errno, Result};
use std::cell::{Ref, RefCell};

/// How many events one wait reports at most. More cost a longer turn before the next look at the
/// signals; fewer cost system calls: at 256 the call itself is 1 % of what the events cost.
const EVENTS_MAX: usize = 256;

/// The poller of one [`Linux`](crate::Linux).
///
/// epoll(7) reports the end of a socket even to one who asked for nothing. So a handle whose interest is
/// nothing is registered here only: the kernel does not hear of it until its interest changes.
pub(crate) struct Poller {
    /// Nothing in the copy of a parent's poller that its child is born with.
    epoll: RefCell<Option<OwnedFd>>,
    /// Where the kernel writes events, kept so that a wait does not allocate.
    buffer: RefCell<Vec<epoll::Event>>,
}

impl Poller {
    pub(crate) fn new() -> Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let epoll = RefCell::new(Some(epoll));
        Ok(Self { epoll, buffer: RefCell::new(Vec::with_capacity(EVENTS_MAX)) })
    }

    /// That of a child, which lets go of its parent's set without changing it: both hold it. The buffer it takes
    /// over, since its copy of the parent does not wait any more, and a large allocation touches many pages.
    pub(crate) fn in_place_of(parent: &Self) -> Result<Self> {
        drop(parent.epoll.take());
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self { epoll: RefCell::new(Some(epoll)), buffer: RefCell::new(parent.buffer.take()) })
    }

    /// Reports `open` under `key` from here on.
    pub(crate) fn add(&self, open: &mut Open, key: u64, interest: Interest) -> Result<()> {
        if open.watched.is_some() {
            return Err(Errno::EXIST);
        }
        self.register(open, key, Watch { interest, shared: false })
    }

    /// As [`add`](Self::add) for reading what other processes watch as well.
    pub(crate) fn add_shared(&self, open: &mut Open, key: u64) -> Result<()> {
        if open.watched.is_some() {
            return Err(Errno::EXIST);
        }
        self.register(open, key, Watch { interest: Interest::READ, shared: true })
    }

    /// Changes what is reported of `open`.
    pub(crate) fn modify(&self, open: &mut Open, key: u64, interest: Interest) -> Result<()> {
        let before = open.watched.ok_or(Errno::NOENT)?;
        let watch = Watch { interest, ..before };
        // What is shared cannot be changed in place: EINVAL (epoll_ctl(2)).
        if before.shared || before.interest.is_none() || interest.is_none() {
            self.unregister(open, before)?;
            return self.register(open, key, watch);
        }
        epoll::modify(&*self.epoll()?, &open.fd, EventData::new_u64(key), flags(watch))?;
        open.watched = Some(watch);
        Ok(())
    }

    /// Reports `open` no longer.
    pub(crate) fn delete(&self, open: &mut Open) -> Result<()> {
        let watch = open.watched.take().ok_or(Errno::NOENT)?;
        if watch.interest.is_none() { Ok(()) } else { epoll::delete(&*self.epoll()?, &open.fd) }
    }

    fn register(&self, open: &mut Open, key: u64, watch: Watch) -> Result<()> {
        if !watch.interest.is_none() {
            epoll::add(&*self.epoll()?, &open.fd, EventData::new_u64(key), flags(watch))?;
        }
        open.watched = Some(watch);
        Ok(())
    }

    /// Leaves `open` registered here only, so that this holds should the next step fail.
    fn unregister(&self, open: &mut Open, watch: Watch) -> Result<()> {
        if !watch.interest.is_none() {
            epoll::delete(&*self.epoll()?, &open.fd)?;
        }
        open.watched = Some(Watch { interest: Interest::NONE, ..watch });
        Ok(())
    }

    fn epoll(&self) -> Result<Ref<'_, OwnedFd>> {
        Ref::filter_map(self.epoll.borrow(), Option::as_ref).map_err(|_| Errno::BADF)
    }

    /// Fills `events` with what is ready, or with nothing once `deadline` has come.
    pub(crate) fn wait(&self, events: &mut Vec<PollEvent>, deadline: Option<Instant>) -> Result<()> {
        events.clear();
        let mut buffer = self.buffer.borrow_mut();
        loop {
            buffer.clear();
            let timeout = deadline.map(clock::until);
            epoll::wait(&*self.epoll()?, spare_capacity(&mut buffer), timeout.as_ref())?;
            events.extend(buffer.iter().map(|event| {
                // Copied: the kernel packs it without regard to alignment.
                let epoll::Event { flags, data } = *event;
                PollEvent { key: data.u64(), readiness: readiness(Conditions::of_epoll(flags)) }
            }));
            // The kernel keeps the timeout to the nanosecond. Should it come back early all the same,
            // nobody may take that for the deadline.
            if !events.is_empty() || deadline.is_some_and(|deadline| clock::now() >= deadline) {
                return Ok(());
            }
        }
    }
}

/// Waits until `fd` is ready for one of `interest` or `deadline` has come.
pub(crate) fn wait_for(
    fd: BorrowedFd<'_>,
    interest: Interest,
    deadline: Option<Instant>,
) -> Result<Readiness> {
    let mut all = [PollFd::new(&fd, wanted(interest))];
    // Whoever wants nothing is not told of the end either, which poll(2) reports unasked.
    let asked = if interest.is_none() { &mut all[..0] } else { &mut all[..] };
    poll_until(asked, deadline)?;
    Ok(readiness(Conditions::of_poll(asked[0].revents())))
}

/// As [`wait_for`], and also ends when `bell` is readable: with nothing, if `fd` is not ready then.
pub(crate) fn wait_for_either(
    fd: BorrowedFd<'_>,
    interest: Interest,
    bell: BorrowedFd<'_>,
    deadline: Option<Instant>,
) -> Result<Option<Readiness>> {
    let mut all = [PollFd::new(&bell, PollFlags::IN), PollFd::new(&fd, wanted(interest))];
    let asked = if interest.is_none() { &mut all[..1] } else { &mut all[..] };
    poll_until(asked, deadline)?;
    let of_fd = asked.get(1).map_or(PollFlags::empty(), PollFd::revents);
    Ok((!of_fd.is_empty()).then(|| readiness(Conditions::of_poll(of_fd))))
}

/// Waits until something holds of one of `asked`.
fn poll_until(asked: &mut [PollFd<'_>], deadline: Option<Instant>) -> Result<()> {
    loop {
        let timeout = deadline.map(clock::until);
        if poll(asked, timeout.as_ref())? > 0 {
            return Ok(());
        }
        if deadline.is_some_and(|deadline| clock::now() >= deadline) {
            return Err(Errno::TIMEDOUT);
        }
    }
}

fn wanted(interest: Interest) -> PollFlags {
    let mut wanted = PollFlags::empty();
    wanted.set(PollFlags::IN | PollFlags::RDHUP, interest.readable);
    wanted.set(PollFlags::OUT, interest.writable);
    wanted
}

/// What the kernel says of a descriptor, in either of its two vocabularies.
struct Conditions {
    readable: bool,
    writable: bool,
    /// The peer has finished sending.
    half_closed: bool,
    /// The connection failed or is closed in both directions.
    gone: bool,
}

impl Conditions {
    fn of_epoll(flags: EventFlags) -> Self {
        Self {
            readable: flags.contains(EventFlags::IN),
            writable: flags.contains(EventFlags::OUT),
            half_closed: flags.contains(EventFlags::RDHUP),
            gone: flags.intersects(EventFlags::HUP | EventFlags::ERR),
        }
    }

    fn of_poll(flags: PollFlags) -> Self {
        Self {
            readable: flags.contains(PollFlags::IN),
            writable: flags.contains(PollFlags::OUT),
            half_closed: flags.contains(PollFlags::RDHUP),
            gone: flags.intersects(PollFlags::HUP | PollFlags::ERR),
        }
    }
}

/// The end of a connection counts as ready: the next read or write tells how it ended.
fn readiness(conditions: Conditions) -> Readiness {
    let Conditions { readable, writable, half_closed, gone } = conditions;
    Readiness {
        readable: readable || half_closed || gone,
        writable: writable || gone,
        ended: half_closed || gone,
    }
}

/// The half-close is asked for with reading only: to one who merely writes it would be a report that
/// nothing takes back, again and again.
fn flags(watch: Watch) -> EventFlags {
    let Watch { interest, shared } = watch;
    if shared && interest == Interest::READ {
        // The kernel refuses to look for the half-close then, which no listener knows.
        return EventFlags::IN | EventFlags::EXCLUSIVE;
    }
    let mut flags = EventFlags::empty();
    flags.set(EventFlags::IN | EventFlags::RDHUP, interest.readable);
    flags.set(EventFlags::OUT, interest.writable);
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_condition_of_the_kernel_is_told_as_the_contract_says() {
        let told = |readable, writable, ended| Readiness { readable, writable, ended };
        let rows = [
            (EventFlags::IN, PollFlags::IN, told(true, false, false)),
            (EventFlags::OUT, PollFlags::OUT, told(false, true, false)),
            (EventFlags::RDHUP, PollFlags::RDHUP, told(true, false, true)),
            (EventFlags::HUP, PollFlags::HUP, told(true, true, true)),
            (EventFlags::ERR, PollFlags::ERR, told(true, true, true)),
            (EventFlags::IN | EventFlags::OUT, PollFlags::IN | PollFlags::OUT, told(true, true, false)),
        ];
        for (of_epoll, of_poll, expected) in rows {
            assert_eq!(readiness(Conditions::of_epoll(of_epoll)), expected, "{of_epoll:?}");
            assert_eq!(readiness(Conditions::of_poll(of_poll)), expected, "{of_poll:?}");
        }
    }

    #[test]
    fn half_close_is_asked_for_with_reading_only() {
        for shared in [false, true] {
            let flags = |interest| flags(Watch { interest, shared });
            let read = if shared { EventFlags::EXCLUSIVE } else { EventFlags::RDHUP };
            assert_eq!(flags(Interest::READ), EventFlags::IN | read);
            assert_eq!(flags(Interest::WRITE), EventFlags::OUT);
            assert_eq!(flags(Interest::NONE), EventFlags::empty());
        }
    }
}
