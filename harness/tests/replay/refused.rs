//! What is refused, and how it is told.

use crate::apps::{PATH, SECOND, fleets, recorded, talk};
use harness::replay::{How, Step};
use harness::{Class, Faults, Replay, Sim};
use host_core::config::HostConfig;
use host_core::event::Event;
use host_core::host::Host;
use host_core::id::FleetId;
use host_core::record::writer::Writer;
use host_core::record::{End, Text};
use host_core::sys::{ExitStatus, Signal};
use host_core::time::Instant;
use host_core::{App, Fleet};
use host_sim::{Choices, Pool};

/// A run in which workers crash and one is added.
fn recording() -> Replay {
    let mut sim = Sim::new(Choices::seeded(3), &Pool::default());
    sim.host(fleets);
    sim.faults(Faults::only(&[Class::WorkerCrash, Class::WorkerKill]));
    talk(&mut sim, 4);
    sim.run_for(10 * SECOND);
    sim.signal(Signal::Ttin);
    sim.run_for(10 * SECOND);
    sim.signal(Signal::Quit);
    sim.wait_for_host(20 * SECOND).expect("it drains");
    recorded(&sim).remove(0)
}

/// The same recording with other steps.
fn with(replay: &Replay, steps: &[Step]) -> Replay {
    let mut writer = Writer::new(Text::Kept, replay.begin());
    let mut file = writer.frame().to_vec();
    writer.written();
    for Step { at, event, orders } in steps {
        writer.event(*at, event);
        orders.iter().for_each(|order| writer.action(order));
    }
    writer.end(End::Host);
    file.extend_from_slice(writer.frame());
    Replay::of(file).expect("it was just written")
}

fn steps(replay: &Replay) -> Vec<Step> {
    replay.steps().collect()
}

fn find(replay: &Replay, is_meant: impl Fn(&Event) -> bool) -> usize {
    replay.steps().position(|step| is_meant(&step.event)).expect("it happened in this run")
}

#[test]
fn a_fact_that_was_altered_is_named_with_the_orders_of_both() {
    let replay = recording();
    replay.check().unwrap();
    assert!(with(&replay, &steps(&replay)).check().is_ok(), "what was not altered is accepted");
    let mut steps = steps(&replay);
    let place = find(&replay, |event| matches!(event, Event::WorkerExited { .. }));
    let Event::WorkerExited { worker, .. } = steps[place].event else { panic!() };
    let altered = Event::WorkerExited { worker, status: ExitStatus::Code(77) };
    steps[place].event = altered.clone();
    let difference = with(&replay, &steps).check().unwrap_err();
    assert_eq!((difference.number, difference.at, &difference.event), (place, steps[place].at, &altered));
    let told = difference.to_string();
    assert!(
        told.starts_with(&format!("fact {place} at {} brings about other orders", steps[place].at)),
        "{told}"
    );
    let lines: Vec<_> = told.lines().collect();
    assert!(lines.iter().any(|line| line.starts_with("  given ") && line.contains("Code(77)")), "{told}");
    assert!(lines.iter().any(|line| line.starts_with("  recorded ") && !line.contains("Code(77)")), "{told}");
    assert_eq!(lines.last(), Some(&"  recorded by host-core 0.1.0"));
}

#[test]
fn an_order_that_was_altered_left_out_or_added_is_named() {
    let replay = recording();
    let place = find(&replay, |event| matches!(event, Event::Signalled(Signal::Ttin)));
    let orders = |change: fn(&mut Vec<host_core::action::Action>)| {
        let mut steps = steps(&replay);
        change(&mut steps[place].orders);
        let difference = with(&replay, &steps).check().unwrap_err();
        assert!(matches!(difference.how, How::Orders { .. }), "{difference}");
        difference.number
    };
    assert_eq!(orders(|orders| orders.truncate(orders.len() - 1)), place);
    assert_eq!(orders(|orders| orders.insert(0, host_core::action::Action::Look)), place);
    assert_eq!(orders(|orders| orders.reverse()), place);
}

#[test]
fn a_host_that_ended_in_the_recording_must_end() {
    let replay = recording();
    let mut steps = steps(&replay);
    steps.pop();
    let difference = with(&replay, &steps).check().unwrap_err();
    assert_eq!(difference.how, How::GoesOn);
}

#[test]
fn a_decision_that_depends_on_something_that_was_not_recorded_is_caught() {
    type Tell = fn(&mut Host, Instant, &Event);
    let replay = recording();
    let rows: [(&str, Tell); 2] = [
        ("an environment that says how many workers there are", |host, at, event| {
            if matches!(event, Event::Signalled(_)) {
                host.handle_event(at, Event::ResizeAsked { fleet: FleetId::new(0), workers: 5 });
            }
            host.handle_event(at, event.clone());
        }),
        ("a clock of its own", |host, at, event| {
            let late =
                std::time::Duration::from_millis(if at > Instant::ZERO + 5 * SECOND { 700 } else { 0 });
            host.handle_event(at + late, event.clone());
        }),
    ];
    for (what, tell) in rows {
        let difference = replay.check_with(tell).expect_err(what);
        assert!(matches!(difference.how, How::Orders { .. } | How::Broken(_)), "{what}: {difference}");
    }
}

#[test]
fn jitter_that_is_not_of_the_recorded_seed_is_caught() {
    let mut sim = Sim::new(Choices::seeded(3), &Pool::default());
    sim.host(|| {
        let fleet = Fleet::new("crash").workers(2).run(|_| Err("it cannot live".into()));
        App::new("crash").poll_period_off().fleet(fleet).record(PATH)
    });
    sim.run_for(5 * SECOND);
    let replay = recorded(&sim).remove(0);
    replay.check().unwrap();
    let difference = replay
        .check_with(|host, at, event| {
            if matches!(event, Event::Started { .. }) {
                *host = Host::new(HostConfig { seed: 1, ..host.config().clone() });
            }
            host.handle_event(at, event.clone());
        })
        .unwrap_err();
    let told = difference.to_string();
    assert!(told.contains("Resting"), "the first rest differs: {told}");
}

#[test]
fn a_host_that_panics_is_named_with_what_it_says() {
    let replay = recording();
    let place = find(&replay, |event| matches!(event, Event::Signalled(Signal::Ttin)));
    let difference = replay
        .check_with(|host, at, event| {
            assert!(!matches!(event, Event::Signalled(Signal::Ttin)), "a signal that nobody likes");
            host.handle_event(at, event.clone());
        })
        .unwrap_err();
    assert_eq!(difference.number, place);
    assert_eq!(difference.how, How::Panicked("a signal that nobody likes".to_owned()));
}

#[test]
fn a_file_that_is_none_is_told_by_its_name() {
    let error = harness::replay("/no/such/file.rec").unwrap_err().to_string();
    assert!(error.starts_with("/no/such/file.rec: "), "{error}");
    let error = harness::replay(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap_err().to_string();
    assert!(error.contains("Cargo.toml: this is no recording: it begins with `[package`"), "{error}");
}
