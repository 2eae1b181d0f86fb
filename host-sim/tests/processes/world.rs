//! A process that forks, with what most facts need.

use host_core::sys::{
    Birth, Child, Errno, ExitStatus, Handle, Interest, OnHostDeath, Readiness, Signal, SlotsId, Sys,
};
use host_core::time::Instant;
use host_sim::{Choices, Pool, Sim};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// How long something that takes microseconds may take; a bound, not a wait.
pub(crate) const BOUND: Duration = Duration::from_secs(10);
/// How long nothing must happen to count as nothing; longer than anything that is on its way takes.
pub(crate) const QUIET: Duration = Duration::from_millis(20);

/// Runs `program` on machines with several seeds.
pub(crate) fn on_a_machine(program: fn(&World)) {
    on_a_machine_with(|_| {}, program);
}

/// Runs `program` on machines with several seeds, after `set_up`.
pub(crate) fn on_a_machine_with(set_up: fn(&mut Sim), program: fn(&World)) {
    let pool = Pool::default();
    for seed in 0..4 {
        let mut sim = Sim::new(Choices::seeded(seed), &pool);
        set_up(&mut sim);
        sim.run_process(move |sys| program(&World::new(sys)));
    }
}

/// A process, and what it forks with.
pub(crate) struct World {
    pub(crate) sys: Rc<dyn Sys>,
    pub(crate) page: SlotsId,
}

impl World {
    pub(crate) fn new(sys: Rc<dyn Sys>) -> Self {
        let page = sys.slots(8).expect("memory");
        Self { sys, page }
    }

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
        let page = self.page;
        self.sys.fork(birth, Box::new(move |sys| body(&Self { sys, page }))).expect("a fork")
    }

    /// A child that waits until it is asked to quit, and then exits with 7.
    pub(crate) fn sleeper(&self, keep: &[Handle]) -> Child {
        let child = self.fork(keep, |world| {
            let quit = world.sys.quit_handle().expect("a worker has one");
            while !world.sys.quit_asked() {
                // It may be interrupted.
                let _ = world.sys.wait(quit, Interest::READ, None);
            }
            7
        });
        self.pause(QUIET);
        child
    }

    /// Lets time pass, in which all others go on.
    pub(crate) fn pause(&self, duration: Duration) {
        self.sys.work(duration);
    }

    pub(crate) fn deadline(&self, after: Duration) -> Option<Instant> {
        Some(self.sys.now() + after)
    }

    pub(crate) fn signal(&self, child: Child, signal: Signal) {
        self.sys.signal_child(child.handle, signal).expect("it was not reaped");
    }

    /// Waits for the end of a child; how it ended.
    pub(crate) fn end_of(&self, child: Child) -> ExitStatus {
        let status = self.sys.reap(child.handle, true).expect("it was not reaped");
        self.sys.close(child.handle);
        status.expect("it was waited for")
    }

    /// Kills a child and reaps it.
    pub(crate) fn kill(&self, child: Child) {
        self.signal(child, Signal::Kill);
        assert_eq!(self.end_of(child), ExitStatus::by(Signal::Kill));
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
        let answer = self.sys.wait(handle, Interest::READ, self.deadline(QUIET));
        assert_eq!(answer, Err(Errno::TIMEDOUT));
    }

    /// Waits for a message, bytes, the end or an error.
    pub(crate) fn read(&self, handle: Handle) -> Result<Vec<u8>, Errno> {
        self.sys.wait(handle, Interest::READ, self.deadline(BOUND)).expect("it becomes ready");
        let mut buffer = [0; 512];
        self.sys.read(handle, &mut buffer).map(|count| buffer[..count].to_vec())
    }

    /// The next message or bytes; nothing at the end.
    pub(crate) fn message(&self, handle: Handle) -> Vec<u8> {
        self.read(handle).expect("no error")
    }

    pub(crate) fn channel(&self) -> (Handle, Handle) {
        self.sys.channel().expect("descriptors")
    }

    pub(crate) fn write(&self, handle: Handle, bytes: &[u8]) {
        assert_eq!(self.sys.write(handle, bytes), Ok(bytes.len()));
    }

    /// The keys that are reported until `deadline`, waiting for at least one.
    pub(crate) fn keys(&self, deadline: Option<Instant>) -> Vec<u64> {
        let mut events = Vec::new();
        self.sys.poll_wait(&mut events, deadline).expect("nothing interrupts it");
        events.iter().map(|event| event.key).collect()
    }

    /// The keys that are reported now.
    pub(crate) fn look(&self) -> Vec<u64> {
        self.keys(Some(Instant::ZERO))
    }

    pub(crate) fn listen(&self) -> (Handle, SocketAddr) {
        let listener = self.sys.listen(SocketAddr::from(([127, 0, 0, 1], 0)), 16).expect("a free port");
        (listener, self.sys.local_address(listener).expect("it is bound"))
    }

    /// Connects; the connection stands, and nobody may have accepted it.
    pub(crate) fn connect(&self, address: SocketAddr) -> Handle {
        let client = self.sys.connect(address).expect("a descriptor");
        self.sys.wait(client, Interest::WRITE, self.deadline(BOUND)).expect("it stands");
        assert_eq!(self.sys.take_error(client), Ok(None));
        client
    }
}
