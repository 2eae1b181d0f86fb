//! A run as a picture: a lane a process, spans of states in it, marks upon it. What page, trace and terminal draw.

mod lives;
mod tell;

pub(crate) use tell::span;

use host_core::time::{Duration, Instant};
use host_sim::story::{ActorId, Role, Story};
use host_sim::{Class, Violation};

/// Everything that is drawn.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    /// What the head of a report says.
    pub(crate) head: Head,
    pub(crate) lanes: Vec<Lane>,
    /// In the order of time.
    pub(crate) marks: Vec<Mark>,
    pub(crate) faults: Vec<FaultSpan>,
    pub(crate) begin: Instant,
    pub(crate) end: Instant,
}

/// What a report says before it tells anything.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// The package and the test.
    pub(crate) test: String,
    pub(crate) seed: u64,
    pub(crate) hash: u64,
    /// The faults that had begun.
    pub(crate) plan: String,
    /// How fleets stood at the end, in lines.
    pub(crate) state: Vec<String>,
    /// The command that runs it again.
    pub(crate) replay: String,
    /// What was broken; a run that passed broke nothing.
    pub(crate) broken: Option<Violation>,
    /// The hash of the run that failed, if the one that is told is another: it depends on something outside.
    pub(crate) other_hash: Option<u64>,
}

/// A process, and what it was when.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    /// Unlike any other's.
    pub(crate) name: String,
    pub(crate) kind: LaneKind,
    /// What there is to know of the process.
    pub(crate) about: String,
    pub(crate) spans: Vec<Span>,
    /// What was broken speaks of it.
    pub(crate) accused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LaneKind {
    Host,
    Worker,
    Client,
    Other,
}

impl LaneKind {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Worker => "worker",
            Self::Client => "client",
            Self::Other => "other",
        }
    }
}

/// For some time a process was in a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Instant,
    pub(crate) to: Instant,
    pub(crate) state: State,
    /// What it did in it, if that is known: `receive of echo`.
    pub(crate) what: String,
}

impl Span {
    pub(crate) fn length(&self) -> Duration {
        self.to.since(self.from)
    }
}

/// Gives each variant a word and a line of explanation.
macro_rules! worded {
    ($(#[$meta:meta])* $name:ident { $($variant:ident $word:literal $about:literal;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum $name { $($variant),* }

        impl $name {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant),*];

            pub(crate) const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            pub(crate) const fn about(self) -> &'static str {
                match self { $(Self::$variant => $about),* }
            }
        }
    };
}

worded! {
    /// What a process does, as far as one colour can tell.
    State {
        Booting "booting" "it was started and has not said that it can serve";
        Waiting "waiting" "it waits in a call of the framework: alive, whatever the age of its beat";
        Busy "busy" "it runs code of its own";
        Draining "draining" "it was asked to quit and finishes what it has begun";
        Hung "hung" "it computes for ever, by a fault";
        Stopped "stopped" "a signal has stopped it";
        Held "not scheduled" "it could run, and the scheduler passes it over";
        Exiting "exiting" "it has ended, and its status cannot be collected yet";
        Zombie "zombie" "it has ended, and was not reaped";
    }
}

worded! {
    /// What a mark is about; readers can leave out any.
    MarkKind {
        Broken "broken rule" "the moment at which the rule was found broken";
        Fault "faults" "what the plan makes go wrong";
        Life "lives" "births, stops, hangs, ends, reaping";
        Order "verdicts and orders" "what the host decided about workers and itself";
        Look "looks" "the host reads the slots of its workers";
        Notice "notices" "what was told to people, and standard error";
        Signal "signals" "an arrow from who sent it to whom it reached";
        Message "messages" "over the channel between host and worker";
        Beat "beats" "signs of life: a worker's pace, an event loop's place";
        Network "connections" "connections and the bytes on them";
        Call "calls" "system calls that are none of the above, and computing";
        Fact "facts" "what the host was told, other than looks";
    }
}

impl MarkKind {
    /// Whether a reader sees it before asking for it.
    pub(crate) const fn shown_first(self) -> bool {
        !matches!(self, Self::Call | Self::Fact)
    }

    /// Whether it is thinned out where there are too many: the others tell the story.
    pub(crate) const fn is_dense(self) -> bool {
        matches!(self, Self::Beat | Self::Network | Self::Call | Self::Fact | Self::Look | Self::Message)
    }
}

/// Something at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) at: Instant,
    /// In which lane; `None` is the world.
    pub(crate) lane: Option<usize>,
    pub(crate) kind: MarkKind,
    /// In a few words, for a narrow column.
    pub(crate) short: String,
    /// More of it, if there is any.
    pub(crate) long: String,
    /// Where an arrow ends, or whom it concerns.
    pub(crate) to: Option<usize>,
    /// The message that it sends or hears.
    pub(crate) flow: Option<(u32, Flow)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    Begins,
    Ends,
}

/// A fault over its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FaultSpan {
    pub(crate) from: Instant,
    /// The same moment, if it does not last.
    pub(crate) to: Instant,
    pub(crate) class: Class,
    pub(crate) target: Option<usize>,
}

impl Model {
    pub(crate) fn of(story: &Story, head: Head) -> Self {
        let seats = Seats::of(story);
        let detail = head.broken.as_ref().map_or("", |broken| broken.detail.as_str());
        let mut lanes = seats.lanes(story, detail);
        lives::live(story, &seats, &mut lanes);
        let (mut marks, faults) = tell::tell(story, &seats, &lanes);
        let begin = story.events().next().map_or(Instant::ZERO, |told| told.at);
        let end = story.end();
        marks.extend(head.broken.as_ref().map(|broken| Mark {
            at: end,
            lane: None,
            kind: MarkKind::Broken,
            short: format!("{}: {}", broken.id, broken.sentence),
            long: broken.detail.clone(),
            to: lanes.iter().position(|lane| lane.accused),
            flow: None,
        }));
        Self { head, lanes, marks, faults, begin, end }
    }
}

/// Which lane each process has: the host first, then workers by slot, then clients.
pub(crate) struct Seats {
    /// By process.
    lanes: Vec<usize>,
    /// By lane.
    actors: Vec<usize>,
}

impl Seats {
    fn of(story: &Story) -> Self {
        let cast = story.cast();
        let mut actors: Vec<usize> = (0..cast.len()).collect();
        actors.sort_by_key(|index| match &cast[*index].role {
            Role::Host => (LaneKind::Host, "", 0, 0, *index),
            Role::Worker { fleet, slot, incarnation } => {
                (LaneKind::Worker, fleet.as_str(), *slot, *incarnation, *index)
            }
            Role::Client => (LaneKind::Client, "", 0, 0, *index),
            Role::Other => (LaneKind::Other, "", 0, 0, *index),
        });
        let mut lanes = vec![0; cast.len()];
        for (lane, actor) in actors.iter().enumerate() {
            lanes[*actor] = lane;
        }
        Self { lanes, actors }
    }

    pub(crate) fn lane(&self, actor: ActorId) -> usize {
        self.lanes[actor.index()]
    }

    fn lanes(&self, story: &Story, detail: &str) -> Vec<Lane> {
        let cast = story.cast();
        let fleet_of = |role: &Role| match role {
            Role::Worker { fleet, .. } => Some(fleet.clone()),
            Role::Host | Role::Client | Role::Other => None,
        };
        let mut fleets: Vec<String> = cast.iter().filter_map(|actor| fleet_of(&actor.role)).collect();
        fleets.sort();
        fleets.dedup();
        let mut lanes: Vec<Lane> = Vec::new();
        for actor in self.actors.iter().map(|index| &cast[*index]) {
            let (kind, plain, spoken) = match &actor.role {
                Role::Host => (LaneKind::Host, actor.name.clone(), "the host".to_owned()),
                Role::Worker { fleet, slot, incarnation } => {
                    let several = if fleets.len() > 1 { fleet.as_str() } else { "worker" };
                    let spoken = format!("worker {slot} (incarnation {incarnation})");
                    (LaneKind::Worker, format!("{several} {slot}.{incarnation}"), spoken)
                }
                Role::Client => (LaneKind::Client, actor.name.clone(), actor.name.clone()),
                Role::Other => (LaneKind::Other, actor.name.clone(), actor.name.clone()),
            };
            let mut about = match &actor.role {
                Role::Worker { fleet, slot, incarnation } => {
                    format!("incarnation {incarnation} in slot {slot} of the fleet `{fleet}`")
                }
                Role::Host | Role::Client | Role::Other => actor.name.clone(),
            };
            about += &actor.pid.map(|pid| format!(", pid {}", pid.0)).unwrap_or_default();
            about += &actor.ending.as_ref().map(|why| format!(", ended with: {why}")).unwrap_or_default();
            let accused = mentions(detail, &spoken) || mentions(detail, &actor.name);
            let mut name = plain.clone();
            // Several clients of a number, a host that was started again.
            for count in 2.. {
                if lanes.iter().rev().all(|lane| lane.name != name) {
                    break;
                }
                name = format!("{plain} ({count})");
            }
            lanes.push(Lane { name, kind, about, spans: Vec::new(), accused });
        }
        lanes
    }
}

/// Whether `text` has `name` in it, and not only as the beginning of a longer one.
fn mentions(text: &str, name: &str) -> bool {
    let goes_on = |rest: &str| {
        let mut rest = rest.chars();
        match rest.next() {
            Some('.') => rest.next().is_some_and(|next| next.is_ascii_digit()),
            Some(next) => next.is_alphanumeric(),
            None => false,
        }
    };
    text.match_indices(name).any(|(place, _)| !goes_on(&text[place + name.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_not_found_in_a_longer_one() {
        let rows = [
            ("worker 1.1 was killed", "worker 1.1", true),
            ("worker 1.12 was killed", "worker 1.1", false),
            ("killed worker 1.", "worker 1", true),
            ("worker 1.2", "worker 1", false),
            ("`client 3` is waiting", "client 3", true),
            ("the hosts", "the host", false),
            ("", "host", false),
        ];
        for (text, name, expected) in rows {
            assert_eq!(mentions(text, name), expected, "{name} in {text}");
        }
    }
}
