//! The kick and the stop signals.

use crate::running::{Case, Say};
use harness::ExitStatus;
use host_core::error::exit;
use host_core::sys::{Errno, Signal};
use host_core::{App, Connected, Context, Hosted, Ready, Result, Service, Stream};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const THRESHOLD: Duration = Duration::from_millis(50);

/// Where a service gets stuck.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stuck {
    Never,
    InConnect,
    InStop,
    InDrop,
}

/// A service that says how far it has come, and gets stuck for ever where it is told to.
struct Sticky {
    stuck: Stuck,
    say: Say,
    /// To wait for in vain.
    stream: Option<Stream>,
}

impl Sticky {
    fn new(stuck: Stuck, say: Say) -> Self {
        Self { stuck, say, stream: None }
    }
}

impl Sticky {
    /// Says so once the heartbeat is older than the threshold, and never comes back: no error of its
    /// own can be caught, nothing is asked of the kernel.
    fn get_stuck(&self, cx: &mut Context<'_>) -> ! {
        let begun = cx.now();
        (self.say)("stuck");
        while cx.now().since(begun) <= THRESHOLD {
            cx.work(MS);
        }
        (self.say)("stuck past the threshold");
        loop {
            cx.work(MS * 100);
        }
    }
}

/// Gets stuck when everything has been told already.
impl Drop for Sticky {
    fn drop(&mut self) {
        if self.stuck == Stuck::InDrop {
            (self.say)("stuck in drop");
            // Nobody ever writes. Another error means that this process is unwound in the simulator.
            let stuck = |stream: &mut Stream| stream.read_waiting(&mut [0]) == Err(Errno::TIMEDOUT);
            while self.stream.as_mut().is_some_and(stuck) {}
        }
    }
}

impl Service for Sticky {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        if self.stuck == Stuck::InConnect {
            self.get_stuck(cx);
        }
        if self.stuck == Stuck::InDrop {
            let address = cx.listener_address("sticky").ok_or("no listener")?;
            self.stream = Some(cx.connect_to(address)?);
        }
        (self.say)("connect");
        Ok(Connected::NotYet)
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        Ok(())
    }

    fn stop(&mut self, cx: &mut Context<'_>) -> Result {
        (self.say)("told to stop");
        if self.stuck == Stuck::InStop {
            self.get_stuck(cx);
        }
        Ok(())
    }
}

fn app(stuck: Stuck, say: Say) -> App {
    // A host that is never stuck must not be found hung because its machine is busy.
    let threshold = if stuck == Stuck::Never { THRESHOLD * 100 } else { THRESHOLD };
    App::new("sticky")
        .poll_period(THRESHOLD / 5)
        .heartbeat_threshold(threshold)
        .listen("sticky", "127.0.0.1:0")
        .service(Hosted::new("sticky", Sticky::new(stuck, say)))
}

fn never_stuck(say: Say) -> App {
    app(Stuck::Never, say)
}

fn stuck_in_connect(say: Say) -> App {
    app(Stuck::InConnect, say)
}

fn stuck_in_stop(say: Say) -> App {
    app(Stuck::InStop, say)
}

fn stuck_in_drop(say: Say) -> App {
    app(Stuck::InDrop, say)
}

/// Waits for ever once it has begun.
fn idle(say: Say) -> App {
    App::new("idle")
        .poll_period_off()
        .heartbeat_threshold(THRESHOLD * 10)
        .service(Hosted::new("sleeper", Sticky::new(Stuck::Never, say)))
}

pub(crate) static CASES: &[Case] = &[
    Case {
        name: "ph_c5_ph_c16_a_service_stuck_past_the_threshold_dies_at_a_kick_that_says_where",
        app: stuck_in_connect,
        body: |start| {
            let mut host = start();
            host.wait_until_said("stuck past the threshold");
            host.signal(Signal::Usr1);
            let (status, said) = host.wait();
            assert_eq!(status, ExitStatus::Code(exit::KICKED), "{said}");
            let line = said.lines().find(|line| line.starts_with("kicked")).expect("the last words");
            let age = line
                .strip_prefix("kicked: service `sticky` hangs in connect: last heartbeat ")
                .and_then(|rest| rest.strip_suffix(" ms ago, threshold 50 ms"))
                .and_then(|age| age.parse::<u64>().ok());
            assert!(age.is_some_and(|age| age >= 50), "{line}");
        },
    },
    Case {
        name: "ph_c6_ph_c17_kicks_do_nothing_to_a_host_that_is_alive_or_idle",
        app: never_stuck,
        body: |start| {
            let mut host = start();
            for _ in 0..20 {
                host.wait_until_said("connect");
                host.signal(Signal::Usr1);
            }
            host.signal(Signal::Term);
            let (status, said) = host.wait();
            assert_eq!(status, ExitStatus::Code(exit::STOPPED), "{said}");
        },
    },
    Case {
        name: "ph_c17_a_host_that_waits_for_ever_survives_a_kick",
        app: idle,
        body: |start| {
            let mut host = start();
            host.wait_until_said("connect");
            // Its last heartbeat becomes older than the threshold while it has nothing to do.
            host.stay_quiet(THRESHOLD * 25);
            host.signal(Signal::Usr1);
            host.signal(Signal::Term);
            let (status, said) = host.wait();
            assert_eq!(status, ExitStatus::Code(exit::STOPPED), "{said}");
        },
    },
    Case {
        name: "term_and_int_stop_in_order_and_every_service_is_told",
        app: never_stuck,
        body: |start| {
            for signal in [Signal::Term, Signal::Int] {
                let mut host = start();
                host.wait_until_said("connect");
                host.signal(signal);
                host.wait_until_said("told to stop");
                let (status, said) = host.wait();
                assert_eq!(status, ExitStatus::Code(exit::STOPPED), "{said}");
            }
        },
    },
    Case {
        name: "a_second_stop_signal_strikes_even_a_stop_that_hangs",
        app: stuck_in_stop,
        body: |start| {
            for signal in [Signal::Term, Signal::Int] {
                let mut host = start();
                host.wait_until_said("connect");
                host.signal(signal);
                host.wait_until_said("stuck");
                host.signal(signal);
                let (status, said) = host.wait();
                assert_eq!(status, ExitStatus::by(signal), "{said}");
            }
        },
    },
    Case {
        name: "k3_k5_signals_wait_while_it_is_stopped_and_two_stops_at_once_end_it_at_once",
        app: never_stuck,
        body: |start| {
            let mut host = start();
            host.wait_until_said("connect");
            host.signal(Signal::Stop);
            host.signal(Signal::Term);
            host.signal(Signal::Int);
            host.signal(Signal::Int);
            host.signal(Signal::Cont);
            let (status, said) = host.wait();
            assert_eq!(status, ExitStatus::Code(exit::STOPPED_AT_ONCE), "{said}");
        },
    },
    Case {
        name: "ph_c16_a_destructor_that_hangs_at_the_very_end_dies_at_a_kick_that_says_where",
        app: stuck_in_drop,
        body: |start| {
            let mut host = start();
            host.wait_until_said("connect");
            // Two stops at once: the service is not told, only dropped.
            host.signal(Signal::Stop);
            host.signal(Signal::Term);
            host.signal(Signal::Int);
            host.signal(Signal::Cont);
            host.wait_until_said("stuck in drop");
            host.stay_quiet(THRESHOLD * 4);
            host.signal(Signal::Usr1);
            let (status, said) = host.wait();
            assert_eq!(status, ExitStatus::Code(exit::KICKED), "{said}");
            assert!(said.contains("service `sticky` hangs in stop"), "{said}");
        },
    },
    Case {
        name: "a_third_stop_signal_strikes_a_destructor_that_hangs",
        app: stuck_in_drop,
        body: |start| {
            let mut host = start();
            host.wait_until_said("connect");
            host.signal(Signal::Stop);
            host.signal(Signal::Term);
            host.signal(Signal::Int);
            host.signal(Signal::Cont);
            host.wait_until_said("stuck in drop");
            host.signal(Signal::Term);
            let (status, said) = host.wait();
            assert_eq!(status, ExitStatus::by(Signal::Term), "{said}");
        },
    },
];
