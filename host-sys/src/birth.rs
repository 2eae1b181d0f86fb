//! What happens in a child before its body, and what its signals do from then on.
//!
//! A child is a copy of its parent. What it must not do is to act as the parent: unwind into its loop,
//! change its poller, whose set both hold, or hold open what the parent's peers wait to see closed.
//!
//! What costs time here is less the kernel's work than the pages that a child is the first to touch: each is a fault,
//! some microseconds. So it allocates little, and calls little that is not called anyway.

use crate::facade::TARGET;
use crate::handles::Handles;
use crate::linux::{Linux, said};
use crate::poller::Poller;
use crate::raw::{self, Disposition};
use crate::{kick, output, title};
use host_core::error::exit;
use host_core::sys::{Birth, Body, Handle, OnHostDeath, Signal, Sys};
use host_core::time::Duration;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::io::Result;
use rustix::process::{self, getppid, set_parent_process_death_signal};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

/// The status of a child whose body panicked: that of any Rust program.
const PANICKED: u8 = 101;

/// Whether this process was asked to quit.
static QUIT: AtomicBool = AtomicBool::new(false);
/// Whether the alarm of one whose host died is set.
static ALARMED: AtomicBool = AtomicBool::new(false);
/// The number of the host, to see whether it died.
static HOST: AtomicI32 = AtomicI32::new(0);
/// How many microseconds this process may drain after that.
static DRAIN: AtomicU64 = AtomicU64::new(0);

/// The life of a child, from the fork to its exit. Called with all signals blocked, and never left.
/// From `files` it takes what it prints on, where that is in files.
pub(crate) fn live(
    parent: &Linux,
    host: process::Pid,
    birth: &Birth<'_>,
    files: Option<OwnedFd>,
    body: Body,
) -> ! {
    // An unwinding that passed the fork would go on as the parent, and drop what is the parent's.
    let status = catch_unwind(AssertUnwindSafe(|| match be_born(parent, host, birth, files) {
        Ok(sys) => {
            // Never dropped: a handler may use its descriptor until the end.
            std::mem::forget(Rc::clone(&sys));
            // What is pending strikes here.
            raw::unblock_all();
            body(sys)
        }
        Err(errno) => {
            log::error!(target: TARGET, "{}: cannot begin: {errno}", birth.title);
            exit::SYSTEM_FAILED
        }
    }));
    let status = status.unwrap_or_else(|payload| {
        let words = said(payload);
        // The hook has printed it, unless the program has one that does not.
        let tell = || log::error!(target: TARGET, "{}: panicked: {words}", birth.title);
        let _ = catch_unwind(AssertUnwindSafe(tell));
        PANICKED
    });
    let _ = catch_unwind(flush);
    raw::exit_at_once(status)
}

/// Writes what this process has yet to write: what is left in a buffer would be written by a child as
/// well, or, at the end of one, by nobody.
pub(crate) fn flush() {
    // Nobody may be reading. That is for those who print to notice.
    let _ = std::io::stdout().flush();
    let _ = std::io::stderr().flush();
    log::logger().flush();
}

fn be_born(
    parent: &Linux,
    host: process::Pid,
    birth: &Birth<'_>,
    files: Option<OwnedFd>,
) -> Result<Rc<dyn Sys>> {
    // The first thing, so that there is the shortest time in which the host can die unnoticed.
    set_parent_process_death_signal(Some(match birth.on_host_death {
        OnHostDeath::Exit => process::Signal::KILL,
        OnHostDeath::Drain => process::Signal::QUIT,
    }))?;
    // If it died within that time, no signal comes.
    let orphaned = getppid() != Some(host);
    if orphaned && birth.on_host_death == OnHostDeath::Exit {
        raw::exit_at_once(exit::STOPPED);
    }
    set_dispositions(files.is_some())?;
    if let Some(files) = files {
        raw::take_files_from(files);
    }
    let (sys, bell) = begin_anew(parent, birth)?;
    QUIT.store(false, Ordering::Relaxed);
    ALARMED.store(false, Ordering::Relaxed);
    HOST.store(host.as_raw_pid(), Ordering::Relaxed);
    let drain = u64::try_from(birth.drain_timeout.as_micros()).unwrap_or(u64::MAX);
    DRAIN.store(drain, Ordering::Relaxed);
    sys.ring_at_quit(bell)?;
    if orphaned {
        asked_to_quit();
    }
    title::set(birth.title);
    Ok(Rc::new(sys))
}

/// Signals are all blocked: none strikes before its handler has what it needs.
fn set_dispositions(prints_on_files: bool) -> Result<()> {
    use Signal::{Hup, Int, Quit, Term, Ttin, Ttou, Usr1, Usr2, Winch};
    raw::reset_dispositions(&[Hup, Usr1, Usr2, Ttin, Ttou, Winch, Int, Term, Quit]);
    for signal in [Hup, Usr2, Ttin, Ttou, Winch] {
        Disposition::ignored().install(signal)?;
    }
    let at_usr1 = if prints_on_files { Disposition::take_files() } else { Disposition::ignored() };
    at_usr1.install(Usr1)?;
    raw::ignore_broken_pipes()?;
    for signal in [Int, Term] {
        Disposition::exit().install(signal)?;
    }
    Disposition::quit().install(Quit)
}

/// Lets go of what is the parent's, and gives the system of the child and its bell.
fn begin_anew(parent: &Linux, birth: &Birth<'_>) -> Result<(Linux, Handle)> {
    let mut handles: Handles = parent.handles.take();
    if let Some(pipes) = birth.output {
        output::take_over(&handles, pipes)?;
    }
    handles.keep_only(birth.keep);
    // With this descriptor closed there is room for two more: the parent has found room for one.
    let poller = Poller::in_place_of(&parent.poller)?;
    parent.children.let_go();
    kick::let_go();
    raw::KICK_BELL.hang(None);
    parent.launcher.let_go();
    let bell = handles.insert(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    Ok((Linux::of_worker(handles, poller, parent.slots.of_child(birth.slot), bell), bell))
}

impl Linux {
    fn ring_at_quit(&self, bell: Handle) -> Result<()> {
        raw::QUIT_BELL.hang(Some(self.handles.borrow().get(bell)?.fd.as_fd()));
        Ok(())
    }
}

/// Remembers that this worker is to quit, and wakes it. If it is because its host died, nobody is left
/// to end it should it not: the alarm will. Async-signal-safe.
pub(crate) fn asked_to_quit() {
    QUIT.store(true, Ordering::Release);
    raw::QUIT_BELL.ring();
    let orphaned = getppid().map_or(0, process::Pid::as_raw_pid) != HOST.load(Ordering::Relaxed);
    // Once, so that asking again is no reprieve.
    if orphaned && !ALARMED.swap(true, Ordering::Relaxed) {
        raw::alarm_once(Duration::from_micros(DRAIN.load(Ordering::Relaxed)));
    }
}

/// Does what the host's death asks of this process if it has happened without a signal: between two moments at which
/// one was asked for.
pub(crate) fn see_whether_orphaned(signal: Option<process::Signal>) {
    if getppid().map_or(0, process::Pid::as_raw_pid) == HOST.load(Ordering::Relaxed) {
        return;
    }
    match signal {
        Some(process::Signal::QUIT) => asked_to_quit(),
        Some(_) => raw::exit_at_once(exit::STOPPED),
        None => {}
    }
}

/// Whether this process was asked to quit.
#[inline]
pub(crate) fn is_asked_to_quit() -> bool {
    QUIT.load(Ordering::Acquire)
}
