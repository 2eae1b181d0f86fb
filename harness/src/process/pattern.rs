//! What a line must look like, and what is taken out of it.

use std::fmt;
use std::ops::Index;
use std::str::FromStr;

/// A piece of a line, with placeholders.
///
/// `listening on {address}` is found anywhere in a line. `{name}` takes a word – at least one character, none
/// of them white space – and `{name..}` whatever follows, up to the end of the line if nothing else follows.
/// `{{` and `}}` stand for the braces themselves.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    source: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Hole { name: String, is_word: bool },
}

impl Pattern {
    /// # Panics
    /// With what is wrong with it: a pattern stands in the test itself.
    pub(super) fn of(source: &str) -> Self {
        match pieces_of(source) {
            Ok(pieces) => Self { source: source.to_owned(), pieces },
            Err(mistake) => panic!("the pattern `{source}` {mistake}"),
        }
    }

    /// What it takes out of the first place in `line` that looks like it.
    pub(super) fn find(&self, line: &str) -> Option<Captures> {
        let try_at = |start: usize| {
            let mut taken = Vec::new();
            let does_fit = fits(&self.pieces, &line[start..], &mut taken);
            does_fit.then(|| Captures { line: line.to_owned(), pattern: self.source.clone(), taken })
        };
        let first = match self.pieces.first() {
            Some(Piece::Text(text)) => text,
            Some(Piece::Hole { .. }) | None => "",
        };
        // Most lines are passed over: where the first words do not stand, nothing else need be tried.
        let is_start = |start: &usize| line[*start..].starts_with(first);
        let from = line.find(first)?;
        line[from..].char_indices().map(|(start, _)| from + start).filter(is_start).find_map(try_at)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

fn pieces_of(source: &str) -> Result<Vec<Piece>, String> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut text = String::new();
    let mut rest = source;
    while let Some(next) = rest.chars().next() {
        if let Some(after) = ["{{", "}}"].iter().find_map(|double| rest.strip_prefix(double)) {
            text.push(next);
            rest = after;
        } else if next == '{' {
            let (name, after) =
                rest[1..].split_once('}').ok_or("has a `{` without its `}`; `{{` is a brace")?;
            let (name, is_word) = name.strip_suffix("..").map_or((name, true), |name| (name, false));
            if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
                return Err(format!("has `{{{name}}}`, but a name consists of letters, digits and `_`"));
            }
            if text.is_empty() && matches!(pieces.last(), Some(Piece::Hole { .. })) {
                return Err(format!(
                    "has nothing before `{{{name}}}` that tells where the one before it ends"
                ));
            }
            if pieces.iter().any(|piece| matches!(piece, Piece::Hole { name: known, .. } if known == name)) {
                return Err(format!("has `{{{name}}}` twice"));
            }
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
            }
            pieces.push(Piece::Hole { name: name.to_owned(), is_word });
            rest = after;
        } else if next == '}' {
            return Err("has a `}` without its `{`; `}}` is a brace".to_owned());
        } else {
            text.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    if pieces.is_empty() {
        return Err("is empty, and would be found in every line".to_owned());
    }
    Ok(pieces)
}

/// Whether `text` begins with these pieces.
fn fits(pieces: &[Piece], text: &str, taken: &mut Vec<(String, String)>) -> bool {
    let Some((piece, others)) = pieces.split_first() else { return true };
    match piece {
        Piece::Text(wanted) => text.strip_prefix(&**wanted).is_some_and(|rest| fits(others, rest, taken)),
        Piece::Hole { name, is_word } => {
            let end =
                if *is_word { text.find(char::is_whitespace).unwrap_or(text.len()) } else { text.len() };
            let least = usize::from(*is_word);
            let mut ends: Vec<usize> = (least..=end).filter(|end| text.is_char_boundary(*end)).collect();
            // As short as may be where something follows that ends it; else as long as may be.
            if others.is_empty() {
                ends.reverse();
            }
            ends.into_iter().any(|end| {
                let before = taken.len();
                taken.push((name.clone(), text[..end].to_owned()));
                let does_fit = fits(others, &text[end..], taken);
                if !does_fit {
                    taken.truncate(before);
                }
                does_fit
            })
        }
    }
}

/// A line that was waited for, and what its placeholders took: `line["address"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captures {
    line: String,
    pattern: String,
    taken: Vec<(String, String)>,
}

impl Captures {
    /// The whole line, without its end.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// What the placeholder `name` took.
    ///
    /// # Panics
    /// If the pattern has no such placeholder.
    pub fn get(&self, name: &str) -> &str {
        let found = self.taken.iter().find(|(known, _)| known == name);
        let (_, text) = found.unwrap_or_else(|| panic!("the pattern `{}` has no `{{{name}}}`", self.pattern));
        text
    }

    /// What the placeholder `name` took, as a number, an address, …
    ///
    /// # Panics
    /// With the line, if it is none, or if the pattern has no such placeholder.
    pub fn parse<T: FromStr<Err: fmt::Display>>(&self, name: &str) -> T {
        let text = self.get(name);
        text.parse().unwrap_or_else(|error| {
            let kind = std::any::type_name::<T>();
            panic!("`{{{name}}}` is `{text}`, which is no {kind}: {error}; the line: {}", self.line)
        })
    }
}

impl Index<&str> for Captures {
    type Output = str;

    fn index(&self, name: &str) -> &str {
        self.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pattern, a line, and what is taken out of it.
    type Row = (&'static str, &'static str, Option<&'static [(&'static str, &'static str)]>);

    #[test]
    fn a_placeholder_takes_a_word_or_the_rest() {
        let rows: [Row; 17] = [
            ("ready", "now ready.", Some(&[])),
            ("ready", "read y", None),
            ("on {address}", "listening on [::1]:80", Some(&[("address", "[::1]:80")])),
            ("on {address}", "listening on 1.2.3.4:5 for all", Some(&[("address", "1.2.3.4:5")])),
            ("on {address}", "listening on ", None),
            ("pid {pid}, s", "worker 0.1, pid 47, started", Some(&[("pid", "47")])),
            ("pid {pid}, s", "pid 4 7, started", None),
            ("{a}={b};", "x a=b; c=d;", Some(&[("a", "a"), ("b", "b")])),
            ("{a}-{b}", "a-b-c", Some(&[("a", "a"), ("b", "b-c")])),
            ("error: {what..}", "error: no such file", Some(&[("what", "no such file")])),
            ("error:{what..}", "error:", Some(&[("what", "")])),
            ("({what..}) at {line}", "(a (b) c) at 7", Some(&[("what", "a (b) c"), ("line", "7")])),
            ("{{{n}}}", "x{12}", Some(&[("n", "12")])),
            ("é{x}", "aéß b", Some(&[("x", "ß")])),
            // The first place that fits from beginning to end, not the first that begins to.
            ("::{x}", "a:::b", Some(&[("x", ":b")])),
            (":: {x}", "a::: b", Some(&[("x", "b")])),
            ("pid {n} ended", "pid 1 began, pid 2 ended", Some(&[("n", "2")])),
        ];
        for (pattern, line, expected) in rows {
            let found = Pattern::of(pattern).find(line).map(|captures| captures.taken);
            let expected = expected.map(|taken| {
                taken.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect::<Vec<_>>()
            });
            assert_eq!(found, expected, "`{pattern}` in `{line}`");
        }
    }

    #[test]
    fn a_wrong_pattern_is_refused_and_says_why() {
        let rows = [
            ("", "is empty"),
            ("pid {", "has a `{` without its `}`"),
            ("pid }", "has a `}` without its `{`"),
            ("pid {}", "a name consists of letters"),
            ("{a b}", "has `{a b}`, but a name"),
            ("{a}{b}", "nothing before `{b}`"),
            ("{a} {a}", "has `{a}` twice"),
        ];
        for (pattern, words) in rows {
            let mistake = pieces_of(pattern).expect_err(pattern);
            assert!(mistake.contains(words), "`{pattern}`: {mistake}");
        }
    }

    #[test]
    fn what_was_taken_is_read_as_what_it_should_be() {
        let found = Pattern::of("pid {pid} on {port}").find("pid 12 on x").expect("a line like it");
        assert_eq!(found.parse::<u32>("pid"), 12);
        assert_eq!(&found["port"], "x");
        assert_eq!(found.line(), "pid 12 on x");
        let words = |get: fn(&Captures)| {
            let payload = std::panic::catch_unwind(|| get(&found)).expect_err("refused");
            payload.downcast_ref::<String>().expect("words").clone()
        };
        let wrong = words(|found| drop(found.parse::<u16>("port").to_string()));
        assert!(wrong.contains("`{port}` is `x`, which is no u16: invalid digit"), "{wrong}");
        assert!(wrong.contains("the line: pid 12 on x"), "{wrong}");
        let unknown = words(|found| drop(found.get("address").to_owned()));
        assert_eq!(unknown, "the pattern `pid {pid} on {port}` has no `{address}`");
    }
}
