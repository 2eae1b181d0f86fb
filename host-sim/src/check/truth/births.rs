//! S43: what a fresh worker does with signals is the documented baseline.
//!
//! It is looked at before the worker's first step, and again when its host hears that it is ready: whatever
//! ran in between has left it as it was.

use crate::check::Violation;
use crate::kernel::signals::Disposition;
use crate::kernel::{Index, Kernel};
use host_core::id::WorkerId;
use host_core::sys::Signal;

/// What signals(7) of a worker says, as the README has it.
const fn documented(signal: Signal, prints_on_files: bool) -> Disposition {
    match signal {
        Signal::Usr1 if prints_on_files => Disposition::TakeFiles,
        Signal::Int | Signal::Term => Disposition::ExitZero,
        Signal::Quit => Disposition::Quit,
        Signal::Hup | Signal::Usr1 | Signal::Usr2 | Signal::Ttin | Signal::Ttou | Signal::Winch => {
            Disposition::Ignored
        }
        Signal::Abrt
        | Signal::Kill
        | Signal::Segv
        | Signal::Alrm
        | Signal::Chld
        | Signal::Cont
        | Signal::Stop => Disposition::Default,
    }
}

impl Kernel {
    /// The worker is about to take its first step, or is ready.
    pub(crate) fn check_baseline(&mut self, index: Index) {
        let process = &self.processes[index as usize];
        // By a fault, it has set something else.
        if process.seat.is_none() || !process.is_living() || process.truth.deaf {
            return;
        }
        let signals = &process.signals;
        let documented = |signal| documented(signal, process.outputs.iter().any(Option::is_some));
        let set = Signal::ALL.iter().find(|signal| signals.disposition(**signal) != documented(**signal));
        let held = Signal::ALL.iter().find(|signal| signals.holds_back(**signal));
        // One that is stopped takes them when it is continued.
        let pending = Signal::ALL.iter().find(|signal| !process.stopped && signals.is_pending(**signal));
        let wrong = match (set, held, pending) {
            (Some(signal), ..) => {
                format!(
                    "has {signal} set to {:?}, not {:?}",
                    signals.disposition(*signal),
                    documented(*signal)
                )
            }
            (_, Some(signal), _) => format!("holds {signal} back"),
            (.., Some(signal)) => format!("begins with {signal} pending"),
            (None, None, None) => return,
        };
        let detail = format!("`{}` {wrong}", process.name);
        self.violate(Violation::new("S43", detail));
    }

    /// The host hears that a worker is ready.
    pub(super) fn check_ready(&mut self, host: Index, worker: WorkerId) {
        let mut children = self.processes[host as usize].children.iter().copied();
        let sits = |child: &Index| {
            let seat = self.processes[*child as usize].seat;
            seat.is_some_and(|seat| self.worker_of(seat) == Some(worker))
        };
        if let Some(child) = children.find(sits) {
            self.check_baseline(child);
            self.check_confined(child, worker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Choices;
    use crate::kernel::process::Process;
    use crate::kernel::signals::Signals;
    use crate::kernel::slots::Seat;
    use host_core::sys::SlotsId;

    #[test]
    fn each_departure_from_the_baseline_is_seen() {
        type Row = (&'static str, fn(&mut Kernel), bool);
        let rows: [Row; 6] = [
            ("as documented", |_| {}, false),
            ("its parent's handler", |kernel| set(kernel, Signal::Usr1, Disposition::Kick), true),
            ("an ignored one", |kernel| set(kernel, Signal::Term, Disposition::Ignored), true),
            ("its parent's mask", |kernel| kernel.process(0).signals.block(&[Signal::Chld]), true),
            (
                "what was pending for its parent",
                |kernel| {
                    kernel.process(0).signals.block(&[Signal::Hup]);
                    kernel.signal(0, Signal::Hup);
                    kernel.process(0).signals.unblock(&[Signal::Hup]);
                },
                true,
            ),
            (
                "what waits until it is continued",
                |kernel| {
                    kernel.process(0).stopped = true;
                    kernel.signal(0, Signal::Term);
                },
                false,
            ),
        ];
        for (name, change, wrong) in rows {
            let mut kernel = Kernel::new(Choices::seeded(0), false);
            let mut worker = Process::new("worker 0.1".to_owned());
            worker.signals = Signals::of_a_worker();
            worker.seat = Some(Seat { page: SlotsId(0), slot: 0, incarnation: 1 });
            kernel.processes.push(worker);
            change(&mut kernel);
            kernel.check_baseline(0);
            let found = kernel.violation.map(|found| found.id);
            assert_eq!(found, wrong.then_some("S43"), "{name}");
        }
    }

    fn set(kernel: &mut Kernel, signal: Signal, disposition: Disposition) {
        kernel.process(0).signals.set(&[signal], disposition);
    }
}
