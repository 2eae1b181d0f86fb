//! Panics inside a run are caught and reported with their story; until then they are noise.
//!
//! The hook is the process's and tests run side by side: so it is set once, and asks each thread.

use std::cell::{Cell, RefCell};
use std::sync::Once;

thread_local! {
    static RUNS: Cell<bool> = const { Cell::new(false) };
    /// Where the last panic was.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

pub(crate) fn run<T>(code: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if RUNS.get() {
                let place = info.location().map(|place| format!("{}:{}", place.file(), place.line()));
                PLACE.set(place);
            } else {
                before(info);
            }
        }));
    });
    let outer = RUNS.replace(true);
    let answer = code();
    RUNS.set(outer);
    answer
}

/// Where the last panic in this thread was.
pub(super) fn last_place() -> Option<String> {
    PLACE.take()
}
