//! Birth, end, and what is in between the end and nothing.

use crate::choice::Stream;
use crate::kernel::process::{Life, News, Orphanage, Process, Run};
use crate::kernel::rules::Rule;
use crate::kernel::{Happening, Index, Kernel, MICROSECOND, MILLISECOND, Nanos};
use crate::marks::sometimes;
use crate::trace::{Kind, encode_status};
use host_core::sys::{ExitStatus, OnHostDeath, Signal};

/// From the end of a body to the zombie: what it takes to give a small process's memory back.
const EXIT_COST: Nanos = 40 * MICROSECOND;
/// From the end of a parent to the signal that its children are sent for it (PR_SET_PDEATHSIG).
const DEATH_SIGNAL_DELAY: Nanos = 5 * MICROSECOND;
/// By how much the two pieces of news of one death are late in a world that is not calm.
const LATE: [Nanos; 4] = [0, 5 * MICROSECOND, 50 * MICROSECOND, 300 * MICROSECOND];
/// By how much they are late while a fault makes them late.
const VERY_LATE: [Nanos; 8] = [
    0,
    100 * MICROSECOND,
    MILLISECOND,
    5 * MILLISECOND,
    10 * MILLISECOND,
    20 * MILLISECOND,
    35 * MILLISECOND,
    50 * MILLISECOND,
];
/// While news is late, one of so many dying children is reported dead before it is.
const EARLY_ONE_IN: u32 = 8;

impl Kernel {
    /// A process that the machine itself starts: the host, a client, a program of a test.
    pub(crate) fn spawn(&mut self, name: String, delay: Nanos) -> Index {
        let index = self.processes.len() as Index;
        self.processes.push(Process::new(name));
        self.record(index, Kind::Spawn, u64::from(index), 0);
        let turn = self.process(index).next_turn(Run::Runnable);
        self.after(delay, Happening::Run { index, turn });
        index
    }

    /// Gives a process that the machine started a number, so that it can have children. There is always
    /// room for it: the machine would not run it otherwise.
    pub(crate) fn give_number(&mut self, index: Index) {
        let (subreaper, user) = (self.subreaper, self.user);
        let number = self.numbers.take(index).unwrap_or_else(|| self.numbers.beyond(index));
        let process = self.process(index);
        process.number = Some(number);
        process.subreaper = subreaper;
        process.standing.user = user;
    }

    /// Ends a process: its descriptors are closed by the kernel, its body is unwound later. From here on
    /// its status is fixed: a KILL that comes later changes nothing (K9).
    pub(crate) fn end(&mut self, index: Index, status: ExitStatus) {
        let process = self.process(index);
        if process.status.is_some() {
            return;
        }
        process.status = Some(status);
        process.run = Run::Ended;
        process.life = Life::Exiting;
        let (numbered, seat) = (process.number.is_some(), process.seat);
        if let Some(seat) = seat.filter(|_| !self.honours(Rule::SlotOutlivesWriter)) {
            self.empty_slot(seat);
        }
        match status {
            ExitStatus::Code(code) => self.record(index, Kind::Exit, u64::from(code), 0),
            ExitStatus::Signal { number, core } => {
                self.record(index, Kind::Killed, u64::from(number), u64::from(core));
            }
            ExitStatus::Unknown => unreachable!("a process ends by itself or by a signal"),
        }
        self.wait_no_longer(index);
        self.drop_poller(index);
        // A channel's end is told by this, before there is a zombie.
        for handle in self.process(index).descriptors.handles() {
            self.close(index, handle);
        }
        self.close_output(index);
        self.graveyard.push(index);
        if numbered {
            self.report_too_early(index);
            let delay = self.cost(index, EXIT_COST);
            self.after(delay, Happening::Zombie { index });
        } else {
            self.process(index).life = Life::Gone;
        }
        self.check_pid_files_of_the_dead(index, status);
        self.stand_in_for_the_host(index);
        if Some(index) == self.host {
            self.check_end_of_host(index, status);
            self.after(0, Happening::Operator);
        }
    }

    /// A process that was exiting is a zombie: its parent is told, and can collect its status.
    pub(crate) fn become_zombie(&mut self, index: Index) {
        let process = self.process(index);
        if process.life != Life::Exiting {
            return;
        }
        process.life = Life::Zombie;
        sometimes!(process.parent.is_none(), "a process dies that is nobody's child");
        let (parent, seen_as) = (process.parent, process.seen_as);
        self.orphan_children(index);
        let Some(parent) = parent else { return self.vanish(index) };
        self.record(index, Kind::Zombie, 0, 0);
        self.process(parent).news.remove(&index);
        if let Some(file) = seen_as {
            // Whoever waits in the call that collects it.
            self.wake_waiters(file);
        }
        match self.lateness(index) {
            0 => {
                sometimes!("a death is told at once");
                self.announce(index);
            }
            delay => {
                sometimes!(delay > MILLISECOND, "a death is told late");
                self.after(delay, Happening::Announce { index });
            }
        }
        self.mourn(parent, index);
    }

    /// A parent hears of a death by its signal: a child of its own, or one that it adopted.
    fn mourn(&mut self, parent: Index, child: Index) {
        if self.process(child).stranger {
            self.process(parent).dead_strangers.insert(child);
        }
        if self.honours(Rule::DeathRaisesChld) {
            let delay = self.lateness(child);
            self.tell_of_child(parent, delay);
        }
    }

    /// The file that stands for a child becomes readable.
    pub(crate) fn announce(&mut self, index: Index) {
        let process = self.process(index);
        process.announced = true;
        if let Some(file) = process.seen_as {
            self.notify(file);
        }
    }

    /// Stopped and continued children are news too (K6).
    pub(crate) fn tell_parent(&mut self, index: Index, news: News) {
        let Some(parent) = self.process(index).parent else { return };
        self.process(parent).news.insert(index, news);
        let delay = self.lateness(index);
        self.tell_of_child(parent, delay);
    }

    fn lateness(&mut self, index: Index) -> Nanos {
        let late: &[Nanos] = match () {
            () if self.laid.late_news => &VERY_LATE,
            () if self.faults.any() => &LATE,
            () => return 0,
        };
        late[self.choices.choose(Stream::News, index, late.len() as u32) as usize]
    }

    fn tell_of_child(&mut self, parent: Index, delay: Nanos) {
        let signal = Signal::Chld;
        match delay {
            0 => self.signal(parent, signal),
            _ => self.after(delay, Happening::Signal { index: parent, signal }),
        }
    }

    /// While news is late, it may be wrong as well: a child that is only exiting is reported once.
    pub(crate) fn report_too_early(&mut self, index: Index) {
        if self.laid.late_news
            && let Some(file) = self.process(index).seen_as
            && self.choices.one_in(Stream::News, index, EARLY_ONE_IN)
        {
            sometimes!("a child is reported dead before it is");
            self.notify_falsely(file);
        }
    }

    /// Children of a process that ended: whoever adopts orphans here gets them, or init, which reaps at
    /// once. Those that live are sent what they asked for (PR_SET_PDEATHSIG).
    fn orphan_children(&mut self, index: Index) {
        let adopter = self.adopter(index);
        for child in std::mem::take(&mut self.process(index).children) {
            let life = self.process(child).life;
            let process = self.process(child);
            process.parent = adopter;
            process.stranger = true;
            if let Some(adopter) = adopter {
                self.process(adopter).children.insert(child);
            }
            match (life, adopter) {
                (Life::Zombie, None) => {
                    sometimes!("a host dies before it has reaped a child");
                    self.vanish(child);
                }
                (Life::Zombie, Some(adopter)) => self.mourn(adopter, child),
                (Life::Living, _) => {
                    let delay = self.cost(child, DEATH_SIGNAL_DELAY);
                    self.after(delay, Happening::Orphaned { index: child });
                }
                (Life::Exiting | Life::Gone, _) => {}
            }
        }
    }

    /// The nearest ancestor that lives and adopts orphans.
    fn adopter(&self, index: Index) -> Option<Index> {
        let mut ancestor = self.processes[index as usize].parent;
        while let Some(index) = ancestor {
            let process = &self.processes[index as usize];
            if process.subreaper && process.is_living() {
                return Some(index);
            }
            ancestor = process.parent;
        }
        None
    }

    /// A child hears that its parent has ended.
    pub(crate) fn orphaned(&mut self, index: Index) {
        if !self.process(index).is_living() {
            return;
        }
        self.record(index, Kind::Orphaned, 0, 0);
        if !self.process(index).death_signal {
            return;
        }
        sometimes!(self.process(index).stopped, "a stopped worker loses its host");
        sometimes!(self.process(index).truth.hung_since.is_some(), "a worker that hangs loses its host");
        let orphanage = self.process(index).orphanage.filter(|_| self.honours(Rule::HostDeathEnds));
        match orphanage {
            None => {}
            Some(Orphanage { policy: OnHostDeath::Exit, .. }) => {
                sometimes!("a worker ends with its host");
                self.signal(index, Signal::Kill);
            }
            Some(Orphanage { policy: OnHostDeath::Drain, drain_timeout }) => {
                sometimes!("a worker drains since its host has died");
                if self.honours(Rule::HostDeathDrains) {
                    self.ask_to_quit(index);
                }
                self.after(drain_timeout, Happening::Signal { index, signal: Signal::Alrm });
            }
        }
    }

    /// A zombie was reaped: its number is free.
    pub(crate) fn vanish(&mut self, index: Index) {
        let process = self.process(index);
        process.life = Life::Gone;
        process.checks = None;
        process.names = Vec::new();
        let (number, parent, seen_as) = (process.number.take(), process.parent.take(), process.seen_as);
        if let Some(number) = number {
            self.numbers.free(number);
        }
        if let Some(parent) = parent {
            let parent = self.process(parent);
            parent.children.remove(&index);
            parent.dead_strangers.remove(&index);
        }
        self.workers.remove(&index);
        let now = self.now;
        if let Some(book) = self.trace.book_mut() {
            book.gone.insert(index, now);
        }
        if let Some(file) = seen_as {
            // K7: readable still, and hung up.
            self.notify(file);
        }
    }

    /// `parent` collects the status of a zombie.
    pub(crate) fn collect_status(&mut self, parent: Index, index: Index, status: ExitStatus) {
        let number = self.process(index).number.map_or(0, |number| number.0);
        self.record(parent, Kind::Reap, u64::from(number), encode_status(status));
        self.vanish(index);
    }
}
