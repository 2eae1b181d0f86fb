//! Each event in words: as a mark, with a short text for narrow columns and a long one for whoever asks.

use super::{FaultSpan, Flow, Lane, Mark, MarkKind, Seats};
use host_core::action::Action;
use host_core::event::Event;
use host_core::fleet::beat::Pace;
use host_core::fleet::message::{FromHost, FromWorker};
use host_core::id::WorkerId;
use host_core::service::kick::Site;
use host_core::sys::{ExitStatus, Signal, SlotReading};
use host_core::time::{Duration, Instant};
use host_sim::story::{ActorId, Message, Role, Story, Told, What};

/// All marks, and the faults over their time.
pub(super) fn tell(story: &Story, seats: &Seats, lanes: &[Lane]) -> (Vec<Mark>, Vec<FaultSpan>) {
    let teller = Teller { story, seats, lanes };
    let mut faults = Vec::new();
    let mut marks: Vec<Mark> = Vec::new();
    for told in story.events() {
        if let What::Fault { class, begins: true, lasts, target } = told.what {
            let to = (told.at + lasts).min(story.end());
            faults.push(FaultSpan { from: told.at, to, class, target: teller.lane(target) });
        }
        // The order to send and the arrival are one arrow.
        if let What::Signal { from: Some(_), .. } = told.what {
            continue;
        }
        marks.push(teller.mark(&told));
    }
    (marks, faults)
}

struct Teller<'a> {
    story: &'a Story,
    seats: &'a Seats,
    lanes: &'a [Lane],
}

/// What a mark is made of: its kind, its few words, and whom it concerns.
type Telling = (MarkKind, String, Option<ActorId>);

impl Teller<'_> {
    fn lane(&self, actor: Option<ActorId>) -> Option<usize> {
        actor.map(|actor| self.seats.lane(actor))
    }

    /// The name without the word that all workers share: `1.2`.
    fn name(&self, actor: Option<ActorId>) -> String {
        let name = actor.map_or("nobody", |actor| self.lanes[self.seats.lane(actor)].name.as_str());
        name.strip_prefix("worker ").unwrap_or(name).to_owned()
    }

    fn mark(&self, told: &Told<'_>) -> Mark {
        let (kind, short, to) = self.telling(told);
        // The process number, and which of its slot it is.
        let is_birth = matches!(told.what, What::Forks { .. } | What::Born { .. });
        let long = if is_birth { told.words() } else { String::new() };
        let flow = if let What::SendsMessage { number, .. } = told.what {
            Some((number, Flow::Begins))
        } else if let What::HearsMessage { number: Some(number), .. } = told.what {
            Some((number, Flow::Ends))
        } else {
            None
        };
        Mark { at: told.at, lane: self.lane(told.who), kind, short, long, to: self.lane(to), flow }
    }

    fn telling(&self, told: &Told<'_>) -> Telling {
        let words = || told.words();
        match &told.what {
            What::Starts => (MarkKind::Life, "started".to_owned(), None),
            What::Forks { child } => (MarkKind::Life, format!("forks {}", self.name(*child)), *child),
            What::Born { parent } => (MarkKind::Life, "born".to_owned(), *parent),
            What::Ends(status) => {
                let actor = told.who.map(|who| &self.story.cast()[who.index()]);
                let short = match actor.map(|actor| (&actor.role, &actor.ending)) {
                    Some((Role::Client, Some(why))) => format!("gives up: {why}"),
                    Some((Role::Client, None)) if *status == ExitStatus::Code(0) => "ends well".to_owned(),
                    _ => format!("ends: {status}"),
                };
                (MarkKind::Life, short, None)
            }
            What::Zombie => (MarkKind::Life, "zombie".to_owned(), None),
            What::Reaps { child, status } => {
                (MarkKind::Life, format!("reaps {}: {status}", self.name(*child)), *child)
            }
            What::Orphaned => (MarkKind::Life, "its host is gone".to_owned(), None),
            What::Stopped => (MarkKind::Life, "stopped".to_owned(), None),
            What::Continued => (MarkKind::Life, "continued".to_owned(), None),
            What::Held => (MarkKind::Life, "not scheduled".to_owned(), None),
            What::LetGo => (MarkKind::Life, "scheduled again".to_owned(), None),
            What::Hangs => (MarkKind::Life, "hangs from here on".to_owned(), None),
            What::QuitAsked => (MarkKind::Life, "asked to quit".to_owned(), None),
            What::Sends { signal, to } => (MarkKind::Signal, format!("{signal} → {}", self.name(*to)), *to),
            What::Signal { signal, .. } => (MarkKind::Signal, format!("{signal} arrives"), None),
            What::ReadsSignal(signal) => (MarkKind::Signal, format!("reads {signal}"), None),
            What::Kicked { hung } => {
                (MarkKind::Order, format!("kicked: {}", if *hung { "hung" } else { "alive" }), None)
            }
            What::Paced(pace) => {
                (MarkKind::Beat, if *pace == Pace::Busy { "busy" } else { "waits" }.to_owned(), None)
            }
            What::Beats(site) => (MarkKind::Beat, self.site(told.who, *site), None),
            What::Extends { until } => (MarkKind::Beat, format!("may be silent until {until}"), None),
            What::Works(duration) => (MarkKind::Call, format!("computes for {}", span(*duration)), None),
            What::Waits | What::Failed | What::Call => (MarkKind::Call, words(), None),
            What::Says(words) => (MarkKind::Notice, (*words).to_owned(), None),
            What::Fact(event) => fact(told.at, event),
            What::Order(action) => order(action),
            What::Fault { class, begins, lasts, target } => {
                let over = if lasts.is_zero() { String::new() } else { format!(" for {}", span(*lasts)) };
                let whom = target.map(|target| format!(" → {}", self.name(Some(target)))).unwrap_or_default();
                let short =
                    if *begins { format!("{class:?}{whom}{over}") } else { format!("{class:?} ends") };
                (MarkKind::Fault, short, *target)
            }
            What::SendsMessage { to, message, .. } => {
                (MarkKind::Message, format!("{} → {}", spoken(*message), self.name(*to)), *to)
            }
            What::HearsMessage { from, message, .. } => {
                (MarkKind::Message, format!("hears {}: {}", self.name(*from), spoken(*message)), *from)
            }
            What::Stream { conn, bytes } => {
                let on =
                    conn.filter(|_| *bytes > 0).map(|conn| format!(" (conn {conn})")).unwrap_or_default();
                (MarkKind::Network, words() + &on, None)
            }
        }
    }

    fn site(&self, who: Option<ActorId>, site: Site) -> String {
        match site {
            Site::Loop => "in its loop".to_owned(),
            Site::Waiting => "waits".to_owned(),
            Site::Deciding(fleet) => format!("decides about {fleet}"),
            Site::In(service, callback) => {
                let name = who.map_or("", |who| self.story.service(who, service));
                format!("{callback} of {name}")
            }
        }
    }
}

/// A length of time, as people say it.
pub(crate) fn span(duration: Duration) -> String {
    match duration.as_nanos() {
        0 => "0".to_owned(),
        nanos @ ..1_000 => format!("{nanos} ns"),
        nanos @ ..1_000_000 => format!("{} µs", nanos / 1_000),
        nanos @ ..10_000_000_000 => format!("{} ms", nanos / 1_000_000),
        nanos => format!("{} s", nanos / 1_000_000_000),
    }
}

fn spoken(message: Message) -> String {
    match message {
        Message::FromWorker(FromWorker::Ready) => "ready".to_owned(),
        Message::FromWorker(FromWorker::ServedEnough) => "served enough".to_owned(),
        Message::FromWorker(FromWorker::Extended) => "needs more time".to_owned(),
        Message::FromWorker(FromWorker::LeftWaiting) => "left one waiting".to_owned(),
        Message::FromWorker(FromWorker::Leaves) => "leaves its lanes".to_owned(),
        Message::FromWorker(FromWorker::Unconfined(error)) => format!("cannot be confined: {error}"),
        Message::Failed => "its body has failed".to_owned(),
        Message::FromHost(FromHost::Look) => "look".to_owned(),
        Message::FromHost(FromHost::Mind(lanes)) => format!("mind lanes {lanes:?}"),
        Message::Garbled { length } => format!("{length} bytes that are no message"),
    }
}

/// What a look saw: each worker, and how old its beat was.
fn look(at: Instant, readings: &[(WorkerId, SlotReading)]) -> String {
    let each = readings.iter().map(|(worker, reading)| {
        let name = format!("{}.{}", worker.slot, worker.incarnation);
        let until = |until: Instant| if until > at { format!(", may until {until}") } else { String::new() };
        let extended = reading.extended_until.map(until).unwrap_or_default();
        let held = match reading.connections {
            0 => String::new(),
            count => format!(", {count} in hand"),
        };
        let extended = held + &extended;
        match reading.beat {
            None => format!("{name} silent so far{extended}"),
            Some(beat) if beat.pace == Pace::Waiting => format!("{name} waits{extended}"),
            Some(beat) => format!("{name} busy for {}{extended}", span(at.since(beat.at))),
        }
    });
    let each: Vec<_> = each.collect();
    if each.is_empty() { "looks at nobody".to_owned() } else { format!("looks: {}", each.join("; ")) }
}

fn id(worker: WorkerId) -> String {
    format!("{}.{}", worker.slot, worker.incarnation)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "most facts are told as they are written")]
fn fact(at: Instant, event: &Event) -> Telling {
    match event {
        Event::Beats { readings, .. } => (MarkKind::Look, look(at, readings), None),
        Event::SpawnFailed { worker, error } => {
            (MarkKind::Order, format!("cannot fork {}: {error}", id(*worker)), None)
        }
        Event::SignalFailed { worker, signal, errno } => {
            (MarkKind::Order, format!("cannot send {signal} to {}: {errno}", id(*worker)), None)
        }
        other => (MarkKind::Fact, format!("{other:?}"), None),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "most orders are about sockets and callbacks")]
fn order(action: &Action) -> Telling {
    let short = match action {
        Action::SignalWorker { worker, signal: Signal::Kill } => format!("orders: kill {}", id(*worker)),
        Action::SignalWorker { worker, signal } => format!("orders: {signal} to {}", id(*worker)),
        Action::Spawn { worker } => format!("orders: fork {}", id(*worker)),
        Action::Reopen { worker } => format!("orders: {} opens files anew", id(*worker)),
        Action::ReopenFiles => "orders: open files anew".to_owned(),
        Action::KillAll => "orders: kill all".to_owned(),
        Action::Finish(ending) => format!("orders: finish, {ending:?}"),
        Action::EndOnNextSignal => "orders: the next signal ends it".to_owned(),
        other => return (MarkKind::Fact, format!("{other:?}"), None),
    };
    (MarkKind::Order, short, None)
}
