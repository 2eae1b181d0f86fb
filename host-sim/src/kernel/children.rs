//! What a parent asks of the kernel: to fork, to watch, to signal and to reap.

use crate::choice::Stream;
use crate::kernel::files::Object;
use crate::kernel::poller::Holds;
use crate::kernel::process::{Life, News, Orphanage, Process, Run};
use crate::kernel::rules::Rule;
use crate::kernel::signals::{Disposition, Signals};
use crate::kernel::slots::Seat;
use crate::kernel::{Call, Happening, Index, Kernel, MICROSECOND, Nanos};
use crate::marks::sometimes;
use crate::story::Aside;
use crate::trace::Kind;
use host_core::sys::{Birth, Body, Child, ChildNews, Errno, ExitStatus, ForkError, Handle, Pid, Signal};

/// What fork(2) costs a small parent; PLATFORM measured 59 to 77 µs.
pub(crate) const FORK_COST: Nanos = 60 * MICROSECOND;
/// What a look at the share that a process has of its pages costs.
pub(crate) const PSS_COST: Nanos = 300 * MICROSECOND;
/// From the end of the parent's call to the first step of the child.
const START_DELAY: Nanos = 60 * MICROSECOND;

impl Kernel {
    /// Makes a child; its body is run once the simulator has made a coroutine of it.
    pub(crate) fn fork(&mut self, me: Index, birth: &Birth<'_>, body: Body) -> Result<Child, ForkError> {
        // What is wrong with the order itself is found first.
        let needed = birth.keep.iter().chain(birth.output.iter().flatten());
        if needed.into_iter().any(|kept| self.file(me, *kept).is_none()) {
            return self.fork_failed(me, "fork", Errno::BADF);
        }
        let (page, slot, incarnation) = birth.slot;
        if self.words(Seat { page, slot, incarnation }).is_none() {
            return self.fork_failed(me, "fork", Errno::INVAL);
        }
        if self.threads > 1 {
            return Err(ForkError::Threads { count: self.threads });
        }
        if !self.process(me).is_living() {
            // A destructor of the dead.
            return self.fork_failed(me, "fork", Errno::AGAIN);
        }
        if self.laid.fork_fails {
            let errnos = [Errno::AGAIN, Errno::NOMEM];
            let errno = errnos[self.choices.choose(Stream::Call, me, 2) as usize];
            return self.fork_failed(me, "fork", errno);
        }
        let index = self.processes.len() as Index;
        let Some(pid) = self.numbers.take(index) else {
            return self.fork_failed(me, "fork", Errno::AGAIN);
        };
        let short = self.laid.descriptors_short && Some(me) == self.host;
        if short || self.process(me).descriptors.is_full() {
            // The child was there for a moment; its number is used up and free again.
            self.numbers.free(pid);
            return self.fork_failed(me, "pidfd_open", Errno::MFILE);
        }
        self.bear(me, index, pid, birth);
        let handle = self.open(me, Object::Child(index)).expect("there is room, as was seen above");
        self.process(index).seen_as = self.file(me, handle);
        self.births.push((index, body));
        Ok(Child { pid, handle })
    }

    fn fork_failed<T>(&mut self, me: Index, call: &'static str, errno: Errno) -> Result<T, ForkError> {
        self.record(me, Kind::Failed, Call::Fork as u64, errno.raw() as u64);
        Err(ForkError::System { call, errno })
    }

    /// The child's side of a fork, as far as the kernel and the framework go before its body.
    fn bear(&mut self, me: Index, index: Index, pid: Pid, birth: &Birth<'_>) {
        let (page, slot, incarnation) = birth.slot;
        let mut child = Process::new(name_of(birth));
        child.number = Some(pid);
        child.parent = Some(me);
        child.descriptors = self.inherit(me, birth.keep);
        child.prints_into = self.inherit_output(me, birth.output);
        // K21: none is pending. S43: the documented baseline.
        child.signals = Signals::of_a_worker();
        let parent = &self.processes[me as usize].signals;
        if !self.honours(Rule::ForkGivesBaseline) {
            child.signals.set_back(parent);
        }
        if !self.honours(Rule::ForkClearsPending) {
            child.signals.keep_pending(parent);
        }
        // What its host reads is in no file.
        if birth.output.is_none() {
            child.outputs.clone_from(&self.processes[me as usize].outputs);
        }
        if child.outputs.iter().any(Option::is_some) && self.honours(Rule::ForkGivesBaseline) {
            child.signals.set(&[Signal::Usr1], Disposition::TakeFiles);
        }
        child.standing = self.processes[me as usize].standing.clone();
        child.death_signal = true;
        child.seat = Some(Seat { page, slot, incarnation });
        child.truth.progress = self.now;
        child.orphanage = Some(Orphanage {
            policy: birth.on_host_death,
            drain_timeout: Nanos::try_from(birth.drain_timeout.as_nanos()).unwrap_or(Nanos::MAX / 4),
        });
        self.processes.push(child);
        self.record(me, Kind::Fork, u64::from(pid.0), u64::from(slot));
        self.record(index, Kind::Born, u64::from(pid.0), u64::from(incarnation));
        self.trace.aside(|| Aside::Title(birth.title.to_owned()));
        self.process(me).children.insert(index);
        if self.process(me).orphanage.is_none() {
            // Whoever forks was not forked: it is a host.
            self.workers.insert(index);
        }
        if let Some(quit) = self.open(index, Object::Quit(index)) {
            let file = self.file(index, quit);
            let child = self.process(index);
            child.quit_handle = Some(quit);
            child.quit_file = file;
        }
        self.begin(index);
    }

    /// Plans the child's first step.
    fn begin(&mut self, index: Index) {
        if self.laid.never_ready > 0 {
            self.laid.never_ready -= 1;
            return self.hang(index, "hanging before its body");
        }
        let delay = if self.schedules() {
            // It may be the first of the two to go on.
            START_DELAY / 4 * Nanos::from(1 + self.choices.choose(Stream::Schedule, index, 64))
        } else {
            FORK_COST + START_DELAY
        };
        let Some(later) = self.play(index) else {
            return self.hang(index, "hanging before its body");
        };
        let delay = delay + self.laid.slow_boot + later;
        let turn = self.process(index).next_turn(Run::Runnable);
        self.after(delay, Happening::Run { index, turn });
    }

    /// K7: not readable alive, readable as a zombie, readable and hung up once it was reaped.
    pub(crate) fn child_holds(&self, child: Index) -> Holds {
        let process = &self.processes[child as usize];
        let gone = process.life == Life::Gone && self.honours(Rule::ReapedHangsUp);
        let ended = process.announced && process.life != Life::Gone && self.honours(Rule::DeathIsReadable);
        let readable = ended || gone || process.is_living() && !self.honours(Rule::LifeIsNotReadable);
        Holds { readable, hung_up: gone, ..Holds::default() }
    }

    pub(super) fn child_of(&mut self, me: Index, handle: Handle) -> Result<Index, Errno> {
        match self.object(me, handle) {
            Some(Object::Child(child)) => Ok(child),
            // What stands for no process is as bad as what stands for nothing (pidfd_send_signal(2)).
            Some(_) | None => self.failed(me, Call::Reap, Errno::BADF),
        }
    }

    /// Collects the status of a child, if it has ended.
    pub(crate) fn reap(&mut self, me: Index, handle: Handle) -> Result<Option<ExitStatus>, Errno> {
        let child = self.child_of(me, handle)?;
        self.progressed(me, handle, true);
        let process = self.process(child);
        if process.life == Life::Gone || process.parent != Some(me) {
            return self.failed(me, Call::Reap, Errno::CHILD);
        }
        let Some(status) = process.status.filter(|_| process.life == Life::Zombie) else {
            sometimes!("a child is asked after that has not ended yet");
            return Ok(None);
        };
        if self.honours(Rule::ReapOnce) {
            self.collect_status(me, child, status);
        }
        Ok(Some(status))
    }

    /// Whether [`reap`](Self::reap) would not wait.
    pub(crate) fn can_be_reaped(&mut self, me: Index, handle: Handle) -> bool {
        match self.object(me, handle) {
            Some(Object::Child(child)) => {
                let process = self.process(child);
                process.parent != Some(me) || matches!(process.life, Life::Zombie | Life::Gone)
            }
            _ => true,
        }
    }

    pub(crate) fn signal_child(&mut self, me: Index, handle: Handle, signal: Signal) -> Result<(), Errno> {
        let child = self.child_of(me, handle)?;
        let process = self.process(child);
        let (number, life, living) = (process.number, process.life, process.is_living());
        if life == Life::Gone && !self.honours(Rule::ReapedTakesNoSignals) {
            return Ok(());
        }
        let can = life != Life::Gone && (living || self.honours(Rule::ZombieTakesSignals));
        let Some(pid) = number.filter(|_| can) else {
            return self.failed(me, Call::SignalChild, Errno::SRCH);
        };
        sometimes!(!living, "a host signals a worker that has ended (K8)");
        self.check_signal(me, child, signal);
        self.record(me, Kind::SignalChild, u64::from(signal.number()), u64::from(pid.0));
        if signal == Signal::Kill && living && self.laid.exit_races > 0 {
            // K9: it was on its way out by itself at that moment.
            self.laid.exit_races -= 1;
            sometimes!("a worker exits at the moment of its KILL (K9)");
            self.end(child, ExitStatus::Code(0));
        }
        self.signal(child, signal);
        Ok(())
    }

    /// How much memory a child has; to look needs a descriptor.
    pub(crate) fn memory_of(&mut self, me: Index, handle: Handle) -> Result<u64, Errno> {
        let child = self.child_of(me, handle)?;
        if self.process(child).life == Life::Gone {
            return self.failed(me, Call::Memory, Errno::SRCH);
        }
        if self.laid.descriptors_short && Some(me) == self.host {
            return self.failed(me, Call::Memory, Errno::MFILE);
        }
        let process = self.process(child);
        Ok(if process.is_living() { process.memory } else { 0 })
    }

    /// What a parent has not heard yet: of each child the latest only, the oldest child first (K2).
    pub(crate) fn child_news(&mut self, me: Index, reap_strangers: bool) -> Option<ChildNews> {
        let oldest = self.honours(Rule::OldestNewsFirst);
        let news = &mut self.process(me).news;
        if let Some((child, news)) = if oldest { news.pop_first() } else { news.pop_last() } {
            let pid = self.process(child).number?;
            self.record(me, Kind::ChildNews, u64::from(pid.0), u64::from(news == News::Stopped));
            sometimes!(!self.process(me).news.is_empty(), "there is news of two children at once");
            return Some(match news {
                News::Stopped => ChildNews::Stopped(pid),
                News::Continued => ChildNews::Continued(pid),
            });
        }
        if !reap_strangers && self.honours(Rule::StrangersOnRequest)
            || !self.honours(Rule::StrangersAreReaped)
        {
            return None;
        }
        let stranger = self.process(me).dead_strangers.pop_first()?;
        let (pid, status) = (self.process(stranger).number?, self.process(stranger).status?);
        self.collect_status(me, stranger, status);
        Some(ChildNews::StrangerReaped(pid))
    }

    /// `parent` adopts a process that nobody here forked, and that dies at once (K24).
    pub(crate) fn adopt_stranger(&mut self, parent: Index) {
        if let Some(stranger) = self.bear_stranger(parent, "stranger") {
            self.end(stranger, ExitStatus::Code(0));
        }
    }

    /// A child of `parent` that is nobody's worker and does nothing; none if there is no number left.
    pub(crate) fn bear_stranger(&mut self, parent: Index, name: &str) -> Option<Index> {
        let index = self.processes.len() as Index;
        let pid = self.numbers.take(index)?;
        let mut stranger = Process::new(name.to_owned());
        stranger.number = Some(pid);
        stranger.parent = Some(parent);
        stranger.stranger = true;
        self.processes.push(stranger);
        self.record(parent, Kind::Adopt, u64::from(pid.0), 0);
        self.process(parent).children.insert(index);
        Some(index)
    }
}

/// What a process is called in a timeline: `worker 3.1`, if it is one.
fn name_of(birth: &Birth<'_>) -> String {
    let (_, slot, incarnation) = birth.slot;
    if birth.title.contains("worker") {
        format!("worker {slot}.{incarnation}")
    } else {
        birth.title.to_owned()
    }
}
