//! What a program says, line by line, without placeholders.

use harness::process::Output;
use std::time::Duration;

/// The lines of one of its streams.
pub(crate) struct Lines(pub(super) Output);

impl Lines {
    /// Waits for a line with these words; those before it are passed over.
    #[track_caller]
    pub(crate) fn until(&mut self, words: &str) -> String {
        self.0.until(&literally(words)).line().to_owned()
    }

    /// Waits for a line with these words, and gives it with those before it.
    #[track_caller]
    pub(crate) fn all_until(&mut self, words: &str) -> Vec<String> {
        self.0.all_until(&literally(words))
    }

    /// All that comes until the end.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> String {
        self.0.rest()
    }

    /// Whether nothing is said for as long as this.
    pub(crate) fn is_silent_for(&self, duration: Duration) -> bool {
        self.0.is_silent_for(duration)
    }
}

fn literally(words: &str) -> String {
    words.replace('{', "{{").replace('}', "}}")
}
