use super::*;
use alloc::format;
use alloc::string::ToString;
use alloc::vec;

const START: Instant = Instant::from_nanos(7_000_000_000);
const OUT: StdStream = StdStream::Stdout;
const ERR: StdStream = StdStream::Stderr;

fn ms(millis: u64) -> Instant {
    START + Duration::from_millis(millis)
}

/// What is told, a word a line: `text`, `text+` for a piece, `text-` for an unfinished one, `(n)` for lines left out.
fn words(told: Option<Told>, text: &str) -> Option<String> {
    Some(match told? {
        Told::Line { end: LineEnd::Newline } => text.to_string(),
        Told::Line { end: LineEnd::TooLong } => format!("{text}+"),
        Told::Line { end: LineEnd::Unfinished } => format!("{text}-"),
        Told::LeftOut { lines } => format!("({lines})"),
    })
}

fn read(output: &mut Output, now: Instant, stream: StdStream, mut bytes: &[u8]) -> Vec<String> {
    let mut text = String::from("what was there before");
    let mut told = Vec::new();
    while let Some(words) = words(output.next(now, stream, &mut bytes, &mut text), &text) {
        told.push(words);
    }
    assert_eq!(bytes, b"", "all is used up");
    told
}

fn end(output: &mut Output, now: Instant, stream: StdStream) -> Option<String> {
    let mut text = String::new();
    words(output.end(now, stream, &mut text), &text)
}

#[test]
fn bytes_become_lines_however_they_are_cut() {
    let rows: &[(&[&[u8]], &[&str])] = &[
        (&[b""], &[]),
        (&[b"a\n"], &["a"]),
        (&[b"\n"], &[""]),
        (&[b"a\n\nb\n"], &["a", "", "b"]),
        (&[b"a\nb"], &["a", "b-"]),
        (&[b"hel", b"lo\nwor", b"ld\n"], &["hello", "world"]),
        (&[b"a", b"\n"], &["a"]),
        (&[b"dos\r\nreturn\rhere\r\r\n"], &["dos", "return\\rhere\\r"]),
        (&[b"last\r"], &["last\\r-"]),
        (
            &[b"tab\there \x1b[31mred\x1b[0m nul\0 bell\x07 del\x7f\n"],
            &["tab\there \\u{1b}[31mred\\u{1b}[0m nul\\0 bell\\u{7} del\\u{7f}"],
        ),
        (&["grün\u{85}weiß\u{2028}rot\n".as_bytes()], &["grün\\u{85}weiß\\u{2028}rot"]),
        // A character that comes in two reads is whole.
        (&[b"gr\xc3", b"\xbcn\n"], &["grün"]),
        (
            &[b"bad \xff\xfe\xc3 end\n", b"cut \xe2\x82\n"],
            &["bad \u{fffd}\u{fffd}\u{fffd} end", "cut \u{fffd}"],
        ),
        (&[b"back\\slash \"quoted\"\n"], &["back\\slash \"quoted\""]),
    ];
    for (reads, expected) in rows {
        let mut output = Output::new(100);
        let mut told: Vec<_> = reads.iter().flat_map(|bytes| read(&mut output, START, OUT, bytes)).collect();
        told.extend(end(&mut output, START, OUT));
        assert_eq!(told, *expected, "{reads:?}");
        // Byte by byte it is the same.
        let mut output = Output::new(100);
        let bytes = reads.concat();
        let mut told: Vec<_> = bytes.chunks(1).flat_map(|byte| read(&mut output, START, OUT, byte)).collect();
        told.extend(end(&mut output, START, OUT));
        assert_eq!(told, *expected, "{reads:?}, byte by byte");
    }
}

#[test]
fn the_streams_are_apart_and_an_end_is_told_once() {
    let mut output = Output::new(100);
    assert_eq!(read(&mut output, START, OUT, b"this "), [""; 0]);
    assert_eq!(read(&mut output, START, ERR, b"error\nand "), ["error"]);
    assert_eq!(read(&mut output, START, OUT, b"line\n"), ["this line"]);
    assert_eq!(end(&mut output, START, OUT), None, "nothing was begun");
    assert_eq!(end(&mut output, START, ERR).as_deref(), Some("and -"));
    assert_eq!(end(&mut output, START, ERR), None);
}

#[test]
fn a_line_that_is_too_long_comes_in_pieces_and_no_more_than_one_is_kept() {
    let long = |length| vec![b'x'; length];
    let x = |length: usize| "x".repeat(length);
    let mut output = Output::new(100);
    // One that just fits is whole, in one read and in two.
    for _ in 0..2 {
        let told = read(&mut output, START, OUT, &[&long(LINE_MAX)[..], b"\n"].concat());
        assert_eq!(told, [x(LINE_MAX)]);
        assert_eq!(read(&mut output, START, OUT, &long(LINE_MAX)), [""; 0]);
        assert_eq!(read(&mut output, START, OUT, b"\n"), [x(LINE_MAX)]);
    }
    let told = read(&mut output, START, OUT, &[&long(2 * LINE_MAX + 3)[..], b"\nnext\n"].concat());
    assert_eq!(told, [x(LINE_MAX) + "+", x(LINE_MAX) + "+", x(3), "next".to_string()]);
    assert!(output.lines[OUT.index()].bytes.capacity() <= 2 * LINE_MAX);
}

#[test]
fn a_piece_ends_between_two_characters() {
    for (character, length) in [("ü", 2), ("€", 3), ("😀", 4)] {
        for before in 0..length {
            let text = "x".repeat(LINE_MAX - before) + character + "\n";
            let told = read(&mut Output::new(100), START, OUT, text.as_bytes());
            let all: String = told.iter().map(|piece| piece.trim_end_matches('+')).collect();
            assert_eq!(all + "\n", text, "{character} after {before}");
        }
    }
    // What is no character anyway is cut anywhere.
    let told = read(&mut Output::new(100), START, OUT, &[0x80; LINE_MAX + 1]);
    assert_eq!(told, ["\u{fffd}".repeat(LINE_MAX) + "+"]);
}

#[test]
fn what_is_above_the_rate_is_counted_and_told_once_when_the_second_is_over() {
    let mut output = Output::new(3);
    assert_eq!(read(&mut output, ms(0), OUT, b"1\n2\n"), ["1", "2"]);
    // Both streams count.
    assert_eq!(read(&mut output, ms(400), ERR, b"3\n4\n5\n"), ["3"]);
    assert_eq!(read(&mut output, ms(999), OUT, b"6\nrest"), [""; 0]);
    assert_eq!(output.left_out(ms(999), false), None);
    // With the next line.
    assert_eq!(read(&mut output, ms(1000), OUT, b" of 7\n"), ["(3)", "rest of 7"]);
    // Or when nothing more comes.
    assert_eq!(read(&mut output, ms(1001), OUT, b"8\n9\n10\n"), ["8", "9"]);
    assert_eq!(output.left_out(ms(2000), false), Some(Told::LeftOut { lines: 1 }));
    assert_eq!(output.left_out(ms(2000), false), None);
    // A second begins with its first line.
    assert_eq!(read(&mut output, ms(5900), OUT, b"11\n12\n"), ["11", "12"]);
    assert_eq!(read(&mut output, ms(6800), OUT, b"13\n14\n"), ["13"]);
    // At the end of a worker.
    assert_eq!(read(&mut output, ms(6850), OUT, b"unfinished"), [""; 0]);
    assert_eq!(end(&mut output, ms(6850), OUT), None, "it is above as well");
    assert_eq!(output.left_out(ms(6850), true), Some(Told::LeftOut { lines: 2 }));
    assert_eq!(output.left_out(ms(6850), true), None);
}

#[test]
fn whoever_stays_within_the_rate_loses_nothing() {
    let mut output = Output::new(10);
    for line in 0..1000_u64 {
        // At most ten in any second, in bursts and alone.
        let now = ms(line / 10 * 1000 + if line / 10 % 2 == 0 { 0 } else { line % 10 * 100 });
        assert_eq!(read(&mut output, now, OUT, format!("{line}\n").as_bytes()), [line.to_string()]);
    }
}

#[test]
fn a_second_that_ends_with_an_unfinished_line_loses_no_count() {
    let mut output = Output::new(1);
    assert_eq!(read(&mut output, ms(0), OUT, b"1\n2\nrest"), ["1"]);
    assert_eq!(end(&mut output, ms(2000), OUT).as_deref(), Some("rest-"));
    assert_eq!(output.left_out(ms(3000), false), Some(Told::LeftOut { lines: 1 }));
}

#[test]
fn whoever_prints_too_much_is_read_seldom_until_its_second_is_over() {
    let mut output = Output::new(3);
    // In lines.
    assert_eq!(read(&mut output, ms(0), OUT, b"1\n2\n3\n"), ["1", "2", "3"]);
    assert_eq!(output.rests_until(ms(0)), None);
    assert_eq!(read(&mut output, ms(1), OUT, b"4\n"), [""; 0]);
    assert_eq!(output.rests_until(ms(1)), Some(ms(11)));
    assert_eq!(output.rests_until(ms(999)), Some(ms(1009)));
    // Nothing more has come.
    assert_eq!(output.left_out(ms(1009), false), Some(Told::LeftOut { lines: 1 }));
    assert_eq!(output.rests_until(ms(1009)), None);
    // In reads that give no lines.
    let often = (2..=READS_PER_SECOND).all(|_| output.rests_until(ms(1500)).is_none());
    assert!(often, "within what may be");
    assert_eq!(output.rests_until(ms(1501)), Some(ms(1511)));
    assert_eq!(output.rests_until(ms(2009)), None);
}
