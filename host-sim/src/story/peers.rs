//! Who is at the other end of an event: found by looking over the whole trace once.

use super::{ActorId, Aside, Book};
use crate::trace::{Entry, Kind, Who};
use std::collections::{BTreeMap, VecDeque};

/// The other ends of events.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers {
    /// By the number of the entry.
    peers: BTreeMap<u64, ActorId>,
    /// Numbers of messages, for who sent and who read them.
    messages: BTreeMap<u64, u32>,
}

/// What is known while the trace is read.
#[derive(Default)]
struct Reader {
    found: Peers,
    /// Who has a process number now, or had it last.
    numbers: BTreeMap<u64, u32>,
    /// Who was last seen at an end of a channel.
    ends: BTreeMap<(u32, u8), u32>,
    /// Messages on their way, by the end that they were sent from.
    underway: BTreeMap<(u32, u8), VecDeque<(u64, u32)>>,
    /// The latest channel of each process: its next child has the other end.
    made: BTreeMap<u32, u32>,
    sent: u32,
}

impl Peers {
    pub(super) fn of(entries: &[Entry], book: &Book) -> Self {
        let mut reader = Reader::default();
        let mut asides = book.asides.iter().peekable();
        let mut before: Option<&Entry> = None;
        for (number, entry) in (0..).zip(entries) {
            reader.entry(number, entry, before);
            while let Some((_, aside)) = asides.next_if(|(of, _)| *of == number) {
                reader.aside(number, entry, aside);
            }
            before = Some(entry);
        }
        reader.unread()
    }

    pub(super) fn of_entry(&self, number: u64) -> Option<ActorId> {
        self.peers.get(&number).copied()
    }

    pub(super) fn message(&self, number: u64) -> Option<u32> {
        self.messages.get(&number).copied()
    }
}

impl Reader {
    #[expect(clippy::wildcard_enum_match_arm, reason = "most entries have nobody at the other end")]
    fn entry(&mut self, number: u64, entry: &Entry, before: Option<&Entry>) {
        let Who(who) = entry.who;
        let peer = match entry.kind {
            Kind::Born => {
                self.numbers.insert(entry.a, who);
                // Recorded in one breath, the parent's side first.
                let parent = before.filter(|before| before.kind == Kind::Fork).map(|before| before.who.0);
                if let Some(parent) = parent {
                    self.found.peers.insert(number - 1, ActorId(who));
                    if let Some(channel) = self.made.get(&parent) {
                        self.ends.insert((*channel, 1), who);
                    }
                }
                parent
            }
            Kind::SignalChild => self.numbers.get(&entry.b).copied(),
            Kind::Signalled => before
                .filter(|before| before.kind == Kind::SignalChild && before.a == entry.a)
                .filter(|before| self.numbers.get(&before.b) == Some(&who))
                .map(|before| before.who.0),
            Kind::Reap => self.numbers.get(&entry.a).copied(),
            _ => None,
        };
        if let Some(peer) = peer {
            self.found.peers.insert(number, ActorId(peer));
        }
    }

    fn aside(&mut self, number: u64, entry: &Entry, aside: &Aside) {
        let Who(who) = entry.who;
        match aside {
            Aside::Channel(channel) => {
                self.made.insert(who, *channel);
                self.ends.insert((*channel, 0), who);
            }
            Aside::Target(target) => _ = self.found.peers.insert(number, ActorId(*target)),
            Aside::Packet { channel, side, .. } if entry.kind == Kind::Write => {
                self.ends.insert((*channel, *side), who);
                self.underway.entry((*channel, *side)).or_default().push_back((number, self.sent));
                self.found.messages.insert(number, self.sent);
                self.sent += 1;
            }
            Aside::Packet { channel, side, .. } => {
                self.ends.insert((*channel, *side), who);
                let sender = self.ends.get(&(*channel, 1 - side)).copied();
                let queue = self.underway.entry((*channel, 1 - side)).or_default();
                if let Some((written, message)) = queue.pop_front() {
                    self.found.messages.insert(number, message);
                    self.found.peers.insert(written, ActorId(who));
                    self.found.peers.extend(sender.map(|sender| (number, ActorId(sender))));
                }
            }
            Aside::Fact(_) | Aside::Order(_) | Aside::Stream(_) | Aside::Title(_) | Aside::Lasts(_) => {}
        }
    }

    /// Messages that nobody has read were for whoever has the other end.
    fn unread(mut self) -> Peers {
        for ((channel, side), messages) in self.underway {
            let Some(reader) = self.ends.get(&(channel, 1 - side)) else { continue };
            self.found.peers.extend(messages.iter().map(|(number, _)| (*number, ActorId(*reader))));
        }
        self.found
    }
}
