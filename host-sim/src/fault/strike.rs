//! What each class of fault does when its moment has come, and what is left of it after the last one.

use super::{Class, Fault, Faults, Laid};
use crate::choice::Stream;
use crate::kernel::pid_files::Cut;
use crate::kernel::signals::{Disposition, ended_by};
use crate::kernel::{Happening, Index, Kernel, Nanos, SECOND};
use crate::story::Aside;
use crate::trace::Kind;
use host_core::sys::{ExitStatus, Signal};

/// What an operator sends in a burst: what means something to a host, and does not end it.
const OPERATOR: [Signal; 5] = [Signal::Ttin, Signal::Ttou, Signal::Hup, Signal::Usr2, Signal::Winch];
/// How many signals a burst has at most: enough that some of them merge (K3).
const BURST_MAX: u32 = 6;

/// How many calls for a pid file a fault may wait for: a host makes seven until it has its own, and two when it goes.
const CALLS: u32 = 8;

impl Kernel {
    /// Whether a signal that nobody sees interrupts the call that `me` makes.
    pub(crate) fn is_interrupted(&mut self, me: Index) -> bool {
        self.laid.interrupt && self.choices.choose(Stream::Call, me, 8) == 7
    }

    /// A planned fault begins or ends.
    pub(crate) fn strike(&mut self, index: usize, begins: bool) {
        let Some(fault) = self.plan.faults.get(index).copied() else { return };
        if index < self.plan.healed || self.plan.left_out.has(fault.class) {
            return;
        }
        let Fault { class, lasts, target, .. } = fault;
        self.record_world(Kind::Fault, class as u64, u64::from(begins));
        self.trace.aside(|| Aside::Lasts(lasts));
        self.plan.struck[class as usize] += u32::from(begins);
        match class {
            Class::ShortIo => self.laid.short_io = begins,
            Class::Interrupt => self.laid.interrupt = begins,
            Class::Refuse => self.laid.refuse = begins,
            Class::DescriptorShortage => self.laid.descriptors_short = begins,
            Class::Latency => self.laid.latency = begins,
            Class::Schedule => {
                self.laid.jitter = begins;
                self.laid.single_events = begins;
            }
            Class::SlowBoot => self.laid.slow_boot = if begins { lasts } else { 0 },
            Class::ForkFailure => self.laid.fork_fails = begins,
            Class::LateNews => self.laid.late_news = begins,
            Class::AbortedAccept => self.laid.abort_accepts = 1 + target % 3,
            Class::SlowCallback => self.laid.slow_callback = lasts,
            Class::Hang => self.laid.hang = true,
            Class::NeverReady => self.laid.never_ready = 1 + target % 3,
            Class::ExitRace => self.laid.exit_races = 1 + target % 3,
            Class::DiskFull => self.laid.disk_full = begins,
            Class::Rotation => self.rotate_all(target >> 14 == 3),
            Class::PidFileDenied => self.laid.pid_file_denied = begins,
            Class::PidFileCut => {
                let holds = if target >> 15 == 1 { 0 } else { lasts };
                self.laid.pid_file_cut = Some(Cut { calls: target % CALLS, holds });
            }
            Class::Unconfined => self.laid.unconfined = 1 + target % 3,
            Class::Reset | Class::Silence => self.strike_connection(class, target),
            Class::WallJump => self.jump_wall(target),
            Class::HostStop => self.on_host(|kernel, host| kernel.stop_for(host, lasts)),
            Class::Kick => self.on_host(|kernel, host| kernel.signal(host, Signal::Usr1)),
            Class::OperatorSignals => self.on_host(Self::burst),
            Class::HostSlow => self.on_host(|kernel, host| kernel.hold_for(host, lasts)),
            // By signals, as an operator does it, or by a freezer that tells nobody (cgroups(7)).
            Class::Freeze => self.on_host(|kernel, host| kernel.freeze(host, lasts, target % 2 == 0)),
            Class::WorkerHang
            | Class::WorkerStop
            | Class::WorkerCrash
            | Class::WorkerKill
            | Class::IgnoreQuit => {
                self.on_worker(target, |kernel, worker| {
                    kernel.strike_worker(worker, class, Some(lasts), target);
                });
            }
        }
    }

    /// Strikes this worker; who is stopped for no time that is known is never continued.
    pub(super) fn strike_worker(&mut self, worker: Index, class: Class, lasts: Option<Nanos>, target: u32) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "no other class strikes workers")]
        match class {
            Class::WorkerHang => self.process(worker).hangs_next = true,
            Class::WorkerStop => {
                self.signal(worker, Signal::Stop);
                // One in four is never continued.
                if let Some(lasts) = lasts.filter(|_| target >> 14 != 3) {
                    self.after(lasts, Happening::Signal { index: worker, signal: Signal::Cont });
                }
            }
            Class::WorkerCrash => {
                let by_itself = target >> 15 == 1;
                self.end(worker, if by_itself { ExitStatus::Code(0) } else { ended_by(Signal::Segv) });
            }
            Class::WorkerKill => self.signal(worker, Signal::Kill),
            Class::IgnoreQuit => {
                let soft = [Signal::Term, Signal::Int, Signal::Quit];
                self.process(worker).signals.set(&soft, Disposition::Ignored);
                self.process(worker).truth.deaf = true;
            }
            _ => unreachable!("{class:?} strikes no worker"),
        }
    }

    /// The wall clock jumps by up to ten years, either way.
    pub(super) fn jump_wall(&mut self, target: u32) {
        let years = i128::from(target % 21) - 10;
        self.wall_offset += years * 365 * 86_400 * i128::from(SECOND);
    }

    fn strike_connection(&mut self, class: Class, target: u32) {
        let standing = self.net.standing();
        if standing.is_empty() {
            return;
        }
        let conn = standing[target as usize % standing.len()];
        // Either side may be the one that says nothing more.
        let side = (target >> 15) as u8 & 1;
        if class == Class::Reset { self.break_conn(conn) } else { self.silence(conn, side) }
    }

    fn on_host(&mut self, strike: impl FnOnce(&mut Self, Index)) {
        if let Some(host) = self.host {
            self.trace.aside(|| Aside::Target(host));
            strike(self, host);
        }
    }

    /// Strikes one of the living workers, if there are any.
    fn on_worker(&mut self, target: u32, strike: impl FnOnce(&mut Self, Index)) {
        let living = |index: &&Index| self.processes[**index as usize].is_living();
        let count = self.workers.iter().filter(living).count();
        let Some(place) = (target as usize).checked_rem(count) else { return };
        if let Some(worker) = self.workers.iter().filter(living).nth(place).copied() {
            self.trace.aside(|| Aside::Target(worker));
            strike(self, worker);
        }
    }

    fn freeze(&mut self, host: Index, lasts: Nanos, told: bool) {
        let all: Vec<_> = std::iter::once(host).chain(self.workers.iter().copied()).collect();
        for index in all {
            if told { self.stop_for(index, lasts) } else { self.hold_for(index, lasts) }
        }
    }

    fn stop_for(&mut self, index: Index, lasts: Nanos) {
        self.signal(index, Signal::Stop);
        self.after(lasts, Happening::Signal { index, signal: Signal::Cont });
    }

    pub(crate) fn hold_for(&mut self, index: Index, lasts: Nanos) {
        self.hold(index);
        self.after(lasts, Happening::LetGo { index });
    }

    /// An operator leans on the keyboard. Nobody sends what is not expected yet: it would end the host.
    fn burst(&mut self, host: Index) {
        let count = 1 + self.choices.choose(Stream::Operator, 0, BURST_MAX);
        for _ in 0..count {
            let signal = OPERATOR[self.choices.choose(Stream::Operator, 0, OPERATOR.len() as u32) as usize];
            if self.process(host).signals.expects(signal) {
                self.signal(host, signal);
            }
        }
    }

    /// The end of all faults. Those that were silent stay silent; whoever hangs goes on hanging, and
    /// whoever ignores signals ignores them, until somebody does something about it.
    pub(crate) fn heal(&mut self) {
        self.end_faults();
        self.let_all_go_on();
    }

    /// Nothing lies upon anything any more, and nothing that was planned happens.
    pub(super) fn end_faults(&mut self) {
        self.plan.healed = self.plan.faults.len();
        self.faults = Faults::none();
        self.plan.enabled = Some(Faults::none());
        self.laid = Laid::default();
        self.broken.heal_classes();
    }

    /// Nobody is stopped or held any more.
    pub(super) fn let_all_go_on(&mut self) {
        if let Some(host) = self.host {
            self.signal(host, Signal::Cont);
            self.let_go_for_good(host);
        }
        // Others that were started may have been the host when they were struck, or wait in the midst of a pid file.
        for host in self.hosts.clone() {
            if self.process(host).stopped {
                self.signal(host, Signal::Cont);
            }
            self.let_go_for_good(host);
        }
        for worker in self.workers.iter().copied().collect::<Vec<_>>() {
            self.process(worker).hangs_next = false;
            if self.process(worker).stopped {
                self.signal(worker, Signal::Cont);
            }
            self.let_go_for_good(worker);
        }
    }

    fn let_go_for_good(&mut self, index: Index) {
        while self.process(index).held > 0 {
            self.let_go(index);
        }
    }
}
