//! Who is served next.

use crate::id::ServiceId;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// The order in which services with something to do are served: the first in list order goes first,
/// and whoever was served goes to the end of the list (ProcessHost 1.1, 7).
///
/// So services that are always ready alternate strictly, and nobody waits for more than one call of
/// each other service. A step costs the logarithm of the number of *ready* services.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rotation {
    /// Where each service stands in the list: smaller is nearer to the front. Indexed by service.
    positions: Vec<u64>,
    /// The next position at the end of the list.
    end: u64,
    /// Those with something to do, by position.
    ready: BTreeMap<u64, ServiceId>,
}

impl Rotation {
    /// Puts the next new service at the end of the list.
    pub(crate) fn add(&mut self) {
        self.positions.push(self.end);
        self.end += 1;
    }

    /// Says that `service` has something to do.
    pub(crate) fn mark(&mut self, service: ServiceId) {
        self.ready.insert(self.position(service), service);
    }

    /// Says that `service` has nothing to do any more.
    pub(crate) fn unmark(&mut self, service: ServiceId) {
        self.ready.remove(&self.position(service));
    }

    /// Who is to be served.
    pub(crate) fn front(&self) -> Option<ServiceId> {
        self.ready.first_key_value().map(|(_, service)| *service)
    }

    /// Moves `service` to the end of the list; it keeps its mark.
    pub(crate) fn served(&mut self, service: ServiceId) {
        if self.position(service) + 1 == self.end {
            // It stands there already, as in a burst.
            return;
        }
        let marked = self.ready.remove(&self.position(service)).is_some();
        self.positions[service.index()] = self.end;
        self.end += 1;
        if marked {
            self.mark(service);
        }
    }

    /// Where `service` stands; for sorting others by list order too.
    pub(crate) fn position(&self, service: ServiceId) -> u64 {
        self.positions[service.index()]
    }

    /// How many services have something to do.
    pub(crate) fn ready_count(&self) -> usize {
        self.ready.len()
    }

    /// Whether `service` has something to do.
    pub(crate) fn is_ready(&self, service: ServiceId) -> bool {
        self.ready.contains_key(&self.position(service))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: ServiceId = ServiceId::new(0);
    const B: ServiceId = ServiceId::new(1);
    const C: ServiceId = ServiceId::new(2);

    fn three() -> Rotation {
        let mut rotation = Rotation::default();
        (0..3).for_each(|_| rotation.add());
        rotation
    }

    #[test]
    fn ph_c10_services_that_are_always_ready_alternate_strictly() {
        let mut rotation = three();
        rotation.mark(A);
        rotation.mark(B);
        let order: Vec<_> = (0..6)
            .map(|_| {
                let next = rotation.front().unwrap();
                rotation.served(next);
                next
            })
            .collect();
        assert_eq!(order, [A, B, A, B, A, B]);
    }

    #[test]
    fn the_first_ready_in_list_order_is_served() {
        let mut rotation = three();
        assert_eq!(rotation.front(), None);
        rotation.mark(C);
        assert_eq!(rotation.front(), Some(C));
        rotation.mark(A);
        assert_eq!(rotation.front(), Some(A), "list order, not order of readiness");
        rotation.unmark(A);
        assert_eq!(rotation.front(), Some(C));
        rotation.served(C);
        rotation.mark(B);
        assert_eq!(rotation.front(), Some(B), "C went to the end");
        assert_eq!(rotation.ready_count(), 2);
    }

    #[test]
    fn being_served_gives_no_mark_to_one_who_has_none() {
        let mut rotation = three();
        rotation.served(A);
        assert_eq!(rotation.front(), None);
        assert!(!rotation.is_ready(A));
    }

    proptest! {
        /// Between two turns of one service, each other that stayed ready had its turn.
        #[test]
        fn nobody_is_served_twice_while_another_waits(steps in prop::collection::vec((0u32..3, 0u8..3), 1..200)) {
            let mut rotation = three();
            let mut waiting_since = [None; 3];
            let mut served_at = [None; 3];
            for (now, (who, what)) in steps.into_iter().enumerate() {
                let service = ServiceId::new(who);
                match what {
                    0 => {
                        rotation.mark(service);
                        waiting_since[service.index()].get_or_insert(now);
                    }
                    1 => {
                        rotation.unmark(service);
                        waiting_since[service.index()] = None;
                    }
                    _ => {
                        let Some(next) = rotation.front() else { continue };
                        for other in [A, B, C] {
                            if let (Some(since), Some(last)) = (waiting_since[other.index()], served_at[next.index()]) {
                                prop_assert!(other == next || since > last);
                            }
                        }
                        rotation.served(next);
                        rotation.unmark(next);
                        waiting_since[next.index()] = None;
                        served_at[next.index()] = Some(now);
                    }
                }
            }
        }
    }
}
