//! All unsafe code of this crate.
//!
//! It must exist because some things have no safe interface anywhere: signals as such (rustix has no
//! masks, dispositions and signalfd, since a libc keeps some signals for itself), what a signal handler
//! may do (leave errno as it was, end the process at once), making a process, memory that processes
//! share, and the place where the kernel looks for a process's title.
//!
//! # Safety
//!
//! Each function here and below is safe to call with any arguments: it takes signals of [`Signal`], never
//! a number, and hands descriptors over as [`OwnedFd`]. The handlers that can be installed are those
//! below, and none does what is not async-signal-safe.

#![allow(unsafe_code, reason = "the one room for it; the lines above say why it must exist")]

mod arguments;
mod memory;
mod outputs;
mod passed;
mod process;

pub(crate) use arguments::overwrite_arguments;
pub(crate) use memory::Shared;
pub(crate) use outputs::{redirected, remember_output, take_files_from};
pub(crate) use passed::passed_descriptors;
pub(crate) use process::{
    KICK_BELL, QUIT_BELL, Stop, alarm_once, fork, is_single_threaded, next_ended, next_stop,
};

use crate::{birth, kick};
use host_core::sys::Signal;
use rustix::fd::{FromRawFd as _, OwnedFd};
use rustix::io::{Errno, Result};
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::ptr;

/// What a signal does to the process (sigaction(2)).
pub(crate) struct Disposition(libc::sigaction);

impl Disposition {
    /// What the kernel does by itself (signal(7)).
    pub(crate) fn default_action() -> Self {
        Self::handled_by(libc::SIG_DFL, 0)
    }

    /// The kick: judge the heartbeat, and come back or not at all.
    pub(crate) fn kick() -> Self {
        // On the alternate stack, for user code that hangs may have used up its own; system calls of user
        // code go on afterwards (SA_RESTART), except those that never do (epoll_wait(2): signal(7)).
        Self::handled_by(on_kick as *const () as libc::sighandler_t, libc::SA_ONSTACK | libc::SA_RESTART)
    }

    /// Nothing.
    pub(crate) fn ignored() -> Self {
        Self::handled_by(libc::SIG_IGN, 0)
    }

    /// End the process at once, with status 0, whatever it does.
    pub(crate) fn exit() -> Self {
        Self::handled_by(on_exit as *const () as libc::sighandler_t, libc::SA_ONSTACK)
    }

    /// End the process at once, with the status by which a shell tells the signal: 128 and its number.
    pub(crate) fn exit_by_signal() -> Self {
        Self::handled_by(on_exit_by_signal as *const () as libc::sighandler_t, libc::SA_ONSTACK)
    }

    /// Be remembered as the wish that this worker quits.
    pub(crate) fn quit() -> Self {
        // System calls of user code go on afterwards, as with the kick.
        Self::handled_by(on_quit as *const () as libc::sighandler_t, libc::SA_ONSTACK | libc::SA_RESTART)
    }

    /// Take from the host what this worker prints on from here on.
    pub(crate) fn take_files() -> Self {
        Self::handled_by(on_files as *const () as libc::sighandler_t, libc::SA_ONSTACK | libc::SA_RESTART)
    }

    /// Whether the kernel reaps children itself where CHLD does this (waitpid(2), notes).
    pub(crate) fn discards_children(&self) -> bool {
        self.0.sa_sigaction == libc::SIG_IGN || self.0.sa_flags & libc::SA_NOCLDWAIT != 0
    }

    /// What `signal` does at present.
    pub(crate) fn of(signal: Signal) -> Result<Self> {
        let mut old = MaybeUninit::uninit();
        // SAFETY: a null pointer asks without changing; `old` is writable and of the right type.
        check(unsafe { libc::sigaction(number(signal), ptr::null(), old.as_mut_ptr()) })?;
        // SAFETY: sigaction answered 0, so it has written `old`.
        Ok(Self(unsafe { old.assume_init() }))
    }

    /// Makes `signal` do this from here on.
    pub(crate) fn install(&self, signal: Signal) -> Result<()> {
        // SAFETY: `self.0` is the default, one of the handlers below, or what `of` got from the kernel: each was
        // or may be in force. The handlers do nothing that is not async-signal-safe.
        check(unsafe { libc::sigaction(number(signal), &self.0, ptr::null_mut()) })?;
        Ok(())
    }

    fn handled_by(handler: libc::sighandler_t, flags: c_int) -> Self {
        // SAFETY: sigaction is plain integers and an optional function pointer; zeros are valid, and are
        // an empty mask.
        let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        Self(action)
    }
}

/// Runs inside the kick signal, anywhere in the program.
extern "C" fn on_kick(_: c_int) {
    leaving_errno(kick::judge);
}

/// Runs inside the signals that ask a worker to quit.
extern "C" fn on_quit(_: c_int) {
    leaving_errno(birth::asked_to_quit);
}

/// Runs inside the signal that says that a worker has got files to print on.
extern "C" fn on_files(_: c_int) {
    leaving_errno(outputs::take_files);
}

/// Runs inside the signals that end a worker.
extern "C" fn on_exit(_: c_int) {
    exit_at_once(0)
}

/// Runs inside the signals that end the first process of a container.
extern "C" fn on_exit_by_signal(number: c_int) {
    // Below 65 on every Linux.
    exit_at_once(128_u8.saturating_add(u8::try_from(number).unwrap_or(u8::MAX)))
}

fn leaving_errno(handle: impl FnOnce()) {
    // SAFETY: the address of this thread's errno, which lives as long as the thread.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above; nobody else writes it while its own thread is here.
    let before = unsafe { errno.read() };
    handle();
    // SAFETY: as above. The interrupted code may be just about to look at it.
    unsafe { errno.write(before) };
}

/// Makes every signal do what the kernel does by itself, but for those in `others`, which the caller sets, and
/// for KILL and STOP, which never do anything else.
pub(crate) fn reset_dispositions(others: &[Signal]) {
    let action = Disposition::default_action().0;
    let is_other = |signal| {
        [libc::SIGKILL, libc::SIGSTOP].contains(&signal)
            || others.iter().any(|other| number(*other) == signal)
    };
    // Between the two ranges are those that the libc keeps for itself (signal(7), NPTL).
    for number in (1..32).chain(libc::SIGRTMIN()..=libc::SIGRTMAX()).filter(|number| !is_other(*number)) {
        // SAFETY: `action` is the default, which no signal lacks.
        unsafe { libc::sigaction(number, &action, ptr::null_mut()) };
    }
}

/// Makes a write into a connection that ended an error, and nothing more (EPIPE).
pub(crate) fn ignore_broken_pipes() -> Result<()> {
    // SAFETY: to be ignored is something that any signal but KILL and STOP may be.
    check(unsafe { libc::sigaction(libc::SIGPIPE, &Disposition::ignored().0, ptr::null_mut()) })?;
    Ok(())
}

/// While this lives, the calling thread blocks all signals that can be blocked.
pub(crate) struct AllBlocked(libc::sigset_t);

impl AllBlocked {
    pub(crate) fn new() -> Self {
        let mut all = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: `all` is writable and of the right type.
        unsafe { libc::sigfillset(all.as_mut_ptr()) };
        // SAFETY: sigfillset has initialised `all`, and `before` is writable and of the right type. It fails
        // only for a wrong first argument, so it has written `before`.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
        // SAFETY: as above.
        Self(unsafe { before.assume_init() })
    }
}

impl Drop for AllBlocked {
    fn drop(&mut self) {
        // SAFETY: the mask that the kernel gave; the old one is not asked for.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, ptr::null_mut()) };
    }
}

/// Makes the calling thread block no signal at all. What is pending strikes now.
pub(crate) fn unblock_all() {
    // SAFETY: `set_of` gives an initialised signal set; the old mask is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &set_of(&[]), ptr::null_mut()) };
}

/// Ends the process: no destructor, no exit handler, no lock (_exit(2)).
pub(crate) fn exit_at_once(status: u8) -> ! {
    // SAFETY: always sound: it ends all threads without running any more of this program.
    unsafe { libc::_exit(i32::from(status)) }
}

/// Whether the calling thread blocks `signal`.
pub(crate) fn is_blocked(signal: Signal) -> Result<bool> {
    let mut mask = MaybeUninit::uninit();
    // SAFETY: a null pointer asks without changing; `mask` is writable and of the right type.
    let error = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), mask.as_mut_ptr()) };
    named(error)?;
    // SAFETY: pthread_sigmask answered 0, so it has written `mask`; the number is that of a signal.
    Ok(unsafe { libc::sigismember(mask.as_ptr(), number(signal)) } == 1)
}

/// Makes the calling thread block `signals`, or block them no longer.
pub(crate) fn set_blocked(signals: &[Signal], blocked: bool) -> Result<()> {
    let how = if blocked { libc::SIG_BLOCK } else { libc::SIG_UNBLOCK };
    let set = set_of(signals);
    // SAFETY: `set` is an initialised signal set; the old mask is not asked for.
    named(unsafe { libc::pthread_sigmask(how, &set, ptr::null_mut()) })
}

/// A descriptor that is readable while one of `signals`, which the caller blocks, is pending.
pub(crate) fn signalfd(signals: &[Signal]) -> Result<OwnedFd> {
    let set = set_of(signals);
    // SAFETY: -1 asks for a new descriptor; `set` is an initialised signal set.
    let fd = check(unsafe { libc::signalfd(-1, &set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC) })?;
    // SAFETY: the kernel has just made this descriptor for us and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn set_of(signals: &[Signal]) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `set` is writable and of the right type; it cannot fail.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    for signal in signals {
        // SAFETY: `set` was made empty above, so it is initialised; the number is that of a signal.
        unsafe { libc::sigaddset(set.as_mut_ptr(), number(*signal)) };
    }
    // SAFETY: sigemptyset has initialised it.
    unsafe { set.assume_init() }
}

fn number(signal: Signal) -> c_int {
    c_int::from(signal.number())
}

/// For calls that answer -1 and leave the reason in errno.
fn check(answer: c_int) -> Result<c_int> {
    if answer >= 0 {
        return Ok(answer);
    }
    Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL))
}

/// For calls that answer the reason itself, or 0.
fn named(error: c_int) -> Result<()> {
    if error == 0 { Ok(()) } else { Err(Errno::from_raw_os_error(error)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::AsFd as _;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    #[test]
    fn a_write_into_a_broken_connection_does_not_end_a_process_that_has_sigpipe_at_its_default() {
        let (near, far) =
            socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::empty(), None).unwrap();
        drop(far);
        // SAFETY: no handler is involved. The runtime ignores SIGPIPE before main; a program in another
        // language that calls this one does not.
        let before = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        assert_eq!(crate::socket::write(near.as_fd(), b"x"), Err(Errno::PIPE));
        // SAFETY: what was in force above.
        unsafe { libc::signal(libc::SIGPIPE, before) };
    }

    #[test]
    fn a_kick_leaves_errno_as_it_was() {
        // SAFETY: the address of this thread's errno.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: as above.
        unsafe { errno.write(libc::EDOM) };
        // Nobody holds the kick in this process: it judges and comes back.
        on_kick(libc::SIGUSR1);
        // SAFETY: as above.
        assert_eq!(unsafe { errno.read() }, libc::EDOM);
    }
}
