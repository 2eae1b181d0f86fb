//! When it is counted who is idle, and what follows from that.

use super::{Crew, Means};
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
        config.spares.bounds().is_some() && self.wanted() > 0
    }

    /// The last moment for the look after which it is decided again how many are wanted.
    pub(super) fn scale_before(&self, means: &Means<'_>) -> Option<Instant> {
        let next = || self.scale_at.unwrap_or(means.now + means.config.spares.period);
        self.scales(means.config).then(next)
    }

    /// The slots were read: how many are wanted from here on, if it is time to decide that.
    pub(super) fn scale(&mut self, means: &mut Means<'_>) {
        if !self.scales(means.config) {
            (self.trend, self.scale_at) = (Trend::default(), None);
            return;
        }
        // A look for another reason is no round of its own: how fast the fleet grows depends on their number.
        if self.scale_at.is_some_and(|at| at > means.now) {
            return;
        }
        self.scale_at = Some(means.now + means.config.spares.period);
        let load = self.load();
        let most = means.config.wanted_max().saturating_sub(self.counts.retired);
        let wanted = self.trend.decide(means.now, load, &means.config.spares, most);
        // Those who died young are many: more of their kind are no help.
        if wanted == load.wanted || wanted > load.wanted && self.health == Health::Degraded {
            return;
        }
        let before = self.target.count();
        self.target.scale(wanted + self.counts.retired);
        let workers = self.target.count();
        let Load { idle, busy, .. } = load;
        self.tell(means, FleetNotice::Scaled { workers, before, idle, busy });
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
