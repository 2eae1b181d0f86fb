//! Who has gone silent.

use host_core::id::SocketId;
use host_core::time::{Duration, Instant};
use std::collections::{BTreeMap, BTreeSet};

/// The clients of a service, and since when nothing came of each.
///
/// A sign of life costs one look into a map; who goes first is put right when its moment comes.
#[derive(Debug)]
pub struct Idle {
    /// How long a client may be silent.
    bound: Duration,
    clients: BTreeMap<SocketId, Silence>,
    /// All clients by `looked_at`, the earliest first.
    order: BTreeSet<(Instant, SocketId)>,
}

#[derive(Clone, Copy, Debug)]
struct Silence {
    /// When it will have lasted for too long.
    deadline: Instant,
    /// When somebody looks; never after the deadline.
    looked_at: Instant,
}

impl Idle {
    /// Nobody yet; a client may be silent for `bound`.
    pub fn new(bound: Duration) -> Self {
        Self { bound, clients: BTreeMap::new(), order: BTreeSet::new() }
    }

    /// A client may be silent for `bound` after its next sign of life.
    pub fn set_bound(&mut self, bound: Duration) {
        self.bound = bound;
    }

    /// This client gave a sign of life `now`, its first or one more.
    pub fn touch(&mut self, client: SocketId, now: Instant) {
        let deadline = now + self.bound;
        match self.clients.get_mut(&client) {
            Some(silence) if silence.looked_at <= deadline => silence.deadline = deadline,
            Some(_) | None => self.put(client, deadline),
        }
    }

    /// This client is gone.
    pub fn forget(&mut self, client: SocketId) {
        if let Some(silence) = self.clients.remove(&client) {
            self.order.remove(&(silence.looked_at, client));
        }
    }

    /// Takes out a client that has been silent for too long.
    pub fn pop_expired(&mut self, now: Instant) -> Option<SocketId> {
        loop {
            let (_, client) = *self.order.first().filter(|(moment, _)| *moment <= now)?;
            let deadline = self.clients.get(&client)?.deadline;
            if deadline <= now {
                self.forget(client);
                return Some(client);
            }
            self.put(client, deadline);
        }
    }

    /// When the next one may have been silent for too long.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.order.first().map(|(moment, _)| *moment)
    }

    fn put(&mut self, client: SocketId, deadline: Instant) {
        self.forget(client);
        self.clients.insert(client, Silence { deadline, looked_at: deadline });
        self.order.insert((deadline, client));
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
    fn a_shorter_bound_counts_from_the_next_sign_of_life() {
        let mut idle = Idle::new(BOUND);
        idle.touch(A, at(0));
        idle.touch(B, at(0));
        idle.set_bound(BOUND / 10);
        idle.touch(A, at(5));
        assert_eq!(idle.next_deadline(), Some(at(6)));
        assert_eq!([(); 3].map(|()| idle.pop_expired(at(6))), [Some(A), None, None]);
        assert_eq!(idle.pop_expired(at(10)), Some(B));
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
