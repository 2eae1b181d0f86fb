//! What makes two failures the same: otherwise a shrunk run would be one that fails for another reason.

use super::twin::is_seen_by_comparing;
use host_sim::Violation;
use std::collections::BTreeSet;

/// The rule, the place of a failed assertion, and the words without what varies from run to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    rule: &'static str,
    /// `file:line` of a failed assertion of the test.
    place: Option<String>,
    parts: BTreeSet<String>,
}

impl Cause {
    pub(super) fn of(violation: &Violation, place: Option<String>) -> Self {
        if is_seen_by_comparing(violation.id) {
            // In which event two runs differ first is chance.
            return Self { rule: violation.id, place: None, parts: BTreeSet::new() };
        }
        // Lists are told by their elements: with half of the clients a list of errors is shorter.
        let masked = mask(&violation.detail);
        let parts = masked.split([',', ';', '\n', '[', ']']).map(str::trim).filter(|part| !part.is_empty());
        Self { rule: violation.id, place, parts: parts.map(str::to_owned).collect() }
    }

    /// Whether a failure for the cause `other` has this one: it says less, and nothing else.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let same = self.rule == other.rule && self.place == other.place;
        same && self.parts.is_empty() == other.parts.is_empty() && other.parts.is_subset(&self.parts)
    }
}

/// Numbers with their units become `#`, and what stands in double quotes – bytes that went to and fro –
/// `"…"`. Names, which stand in backticks, stay.
fn mask(words: &str) -> String {
    let mut masked = String::with_capacity(words.len());
    let mut rest = words;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => {
                masked.push_str("\"…\"");
                quoted(rest)
            }
            '0'..='9' => {
                masked.push('#');
                number(rest)
            }
            _ => {
                masked.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    masked
}

/// The length of a quoted string at the beginning, or of all if it does not end.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, letter)| {
        let ends = *letter == '"' && !escaped;
        escaped = *letter == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |(place, _)| place + 1)
}

/// The length of a number at the beginning, with its fraction and the unit of a duration.
fn number(text: &str) -> usize {
    let digits =
        |text: &str| text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
    let mut length = digits(text);
    if let Some(fraction) = text[length..].strip_prefix('.') {
        length += match digits(fraction) {
            0 => 0,
            some => 1 + some,
        };
    }
    let unit = ["ns", "µs", "ms", "s"].into_iter().find(|unit| {
        let after = text[length..].strip_prefix(unit);
        after.is_some_and(|after| !after.starts_with(|letter: char| letter.is_alphanumeric()))
    });
    length + unit.map_or(0, str::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_is_masked_and_names_stay() {
        let rows = [
            ("12s after: fleet `echo` has 2 of 3", "# after: fleet `echo` has # of #"),
            ("1.5ms, 20µs, 3 seconds, 4sent", "#, #, # seconds, #sent"),
            (r#"got "a\"b", expected "c""#, "got \"…\", expected \"…\""),
            ("cut \"off", "cut \"…\""),
            ("ends with 7.", "ends with #."),
        ];
        for (words, expected) in rows {
            assert_eq!(mask(words), expected, "{words}");
        }
    }

    #[test]
    fn a_cause_covers_itself_and_less_of_the_same_and_nothing_else() {
        let cause = |rule, words: &str, place: Option<&str>| {
            Cause::of(&Violation::new(rule, words.to_owned()), place.map(str::to_owned))
        };
        let whole =
            cause("test", "errors: [timed out, ended after \"x\", timed out]\n left: 3", Some("a.rs:5"));
        let rows = [
            (
                cause("test", "errors: [timed out, ended after \"x\", timed out]\n left: 3", Some("a.rs:5")),
                true,
            ),
            (cause("test", "errors: [timed out]\n left: 1", Some("a.rs:5")), true),
            (cause("test", "errors: [ended after \"long\"]\n left: 1", Some("a.rs:5")), true),
            (cause("test", "errors: [refused]\n left: 1", Some("a.rs:5")), false),
            (cause("test", "errors: [timed out]\n left: 1", Some("a.rs:6")), false),
            (cause("test", "errors: [timed out]\n left: 1", None), false),
            (cause("S34", "errors: [timed out]\n left: 1", Some("a.rs:5")), false),
            (cause("test", "", Some("a.rs:5")), false),
        ];
        for (other, covered) in rows {
            assert_eq!(whole.covers(&other), covered, "{other:?}");
        }
    }
}
