//! Cuts what comes from a client into lines, however it comes in portions: no sockets.

/// How long a line may be, without its end.
pub const LINE_MAX: usize = 1024;

/// Why there is no line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It is too long; what is left of it is passed over.
    #[error("a line has at most {LINE_MAX} bytes")]
    TooLong,
    /// It is not UTF-8.
    #[error("a line must be text in UTF-8")]
    NotText,
}

/// What came and is not a line yet. Holds at most one portion more than [`LINE_MAX`].
#[derive(Debug, Default)]
pub struct Lines {
    bytes: Vec<u8>,
    /// Up to here the bytes were given out.
    start: usize,
    /// Up to here there is no end of a line.
    searched: usize,
    /// The line that began was too long: the rest of it is of no interest.
    skipping: bool,
    /// No more will come.
    ended: bool,
}

impl Lines {
    /// Where to append what came.
    pub fn input(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        &mut self.bytes
    }

    /// No more will come: a last line without an end is a line all the same.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// The next line, without its end; `None` if there is no whole one.
    pub fn next_line(&mut self) -> Option<Result<String, LineError>> {
        loop {
            let end = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n');
            let Some(end) = end.map(|end| self.searched + end) else { return self.rest() };
            let line = &self.bytes[self.start..end];
            let taken = (!self.skipping).then(|| text(line));
            self.skipping = false;
            self.start = end + 1;
            self.searched = self.start;
            if taken.is_some() {
                return taken;
            }
        }
    }

    /// What there is without an end of line.
    fn rest(&mut self) -> Option<Result<String, LineError>> {
        self.searched = self.bytes.len();
        let rest = &self.bytes[self.start..];
        // One byte more: it may be the `\r` of an end that has half come.
        let is_too_long = rest.len() > LINE_MAX + 1;
        if !is_too_long && !self.ended && !self.skipping {
            return None;
        }
        let taken = (!self.skipping && !rest.is_empty()).then(|| text(rest));
        self.skipping |= is_too_long;
        self.start = self.bytes.len();
        taken
    }
}

fn text(line: &[u8]) -> Result<String, LineError> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > LINE_MAX {
        return Err(LineError::TooLong);
    }
    str::from_utf8(line).map(Into::into).map_err(|_| LineError::NotText)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All lines, if `bytes` comes in portions of `size` and then the end.
    fn lines(bytes: &[u8], size: usize) -> Vec<Result<String, LineError>> {
        let mut lines = Lines::default();
        let mut all = Vec::new();
        for portion in bytes.chunks(size) {
            lines.input().extend_from_slice(portion);
            all.extend(std::iter::from_fn(|| lines.next_line()));
            assert!(lines.bytes.len() - lines.start <= LINE_MAX + 1, "nothing beyond the bound is kept");
        }
        lines.end();
        all.extend(std::iter::from_fn(|| lines.next_line()));
        all
    }

    #[test]
    fn lines_come_out_whole_in_any_portions() {
        let long = "x".repeat(LINE_MAX);
        let rows: [(String, Vec<Result<&str, LineError>>); 9] = [
            ("".into(), vec![]),
            ("a\nb\r\n\nc".into(), vec![Ok("a"), Ok("b"), Ok(""), Ok("c")]),
            ("a\rb\n".into(), vec![Ok("a\rb")]),
            (format!("{long}\n{long}\r\na"), vec![Ok(&long), Ok(&long), Ok("a")]),
            (format!("{long}x\na\n"), vec![Err(LineError::TooLong), Ok("a")]),
            (format!("{long}x\r\na"), vec![Err(LineError::TooLong), Ok("a")]),
            (format!("{long}{long}{long}{long}\na\n"), vec![Err(LineError::TooLong), Ok("a")]),
            (format!("{long}xx"), vec![Err(LineError::TooLong)]),
            ("ä\n".into(), vec![Ok("ä")]),
        ];
        for (bytes, expected) in rows {
            for size in [1, 2, 3, LINE_MAX, LINE_MAX + 1, usize::MAX] {
                let found = lines(bytes.as_bytes(), size);
                let found: Vec<_> =
                    found.iter().map(|line| line.as_deref().map_err(|error| *error)).collect();
                assert_eq!(found, expected, "in portions of {size}: {bytes:.40}");
            }
        }
    }

    #[test]
    fn what_is_no_text_is_one_error_and_the_next_line_is_well() {
        assert_eq!(lines(b"\xff\xfe\nok\n", 1), [Err(LineError::NotText), Ok("ok".into())]);
    }

    proptest! {
        #[test]
        fn portions_make_no_difference(
            pieces in proptest::collection::vec((0..3 * LINE_MAX, prop_oneof![Just("\n"), Just("\r\n"), Just("é")]), 0..6),
            size in 1..2 * LINE_MAX,
        ) {
            let bytes: String = pieces.iter().map(|(length, end)| "y".repeat(*length) + end).collect();
            prop_assert_eq!(lines(bytes.as_bytes(), size), lines(bytes.as_bytes(), usize::MAX));
        }
    }
}
