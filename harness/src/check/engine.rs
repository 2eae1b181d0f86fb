//! `HOST_ENGINE`: where the decisions of runs come from.

use host_sim::{Choices, Exhaustive};
use std::fmt;
use std::path::PathBuf;

/// Where the decisions of runs come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// `random`: each seed decides everything.
    #[default]
    Random,
    /// `pct:3`: as the seed decides, but processes have priorities, of which so many fall in a run.
    Pct {
        /// How many.
        changes: u32,
    },
    /// `exhaustive:DEPTH`, `exhaustive:DEPTH:WIDTH:RUNS`: every answer to the first decisions, whatever the seeds.
    Exhaustive {
        /// How many decisions vary.
        depth: usize,
        /// How many answers to each.
        width: u32,
        /// No more runs than this.
        runs_max: u64,
    },
    /// `bytes:FILE`: one run, as a fuzzer wrote it.
    Bytes {
        /// Where it was read.
        path: PathBuf,
        /// What is in it.
        bytes: Vec<u8>,
    },
    /// `branch:AFTER:SEED`: so many decisions of that one seed, then those of the seeds that are run.
    Branch {
        /// How many.
        after: usize,
        /// Whose.
        from: u64,
    },
}

/// A binary decision and one with some answers; most others have thousands that differ little.
const WIDTH: u32 = 4;
/// Some seconds of a small scenario.
const RUNS_MAX: u64 = 10_000;

const WANTED: &str =
    "`random`, `pct:CHANGES`, `exhaustive:DEPTH[:WIDTH[:RUNS]]`, `bytes:FILE` or `branch:AFTER:SEED`";

impl Engine {
    /// As `HOST_ENGINE` says.
    ///
    /// # Panics
    /// With what was found and what is allowed, if there is no such engine.
    pub fn from_env() -> Self {
        match std::env::var("HOST_ENGINE") {
            Ok(text) => Self::parse(&text).unwrap_or_else(|mistake| panic!("{mistake}")),
            Err(_) => Self::Random,
        }
    }

    /// Reads what stands in `HOST_ENGINE`.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("HOST_ENGINE is `{text}`, but must be {WANTED}");
        let (name, settings) = text.split_once(':').unwrap_or((text, ""));
        if name == "bytes" && !settings.is_empty() {
            let path = PathBuf::from(settings);
            let bytes = std::fs::read(&path)
                .map_err(|error| format!("HOST_ENGINE is `{text}`, and the file cannot be read: {error}"))?;
            return Ok(Self::Bytes { path, bytes });
        }
        let mut numbers = Vec::new();
        for number in settings.split(':').filter(|_| !settings.is_empty()) {
            numbers.push(number.parse::<u64>().map_err(|_| wrong())?);
        }
        let depth = |depth: u64| usize::try_from(depth).ok().filter(|depth| *depth > 0);
        let width = |width: u64| u32::try_from(width).ok().filter(|width| *width > 1);
        let engine = match (name, &numbers[..]) {
            ("random", []) => Some(Self::Random),
            ("pct", [changes]) => u32::try_from(*changes).ok().map(|changes| Self::Pct { changes }),
            ("branch", [after, from]) => {
                usize::try_from(*after).ok().map(|after| Self::Branch { after, from: *from })
            }
            ("exhaustive", [first, rest @ ..]) if rest.len() <= 2 => {
                let settings = (depth(*first), rest.first().map_or(Some(WIDTH), |answers| width(*answers)));
                let runs_max = rest.get(1).copied().unwrap_or(RUNS_MAX);
                let (Some(depth), Some(width)) = settings else { return Err(wrong()) };
                (runs_max > 0).then_some(Self::Exhaustive { depth, width, runs_max })
            }
            _ => None,
        };
        engine.ok_or_else(wrong)
    }

    /// The decisions of the run of `seed`; of an enumeration, its first.
    pub fn choices(&self, seed: u64) -> Choices {
        match self {
            Self::Random | Self::Exhaustive { .. } => Choices::seeded(seed),
            Self::Pct { changes } => Choices::pct(seed, *changes),
            Self::Bytes { bytes, .. } => Choices::from_bytes(bytes),
            Self::Branch { after, from } => Choices::seeded(*from).branch(*after, seed),
        }
    }

    /// The enumeration and the bound on its runs, if it is one.
    pub(super) fn enumeration(&self) -> Option<(Exhaustive, u64)> {
        match self {
            Self::Exhaustive { depth, width, runs_max } => {
                Some((Exhaustive::new(*depth).width(*width), *runs_max))
            }
            Self::Random | Self::Pct { .. } | Self::Bytes { .. } | Self::Branch { .. } => None,
        }
    }

    /// What a line that replays begins with: ` HOST_ENGINE=pct:3`, or nothing.
    pub(super) fn variable(&self) -> String {
        if *self == Self::Random { String::new() } else { format!(" HOST_ENGINE={self}") }
    }
}

/// As it stands in `HOST_ENGINE`.
impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random => f.write_str("random"),
            Self::Pct { changes } => write!(f, "pct:{changes}"),
            Self::Exhaustive { depth, width, runs_max } => write!(f, "exhaustive:{depth}:{width}:{runs_max}"),
            Self::Bytes { path, .. } => write!(f, "bytes:{}", path.display()),
            Self::Branch { after, from } => write!(f, "branch:{after}:{from}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_read_and_written_again() {
        let rows = [
            ("random", Engine::Random),
            ("pct:3", Engine::Pct { changes: 3 }),
            ("exhaustive:12:2:50", Engine::Exhaustive { depth: 12, width: 2, runs_max: 50 }),
            ("branch:812:7", Engine::Branch { after: 812, from: 7 }),
        ];
        for (text, engine) in rows {
            assert_eq!(Engine::parse(text), Ok(engine.clone()), "{text}");
            assert_eq!(engine.to_string(), text);
        }
        let short = Engine::Exhaustive { depth: 12, width: WIDTH, runs_max: RUNS_MAX };
        assert_eq!(Engine::parse("exhaustive:12"), Ok(short));
        assert_eq!(Engine::Random.variable(), "");
        assert_eq!(Engine::Pct { changes: 2 }.variable(), " HOST_ENGINE=pct:2");
    }

    #[test]
    fn what_is_no_engine_is_refused_with_those_that_there_are() {
        for text in [
            "",
            "magic",
            "pct",
            "pct:x",
            "pct:1:2",
            "exhaustive",
            "exhaustive:0",
            "exhaustive:3:1",
            "branch:3",
            "bytes:",
        ] {
            let refused = Engine::parse(text).expect_err(text);
            assert_eq!(refused, format!("HOST_ENGINE is `{text}`, but must be {WANTED}"));
        }
        let refused = Engine::parse("bytes:/nowhere/at/all").expect_err("no such file");
        assert!(refused.contains("cannot be read"), "{refused}");
    }
}
