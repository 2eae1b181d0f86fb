//! Who runs: turns, wakes, and what keeps a process from running.

use crate::check::truth::pauses::Kind as Pause;
use crate::choice::Stream;
use crate::kernel::process::Run;
use crate::kernel::{Happening, Index, Kernel, MICROSECOND, Nanos};
use crate::marks::sometimes;
use crate::trace::Kind;

/// What one system call costs: the order of magnitude of a cheap one on today's machines.
const CALL_COST: Nanos = 700;
/// The time a scheduler takes to switch.
const SWITCH: Nanos = 2 * MICROSECOND;
/// How many signs of life in a row, without a system call, let time pass: a loop that does nothing else
/// would stand still in virtual time, and never end.
const PULSES_A_ROUND: u32 = 1000;

impl Kernel {
    /// What a system call of `me` costs that is usually over after `usual`, and with it how processes
    /// interleave.
    pub(crate) fn cost(&mut self, me: Index, usual: Nanos) -> Nanos {
        if self.schedules() {
            usual * (1 + Nanos::from(self.choices.choose(Stream::Schedule, me, 16)))
        } else {
            usual
        }
    }

    /// Whether the order of steps is decided, rather than what their usual costs make of it.
    pub(crate) fn schedules(&self) -> bool {
        self.laid.jitter || self.choices.schedules()
    }

    pub(crate) fn call_cost(&mut self, me: Index) -> Nanos {
        self.cost(me, CALL_COST) + self.process(me).slow
    }

    /// Spends time in a process that runs; whether nothing else happens meanwhile, so that it can simply go on.
    pub(crate) fn spend(&mut self, me: Index, cost: Nanos) -> bool {
        let until = self.now + cost;
        let alone = self.next_at().is_none_or(|at| at > until);
        // A broken rule ends the run here, however long this process would go on alone.
        let goes_on = until <= self.limit && self.violation.is_none();
        if alone && goes_on && !self.process(me).is_halted() {
            self.now = until;
            self.choices.now = until;
            return true;
        }
        let turn = self.process(me).next_turn(Run::Runnable);
        self.plan_at(until, Happening::Run { index: me, turn });
        false
    }

    /// Whether a sign of life that was just given is one too many without time passing.
    pub(crate) fn pulses_too_often(&mut self, me: Index) -> bool {
        let process = self.process(me);
        process.pulses += 1;
        sometimes!(process.pulses >= PULSES_A_ROUND, "a body gives signs of life and does nothing else");
        process.pulses >= PULSES_A_ROUND && std::mem::take(&mut process.pulses) > 0
    }

    /// Wakes a blocked process.
    pub(crate) fn wake(&mut self, index: Index) {
        self.wake_after(index, SWITCH);
    }

    /// Wakes one of several that were waiting for the same thing: any of them may be the first to run.
    pub(crate) fn wake_in_a_herd(&mut self, index: Index) {
        let later = if self.schedules() {
            MICROSECOND * Nanos::from(self.choices.choose(Stream::Wake, index, 16))
        } else {
            0
        };
        self.wake_after(index, SWITCH + later);
    }

    fn wake_after(&mut self, index: Index, delay: Nanos) {
        let process = self.process(index);
        if !matches!(process.run, Run::Blocked { .. }) {
            return;
        }
        let turn = process.next_turn(Run::Runnable);
        self.after(delay, Happening::Run { index, turn });
    }

    /// Interrupts a blocked process: its call answers EINTR.
    pub(crate) fn interrupt(&mut self, index: Index) {
        let process = self.process(index);
        if matches!(process.run, Run::Blocked { interruptible: true }) {
            sometimes!("a call that waits is interrupted");
            process.interrupted = true;
            self.wake(index);
        }
    }

    /// Whether a process may run this turn now; if it is stopped or held, it runs when it is let go.
    pub(crate) fn may_run(&mut self, index: Index, turn: u64) -> bool {
        let process = self.process(index);
        if process.status.is_some() || process.turn != turn {
            return false;
        }
        if process.is_halted() {
            process.owed = true;
            sometimes!("a process has its turn while it does not run");
            return false;
        }
        process.run = Run::Running;
        if !std::mem::replace(&mut process.begun, true) {
            self.check_baseline(index);
        }
        true
    }

    /// The scheduler passes a process over from here on. Unlike one that is stopped, nobody is told.
    pub(crate) fn hold(&mut self, index: Index) {
        if self.process(index).is_living() {
            self.record(index, Kind::Hold, 0, 0);
            self.halting(index);
            self.process(index).held += 1;
        }
    }

    /// Undoes one [`hold`](Self::hold).
    pub(crate) fn let_go(&mut self, index: Index) {
        let process = self.process(index);
        if process.held > 0 {
            process.held -= 1;
            self.record(index, Kind::LetGo, 0, 0);
            self.halted_no_longer(index);
        }
    }

    /// To be called before a process is stopped or held.
    pub(crate) fn halting(&mut self, index: Index) {
        let now = self.now;
        let process = self.process(index);
        if !process.is_halted() {
            process.truth.halted.push((now, None));
            self.check_pause(index, Pause::Halted);
        }
    }

    /// To be called after one reason to be halted is gone; runs the process if it was the last one.
    pub(crate) fn halted_no_longer(&mut self, index: Index) {
        let now = self.now;
        let process = self.process(index);
        if process.is_halted() {
            return;
        }
        if let Some((_, until @ None)) = process.truth.halted.last_mut() {
            *until = Some(now);
            self.check_resumption(index, Pause::Halted);
        }
        let process = self.process(index);
        if std::mem::take(&mut process.owed) {
            let turn = process.turn;
            self.after(0, Happening::Run { index, turn });
        }
    }

    /// A process computes for ever from here on, by a fault: it gives no sign of life, and nothing but
    /// signals reaches it.
    pub(crate) fn hang(&mut self, index: Index, doing: &'static str) {
        let now = self.now;
        let process = self.process(index);
        process.hangs_next = false;
        process.doing = doing;
        process.truth.hung_since = Some(now);
        process.next_turn(Run::Blocked { interruptible: false });
        self.record(index, Kind::Hang, 0, 0);
        self.check_silence(index);
    }
}
