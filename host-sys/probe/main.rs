//! The child of the tests that need a process of their own: plays the role that its argument names.
//!
//! It says where it is on standard output and goes on when a line comes in on standard input. It panics
//! (status 101) when something is not as its role expects.

#![allow(clippy::unwrap_used, reason = "a test: an error is a failure, and a panic is how to say so")]
#![allow(clippy::print_stdout, reason = "how the probe speaks to its test")]

mod family;
mod privileges;

use host_core::app::error;
use host_core::id::ServiceId;
use host_core::service::kick::{Callback, Site};
use host_core::sys::{Errno, Interest, Signal, Sys};
use host_core::time::{Duration, Instant};
use host_core::{App, Connected, Context, Fleet, Hosted, Listener, Ready, Result, Service, Worker};
use host_sys::Linux;
use rustix::process::{Resource, Rlimit, getrlimit, set_parent_process_death_signal, setrlimit};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;

/// Longer than any hung role is let live by its test.
const PROCESSOR_SECONDS_MAX: u64 = 60;
/// Less than the age of the machine: a beat at the origin of its clock is too old.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Where the hung roles hang.
const HUNG: Site = Site::In(ServiceId::new(1), Callback::Receive);

fn main() -> ExitCode {
    // A test that is killed must not leave behind a process that computes for ever.
    set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).unwrap();
    // Both limits, for at the first it could block the signal. Its children inherit them.
    let processor = Some(PROCESSOR_SECONDS_MAX);
    setrlimit(Resource::Cpu, Rlimit { current: processor, maximum: processor }).unwrap();
    let role = std::env::args().nth(1).expect("a role as the only argument");
    match role.as_str() {
        "fresh" => fresh(),
        "fresh-before-its-first-beat" => fresh_before_its_first_beat(),
        "hung" => hung(HUNG),
        "hung-between-callbacks" => hung(Site::Loop),
        "hung-before-its-first-beat" => hung_before_its_first_beat(),
        "hung-and-nameless" => hung(Site::In(ServiceId::new(u32::MAX), Callback::Wake)),
        "hung-with-usr1-blocked" => hung_with_usr1_blocked(),
        "hung-with-full-stderr" => hung_with_full_stderr(),
        "hung-beside-another-host" => hung_beside_another_host(),
        "waiting" => waiting(),
        "disarmed" => disarmed(),
        "dropped" => dropped(),
        "armed-again" => armed_again(),
        "two-signals" => two_signals(),
        "second-signal" => second_signal(),
        "second-signal-pending" => second_signal_pending(),
        "signals-given-back" => signals_given_back(),
        "mask-given-back" => mask_given_back(),
        "short-of-descriptors" => short_of_descriptors(),
        "host" => return host_sys::main(host(Role::Idle)),
        "hung-host" => return host_sys::main(host(Role::HangsInConnect)),
        "failing-host" => return host_sys::main(host(Role::Fails)),
        "wrong-host" => return host_sys::main(host(Role::Idle).backlog(0)),
        "host-that-hangs-in-stop" => return host_sys::main(host(Role::HangsInStop)),
        "daemon-whose-workers-crash" => return daemon(|_| Err(error("no database"))),
        "daemon-that-is-killed-while-it-starts" => {
            return daemon(|_| end_host(rustix::process::Signal::KILL));
        }
        "daemon-that-is-stopped-while-it-starts" => {
            return daemon(|_| end_host(rustix::process::Signal::TERM));
        }
        "daemon-that-fails" => return host_sys::main(quiet(host(Role::Fails))),
        "daemon-beside-a-thread" => return daemon_beside_a_thread(),
        "confined" => return host_sys::main(privileges::confined()),
        "hung-in-its-turns" => return by_turns(Role::HangsInConnect),
        "children-that-end" => family::children_that_end(),
        "child-that-ended-is-reaped-once" => family::child_that_ended_is_reaped_once(),
        "child-that-leaves-a-core" => family::child_that_leaves_a_core(),
        "aborting" => std::process::abort(),
        "chld-ignored" => family::chld_ignored(),
        "news-of-stops" => family::news_of_stops(),
        "strangers" => family::strangers(),
        "two-threads" => family::two_threads(),
        "no-room-for-a-pidfd" => family::no_room_for_a_pidfd(),
        "partial-line" => family::partial_line(),
        "panicking-child" => family::panicking_child(),
        "poller-beside-children" => family::poller_beside_children(),
        "descriptors-of-a-child" => family::descriptors_of_a_child(),
        "signals-of-a-child" => family::signals_of_a_child(),
        "told-to-stop" => family::told_to_stop(),
        "asked-to-quit" => family::asked_to_quit(),
        "leaves-children-that-spin" => family::leaves_children_that_spin(),
        "leaves-children-that-quit" => family::leaves_children_that_quit(),
        "leaves-children-that-do-not-quit" => family::leaves_children_that_do_not_quit(),
        "dies-at-once" => family::dies_at_once(),
        "titled" => family::titled(),
        "slots" => family::slots(),
        "pulses" => family::pulses(),
        "shared-listener" => family::shared_listener(),
        "exclusive-while-it-reads" => family::exclusive_while_it_reads(),
        "bound-to-one-processor" => family::bound_to_one_processor(),
        "signals-of-a-terminal" => family::signals_of_a_terminal(),
        other => panic!("no role `{other}`"),
    }
    ExitCode::SUCCESS
}

// The kick

fn fresh() {
    let sys = Linux::new().unwrap();
    sys.kick_arm(LONG).unwrap();
    sys.beat(sys.now(), HUNG);
    say("ready");
    wait_for_a_line();
}

fn fresh_before_its_first_beat() {
    let sys = Linux::new().unwrap();
    sys.kick_arm(LONG).unwrap();
    say("ready");
    wait_for_a_line();
}

fn hung_before_its_first_beat() {
    let sys = Linux::new().unwrap();
    sys.kick_arm(Duration::from_nanos(1)).unwrap();
    hang();
}

fn hung(site: Site) {
    let sys = armed_long_ago();
    sys.beat(sys.now() - LONG, site);
    hang();
}

fn hung_with_usr1_blocked() {
    let inherited = Linux::new().unwrap();
    inherited.signals(&[Signal::Usr1]).unwrap();
    hung(HUNG);
}

fn hung_with_full_stderr() {
    let stderr = std::io::stderr();
    let flags = rustix::fs::fcntl_getfl(&stderr).unwrap();
    rustix::fs::fcntl_setfl(&stderr, flags | rustix::fs::OFlags::NONBLOCK).unwrap();
    while rustix::io::write(&stderr, &[b'.'; 4096]).is_ok() {}
    rustix::fs::fcntl_setfl(&stderr, flags).unwrap();
    hung(HUNG);
}

fn hung_beside_another_host() {
    let sys = armed_long_ago();
    sys.beat(sys.now() - LONG, HUNG);
    let other = Linux::new().unwrap();
    assert_eq!(other.kick_arm(LONG), Err(Errno::BUSY));
    assert_eq!(sys.kick_arm(LONG), Err(Errno::BUSY));
    // All that the other does to a kick that it does not hold.
    other.kick_name(ServiceId::new(1), "other");
    other.beat(other.now(), Site::Waiting);
    other.kick_disarm();
    drop(other);
    hang();
}

fn waiting() {
    let sys = armed_long_ago();
    sys.beat(sys.now() - LONG, Site::Waiting);
    say("ready");
    let mut events = Vec::new();
    assert_eq!(sys.poll_wait(&mut events, Some(in_a_while(&sys))), Err(Errno::INTR));
    say("interrupted");
    wait_for_a_line();
}

fn disarmed() {
    let sys = armed_long_ago();
    sys.beat(sys.now() - LONG, Site::Waiting);
    sys.kick_disarm();
    sys.kick_disarm();
    hang();
}

fn dropped() {
    drop(armed_long_ago());
    hang();
}

fn armed_again() {
    let first = armed_long_ago();
    first.kick_disarm();
    // A beat of a host that holds the kick no longer.
    first.beat(first.now(), Site::Waiting);
    let second = Linux::new().unwrap();
    second.kick_name(ServiceId::new(1), "second");
    second.kick_arm(SHORT).unwrap();
    second.beat(second.now() - LONG, HUNG);
    hang();
}

// Signals

fn two_signals() {
    let sys = Linux::new().unwrap();
    let signals = sys.signals(&[Signal::Term, Signal::Int]).unwrap();
    assert_eq!(sys.signal_read(signals), Err(Errno::AGAIN));
    sys.poll_add(signals, 7, Interest::READ).unwrap();
    say("ready");
    wait_for_a_line();
    let mut events = Vec::new();
    sys.poll_wait(&mut events, Some(in_a_while(&sys))).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].key, 7);
    assert_eq!(sys.signal_read(signals), Ok(Signal::Int), "the lowest number first");
    assert_eq!(sys.signal_read(signals), Ok(Signal::Term));
    assert_eq!(sys.signal_read(signals), Err(Errno::AGAIN), "duplicates are merged");
    sys.close(signals);
    assert_eq!(sys.signal_read(signals), Err(Errno::BADF));
}

fn second_signal() {
    let sys = Linux::new().unwrap();
    let signals = sys.signals(&[Signal::Int, Signal::Term]).unwrap();
    say("ready");
    sys.wait(signals, Interest::READ, Some(in_a_while(&sys))).unwrap();
    assert_eq!(sys.signal_read(signals), Ok(Signal::Term));
    sys.signals_end_process(&[Signal::Int, Signal::Term]).unwrap();
    assert_eq!(sys.signals_end_process(&[Signal::Kill]), Err(Errno::INVAL), "sigaction(2) refuses it");
    hang();
}

fn second_signal_pending() {
    let sys = Linux::new().unwrap();
    sys.signals(&[Signal::Int, Signal::Term]).unwrap();
    say("ready");
    wait_for_a_line();
    sys.signals_end_process(&[Signal::Int, Signal::Term]).unwrap();
    unreachable!("a signal that is pending strikes at once");
}

fn signals_given_back() {
    let sys = Linux::new().unwrap();
    sys.signals(&[Signal::Int, Signal::Term]).unwrap();
    sys.kick_disarm();
    hang();
}

fn mask_given_back() {
    let outer = Linux::new().unwrap();
    let signals = outer.signals(&[Signal::Term]).unwrap();
    let inner = Linux::new().unwrap();
    inner.signals(&[Signal::Term]).unwrap();
    inner.signals_end_process(&[Signal::Term]).unwrap();
    drop(inner);
    say("ready");
    outer.wait(signals, Interest::READ, Some(in_a_while(&outer))).unwrap();
    assert_eq!(outer.signal_read(signals), Ok(Signal::Term));
    say("still blocked");
    wait_for_a_line();
}

// Descriptors

fn short_of_descriptors() {
    let sys = Linux::new().unwrap();
    let listener = sys.listen(LOOPBACK, 16).unwrap();
    sys.poll_add(listener, 1, Interest::READ).unwrap();
    let address = sys.local_address(listener).unwrap();
    let client = sys.connect(address).unwrap();
    let spare = sys.listen(LOOPBACK, 1).unwrap();
    lower(Resource::Nofile, next_descriptor());
    for _ in 0..3 {
        assert_eq!(sys.accept(listener), Err(Errno::MFILE));
        let mut events = Vec::new();
        sys.poll_wait(&mut events, Some(in_a_while(&sys))).unwrap();
        assert_eq!(events.len(), 1, "the connection stays in the queue");
    }
    assert_eq!(sys.connect(address), Err(Errno::MFILE));
    sys.close(spare);
    let (accepted, peer) = sys.accept(listener).unwrap();
    assert_eq!(peer, sys.local_address(client).unwrap());
    assert_eq!(sys.accept(listener), Err(Errno::MFILE), "the kernel looks for a descriptor before the queue");
    sys.close(accepted);
    assert_eq!(sys.accept(listener), Err(Errno::AGAIN));
    // Nothing is left open by what fails: there is room for one.
    for _ in 0..100 {
        assert_eq!(sys.listen(address, 16), Err(Errno::ADDRINUSE));
    }
}

// Whole hosts

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Idle,
    Fails,
    HangsInConnect,
    HangsInStop,
}

struct Only {
    role: Role,
    listener: Option<Listener>,
}

impl Service for Only {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        match self.role {
            Role::HangsInConnect => hang(),
            Role::Fails => Err(error("nobody is there")),
            Role::Idle | Role::HangsInStop => {
                self.listener = Some(cx.listen(LOOPBACK, 1)?);
                cx.wake_at(cx.now());
                Ok(Connected::Yes)
            }
        }
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        Ok(())
    }

    fn wake(&mut self, _: &mut Context<'_>) -> Result {
        say("ready");
        Ok(())
    }

    fn stop(&mut self, _: &mut Context<'_>) -> Result {
        if self.role == Role::HangsInStop { hang() } else { Ok(()) }
    }
}

fn host(role: Role) -> App {
    let short = Duration::from_millis(10);
    App::new("probe")
        .poll_period(short)
        .heartbeat_threshold(SHORT)
        .service(Hosted::new("only", Only { role, listener: None }))
}

fn by_turns(role: Role) -> ExitCode {
    let result = host_sys::run_turns(host(role), 3);
    ExitCode::from(host_core::error::exit::status(&result))
}

// Daemons

/// A daemon whose workers do this in the place of serving.
fn daemon(body: fn(&mut Worker) -> Result) -> ExitCode {
    let fleet = Fleet::new("broken").workers(2).restart_budget(2, LONG).run(body);
    host_sys::main(quiet(App::new("probe").fleet(fleet)))
}

/// As a daemon that leaves no files.
fn quiet(app: App) -> App {
    app.daemonize().log("/dev/null").stdout("/dev/null").stderr("/dev/null")
}

/// A worker sends its host a signal, and is not ready.
fn end_host(signal: rustix::process::Signal) -> Result {
    let host = rustix::process::getppid().expect("a host");
    rustix::process::kill_process(host, signal)?;
    std::thread::park_timeout(LONG);
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "this is what is refused")]
fn daemon_beside_a_thread() -> ExitCode {
    let (_stays, gone) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || gone.recv());
    daemon(|_| Ok(()))
}

// How a role speaks and waits

fn armed_long_ago() -> Linux {
    let sys = Linux::new().unwrap();
    sys.kick_name(ServiceId::new(0), "web");
    sys.kick_arm(SHORT).unwrap();
    sys.kick_name(ServiceId::new(1), "jobs");
    sys
}

fn hang() -> ! {
    say("ready");
    loop {
        std::hint::spin_loop();
    }
}

fn in_a_while(sys: &dyn Sys) -> Instant {
    sys.now() + Duration::from_secs(60)
}

fn say(words: &str) {
    println!("{words}");
}

fn wait_for_a_line() {
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

fn lower(resource: Resource, current: u64) {
    let maximum = getrlimit(resource).maximum;
    setrlimit(resource, Rlimit { current: Some(current), maximum }).unwrap();
}

/// The number that the next descriptor gets: as a limit, it leaves none.
fn next_descriptor() -> u64 {
    use std::os::fd::{AsFd as _, AsRawFd as _};
    let next = std::io::stderr().as_fd().try_clone_to_owned().unwrap();
    next.as_raw_fd().try_into().unwrap()
}
