//! What each process was when: its events as spans of states.

use super::{Lane, LaneKind, Seats, Span, State};
use host_core::fleet::beat::Pace;
use host_core::fleet::message::FromWorker;
use host_core::service::kick::Site;
use host_core::time::Instant;
use host_sim::story::{ActorId, Message, Story, Told, What};

/// What is known of a process at a moment. Several things hold at once; one of them is the state.
#[derive(Clone, Debug, Default)]
struct Life {
    since: Instant,
    begun: bool,
    ready: bool,
    busy: bool,
    /// Where an event loop is.
    what: String,
    quits: bool,
    hangs: bool,
    stopped: bool,
    held: u32,
    ended: bool,
    zombie: bool,
}

impl Life {
    /// The one that explains most, first.
    fn state(&self) -> Option<State> {
        let state = match self {
            Self { begun: false, .. } => return None,
            Self { zombie: true, .. } => State::Zombie,
            Self { ended: true, .. } => State::Exiting,
            Self { stopped: true, .. } => State::Stopped,
            Self { held: 1.., .. } => State::Held,
            Self { hangs: true, .. } => State::Hung,
            Self { quits: true, .. } => State::Draining,
            Self { ready: false, .. } => State::Booting,
            Self { busy: true, .. } => State::Busy,
            Self { .. } => State::Waiting,
        };
        Some(state)
    }

    /// Learns from an event of its own.
    fn learn(&mut self, told: &Told<'_>, kind: LaneKind, story: &Story, who: ActorId) {
        match &told.what {
            // A client begins some time after it was made.
            What::Starts => self.begun = kind != LaneKind::Client,
            What::Born { .. } => self.begun = true,
            What::Ends(_) => self.ended = true,
            What::Zombie => self.zombie = true,
            What::Stopped => self.stopped = true,
            What::Continued => self.stopped = false,
            What::Held => self.held += 1,
            What::LetGo => self.held = self.held.saturating_sub(1),
            What::Hangs => self.hangs = true,
            What::QuitAsked => self.quits = true,
            What::Paced(pace) => self.busy = *pace == Pace::Busy,
            What::SendsMessage { message: Message::FromWorker(FromWorker::Ready), .. } => self.ready = true,
            What::Beats(site) => {
                self.ready |= kind != LaneKind::Worker;
                self.busy = *site != Site::Waiting;
                self.what = match site {
                    Site::In(service, callback) => format!("{callback} of {}", story.service(who, *service)),
                    Site::Deciding(fleet) => format!("deciding about {fleet}"),
                    Site::Loop | Site::Waiting => String::new(),
                };
            }
            // What has no event loop is known by its calls.
            What::Waits | What::Works(_) if kind == LaneKind::Client => self.does(false),
            What::Stream { .. } | What::Call | What::Failed if kind == LaneKind::Client => self.does(true),
            What::Call | What::Failed if kind == LaneKind::Other => self.does(true),
            What::Waits
            | What::Works(_)
            | What::Stream { .. }
            | What::Call
            | What::Failed
            | What::Forks { .. }
            | What::Reaps { .. }
            | What::Orphaned
            | What::Sends { .. }
            | What::Signal { .. }
            | What::ReadsSignal(_)
            | What::Kicked { .. }
            | What::Extends { .. }
            | What::Says(_)
            | What::Fact(_)
            | What::Order(_)
            | What::Fault { .. }
            | What::SendsMessage { .. }
            | What::HearsMessage { .. } => {}
        }
    }

    fn does(&mut self, busy: bool) {
        (self.begun, self.ready, self.busy) = (true, true, busy);
    }
}

/// Fills the lanes.
pub(super) fn live(story: &Story, seats: &Seats, lanes: &mut [Lane]) {
    let mut lives = vec![Life::default(); lanes.len()];
    for told in story.events() {
        let Some(who) = told.who else { continue };
        let lane = seats.lane(who);
        let (life, lane) = (&mut lives[lane], &mut lanes[lane]);
        let before = (life.state(), life.what.clone());
        let since = life.since;
        life.learn(&told, lane.kind, story, who);
        if (life.state(), &life.what) != (before.0, &before.1) {
            close(lane, since, told.at, before);
            life.since = told.at;
        }
    }
    for (actor, place) in story.cast().iter().zip(&seats.lanes) {
        let life = &lives[*place];
        // A client is gone when it ends.
        let gone = if life.ended && actor.pid.is_none() { Some(life.since) } else { None };
        let until = actor.gone.or(gone).unwrap_or_else(|| story.end());
        close(&mut lanes[*place], life.since, until, (life.state(), life.what.clone()));
    }
}

fn close(lane: &mut Lane, from: Instant, to: Instant, (state, what): (Option<State>, String)) {
    let Some(state) = state.filter(|_| to > from) else { return };
    let what = if state == State::Busy { what } else { String::new() };
    match lane.spans.last_mut() {
        Some(last) if last.to == from && last.state == state && last.what == what => last.to = to,
        _ => lane.spans.push(Span { from, to, state, what }),
    }
}
