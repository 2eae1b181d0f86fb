//! The order of callbacks: connect, prepare, receive.

use crate::services::{Calls, Pair, Scripted, When, app};
use crate::worlds::{World, in_both_worlds};
use host_core::sys::Sys as _;
use host_core::time::Instant;
use host_core::{Connected, Context, Error, Hosted, Ready, Result, Service};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// Runs one scripted service for some turns; the calls.
fn calls_of(
    world: World,
    turns: u64,
    script: impl Fn(&mut Pair<'_>, When, usize) -> Result<Connected> + Clone + 'static,
) -> Vec<String> {
    let calls = Calls::default();
    let noted = Rc::clone(&calls);
    let ended = world.run_turns(turns, move || {
        app(&["a"]).poll_period(MS).service(Hosted::new("a", Scripted::new("a", &noted, script.clone())))
    });
    ended.expect("no service fails");
    calls.take()
}

fn yes() -> Result<Connected> {
    Ok(Connected::Yes)
}

#[test]
fn ph_c1_a_connect_that_returns_nothing_is_followed_by_no_prepare_and_no_error() {
    in_both_worlds(|world| {
        assert_eq!(calls_of(world, 1, |_, _, _| Ok(Connected::NotYet)), ["a connect", "a stop"]);
    });
}

#[test]
fn ph_c8_a_socket_left_open_is_presented_again_after_another_prepare() {
    in_both_worlds(|world| {
        let calls = calls_of(world, 3, |pair, when, opened| match when {
            When::Connect => {
                pair.open()?;
                pair.fill(b"xyz");
                yes()
            }
            When::Receive => {
                assert_eq!(opened, 1, "the same socket");
                pair.take();
                yes()
            }
            When::Prepare | When::Stop => yes(),
        });
        let round = ["a prepare", "a receive"];
        assert_eq!(calls, [&["a connect"], &round[..], &round, &round, &["a stop"]].concat());
    });
}

#[test]
fn ph_c9_a_socket_closed_in_receive_is_connected_again_in_the_next_iteration() {
    in_both_worlds(|world| {
        let calls = calls_of(world, 2, |pair, when, opened| {
            match when {
                When::Connect => {
                    pair.open()?;
                    pair.fill(&[b'0' + opened as u8]);
                }
                When::Receive => {
                    assert_eq!(pair.take(), b'0' + opened as u8 - 1, "the new socket is used");
                    pair.close();
                }
                When::Prepare | When::Stop => {}
            }
            yes()
        });
        let round = ["a connect", "a prepare", "a receive"];
        assert_eq!(calls, [&round[..], &round, &["a stop"]].concat());
    });
}

#[test]
fn ph_c19_a_socket_closed_in_prepare_is_connected_again_in_the_next_iteration() {
    in_both_worlds(|world| {
        // A poll period that no test could wait for: the next iteration begins at once.
        let calls = Calls::default();
        let noted = Rc::clone(&calls);
        let script = |pair: &mut Pair<'_>, when, opened| {
            match when {
                When::Connect => {
                    pair.open()?;
                    pair.fill(b"x");
                }
                When::Prepare if opened == 1 => pair.close(),
                When::Receive => _ = pair.take(),
                When::Prepare | When::Stop => {}
            }
            yes()
        };
        let ended = world.run_turns(2, move || {
            app(&["a"])
                .poll_period(MS * 3_600_000)
                .heartbeat_threshold(MS * 3_600_001)
                .service(Hosted::new("a", Scripted::new("a", &noted, script)))
        });
        ended.expect("closing is no error");
        let expected = ["a connect", "a prepare", "a connect", "a prepare", "a receive", "a stop"];
        assert_eq!(calls.take(), expected);
    });
}

#[test]
fn ph_c10_services_that_are_always_readable_alternate_strictly_one_dispatch_an_iteration() {
    in_both_worlds(|world| {
        let calls = Calls::default();
        let noted = Rc::clone(&calls);
        let script = |pair: &mut Pair<'_>, when, _| {
            match when {
                When::Connect => {
                    pair.open()?;
                    pair.fill(&[0; 100]);
                    // One byte has come, and with it all.
                    pair.take();
                }
                When::Receive => _ = pair.take(),
                When::Prepare | When::Stop => {}
            }
            yes()
        };
        let turns = 10;
        let ended = world.run_turns(turns, move || {
            app(&["a", "b"])
                .service(Hosted::new("a", Scripted::new("a", &noted, script)))
                .service(Hosted::new("b", Scripted::new("b", &noted, script)))
        });
        ended.expect("no service fails");
        let dispatches: Vec<_> = calls.take().into_iter().filter(|call| call.ends_with("receive")).collect();
        assert_eq!(dispatches.len() as u64, turns, "each iteration dispatches exactly one");
        for (index, dispatch) in dispatches.iter().enumerate() {
            assert_eq!(dispatch, ["a receive", "b receive"][index % 2], "dispatch {index} of {dispatches:?}");
        }
    });
}

#[test]
fn ph_c12_a_limit_of_n_iterations_is_exactly_n_iterations() {
    in_both_worlds(|world| {
        for turns in [0, 1, 2, 7] {
            let calls = calls_of(world, turns, |_, _, _| Ok(Connected::NotYet));
            let connects = calls.iter().filter(|call| *call == "a connect").count();
            assert_eq!(connects as u64, turns, "each iteration tries once");
        }
    });
}

#[test]
fn ph_c14_all_connects_and_prepares_of_an_iteration_precede_its_dispatch() {
    in_both_worlds(|world| {
        let calls = Calls::default();
        let noted = Rc::clone(&calls);
        let script = |pair: &mut Pair<'_>, when, _| {
            match when {
                When::Connect => {
                    pair.open()?;
                    pair.fill(b"xxx");
                    pair.take();
                }
                When::Receive => _ = pair.take(),
                When::Prepare | When::Stop => {}
            }
            yes()
        };
        let ended = world.run_turns(2, move || {
            app(&["a", "b"])
                .service(Hosted::new("a", Scripted::new("a", &noted, script)))
                .service(Hosted::new("b", Scripted::new("b", &noted, script)))
        });
        ended.expect("no service fails");
        let expected = [
            "a connect",
            "a prepare",
            "b connect",
            "b prepare",
            "a receive",
            // The second iteration.
            "a prepare",
            "b receive",
            "b stop",
            "a stop",
        ];
        assert_eq!(calls.take(), expected);
    });
}

/// Says when it is called, and never connects.
struct Clock {
    seen: Rc<RefCell<Vec<Instant>>>,
}

impl Service for Clock {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        self.seen.borrow_mut().push(cx.now());
        Ok(Connected::NotYet)
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        Ok(())
    }
}

#[test]
fn ph_c11_an_iteration_without_sockets_takes_one_poll_period_and_burns_no_processor() {
    in_both_worlds(|world| {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let noted = Rc::clone(&seen);
        let period = MS * 50;
        let before = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        let ended = world
            .run_turns(4, move || app(&[]).poll_period(period).service(Clock { seen: Rc::clone(&noted) }));
        ended.expect("it is no error");
        let after = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        let seen = seen.take();
        for pair in seen.windows(2) {
            let took = pair[1].since(pair[0]);
            assert!(took >= period, "one iteration took {took:?}");
            if world != World::Real {
                assert!(took < period + MS, "one iteration took {took:?}");
            }
        }
        if world == World::Real {
            // A spin would burn all of 200 ms.
            let burnt = Duration::try_from(after - before).expect("processor time does not go back");
            assert!(burnt < period * 2, "200 ms of idleness burnt {burnt:?}");
        }
    });
}

#[test]
fn half_a_millisecond_is_a_poll_period_too() {
    in_both_worlds(|world| {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let noted = Rc::clone(&seen);
        let period = Duration::from_micros(500);
        let ended = world
            .run_turns(3, move || app(&[]).poll_period(period).service(Clock { seen: Rc::clone(&noted) }));
        ended.expect("it is no error");
        let seen = seen.take();
        assert!(seen.windows(2).all(|pair| pair[1].since(pair[0]) >= period), "{seen:?}");
    });
}

/// Connects to a listener that another service serves, and stops the host at the answer.
struct Caller {
    listener: &'static str,
    begun: Rc<Cell<Option<Instant>>>,
    answered: Rc<Cell<Option<Instant>>>,
    stream: Option<host_core::Stream>,
}

impl Service for Caller {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        let address = cx.listener_address(self.listener).ok_or("no such listener")?;
        let begun = cx.now();
        self.begun.set(Some(begun));
        self.stream = Some(cx.connect_to(address)?);
        Ok(Connected::Yes)
    }

    fn receive(&mut self, cx: &mut Context<'_>, _: Ready) -> Result {
        self.answered.set(Some(cx.now()));
        self.stream = None;
        cx.stop();
        Ok(())
    }
}

/// Says hello to whoever connects.
struct Hello(Option<host_core::Listener>);

impl Service for Hello {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        self.0 = Some(cx.listener("hello")?);
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        let listener = self.0.as_mut().ok_or("no listener")?;
        while let Some(mut client) = listener.accept()? {
            client.try_write(b"hello")?;
        }
        Ok(())
    }
}

#[test]
fn ph_c15_a_new_connection_is_served_without_waiting_for_the_poll_period() {
    in_both_worlds(|world| {
        let [begun, answered] = [(); 2].map(|()| Rc::new(Cell::new(None)));
        let (first, last) = (Rc::clone(&begun), Rc::clone(&answered));
        let period = Duration::from_secs(10);
        let idle = |pair: &mut Pair<'_>, when, _| if when == When::Connect { pair.open() } else { yes() };
        let ended = world.run_turns(1000, move || {
            let caller = Caller {
                listener: "hello",
                begun: Rc::clone(&first),
                answered: Rc::clone(&last),
                stream: None,
            };
            app(&["idle", "hello"])
                .poll_period(period)
                .service(Hosted::new("idle", Scripted::new("idle", &Calls::default(), idle)))
                .service(Hello(None))
                .service(caller)
        });
        ended.expect("a stop that was asked for");
        let took = answered.get().expect("an answer").since(begun.get().expect("a call"));
        assert!(took < period / 2, "the answer took {took:?}");
    });
}

#[test]
fn ph_c18_an_end_that_is_not_handled_does_not_spin() {
    in_both_worlds(|world| {
        let calls = Calls::default();
        let noted = Rc::clone(&calls);
        let script = |pair: &mut Pair<'_>, when, _| {
            if when == When::Connect {
                pair.open()?;
                pair.end_peer();
            }
            yes()
        };
        let ended = world.run_turns(1_000_000, move || {
            app(&["a"]).empty_wakes_max(16).service(Hosted::new("a", Scripted::new("a", &noted, script)))
        });
        let error = ended.expect_err("the host says so").to_string();
        assert!(error.contains("service `a` failed in receive: the peer ended a connection"), "{error}");
        let receives = calls.take().iter().filter(|call| *call == "a receive").count();
        assert_eq!(receives, 16);
    });
}

#[test]
fn ph_c13_log_lines_carry_the_given_name_or_that_of_the_type() {
    in_both_worlds(|world| {
        let lines: Rc<RefCell<Vec<String>>> = Rc::default();
        let noted = Rc::clone(&lines);
        let ended = world.run_turns(1, move || {
            let noted = Rc::clone(&noted);
            app(&[])
                .poll_period(MS)
                .service(Clock { seen: Rc::default() })
                .service(Hosted::new("second", Clock { seen: Rc::default() }))
                .on_notice(move |record| noted.borrow_mut().push(record.to_string()))
        });
        ended.expect("no service fails");
        let lines = lines.take();
        for expected in ["service `Clock` added", "service `second` added", "host started with 2 services"] {
            assert!(lines.iter().any(|line| line == expected), "{expected} is not in {lines:?}");
        }
    });
}

/// Adds another service from inside a callback.
struct Adder(Calls);

impl Service for Adder {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        self.0.borrow_mut().push("adder connect".into());
        let added = Scripted::new("added", &self.0, |pair, _, _| {
            pair.stop_host();
            Ok(Connected::NotYet)
        });
        match cx.add(Hosted::new("added", added)) {
            Ok(()) => Ok(Connected::NotYet),
            // The second time the name is taken.
            Err(twice) => Err(Error::from(twice)),
        }
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        Ok(())
    }
}

#[test]
fn a_service_added_from_a_callback_is_called_in_the_next_iteration() {
    in_both_worlds(|world| {
        let calls = Calls::default();
        let noted = Rc::clone(&calls);
        let ended = world.run_turns(5, move || {
            app(&[])
                .poll_period(MS * 100_000)
                .heartbeat_threshold(MS * 100_001)
                .service(Adder(Rc::clone(&noted)))
        });
        // In the second iteration the adder goes first, and its second addition is refused.
        let error = ended.expect_err("a name twice").to_string();
        assert!(error.contains("`added` twice"), "{error}");
        assert_eq!(calls.take(), ["adder connect", "adder connect"]);
    });
}

#[test]
fn the_real_clock_never_wakes_early() {
    // The simulated kernel cannot: its clock jumps to the deadline.
    let sys = host_sys::Linux::new().expect("a poller");
    let mut events = Vec::new();
    for micros in [1, 10, 99, 500, 1_001, 2_500] {
        let deadline = sys.now() + Duration::from_micros(micros);
        sys.poll_wait(&mut events, Some(deadline)).expect("nothing interrupts it");
        assert!(sys.now() >= deadline, "woken before {micros} µs were over");
    }
}
