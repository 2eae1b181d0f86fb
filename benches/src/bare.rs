//! What a fleet is measured against: the same with the bare system calls, and nothing around them.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process, pidfd_open,
    set_parent_process_death_signal, waitid,
};
use rustix::time::Timespec;
use std::io::{self, BufRead as _, BufReader, PipeReader, PipeWriter, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// A child, and the handle that is readable when it has ended. It dies with its parent.
#[derive(Debug)]
pub struct Child {
    /// Its number.
    pub pid: Pid,
    handle: OwnedFd,
}

impl Child {
    /// Makes a child that lives `life` and exits with status 0.
    ///
    /// # Errors
    /// Whatever fork(2) and pidfd_open(2) answer.
    ///
    /// # Panics
    /// If this process has other threads: the child could wait for ever for what they had locked.
    pub fn fork(life: impl FnOnce() -> io::Result<()>) -> io::Result<Self> {
        #[expect(
            unsafe_code,
            reason = "the cheapest way to ask, so that the question is no part of the measure"
        )]
        // SAFETY: it changes nothing in a process of one thread, and is refused in one of more (unshare(2)).
        let is_alone = unsafe { libc::unshare(libc::CLONE_THREAD) } == 0;
        assert!(is_alone, "a process that forks has one thread");
        #[expect(unsafe_code, reason = "nothing in the standard library makes a child without exec")]
        // SAFETY: this process has one thread, so that its copy is whole.
        let answer = unsafe { libc::fork() };
        if answer == 0 {
            let tied = set_parent_process_death_signal(Some(Signal::KILL));
            let lived = tied.map_err(Into::into).and_then(|()| life());
            #[expect(unsafe_code, reason = "the standard library's exit would run what is the parent's")]
            // SAFETY: it ends this process, whatever state that is in.
            unsafe {
                libc::_exit(i32::from(lived.is_err()))
            }
        }
        let Some(pid) = Pid::from_raw(answer).filter(|_| answer > 0) else {
            return Err(io::Error::last_os_error());
        };
        Ok(Self { pid, handle: pidfd_open(pid, PidfdFlags::empty())? })
    }

    /// Sends KILL.
    ///
    /// # Errors
    /// Whatever kill(2) answers.
    pub fn kill(&self) -> io::Result<()> {
        Ok(kill_process(self.pid, Signal::KILL)?)
    }

    /// Collects it; it has ended.
    ///
    /// # Errors
    /// Whatever waitid(2) answers.
    pub fn reap(self) -> io::Result<()> {
        retry_on_intr(|| waitid(WaitId::PidFd(self.handle.as_fd()), WaitIdOptions::EXITED))?;
        Ok(())
    }
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

/// A child that has said that it is ready, by a byte on a pipe of its own, and then sleeps for ever.
#[derive(Debug)]
pub struct Sleeper {
    child: Child,
    says: PipeReader,
}

impl Sleeper {
    /// Forks one that is not ready yet.
    ///
    /// # Errors
    /// Whatever pipe(2) and [`Child::fork`] answer.
    pub fn fork() -> io::Result<Self> {
        let (says, mut tell): (PipeReader, PipeWriter) = io::pipe()?;
        let child = Child::fork(|| {
            tell.write_all(b"r")?;
            sleep_for_ever();
        })?;
        Ok(Self { child, says })
    }

    /// Forks one and waits until it is ready.
    ///
    /// # Errors
    /// As [`fork`](Self::fork), and whatever poll(2) and read(2) answer.
    pub fn ready() -> io::Result<Self> {
        let mut sleeper = Self::fork()?;
        await_all(&[&sleeper.says], None)?;
        sleeper.says.read_exact(&mut [0])?;
        Ok(sleeper)
    }

    /// Kills it and waits for its end.
    ///
    /// # Errors
    /// Whatever the system calls answer.
    pub fn end(self) -> io::Result<()> {
        self.child.kill()?;
        await_all(&[&self.child], None)?;
        self.child.reap()
    }

    /// Kills all at once and forks another for each as it dies; they are ready when this returns.
    ///
    /// # Errors
    /// Whatever the system calls answer.
    pub fn replace(all: &mut Vec<Self>) -> io::Result<()> {
        let mut dying = std::mem::take(all);
        let mut booting: Vec<Self> = Vec::new();
        dying.iter().try_for_each(|sleeper| sleeper.child.kill())?;
        while !dying.is_empty() || !booting.is_empty() {
            let deaths = dying.iter().map(|sleeper| sleeper.child.as_fd());
            let births = booting.iter().map(|sleeper| sleeper.says.as_fd());
            let ready = readable(&deaths.chain(births).collect::<Vec<_>>(), None)?;
            let (dead, born) = ready.split_at(dying.len());
            let (mut dead, mut born) = (dead.iter(), born.iter());
            for mut sleeper in booting.extract_if(.., |_| born.next() == Some(&true)) {
                sleeper.says.read_exact(&mut [0])?;
                all.push(sleeper);
            }
            for sleeper in dying.extract_if(.., |_| dead.next() == Some(&true)) {
                sleeper.child.reap()?;
                booting.push(Self::fork()?);
            }
        }
        Ok(())
    }
}

/// Until a signal ends it.
pub fn sleep_for_ever() -> ! {
    loop {
        rustix::event::pause();
    }
}

/// Waits until all of these are readable, or for `timeout`; whether they are.
///
/// # Errors
/// Whatever poll(2) answers.
pub fn await_all(sources: &[&dyn AsFd], timeout: Option<Timespec>) -> io::Result<bool> {
    for source in sources {
        if !readable(&[source.as_fd()], timeout)?[0] {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Waits until one of these is readable; which ones are.
fn readable(sources: &[BorrowedFd<'_>], timeout: Option<Timespec>) -> io::Result<Vec<bool>> {
    let mut polled: Vec<_> = sources.iter().map(|source| PollFd::new(source, PollFlags::IN)).collect();
    loop {
        match poll(&mut polled, timeout.as_ref()) {
            Err(Errno::INTR) => {}
            answer => {
                answer?;
                return Ok(polled.iter().map(|polled| !polled.revents().is_empty()).collect());
            }
        }
    }
}

/// The least prefork server: children that accept, and send lines back; a parent that waits for their end.
///
/// # Errors
/// Whatever the system calls answer.
pub fn serve(workers: usize) -> io::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    say_where(&listener)?;
    let children: io::Result<Vec<_>> = (0..workers).map(|_| Child::fork(|| echo(&listener))).collect();
    for child in children? {
        await_all(&[&child], None)?;
        child.reap()?;
    }
    Ok(())
}

/// As a prefork server of this house does.
fn say_where(listener: &TcpListener) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "listening on {}", listener.local_addr()?)?;
    out.flush()
}

fn echo(listener: &TcpListener) -> io::Result<()> {
    loop {
        let (client, _) = listener.accept()?;
        let (mut client, mut line) = (BufReader::new(client), Vec::new());
        while client.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            client.get_mut().write_all(&line)?;
            line.clear();
        }
    }
}

/// A program that is killed when this one dies: nothing is left behind, even by a bench that was killed.
pub fn dies_with_us(command: &mut Command) -> &mut Command {
    #[expect(unsafe_code, reason = "the standard library asks for it between fork and exec")]
    // SAFETY: one system call, which allocates and locks nothing.
    unsafe {
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?))
    }
}
