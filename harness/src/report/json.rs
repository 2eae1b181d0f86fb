//! Writing JSON: what little of it a report needs.

use std::fmt::Write as _;

/// Appends `text` as a string of JSON.
///
/// What ends a script or a comment of a page is escaped as well, and so are the two line ends that scripts know
/// and JSON does not: a worker's last words may be anything.
pub(super) fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' | '\u{7f}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// `text` as a string of JSON.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    string(&mut out, text);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_comes_back_from_a_reader_of_json_and_ends_no_script() {
        let hostile = "</script><!-- \" \\ \n \r \t \0 \u{7f} \u{2028} & ü 𝄞 ]]>";
        let written = quoted(hostile);
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), hostile);
        assert!(!written.contains(['<', '>', '&', '\n', '\u{2028}']), "{written}");
    }
}
