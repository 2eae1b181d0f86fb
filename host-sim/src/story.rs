//! The story of a run: who took part and all that happened, event by event, for reports and tools.
//!
//! A run is the same whether it is told or not; so one that failed is run again
//! [with a story](crate::Sim::with_story).
//!
//! ```
//! use host_core::{App, Connected, Context, Ready, Result, Service};
//! use host_sim::story::{Role, What};
//! use host_sim::{Choices, Pool, Sim};
//! use std::time::Duration;
//!
//! struct Idle;
//! impl Service for Idle {
//!     fn connect(&mut self, _: &mut Context<'_>) -> Result<Connected> { Ok(Connected::NotYet) }
//!     fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result { Ok(()) }
//! }
//!
//! let mut sim = Sim::with_story(Choices::seeded(7), &Pool::default());
//! sim.host(|| App::new("idle").service(Idle));
//! sim.run_for(Duration::from_secs(1));
//! let story = sim.story().unwrap();
//! assert_eq!(story.cast()[0].role, Role::Host);
//! assert!(story.events().any(|told| matches!(told.what, What::Beats(_))));
//! ```

mod aside;
mod peers;

pub(crate) use aside::{Aside, Book};

use crate::fault::Class;
use crate::kernel::Kernel;
use crate::trace::{Entry, Kind, Who, decode_status, words};
use host_core::action::Action;
use host_core::event::Event;
use host_core::fleet::beat::Pace;
use host_core::fleet::message::{FromHost, FromWorker};
use host_core::fleet::reason;
use host_core::service::kick::Site;
use host_core::sys::{ExitStatus, Pid, Signal};
use host_core::time::{Duration, Instant};
use peers::Peers;
use std::collections::BTreeMap;

/// A process of the story: its place in [`Story::cast`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorId(u32);

impl ActorId {
    /// The place in the cast, from 0.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a process is in the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It runs the application; one that was started again is another process.
    Host,
    /// A worker of a host.
    Worker {
        /// What its fleet is called.
        fleet: String,
        /// Where it sits.
        slot: u32,
        /// The how manyeth to sit there, from 1.
        incarnation: u32,
    },
    /// A simulated client.
    Client,
    /// Something else, such as a stranger that the host was given.
    Other,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// What it is called in a timeline: `host`, `worker 1.2`, `client 0`. Clients of several kinds, and hosts
    /// that were started again, share a name.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Its number, if it was forked.
    pub pid: Option<Pid>,
    /// Why a client ended early.
    pub ending: Option<String>,
    /// When nothing was left of it: reaped, or forgotten by everybody. Clients have no number, and are gone
    /// when they end.
    pub gone: Option<Instant>,
}

/// One event of the story.
#[derive(Clone, Debug, PartialEq)]
pub struct Told<'a> {
    /// When.
    pub at: Instant,
    /// Who did it, or to whom it happened; `None` is the world: the network, a fault.
    pub who: Option<ActorId>,
    /// What.
    pub what: What<'a>,
    entry: &'a Entry,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum What<'a> {
    /// The machine starts it; its first step may be later.
    Starts,
    /// It forks.
    Forks {
        /// Its child.
        child: Option<ActorId>,
    },
    /// It was forked.
    Born {
        /// By whom.
        parent: Option<ActorId>,
    },
    /// It has ended: its status is fixed.
    Ends(ExitStatus),
    /// Its status can be collected.
    Zombie,
    /// It collects the status of a child.
    Reaps {
        /// Which.
        child: Option<ActorId>,
        /// How it had ended.
        status: ExitStatus,
    },
    /// Its parent has ended.
    Orphaned,
    /// It sends a child a signal.
    Sends {
        /// Which.
        signal: Signal,
        /// To whom.
        to: Option<ActorId>,
    },
    /// A signal reaches it.
    Signal {
        /// Which.
        signal: Signal,
        /// Who sent it; `None` is the kernel, an operator, or a fault.
        from: Option<ActorId>,
    },
    /// It reads a signal that it had held back.
    ReadsSignal(Signal),
    /// It was kicked, and judged by its heartbeat.
    Kicked {
        /// The verdict.
        hung: bool,
    },
    /// By a signal.
    Stopped,
    /// By a signal.
    Continued,
    /// The scheduler passes it over from here on.
    Held,
    /// It is scheduled again.
    LetGo,
    /// It computes for ever from here on, by a fault.
    Hangs,
    /// It was asked to quit.
    QuitAsked,
    /// As a worker, it says that it does something else from here on.
    Paced(Pace),
    /// As an event loop, it gives a sign of life here.
    Beats(Site),
    /// It asked for time.
    Extends {
        /// Until when it may be silent.
        until: Instant,
    },
    /// It computes, or pauses, for so long.
    Works(Duration),
    /// It waits for a socket.
    Waits,
    /// It tells people something.
    Says(&'a str),
    /// As a host, it was told a fact.
    Fact(&'a Event),
    /// As a host, it gave an order.
    Order(&'a Action),
    /// A fault begins or ends.
    Fault {
        /// Which.
        class: Class,
        /// Whether it begins.
        begins: bool,
        /// How long it lasts, or whom it strikes is out of action; zero for what happens at a moment.
        lasts: Duration,
        /// Whom it strikes, if it is a process.
        target: Option<ActorId>,
    },
    /// It sends a message over its channel.
    SendsMessage {
        /// Its number in the run; whoever hears it has the same.
        number: u32,
        /// To whom.
        to: Option<ActorId>,
        /// What.
        message: Message,
    },
    /// It reads a message.
    HearsMessage {
        /// Its number in the run.
        number: Option<u32>,
        /// Who sent it.
        from: Option<ActorId>,
        /// What.
        message: Message,
    },
    /// Something of a connection.
    Stream {
        /// Which connection, if that is known.
        conn: Option<u32>,
        /// How many bytes moved.
        bytes: u64,
    },
    /// A system call failed.
    Failed,
    /// Any other system call.
    Call,
}

/// A message between host and worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// From a worker.
    FromWorker(FromWorker),
    /// A worker's body has failed.
    Failed,
    /// From a host.
    FromHost(FromHost),
    /// It is none.
    Garbled {
        /// How many bytes there were.
        length: usize,
    },
}

/// Everything that happened in a run up to some moment.
#[derive(Clone, Debug)]
pub struct Story {
    cast: Vec<Actor>,
    entries: Vec<Entry>,
    notes: BTreeMap<u64, String>,
    book: Book,
    peers: Peers,
    now: Instant,
}

impl Story {
    pub(crate) fn of(kernel: &Kernel) -> Option<Self> {
        let (book, full) = (kernel.trace.book()?.clone(), kernel.trace.full()?);
        let entries: Vec<Entry> = full.iter().map(|(_, entry)| *entry).collect();
        let mut cast: Vec<Actor> = (0..)
            .zip(&kernel.processes)
            .map(|(index, process)| {
                let role = match (&process.seat, process.name.as_str()) {
                    (Some(seat), name) if name.starts_with("worker ") => {
                        Role::Worker { fleet: String::new(), slot: seat.slot, incarnation: seat.incarnation }
                    }
                    (None, "host") => Role::Host,
                    (None, name) if name.starts_with("client ") => Role::Client,
                    _ => Role::Other,
                };
                let (ending, gone) = (book.endings.get(&index).cloned(), book.gone.get(&index));
                let gone = gone.copied().map(Instant::from_nanos);
                Actor { name: process.name.clone(), role, pid: None, ending, gone }
            })
            .collect();
        for (entry, aside) in book.asides.iter().map(|(number, aside)| (&entries[*number as usize], aside)) {
            let Aside::Title(title) = aside else { continue };
            let actor = &mut cast[entry.who.0 as usize];
            actor.pid = Some(Pid(entry.a as u32));
            if let Role::Worker { fleet, .. } = &mut actor.role {
                title.split(": worker").next().unwrap_or_default().clone_into(fleet);
            }
        }
        let notes = kernel.trace.notes().iter().cloned().collect();
        let peers = Peers::of(&entries, &book);
        Some(Self { cast, entries, notes, book, peers, now: Instant::from_nanos(kernel.now) })
    }

    /// Every process that ever was, in the order of their beginnings.
    pub fn cast(&self) -> &[Actor] {
        &self.cast
    }

    /// The moment at which the story ends.
    pub fn end(&self) -> Instant {
        self.now
    }

    /// What a service of a process is called; empty if it has told no name.
    pub fn service(&self, of: ActorId, service: host_core::id::ServiceId) -> &str {
        self.book.services.get(&(of.0, service.number())).map_or("", String::as_str)
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing has happened.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Every event, in order. Entries that only serve the hash are left out.
    pub fn events(&self) -> impl Iterator<Item = Told<'_>> {
        let told = (0..).zip(&self.entries).filter(|(_, entry)| entry.kind != Kind::Content);
        told.map(|(number, entry)| Told {
            at: Instant::from_nanos(entry.at),
            who: actor(entry.who),
            what: self.what(number, entry),
            entry,
        })
    }

    fn what(&self, number: u64, entry: &Entry) -> What<'_> {
        let asides = self.book.of(number);
        let peer = self.peers.of_entry(number);
        let signal = || Signal::from_number(entry.a as u32).unwrap_or(Signal::Kill);
        match entry.kind {
            Kind::Spawn => What::Starts,
            Kind::Exit => What::Ends(ExitStatus::Code(entry.a as u8)),
            Kind::Killed => What::Ends(ExitStatus::Signal { number: entry.a as u8, core: entry.b == 1 }),
            Kind::Signalled => What::Signal { signal: signal(), from: peer },
            Kind::Kick => What::Kicked { hung: entry.b == 1 },
            Kind::Stop => What::Stopped,
            Kind::Continue => What::Continued,
            Kind::Beat => What::Beats(Site::unpack(entry.a)),
            Kind::Read | Kind::Write => self.transfer(number, entry, asides),
            Kind::Connect => What::Stream { conn: Some(entry.b as u32), bytes: 0 },
            Kind::Accept
            | Kind::ArriveFin
            | Kind::ArriveReset
            | Kind::Syn
            | Kind::Established
            | Kind::Refused => What::Stream { conn: Some(entry.a as u32), bytes: 0 },
            Kind::Arrive => What::Stream { conn: Some(entry.a as u32), bytes: entry.b },
            Kind::Shutdown => What::Stream { conn: stream(asides), bytes: 0 },
            Kind::Failed => What::Failed,
            Kind::Wait => What::Waits,
            Kind::SignalRead => What::ReadsSignal(signal()),
            Kind::Fault => fault(entry, asides, peer),
            Kind::Work => What::Works(Duration::from_nanos(entry.a)),
            Kind::HostEvent => match asides {
                [(_, Aside::Fact(event)), ..] => What::Fact(event),
                _ => What::Call,
            },
            Kind::HostAction => match asides {
                [(_, Aside::Order(action)), ..] => What::Order(action),
                _ => What::Call,
            },
            Kind::Note => What::Says(self.notes.get(&number).map_or("", String::as_str)),
            Kind::Fork => What::Forks { child: peer },
            Kind::Born => What::Born { parent: peer },
            Kind::Zombie => What::Zombie,
            Kind::Reap => What::Reaps { child: peer, status: decode_status(entry.b) },
            Kind::Orphaned => What::Orphaned,
            Kind::SignalChild => What::Sends { signal: signal(), to: peer },
            Kind::QuitAsked => What::QuitAsked,
            Kind::Hang => What::Hangs,
            Kind::Hold => What::Held,
            Kind::LetGo => What::LetGo,
            Kind::Pulse => What::Paced(if entry.a == 1 { Pace::Busy } else { Pace::Waiting }),
            Kind::Extend => What::Extends { until: Instant::from_nanos(entry.a) },
            Kind::Listen
            | Kind::Close
            | Kind::PollAdd
            | Kind::PollModify
            | Kind::PollDelete
            | Kind::PollWait
            | Kind::Content
            | Kind::Adopt
            | Kind::ChildNews
            | Kind::Channel
            | Kind::Pipe
            | Kind::Print
            | Kind::Ghost
            | Kind::Claim
            | Kind::Confined
            | Kind::PidFile => What::Call,
        }
    }

    /// Bytes that went through a connection, or a message through a channel.
    fn transfer(&self, number: u64, entry: &Entry, asides: &[(u64, Aside)]) -> What<'_> {
        let Some((_, Aside::Packet { side, bytes, length, .. })) = asides.first() else {
            return What::Stream { conn: stream(asides), bytes: entry.b };
        };
        let (peer, link) = (self.peers.of_entry(number), self.peers.message(number));
        // The host has the first end of the channels that it makes.
        let from_host = (*side == 0) == (entry.kind == Kind::Write);
        let message = if from_host {
            FromHost::decode(bytes).map(Message::FromHost)
        } else {
            let failed = reason::is_one(bytes).then_some(Message::Failed);
            failed.map_or_else(|| FromWorker::decode(bytes).map(Message::FromWorker), Ok)
        };
        let message = message.unwrap_or(Message::Garbled { length: *length });
        match (entry.kind, link) {
            (Kind::Write, Some(number)) => What::SendsMessage { number, to: peer, message },
            _ => What::HearsMessage { number: link, from: peer, message },
        }
    }
}

impl Told<'_> {
    /// The event in words, as a timeline has it, without who and when.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are told by their entry")]
    pub fn words(&self) -> String {
        match self.what {
            What::Says(words) => words.to_owned(),
            What::Fact(event) => format!("{event:?}"),
            What::Order(action) => format!("{action:?}"),
            _ => words(self.entry),
        }
    }
}

fn actor(who: Who) -> Option<ActorId> {
    (who != Who::WORLD).then_some(ActorId(who.0))
}

fn stream(asides: &[(u64, Aside)]) -> Option<u32> {
    asides.iter().find_map(|(_, aside)| if let Aside::Stream(conn) = aside { Some(*conn) } else { None })
}

fn fault(entry: &Entry, asides: &[(u64, Aside)], target: Option<ActorId>) -> What<'static> {
    let lasts = asides
        .iter()
        .find_map(|(_, aside)| if let Aside::Lasts(lasts) = aside { Some(*lasts) } else { None });
    let class = Class::ALL.get(entry.a as usize).copied().unwrap_or(Class::ShortIo);
    // Without a length it is no fault that begins, but one that took effect: an accept that was aborted.
    let begins = entry.b == 1 || lasts.is_none();
    What::Fault { class, begins, lasts: Duration::from_nanos(lasts.unwrap_or(0)), target }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Choices, Pool, Sim};
    use host_core::{App, Fleet};

    fn told(seed: u64) -> Sim {
        let mut sim = Sim::with_story(Choices::seeded(seed), &Pool::default());
        run(&mut sim);
        sim
    }

    /// Two workers, of which one is asked to quit by its host.
    fn run(sim: &mut Sim) {
        sim.host(|| {
            let fleet = Fleet::new("idle").workers(2).run(|worker| {
                while worker.wanted() {
                    worker.pause(Duration::from_secs(1));
                }
                Ok(())
            });
            App::new("idle").poll_period_off().fleet(fleet)
        });
        sim.run_for(Duration::from_secs(2));
        sim.signal(Signal::Ttou);
        sim.run_for(Duration::from_secs(2));
    }

    #[test]
    fn a_run_with_a_story_is_the_same_run_and_only_it_has_one() {
        let mut plain = Sim::new(Choices::seeded(3), &Pool::default());
        run(&mut plain);
        assert_eq!(told(3).hash(), plain.hash());
        assert!(plain.story().is_none());
        assert!(Sim::with_full_trace(Choices::seeded(3), &Pool::default()).story().is_none());
    }

    #[test]
    fn the_cast_is_everybody_with_number_seat_and_fleet() {
        let story = told(0).story().unwrap();
        let worker = |slot| Role::Worker { fleet: "idle".to_owned(), slot, incarnation: 1 };
        let cast: Vec<_> =
            story.cast().iter().map(|actor| (actor.name.as_str(), &actor.role, actor.pid)).collect();
        let expected = [
            ("host", Role::Host, None),
            ("worker 0.1", worker(0), Some(Pid(3))),
            ("worker 1.1", worker(1), Some(Pid(4))),
        ];
        assert_eq!(cast, expected.each_ref().map(|(name, role, pid)| (*name, role, *pid)));
        assert_eq!(story.cast()[0].gone, None);
        assert!(story.cast()[1].gone.is_some(), "it was reaped");
    }

    #[test]
    fn a_birth_a_message_a_signal_and_a_death_know_both_their_ends() {
        let story = told(0).story().unwrap();
        let (host, worker) = (Some(ActorId(0)), Some(ActorId(1)));
        let find = |who, what: What<'_>| {
            let found = story.events().any(|told| told.who == who && told.what == what);
            assert!(found, "{who:?} {what:?}");
        };
        find(host, What::Forks { child: worker });
        find(worker, What::Born { parent: host });
        let message = Message::FromWorker(FromWorker::Ready);
        let number = story.events().find_map(|told| {
            let What::SendsMessage { number, to, message: sent } = told.what else { return None };
            (told.who == worker && to == host && sent == message).then_some(number)
        });
        assert!(number.is_some(), "it says that it is ready");
        find(host, What::HearsMessage { number, from: worker, message });
        find(host, What::Sends { signal: Signal::Quit, to: worker });
        find(worker, What::Signal { signal: Signal::Quit, from: host });
        // Nobody of the cast sent this one.
        find(host, What::Signal { signal: Signal::Ttou, from: None });
        find(worker, What::Ends(ExitStatus::Code(0)));
        find(host, What::Reaps { child: worker, status: ExitStatus::Code(0) });
    }

    #[test]
    fn events_come_in_order_and_all_have_words() {
        let sim = told(0);
        let story = sim.story().unwrap();
        assert!(story.events().map(|told| told.at).is_sorted());
        assert!(story.events().all(|told| !told.words().is_empty() && !told.words().contains('{')
            || matches!(told.what, What::Fact(_) | What::Order(_))));
        assert_eq!(story.len() as u64, sim.events());
        assert_eq!(story.end(), sim.now());
    }
}
