//! Bugs of services in a host, each with the scenario that shows it.

use harness::Class::{
    DescriptorShortage, Hang, HostSlow, HostStop, Interrupt, Kick, Latency, Refuse, Reset, Schedule, ShortIo,
    Silence, SlowCallback, WallJump,
};
use harness::{Client, ClientError, Faults, Sim};
use host_core::id::SocketId;
use host_core::{App, Connected, Context, Hosted, Interest, Listener, Ready, Result, Service, Stream};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    Nothing,
    /// How much was written is not looked at.
    ShortWrite,
    /// A line comes in one read, does it not?
    ShortRead,
    /// The error of a client is the host's.
    ErrorEndsHost,
    /// There is one client at a time.
    OneClient,
    /// Whoever waited for room is never read from again.
    StuckInterest,
    /// Clients that are old by the wall clock are cut off.
    WallClock,
    /// Who has not been called for a second drops everybody.
    LateCallback,
    /// The third client is left standing.
    DeafAtThree,
    /// Nobody is served after a client was lost.
    Grudge,
    /// Two that come within 20 ms of each other get each other's replies.
    Race,
    /// A long line is kept until the next one.
    LongLine,
}

struct Peer {
    stream: Stream,
    /// What came and is no line yet, and what is to be sent.
    got: Vec<u8>,
    unsent: Vec<u8>,
    since: i128,
}

/// Sends back whole lines.
struct Lines {
    bug: Bug,
    listener: Option<Listener>,
    peers: BTreeMap<SocketId, Peer>,
    called: Option<host_core::time::Instant>,
    accepted: Option<host_core::time::Instant>,
    lost: bool,
}

impl Lines {
    fn accept(&mut self, cx: &mut Context<'_>) -> Result {
        while let Some(stream) = self.listener.as_mut().map_or(Ok(None), Listener::accept)? {
            let hurried = self.accepted.replace(cx.now()).is_some_and(|last| cx.now().since(last) < 20 * MS);
            if self.bug == Bug::OneClient {
                self.peers.clear();
            }
            if self.bug == Bug::Grudge && self.lost {
                continue;
            }
            let got = if self.bug == Bug::Race && hurried { b"!".to_vec() } else { Vec::new() };
            let peer = Peer { got, unsent: Vec::new(), since: cx.wall().0, stream };
            self.peers.insert(peer.stream.id(), peer);
        }
        Ok(())
    }
}

impl Service for Lines {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        self.listener = Some(cx.listener("lines")?);
        Ok(Connected::Yes)
    }

    fn receive(&mut self, cx: &mut Context<'_>, ready: Ready) -> Result {
        let last = self.called.replace(cx.now());
        if self.bug == Bug::LateCallback && last.is_some_and(|last| cx.now().since(last) > SECOND) {
            self.peers.clear();
        }
        if self.listener.as_ref().is_some_and(|listener| listener.id() == ready.socket) {
            return self.accept(cx);
        }
        if self.bug == Bug::DeafAtThree && self.peers.len() > 2 {
            return Ok(());
        }
        let wall = cx.wall().0;
        let bug = self.bug;
        let Some(peer) = self.peers.get_mut(&ready.socket) else { return Ok(()) };
        let old = bug == Bug::WallClock && (wall - peer.since).abs() > 3_600_000_000_000;
        match serve(peer, bug) {
            Ok(true) if !old => {}
            Err(error) if bug == Bug::ErrorEndsHost => return Err(error),
            ended => {
                self.lost |= ended.is_err();
                self.peers.remove(&ready.socket);
            }
        }
        Ok(())
    }
}

/// Whether the peer is still there.
fn serve(peer: &mut Peer, bug: Bug) -> Result<bool> {
    let mut buffer = [0; 64];
    if peer.unsent.is_empty() {
        match peer.stream.try_read(&mut buffer)? {
            Some(0) => return Ok(false),
            Some(count) => {
                peer.got.extend_from_slice(&buffer[..count]);
                if bug == Bug::ShortRead && peer.got.last() != Some(&b'\n') {
                    peer.got.clear();
                }
            }
            None => {}
        }
        let end = peer.got.iter().position(|byte| *byte == b'\n');
        let is_due = |end: &usize| bug != Bug::LongLine || *end < 40 || peer.got.len() > 80;
        if let Some(end) = end.filter(is_due) {
            peer.unsent = peer.got.drain(..=end).collect();
        }
    }
    let sent = if peer.unsent.is_empty() { 0 } else { peer.stream.try_write(&peer.unsent)?.unwrap_or(0) };
    let short = sent < peer.unsent.len();
    peer.unsent.drain(..sent);
    if bug == Bug::ShortWrite {
        peer.unsent.clear();
    }
    let waits = if peer.unsent.is_empty() { Interest::READ } else { Interest::WRITE };
    peer.stream.set_interest(if bug == Bug::StuckInterest && short { Interest::NONE } else { waits });
    Ok(true)
}

fn app(bug: Bug) -> App {
    let lines =
        Lines { bug, listener: None, peers: BTreeMap::new(), called: None, accepted: None, lost: false };
    App::new("lines").listen("lines", "127.0.0.1:7000").service(Hosted::new("lines", lines))
}

fn talk(c: &mut Client) -> std::result::Result<(), ClientError> {
    for round in 0..10u8 {
        let mut line = vec![b'a' + round; c.choose(50) as usize];
        line.push(b'\n');
        c.write_all(&line)?;
        c.expect(&line)?;
        c.pause(MS * c.choose(500));
    }
    Ok(())
}

/// Faults that cut nobody off.
const GENTLE: [harness::Class; 8] =
    [ShortIo, Interrupt, Latency, Schedule, WallJump, Kick, HostSlow, DescriptorShortage];

/// Six clients, who all are answered.
fn everybody_is_served(sim: &mut Sim, bug: Bug) {
    sim.host(move || app(bug));
    sim.faults(Faults::only(&GENTLE));
    let clients = sim.clients("lines", 6, talk);
    sim.run_for(SECOND * 30);
    sim.heal_and_settle();
    assert_eq!(clients.errors(), [], "everybody is served");
}

/// Anything may happen, and who comes afterwards is served.
fn a_healed_host_serves(sim: &mut Sim, bug: Bug) {
    sim.host(move || app(bug));
    let rough = [Reset, Silence, Refuse, Hang, HostStop, SlowCallback];
    sim.faults(Faults::only(&[&GENTLE[..], &rough].concat()));
    sim.clients("lines", 6, talk);
    sim.run_for(SECOND * 30);
    sim.heal_and_settle();
    let late = sim.clients("lines", 2, talk);
    sim.heal_and_settle();
    assert_eq!(late.succeeded(), 2, "{:?}", late.errors());
}

const fn or_nothing(bug: bool, which: Bug) -> Bug {
    if bug { which } else { Bug::Nothing }
}

pub(crate) fn a_short_write(sim: &mut Sim, bug: bool) {
    everybody_is_served(sim, or_nothing(bug, Bug::ShortWrite));
}

pub(crate) fn a_short_read(sim: &mut Sim, bug: bool) {
    everybody_is_served(sim, or_nothing(bug, Bug::ShortRead));
}

pub(crate) fn an_error_of_a_client(sim: &mut Sim, bug: bool) {
    a_healed_host_serves(sim, or_nothing(bug, Bug::ErrorEndsHost));
}

pub(crate) fn one_client_at_a_time(sim: &mut Sim, bug: bool) {
    everybody_is_served(sim, or_nothing(bug, Bug::OneClient));
}

pub(crate) fn never_read_again(sim: &mut Sim, bug: bool) {
    everybody_is_served(sim, or_nothing(bug, Bug::StuckInterest));
}

pub(crate) fn age_by_the_wall_clock(sim: &mut Sim, bug: bool) {
    everybody_is_served(sim, or_nothing(bug, Bug::WallClock));
}

pub(crate) fn a_late_callback(sim: &mut Sim, bug: bool) {
    everybody_is_served(sim, or_nothing(bug, Bug::LateCallback));
}

pub(crate) fn deaf_to_the_third(sim: &mut Sim, bug: bool) {
    everybody_is_served(sim, or_nothing(bug, Bug::DeafAtThree));
}

pub(crate) fn a_grudge(sim: &mut Sim, bug: bool) {
    a_healed_host_serves(sim, or_nothing(bug, Bug::Grudge));
}

pub(crate) fn two_at_once(sim: &mut Sim, bug: bool) {
    everybody_is_served(sim, or_nothing(bug, Bug::Race));
}

pub(crate) fn a_long_line(sim: &mut Sim, bug: bool) {
    everybody_is_served(sim, or_nothing(bug, Bug::LongLine));
}

/// What a client says that was served by a host that was started again.
pub(crate) fn another_greeting_after_a_restart(sim: &mut Sim, bug: bool) {
    let starts = Rc::new(Cell::new(0));
    sim.host(move || {
        starts.set(starts.get() + 1);
        let words: &[u8] = if bug && starts.get() > 1 { b"again\n" } else { b"hello\n" };
        App::new("greeter").listen("greet", "127.0.0.1:7000").service(Greeter(None, words))
    });
    sim.faults(Faults::only(&[&GENTLE[..], &[Hang, Reset, HostStop]].concat()));
    sim.clients("greet", 4, |c| {
        for _ in 0..30 {
            let _faults_excuse = c.expect(b"hello\n");
            c.close();
            c.pause(SECOND);
        }
        Ok(())
    });
    sim.run_for(SECOND * 30);
    sim.heal_and_settle();
}

struct Greeter(Option<Listener>, &'static [u8]);

impl Service for Greeter {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        self.0 = Some(cx.listener("greet")?);
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        while let Some(mut client) = self.0.as_mut().map_or(Ok(None), Listener::accept)? {
            let _gone = client.try_write(self.1);
        }
        Ok(())
    }
}

/// A client that tries again for ever when it is refused once.
pub(crate) fn a_client_that_never_gives_up(sim: &mut Sim, bug: bool) {
    sim.host(move || app(Bug::Nothing));
    sim.faults(Faults::only(&[&GENTLE[..], &[Refuse]].concat()));
    sim.clients("lines", 6, move |c| {
        c.pause(MS * c.choose(2000));
        if c.stream().is_ok() || !bug {
            return talk(c);
        }
        loop {
            c.pause(SECOND);
        }
    });
    sim.run_for(SECOND * 10);
    sim.heal_and_settle();
}
