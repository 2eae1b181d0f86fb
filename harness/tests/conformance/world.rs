//! A process that forks, with what most facts need.

use host_core::sys::{
    Birth, Child, ChildNews, Errno, ExitStatus, Handle, Interest, OnHostDeath, PollEvent, Readiness, Signal,
    SlotsId, Sys,
};
use host_core::time::Instant;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// How long something that takes microseconds may take; a bound, not a wait.
pub(crate) const BOUND: Duration = Duration::from_secs(10);
/// How long nothing must happen to count as nothing. In the simulator this is exact.
pub(crate) const QUIET: Duration = Duration::from_millis(20);
/// How long a child waits for its parent's order, or to be ended: longer than its parent waits for anything.
const PATIENCE: Duration = Duration::from_secs(40);
/// What a child that computes does at a time; on the real kernel, nothing takes no time.
const STEP: Duration = Duration::from_micros(50);
/// The status of a child that waited to be asked to quit.
pub(crate) const QUIT: u8 = 7;

/// Which kernel a case runs on; for what is seen from outside only, such as files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kernel {
    Simulated,
    Real,
}

/// A process, and what it forks with.
pub(crate) struct World {
    pub(crate) sys: Rc<dyn Sys>,
    pub(crate) page: SlotsId,
    pub(crate) kernel: Kernel,
}

impl World {
    pub(crate) fn new(sys: Rc<dyn Sys>, kernel: Kernel) -> Self {
        let page = sys.slots(8).expect("memory");
        Self { sys, page, kernel }
    }

    // Children

    pub(crate) fn birth<'a>(&self, keep: &'a [Handle]) -> Birth<'a> {
        Birth {
            title: "test: worker 0 (gen 0)",
            keep,
            output: None,
            slot: (self.page, 0, 1),
            on_host_death: OnHostDeath::Exit,
            drain_timeout: Duration::ZERO,
        }
    }

    pub(crate) fn fork(&self, keep: &[Handle], body: impl FnOnce(&Self) -> u8 + 'static) -> Child {
        self.fork_as(&self.birth(keep), body)
    }

    pub(crate) fn fork_as(&self, birth: &Birth<'_>, body: impl FnOnce(&Self) -> u8 + 'static) -> Child {
        let (page, kernel) = (self.page, self.kernel);
        self.sys.fork(birth, Box::new(move |sys| body(&Self { sys, page, kernel }))).expect("a fork")
    }

    /// A child at the other end of a channel, which nobody else holds.
    pub(crate) fn fork_on_line(
        &self,
        keep: &[Handle],
        body: impl FnOnce(&Self, Handle) -> u8 + 'static,
    ) -> (Child, Handle) {
        let (mine, theirs) = self.channel();
        let child = self.fork(&[keep, &[theirs]].concat(), move |child| body(child, theirs));
        self.sys.close(theirs);
        (child, mine)
    }

    /// A child that has begun, waits until it is asked to quit, and then exits with [`QUIT`].
    pub(crate) fn sleeper(&self, keep: &[Handle]) -> Child {
        let (child, line) = self.fork_on_line(keep, |child, line| {
            child.write(line, b"ready");
            child.stay()
        });
        self.hear(line, b"ready");
        self.sys.close(line);
        child
    }

    /// A child that has begun and computes until it is ended.
    pub(crate) fn spinner(&self) -> Child {
        let (child, line) = self.fork_on_line(&[], |child, line| {
            child.write(line, b"ready");
            child.spin()
        });
        self.hear(line, b"ready");
        self.sys.close(line);
        child
    }

    pub(crate) fn signal(&self, child: Child, signal: Signal) {
        self.sys.signal_child(child.handle, signal).expect("it was not reaped");
    }

    /// Waits until a child has ended; it stays a zombie.
    pub(crate) fn await_end(&self, child: Child) {
        self.ready(child.handle, Interest::READ);
    }

    /// Waits for the end of a child; how it ended.
    pub(crate) fn end_of(&self, child: Child) -> ExitStatus {
        self.await_end(child);
        let status = self.sys.reap(child.handle, false).expect("it was not reaped");
        self.sys.close(child.handle);
        status.expect("its handle tells its end")
    }

    /// Kills a child and reaps it.
    pub(crate) fn kill(&self, child: Child) {
        self.signal(child, Signal::Kill);
        assert_eq!(self.end_of(child), ExitStatus::by(Signal::Kill));
    }

    /// Where this process is told of its children.
    pub(crate) fn news_handle(&self) -> Handle {
        self.sys.signals(&[Signal::Chld]).expect("a descriptor")
    }

    /// Waits for the next news of a child, as a host does.
    pub(crate) fn news(&self, told: Handle, reap_strangers: bool) -> ChildNews {
        loop {
            if let Some(news) = self.sys.child_news(reap_strangers) {
                return news;
            }
            self.ready(told, Interest::READ);
            assert_eq!(self.sys.signal_read(told), Ok(Signal::Chld));
        }
    }

    /// Stops a child, and waits until it is. Before that, a signal of a lower number would overtake.
    pub(crate) fn stop(&self, told: Handle, child: Child) {
        self.signal(child, Signal::Stop);
        assert_eq!(self.news(told, false), ChildNews::Stopped(child.pid));
    }

    /// Continues a child, and waits for the news. Only for one that then lives on: the dead have no other news.
    pub(crate) fn cont(&self, told: Handle, child: Child) {
        self.signal(child, Signal::Cont);
        assert_eq!(self.news(told, false), ChildNews::Continued(child.pid));
    }

    // As a child

    /// Waits until this worker is asked to quit; the status that it then exits with.
    pub(crate) fn stay(&self) -> u8 {
        let quit = self.sys.quit_handle().expect("a worker has one");
        let deadline = self.deadline(PATIENCE);
        // It is interrupted for what it waits for.
        while let Err(errno) = self.sys.wait(quit, Interest::READ, deadline) {
            assert_eq!(errno, Errno::INTR, "nobody asked it to quit, nor ended it");
        }
        QUIT
    }

    /// Computes for ever.
    pub(crate) fn spin(&self) -> ! {
        loop {
            self.compute();
        }
    }

    /// Computes for a moment.
    pub(crate) fn compute(&self) {
        self.sys.work(STEP);
        std::hint::spin_loop();
    }

    /// Waits for the parent's order.
    pub(crate) fn obey(&self, line: Handle, order: &[u8]) {
        self.sys.wait(line, Interest::READ, self.deadline(PATIENCE)).expect("an order");
        assert_eq!(self.read_now(line).expect("an order"), order);
    }

    // Waiting

    pub(crate) fn deadline(&self, after: Duration) -> Option<Instant> {
        Some(self.sys.now() + after)
    }

    /// Waits until `handle` is ready; how.
    pub(crate) fn ready(&self, handle: Handle, interest: Interest) -> Readiness {
        self.sys.wait(handle, interest, self.deadline(BOUND)).expect("it becomes ready")
    }

    /// What holds of `handle` now.
    pub(crate) fn holds(&self, handle: Handle) -> Option<Readiness> {
        match self.sys.wait(handle, Interest::READ, Some(Instant::ZERO)) {
            Ok(readiness) => Some(readiness),
            Err(Errno::TIMEDOUT) => None,
            Err(errno) => panic!("{errno}"),
        }
    }

    /// Demands that nothing happens to `handle`.
    pub(crate) fn quiet(&self, handle: Handle) {
        self.quiet_for(handle, Interest::READ);
    }

    /// Demands that nothing happens to `handle` that somebody with `interest` would be told.
    pub(crate) fn quiet_for(&self, handle: Handle, interest: Interest) {
        let answer = self.sys.wait(handle, interest, self.deadline(QUIET));
        assert_eq!(answer, Err(Errno::TIMEDOUT));
    }

    /// The keys that are reported, waiting for at least one.
    pub(crate) fn keys(&self) -> Vec<u64> {
        self.wait_for_events(self.deadline(BOUND)).iter().map(|event| event.key).collect()
    }

    /// The keys that are reported now.
    pub(crate) fn look(&self) -> Vec<u64> {
        self.events().iter().map(|event| event.key).collect()
    }

    /// What is reported now, by key.
    pub(crate) fn events(&self) -> Vec<PollEvent> {
        self.wait_for_events(Some(Instant::ZERO))
    }

    /// What is reported until `deadline`, by key.
    pub(crate) fn wait_for_events(&self, deadline: Option<Instant>) -> Vec<PollEvent> {
        let mut events = Vec::new();
        self.sys.poll_wait(&mut events, deadline).expect("nothing interrupts it");
        events.sort_by_key(|event| event.key);
        events
    }

    /// Waits until something holds that nothing tells of.
    pub(crate) fn until(&self, holds: impl Fn() -> bool) {
        let begun = self.sys.now();
        while !holds() {
            assert!(self.sys.now().since(begun) < BOUND, "it does not come to hold");
            self.compute();
        }
    }

    // Channels and connections

    pub(crate) fn channel(&self) -> (Handle, Handle) {
        self.sys.channel().expect("descriptors")
    }

    pub(crate) fn write(&self, handle: Handle, bytes: &[u8]) {
        assert_eq!(self.sys.write(handle, bytes), Ok(bytes.len()));
    }

    /// What a read answers now.
    pub(crate) fn read_now(&self, handle: Handle) -> Result<Vec<u8>, Errno> {
        let mut buffer = [0; 512];
        self.sys.read(handle, &mut buffer).map(|count| buffer[..count].to_vec())
    }

    /// Waits for a message, bytes, the end or an error.
    pub(crate) fn read(&self, handle: Handle) -> Result<Vec<u8>, Errno> {
        self.ready(handle, Interest::READ);
        self.read_now(handle)
    }

    /// The next message or bytes; nothing at the end.
    pub(crate) fn message(&self, handle: Handle) -> Vec<u8> {
        self.read(handle).expect("no error")
    }

    pub(crate) fn hear(&self, handle: Handle, words: &[u8]) {
        let heard = self.message(handle);
        assert_eq!(heard, words, "{:?} for {:?}", heard.escape_ascii(), words.escape_ascii());
    }

    /// Demands that the next thing to read is the end.
    pub(crate) fn hear_end(&self, handle: Handle) {
        self.hear(handle, b"");
    }

    pub(crate) fn listen(&self, backlog: u32) -> (Handle, SocketAddr) {
        let listener = self.sys.listen(local(0), backlog).expect("a free port");
        (listener, self.sys.local_address(listener).expect("it is bound"))
    }

    /// Connects; the connection stands, and nobody may have accepted it.
    pub(crate) fn connect(&self, address: SocketAddr) -> Handle {
        self.try_connect(address).expect("somebody listens, and has room")
    }

    /// Begins to connect, and waits until the connection stands or has failed.
    pub(crate) fn try_connect(&self, address: SocketAddr) -> Result<Handle, Errno> {
        let client = self.sys.connect(address)?;
        self.ready(client, Interest::WRITE);
        self.sys.take_error(client)?.map_or(Ok(client), Err)
    }

    /// Both ends of a connection: the one that asked, the one that was accepted.
    pub(crate) fn pair(&self) -> (Handle, Handle) {
        let (listener, address) = self.listen(8);
        let client = self.connect(address);
        let server = self.accept(listener);
        self.sys.close(listener);
        (client, server)
    }

    pub(crate) fn accept(&self, listener: Handle) -> Handle {
        self.ready(listener, Interest::READ);
        self.sys.accept(listener).expect("one is in the queue").0
    }
}

/// Whether a process was ended by `signal`, with a core or without: that is for the machine to decide.
pub(crate) fn is_by(status: ExitStatus, signal: Signal) -> bool {
    matches!(status, ExitStatus::Signal { number, .. } if number == signal.number())
}

/// An address of this machine.
pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
