//! The one guard over everything that takes workers away: replacing those that have served enough,
//! later also upgrade. Killing those that hang takes nothing away that was there, and has its own budget.

/// What a fleet has, as the guard looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capacity {
    /// How many are wanted.
    pub(crate) wanted: u32,
    /// How many are ready and were not asked to leave.
    pub(crate) ready: u32,
    /// How many are being replaced in advance.
    pub(crate) surge: u32,
    /// How many may be.
    pub(crate) surge_max: u32,
    /// Deaths have used up the restart budget.
    pub(crate) degraded: bool,
}

impl Capacity {
    /// Whether one more may be replaced in advance: never while somebody is missing.
    pub(crate) const fn may_replace(self) -> bool {
        !self.degraded && self.surge < self.surge_max && self.ready >= self.wanted
    }

    /// Whether one that is ready may go, its replacement being ready: others may have died since that was
    /// ordered.
    pub(crate) const fn may_go(self) -> bool {
        self.ready > self.wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_taken_away_while_somebody_is_missing() {
        let full = Capacity { wanted: 3, ready: 3, surge: 0, surge_max: 2, degraded: false };
        let rows = [
            ("all are there", full, true),
            ("more than all", Capacity { ready: 4, ..full }, true),
            ("one is missing", Capacity { ready: 2, ..full }, false),
            ("room for one more", Capacity { surge: 1, ..full }, true),
            ("as many as allowed", Capacity { surge: 2, ..full }, false),
            ("degraded", Capacity { degraded: true, ..full }, false),
        ];
        for (name, capacity, expected) in rows {
            assert_eq!(capacity.may_replace(), expected, "{name}");
        }
        for (ready, expected) in [(4, true), (3, false), (2, false)] {
            assert_eq!(Capacity { ready, surge: 1, ..full }.may_go(), expected, "{ready} are ready");
        }
    }
}
