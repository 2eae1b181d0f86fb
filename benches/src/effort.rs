//! How much work to do.

/// How much work to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Enough to see that it runs: one short round. The figures mean nothing.
    Quick,
    /// Enough for figures.
    Full,
}

impl Effort {
    /// What the command line asks for: figures under `cargo bench`, unless it says `quick`.
    ///
    /// cargo passes `--bench` to what it runs as a benchmark, and nothing of the kind to the same program
    /// under `cargo test`.
    pub fn of_command_line() -> Self {
        Self::of(std::env::args())
    }

    fn of(arguments: impl Iterator<Item = String>) -> Self {
        let mut is_bench = false;
        for argument in arguments {
            match argument.as_str() {
                "quick" | "--test" => return Self::Quick,
                "--bench" => is_bench = true,
                _ => {}
            }
        }
        if is_bench { Self::Full } else { Self::Quick }
    }

    /// So many rounds for figures, one to see that it runs.
    pub fn rounds(self, full: usize) -> usize {
        match self {
            Self::Quick => 1,
            Self::Full => full,
        }
    }

    /// So many events for figures, a thousandth of that, and at least 100, to see that it runs.
    pub fn events(self, full: u64) -> u64 {
        match self {
            Self::Quick => (full / 1000).max(100),
            Self::Full => full,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_made_for_cargo_bench_alone() {
        let rows: [(&[&str], Effort); 5] = [
            (&["bench"], Effort::Quick),
            (&["bench", "--bench"], Effort::Full),
            (&["bench", "quick", "--bench"], Effort::Quick),
            (&["bench", "--bench", "quick"], Effort::Quick),
            (&["bench", "--test"], Effort::Quick),
        ];
        for (arguments, expected) in rows {
            let effort = Effort::of(arguments.iter().map(|argument| (*argument).to_owned()));
            assert_eq!(effort, expected, "{arguments:?}");
        }
    }
}
