//! What happened in a run: a rolling hash of everything, and the last events for people to read.

use crate::fault::Class;
use crate::kernel::Call;
use crate::story::{Aside, Book};
use host_core::sys::{Errno, ExitStatus, Signal};
use std::collections::VecDeque;
use std::fmt;

/// Who did something: a process by number, or the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Who(pub(crate) u32);

impl Who {
    pub(crate) const WORLD: Self = Self(u32::MAX);
}

/// Names the events that a trace can hold, with the words that introduce their numbers.
macro_rules! kinds {
    ($($name:ident $words:literal;)*) => {
        /// What happened. The two numbers of a record mean what the words say.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub(crate) enum Kind { $($name),* }

        impl Kind {
            const fn words(self) -> &'static str {
                match self { $(Self::$name => $words),* }
            }
        }
    };
}

kinds! {
    Spawn "started {a}";
    Exit "exited with status {a}";
    Signalled "signal {a} sent";
    Killed "ended by signal {a}";
    Kick "kick: last heartbeat {a} ns ago: {b}";
    Stop "stopped";
    Continue "continued";
    Beat "beats at site {a:x}";
    Listen "listen on port {a} backlog {b}";
    Connect "connect to port {a} = conn {b}";
    Accept "accept = conn {a}";
    Read "read on {a:h} = {b}";
    Write "write on {a:h} = {b}";
    Shutdown "shutdown of {a:h}";
    Close "close {a:h}";
    Failed "{a} failed: {b}";
    PollAdd "watch {a:h} for {b}";
    PollModify "watch {a:h} now for {b}";
    PollDelete "watch {a:h} no longer";
    PollWait "poll until {a}: {b} events";
    Wait "wait on {a:h}: {b}";
    SignalRead "signal {a} read";
    Arrive "conn {a}: {b} bytes arrive";
    ArriveFin "conn {a}: end arrives at side {b}";
    ArriveReset "conn {a}: reset arrives at side {b}";
    Syn "conn {a}: connection request, try {b}";
    Established "conn {a} stands";
    Refused "conn {a} is refused";
    Fault "fault {a} {b}";
    Work "computes for {a} ns";
    Content "content hash {a:x}";
    HostEvent "fact {a:x}";
    HostAction "order {a:x}";
    Note "says";
    Fork "forks pid {a} for slot {b}";
    Born "is born as pid {a}, incarnation {b}";
    Zombie "is a zombie";
    Reap "reaps pid {a}: {b}";
    Orphaned "has lost its parent";
    Adopt "adopts pid {a}, a stranger";
    SignalChild "sends {a} to pid {b}";
    ChildNews "hears that pid {a} was {b}";
    QuitAsked "is asked to quit";
    Hang "hangs from here on";
    Hold "is not scheduled";
    LetGo "is scheduled again";
    Channel "channel of {a:h} and {b:h}";
    Ghost "{a:h} was watched, and others hold it: its key goes on being told";
    Claim "claims slot {a} for incarnation {b}";
    Pulse "gives signs of life, {a}";
    Extend "may be silent until {a}";
    Pipe "pipe of {a:h} and {b:h}";
    Print "prints {b} bytes on stream {a}";
    Confined "is confined, user {a} group {b}";
    PidFile "pid file {a:h} is {b}";
}

/// One event, in 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) at: u64,
    pub(crate) who: Who,
    pub(crate) kind: Kind,
    pub(crate) a: u64,
    pub(crate) b: u64,
}

/// The trace of one run.
pub(crate) struct Trace {
    hash: u64,
    count: u64,
    /// The last entries, in a ring.
    ring: Vec<Entry>,
    /// Words that belong to entries, by their number.
    notes: VecDeque<(u64, String)>,
    /// All entries with the hash after each, while somebody wants to compare two runs.
    full: Option<Vec<(u64, Entry)>>,
    /// What a story tells beside the entries; not hashed, and only kept while a run is told.
    book: Option<Box<Book>>,
}

/// Entries kept for people: some screens, so that filtering still leaves forty lines.
const RING: usize = 1024;
/// Notes kept.
const NOTES: usize = 256;

impl Trace {
    pub(crate) fn new(full: bool) -> Self {
        Self {
            hash: 0xcbf2_9ce4_8422_2325,
            count: 0,
            ring: Vec::with_capacity(RING),
            notes: VecDeque::new(),
            full: full.then(Vec::new),
            book: None,
        }
    }

    /// Keeps all that a story tells, from here on.
    pub(crate) fn keep_book(&mut self) {
        self.full.get_or_insert_default();
        self.book = Some(Box::default());
    }

    /// What a story knows of the latest entry beside its numbers.
    pub(crate) fn aside(&mut self, make: impl FnOnce() -> Aside) {
        if let Some(book) = &mut self.book {
            book.asides.push((self.count - 1, make()));
        }
    }

    pub(crate) fn book(&self) -> Option<&Book> {
        self.book.as_deref()
    }

    pub(crate) fn book_mut(&mut self) -> Option<&mut Book> {
        self.book.as_deref_mut()
    }

    /// Words that belong to entries, by their number; all of them, if a book is kept.
    pub(crate) fn notes(&self) -> &VecDeque<(u64, String)> {
        &self.notes
    }

    /// Adds an event.
    pub(crate) fn push(&mut self, at: u64, who: Who, kind: Kind, a: u64, b: u64) {
        let entry = Entry { at, who, kind, a, b };
        for word in [at, u64::from(who.0) << 32 | kind as u64, a, b] {
            self.hash = mix(self.hash, word);
        }
        if let Some(full) = &mut self.full {
            full.push((self.hash, entry));
        }
        let place = self.count as usize % RING;
        if place == self.ring.len() {
            self.ring.push(entry);
        } else {
            self.ring[place] = entry;
        }
        self.count += 1;
    }

    /// Adds an event with words; the words are hashed too.
    pub(crate) fn note(&mut self, at: u64, who: Who, words: String) {
        if self.notes.len() == NOTES && self.book.is_none() {
            self.notes.pop_front();
        }
        let content = hash_bytes(words.as_bytes());
        self.notes.push_back((self.count, words));
        self.push(at, who, Kind::Note, content, 0);
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn full(&self) -> Option<&[(u64, Entry)]> {
        self.full.as_deref()
    }

    /// The last `lines` events, as lines; `name` gives the name of a process.
    pub(crate) fn tail(&self, lines: usize, name: &dyn Fn(Who) -> String) -> Vec<String> {
        let kept = self.ring.len() as u64;
        let first = self.count - kept;
        let mut told = Vec::new();
        for number in (first..self.count).rev() {
            let entry = &self.ring[number as usize % RING];
            if !entry.kind.is_for_people() {
                continue;
            }
            let note = self.notes.iter().find(|(of, _)| *of == number).map(|(_, words)| words.as_str());
            told.push(line(entry, &name(entry.who), note));
            if told.len() == lines {
                break;
            }
        }
        told.reverse();
        told
    }
}

impl Kind {
    /// Some entries only serve the hash.
    const fn is_for_people(self) -> bool {
        !matches!(self, Self::Content | Self::Beat | Self::Pulse | Self::HostEvent | Self::HostAction)
    }
}

/// One line of a timeline.
pub(crate) fn line(entry: &Entry, who: &str, note: Option<&str>) -> String {
    struct Moment(u64);
    impl fmt::Display for Moment {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{:>4}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
        }
    }
    let words = words(entry);
    match note {
        Some(note) => format!("{} {who:<12} {words}: {note}", Moment(entry.at)),
        None => format!("{} {who:<12} {words}", Moment(entry.at)),
    }
}

/// What an entry says, without who and when.
#[expect(clippy::wildcard_enum_match_arm, reason = "the numbers of most entries are told as numbers")]
pub(crate) fn words(entry: &Entry) -> String {
    let signed = |number: u64| (number as i64).to_string();
    let a = match entry.kind {
        Kind::Fault => Class::ALL.get(entry.a as usize).map(|class| format!("{class:?}")),
        Kind::Failed => Call::name(entry.a).map(str::to_owned),
        Kind::Signalled | Kind::Killed | Kind::SignalRead | Kind::SignalChild => {
            Signal::from_number(entry.a as u32).map(|signal| signal.to_string())
        }
        Kind::Pulse => Some(if entry.a == 1 { "busy" } else { "waiting" }.to_owned()),
        _ => None,
    };
    let b = match entry.kind {
        Kind::Failed => Errno::from_raw(entry.b as i32).to_string(),
        Kind::Fault => if entry.b == 1 { "begins" } else { "ends" }.to_owned(),
        Kind::Reap => decode_status(entry.b).to_string(),
        Kind::ChildNews => if entry.b == 1 { "stopped" } else { "continued" }.to_owned(),
        Kind::PidFile => {
            ["opened", "locked", "emptied", "written to", "removed"][entry.b as usize].to_owned()
        }
        Kind::Kick => if entry.b == 1 { "hung" } else { "alive" }.to_owned(),
        _ => signed(entry.b),
    };
    entry
        .kind
        .words()
        .replace("{a:x}", &format!("{:x}", entry.a))
        .replace("{a:h}", &handle(entry.a))
        .replace("{b:h}", &handle(entry.b))
        .replace("{a}", &a.unwrap_or_else(|| signed(entry.a)))
        .replace("{b}", &b)
}

/// A handle as people count descriptors: the seat, and how many had it before.
fn handle(raw: u64) -> String {
    let (seat, generation) = (raw as u32, raw >> 32);
    if generation == 0 { seat.to_string() } else { format!("{seat}.{generation}") }
}

/// A status as one number of an entry.
pub(crate) fn encode_status(status: ExitStatus) -> u64 {
    match status {
        ExitStatus::Code(code) => u64::from(code),
        ExitStatus::Unknown => 1 << 17,
        ExitStatus::Signal { number, core } => 1 << 16 | u64::from(core) << 8 | u64::from(number),
    }
}

/// The status that [`encode_status`] made a number of.
pub(crate) fn decode_status(word: u64) -> ExitStatus {
    let number = word as u8;
    match word >> 16 {
        0 => ExitStatus::Code(number),
        1 => ExitStatus::Signal { number, core: word & 1 << 8 != 0 },
        _ => ExitStatus::Unknown,
    }
}

/// Mixes a word into a hash (FxHash's step, then a rotation against long runs of zeros).
pub(crate) const fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95)
}

/// Hashes bytes, eight at a time.
pub(crate) fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut hash = bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = mix(hash, u64::from_le_bytes(word));
    }
    hash
}

/// A hasher that gives the same number in every build, for events and actions.
pub(crate) struct StableHasher(u64);

impl StableHasher {
    pub(crate) fn of(value: &impl std::hash::Hash) -> u64 {
        use std::hash::Hasher as _;
        let mut hasher = Self(0);
        value.hash(&mut hasher);
        hasher.finish()
    }
}

impl std::hash::Hasher for StableHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = mix(self.0, hash_bytes(bytes));
    }

    fn write_u8(&mut self, number: u8) {
        self.0 = mix(self.0, u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = mix(self.0, u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = mix(self.0, number);
    }

    fn write_usize(&mut self, number: usize) {
        self.0 = mix(self.0, number as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_depends_on_every_field_and_on_the_order() {
        let entries = [
            (1, Who(0), Kind::Read, 3, 4),
            (2, Who(0), Kind::Read, 3, 4),
            (1, Who(1), Kind::Read, 3, 4),
            (1, Who(0), Kind::Write, 3, 4),
            (1, Who(0), Kind::Read, 4, 4),
            (1, Who(0), Kind::Read, 3, 5),
        ];
        let hash_of = |order: &[usize]| {
            let mut trace = Trace::new(false);
            for index in order {
                let (at, who, kind, a, b) = entries[*index];
                trace.push(at, who, kind, a, b);
            }
            trace.hash()
        };
        let single: Vec<_> = (0..entries.len()).map(|index| hash_of(&[index])).collect();
        for (index, hash) in single.iter().enumerate() {
            assert!(!single[..index].contains(hash), "entry {index} hashes like an earlier one");
        }
        assert_ne!(hash_of(&[0, 1]), hash_of(&[1, 0]));
    }

    #[test]
    fn the_tail_is_the_last_events_that_people_read() {
        let mut trace = Trace::new(false);
        for number in 0..3000 {
            trace.push(number, Who(0), Kind::Read, 1, number);
            trace.push(number, Who(0), Kind::Beat, 1, 1);
        }
        trace.note(3000, Who::WORLD, "the end".into());
        let tail = trace.tail(3, &|who| if who == Who::WORLD { "world".into() } else { "host".into() });
        assert_eq!(
            tail,
            [
                "   0.000002998 host         read on 1 = 2998",
                "   0.000002999 host         read on 1 = 2999",
                "   0.000003000 world        says: the end",
            ]
        );
    }
}
