//! What a program says, line by line.

use super::{BOUND, is_ready};
use std::io::Read;
use std::os::fd::AsFd;
use std::time::Duration;

/// The lines of a pipe.
pub(crate) struct Lines<R> {
    name: &'static str,
    pipe: Option<R>,
    bytes: Vec<u8>,
}

impl<R: Read + AsFd> Lines<R> {
    pub(crate) fn new(name: &'static str, pipe: Option<R>) -> Self {
        Self { name, pipe, bytes: Vec::new() }
    }

    /// Waits for a line with these words; those before it are passed over.
    pub(crate) fn until(&mut self, words: &str) -> String {
        self.all_until(words).pop().expect("at least the line with the words")
    }

    /// Waits for a line with these words, and gives it with those before it.
    pub(crate) fn all_until(&mut self, words: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            while let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.bytes.drain(..=end).collect();
                lines.push(String::from_utf8(line).unwrap().trim_end().to_owned());
                if lines.last().is_some_and(|line| line.contains(words)) {
                    return lines;
                }
            }
            assert!(self.read(words), "{} ended without `{words}`, after: {lines:#?}", self.name);
        }
    }

    /// All that comes until the end.
    pub(crate) fn rest(&mut self) -> String {
        while self.read("the end") {}
        String::from_utf8(std::mem::take(&mut self.bytes)).unwrap()
    }

    /// Whether nothing is said for as long as this.
    pub(crate) fn is_silent_for(&self, duration: Duration) -> bool {
        self.bytes.is_empty() && !is_ready(self.pipe.as_ref().expect("it is a pipe"), duration)
    }

    fn read(&mut self, awaited: &str) -> bool {
        let pipe = self.pipe.as_mut().expect("it is a pipe");
        let so_far = self.bytes.escape_ascii();
        assert!(is_ready(&*pipe, BOUND), "waited for `{awaited}` on {}; so far: {so_far}", self.name);
        let mut portion = [0; 4096];
        let count = pipe.read(&mut portion).unwrap();
        self.bytes.extend_from_slice(&portion[..count]);
        count > 0
    }
}
