//! Text on one line: control characters as they are written in source code.

use core::fmt;

pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in self.0.split_inclusive(char::is_control) {
            match piece.char_indices().next_back() {
                Some((at, last)) if last.is_control() => {
                    write!(f, "{}{}", &piece[..at], last.escape_debug())?
                }
                _ => f.write_str(piece)?,
            }
        }
        Ok(())
    }
}
