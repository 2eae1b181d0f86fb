//! Words for people.

/// The names of the signals, by their numbers (signal(7), of all architectures but alpha, mips and sparc).
const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// As kill(1) takes it: `TERM`; a number, if it has no name.
pub(super) fn signal_name(number: i32) -> String {
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    index.and_then(|index| SIGNALS.get(index)).map_or_else(|| number.to_string(), |name| (*name).to_owned())
}

/// `1 child`, `2 children`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// What a terminal can show of a text, and no more than `most` characters of it.
pub(super) fn shown(text: &str, most: usize) -> String {
    let mut shown: String = text.chars().take(most).map(|c| if c.is_control() { '·' } else { c }).collect();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::Signal;

    #[test]
    fn signals_have_their_names() {
        let rows =
            [(Signal::TERM, "TERM"), (Signal::KILL, "KILL"), (Signal::WINCH, "WINCH"), (Signal::SYS, "SYS")];
        for (signal, name) in rows {
            assert_eq!(signal_name(signal.as_raw()), name);
        }
        assert_eq!([0, -1, 32, 64].map(signal_name), ["0", "-1", "32", "64"]);
    }

    #[test]
    fn a_terminal_is_shown_no_control_characters() {
        assert_eq!(shown("a\x1b[31mb\tc", 99), "a·[31mb·c");
        assert_eq!(shown("äöü", 2), "äö…");
        assert_eq!(shown("äö", 2), "äö");
    }
}
