//! What an event costs in a host, against the same loop written by hand.
//!
//! One event: a socket is reported readable, 64 bytes are read from it, and 64 are written into its other
//! end, which makes it readable again. So the loop feeds itself, in one thread and one process, with the
//! same two system calls an event in every arm; nobody else's speed is in the figures.
//!
//! The arms:
//! - `polling by hand`: what one writes without this library: the `polling` crate, level-triggered,
//!   sockets of the standard library in a `BTreeMap`, a timeout of one poll period;
//! - `host`: a service in `host_sys::run`, kick and signals armed, its streams in a `BTreeMap`;
//! - `epoll by hand`: the system calls that the host makes and nothing else. No portable loop gets
//!   below it.
//!
//! An argument that is a number, such as `10000`, measures with so many sockets only; `once ARM SOCKETS
//! ACTIVE EVENTS` runs one arm once, for a profiler.

use benches::{Arm, Cost, Effort, Stopwatch, compare, say};
use host_core::id::SocketId;
use host_core::{App, Connected, Context, Interest, Ready, Service, Stream};
use polling::{Event, Events, PollMode, Poller};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

type Result<T> = host_core::Result<T>;

/// How many bytes travel with each event.
const MESSAGE: [u8; 64] = [7; 64];
/// The host's default, and so the other loops' timeout.
const POLL_PERIOD: Duration = Duration::from_secs(5);
/// How many reports one wait takes in, as in `host-sys`.
const EVENTS_MAX: usize = 256;
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// How many sockets the loop watches, and in how many of them bytes go round.
#[derive(Clone, Copy)]
struct Size {
    watched: usize,
    active: usize,
}

/// Counts the events of one round, and measures all but the first.
struct Meter {
    warm_up: u64,
    events: u64,
    seen: u64,
    watch: Option<Stopwatch>,
    cost: Rc<Cell<Option<Cost>>>,
}

impl Meter {
    fn new(events: u64) -> Self {
        Self { warm_up: events / 10, events, seen: 0, watch: None, cost: Rc::default() }
    }

    /// One more; whether it was the last.
    fn count(&mut self) -> bool {
        self.seen += 1;
        if self.seen == self.warm_up {
            self.watch = Some(Stopwatch::start());
        } else if self.seen == self.warm_up + self.events {
            self.cost.set(self.watch.take().map(|watch| watch.stop(self.events)));
            return true;
        }
        false
    }
}

/// A watched socket, and the other end of it if bytes go round.
struct Pair<S> {
    near: S,
    far: Option<S>,
}

// The host.

struct PingPong {
    size: Size,
    meter: Meter,
    sockets: BTreeMap<SocketId, Pair<Stream>>,
}

impl Service for PingPong {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        let mut listener = cx.listen(ANY_PORT, 128)?;
        let address = listener.local_address()?;
        while self.sockets.len() < self.size.watched {
            let near = cx.connect_to(address)?;
            let mut far = loop {
                if let Some(far) = listener.accept()? {
                    break far;
                }
            };
            near.set_nodelay(true)?;
            far.set_nodelay(true)?;
            if self.sockets.len() < self.size.active {
                far.set_interest(Interest::NONE);
                far.try_write(&MESSAGE)?;
                self.sockets.insert(near.id(), Pair { near, far: Some(far) });
            } else {
                // Two idle sockets for the price of one.
                self.sockets.insert(near.id(), Pair { near, far: None });
                self.sockets.insert(far.id(), Pair { near: far, far: None });
            }
        }
        Ok(Connected::Yes)
    }

    fn receive(&mut self, cx: &mut Context<'_>, ready: Ready) -> Result<()> {
        let Some(Pair { near, far: Some(far) }) = self.sockets.get_mut(&ready.socket) else {
            return Err("an idle socket was reported".into());
        };
        let mut buffer = [0; MESSAGE.len()];
        let whole = Some(buffer.len());
        if near.try_read(&mut buffer)? != whole || far.try_write(&buffer)? != whole {
            return Err("a message did not go through in one piece".into());
        }
        if self.meter.count() {
            cx.stop();
        }
        Ok(())
    }
}

fn host(size: Size, events: u64) -> Result<Option<Cost>> {
    let meter = Meter::new(events);
    let cost = Rc::clone(&meter.cost);
    let service = PingPong { size, meter, sockets: BTreeMap::new() };
    host_sys::run(App::new("host-loop").service(service))?;
    Ok(cost.get())
}

// The same by hand.

/// Opens the same sockets as [`PingPong`]; keyed like the registrations.
fn sockets(size: Size) -> Result<BTreeMap<usize, Pair<TcpStream>>> {
    let listener = TcpListener::bind(ANY_PORT)?;
    let address = listener.local_addr()?;
    let mut sockets = BTreeMap::new();
    while sockets.len() < size.watched {
        let near = TcpStream::connect(address)?;
        let (mut far, _) = listener.accept()?;
        for end in [&near, &far] {
            end.set_nonblocking(true)?;
            end.set_nodelay(true)?;
        }
        if sockets.len() < size.active {
            far.write_all(&MESSAGE)?;
            sockets.insert(sockets.len(), Pair { near, far: Some(far) });
        } else {
            sockets.insert(sockets.len(), Pair { near, far: None });
            sockets.insert(sockets.len(), Pair { near: far, far: None });
        }
    }
    Ok(sockets)
}

/// What [`PingPong::receive`] does.
fn receive(sockets: &mut BTreeMap<usize, Pair<TcpStream>>, key: usize) -> Result<()> {
    let Some(Pair { near, far: Some(far) }) = sockets.get_mut(&key) else {
        return Err("an idle socket was reported".into());
    };
    let mut buffer = [0; MESSAGE.len()];
    if near.read(&mut buffer)? != buffer.len() || far.write(&buffer)? != buffer.len() {
        return Err("a message did not go through in one piece".into());
    }
    Ok(())
}

fn polling_by_hand(size: Size, events: u64) -> Result<Option<Cost>> {
    let mut sockets = sockets(size)?;
    let poller = Poller::new()?;
    for (key, pair) in &sockets {
        #[expect(unsafe_code, reason = "the crate asks for it where a mode is chosen")]
        // SAFETY: the poller is dropped before the sockets, being declared after them.
        unsafe {
            poller.add_with_mode(&pair.near, Event::readable(*key), PollMode::Level)?;
        }
    }
    let mut meter = Meter::new(events);
    let mut reported = Events::new();
    loop {
        reported.clear();
        poller.wait(&mut reported, Some(POLL_PERIOD))?;
        for event in reported.iter() {
            receive(&mut sockets, event.key)?;
            if meter.count() {
                return Ok(meter.cost.get());
            }
        }
    }
}

fn epoll_by_hand(size: Size, events: u64) -> Result<Option<Cost>> {
    let mut sockets = sockets(size)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (key, pair) in &sockets {
        let wanted = epoll::EventFlags::IN | epoll::EventFlags::RDHUP;
        epoll::add(&epoll, &pair.near, epoll::EventData::new_u64(*key as u64), wanted)?;
    }
    let mut meter = Meter::new(events);
    let mut reported: Vec<epoll::Event> = Vec::with_capacity(EVENTS_MAX);
    let timeout = POLL_PERIOD.try_into()?;
    loop {
        reported.clear();
        epoll::wait(&epoll, spare_capacity(&mut reported), Some(&timeout))?;
        for event in &reported {
            receive(&mut sockets, event.data.u64() as usize)?;
            if meter.count() {
                return Ok(meter.cost.get());
            }
        }
    }
}

// All of it.

type Loop = fn(Size, u64) -> Result<Option<Cost>>;

const ARMS: [(&str, Loop); 3] =
    [("polling by hand", polling_by_hand), ("host", host), ("epoll by hand", epoll_by_hand)];

fn round(name: &str, run: Loop, size: Size, events: u64) -> Cost {
    match run(size, events) {
        Ok(Some(cost)) => cost,
        // A signal: a person wants it to end.
        Ok(None) => std::process::exit(130),
        Err(error) => panic!("{name} with {} sockets: {error}", size.watched),
    }
}

/// Makes room for so many sockets, as far as this user may.
fn allow(size: Size) -> std::result::Result<(), u64> {
    // The other ends, and what the program has open itself.
    let needed = (size.watched + size.active + 64) as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let maximum = maximum.map(|maximum| maximum.max(needed));
    // Raising the maximum too takes a privilege; without it the kernel says no.
    setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum }).map_err(|_| needed)
}

fn main() {
    let effort = Effort::of_command_line();
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    if let ["once", arm, watched, active, events] = arguments[..] {
        let number = |text: &str| text.parse::<usize>().expect("a number");
        let (name, run) = ARMS.into_iter().find(|(name, _)| *name == arm).expect("the name of an arm");
        let size = Size { watched: number(watched), active: number(active) };
        allow(size).expect("so many sockets must be allowed (RLIMIT_NOFILE)");
        let cost = round(name, run, size, number(events) as u64);
        let (wall, cpu) = (cost.wall_each(), cost.cpu_each());
        say(&format!("{name}: {wall:.1} ns an event, {cpu:.1} of them computing"));
        return;
    }
    let only = arguments.iter().find_map(|argument| argument.parse::<usize>().ok());
    for (watched, active) in [(1, 1), (100, 1), (100, 100), (10_000, 1), (10_000, 100)] {
        if only.is_some_and(|only| only != watched) {
            continue;
        }
        let size = Size { watched, active };
        let title = format!("host_loop, {watched} watched, {active} active");
        if let Err(needed) = allow(size) {
            say(&format!("{title}: SKIPPED, it takes a limit of {needed} open files (ulimit -n)"));
            continue;
        }
        let arm = |(name, run)| Arm::new(name, move || round(name, run, size, effort.events(50_000)));
        compare(title, effort.rounds(21), ARMS.map(arm).into());
    }
}
