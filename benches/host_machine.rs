//! What an event costs in the decisions alone: `Host`, without a driver, a kernel or user code.
//!
//! One event is what the host hears and orders while a driver serves one socket: a report and a tick, the
//! order to receive, its return, the order to prepare, its return; then it waits again. What it costs may
//! depend neither on how many sockets are idle nor on how many other services are.
//!
//! Besides nanoseconds it counts instructions, if valgrind is installed: those are the same on each run
//! of the same build. `count SOCKETS SERVICES EVENTS` runs so many events and measures nothing, for
//! callgrind.

use benches::{Arm, Cost, Effort, Stopwatch, compare, say};
use host_core::action::Action;
use host_core::config::HostConfig;
use host_core::event::{Activity, Event, Outcome};
use host_core::host::Host;
use host_core::id::{ServiceId, SocketId};
use host_core::service::kick::Callback;
use host_core::service::reconnect::{OnConnectError, Reconnect};
use host_core::sys::{Interest, Readiness};
use host_core::time::{Duration, Instant};
use std::hint::black_box;
use std::process::Command;

const READABLE: Readiness = Readiness { readable: true, writable: false, ended: false };
/// How much time one event takes in the machine's world.
const STEP: Duration = Duration::from_micros(3);

/// How much the machine has to keep in mind.
#[derive(Clone, Copy)]
struct Size {
    sockets: u32,
    services: u32,
    /// Whether the sockets take turns, or one is served and the others are idle.
    all_active: bool,
}

/// A host that waits, and what its driver would know.
struct Rig {
    host: Host,
    now: Instant,
    size: Size,
    next: u32,
}

impl Rig {
    fn new(size: Size) -> Self {
        let mut rig = Self { host: Host::new(HostConfig::default()), now: Instant::ZERO, size, next: 0 };
        for service in (0..size.services).map(ServiceId::new) {
            let (reconnect, on_connect_error) = (Reconnect::EachTurn, OnConnectError::End);
            rig.tell(Event::Added { service, reconnect, on_connect_error });
        }
        let mut order = rig.tell(Event::Started { turns_max: None });
        let mut opened = 0;
        while let Some(Action::Call { service, callback }) = order {
            if callback == Callback::Connect {
                // Each service gets one, and the last one all the rest.
                let is_last = service.index() as u32 + 1 == size.services;
                let until = if is_last { size.sockets } else { opened + 1 };
                while opened < until {
                    let socket = SocketId::new(opened, 0);
                    rig.tell(Event::Opened { socket, service, interest: Interest::READ });
                    opened += 1;
                }
            }
            order = rig.returned(service, callback);
        }
        assert!(rig.host.next_deadline().is_some(), "the host waits");
        rig
    }

    /// Tells a fact, and gives the order to call something that came of it.
    fn tell(&mut self, event: Event) -> Option<Action> {
        self.host.handle_event(self.now, event);
        let mut order = None;
        while let Some(action) = self.host.poll_action() {
            if matches!(action, Action::Call { .. } | Action::Receive { .. }) {
                order = Some(action);
            }
        }
        order
    }

    fn returned(&mut self, service: ServiceId, callback: Callback) -> Option<Action> {
        self.tell(Event::Returned { service, callback, outcome: Outcome::Done(Activity::Progress) })
    }

    /// One event, as the driver has it.
    fn event(&mut self) {
        self.now = self.now + STEP;
        let socket = SocketId::new(self.next, 0);
        if self.size.all_active {
            self.next = (self.next + 1) % self.size.sockets;
        }
        self.tell(Event::Ready { socket, readiness: READABLE });
        let order = self.tell(Event::Tick);
        let Some(Action::Receive { service, .. }) = order else { panic!("{order:?} is no receive") };
        let order = self.returned(service, Callback::Receive);
        let Some(Action::Call { callback: Callback::Prepare, .. }) = order else {
            panic!("{order:?} is no prepare")
        };
        self.returned(service, Callback::Prepare);
        black_box(self.host.next_deadline());
    }

    fn measure(&mut self, events: u64) -> Cost {
        let watch = Stopwatch::start();
        (0..events).for_each(|_| self.event());
        watch.stop(events)
    }
}

/// The small ones are the first arm, to which the ratios are.
const SIZES: [(&str, Size); 6] = [
    ("1 socket", Size { sockets: 1, services: 1, all_active: false }),
    ("100 sockets", Size { sockets: 100, services: 1, all_active: false }),
    ("10,000 sockets", Size { sockets: 10_000, services: 1, all_active: false }),
    ("10,000, all active", Size { sockets: 10_000, services: 1, all_active: true }),
    ("100 services", Size { sockets: 100, services: 100, all_active: false }),
    ("1,000 services", Size { sockets: 1000, services: 1000, all_active: false }),
];

/// How many instructions an event takes, or why nobody knows: two runs of this program under callgrind
/// that differ by so many events differ by their instructions.
fn instructions(size: Size) -> Result<u64, String> {
    const EVENTS: u64 = 20_000;
    let run = |events: u64| {
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(this).arg("count");
        let numbers = [u64::from(size.sockets), u64::from(size.services), events];
        command.args(numbers.map(|number| number.to_string()));
        let output = command.output().map_err(|error| format!("valgrind: {error}"))?;
        let words = String::from_utf8_lossy(&output.stderr);
        let line = words.lines().find_map(|line| line.split_once("Collected :"));
        let total = line.and_then(|(_, number)| number.trim().parse::<u64>().ok());
        total.ok_or_else(|| format!("no total in what valgrind says: {words}"))
    };
    Ok((run(2 * EVENTS)? - run(EVENTS)?) / EVENTS)
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    if let ["count", sockets, services, events] = arguments[..] {
        let number = |text: &str| text.parse().expect("a number");
        let size = Size { sockets: number(sockets), services: number(services), all_active: false };
        let mut rig = Rig::new(size);
        // Not measured: the clock cannot be read under every version of valgrind.
        (0..number(events)).for_each(|_| rig.event());
        return;
    }
    let effort = Effort::of_command_line();
    let mut rigs = SIZES.map(|(name, size)| (name, Rig::new(size)));
    let arms = rigs.iter_mut().map(|(name, rig)| Arm::new(*name, || rig.measure(effort.events(100_000))));
    compare("host_machine", effort.rounds(31), arms.collect());
    if effort == Effort::Quick {
        return;
    }
    for (name, size) in SIZES.iter().filter(|(_, size)| !size.all_active) {
        match instructions(*size) {
            Ok(instructions) => say(&format!("  {name:<22} {instructions:>9} instructions an event")),
            Err(reason) => return say(&format!("  instructions: SKIPPED, {reason}")),
        }
    }
}
