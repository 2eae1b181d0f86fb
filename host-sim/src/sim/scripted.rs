//! What a test says of workers: parts that they play, to try a configuration without a service that misbehaves.

use super::{Sim, nanos};
use crate::kernel::scripted::{Act, Part};
use host_core::time::Duration;
use std::ops::RangeInclusive;

/// The part that workers of a fleet play, whatever their body does; by default all of them, in each incarnation.
///
/// It holds for those that are born from here on: say it before [`Sim::host`] starts them. Moments are counted from
/// the fork. Several parts of one worker add up.
#[must_use = "a part is played once it is given to `Sim::play`"]
#[derive(Clone, Debug)]
pub struct Scripted(Part);

impl Scripted {
    /// Workers of the fleet of this name.
    pub fn of(fleet: &str) -> Self {
        Self(Part::of(fleet))
    }

    /// Only those in this slot, from 0.
    pub fn slot(mut self, slot: u16) -> Self {
        self.0.slot = Some(slot);
        self
    }

    /// Only those incarnations of a slot; the first worker of a slot is 1.
    pub fn incarnations(mut self, incarnations: RangeInclusive<u32>) -> Self {
        self.0.incarnations = incarnations;
        self
    }

    fn acts(self, at: Duration, act: Act) -> Self {
        Self(self.0.acts(nanos(at), act))
    }

    /// It computes for ever from `after` on, without a sign of life.
    pub fn hang_at(self, after: Duration) -> Self {
        self.acts(after, Act::Hang)
    }

    /// It ends by SEGV.
    pub fn crash_after(self, after: Duration) -> Self {
        self.acts(after, Act::Crash)
    }

    /// It ends by itself with `status`.
    pub fn exit_after(self, after: Duration, status: u8) -> Self {
        self.acts(after, Act::Exit(status))
    }

    /// It is stopped (SIGSTOP), and nobody continues it.
    pub fn stop_at(self, after: Duration) -> Self {
        self.acts(after, Act::Stop)
    }

    /// It loses a descriptor each `every`, from its birth on, until it has none left to accept with.
    pub fn leak(self, every: Duration) -> Self {
        self.acts(every, Act::Leak(nanos(every).max(1)))
    }

    /// It has so many bytes of memory more each `every`, from its birth on: it begins with 4 MiB.
    pub fn leak_memory(self, bytes: u64, every: Duration) -> Self {
        self.acts(every, Act::Grow(bytes, nanos(every).max(1)))
    }

    /// Its body begins so much later.
    pub fn boot_for(mut self, duration: Duration) -> Self {
        self.0.boot = Some(nanos(duration));
        self
    }

    /// Its body never begins.
    pub fn never_ready(mut self) -> Self {
        self.0.boot = None;
        self
    }

    /// Each of its system calls takes so much longer.
    pub fn slow(mut self, by: Duration) -> Self {
        self.0.slow = nanos(by);
        self
    }

    /// TERM, INT and QUIT do nothing to it.
    pub fn ignore_term(mut self) -> Self {
        self.0.deaf = true;
        self
    }

    /// It has so many children of its own, which do nothing, end after ten seconds and are not waited for.
    pub fn fork_children(mut self, count: u32) -> Self {
        self.0.children = count;
        self
    }
}

impl Sim {
    /// Workers that are born from here on play this part; of those who live already, what happens at a moment happens
    /// so long from now.
    pub fn play(&mut self, part: Scripted) {
        self.kernel.borrow_mut().give_part(part.0);
    }
}
