//! When it is counted who is idle, and what follows from that.

use super::{Crew, Means};
use crate::action::Action;
use crate::fleet::config::FleetConfig;
use crate::fleet::lanes::Usefulness;
use crate::fleet::notice::FleetNotice;
use crate::fleet::seat::Worker;
use crate::fleet::spares::{Load, Trend};
use crate::fleet::status::Health;
use crate::id::Slot;
use crate::time::Instant;

impl Crew {
    /// Whether how many are wanted follows the load. Not where nobody is: whoever wants that has said so.
    pub(super) fn scales(&self, config: &FleetConfig) -> bool {
        config.scale_period().is_some() && self.wanted() > 0
    }

    /// The last moment for the look after which it is decided again how many are wanted.
    pub(super) fn scale_before(&self, means: &Means<'_>) -> Option<Instant> {
        let period = means.config.scale_period().filter(|_| self.wanted() > 0)?;
        Some(self.scale_at.unwrap_or(means.now + period))
    }

    /// The slots were read: how many are wanted from here on, if it is time to decide that.
    pub(super) fn scale(&mut self, means: &mut Means<'_>) {
        let Some(period) = means.config.scale_period().filter(|_| self.wanted() > 0) else {
            (self.trend, self.scale_at) = (Trend::default(), None);
            return;
        };
        // A look for another reason is no round of its own: how fast the fleet grows depends on their number.
        if self.scale_at.is_some_and(|at| at > means.now) {
            self.trend.glance(self.load(), &means.config.spares);
            return;
        }
        self.scale_at = Some(means.now + period);
        if means.config.scale_each.is_some() {
            means.orders.push_back(Action::AskScale { fleet: self.id });
            return;
        }
        let load = self.load();
        let most = means.config.wanted_max().saturating_sub(self.counts.retired);
        let wanted = self.trend.decide(means.now, load, &means.config.spares, most);
        // Those who died young are many: more of their kind are no help.
        if wanted == load.wanted || wanted > load.wanted && self.health == Health::Degraded {
            return;
        }
        self.scale_to(means, wanted + self.counts.retired, load);
    }

    /// The author's function has answered.
    pub(crate) fn scale_answered(&mut self, means: &mut Means<'_>, workers: u32) {
        // Who wants nobody has said so meanwhile, or the fleet stops.
        if self.scales(means.config) {
            let load = self.load();
            // Slots that stay empty are none of those that it wants.
            self.scale_to(means, workers.max(1).saturating_add(self.counts.retired), load);
            self.upkeep(means);
        }
    }

    fn scale_to(&mut self, means: &mut Means<'_>, workers: u32, Load { idle, busy, .. }: Load) {
        let before = self.target.count();
        self.target.scale(workers);
        let workers = self.target.count();
        if workers != before {
            self.tell(means, FleetNotice::Scaled { workers, before, idle, busy });
        }
    }

    /// Who is idle, and who is busy. Of one that is replaced in advance its replacement counts, which will be idle.
    pub(super) fn load(&self) -> Load {
        let mut load = Load { wanted: self.wanted(), idle: 0, busy: 0 };
        for (worker, known) in self.workers() {
            if !known.is_ready() || known.leaving.is_some() || self.replacing.contains_key(&worker.slot) {
                continue;
            }
            if is_idle(known) {
                load.idle += 1;
            } else {
                load.busy += 1;
            }
        }
        load
    }

    /// The oldest that has nothing in hand: whoever is served goes on to be.
    pub(super) fn oldest_idle(&self) -> Option<&(u64, Slot)> {
        self.by_age.iter().find(|(_, slot)| {
            let known = self.worker(self.named(*slot));
            known.is_some_and(|known| known.is_ready() && is_idle(known))
        })
    }
}

/// Whether a ready worker could serve somebody at once, as far as the host knows.
fn is_idle(known: &Worker) -> bool {
    known.connections == 0 && Usefulness::of(known) == Usefulness::Well
}
