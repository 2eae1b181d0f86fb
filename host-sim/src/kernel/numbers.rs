//! Process numbers: given in a circle, used again once their process was reaped.

use crate::kernel::Index;
use crate::marks::sometimes;
use host_core::sys::Pid;
use std::collections::BTreeMap;

/// The numbers of a machine.
#[derive(Debug)]
pub(crate) struct Numbers {
    /// Numbers are below this one (`/proc/sys/kernel/pid_max`).
    max: u32,
    last: u32,
    taken: BTreeMap<u32, Index>,
}

/// 1 is init's.
const FIRST: u32 = 2;
/// The kernel's default of `pid_max`.
const DEFAULT_MAX: u32 = 32_768;

impl Default for Numbers {
    fn default() -> Self {
        Self { max: DEFAULT_MAX, last: FIRST - 1, taken: BTreeMap::new() }
    }
}

impl Numbers {
    pub(crate) fn set_max(&mut self, max: u32) {
        assert!(max > FIRST, "the first process has number {FIRST}, and pid_max must be above it");
        self.max = max;
    }

    /// The next free number in the circle, for `index`.
    pub(crate) fn take(&mut self, index: Index) -> Option<Pid> {
        let free = |from: u32, to: u32| (from..to).find(|number| !self.taken.contains_key(number));
        let number = free(self.last + 1, self.max).or_else(|| free(FIRST, (self.last + 1).min(self.max)))?;
        sometimes!(number < self.last, "process numbers begin again");
        self.last = number;
        self.taken.insert(number, index);
        Some(Pid(number))
    }

    /// A number above all that the circle gives.
    pub(crate) fn beyond(&mut self, index: Index) -> Pid {
        let number = self.max + index;
        self.taken.insert(number, index);
        Pid(number)
    }

    pub(crate) fn free(&mut self, pid: Pid) {
        self.taken.remove(&pid.0);
    }

    /// Whose number this is.
    pub(crate) fn owner(&self, pid: Pid) -> Option<Index> {
        self.taken.get(&pid.0).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_round_and_a_taken_one_is_passed_over() {
        let mut numbers = Numbers::default();
        numbers.set_max(6);
        let given: Vec<_> = (0..5).map(|index| numbers.take(index)).collect();
        assert_eq!(given, [Some(Pid(2)), Some(Pid(3)), Some(Pid(4)), Some(Pid(5)), None]);
        numbers.free(Pid(2));
        numbers.free(Pid(4));
        assert_eq!(numbers.take(9), Some(Pid(2)));
        assert_eq!(numbers.take(10), Some(Pid(4)));
        numbers.free(Pid(2));
        numbers.free(Pid(5));
        assert_eq!(numbers.take(11), Some(Pid(5)), "the circle goes on behind the last one");
        assert_eq!(numbers.owner(Pid(4)), Some(10));
        assert_eq!(numbers.owner(Pid(2)), None);
    }
}
