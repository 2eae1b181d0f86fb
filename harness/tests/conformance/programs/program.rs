//! A program: which process makes which call, one after the other; as a text, and at random.

use std::fmt;
use std::str::FromStr;

/// Processes of a program: the first is the parent of the others.
pub(crate) const PROCESSES: u8 = 3;
/// How many calls a program has.
const CALLS_MAX: u64 = 30;

/// Declares what a process may do, with the word for it, and how many handles that may give.
macro_rules! verbs {
    ($($name:ident = $word:literal, $handles:literal, $what:literal;)*) => {
        /// What a process does. Its two figures mean what it says.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Verb {
            $(#[doc = $what] $name,)*
        }

        impl Verb {
            const ALL: &[Self] = &[$(Self::$name),*];

            const fn word(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            const fn handles(self) -> usize {
                match self { $(Self::$name => $handles),* }
            }
        }
    };
}

verbs! {
    Nothing = "nothing", 0, "What is left of a step that was taken out: it gives A handles that are nobody's.";
    Channel = "channel", 2, "A channel.";
    Listen = "listen", 1, "A listener with a backlog of A; its address is the next one.";
    Connect = "connect", 1, "A connection to address A.";
    Accept = "accept", 1, "Accepts from handle A.";
    Read = "read", 0, "Reads up to B bytes of handle A.";
    Write = "write", 0, "Writes B bytes to handle A.";
    Shutdown = "shutdown", 0, "Ends direction B of handle A: reading, writing, both.";
    TakeError = "take-error", 0, "The pending error of handle A.";
    LocalAddress = "local-address", 0, "The address of handle A.";
    PeerAddress = "peer-address", 0, "The address of the peer of handle A.";
    Close = "close", 0, "Closes handle A.";
    PollAdd = "poll-add", 0, "Registers handle A for interest B: nothing, reading, writing, both.";
    PollAddShared = "poll-add-shared", 0, "Registers handle A, a listener, beside others.";
    PollModify = "poll-modify", 0, "Changes the interest in handle A to B.";
    PollDelete = "poll-delete", 0, "Registers handle A no longer.";
    PollLook = "poll-look", 0, "What the poller reports now.";
    Look = "look", 0, "What holds of handle A for interest B now.";
    LookOrQuit = "look-or-quit", 0, "The same, or whether it was asked to quit.";
    Signals = "signals", 1, "Holds set A of signals back, to be read.";
    SignalRead = "signal-read", 0, "Reads a signal of handle A.";
    SignalsEnd = "signals-end", 0, "Set A of signals ends the process from here on.";
    QuitAsked = "quit-asked", 0, "Whether it was asked to quit.";
    QuitHandle = "quit-handle", 1, "The handle that tells it.";
    Count = "count", 0, "Publishes A requests.";
    Exit = "exit", 0, "Ends with status A; not for the first process.";
    Fork = "fork", 1, "The first process makes the next one, which keeps the handles of set A.";
    SignalChild = "signal-child", 0, "The first process sends handle A signal B.";
    Reap = "reap", 0, "The first process asks how handle A has ended.";
    News = "news", 0, "The first process asks for news of its children.";
    SlotClaim = "slot-claim", 0, "The first process empties slot A for incarnation B.";
    SlotRead = "slot-read", 0, "The first process reads slot A of incarnation B.";
}

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Which process makes it.
    pub(crate) by: u8,
    pub(crate) verb: Verb,
    pub(crate) a: u64,
    pub(crate) b: u64,
}

impl Step {
    /// How many places it takes in the table of handles, whether it succeeds or not.
    pub(crate) const fn handles(&self) -> usize {
        if matches!(self.verb, Verb::Nothing) { self.a as usize } else { self.verb.handles() }
    }
}

/// What is run on both kernels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) steps: Vec<Step>,
}

/// `0 write 3 5`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.by, self.verb.word(), self.a, self.b)
    }
}

/// Its steps, with semicolons between them.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<_> = self.steps.iter().map(Step::to_string).collect();
        f.write_str(&steps.join("; "))
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad =
            || format!("`{text}` is no step: wanted is PROCESS VERB FIGURE FIGURE, as in `0 write 3 5`");
        let mut words = text.split_whitespace();
        let mut word = || words.next().ok_or_else(bad);
        let by = word()?.parse().ok().filter(|by| *by < PROCESSES).ok_or_else(bad)?;
        let verb = word()?;
        let verb = Verb::ALL.iter().copied().find(|known| known.word() == verb).ok_or_else(bad)?;
        let mut figure = || word()?.parse().map_err(|_| bad());
        Ok(Self { by, verb, a: figure()?, b: figure()? })
    }
}

impl FromStr for Program {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let steps = text.split(';').map(str::trim).filter(|step| !step.is_empty());
        Ok(Self { steps: steps.map(str::parse).collect::<Result<_, _>>()? })
    }
}

impl Program {
    /// The program of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut writer = Writer {
            dice: Dice(seed),
            forks: 0,
            tables: Default::default(),
            addresses: 0,
            something_sent: false,
        };
        let count = 8 + writer.dice.below(CALLS_MAX - 7);
        // Each has its bent: of some things more, of others none.
        let bent: Vec<_> = Verb::ALL.iter().map(|_| [0, 1, 1, 3][writer.dice.below(4) as usize]).collect();
        let mut steps = Vec::new();
        while (steps.len() as u64) < count {
            let Some(step) = writer.step(&bent) else { continue };
            steps.extend(writer.look_before(&step));
            steps.push(step);
        }
        // Of a look and a read, the read may be one too many.
        steps.truncate(count as usize);
        Self { steps }
    }

    /// The place that step `number` begins at in the table of its process, whether those before it were made or
    /// skipped. A child's table begins as its parent's is when it is born.
    pub(crate) fn place(&self, number: usize) -> usize {
        let by = self.steps[number].by;
        let (mut tables, mut forks) = ([0; PROCESSES as usize], 0);
        for step in &self.steps[..number] {
            if step.verb == Verb::Fork && step.by == 0 && forks + 1 < tables.len() {
                forks += 1;
                tables[forks] = tables[0];
            }
            tables[usize::from(step.by)] += step.handles();
        }
        tables[usize::from(by)]
    }

    /// Without one of its steps. The places that it takes stay; of what is left then, nothing does.
    pub(crate) fn without(&self, place: usize) -> Self {
        let mut steps = self.steps.clone();
        let step = steps.remove(place);
        let last = place == steps.len();
        if step.handles() > 0 && !last && step.verb != Verb::Nothing {
            steps.insert(place, Step { verb: Verb::Nothing, a: step.handles() as u64, b: 0, ..step });
        }
        Self { steps }
    }
}

/// What a handle is, as far as somebody knows who has not run the program.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Channel,
    Listener,
    Connection,
    Signals,
    Child,
    Quit,
    Closed,
}

/// Writes a program that makes sense for the most part.
struct Writer {
    dice: Dice,
    forks: u8,
    tables: [Vec<Kind>; PROCESSES as usize],
    addresses: u64,
    /// Since somebody has last looked before reading.
    something_sent: bool,
}

impl Writer {
    /// The next step, unless what was drawn makes no sense here.
    #[expect(clippy::wildcard_enum_match_arm, reason = "a weight of its own for some")]
    fn step(&mut self, bent: &[u64]) -> Option<Step> {
        use Kind::{Channel, Child, Connection, Listener, Quit, Signals};
        let by = self.dice.below(u64::from(self.forks) + 1) as u8;
        let verb = Verb::ALL[self.dice.below(Verb::ALL.len() as u64) as usize];
        let weight = match verb {
            // Those on which the others build.
            Verb::Connect | Verb::Accept | Verb::Fork | Verb::SignalChild | Verb::Read | Verb::Write => 3,
            Verb::Look | Verb::PollLook | Verb::SignalRead | Verb::PollAdd | Verb::Close => 2,
            Verb::Exit | Verb::QuitHandle | Verb::SignalsEnd => 0,
            _ => 1,
        };
        if self.dice.below(8) > weight + bent[verb as usize] {
            return None;
        }
        let mut step = Step { by, verb, a: 0, b: 0 };
        let streams: &[Kind] = &[Channel, Connection];
        let files: &[Kind] = &[Channel, Connection, Listener, Signals, Child, Quit];
        match verb {
            Verb::Channel => self.gives(by, &[Channel, Channel]),
            Verb::Listen => {
                step.a = self.dice.below(3);
                self.addresses += 1;
                self.gives(by, &[Listener]);
            }
            Verb::Connect => {
                step.a = self.dice.below(self.addresses.max(1));
                (self.addresses > 0).then(|| self.gives(by, &[Connection]))?;
            }
            Verb::Accept => {
                step.a = self.pick(by, &[Listener])?;
                self.gives(by, &[Connection]);
            }
            Verb::Read => (step.a, step.b) = (self.pick(by, streams)?, self.one_of(&[0, 1, 4, 512])),
            Verb::Write => (step.a, step.b) = (self.pick(by, streams)?, self.one_of(&[0, 1, 5, 300])),
            Verb::Shutdown => {
                (step.a, step.b) = (self.pick(by, streams)?, self.dice.below(3));
                // The end of reading makes a listener none any more, which nobody does and the model does not know.
                if self.tables[by as usize][step.a as usize] == Listener {
                    step.b = 1;
                }
            }
            Verb::TakeError => step.a = self.pick(by, streams)?,
            Verb::LocalAddress => step.a = self.pick(by, &[Connection, Listener])?,
            Verb::PeerAddress => step.a = self.pick(by, &[Connection])?,
            Verb::Close => {
                // Whether a child can be reaped yet is told by its handle only.
                step.a = self.pick_only(by, &files[..4])?;
                self.tables[by as usize][step.a as usize] = Kind::Closed;
            }
            Verb::PollAdd | Verb::PollModify => {
                (step.a, step.b) = (self.pick(by, files)?, self.one_of(&[0, 1, 1, 1, 2, 3]));
            }
            // Of anything but a listener nothing is promised.
            Verb::PollAddShared => step.a = self.pick_only(by, &[Listener])?,
            Verb::PollDelete => step.a = self.pick(by, files)?,
            Verb::Look | Verb::LookOrQuit => {
                (step.a, step.b) = (self.pick(by, files)?, self.one_of(&[1, 1, 2, 3]));
            }
            Verb::Signals => {
                step.a = self.dice.below(SETS.len() as u64);
                self.gives(by, &[Signals]);
            }
            // Of the last set two would stop it.
            Verb::SignalsEnd => step.a = self.dice.below(SETS.len() as u64 - 1),
            // Nor of what is no such handle.
            Verb::SignalRead => step.a = self.pick_only(by, &[Signals])?,
            Verb::QuitHandle => self.gives(by, &[Quit]),
            Verb::Count => step.a = self.dice.below(1000),
            Verb::Exit => (step.a, _) = (self.dice.below(256), (by > 0).then_some(())?),
            Verb::PollLook | Verb::QuitAsked => {}
            Verb::Nothing => return None,
            Verb::Fork => {
                (self.forks + 1 < PROCESSES).then_some(())?;
                step.by = 0;
                let table = self.tables[0].clone();
                for (place, kind) in table.iter().enumerate() {
                    let wanted = *kind != Kind::Closed && *kind != Child && *kind != Quit;
                    step.a |= u64::from(wanted && self.dice.below(4) > 0) << place.min(63);
                }
                self.gives(0, &[Child]);
                self.forks += 1;
                self.tables[self.forks as usize] = table;
            }
            Verb::SignalChild => {
                let signals = [15, 2, 3, 9, 19, 18, 18, 10, 1, 12, 28, 17, 21, 14];
                (step.by, step.a, step.b) = (0, self.pick(0, &[Child])?, self.one_of(&signals));
            }
            Verb::Reap => (step.by, step.a) = (0, self.pick(0, &[Child])?),
            Verb::News => step.by = 0,
            Verb::SlotClaim | Verb::SlotRead => {
                (step.by, step.a, step.b) = (0, self.dice.below(3), self.one_of(&[1, 1, 1, 2]));
            }
        }
        Some(step)
    }

    /// Often, a look at what is then read, if something was sent or ended before: whether it has come is then seen,
    /// and what a machine in haste would make of it is no longer an excuse.
    fn look_before(&mut self, step: &Step) -> Option<Step> {
        self.something_sent |= matches!(step.verb, Verb::Write | Verb::Close | Verb::Shutdown);
        let looks = step.verb == Verb::Read && self.something_sent && self.dice.below(3) > 0;
        self.something_sent &= !looks;
        looks.then(|| Step { verb: Verb::Look, b: self.one_of(&[1, 2, 3]), ..*step })
    }

    fn gives(&mut self, by: u8, kinds: &[Kind]) {
        self.tables[by as usize].extend(kinds);
    }

    /// A handle of one of `kinds`; now and then any.
    fn pick(&mut self, by: u8, kinds: &[Kind]) -> Option<u64> {
        if self.dice.below(12) > 0 {
            return self.pick_only(by, kinds);
        }
        let length = self.tables[by as usize].len() as u64;
        (length > 0).then(|| self.dice.below(length))
    }

    fn pick_only(&mut self, by: u8, kinds: &[Kind]) -> Option<u64> {
        let table = &self.tables[by as usize];
        let places: Vec<_> = (0..table.len()).filter(|place| kinds.contains(&table[*place])).collect();
        (!places.is_empty()).then(|| places[self.dice.below(places.len() as u64) as usize] as u64)
    }

    fn one_of(&mut self, figures: &[u64]) -> u64 {
        figures[self.dice.below(figures.len() as u64) as usize]
    }
}

/// Sets of signals, by their numbers.
pub(crate) const SETS: &[&[u32]] = &[&[15], &[10, 12], &[17], &[2, 15, 1], &[3], &[28, 21, 22]];

/// Numbers that a seed decides (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % n
    }
}
