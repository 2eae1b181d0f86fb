//! Bytes as lines, and lines as jobs: never a panic, the same lines whatever portions they come in, and a
//! result that is one line.

#![no_main]

use examples::jobs::Job;
use examples::lines::{LINE_MAX, LineError, Lines};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((size, bytes)) = bytes.split_first() else { return };
    let lines = lines(bytes, usize::MAX);
    assert_eq!(self::lines(bytes, usize::from(*size) + 1), lines, "in portions of {size} and one");
    for line in lines.into_iter().flatten() {
        assert!(line.len() <= LINE_MAX);
        assert!(!line.contains('\n'));
        let Ok(job) = Job::parse(&line) else { continue };
        match job.run() {
            Ok(result) => assert!(!result.contains(char::is_control), "{result:?} is more than a line"),
            Err(error) => assert!(!error.to_string().contains('\n')),
        }
    }
});

/// All lines, if `bytes` comes in portions of `size` and then the end.
fn lines(bytes: &[u8], size: usize) -> Vec<Result<String, LineError>> {
    let mut lines = Lines::default();
    let mut all = Vec::new();
    for portion in bytes.chunks(size) {
        lines.input().extend_from_slice(portion);
        all.extend(std::iter::from_fn(|| lines.next_line()));
    }
    lines.end();
    all.extend(std::iter::from_fn(|| lines.next_line()));
    all
}
