//! How far a sweep is: one line that changes on a terminal, a line now and then elsewhere.

use std::fmt;
use std::io::{IsTerminal as _, Write};
use std::time::Duration;

/// Where nobody looks, a line so often is enough for a log.
const SELDOM: Duration = Duration::from_secs(10);

/// To the beginning of the line, which is empty then: console_codes(4), CR and EL.
const ANEW: &str = "\r\x1b[K";

/// How far a sweep is.
pub(crate) struct Standing {
    pub(crate) seeds: u64,
    pub(crate) of: u64,
    pub(crate) findings: usize,
    /// Those that were reached, of how many.
    pub(crate) marks: (usize, usize),
    pub(crate) elapsed: Duration,
    /// How much of the time that it has is left.
    pub(crate) time: Option<Duration>,
}

pub(crate) struct Progress<W> {
    out: W,
    terminal: bool,
    /// When the last line was written.
    shown: Duration,
}

impl Progress<std::io::Stdout> {
    pub(crate) fn begin() -> Self {
        let out = std::io::stdout();
        let terminal = out.is_terminal();
        Self::to(out, terminal)
    }
}

impl<W: Write> Progress<W> {
    fn to(out: W, terminal: bool) -> Self {
        Self { out, terminal, shown: Duration::ZERO }
    }

    pub(crate) fn show(&mut self, standing: &Standing) {
        if !self.terminal && standing.elapsed < self.shown + SELDOM {
            return;
        }
        self.shown = standing.elapsed;
        // Nobody reads it: then nobody wants to know.
        let _ = match self.terminal {
            true => write!(self.out, "{ANEW}{standing}").and_then(|()| self.out.flush()),
            false => writeln!(self.out, "{standing}"),
        };
    }

    /// What comes next begins in an empty line.
    pub(crate) fn end(&mut self) {
        if self.terminal {
            let _ = write!(self.out, "{ANEW}").and_then(|()| self.out.flush());
        }
    }
}

/// `1200 of 60000 seeds, 400 a second, 2 failures, 7 of 9 marks, 2:27 left`.
impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seeds, of, findings, marks, elapsed, time } = *self;
        let rate = seeds as f64 / elapsed.as_secs_f64().max(0.001);
        let failures = match findings {
            0 => String::new(),
            1 => ", 1 failure".to_owned(),
            more => format!(", {more} failures"),
        };
        let work = (rate > 0.0).then(|| of.saturating_sub(seeds) as f64 / rate).map(Duration::from_secs_f64);
        let left = work.into_iter().chain(time).min();
        let left = left.map_or_else(String::new, |left| {
            let seconds = left.as_secs();
            format!(", {}:{:02} left", seconds / 60, seconds % 60)
        });
        let marks = match marks {
            (_, 0) => String::new(),
            (reached, all) => format!(", {reached} of {all} marks"),
        };
        write!(f, "{seeds} of {of} seeds, {rate:.0} a second{failures}{marks}{left}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = (u64, u64, usize, (usize, usize), Duration, Option<Duration>);

    fn line((seeds, of, findings, marks, elapsed, time): Row) -> String {
        Standing { seeds, of, findings, marks, elapsed, time }.to_string()
    }

    #[test]
    fn a_line_says_how_far_it_is_and_how_long_it_takes() {
        let second = Duration::from_secs(1);
        let rows = [
            (line((0, 100, 0, (0, 0), Duration::ZERO, None)), "0 of 100 seeds, 0 a second"),
            (
                line((1200, 60_000, 2, (7, 9), 3 * second, None)),
                "1200 of 60000 seeds, 400 a second, 2 failures, 7 of 9 marks, 2:27 left",
            ),
            (
                line((10, 100, 1, (0, 0), second, Some(5 * second))),
                "10 of 100 seeds, 10 a second, 1 failure, 0:05 left",
            ),
            (line((100, 90, 0, (0, 0), second, None)), "100 of 90 seeds, 100 a second, 0:00 left"),
        ];
        for (line, expected) in rows {
            assert_eq!(line, expected);
        }
    }

    /// Shows how far a sweep is after each of `seconds`, a seed a second, and ends; what was written.
    fn shown(terminal: bool, seconds: &[u64]) -> String {
        let mut progress = Progress::to(Vec::new(), terminal);
        for &seeds in seconds {
            let elapsed = Duration::from_secs(seeds);
            progress.show(&Standing { seeds, of: 100, findings: 0, marks: (7, 9), elapsed, time: None });
        }
        progress.end();
        String::from_utf8(progress.out).unwrap()
    }

    #[test]
    fn on_a_terminal_one_line_changes_and_is_gone_at_the_end() {
        let lines = [
            "1 of 100 seeds, 1 a second, 7 of 9 marks, 1:39 left",
            "2 of 100 seeds, 1 a second, 7 of 9 marks, 1:38 left",
        ];
        assert_eq!(shown(true, &[1, 2]), format!("\r\x1b[K{}\r\x1b[K{}\r\x1b[K", lines[0], lines[1]));
    }

    #[test]
    fn elsewhere_there_is_a_line_each_ten_seconds() {
        let text = shown(false, &[1, 9, 10, 11, 19, 21]);
        let lines: Vec<_> = text.lines().map(|line| line.split(',').next().unwrap_or_default()).collect();
        assert_eq!(lines, ["10 of 100 seeds", "21 of 100 seeds"], "{text:?}");
        assert!(text.ends_with('\n') && !text.contains('\r'), "{text:?}");
    }
}
