//! What `harness::World` promises, in each of its worlds, and in what words it fails.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod processes;
mod simulations;

use harness::World;
use harness::world::WorldKind;
use host_sim::violation_of;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// With what words `code` fails.
#[track_caller]
fn words_of<T>(code: impl FnOnce() -> T) -> String {
    let ended = catch_unwind(AssertUnwindSafe(code));
    violation_of(&*ended.err().expect("it did not fail")).detail
}

/// Sees that `words` are all in `text`.
#[track_caller]
fn assert_contains(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
}

/// What a world says of itself.
fn names(world: &World<'_>) -> (WorldKind, String) {
    (world.kind(), format!("{world:?}"))
}
