//! Bytes out, bytes in, and the checksum of a frame.

use super::Text;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Why an entry cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// The bytes end in the midst of something.
    #[error("it ends in the midst of {0}")]
    Ends(&'static str),
    /// A number stands for nothing.
    #[error("{found} is no {wanted}")]
    Number {
        /// What it should be.
        wanted: &'static str,
        /// What was found.
        found: u64,
    },
    /// Text is no text.
    #[error("the bytes of a {0} are no text that it can have")]
    Text(&'static str),
}

/// Bytes that are written.
#[derive(Clone, Debug)]
pub(crate) struct Out {
    pub(crate) bytes: Vec<u8>,
    text: Text,
}

impl Out {
    pub(crate) const fn new(text: Text) -> Self {
        Self { bytes: Vec::new(), text }
    }

    #[inline]
    pub(crate) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// A number, seven bits a byte, the lowest first; the highest bit says that more follow.
    #[inline]
    pub(crate) fn number(&mut self, mut number: u64) {
        while number > 0x7f {
            self.byte(number as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }

    /// Text that was chosen by the author of the application.
    pub(crate) fn name(&mut self, name: &str) {
        self.number(name.len() as u64);
        self.bytes.extend_from_slice(name.as_bytes());
    }

    /// Text that may tell something about a machine or a person.
    pub(crate) fn text(&mut self, text: &str) {
        match self.text {
            Text::Kept => self.name(text),
            Text::Hashed => self.name(&hidden(text)),
        }
    }
}

/// What stands in the place of a text. What stands there already stays: a reader's values are written as they came.
fn hidden(text: &str) -> String {
    if is_hidden(text) {
        return text.into();
    }
    format!("<{} bytes, {:016x}>", text.len(), checksum(text.as_bytes()))
}

fn is_hidden(text: &str) -> bool {
    let inner = text.strip_prefix('<').and_then(|text| text.strip_suffix('>'));
    let parts = inner.and_then(|inner| inner.split_once(" bytes, "));
    parts.is_some_and(|(length, hash)| {
        length.bytes().all(|byte| byte.is_ascii_digit())
            && hash.len() == 16
            && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Bytes that are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct In<'a>(pub(crate) &'a [u8]);

impl<'a> In<'a> {
    #[inline]
    pub(crate) fn byte(&mut self, what: &'static str) -> Result<u8, Wrong> {
        let (first, rest) = self.0.split_first().ok_or(Wrong::Ends(what))?;
        self.0 = rest;
        Ok(*first)
    }

    #[inline]
    pub(crate) fn number(&mut self, what: &'static str) -> Result<u64, Wrong> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(what)?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit; and a number has one form.
            if bits << shift >> shift != bits || byte == 0 && shift > 0 {
                return Err(Wrong::Number { wanted: what, found: u64::from(byte) });
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Wrong::Number { wanted: what, found: number })
    }

    pub(crate) fn slice(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], Wrong> {
        let (slice, rest) = self.0.split_at_checked(length).ok_or(Wrong::Ends(what))?;
        self.0 = rest;
        Ok(slice)
    }

    /// How many elements follow. Each has a byte at least, so that no count makes anybody allocate more than some
    /// hundred times what was read.
    pub(crate) fn count(&mut self, what: &'static str) -> Result<usize, Wrong> {
        let count = self.number(what)?;
        usize::try_from(count).ok().filter(|count| *count <= self.0.len()).ok_or(Wrong::Ends(what))
    }

    pub(crate) fn text(&mut self, what: &'static str) -> Result<&'a str, Wrong> {
        let length = self.count(what)?;
        core::str::from_utf8(self.slice(length, what)?).map_err(|_| Wrong::Text(what))
    }
}

/// A checksum, eight bytes at a time (FxHash's step, as 64 bits). Each step can be undone, so that no change
/// within eight bytes goes unseen.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    let step = |sum: u64, word: u64| (sum.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(bytes.len() as u64, |sum, word| step(sum, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    step(sum, u64::from_le_bytes(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_number_has_one_form_and_no_other() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut out = Out::new(Text::Kept);
            out.number(number);
            let mut input = In(&out.bytes);
            assert_eq!((input.number("number"), input.0), (Ok(number), &[][..]), "{number}");
        }
        for bytes in [
            &[][..],
            &[0x80],
            &[0x80, 0x00],
            &[0xff; 10],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
        ] {
            assert!(In(bytes).number("number").is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn text_is_its_length_and_a_hash_unless_it_is_kept() {
        let written = |text, words: &str| {
            let mut out = Out::new(text);
            out.text(words);
            In(&out.bytes).text("path").unwrap().to_string()
        };
        assert_eq!(written(Text::Kept, "/run/secret.sock"), "/run/secret.sock");
        let hidden = written(Text::Hashed, "/run/secret.sock");
        assert_eq!(hidden, "<16 bytes, a5b872094c63f5da>");
        assert_eq!(written(Text::Hashed, &hidden), hidden, "what was read is written as it came");
        assert_ne!(written(Text::Hashed, "/run/secret.sick"), hidden);
    }

    #[test]
    fn the_checksum_sees_each_changed_bit_and_each_length() {
        let bytes: Vec<u8> = (0..21).collect();
        let sum = checksum(&bytes);
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(checksum(&changed), sum, "bit {bit}");
        }
        assert_ne!(checksum(&[0; 8]), checksum(&[0; 9]));
        assert_ne!(checksum(&[]), checksum(&[0]));
    }

    #[test]
    fn what_was_hidden_is_not_hidden_again_and_what_only_looks_like_it_is() {
        let whole = hidden("/run/x.sock");
        assert!(is_hidden(&whole), "{whole}");
        assert_eq!(hidden(&whole), whole);
        for text in [
            "",
            "<>",
            "<11 bytes, 0123456789abcdef",
            "11 bytes, 0123456789abcdef>",
            "<x bytes, 0123456789abcdef>",
            "<11 bytes, 0123456789abcde>",
            "<11 bytes, 0123456789abcdeg>",
            "<x bytes, 0123456789abcde>",
        ] {
            assert!(!is_hidden(text), "{text}");
        }
    }
}
