//! Who has gone silent.

use host_core::id::SocketId;
use host_core::time::{Duration, Instant};
use std::collections::{BTreeMap, BTreeSet};

/// The clients of a service, and since when nothing came of each.
///
/// A step costs the logarithm of the number of clients.
#[derive(Debug)]
pub struct Idle {
    /// How long a client may be silent.
    bound: Duration,
    deadlines: BTreeMap<SocketId, Instant>,
    /// The same, the earliest first.
    order: BTreeSet<(Instant, SocketId)>,
}

impl Idle {
    /// Nobody yet; a client may be silent for `bound`.
    pub fn new(bound: Duration) -> Self {
        Self { bound, deadlines: BTreeMap::new(), order: BTreeSet::new() }
    }

    /// This client gave a sign of life `now`, its first or one more.
    pub fn touch(&mut self, client: SocketId, now: Instant) {
        self.forget(client);
        let deadline = now + self.bound;
        self.deadlines.insert(client, deadline);
        self.order.insert((deadline, client));
    }

    /// This client is gone.
    pub fn forget(&mut self, client: SocketId) {
        if let Some(deadline) = self.deadlines.remove(&client) {
            self.order.remove(&(deadline, client));
        }
    }

    /// Takes out a client that has been silent for too long.
    pub fn pop_expired(&mut self, now: Instant) -> Option<SocketId> {
        let (_, client) = *self.order.first().filter(|(deadline, _)| *deadline <= now)?;
        self.forget(client);
        Some(client)
    }

    /// When the next one will have been silent for too long.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.order.first().map(|(deadline, _)| *deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(10);
    const A: SocketId = SocketId::new(1, 0);
    const B: SocketId = SocketId::new(0, 0);

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn the_one_who_is_silent_the_longest_goes_first_and_only_at_the_bound() {
        let mut idle = Idle::new(BOUND);
        assert_eq!(idle.next_deadline(), None);
        idle.touch(A, at(0));
        idle.touch(B, at(1));
        assert_eq!(idle.next_deadline(), Some(at(10)));
        assert_eq!(idle.pop_expired(at(9)), None);
        assert_eq!(idle.pop_expired(at(20)), Some(A));
        assert_eq!(idle.pop_expired(at(20)), Some(B));
        assert_eq!(idle.pop_expired(at(20)), None);
    }

    #[test]
    fn a_sign_of_life_counts_from_its_own_moment() {
        let mut idle = Idle::new(BOUND);
        idle.touch(A, at(0));
        idle.touch(A, at(5));
        assert_eq!(idle.pop_expired(at(14)), None);
        assert_eq!(idle.pop_expired(at(15)), Some(A));
    }

    #[test]
    fn one_who_is_gone_does_not_expire() {
        let mut idle = Idle::new(BOUND);
        idle.touch(A, at(0));
        idle.forget(A);
        idle.forget(B);
        assert_eq!(idle.pop_expired(at(99)), None);
        assert_eq!(idle.next_deadline(), None);
    }
}
