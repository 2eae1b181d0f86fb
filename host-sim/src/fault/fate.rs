//! What stays broken for ever: slots whose workers never serve, each in its own way, and faults that nobody ends.

use super::{Class, Faults};
use crate::choice::Stream;
use crate::kernel::scripted::{Act, Part};
use crate::kernel::{Happening, Kernel, MILLISECOND, Nanos};
use crate::marks::sometimes;
use crate::story::Aside;
use crate::trace::Kind;
use host_core::config::HostConfig;
use host_core::id::{FleetId, Slot};
use std::collections::BTreeSet;

/// The parts that a broken slot's workers may play: they crash a moment after their birth, never begin, hang in the
/// first thing that they do, or are stopped for ever. Who sits in the slot already plays what is left of it.
const FATES: [fn(Part) -> Part; 4] = [
    |part| part.acts(MILLISECOND, Act::Crash),
    |part| Part { boot: None, ..part.acts(0, Act::Hang) },
    |part| part.acts(0, Act::Hang),
    |part| part.acts(MILLISECOND, Act::Stop),
];

/// How often what happens at a moment happens once more, for ever. No multiple of any time that a host goes by.
const RECURS: Nanos = 700 * MILLISECOND;

/// Fates of classes are drawn beside those of fleets, which are numbered from 0.
const CLASSES: u32 = 1000;

/// What is broken for good.
#[derive(Debug, Default)]
pub(crate) struct Broken {
    slots: BTreeSet<(FleetId, Slot)>,
    /// The classes of faults that nobody ends.
    classes: Faults,
}

impl Broken {
    pub(crate) fn has(&self, fleet: FleetId, slot: Slot) -> bool {
        self.slots.contains(&(fleet, slot))
    }

    /// How many slots of a fleet are.
    pub(crate) fn count(&self, fleet: FleetId) -> usize {
        self.slots.iter().filter(|(of, _)| *of == fleet).count()
    }

    /// The classes of faults that nobody ends.
    pub(crate) fn classes(&self) -> impl Iterator<Item = Class> {
        let classes = self.classes;
        Class::ALL.into_iter().filter(move |class| classes.has(*class))
    }

    /// Only the slots are still broken.
    pub(crate) fn heal_classes(&mut self) {
        self.classes = Faults::none();
    }
}

/// How a class of faults is in force for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Permanence {
    /// It lies upon what it concerns.
    Lies,
    /// It happens again and again.
    Recurs,
    /// It strikes those in broken slots, again and again, and nobody else.
    RecursOutside,
}

impl Class {
    /// How it stays for ever; `None` if nothing could be well then.
    fn permanence(self) -> Option<Permanence> {
        match self {
            // The same comes about, in more steps or a little later.
            Self::ShortIo | Self::Interrupt | Self::Latency | Self::Schedule | Self::LateNews => {
                Some(Permanence::Lies)
            }
            // As long as they come in time: how long that is the settings say.
            Self::SlowBoot => Some(Permanence::Lies),
            // Nobody's readiness hangs by what is written into a log, nor by how a worker ends that is killed.
            Self::DiskFull | Self::ExitRace => Some(Permanence::Lies),
            // No decision depends on it (S3).
            Self::WallJump => Some(Permanence::Recurs),
            Self::WorkerHang | Self::WorkerStop | Self::WorkerCrash | Self::WorkerKill | Self::IgnoreQuit => {
                Some(Permanence::RecursOutside)
            }
            // For ever they would be no core: nobody is born, or none of them serves.
            Self::DescriptorShortage | Self::ForkFailure | Self::NeverReady | Self::Unconfined => None,
            // The host is in the core.
            Self::SlowCallback
            | Self::Hang
            | Self::HostStop
            | Self::Kick
            | Self::OperatorSignals
            | Self::HostSlow
            | Self::Freeze => None,
            // So are the clients.
            Self::Reset | Self::Refuse | Self::Silence | Self::AbortedAccept => None,
            // Who is stopped for ever opens no file anew.
            Self::Rotation => None,
            // A host that has no pid file does not begin.
            Self::PidFileDenied | Self::PidFileCut => None,
        }
    }
}

impl Kernel {
    /// Breaks about half of the first `slots` slots of a fleet, called `name`, for good.
    pub(crate) fn break_slots(&mut self, fleet: FleetId, name: &str, slots: u16) {
        for slot in (0..slots).map(Slot::new) {
            // 0 is the benign choice, as everywhere.
            let drawn = self.choices.choose(Stream::Fate, fleet.index() as u32, 2 * FATES.len() as u32);
            let Some(fate) = (drawn as usize).checked_sub(FATES.len()) else { continue };
            self.broken.slots.insert((fleet, slot));
            let part = FATES[fate](Part { slot: Some(slot.number()), ..Part::of(name) });
            self.give_part(part);
        }
    }

    /// The end of all faults but those that nobody ends: about half of the classes that have struck, of those that leave a
    /// core of hosts with these settings able to be well.
    pub(crate) fn heal_all_but_fate(&mut self, config: &HostConfig) {
        self.end_faults();
        // Before anybody goes on: what somebody learns of it that it was stopped is a matter of what stays.
        self.perpetuate_faults(config);
        self.let_all_go_on();
    }

    fn perpetuate_faults(&mut self, config: &HostConfig) {
        for class in Class::ALL {
            let has_struck = self.plan.struck[class as usize] > 0;
            let Some(permanence) = class.permanence().filter(|_| has_struck) else { continue };
            let boots_too_slowly = class == Class::SlowBoot && self.slow_boot_for(config).is_none();
            // A host that has no room for its pid file does not begin.
            let is_never = boots_too_slowly || class == Class::DiskFull && !self.disk.pid_files.is_empty();
            if is_never {
                continue;
            }
            if self.choices.choose(Stream::Fate, CLASSES + class as u32, 2) == 0 {
                continue;
            }
            self.broken.classes = self.broken.classes.with(class);
            match permanence {
                Permanence::Lies => self.lay_for_ever(class, config),
                Permanence::Recurs | Permanence::RecursOutside => {
                    self.after(RECURS, Happening::Recur { class });
                }
            }
        }
    }

    /// How much later children may begin for ever: as they did last, if twice as long is no longer than they may boot.
    fn slow_boot_for(&self, config: &HostConfig) -> Option<Nanos> {
        let begun = |fault: &&super::Fault| fault.class == Class::SlowBoot && fault.at <= self.now;
        let lasts = self.plan.faults().iter().filter(begun).max_by_key(|fault| fault.at)?.lasts;
        let in_time = |boot_timeout: Nanos| lasts <= boot_timeout / 2;
        let timeouts = config.fleets.iter().map(|fleet| fleet.boot_timeout.as_nanos());
        timeouts.map(|nanos| Nanos::try_from(nanos).unwrap_or(Nanos::MAX)).all(in_time).then_some(lasts)
    }

    fn lay_for_ever(&mut self, class: Class, config: &HostConfig) {
        self.record_world(Kind::Fault, class as u64, 1);
        let slow_boot = self.slow_boot_for(config).unwrap_or_default();
        let laid = &mut self.laid;
        #[expect(clippy::wildcard_enum_match_arm, reason = "all others happen at moments, or do not stay")]
        match class {
            Class::ShortIo => laid.short_io = true,
            Class::Interrupt => laid.interrupt = true,
            Class::Latency => laid.latency = true,
            Class::Schedule => (laid.jitter, laid.single_events) = (true, true),
            Class::LateNews => laid.late_news = true,
            Class::SlowBoot => laid.slow_boot = slow_boot,
            Class::DiskFull => laid.disk_full = true,
            Class::ExitRace => laid.exit_races = u32::MAX,
            _ => unreachable!("{class:?} does not lie upon anything for ever"),
        }
        sometimes!(laid.disk_full, "the disk is full for ever, and a core is to be well");
        sometimes!(laid.slow_boot > 0, "children begin late for ever, and a core is to be well");
    }

    /// What happens for ever happens once more.
    pub(crate) fn recur(&mut self, class: Class) {
        if !self.broken.classes.has(class) {
            return;
        }
        self.after(RECURS, Happening::Recur { class });
        let target = self.choices.choose(Stream::Fate, CLASSES + class as u32, 1 << 16);
        match class.permanence() {
            Some(Permanence::RecursOutside) => self.strike_outside(class, target),
            Some(Permanence::Recurs) => self.jump_wall(target),
            Some(Permanence::Lies) | None => unreachable!("{class:?} does not recur"),
        }
    }

    /// Strikes one of those who sit in broken slots, if anybody does.
    fn strike_outside(&mut self, class: Class, target: u32) {
        let outside = self.workers.iter().copied().filter(|index| {
            let process = &self.processes[*index as usize];
            let worker = process.seat.filter(|_| process.is_living()).and_then(|seat| self.worker_of(seat));
            worker.is_some_and(|worker| self.broken.has(worker.fleet, worker.slot))
        });
        let outside: Vec<_> = outside.collect();
        let Some(place) = (target as usize).checked_rem(outside.len()) else { return };
        sometimes!("who sits in a broken slot is struck by what nobody ends");
        self.record_world(Kind::Fault, class as u64, 1);
        self.trace.aside(|| Aside::Target(outside[place]));
        self.strike_worker(outside[place], class, None, target);
    }
}
