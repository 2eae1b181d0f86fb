//! What one stream of a process said: its last lines, each with its moment.

use std::collections::VecDeque;
use std::time::Duration;

/// How many lines are kept of a stream; what came before them is counted and let go.
pub(super) const LINES_MAX: usize = 10_000;

/// How many bytes are kept of a stream: a flood must not fill the memory of the test.
pub(super) const BYTES_MAX: usize = 4 << 20;

/// How long a line may get: what is longer is cut into lines of so many bytes.
pub(super) const LINE_MAX: usize = 64 << 10;

/// One line, without its end.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Since the process was started.
    pub(super) at: Duration,
    bytes: Vec<u8>,
    /// Whether it was ended, and not cut, by length or by the end of all.
    pub(super) has_end: bool,
}

impl Line {
    /// As text: what is no UTF-8 is shown as `�`.
    pub(super) fn text(&self) -> String {
        let bytes = self.bytes.strip_suffix(b"\r").unwrap_or(&self.bytes);
        String::from_utf8_lossy(bytes).into_owned()
    }
}

/// The last lines of a stream.
#[derive(Debug, Default)]
pub(super) struct Lines {
    kept: VecDeque<Line>,
    /// How many were let go: the number of the first that is kept.
    gone: u64,
    bytes: usize,
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    has_ended: bool,
}

impl Lines {
    /// Takes what has come.
    pub(super) fn push(&mut self, at: Duration, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.extend(at, &bytes[..end]);
            self.finish(at, true);
            bytes = &bytes[end + 1..];
        }
        self.extend(at, bytes);
    }

    /// Nobody can say anything here any more.
    pub(super) fn end(&mut self, at: Duration) {
        if !self.partial.is_empty() {
            self.finish(at, false);
        }
        self.has_ended = true;
    }

    /// Whether nothing can come any more.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// The number that the next line will have.
    pub(super) fn next(&self) -> u64 {
        self.gone + self.kept.len() as u64
    }

    /// How many were let go before the line of this number.
    pub(super) fn gone_since(&self, number: u64) -> u64 {
        self.gone.saturating_sub(number)
    }

    /// Those from this number on that are kept, each with its number.
    pub(super) fn since(&self, number: u64) -> impl Iterator<Item = (u64, &Line)> {
        let first = number.max(self.gone);
        let skipped = usize::try_from(first - self.gone).unwrap_or(usize::MAX);
        (first..).zip(self.kept.range(skipped.min(self.kept.len())..))
    }

    /// The beginning of a line whose end has not come.
    pub(super) fn partial(&self) -> &[u8] {
        &self.partial
    }

    fn extend(&mut self, at: Duration, mut bytes: &[u8]) {
        while self.partial.len() + bytes.len() > LINE_MAX {
            let (portion, rest) = bytes.split_at(LINE_MAX - self.partial.len());
            self.partial.extend_from_slice(portion);
            self.finish(at, false);
            bytes = rest;
        }
        self.partial.extend_from_slice(bytes);
    }

    fn finish(&mut self, at: Duration, has_end: bool) {
        let bytes = std::mem::take(&mut self.partial);
        self.bytes += bytes.len();
        self.kept.push_back(Line { at, bytes, has_end });
        while self.kept.len() > LINES_MAX || self.bytes > BYTES_MAX {
            let Some(line) = self.kept.pop_front() else { return };
            self.bytes -= line.bytes.len();
            self.gone += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &Lines, from: u64) -> Vec<(u64, String)> {
        lines.since(from).map(|(number, line)| (number, line.text())).collect()
    }

    #[test]
    fn lines_come_in_pieces_and_the_last_one_may_have_no_end() {
        let mut lines = Lines::default();
        for piece in ["on", "e\n\ntw", "o\r\nthr", "ee"] {
            lines.push(Duration::ZERO, piece.as_bytes());
        }
        let whole = ["one", "", "two"].map(str::to_owned);
        assert_eq!(texts(&lines, 0), (0..).zip(whole).collect::<Vec<_>>());
        assert_eq!((lines.next(), lines.partial(), lines.has_ended()), (3, &b"three"[..], false));
        lines.end(Duration::ZERO);
        assert_eq!(texts(&lines, 3), [(3, "three".to_owned())]);
        assert_eq!(texts(&lines, 4), []);
        assert!(lines.has_ended());
    }

    #[test]
    fn a_flood_is_bounded_in_lines_in_bytes_and_in_the_length_of_a_line() {
        let mut lines = Lines::default();
        for number in 0..LINES_MAX + 5 {
            lines.push(Duration::ZERO, format!("{number}\n").as_bytes());
        }
        assert_eq!(lines.kept.len(), LINES_MAX);
        assert_eq!((lines.gone_since(0), lines.gone_since(3), lines.gone_since(9)), (5, 2, 0));
        assert_eq!(texts(&lines, 0)[0], (5, "5".to_owned()), "numbers stay what they were");

        let mut lines = Lines::default();
        (0..200).for_each(|_| lines.push(Duration::ZERO, &[b'x'; 100_000]));
        assert!(lines.bytes <= BYTES_MAX, "{} bytes", lines.bytes);
        assert!(lines.partial.len() <= LINE_MAX);
        assert!(lines.kept.iter().all(|line| line.bytes.len() == LINE_MAX));
        let all = lines.next() * LINE_MAX as u64 + lines.partial.len() as u64;
        assert_eq!(all, 200 * 100_000, "nothing is lost between the pieces");
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_all_the_same() {
        let mut lines = Lines::default();
        lines.push(Duration::ZERO, b"a\xff\xfeb\n");
        assert_eq!(texts(&lines, 0), [(0, "a\u{fffd}\u{fffd}b".to_owned())]);
    }
}
