//! What befell a tree of processes, in order of time.

use super::clock::Stopwatch;
use super::words::signal_name;
use rustix::process::Signal;
use std::collections::VecDeque;
use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

/// How many are kept: a tree that forks without end must not fill the memory of the test.
const ENTRIES_MAX: usize = 2000;

/// How many of the first are kept and shown whatever comes: they tell what it was.
const FIRST: usize = 3;

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Born { pid: u32, parent: u32, name: String },
    Died { pid: u32, name: String, how: How },
    Sent { pid: u32, signal: Signal },
    Met { name: String },
    Told { text: String },
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    As(ExitStatus),
    /// Its parent was told, and nobody else.
    Untold,
}

#[derive(Debug)]
pub(super) struct Timeline {
    begun: Stopwatch,
    entries: VecDeque<(Duration, Event)>,
    gone: usize,
}

impl Timeline {
    pub(super) fn new(begun: Stopwatch) -> Self {
        Self { begun, entries: VecDeque::new(), gone: 0 }
    }

    pub(super) fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    pub(super) fn note(&mut self, event: Event) {
        self.note_at(self.now(), event);
    }

    /// Something of which is known only later when it happened.
    pub(super) fn note_at(&mut self, at: Duration, event: Event) {
        let place = self.entries.partition_point(|(known, _)| *known <= at);
        self.entries.insert(place, (at, event));
        while self.entries.len() > ENTRIES_MAX {
            self.entries.remove(FIRST);
            self.gone += 1;
        }
    }

    /// So many lines at most: the first and the last ones.
    pub(super) fn lines(&self, most: usize) -> Vec<String> {
        let line = |(at, event): &(Duration, Event)| format!("{:>9.3} s  {event}", at.as_secs_f64());
        let count = self.entries.len();
        if count <= most && self.gone == 0 {
            return self.entries.iter().map(line).collect();
        }
        let last = most.saturating_sub(FIRST + 1);
        let left_out = count.saturating_sub(FIRST + last) + self.gone;
        let first = self.entries.iter().take(FIRST).map(line);
        let last = self.entries.range(count.saturating_sub(last)..).map(line);
        first.chain([format!("      …      {left_out} more")]).chain(last).collect()
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Born { pid, parent, name } => write!(f, "{pid} `{name}` born, child of {parent}"),
            Self::Died { pid, name, how } => write!(f, "{pid} `{name}` died: {how}"),
            Self::Sent { pid, signal } => {
                write!(f, "{pid} was sent {} by the test", signal_name(signal.as_raw()))
            }
            Self::Met { name } => write!(f, "met: {name}"),
            Self::Told { text } => f.write_str(text),
        }
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::As(status) => write!(f, "{}", End(*status)),
            Self::Untold => f.write_str("its parent knows how"),
        }
    }
}

/// An exit status in words: `exit status 3`, `signal KILL`.
#[derive(Clone, Copy, Debug)]
pub(super) struct End(pub(super) ExitStatus);

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let core = if self.0.core_dumped() { ", with a core" } else { "" };
        match (self.0.code(), self.0.signal()) {
            (Some(code), _) => write!(f, "exit status {code}"),
            (None, Some(signal)) => write!(f, "signal {}{core}", signal_name(signal)),
            (None, None) => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_in_words() {
        let rows = [
            (0, "exit status 0"),
            (3 << 8, "exit status 3"),
            (9, "signal KILL"),
            (6 | 0x80, "signal ABRT, with a core"),
            (34, "signal 34"),
        ];
        for (raw, words) in rows {
            assert_eq!(End(ExitStatus::from_raw(raw)).to_string(), words);
        }
    }

    #[test]
    fn a_long_story_shows_its_beginning_and_its_end() {
        let mut timeline = Timeline::new(Stopwatch::start());
        let tell = |timeline: &mut Timeline, number: u64| {
            timeline.note_at(Duration::from_secs(number), Event::Told { text: number.to_string() });
        };
        // One is known of later than it happened.
        for number in [0, 1, 2, 3, 5, 4, 6, 7, 8, 9] {
            tell(&mut timeline, number);
        }
        let words = |lines: Vec<String>| {
            lines.iter().map(|line| line.rsplit("  ").next().unwrap().trim().to_owned()).collect::<Vec<_>>()
        };
        let all: Vec<_> = (0..10).map(|number| number.to_string()).collect();
        assert_eq!(words(timeline.lines(10)), all);
        assert_eq!(words(timeline.lines(7)), ["0", "1", "2", "4 more", "7", "8", "9"]);
        (10..3000).for_each(|number| tell(&mut timeline, number));
        assert_eq!(timeline.entries.len(), ENTRIES_MAX);
        assert_eq!(words(timeline.lines(7)), ["0", "1", "2", "2994 more", "2997", "2998", "2999"]);
    }
}
