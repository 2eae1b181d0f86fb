//! What recording a host costs: the loop of `host_loop` with and without it, and a request of the kind that a web
//! server has.
//!
//! One event is as in `host_loop`: a report, 64 bytes read, 64 written to the other end. In *request* the service
//! also parses as much as a small HTTP request is long, byte by byte: 700 bytes, which is nothing that a real server
//! could do without.
//!
//! *Recording alone* is what the host does besides, on its own: the entries of one such event are made, and each full frame
//! is written to a file. It has the caches to itself, and so is a lower bound; but it is hardly disturbed by what
//! else a machine does.
//!
//! The argument `alone` measures only that.
//!
//! The file is in the directory for temporary files (TMPDIR), and is removed after each round.

use benches::{Arm, Cost, Effort, Stopwatch, Table, compare, say};
use host_core::action::Action;
use host_core::config::HostConfig;
use host_core::event::{Activity, Event, Outcome};
use host_core::id::{ServiceId, SocketId};
use host_core::record::writer::Writer;
use host_core::record::{Begin, Recording, Text};
use host_core::service::kick::Callback;
use host_core::sys::{Pid, Readiness};
use host_core::time::{Instant, WallTime};
use host_core::{App, Connected, Context, Interest, Ready, Service, Stream};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;

type Result<T> = host_core::Result<T>;

const MESSAGE: [u8; 64] = [7; 64];
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// How long a request of a browser is.
const REQUEST: usize = 700;

/// What is measured.
#[derive(Clone, Copy)]
struct Load {
    /// In how many sockets bytes go round.
    active: usize,
    /// How many bytes are parsed with each event.
    parsed: usize,
}

struct PingPong {
    load: Load,
    /// Events that are measured, and those before them that are not.
    events: u64,
    warm_up: u64,
    seen: u64,
    watch: Option<Stopwatch>,
    cost: Rc<Cell<Option<Cost>>>,
    sockets: BTreeMap<SocketId, (Stream, Stream)>,
}

impl Service for PingPong {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        let mut listener = cx.listen(ANY_PORT, 128)?;
        let address = listener.local_address()?;
        while self.sockets.len() < self.load.active {
            let near = cx.connect_to(address)?;
            let mut far = loop {
                if let Some(far) = listener.accept()? {
                    break far;
                }
            };
            near.set_nodelay(true)?;
            far.set_nodelay(true)?;
            far.set_interest(Interest::NONE);
            far.try_write(&MESSAGE)?;
            self.sockets.insert(near.id(), (near, far));
        }
        Ok(Connected::Yes)
    }

    fn receive(&mut self, cx: &mut Context<'_>, ready: Ready) -> Result<()> {
        let Some((near, far)) = self.sockets.get_mut(&ready.socket) else { return Ok(()) };
        let mut buffer = [0; MESSAGE.len()];
        let whole = Some(buffer.len());
        if near.try_read(&mut buffer)? != whole {
            return Err("a message did not come in one piece".into());
        }
        let mut lines = 0;
        for place in 0..self.load.parsed {
            lines += u32::from(black_box(buffer[place % buffer.len()]) == b'\n');
        }
        black_box(lines);
        if far.try_write(&buffer)? != whole {
            return Err("a message did not go in one piece".into());
        }
        self.seen += 1;
        if self.seen == self.warm_up {
            self.watch = Some(Stopwatch::start());
        } else if self.seen == self.warm_up + self.events {
            self.cost.set(self.watch.take().map(|watch| watch.stop(self.events)));
            cx.stop();
        }
        Ok(())
    }
}

/// Where the recording of this process lies.
fn path() -> PathBuf {
    std::env::temp_dir().join(format!("host-record-{}.rec", std::process::id()))
}

fn round(load: Load, events: u64, recorded: bool) -> Cost {
    let cost = Rc::default();
    let service = PingPong {
        load,
        events,
        warm_up: events / 10,
        seen: 0,
        watch: None,
        cost: Rc::clone(&cost),
        sockets: BTreeMap::new(),
    };
    let mut app = App::new("host-record").service(service);
    if recorded {
        app = app.record(Recording::to(path().to_str().expect("a path of letters")).size_max(1 << 30));
    }
    if let Err(error) = host_sys::run(app) {
        panic!("{error}");
    }
    // A signal: a person wants it to end.
    cost.get().unwrap_or_else(|| std::process::exit(130))
}

/// What one event of *loop* leaves in a recording, again and again.
fn recording_alone(events: u64) -> Cost {
    let (service, callback) = (ServiceId::new(0), Callback::Receive);
    let begin = Begin {
        config: HostConfig::default(),
        app: "host-record".into(),
        version: String::new(),
        pid: Pid(1),
        wall: WallTime(0),
    };
    let mut writer = Writer::new(Text::Hashed, &begin);
    let mut file = std::fs::File::create(path()).expect("a file for the time of a bench");
    let outcome = Outcome::Done(Activity::Progress);
    let readiness = Readiness { readable: true, writable: false, ended: false };
    let watch = Stopwatch::start();
    for number in 0..events {
        let at = |later| Instant::from_nanos(number * 3500 + later);
        let socket = SocketId::new((number % 100) as u32, 0);
        let prepare = Callback::Prepare;
        writer.event(at(0), &Event::Ready { socket, readiness });
        writer.event(at(0), &Event::Tick);
        writer.action(&Action::Receive { service, socket, readiness });
        writer.event(at(2900), &Event::Returned { service, callback, outcome });
        writer.action(&Action::Call { service, callback: prepare });
        writer.event(at(3000), &Event::Returned { service, callback: prepare, outcome });
        if writer.is_full() {
            file.write_all(writer.frame()).expect("room for a bench");
            writer.written();
        }
    }
    watch.stop(events)
}

fn main() {
    let effort = Effort::of_command_line();
    let events = effort.events(10_000);
    let only_alone = std::env::args().any(|argument| argument == "alone");
    for (name, active, parsed) in
        [("loop", 1, 0), ("loop", 100, 0), ("request", 1, REQUEST), ("request", 100, REQUEST)]
    {
        if only_alone {
            break;
        }
        let load = Load { active, parsed };
        let arm = |name: &'static str, recorded| {
            Arm::new(name, move || {
                let cost = round(load, events, recorded);
                if recorded {
                    let _ = std::fs::remove_file(path());
                }
                cost
            })
        };
        let title = format!("host_record, {name}, {active} active");
        let _: Table =
            compare(title, effort.rounds(201), vec![arm("host", false), arm("host, recorded", true)]);
    }
    let alone = || {
        let cost = recording_alone(events);
        let _ = std::fs::remove_file(path());
        cost
    };
    compare("host_record, recording alone", effort.rounds(201), vec![Arm::new("recording", alone)]);
    round(Load { active: 100, parsed: 0 }, events, true);
    let size = std::fs::metadata(path()).map_or(0, |file| file.len());
    let _ = std::fs::remove_file(path());
    say(&format!("host_record: {:.1} bytes an event", size as f64 / (events + events / 10) as f64));
}
