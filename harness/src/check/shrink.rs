//! A failure, made small: what is left of faults, clients and decisions when all that it does not need is
//! taken out.

use host_sim::{Script, Stream};
use std::collections::BTreeSet;
use std::fmt;

/// A run that fails for the same cause.
#[derive(Clone, Debug)]
pub(super) struct Failing {
    /// As it ran: what was never asked for is not in it.
    pub(super) script: Script,
    /// How many clients each call asked for.
    pub(super) client_calls: Vec<u32>,
    /// When it failed, in nanoseconds.
    pub(super) at: u64,
}

/// How large a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Faults that are planned.
    pub faults: usize,
    /// Clients that come.
    pub clients: usize,
    /// Answers that are not boring.
    pub choices: usize,
}

impl Size {
    fn of(failing: &Failing) -> Self {
        let Failing { script, client_calls, .. } = failing;
        let called: u32 = client_calls.iter().sum();
        Self {
            faults: script.faults.len(),
            clients: (called as usize).saturating_sub(script.absent.len()),
            choices: script.decisions().count(),
        }
    }

    /// All of it: what a person has to look at.
    pub const fn events(&self) -> usize {
        self.faults + self.clients + self.choices
    }
}

/// `2 faults, 1 client and 0 choices`.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { faults, clients, choices } = self;
        let many = |count: &usize| if *count == 1 { "" } else { "s" };
        write!(f, "{faults} fault{}, {clients} client{} ", many(faults), many(clients))?;
        write!(f, "and {choices} choice{}", many(choices))
    }
}

/// What became of a failure.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest run that fails for the same cause.
    pub script: Script,
    /// How large it was.
    pub before: Size,
    /// How large it is.
    pub after: Size,
    /// How many runs that took.
    pub runs: u64,
    /// Nothing more can be taken out; otherwise the budget was used up.
    pub is_minimal: bool,
}

/// Shrinks `found`. `attempt` runs a script, and answers it as it ran if it fails for the same cause; `left`
/// says whether another run is in the budget.
pub(super) fn shrink(
    found: Failing,
    attempt: &mut dyn FnMut(&Script) -> Option<Failing>,
    left: &mut dyn FnMut() -> bool,
) -> Shrunk {
    let before = Size::of(&found);
    let mut shrinker = Shrinker { best: found, attempt, left, runs: 0, fails_anyway: false };
    let is_minimal = shrinker.shrink();
    let Shrinker { best, runs, .. } = shrinker;
    Shrunk { before, after: Size::of(&best), script: best.script, runs, is_minimal }
}

/// In this order: who interleaves how is the hardest to understand.
const STREAMS: [Stream; 9] = [
    Stream::Schedule,
    Stream::Wake,
    Stream::News,
    Stream::Net,
    Stream::Call,
    Stream::User,
    Stream::Operator,
    Stream::Fate,
    Stream::Workload,
];

struct Shrinker<'a> {
    best: Failing,
    attempt: &'a mut dyn FnMut(&Script) -> Option<Failing>,
    left: &'a mut dyn FnMut() -> bool,
    runs: u64,
    /// The boring world with all its clients fails as well.
    fails_anyway: bool,
}

impl Shrinker<'_> {
    /// Whether nothing more can be taken out.
    fn shrink(&mut self) -> bool {
        self.fails_anyway = self.run(&Script::default()).is_some();
        self.cut_the_tail();
        self.blank();
        loop {
            let before = self.best.script.clone();
            self.fewer_faults();
            self.fewer_clients();
            self.fewer_choices();
            self.rounder();
            if self.best.script == before {
                return (self.left)();
            }
        }
    }

    fn run(&mut self, script: &Script) -> Option<Failing> {
        if !(self.left)() {
            return None;
        }
        self.runs += 1;
        (self.attempt)(script)
    }

    /// Takes `script` if it fails for the same cause.
    fn accept(&mut self, mut script: Script) -> bool {
        script.trim();
        if script == self.best.script {
            return true;
        }
        let Some(failing) = self.run(&script) else { return false };
        // A test that counts its clients fails when they do not come, which is no finding.
        let fewer = script.absent.len() > self.best.script.absent.len();
        if fewer && !self.fails_anyway {
            let control = Script { absent: script.absent, ..Script::default() };
            if self.run(&control).is_some() || !(self.left)() {
                return false;
            }
        }
        self.best = failing;
        true
    }

    /// Faults that come after the failure have no part in it.
    fn cut_the_tail(&mut self) {
        let at = self.best.at;
        let mut script = self.best.script.clone();
        script.faults.retain(|fault| fault.at <= at);
        self.accept(script);
    }

    /// No choices at all, or those of one stream alone: most failures need no more.
    fn blank(&mut self) {
        let all = self.best.script.clone();
        let mut script = all.clone();
        script.answers.clear();
        if self.accept(script) {
            return;
        }
        for only in STREAMS {
            let mut script = all.clone();
            script.answers.retain(|(stream, _), _| *stream == only);
            if script.answers.len() < all.answers.len() && self.accept(script) {
                return;
            }
        }
    }

    fn fewer_faults(&mut self) {
        let all = self.best.script.faults.clone();
        self.fewer(all, |script, kept| script.faults = kept.to_vec());
    }

    fn fewer_clients(&mut self) {
        let mut all = Vec::new();
        for (call, count) in self.best.client_calls.iter().enumerate() {
            all.extend((0..*count).map(|number| (call as u32, number)));
        }
        let everybody: BTreeSet<_> = all.iter().copied().collect();
        all.retain(|client| !self.best.script.absent.contains(client));
        self.fewer(all, |script, kept| {
            script.absent = everybody.iter().filter(|client| !kept.contains(client)).copied().collect();
        });
    }

    fn fewer_choices(&mut self) {
        if self.best.script.schedules {
            let script = Script { schedules: false, ..self.best.script.clone() };
            self.accept(script);
        }
        for stream in STREAMS {
            let of_stream = |((of, _), _): &((Stream, u32), usize)| *of == stream;
            let all: Vec<_> = self.best.script.decisions().filter(of_stream).collect();
            let picked = self.best.script.answers.clone();
            self.fewer(all, |script, kept| {
                script.answers.retain(|(of, _), _| *of != stream);
                for (of, place) in kept {
                    let answers = script.answers.entry(*of).or_default();
                    answers.resize(answers.len().max(place + 1), 0);
                    answers[*place] = picked[of][*place];
                }
            });
        }
    }

    /// Takes out of `all` what is not needed, in blocks that become smaller (delta debugging: Zeller 2002).
    /// `put` makes a script have only these.
    fn fewer<T: Clone>(&mut self, all: Vec<T>, put: impl Fn(&mut Script, &[T])) {
        let with = |shrinker: &mut Self, kept: &[T]| {
            let mut script = shrinker.best.script.clone();
            put(&mut script, kept);
            shrinker.accept(script)
        };
        if all.is_empty() || with(self, &[]) {
            return;
        }
        let mut kept = all;
        let mut block = kept.len().div_ceil(2);
        loop {
            let (mut start, mut taken) = (0, false);
            while start < kept.len() {
                if !(self.left)() {
                    return;
                }
                let end = kept.len().min(start + block);
                let rest: Vec<_> = kept[..start].iter().chain(&kept[end..]).cloned().collect();
                if !rest.is_empty() && with(self, &rest) {
                    (kept, taken) = (rest, true);
                } else {
                    start = end;
                }
            }
            if block == 1 && !taken {
                return;
            }
            block = (block / 2).max(1);
        }
    }

    /// Times that a person can remember, and small answers.
    fn rounder(&mut self) {
        for place in 0..self.best.script.faults.len() {
            self.round_time(place);
            self.round_target(place);
        }
        let all: Vec<_> = self.best.script.decisions().collect();
        for (of, place) in all {
            // It may have gone with another one.
            let Some(&picked) = self.best.script.answers.get(&of).and_then(|answers| answers.get(place))
            else {
                continue;
            };
            let smaller = [1, picked / 100 * 100, picked / 10 * 10, picked / 2];
            for picked in smaller.into_iter().filter(|smaller| (1..picked).contains(smaller)) {
                let mut script = self.best.script.clone();
                if let Some(answers) = script.answers.get_mut(&of) {
                    answers[place] = picked;
                }
                if self.accept(script) {
                    break;
                }
            }
        }
    }

    fn round_time(&mut self, place: usize) {
        let Some(fault) = self.best.script.faults.get(place).copied() else { return };
        let coarse = |at: u64| UNITS.into_iter().find(|unit| at.is_multiple_of(*unit)).unwrap_or(1);
        for unit in UNITS {
            if unit <= coarse(fault.at) {
                break;
            }
            let down = fault.at / unit * unit;
            if down > 0 && self.accept_fault(place, host_sim::Fault { at: down, ..fault })
                || self.accept_fault(place, host_sim::Fault { at: down + unit, ..fault })
            {
                break;
            }
        }
        let Some(fault) = self.best.script.faults.get(place).copied() else { return };
        for lasts in LASTS.into_iter().filter(|lasts| *lasts < fault.lasts) {
            if self.accept_fault(place, host_sim::Fault { lasts, ..fault }) {
                break;
            }
        }
    }

    fn round_target(&mut self, place: usize) {
        let Some(fault) = self.best.script.faults.get(place).copied() else { return };
        // Low bits say who, the highest ones how.
        let targets = [0, 1, 2, 3, 1 << 15, 3 << 14];
        for target in targets.into_iter().filter(|target| *target < fault.target) {
            if self.accept_fault(place, host_sim::Fault { target, ..fault }) {
                break;
            }
        }
    }

    fn accept_fault(&mut self, place: usize, fault: host_sim::Fault) -> bool {
        let mut script = self.best.script.clone();
        let Some(seat) = script.faults.get_mut(place) else { return false };
        *seat = fault;
        self.accept(script)
    }
}

const MILLISECOND: u64 = 1_000_000;
/// Moments are rounded to the first of these that does.
const UNITS: [u64; 5] =
    [10_000 * MILLISECOND, 1000 * MILLISECOND, 100 * MILLISECOND, 10 * MILLISECOND, MILLISECOND];
/// How long a fault may last: the shortest that does.
const LASTS: [u64; 5] =
    [MILLISECOND, 10 * MILLISECOND, 100 * MILLISECOND, 1000 * MILLISECOND, 5000 * MILLISECOND];

#[cfg(test)]
mod tests {
    use super::*;

    /// Shrinks what `fails` says, over scripts alone; a client call of four.
    fn shrunk(text: &str, runs_max: u64, fails: impl Fn(&Script) -> bool) -> Shrunk {
        let failing =
            |script: &Script| Failing { script: script.clone(), client_calls: vec![4], at: u64::MAX };
        let found = failing(&text.parse().unwrap());
        let mut attempt = |script: &Script| fails(script).then(|| failing(script));
        let mut runs = 0;
        let mut left = || {
            runs += 1;
            runs <= runs_max
        };
        shrink(found, &mut attempt, &mut left)
    }

    const RUN: &str = "fault Reset at 1234567891ns for 0s target 777\n\
                       fault ShortIo at 2700ms for 20s target 40000\n\
                       fault Kick at 5s for 0s target 1\n\
                       schedule 1: 3 4 0 5\n\
                       net 0: 0 7 1\n\
                       net 9: 2*40\n\
                       workload 2: 999\n";

    #[test]
    fn what_is_not_needed_is_taken_out_and_the_rest_is_round() {
        let has = |script: &Script| {
            let short = script.faults.iter().any(|fault| fault.class == host_sim::Class::ShortIo);
            let net = script.answers.get(&(Stream::Net, 9)).and_then(|answers| answers.get(30));
            short && net.is_some_and(|picked| *picked > 1) && !script.absent.contains(&(0, 2))
        };
        let shrunk = shrunk(RUN, 10_000, has);
        let expected = "fault ShortIo at 10s for 1ms target 0\n\
                        absent 0 0\nabsent 0 1\nabsent 0 3\n\
                        net 9: 0*30 2\n";
        assert_eq!(shrunk.script.to_string(), expected);
        assert!(shrunk.is_minimal && shrunk.runs < 200, "{} runs", shrunk.runs);
        assert_eq!(shrunk.before, Size { faults: 3, clients: 4, choices: 46 });
        assert_eq!(shrunk.after.to_string(), "1 fault, 1 client and 1 choice");
    }

    #[test]
    fn two_that_need_each_other_stay() {
        let class = |script: &Script, class| script.faults.iter().any(|fault| fault.class == class);
        let both =
            |script: &Script| class(script, host_sim::Class::Reset) && class(script, host_sim::Class::Kick);
        let shrunk = shrunk(RUN, 10_000, both);
        assert_eq!(shrunk.after, Size { faults: 2, clients: 0, choices: 0 });
    }

    #[test]
    fn a_failure_by_absence_alone_is_no_smaller_one() {
        // As a test that counts its clients, and one real fault.
        let fails = |script: &Script| script.absent.len() > 1 || !script.faults.is_empty();
        let shrunk = shrunk(RUN, 10_000, fails);
        assert!(shrunk.script.absent.len() <= 1, "{}", shrunk.script);
        assert_eq!(shrunk.after.faults, 1);
    }

    #[test]
    fn what_always_fails_needs_nothing() {
        assert_eq!(shrunk(RUN, 10_000, |_| true).after.events(), 0);
    }

    #[test]
    fn a_budget_ends_it_with_the_best_so_far() {
        let last = |script: &Script| script.faults.iter().any(|fault| fault.class == host_sim::Class::Kick);
        let shrunk = shrunk(RUN, 3, last);
        assert!(!shrunk.is_minimal);
        assert!(last(&shrunk.script) && shrunk.runs <= 3, "{} runs", shrunk.runs);
    }
}
