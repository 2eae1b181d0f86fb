//! Which marks were reached, over many processes.
//!
//! A [`sometimes!`](crate::sometimes) is in a catalogue that the linker makes, whether or not a run ever gets there.
//! With `HOST_MARKS` set to a directory each test binary leaves there what it has reached; a sweep does that by
//! itself. `cargo run -p harness --bin marks -- DIRECTORY` adds the files up and lists what nobody has reached.

pub use host_sim::marks::{Mark, catalogue};

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// How the crates of this library are called.
const OURS: &str = "host_";

/// The directory for what this process reaches, if somebody wants to know.
pub(crate) fn directory() -> Option<PathBuf> {
    std::env::var_os("HOST_MARKS").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Leaves what this process has reached so far, if somebody wants to know. That it cannot be left fails no test; it
/// is told.
pub(crate) fn leave() {
    let Some(directory) = directory() else { return };
    if let Err(error) = host_sim::marks::write(&directory) {
        crate::check::let_know(&format!("marks cannot be written to {}: {error}", directory.display()));
    }
}

/// Marks of several processes, added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// By module and words: how often, and where.
    marks: BTreeMap<(String, String), (u64, String)>,
}

impl Ledger {
    /// Adds up all that processes have left in `directory`; what is no such file is passed over.
    ///
    /// # Errors
    /// If it cannot be read, or a file is no list of marks.
    pub fn read(directory: &Path) -> io::Result<Self> {
        let mut ledger = Self::default();
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "marks") {
                ledger.add(&path)?;
            }
        }
        Ok(ledger)
    }

    /// Adds what stands in one file.
    ///
    /// # Errors
    /// If it cannot be read, or is no list of marks.
    pub fn add(&mut self, path: &Path) -> io::Result<()> {
        for (number, line) in std::fs::read_to_string(path)?.lines().enumerate() {
            let wrong = || {
                let found = line.escape_debug();
                let wanted = "must be `count`, module, place and words between tabs";
                let place = format!("{}:{}", path.display(), number + 1);
                io::Error::new(io::ErrorKind::InvalidData, format!("{place} is `{found}`, but {wanted}"))
            };
            let parts: Vec<_> = line.split('\t').collect();
            let [count, module, place, words] = parts[..] else { return Err(wrong()) };
            let count: u64 = count.parse().map_err(|_| wrong())?;
            let mark = self.marks.entry((module.to_owned(), words.to_owned())).or_default();
            *mark = (mark.0 + count, place.to_owned());
        }
        Ok(())
    }

    /// Adds what another one has.
    pub fn merge(&mut self, other: Self) {
        for (mark, (count, place)) in other.marks {
            let known = self.marks.entry(mark).or_default();
            *known = (known.0 + count, place);
        }
    }

    /// Only those in crates whose name begins like this; with no names, those of everybody but this library, which
    /// its own tests alone have to reach.
    #[must_use]
    pub fn of(mut self, names: &[String]) -> Self {
        let wanted = |module: &str| match names {
            [] => !module.starts_with(OURS),
            names => names.iter().any(|name| module.starts_with(name.as_str())),
        };
        self.marks.retain(|(module, _), _| wanted(module));
        self
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// Those that nobody has reached: place and words.
    pub fn missed(&self) -> Vec<(&str, &str)> {
        let missed = self.marks.iter().filter(|(_, (count, _))| *count == 0);
        missed.map(|((_, words), (_, place))| (place.as_str(), words.as_str())).collect()
    }
}

/// `120 of 122 marks were reached; never:` and a line each.
impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missed = self.missed();
        write!(f, "{} of {} marks were reached", self.len() - missed.len(), self.len())?;
        if !missed.is_empty() {
            f.write_str("; never:")?;
        }
        missed.iter().try_for_each(|(place, words)| write!(f, "\n  {words}  ({place})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(name: &str, files: &[&str]) -> io::Result<Ledger> {
        let directory = std::env::temp_dir().join(format!("marks-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory)?;
        for (number, text) in files.iter().enumerate() {
            std::fs::write(directory.join(format!("{number}.marks")), text)?;
        }
        std::fs::write(directory.join("3.part"), "torn")?;
        let read = Ledger::read(&directory);
        std::fs::remove_dir_all(&directory)?;
        read
    }

    const FIRST: &str =
        "0\tmine::a\tsrc/a.rs:3\tit rains\n2\tmine\tsrc/b.rs:9\tit snows\n0\thost_sim\tx.rs:1\tours\n";
    const SECOND: &str = "1\tmine::a\tsrc/a.rs:3\tit rains\n0\tmine\tsrc/b.rs:10\tit hails\n";

    #[test]
    fn what_one_process_has_reached_is_reached() {
        let ledger = ledger("adds", &[FIRST, SECOND]).unwrap();
        let all = ledger.clone().of(&["mine".into(), "host_sim".into()]);
        assert_eq!(all.len(), 4);
        assert_eq!(all.missed(), [("x.rs:1", "ours"), ("src/b.rs:10", "it hails")]);
        let mine = ledger.of(&[]);
        assert_eq!(mine.to_string(), "2 of 3 marks were reached; never:\n  it hails  (src/b.rs:10)");
    }

    #[test]
    fn what_is_no_list_of_marks_is_refused_by_its_place() {
        for text in ["x\tmine\ta.rs:1\tw\n", "1\tmine\tw\n", "1\tmine\ta.rs:1\tw\tmore\n"] {
            let error = ledger("refuses", &[text]).unwrap_err().to_string();
            assert!(error.contains("0.marks:1 is `") && error.contains("must be `count`"), "{error}");
        }
    }
}
