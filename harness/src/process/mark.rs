//! By what the processes of a tree are known, wherever they went: a word in their environment.
//!
//! It is inherited by whatever is forked and executed, across sessions and changes of parents. A test that is
//! itself run by such a test adds its own word: what it starts belongs to both trees.

use super::stat::{ProcessId, Stat};
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::yield_now;

/// The variable that holds the words, separated by colons.
pub const TREE: &str = "HOST_HARNESS_TREE";

/// The word of one tree.
#[derive(Clone, Debug)]
pub(super) struct Mark(String);

impl Mark {
    /// One that no other process has.
    pub(super) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Self(format!("{}.{}", prefix(), COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    /// The value of [`TREE`] for a child of this process.
    pub(super) fn value(&self) -> String {
        self.beside(&std::env::var(TREE).unwrap_or_default())
    }

    fn beside(&self, outer: &str) -> String {
        if outer.is_empty() { self.0.clone() } else { format!("{outer}:{}", self.0) }
    }

    /// Itself.
    pub(super) fn word(&self) -> &str {
        &self.0
    }

    /// Whether a process has it: `None` if that cannot be seen now, while it is executed.
    pub(super) fn is_on(&self, id: ProcessId) -> Option<bool> {
        /// How often to look again: what is seen by chance in the midst of exec is mostly over at once.
        const TRIES: usize = 10;
        for _ in 0..TRIES {
            match fs::read(format!("/proc/{}/environ", id.pid)) {
                Ok(environment) if !environment.is_empty() => return Some(self.is_in(&environment)),
                Ok(_) => {}
                // Gone, or somebody else's.
                Err(_) => return Some(false),
            }
            let Some(stat) = Stat::of(id.pid).filter(|stat| stat.id == id) else { return Some(false) };
            if stat.has_no_environment() {
                return Some(false);
            }
            yield_now();
        }
        None
    }

    fn is_in(&self, environment: &[u8]) -> bool {
        let value = |entry: &[u8]| Some(entry.strip_prefix(TREE.as_bytes())?.strip_prefix(b"=")?.to_vec());
        let values = environment.split(|byte| *byte == 0).filter_map(value);
        values
            .into_iter()
            .any(|value| value.split(|byte| *byte == b':').any(|word| word == self.0.as_bytes()))
    }
}

/// What the words of all trees of this process begin with: its number and its start.
pub(super) fn prefix() -> String {
    let pid = std::process::id();
    let start = Stat::of(pid).map_or(0, |stat| stat.id.start);
    format!("{pid}.{start}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_among_others_and_no_part_of_one_is_taken_for_it() {
        let mark = Mark("7.99.1".to_owned());
        let rows: [(&[u8], bool); 7] = [
            (b"A=1\0HOST_HARNESS_TREE=7.99.1\0B=2\0", true),
            (b"HOST_HARNESS_TREE=3.4.5:7.99.1", true),
            (b"HOST_HARNESS_TREE=7.99.1:3.4.5", true),
            (b"HOST_HARNESS_TREE=7.99.10", false),
            (b"HOST_HARNESS_TREE=17.99.1", false),
            (b"X_HOST_HARNESS_TREE=7.99.1", false),
            (b"A=7.99.1", false),
        ];
        for (environment, expected) in rows {
            assert_eq!(mark.is_in(environment), expected, "{}", environment.escape_ascii());
        }
        assert_ne!(Mark::new().0, Mark::new().0);
        let value = format!("{TREE}={}", mark.beside("3.4.5:6.7.8"));
        assert!(mark.is_in(value.as_bytes()) && Mark("6.7.8".to_owned()).is_in(value.as_bytes()), "{value}");
        assert_eq!(mark.beside(""), "7.99.1");
    }
}
