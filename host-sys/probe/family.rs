//! Roles that fork. Each child ends with its parent, and each wait has a bound.

use crate::{LOOPBACK, in_a_while, lower, next_descriptor, say, wait_for_a_line};
use host_core::fleet::beat::{Beat, Pace};
use host_core::service::kick::Site;
use host_core::sys::{
    Birth, Child, ChildNews, Errno, ExitStatus, ForkError, Handle, Interest, OnHostDeath, PollEvent,
    Processes, Readiness, Signal, SlotReading, SlotsId, Sys,
};
use host_core::time::{Duration, Instant};
use host_sys::Linux;
use rustix::process::{
    Resource, Rlimit, WaitId, WaitIdOptions, getpid, getrlimit, kill_process, set_child_subreaper, setrlimit,
    waitid,
};
use rustix::time::{ClockId, clock_getres, clock_gettime};
use std::fs::{File, read_link, read_to_string};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::rc::Rc;

const READABLE: Readiness = Readiness { readable: true, writable: false, ended: false };
/// The incarnation of all children here.
const FIRST: u32 = 1;
/// Far shorter than any test waits, and long enough to be seen.
const DRAIN: Duration = Duration::from_millis(100);

/// A process with children.
struct Host {
    sys: Linux,
    slots: SlotsId,
}

impl Host {
    fn new() -> Self {
        let sys = Linux::new().unwrap();
        let slots = sys.slots(2).unwrap();
        Self { sys, slots }
    }

    fn birth<'a>(&self, keep: &'a [Handle]) -> Birth<'a> {
        Birth {
            title: "probe: child",
            keep,
            output: None,
            slot: (self.slots, 0, FIRST),
            on_host_death: OnHostDeath::Exit,
            drain_timeout: DRAIN,
        }
    }

    fn fork(&self, body: impl FnOnce(Rc<dyn Sys>) -> u8 + 'static) -> Child {
        self.sys.fork(&self.birth(&[]), Box::new(body)).unwrap()
    }

    /// A child that holds the other end of a channel, which it is told.
    fn fork_with_channel(
        &self,
        keep: &[Handle],
        body: impl FnOnce(Rc<dyn Sys>, Handle) -> u8 + 'static,
    ) -> (Child, Handle) {
        let (near, far) = self.sys.channel().unwrap();
        let keep = [keep, &[far]].concat();
        let child = self.sys.fork(&self.birth(&keep), Box::new(move |sys| body(sys, far))).unwrap();
        self.sys.close(far);
        (child, near)
    }

    /// Waits until a child has ended, and reaps it.
    fn end(&self, child: Child) -> ExitStatus {
        until_readable(&self.sys, child.handle);
        let status = self.sys.reap(child.handle, false).unwrap().expect("a readable handle tells the end");
        self.sys.close(child.handle);
        status
    }
}

fn until_readable(sys: &dyn Sys, handle: Handle) {
    sys.wait(handle, Interest::READ, Some(sys.now() + Duration::from_secs(60))).unwrap();
}

fn is_readable(sys: &dyn Sys, handle: Handle) -> bool {
    match sys.wait(handle, Interest::READ, Some(Instant::ZERO)) {
        Ok(readiness) => readiness.readable,
        Err(errno) => {
            assert_eq!(errno, Errno::TIMEDOUT);
            false
        }
    }
}

fn tell(sys: &dyn Sys, channel: Handle, message: &[u8]) {
    assert_eq!(sys.write(channel, message), Ok(message.len()));
}

/// The next message; an empty one is the end.
fn hear(sys: &dyn Sys, channel: Handle) -> Vec<u8> {
    until_readable(sys, channel);
    let mut buffer = [0; 256];
    let length = sys.read(channel, &mut buffer).unwrap();
    buffer[..length].to_vec()
}

fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// A field of `/proc/self/status`, as a number: a set of signals.
fn of_status(name: &str) -> u64 {
    let status = read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap()
}

fn bits(numbers: &[u8]) -> u64 {
    numbers.iter().map(|number| 1 << (number - 1)).sum()
}

fn has_children() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::All, options).err() != Some(rustix::io::Errno::CHILD)
}

// How children end

pub(crate) fn children_that_end() {
    let host = Host::new();
    for code in [0, 7, 255] {
        let child = host.fork(move |_| code);
        assert_eq!(host.end(child), ExitStatus::Code(code));
    }
    for signal in [Signal::Kill, Signal::Segv, Signal::Alrm] {
        let (child, channel) = host.fork_with_channel(&[], |sys, channel| {
            tell(&*sys, channel, b"ready");
            spin()
        });
        assert_eq!(hear(&host.sys, channel), b"ready");
        assert_eq!(host.sys.reap(child.handle, false), Ok(None), "it lives");
        assert!(!is_readable(&host.sys, child.handle), "it lives");
        host.sys.signal_child(child.handle, signal).unwrap();
        assert_eq!(host.end(child), ExitStatus::by(signal));
        assert_eq!(hear(&host.sys, channel), b"", "the end");
    }
    let child = host.fork(|_| 3);
    assert_eq!(host.sys.reap(child.handle, true), Ok(Some(ExitStatus::Code(3))), "waits for it");
    assert!(!has_children());
}

pub(crate) fn child_that_ended_is_reaped_once() {
    let host = Host::new();
    let child = host.fork(|_| 9);
    until_readable(&host.sys, child.handle);
    host.sys.signal_child(child.handle, Signal::Kill).expect("one can send a signal to a zombie");
    assert_eq!(host.sys.reap(child.handle, false), Ok(Some(ExitStatus::Code(9))), "it was dead before");
    assert!(is_readable(&host.sys, child.handle));
    assert_eq!(host.sys.signal_child(child.handle, Signal::Kill), Err(Errno::SRCH));
    assert_eq!(host.sys.reap(child.handle, false), Err(Errno::CHILD));
    assert_eq!(host.sys.reap(child.handle, true), Err(Errno::CHILD));
    host.sys.close(child.handle);
    assert_eq!(host.sys.reap(child.handle, false), Err(Errno::BADF));
    assert_eq!(host.sys.signal_child(child.handle, Signal::Kill), Err(Errno::BADF));
}

/// Runs in a directory of its own, where a core may be left.
pub(crate) fn child_that_leaves_a_core() {
    let maximum = getrlimit(Resource::Core).maximum;
    setrlimit(Resource::Core, Rlimit { current: maximum, maximum }).unwrap();
    // What the machine does with cores, as the standard library sees it.
    let own_program = std::env::current_exe().unwrap();
    let status = std::process::Command::new(own_program)
        .arg("aborting")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    let host = Host::new();
    let child = host.fork(|_| std::process::abort());
    let number = Signal::Abrt.number();
    assert_eq!(host.end(child), ExitStatus::Signal { number, core: status.core_dumped() });
    say(if status.core_dumped() { "core" } else { "no core" });
}

pub(crate) fn chld_ignored() {
    let chld = bits(&[Signal::Chld.number()]);
    assert_ne!(of_status("SigIgn") & chld, 0, "this role is started so");
    let host = Host::new();
    let child = host.fork(|_| 3);
    assert_eq!(host.end(child), ExitStatus::Code(3));
    assert_eq!(of_status("SigIgn") & chld, 0);
    drop(host);
    assert_ne!(of_status("SigIgn") & chld, 0, "given back");

    let sys = Linux::new().unwrap();
    sys.signals(&[Signal::Chld]).unwrap();
    assert_eq!(of_status("SigIgn") & chld, 0, "none is sent where it is ignored");
}

// News

/// Waits for the next news.
fn news(host: &Host, signals: Handle, reap_strangers: bool) -> ChildNews {
    loop {
        if let Some(news) = host.sys.child_news(reap_strangers) {
            return news;
        }
        until_readable(&host.sys, signals);
        assert_eq!(host.sys.signal_read(signals), Ok(Signal::Chld));
    }
}

pub(crate) fn news_of_stops() {
    let host = Host::new();
    let signals = host.sys.signals(&[Signal::Chld]).unwrap();
    assert_eq!(host.sys.child_news(true), None, "without any child");
    let child = host.fork(|_| spin());
    for _ in 0..3 {
        host.sys.signal_child(child.handle, Signal::Stop).unwrap();
        assert_eq!(news(&host, signals, false), ChildNews::Stopped(child.pid));
        assert!(!is_readable(&host.sys, child.handle), "stopped is not ended");
        assert_eq!(host.sys.reap(child.handle, false), Ok(None));
        host.sys.signal_child(child.handle, Signal::Cont).unwrap();
        assert_eq!(news(&host, signals, false), ChildNews::Continued(child.pid));
    }
    host.sys.signal_child(child.handle, Signal::Kill).unwrap();
    until_readable(&host.sys, child.handle);
    for reap_strangers in [false, true, true] {
        assert_eq!(host.sys.child_news(reap_strangers), None, "its end is told by its handle");
    }
    assert_eq!(host.end(child), ExitStatus::by(Signal::Kill));
    assert_eq!(host.sys.child_news(true), None);
}

pub(crate) fn strangers() {
    set_child_subreaper(Some(getpid())).unwrap();
    let host = Host::new();
    let signals = host.sys.signals(&[Signal::Chld]).unwrap();
    for ours_is_reaped_first in [false, true] {
        let slots = host.slots;
        let (child, channel) = host.fork_with_channel(&[], move |sys, channel| {
            // A worker may have children too. This one dies with it, and is left to who adopts it.
            let birth = Birth {
                title: "probe: grandchild",
                keep: &[],
                output: None,
                slot: (slots, 1, FIRST),
                on_host_death: OnHostDeath::Exit,
                drain_timeout: DRAIN,
            };
            let grandchild = sys.fork(&birth, Box::new(|_| spin())).unwrap();
            tell(&*sys, channel, &grandchild.pid.0.to_ne_bytes());
            4
        });
        let grandchild = u32::from_ne_bytes(hear(&host.sys, channel).try_into().unwrap());
        until_readable(&host.sys, child.handle);
        assert_eq!(host.sys.child_news(false), None, "nobody asked for strangers");
        if ours_is_reaped_first {
            assert_eq!(host.end(child), ExitStatus::Code(4));
        }
        let ChildNews::StrangerReaped(stranger) = news(&host, signals, true) else { panic!("a stranger") };
        assert_eq!(stranger.0, grandchild);
        assert_eq!(host.sys.child_news(true), None);
        if !ours_is_reaped_first {
            assert_eq!(host.end(child), ExitStatus::Code(4), "ours is left to its handle");
        }
    }
    assert!(!has_children());
}

// What forbids to fork

#[allow(clippy::disallowed_methods, reason = "what a thread does to a fork is the question")]
pub(crate) fn two_threads() {
    let host = Host::new();
    assert_eq!(host.sys.threads(), Ok(1));
    let refused = ForkError::Threads { count: 2 };
    for _ in 0..10 {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || receiver.recv());
        assert_eq!(host.sys.threads(), Ok(2));
        assert_eq!(host.sys.fork(&host.birth(&[]), Box::new(|_| 0)), Err(refused));
        assert!(!has_children());
        drop(sender);
        thread.join().unwrap().unwrap_err();
        // Joined, it may not be gone yet.
        let child = host.fork(|_| 0);
        assert_eq!(host.end(child), ExitStatus::Code(0));
    }
    say(&refused.to_string());
}

pub(crate) fn no_room_for_a_pidfd() {
    let host = Host::new();
    let (near, far) = host.sys.channel().unwrap();
    let blocked = of_status("SigBlk");
    let limit = getrlimit(Resource::Nofile).current.unwrap();
    lower(Resource::Nofile, next_descriptor());
    let birth = host.birth(&[]);
    let refused = ForkError::System { call: "pidfd_open", errno: Errno::MFILE };
    for _ in 0..3 {
        assert_eq!(host.sys.fork(&birth, Box::new(|_| spin())), Err(refused));
        assert!(!has_children());
    }
    host.sys.close(near);
    // Room for one descriptor, which is the pidfd: the child has made its own.
    let child = host.fork(|_| 5);
    assert_eq!(host.end(child), ExitStatus::Code(5));
    lower(Resource::Nofile, limit);
    assert_eq!(of_status("SigBlk"), blocked);

    let stale = ForkError::System { call: "fork", errno: Errno::BADF };
    assert_eq!(host.sys.fork(&host.birth(&[far, near]), Box::new(|_| 0)), Err(stale), "near was closed");
    for slot in [(host.slots, 2, FIRST), (SlotsId(9), 0, FIRST)] {
        let wrong = ForkError::System { call: "fork", errno: Errno::INVAL };
        assert_eq!(host.sys.fork(&Birth { slot, ..birth }, Box::new(|_| 0)), Err(wrong));
    }
    assert!(!has_children());
}

// What a child has of its parent

pub(crate) fn partial_line() {
    let host = Host::new();
    print!("parent, ");
    let child = host.fork(|_| {
        print!("child, ");
        0
    });
    assert_eq!(host.end(child), ExitStatus::Code(0));
    say("parent");
}

/// Says when it is dropped.
struct Loud;

impl Drop for Loud {
    fn drop(&mut self) {
        say("dropped");
    }
}

struct ToStderr;

impl log::Log for ToStderr {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let _ = writeln!(std::io::stderr(), "{} {}: {}", record.level(), record.target(), record.args());
    }

    fn flush(&self) {
        let _ = writeln!(std::io::stderr(), "flushed");
    }
}

pub(crate) fn panicking_child() {
    log::set_logger(&ToStderr).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    let host = Host::new();
    let of_parent = Loud;
    let child = host.fork(|_| panic!("on purpose"));
    assert_eq!(host.end(child), ExitStatus::Code(101));
    say("reaped");
    drop(of_parent);
}

pub(crate) fn poller_beside_children() {
    let host = Host::new();
    let listener = host.sys.listen(LOOPBACK, 16).unwrap();
    let address = host.sys.local_address(listener).unwrap();
    host.sys.poll_add(listener, 1, Interest::READ).unwrap();
    let (near, far) = host.sys.channel().unwrap();
    host.sys.poll_add(near, 2, Interest::READ).unwrap();
    let mut events = Vec::new();
    for _ in 0..5 {
        let child = host
            .sys
            .fork(
                &host.birth(&[listener]),
                Box::new(move |sys| {
                    // Kept, and registered nowhere; and not kept.
                    assert_eq!(sys.poll_delete(listener), Err(Errno::NOENT));
                    assert_eq!(sys.poll_add(near, 3, Interest::READ), Err(Errno::BADF));
                    let mut events = vec![PollEvent { key: 9, readiness: READABLE }];
                    sys.poll_wait(&mut events, Some(Instant::ZERO)).unwrap();
                    assert_eq!(events, []);
                    sys.poll_add(listener, 4, Interest::READ).unwrap();
                    let client = sys.connect(sys.local_address(listener).unwrap()).unwrap();
                    sys.poll_wait(&mut events, Some(sys.now() + Duration::from_secs(60))).unwrap();
                    assert_eq!(events, [PollEvent { key: 4, readiness: READABLE }]);
                    let (server, _) = sys.accept(listener).unwrap();
                    sys.close(server);
                    sys.close(client);
                    sys.poll_delete(listener).unwrap();
                    sys.close(listener);
                    0
                }),
            )
            .unwrap();
        assert_eq!(host.end(child), ExitStatus::Code(0));
        tell(&host.sys, far, b"x");
        let client = host.sys.connect(address).unwrap();
        until_readable(&host.sys, listener);
        host.sys.poll_wait(&mut events, Some(in_a_while(&host.sys))).unwrap();
        events.sort_by_key(|event| event.key);
        assert_eq!(events, [1, 2].map(|key| PollEvent { key, readiness: READABLE }));
        assert_eq!(hear(&host.sys, near), b"x");
        let (server, _) = host.sys.accept(listener).unwrap();
        host.sys.close(server);
        host.sys.close(client);
        host.sys.poll_wait(&mut events, Some(Instant::ZERO)).unwrap();
        assert_eq!(events, []);
    }
}

/// The open descriptors of this process and what they are, without the one that this takes.
fn descriptors() -> Vec<String> {
    let mut all: Vec<_> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| read_link(entry.unwrap().path()).ok())
        .map(|target| target.to_str().unwrap().to_owned())
        .filter(|target| !target.ends_with("/fd"))
        .map(|target| kind(&target).to_owned())
        .collect();
    all.sort();
    all
}

/// Without the number that tells one `socket:[…]` from the next.
fn kind(target: &str) -> &str {
    target.trim_end_matches(']').trim_end_matches(|letter: char| letter.is_ascii_digit())
}

pub(crate) fn descriptors_of_a_child() {
    let host = Host::new();
    let before = descriptors();
    let listener = host.sys.listen(LOOPBACK, 16).unwrap();
    let address = host.sys.local_address(listener).unwrap();
    let (near, far) = host.sys.channel().unwrap();
    let signals = host.sys.signals(&[Signal::Chld]).unwrap();
    host.sys.poll_add(listener, 1, Interest::READ).unwrap();
    let mut own = File::open("/proc/self/exe").unwrap();
    // A sibling, whose pidfd and channel are nobody else's.
    let (sibling, to_sibling) = host.fork_with_channel(&[], |sys, channel| {
        assert_eq!(hear(&*sys, channel), b"");
        0
    });
    // Standard streams and a poller, as its parent had at first.
    let mut expected = before;
    let exe = read_link("/proc/self/exe").unwrap();
    let more = ["anon_inode:[eventfd]", "socket:[1]", "socket:[2]", exe.to_str().unwrap()];
    expected.extend(more.map(|target| kind(target).to_owned()));
    expected.sort();
    let keep = [listener, far];
    let child = host
        .sys
        .fork(
            &host.birth(&keep),
            Box::new(move |sys| {
                assert_eq!(descriptors(), expected);
                for closed in [near, signals, sibling.handle, to_sibling] {
                    assert_eq!(sys.wait(closed, Interest::READ, Some(Instant::ZERO)), Err(Errno::BADF));
                }
                assert_eq!(sys.local_address(listener), Ok(address));
                assert_eq!(hear(&*sys, far), b"for the child");
                tell(&*sys, far, b"for the parent");
                let mut start = [0; 4];
                own.rewind().unwrap();
                own.read_exact(&mut start).unwrap();
                assert_eq!(start, *b"\x7fELF");
                0
            }),
        )
        .unwrap();
    host.sys.close(far);
    tell(&host.sys, near, b"for the child");
    assert_eq!(hear(&host.sys, near), b"for the parent");
    assert_eq!(hear(&host.sys, near), b"", "the end: nobody else holds the other end");
    assert_eq!(host.end(child), ExitStatus::Code(0));
    host.sys.close(to_sibling);
    assert_eq!(host.end(sibling), ExitStatus::Code(0), "it sees the end as well");
}

// Signals of a child

pub(crate) fn signals_of_a_child() {
    let host = Host::new();
    host.sys.kick_arm(Duration::from_nanos(1)).unwrap();
    use Signal::{Chld, Hup, Int, Quit, Term, Ttin, Ttou, Usr1, Usr2, Winch};
    let signals = host.sys.signals(&[Hup, Int, Quit, Term, Usr2, Chld, Ttin, Ttou, Winch]).unwrap();
    kill_process(getpid(), rustix::process::Signal::USR2).unwrap();
    let pid = std::process::id();
    assert_eq!(host.sys.pid().0, pid);
    assert_eq!(host.sys.quit_handle(), Err(Errno::NOSYS), "no worker");
    assert!(!host.sys.quit_asked());
    let (child, channel) = host.fork_with_channel(&[], move |sys, channel| {
        assert_eq!(sys.pid().0, std::process::id());
        assert_ne!(sys.pid().0, pid);
        for pending in ["SigPnd", "ShdPnd", "SigBlk"] {
            assert_eq!(of_status(pending), 0, "{pending}");
        }
        // 13 is PIPE; 32 and 33 belong to the libc.
        assert_eq!(of_status("SigIgn") & !bits(&[32, 33]), bits(&[1, 10, 12, 13, 21, 22, 28]));
        assert_eq!(of_status("SigCgt") & !bits(&[32, 33]), bits(&[2, 3, 15]));
        assert!(!sys.quit_asked());
        tell(&*sys, channel, b"ready");
        assert_eq!(hear(&*sys, channel), b"after the signals");
        // The parent holds the kick. That is nothing to its child.
        sys.kick_arm(Duration::from_secs(60)).unwrap();
        sys.beat(sys.now(), Site::Loop);
        0
    });
    assert_eq!(hear(&host.sys, channel), b"ready");
    for signal in [Hup, Usr1, Usr2, Ttin, Ttou, Winch] {
        host.sys.signal_child(child.handle, signal).unwrap();
    }
    tell(&host.sys, channel, b"after the signals");
    assert_eq!(host.end(child), ExitStatus::Code(0));
    assert_eq!(host.sys.signal_read(signals), Ok(Usr2), "the parent's stay pending");
    assert_eq!(host.sys.signal_read(signals), Ok(Chld));
    assert_eq!(host.sys.signal_read(signals), Err(Errno::AGAIN));
}

pub(crate) fn told_to_stop() {
    let host = Host::new();
    for signal in [Signal::Term, Signal::Int] {
        let (child, channel) = host.fork_with_channel(&[], |sys, channel| {
            print!("never written");
            tell(&*sys, channel, b"ready");
            spin()
        });
        assert_eq!(hear(&host.sys, channel), b"ready");
        host.sys.signal_child(child.handle, signal).unwrap();
        assert_eq!(host.end(child), ExitStatus::Code(0));
        // Perhaps before it has begun.
        let child = host.fork(|_| spin());
        host.sys.signal_child(child.handle, signal).unwrap();
        assert_eq!(host.end(child), ExitStatus::Code(0));
    }
}

pub(crate) fn asked_to_quit() {
    let host = Host::new();
    let (child, channel) = host.fork_with_channel(&[], |sys, channel| {
        let later = Some(sys.now() + Duration::from_secs(60));
        let quit = sys.quit_handle().unwrap();
        assert_eq!(sys.quit_handle(), Ok(quit));
        sys.close(quit);
        assert_eq!(sys.wait_or_quit(channel, Interest::READ, Some(sys.now())), Err(Errno::TIMEDOUT));
        assert!(sys.wait_or_quit(channel, Interest::WRITE, later).unwrap().writable);
        assert!(!is_readable(&*sys, quit));
        assert!(!sys.quit_asked());
        sys.poll_add(quit, 7, Interest::READ).unwrap();
        tell(&*sys, channel, b"ready");
        assert_eq!(sys.wait_or_quit(channel, Interest::READ, later), Err(Errno::CANCELED));
        assert!(sys.quit_asked());
        assert!(is_readable(&*sys, quit));
        let mut events = Vec::new();
        sys.poll_wait(&mut events, later).unwrap();
        assert_eq!(events, [PollEvent { key: 7, readiness: READABLE }]);
        for interest in [Interest::READ, Interest::NONE] {
            assert_eq!(sys.wait_or_quit(channel, interest, later), Err(Errno::CANCELED), "asked before");
        }
        tell(&*sys, channel, b"asked");
        until_readable(&*sys, channel);
        assert_eq!(sys.wait_or_quit(channel, Interest::READ, later), Ok(READABLE), "what is ready wins");
        0
    });
    assert_eq!(hear(&host.sys, channel), b"ready");
    assert_eq!(
        host.sys.wait_or_quit(channel, Interest::READ, Some(host.sys.now())),
        Err(Errno::TIMEDOUT),
        "one that is no worker merely waits"
    );
    host.sys.signal_child(child.handle, Signal::Quit).unwrap();
    assert_eq!(hear(&host.sys, channel), b"asked");
    tell(&host.sys, channel, b"x");
    assert_eq!(host.end(child), ExitStatus::Code(0));

    for _ in 0..10 {
        // Perhaps before it has begun; and a child of a process that was asked was not asked.
        let child = host.fork(|sys| {
            let (one, _other) = sys.channel().unwrap();
            let later = Some(sys.now() + Duration::from_secs(60));
            assert_eq!(sys.wait_or_quit(one, Interest::READ, later), Err(Errno::CANCELED));
            assert!(sys.quit_asked());
            let birth = Birth {
                title: "probe: grandchild",
                keep: &[],
                output: None,
                slot: (SlotsId(0), 0, FIRST),
                on_host_death: OnHostDeath::Exit,
                drain_timeout: DRAIN,
            };
            let grandchild = sys.fork(&birth, Box::new(|sys| sys.quit_asked().into())).unwrap();
            assert_eq!(sys.reap(grandchild.handle, true), Ok(Some(ExitStatus::Code(0))));
            0
        });
        host.sys.signal_child(child.handle, Signal::Quit).unwrap();
        assert_eq!(host.end(child), ExitStatus::Code(0));
    }
}

// Orphans: their test kills the parent, and sees the children by the end of standard output

fn leave(on_host_death: OnHostDeath, drain_timeout: Duration, body: fn(&dyn Sys) -> u8) {
    let host = Host::new();
    for _ in 0..2 {
        let birth = Birth { on_host_death, drain_timeout, ..host.birth(&[]) };
        let body = move |sys: Rc<dyn Sys>| {
            say("ready");
            body(&*sys)
        };
        host.sys.fork(&birth, Box::new(body)).unwrap();
    }
    wait_for_a_line();
    die();
}

fn die() {
    kill_process(getpid(), rustix::process::Signal::KILL).unwrap();
}

/// Its children may be anywhere in their birth.
pub(crate) fn dies_at_once() {
    let host = Host::new();
    for on_host_death in [OnHostDeath::Exit, OnHostDeath::Drain] {
        let birth = Birth { on_host_death, ..host.birth(&[]) };
        host.sys.fork(&birth, Box::new(|_| spin())).unwrap();
    }
    die();
}

pub(crate) fn leaves_children_that_spin() {
    leave(OnHostDeath::Exit, DRAIN, |_| spin());
}

pub(crate) fn leaves_children_that_quit() {
    leave(OnHostDeath::Drain, Duration::from_secs(60), |sys| {
        let (one, _other) = sys.channel().unwrap();
        let later = Some(in_a_while(sys));
        assert_eq!(sys.wait_or_quit(one, Interest::READ, later), Err(Errno::CANCELED));
        assert!(sys.quit_asked());
        say("quits");
        0
    });
}

pub(crate) fn leaves_children_that_do_not_quit() {
    leave(OnHostDeath::Drain, DRAIN, |sys| {
        while !sys.quit_asked() {
            std::hint::spin_loop();
        }
        say("stays");
        // Asking again is no reprieve.
        loop {
            kill_process(getpid(), rustix::process::Signal::QUIT).unwrap();
        }
    });
}

// Title, slots, listener

pub(crate) fn titled() {
    let host = Host::new();
    let arguments: Vec<_> = std::env::args().collect();
    let of_proc = |pid: u32, name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap();
    let environment = of_proc(host.sys.pid().0, "environ");
    let long = "echo: worker 3 (gen 1) ".repeat(100);
    for title in ["echo: worker 3 (gen 1)", "e", "", "Größenänderung", "nul\0nul", &long] {
        let (near, far) = host.sys.channel().unwrap();
        let expected = arguments.clone();
        let body = move |sys: Rc<dyn Sys>| {
            assert_eq!(std::env::args().collect::<Vec<_>>(), expected);
            tell(&*sys, far, b"ready");
            assert_eq!(hear(&*sys, far), b"");
            0
        };
        let keep = [far];
        let child = host.sys.fork(&Birth { title, ..host.birth(&keep) }, Box::new(body)).unwrap();
        host.sys.close(far);
        assert_eq!(hear(&host.sys, near), b"ready");

        let title = title.split('\0').next().unwrap();
        let name = String::from_utf8(of_proc(child.pid.0, "comm")).unwrap();
        assert_eq!(name.trim_end_matches('\n'), &title[..title.floor_char_boundary(15)]);
        let line = of_proc(child.pid.0, "cmdline");
        let shown = line.split(|byte| *byte == 0).next().unwrap();
        if title.len() < of_proc(host.sys.pid().0, "cmdline").len() {
            assert_eq!(shown, title.as_bytes());
        } else {
            assert!(shown.len() > 20 && title.as_bytes().starts_with(shown), "{shown:?}");
        }
        assert!(line[shown.len()..].iter().all(|byte| *byte == 0), "nothing else is shown");
        assert_eq!(of_proc(child.pid.0, "environ"), environment);
        host.sys.close(near);
        assert_eq!(host.end(child), ExitStatus::Code(0));
    }
}

pub(crate) fn slots() {
    let host = Host::new();
    let (sys, page) = (&host.sys, host.slots);
    let read = |slot, incarnation| sys.slot_read(page, slot, incarnation);
    let (child, channel) = host.fork_with_channel(&[], |sys, channel| {
        tell(&*sys, channel, b"ready");
        assert_eq!(hear(&*sys, channel), b"go on");
        sys.slot_extend(Instant::from_nanos(77_000));
        sys.slot_count(5);
        sys.pulse(Pace::Busy);
        tell(&*sys, channel, b"busy");
        assert_eq!(hear(&*sys, channel), b"go on");
        sys.pulse(Pace::Waiting);
        tell(&*sys, channel, b"waiting");
        for site in [Site::Loop, Site::Waiting, crate::HUNG] {
            assert_eq!(hear(&*sys, channel), b"go on");
            sys.beat(Instant::from_nanos(5_000), site);
            tell(&*sys, channel, b"beaten");
        }
        spin()
    });
    assert_eq!(hear(sys, channel), b"ready");
    assert_eq!(read(0, FIRST), SlotReading::default());
    let mut before = coarse_clock();
    for pace in [Pace::Busy, Pace::Waiting] {
        tell(sys, channel, b"go on");
        hear(sys, channel);
        let reading = read(0, FIRST);
        let beat = reading.beat.unwrap();
        assert_eq!(beat.pace, pace);
        assert!(
            beat.at >= before && beat.at < sys.now() + Duration::from_secs(1),
            "{beat:?} since {before:?}"
        );
        assert_eq!(reading.extended_until, Some(Instant::from_nanos(77_000)));
        assert_eq!(reading.requests, 5);
        before = coarse_clock();
    }
    for pace in [Pace::Busy, Pace::Waiting, Pace::Busy] {
        tell(sys, channel, b"go on");
        assert_eq!(hear(sys, channel), b"beaten");
        assert_eq!(read(0, FIRST).beat, Some(Beat { at: Instant::from_nanos(5_000), pace }));
    }
    sys.signal_child(child.handle, Signal::Kill).unwrap();
    assert_eq!(host.end(child), ExitStatus::by(Signal::Kill));
    assert_eq!(read(0, FIRST).requests, 5, "what it stored outlives it");
    assert_eq!(read(0, FIRST + 1), SlotReading::default(), "another incarnation stored nothing");
    assert_eq!(read(1, FIRST), SlotReading::default(), "another slot");
    // Nobody's slot is written by who has none.
    sys.pulse(Pace::Busy);
    sys.beat(sys.now(), Site::Loop);
    assert_eq!(read(0, FIRST).beat, Some(Beat { at: Instant::from_nanos(5_000), pace: Pace::Busy }));
    sys.slot_claim(page, 0, FIRST + 1);
    for incarnation in [FIRST, FIRST + 1] {
        assert_eq!(read(0, incarnation), SlotReading::default());
    }
}

pub(crate) fn pulses() {
    let host = Host::new();
    let page = host.slots;
    let child = host.fork(move |sys| {
        let tick = clock_getres(ClockId::MonotonicCoarse);
        let ticks = Duration::new(tick.tv_sec as u64, tick.tv_nsec as u32) * 2;
        // A tick may come late, as to any machine that is not alone on its processor. Not for a minute.
        let give_up = in_a_while(&*sys);
        while sys.now() < give_up {
            let (until, mut early) = (sys.now() + Duration::from_millis(50), 0);
            while sys.now() < until {
                let (earliest, before) = (coarse_clock() + ticks, sys.now());
                sys.pulse(Pace::Busy);
                let at = sys.slot_read(page, 0, FIRST).beat.unwrap().at;
                let latest = coarse_clock() + ticks + Duration::from_micros(1);
                assert!((earliest..=latest).contains(&at), "{at:?} is not in {earliest:?}..={latest:?}");
                assert!(at <= sys.now() + ticks + Duration::from_micros(1));
                early += u32::from(at < before);
            }
            if early == 0 {
                return 0;
            }
        }
        1
    });
    assert_eq!(host.end(child), ExitStatus::Code(0));
}

/// The clock that a pulse reads.
fn coarse_clock() -> Instant {
    let time = clock_gettime(ClockId::MonotonicCoarse);
    Instant::ZERO + Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

pub(crate) fn shared_listener() {
    const CHILDREN: usize = 3;
    const CONNECTIONS: usize = 20;
    /// What a child says when it was woken.
    const READY: &[u8] = b"ready";
    const ACCEPTED: &[u8] = b"accepted";
    const NONE_LEFT: &[u8] = b"none left";

    let host = Host::new();
    let sys = &host.sys;
    let listener = sys.listen(LOOPBACK, 16).unwrap();
    let address = sys.local_address(listener).unwrap();
    let children: Vec<_> = (0..CHILDREN)
        .map(|_| {
            host.fork_with_channel(&[listener], move |sys, channel| {
                let quit = sys.quit_handle().unwrap();
                sys.poll_add(quit, 0, Interest::READ).unwrap();
                sys.poll_add_shared(listener, 1).unwrap();
                assert!(exclusive_registrations() == 1);
                tell(&*sys, channel, READY);
                let mut events = Vec::new();
                loop {
                    let waited = sys.poll_wait(&mut events, Some(sys.now() + Duration::from_secs(60)));
                    if sys.quit_asked() {
                        return 0;
                    }
                    waited.unwrap();
                    assert_eq!(events, [PollEvent { key: 1, readiness: READABLE }]);
                    match sys.accept(listener) {
                        Ok((server, _)) => {
                            tell(&*sys, channel, ACCEPTED);
                            sys.close(server);
                        }
                        Err(errno) => {
                            assert_eq!(errno, Errno::AGAIN);
                            tell(&*sys, channel, NONE_LEFT);
                        }
                    }
                }
            })
        })
        .collect();
    for (key, (_, channel)) in (0..).zip(&children) {
        assert_eq!(hear(sys, *channel), READY);
        sys.poll_add(*channel, key, Interest::READ).unwrap();
    }
    let mut events = Vec::new();
    let mut accepted = 0;
    for connection in 1..=CONNECTIONS {
        let client = sys.connect(address).unwrap();
        while accepted < connection {
            sys.poll_wait(&mut events, Some(in_a_while(sys))).unwrap();
            assert!(!events.is_empty(), "nobody was woken");
            for event in &events {
                let words = hear(sys, children[event.key as usize].1);
                accepted += usize::from(words == ACCEPTED);
                assert!(words == ACCEPTED || words == NONE_LEFT, "{words:?}");
            }
        }
        // Its end comes from who accepted it.
        until_readable(sys, client);
        assert_eq!(sys.read(client, &mut [0]), Ok(0));
        sys.close(client);
    }
    for (child, channel) in children {
        sys.signal_child(child.handle, Signal::Quit).unwrap();
        assert_eq!(host.end(child), ExitStatus::Code(0));
        while let words @ [_, ..] = &*hear(sys, channel) {
            assert_eq!(words, NONE_LEFT, "each connection is accepted once");
        }
    }
}

/// How many registrations of this process's epoll sets are exclusive (proc_pid_fdinfo(5)).
fn exclusive_registrations() -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir("/proc/self/fdinfo").unwrap() {
        let Ok(info) = read_to_string(entry.unwrap().path()) else { continue };
        for line in info.lines().filter(|line| line.starts_with("tfd:")) {
            let events = line.split_whitespace().skip_while(|word| *word != "events:").nth(1).unwrap();
            count += usize::from(u32::from_str_radix(events, 16).unwrap() & 1 << 28 != 0);
        }
    }
    count
}

pub(crate) fn exclusive_while_it_reads() {
    let sys = Linux::new().unwrap();
    let listener = sys.listen(LOOPBACK, 16).unwrap();
    sys.poll_add_shared(listener, 1).unwrap();
    let both = Interest::READ | Interest::WRITE;
    for (interest, exclusive) in [
        (Interest::READ, 1),
        (Interest::NONE, 0),
        (Interest::READ, 1),
        (Interest::WRITE, 0),
        (both, 0),
        (Interest::READ, 1),
    ] {
        sys.poll_modify(listener, 2, interest).unwrap();
        assert_eq!(exclusive_registrations(), exclusive, "{interest:?}");
    }
    sys.poll_delete(listener).unwrap();
    sys.poll_add(listener, 3, Interest::READ).unwrap();
    assert_eq!(exclusive_registrations(), 0);
    sys.poll_modify(listener, 3, Interest::NONE).unwrap();
    sys.poll_modify(listener, 3, Interest::READ).unwrap();
    assert_eq!(exclusive_registrations(), 0);
}

// This process and its terminal

pub(crate) fn bound_to_one_processor() {
    let sys = Linux::new().unwrap();
    let all = rustix::thread::sched_getaffinity(None).unwrap();
    assert!((1..=all.count()).contains(&sys.processors()));
    let first = (0..1024).find(|number| all.is_set(*number)).unwrap();
    let mut one = rustix::thread::CpuSet::new();
    one.set(first);
    rustix::thread::sched_setaffinity(None, &one).unwrap();
    assert_eq!(sys.processors(), 1);
}

/// Standard input is a terminal, which nobody controls yet.
pub(crate) fn signals_of_a_terminal() {
    rustix::process::setsid().unwrap();
    rustix::process::ioctl_tiocsctty(std::io::stdin()).unwrap();
    let sys = Linux::new().unwrap();
    let signals = sys.signals(&[Signal::Winch]).unwrap();
    say("ready");
    for _ in 0..2 {
        wait_for_a_line();
        assert!(is_readable(&sys, signals));
        assert_eq!(sys.signal_read(signals), Err(Errno::AGAIN), "it means the window");
        say("nothing");
        wait_for_a_line();
        assert_eq!(sys.signal_read(signals), Ok(Signal::Winch));
        say("a signal");
    }
}
