//! Marks: what should happen in some run, if runs are worth anything.
//!
//! A rule says what must never happen; a mark says what must happen sometimes. A sweep that never sees a KILL lose
//! its race against an exit proves nothing about it, however many seeds are green. So each place of interest has a
//! [`sometimes!`](crate::sometimes), the linker makes a catalogue of all of them – those that no run reaches
//! included –, and a sweep lists what it has missed.
//!
//! Marks are counted for the whole process, tests side by side; nothing that is simulated can see them.

pub(crate) mod decisions;

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

#[doc(hidden)]
pub use linkme;

/// All marks of this binary and of what it is linked with.
#[doc(hidden)]
#[linkme::distributed_slice]
pub static CATALOGUE: [Mark];

/// A thing that should happen in some run.
#[derive(Debug)]
pub struct Mark {
    words: &'static str,
    module: &'static str,
    file: &'static str,
    line: u32,
    reached: AtomicU32,
}

/// More than that says no more, and would keep processors busy with each other.
const COUNT_MAX: u32 = 1_000_000;

impl Mark {
    #[doc(hidden)]
    pub const fn new(words: &'static str, module: &'static str, file: &'static str, line: u32) -> Self {
        Self { words, module, file, line, reached: AtomicU32::new(0) }
    }

    #[doc(hidden)]
    pub fn reach(&self) {
        // Not exact where threads meet: whether it is zero is what counts.
        let count = self.reached.load(Ordering::Relaxed);
        if count < COUNT_MAX {
            self.reached.store(count + 1, Ordering::Relaxed);
        }
    }

    /// What should happen, in words.
    pub fn words(&self) -> &'static str {
        self.words
    }

    /// The module that it stands in.
    pub fn module(&self) -> &'static str {
        self.module
    }

    /// `file:line`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }

    /// How often it happened in this process, about; at most a million.
    pub fn reached(&self) -> u32 {
        self.reached.load(Ordering::Relaxed)
    }
}

/// All marks that this binary knows, reached or not, in no particular order.
pub fn catalogue() -> &'static [Mark] {
    &CATALOGUE
}

/// Writes the whole catalogue into `directory`, as a file of this process: a line a mark, `count`, module, place and
/// words between tabs. What this process wrote before is replaced.
///
/// # Errors
/// If that is not possible.
pub fn write(directory: &Path) -> io::Result<PathBuf> {
    /// Tests that end at one moment must not write into each other's half.
    static WRITES: Mutex<()> = Mutex::new(());
    let _alone = WRITES.lock().unwrap_or_else(PoisonError::into_inner);
    let mut text = String::new();
    for mark in catalogue() {
        let Mark { words, module, file, line, .. } = mark;
        let _ = writeln!(text, "{}\t{module}\t{file}:{line}\t{words}", mark.reached());
    }
    std::fs::create_dir_all(directory)?;
    let path = directory.join(format!("{}.marks", std::process::id()));
    let torn = path.with_extension("part");
    std::fs::write(&torn, text)?;
    std::fs::rename(&torn, &path)?;
    Ok(path)
}

/// Marks something that should happen in some run: `sometimes!("a worker dies twice in a row")`, or with a condition
/// in front, `sometimes!(deaths > 1, "a worker dies twice in a row")`. Costs a few nanoseconds, decides nothing.
///
/// The words are the mark's name: one place each. A sweep says which were never reached.
#[macro_export]
macro_rules! sometimes {
    ($words:literal $(,)?) => {
        $crate::__mark!([] true, $words)
    };
    ($condition:expr, $words:literal $(,)?) => {
        $crate::__mark!([] $condition, $words)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __mark {
    ([$(#[$attribute:meta])*] $condition:expr, $words:literal) => {{
        $(#[$attribute])*
        #[$crate::marks::linkme::distributed_slice($crate::marks::CATALOGUE)]
        #[linkme(crate = $crate::marks::linkme)]
        static MARK: $crate::marks::Mark =
            $crate::marks::Mark::new($words, ::core::module_path!(), ::core::file!(), ::core::line!());
        if $condition {
            MARK.reach();
        }
    }};
}

/// `sometimes!` for this crate, whose lint sees the link section; in other crates it is a macro's own affair.
macro_rules! here {
    ($words:literal $(,)?) => {
        $crate::marks::sometimes!(true, $words)
    };
    ($condition:expr, $words:literal $(,)?) => {
        $crate::__mark!([#[allow(unsafe_code, reason = "a section of its own is what makes the catalogue")]] $condition, $words)
    };
}
pub(crate) use here as sometimes;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn each_mark_has_words_of_its_own_and_there_are_a_hundred() {
        let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for mark in catalogue() {
            places.entry(mark.words()).or_default().push(mark.place());
        }
        let twice: Vec<_> = places.iter().filter(|(_, places)| places.len() > 1).collect();
        assert!(twice.is_empty(), "{twice:?}");
        let unfit = places.keys().filter(|words| words.is_empty() || words.contains(['\t', '\n']));
        assert_eq!(unfit.count(), 0);
        assert!(places.len() > 100, "{} marks", places.len());
    }

    #[test]
    fn a_list_that_many_write_at_once_is_whole_at_every_moment() {
        let directory = std::env::temp_dir().join(format!("whole-marks-{}", std::process::id()));
        let path = write(&directory).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        assert_eq!(write(&directory).unwrap(), path);
                        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
                        assert_eq!(lines, catalogue().len());
                    }
                });
            }
        });
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_mark_that_is_never_reached_is_in_the_catalogue_and_a_condition_decides() {
        fn reach(yes: bool) {
            here!(yes, "a test of marks says yes");
        }
        #[expect(dead_code, reason = "nobody gets there")]
        fn never() {
            here!("a test of marks is never here");
        }
        let count = |words: &str| catalogue().iter().find(|mark| mark.words() == words).unwrap().reached();
        reach(false);
        assert_eq!(count("a test of marks says yes"), 0);
        reach(true);
        reach(true);
        assert_eq!(count("a test of marks says yes"), 2);
        assert_eq!(count("a test of marks is never here"), 0);
    }
}
