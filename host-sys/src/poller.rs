//! Waiting: epoll(7), level-triggered, for all that is registered, and poll(2) for one descriptor.

use crate::clock;
use crate::handles::Open;
use host_core::sys::{Interest, PollEvent, Readiness};
use host_core::time::Instant;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::{Errno, Result};
use std::cell::RefCell;

/// How many events one wait reports at most. More cost a longer turn before the next look at the
/// signals; fewer cost system calls: at 256 the call itself is 1 % of what the events cost.
const EVENTS_MAX: usize = 256;

/// The poller of one [`Linux`](crate::Linux).
///
/// epoll(7) reports the end of a socket even to one who asked for nothing. So a handle whose interest is
/// nothing is registered here only: the kernel does not hear of it until its interest changes.
pub(crate) struct Poller {
    epoll: OwnedFd,
    /// Where the kernel writes events, kept so that a wait does not allocate.
    buffer: RefCell<Vec<epoll::Event>>,
}

impl Poller {
    pub(crate) fn new() -> Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, buffer: RefCell::new(Vec::with_capacity(EVENTS_MAX)) })
    }

    /// Reports `open` under `key` from here on.
    pub(crate) fn add(&self, open: &mut Open, key: u64, interest: Interest) -> Result<()> {
        if open.watched.is_some() {
            return Err(Errno::EXIST);
        }
        if !interest.is_none() {
            epoll::add(&self.epoll, &open.fd, EventData::new_u64(key), flags(interest))?;
        }
        open.watched = Some(interest);
        Ok(())
    }

    /// Changes what is reported of `open`.
    pub(crate) fn modify(&self, open: &mut Open, key: u64, interest: Interest) -> Result<()> {
        let before = open.watched.ok_or(Errno::NOENT)?;
        let (epoll, fd, data) = (&self.epoll, &open.fd, EventData::new_u64(key));
        match (before.is_none(), interest.is_none()) {
            (true, true) => {}
            (true, false) => epoll::add(epoll, fd, data, flags(interest))?,
            (false, true) => epoll::delete(epoll, fd)?,
            (false, false) => epoll::modify(epoll, fd, data, flags(interest))?,
        }
        open.watched = Some(interest);
        Ok(())
    }

    /// Reports `open` no longer.
    pub(crate) fn delete(&self, open: &mut Open) -> Result<()> {
        let interest = open.watched.take().ok_or(Errno::NOENT)?;
        if interest.is_none() { Ok(()) } else { epoll::delete(&self.epoll, &open.fd) }
    }

    /// Fills `events` with what is ready, or with nothing once `deadline` has come.
    pub(crate) fn wait(&self, events: &mut Vec<PollEvent>, deadline: Option<Instant>) -> Result<()> {
        events.clear();
        let mut buffer = self.buffer.borrow_mut();
        loop {
            buffer.clear();
            let timeout = deadline.map(clock::until);
            epoll::wait(&self.epoll, spare_capacity(&mut buffer), timeout.as_ref())?;
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
    let mut wanted = PollFlags::empty();
    wanted.set(PollFlags::IN | PollFlags::RDHUP, interest.readable);
    wanted.set(PollFlags::OUT, interest.writable);
    let mut all = [PollFd::new(&fd, wanted)];
    // Whoever wants nothing is not told of the end either, which poll(2) reports unasked.
    let asked = if interest.is_none() { &mut all[..0] } else { &mut all[..] };
    loop {
        let timeout = deadline.map(clock::until);
        if poll(asked, timeout.as_ref())? > 0 {
            return Ok(readiness(Conditions::of_poll(asked[0].revents())));
        }
        if deadline.is_some_and(|deadline| clock::now() >= deadline) {
            return Err(Errno::TIMEDOUT);
        }
    }
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
fn flags(interest: Interest) -> EventFlags {
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
        assert_eq!(flags(Interest::READ), EventFlags::IN | EventFlags::RDHUP);
        assert_eq!(flags(Interest::WRITE), EventFlags::OUT);
        assert_eq!(flags(Interest::NONE), EventFlags::empty());
    }
}
