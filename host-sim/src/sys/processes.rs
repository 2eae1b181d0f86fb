//! `Processes` for one simulated process.

use super::SimSys;
use crate::kernel::children::{FORK_COST, PSS_COST};
use crate::kernel::slots::Seat;
use crate::kernel::standing;
use crate::kernel::{Call, MICROSECOND, Nanos};
use host_core::fleet::beat::Pace;
use host_core::fleet::memory::MemoryFigure;
use host_core::sys::{
    Account, Birth, Body, Child, ChildNews, ConfineError, Confinement, Errno, ExitStatus, ForkError, Handle,
    Interest, Pid, Processes, Readiness, Signal, SlotReading, SlotsId, StdStream, User,
};
use host_core::time::Instant;

/// What a thousand signs of life cost together, with the loop that gives them.
const PULSES_COST: Nanos = 100 * MICROSECOND;

impl Processes for SimSys {
    fn pid(&self) -> Pid {
        // A client has no number, and nobody to tell it to.
        self.kernel.borrow_mut().process(self.me).number.unwrap_or(Pid(0))
    }

    fn threads(&self) -> Result<u32, Errno> {
        Ok(self.kernel.borrow().threads)
    }

    fn processors(&self) -> u32 {
        self.kernel.borrow().processors
    }

    fn user(&self, user: &Account, group: Option<u32>) -> Result<Option<User>, Errno> {
        Ok(standing::user(user, group))
    }

    fn group(&self, name: &str) -> Result<Option<u32>, Errno> {
        Ok(standing::group(name))
    }

    fn foresee(&self, confinement: &Confinement) -> Vec<ConfineError> {
        self.call(|kernel| kernel.foresee(self.me, confinement))
    }

    fn confine(&self, confinement: &Confinement) -> Result<(), ConfineError> {
        self.call(|kernel| kernel.confine(self.me, confinement))?;
        // Between the two the host may die.
        self.call(|kernel| kernel.provide_for_host_death(self.me));
        self.stop_here_if_dead();
        Ok(())
    }

    fn fork(&self, birth: &Birth<'_>, body: Body) -> Result<Child, ForkError> {
        self.call_that_costs(Some(FORK_COST), |kernel| kernel.fork(self.me, birth, body))
    }

    fn reap(&self, child: Handle, wait: bool) -> Result<Option<ExitStatus>, Errno> {
        loop {
            let answer = self.call(|kernel| kernel.reap(self.me, child))?;
            if answer.is_some() || !wait {
                return Ok(answer);
            }
            if self.is_dead() || std::thread::panicking() {
                return Err(Errno::CHILD);
            }
            {
                let kernel = &mut *self.kernel.borrow_mut();
                if kernel.can_be_reaped(self.me, child) {
                    continue;
                }
                let Some(file) = kernel.file(self.me, child) else { return Err(Errno::BADF) };
                kernel.wait_for(self.me, file);
                kernel.block(self.me, None, "waiting for a child to end");
            }
            self.give_way();
            let kernel = &mut *self.kernel.borrow_mut();
            kernel.wait_no_longer(self.me);
            let process = kernel.process(self.me);
            process.doing = "running";
            // It waits on, whatever interrupted it.
            process.interrupted = false;
        }
    }

    fn signal_child(&self, child: Handle, signal: Signal) -> Result<(), Errno> {
        self.call(|kernel| kernel.signal_child(self.me, child, signal))
    }

    fn hand_outputs(&self, child: Handle) -> Result<(), Errno> {
        self.call(|kernel| kernel.hand_outputs(self.me, child))
    }

    fn memory(&self, child: Handle, figure: MemoryFigure) -> Result<u64, Errno> {
        // Simulated processes share no page; but the kernel does not know that before it has walked their tables.
        let cost = match figure {
            MemoryFigure::Rss => None,
            MemoryFigure::Pss => Some(PSS_COST),
        };
        self.call_that_costs(cost, |kernel| kernel.memory_of(self.me, child))
    }

    fn child_news(&self, reap_strangers: bool) -> Option<ChildNews> {
        self.call(|kernel| kernel.child_news(self.me, reap_strangers))
    }

    fn channel(&self) -> Result<(Handle, Handle), Errno> {
        self.call(|kernel| kernel.channel(self.me))
    }

    fn pipe(&self) -> Result<(Handle, Handle), Errno> {
        self.call(|kernel| kernel.pipe(self.me))
    }

    fn pipe_read(&self, pipe: Handle, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.interruptible(|kernel| kernel.pipe_read(self.me, pipe, buffer))
    }

    fn print(&self, stream: StdStream, bytes: &[u8]) -> Result<usize, Errno> {
        let mut printed = 0;
        loop {
            printed += self.call(|kernel| kernel.print(self.me, stream, &bytes[printed..], printed == 0))?;
            if printed == bytes.len() || self.is_dead() || std::thread::panicking() {
                return Ok(printed);
            }
            {
                let kernel = &mut *self.kernel.borrow_mut();
                let Some(file) = kernel.process(self.me).prints_into.map(|files| files[stream.index()])
                else {
                    return Ok(printed);
                };
                let object = kernel.files.get(file).object;
                // It may have been read while the call's own cost passed.
                if !kernel.holds(self.me, object).told(Interest::WRITE).is_none() {
                    continue;
                }
                kernel.wait_for(self.me, file);
                kernel.block(self.me, None, "waiting for what it prints to be read");
            }
            self.give_way();
            let kernel = &mut *self.kernel.borrow_mut();
            kernel.wait_no_longer(self.me);
            let process = kernel.process(self.me);
            process.doing = "running";
            // Handlers of workers let calls go on (SA_RESTART); one that has done a part of its work says so instead.
            if std::mem::take(&mut process.interrupted) && printed > 0 {
                return Ok(printed);
            }
        }
    }

    fn slots(&self, count: u32) -> Result<SlotsId, Errno> {
        self.call(|kernel| Ok(kernel.slots(count)))
    }

    fn slot_claim(&self, page: SlotsId, slot: u32, incarnation: u32) {
        self.kernel.borrow_mut().slot_claim(self.me, Seat { page, slot, incarnation });
    }

    fn slot_read(&self, page: SlotsId, slot: u32, incarnation: u32) -> SlotReading {
        self.kernel.borrow_mut().slot_read(Seat { page, slot, incarnation })
    }

    fn pulse(&self, pace: Pace) {
        if self.is_dead() {
            return;
        }
        let too_often = {
            let kernel = &mut *self.kernel.borrow_mut();
            kernel.pulse(self.me, pace);
            kernel.pulses_too_often(self.me)
        };
        if too_often {
            self.compute(PULSES_COST);
        }
    }

    fn slot_extend(&self, until: Instant) {
        if !self.is_dead() {
            self.kernel.borrow_mut().slot_extend(self.me, until);
        }
    }

    fn slot_count(&self, requests: u64) {
        if !self.is_dead() {
            self.kernel.borrow_mut().slot_count(self.me, requests);
        }
    }

    fn slot_busy(&self, connections: u64) {
        if !self.is_dead() {
            self.kernel.borrow_mut().slot_busy(self.me, connections);
        }
    }

    fn quit_asked(&self) -> bool {
        self.kernel.borrow_mut().process(self.me).quit_asked
    }

    fn quit_handle(&self) -> Result<Handle, Errno> {
        self.call(|kernel| match kernel.process(self.me).quit_handle {
            Some(handle) => Ok(handle),
            None => kernel.failed(self.me, Call::QuitHandle, Errno::NOSYS),
        })
    }

    fn wait_or_quit(
        &self,
        handle: Handle,
        interest: Interest,
        deadline: Option<Instant>,
    ) -> Result<Readiness, Errno> {
        self.wait_for(handle, interest, deadline, true)
    }
}
