//! Each rule is broken once by facts and orders that no host gives.

use super::*;
use host_core::action::Ending;
use host_core::config::HostConfig;
use host_core::fleet::beat::{Beat, Pace};
use host_core::fleet::config::{FleetConfig, SoftSignal};
use host_core::fleet::death::{Death, Intent};
use host_core::fleet::memory::MemoryBound;
use host_core::fleet::message::FromWorker;
use host_core::fleet::notice::FleetNotice;
use host_core::host::Host;
use host_core::id::{FleetId, Slot, WorkerId};
use host_core::sys::{Errno, ExitStatus, ForkError, Pid, Signal, SlotReading};
use host_core::time::Duration;

const F: FleetId = FleetId::new(0);
const MS: Duration = Duration::from_millis(1);

fn worker(slot: u16, incarnation: u32) -> WorkerId {
    WorkerId { fleet: F, slot: Slot::new(slot), incarnation }
}

fn config() -> HostConfig {
    let fleet = FleetConfig {
        soft_signal: Some(SoftSignal { signal: Signal::Abrt, grace: 20 * MS }),
        workers: Some(2),
        heartbeat_timeout: 100 * MS,
        boot_timeout: 50 * MS,
        memory: MemoryBound { max: Some(100), ..MemoryBound::default() },
        ..FleetConfig::new("f")
    };
    HostConfig { fleets: vec![fleet], ..HostConfig::default() }
}

/// One step of a story: at this many milliseconds, a fact or an order.
#[derive(Clone)]
enum Step {
    Fact(u64, Event),
    Order(Action),
    /// The orders of the fact are all there; a host that was told the same facts answers.
    Settled,
}
use Step::{Fact as F_, Order as O, Settled};

fn tell(story: &[Step]) -> Option<&'static str> {
    let mut check = FleetCheck::default();
    let config = config();
    assert_eq!(check.on_fact(0, &Fact::Begin(&config)), None);
    let mut host = Host::new(config);
    for step in story {
        let found = match step {
            F_(ms, event) => {
                let at = Instant::from_nanos(ms * 1_000_000);
                host.handle_event(at, event.clone());
                while host.poll_action().is_some() {}
                check.on_fact(0, &Fact::Event(at, event))
            }
            O(action) => check.on_fact(0, &Fact::Action(action)),
            Settled => check.on_fact(0, &Fact::Settled(&host)),
        };
        if let Some(found) = found {
            return Some(found.id);
        }
    }
    None
}

fn spawn(slot: u16, incarnation: u32) -> Step {
    O(Action::Spawn { worker: worker(slot, incarnation) })
}
fn born(ms: u64, slot: u16, incarnation: u32) -> Step {
    F_(ms, Event::Spawned { worker: worker(slot, incarnation), pid: Pid(10 + u32::from(slot)) })
}
fn ready(ms: u64, slot: u16, incarnation: u32) -> Step {
    F_(ms, Event::WorkerSaid { worker: worker(slot, incarnation), message: Ok(FromWorker::Ready) })
}
fn send(slot: u16, incarnation: u32, signal: Signal) -> Step {
    O(Action::SignalWorker { worker: worker(slot, incarnation), signal })
}
fn memory(ms: u64, bytes: u64) -> Step {
    F_(ms, Event::Memory { fleet: F, readings: vec![(worker(0, 1), Ok(bytes))] })
}
fn notice(notice: FleetNotice) -> Step {
    O(Action::TellFleet { fleet: F, notice })
}
fn killed(slot: u16, incarnation: u32, intent: Intent) -> Step {
    notice(FleetNotice::Killed { worker: worker(slot, incarnation), intent })
}
fn exited(ms: u64, slot: u16, incarnation: u32, status: ExitStatus) -> Step {
    F_(ms, Event::WorkerExited { worker: worker(slot, incarnation), status })
}
fn beats(ms: u64, beat_ms: u64, pace: Pace) -> Step {
    let beat = Some(Beat { at: Instant::from_nanos(beat_ms * 1_000_000), pace });
    let reading = SlotReading { beat, ..SlotReading::default() };
    F_(ms, Event::Beats { fleet: F, readings: vec![(worker(0, 1), reading)] })
}
fn soften() -> Vec<Step> {
    let signal = Signal::Abrt;
    vec![send(0, 1, signal), notice(FleetNotice::Softened { worker: worker(0, 1), signal })]
}
fn stopped(ms: u64) -> Step {
    F_(ms, Event::ChildStopped { pid: Pid(10) })
}
fn asked(slot: u16, intent: Intent) -> Step {
    notice(FleetNotice::Asked { worker: worker(slot, 1), intent, signal: Signal::Quit })
}
fn surplus(slot: u16) -> Step {
    asked(slot, Intent::Surplus)
}
fn death(incarnation: u32, intent: Option<Intent>, killed: bool) -> Death {
    Death {
        worker: worker(0, incarnation),
        pid: Pid(10),
        at: Instant::ZERO,
        status: ExitStatus::Code(1),
        intent,
        killed,
        lived: Duration::ZERO,
        ready_for: None,
        unconfined: None,
        beat_age: None,
    }
}
fn died(incarnation: u32, intent: Option<Intent>, killed: bool) -> Step {
    notice(FleetNotice::Died(death(incarnation, intent, killed)))
}

/// Two workers; the stories are about the first.
fn lives() -> Vec<Step> {
    vec![spawn(0, 1), spawn(1, 1), born(1, 0, 1), born(1, 1, 1), ready(2, 0, 1), ready(2, 1, 1)]
}

fn after_life(more: Vec<Step>) -> Vec<Step> {
    lives().into_iter().chain(more).collect()
}

#[test]
fn each_rule_is_seen_to_be_broken_and_its_neighbour_to_hold() {
    let kill = |intent| vec![send(0, 1, Signal::Kill), killed(0, 1, intent)];
    let late = |ms, beat, pace| {
        let mut story = after_life(vec![beats(ms, beat, pace)]);
        story.extend(kill(Intent::Hung));
        story
    };
    let rows: Vec<(&str, Vec<Step>, Option<&str>)> = vec![
        ("late by more than the threshold", late(200, 99, Pace::Busy), None),
        ("late by no more than the threshold", late(200, 100, Pace::Busy), Some("S1")),
        ("killed while it waits", late(900, 100, Pace::Waiting), Some("S1")),
        (
            "killed on what was read before",
            after_life(vec![
                beats(200, 99, Pace::Busy),
                F_(201, Event::Tick),
                send(0, 1, Signal::Kill),
                killed(0, 1, Intent::Hung),
            ]),
            Some("S4"),
        ),
        (
            "asked for evidence in time",
            after_life([vec![beats(200, 99, Pace::Busy)], soften()].concat()),
            None,
        ),
        (
            "asked for evidence too soon",
            after_life([vec![beats(200, 100, Pace::Busy)], soften()].concat()),
            Some("S1"),
        ),
        (
            "killed after evidence was asked for, although it beats again",
            after_life(
                [
                    vec![beats(200, 99, Pace::Busy)],
                    soften(),
                    vec![beats(219, 219, Pace::Busy), F_(220, Event::Tick)],
                    kill(Intent::Hung),
                ]
                .concat(),
            ),
            None,
        ),
        (
            "killed within the grace of the soft signal",
            after_life(
                [vec![beats(200, 99, Pace::Busy)], soften(), vec![F_(219, Event::Tick)], kill(Intent::Hung)]
                    .concat(),
            ),
            Some("S9"),
        ),
        (
            "killed for hanging while it boots",
            vec![
                spawn(0, 1),
                born(1, 0, 1),
                beats(200, 99, Pace::Busy),
                send(0, 1, Signal::Kill),
                killed(0, 1, Intent::Hung),
            ],
            Some("S8"),
        ),
        (
            "killed for booting too soon",
            vec![
                spawn(0, 1),
                born(1, 0, 1),
                F_(50, Event::Tick),
                send(0, 1, Signal::Kill),
                killed(0, 1, Intent::NotReady),
            ],
            Some("S8"),
        ),
        (
            "killed for booting at its timeout",
            vec![
                spawn(0, 1),
                born(1, 0, 1),
                F_(51, Event::Tick),
                send(0, 1, Signal::Kill),
                killed(0, 1, Intent::NotReady),
            ],
            None,
        ),
        (
            "killed within the grace of TERM",
            after_life(vec![send(0, 1, Signal::Term), F_(900, Event::Tick), send(0, 1, Signal::Kill)]),
            Some("S9"),
        ),
        (
            "killed after the grace of TERM",
            after_life(vec![send(0, 1, Signal::Term), F_(1002, Event::Tick), send(0, 1, Signal::Kill)]),
            None,
        ),
        (
            "killed at once because somebody asked twice",
            after_life(vec![
                F_(3, Event::Signalled(Signal::Term)),
                send(0, 1, Signal::Term),
                F_(4, Event::Signalled(Signal::Term)),
                send(0, 1, Signal::Kill),
            ]),
            None,
        ),
        (
            "killed, and nobody says why",
            after_life(vec![F_(3, Event::Tick), send(0, 1, Signal::Kill), Settled]),
            Some("S9"),
        ),
        ("killed for what one is asked for", after_life(kill(Intent::Surplus)), Some("S9")),
        (
            "killed at a stop though it would hear",
            after_life([vec![F_(3, Event::Signalled(Signal::Term))], kill(Intent::Stop)].concat()),
            Some("S9"),
        ),
        (
            "killed at a stop since it is stopped",
            after_life(
                [vec![stopped(3), F_(4, Event::Signalled(Signal::Term))], kill(Intent::Stop)].concat(),
            ),
            None,
        ),
        (
            "killed in a drain since it is stopped",
            after_life(
                [vec![stopped(3), F_(4, Event::Signalled(Signal::Quit))], kill(Intent::Drain)].concat(),
            ),
            Some("S9"),
        ),
        (
            "an application that asks twice asks for no more",
            after_life([vec![F_(3, Event::StopAsked), F_(4, Event::StopAsked)], kill(Intent::Stop)].concat()),
            Some("S9"),
        ),
        (
            "asked more softly than before",
            after_life(vec![send(0, 1, Signal::Term), send(0, 1, Signal::Quit)]),
            Some("S9"),
        ),
        ("a signal for somebody who is gone", after_life(vec![send(0, 2, Signal::Quit)]), Some("S10")),
        ("a signal for somebody who is not born", vec![spawn(0, 1), send(0, 1, Signal::Quit)], Some("S10")),
        ("killed twice", after_life(vec![send(0, 1, Signal::Kill), send(0, 1, Signal::Kill)]), Some("S11")),
        (
            "kept otherwise than ordered",
            after_life(vec![
                send(0, 1, Signal::Quit),
                exited(9, 0, 1, ExitStatus::Code(1)),
                died(1, Some(Intent::Drain), true),
            ]),
            Some("S12"),
        ),
        ("a death that nobody reaped", after_life(vec![died(1, None, false)]), Some("S12")),
        (
            "one worker too many",
            vec![
                F_(0, Event::Started { turns_max: None }),
                spawn(0, 1),
                spawn(1, 1),
                spawn(2, 1),
                spawn(3, 1),
                born(1, 0, 1),
                born(1, 1, 1),
                born(1, 2, 1),
                born(1, 3, 1),
                Settled,
            ],
            Some("S13"),
        ),
        (
            "news of a stranger leads to an order",
            after_life(vec![F_(3, Event::ChildStopped { pid: Pid(77) }), send(0, 1, Signal::Kill)]),
            Some("S15"),
        ),
        ("a slot is used while somebody sits there", after_life(vec![spawn(0, 2)]), Some("S16")),
        (
            "an incarnation comes back",
            after_life(vec![exited(9, 0, 1, ExitStatus::Code(1)), died(1, None, false), spawn(0, 1)]),
            Some("S16"),
        ),
        (
            "the second young death is followed at once",
            after_life(vec![
                exited(9, 0, 1, ExitStatus::Code(1)),
                died(1, None, false),
                spawn(0, 2),
                born(10, 0, 2),
                exited(11, 0, 2, ExitStatus::Code(1)),
                died(2, None, false),
                spawn(0, 3),
            ]),
            Some("S17"),
        ),
        (
            "another wanted number makes no rest shorter",
            after_life(vec![
                exited(9, 0, 1, ExitStatus::Code(1)),
                died(1, None, false),
                spawn(0, 2),
                born(10, 0, 2),
                exited(11, 0, 2, ExitStatus::Code(1)),
                died(2, None, false),
                F_(12, Event::Signalled(Signal::Chld)),
                F_(13, Event::Signalled(Signal::Ttin)),
                spawn(0, 3),
            ]),
            Some("S17"),
        ),
        (
            "a rest beyond the backoff",
            after_life(vec![
                exited(9, 0, 1, ExitStatus::Code(1)),
                died(1, None, false),
                notice(FleetNotice::Resting { slot: Slot::new(0), failures: 1, rest: MS }),
            ]),
            Some("S17"),
        ),
        (
            "a predecessor's sign of life",
            vec![F_(5, Event::Tick), spawn(0, 1), beats(6, 4, Pace::Busy)],
            Some("S2"),
        ),
        ("its own", vec![F_(5, Event::Tick), spawn(0, 1), beats(6, 5, Pace::Busy)], None),
        (
            "a sign of life that takes another back",
            after_life(vec![beats(10, 9, Pace::Busy), beats(12, 8, Pace::Busy)]),
            Some("S7"),
        ),
        ("a sign of life of the future", after_life(vec![beats(10, 31, Pace::Busy)]), Some("S7")),
        ("one that the coarse clock dates ahead", after_life(vec![beats(10, 30, Pace::Busy)]), None),
        (
            "one too many is taken away",
            after_life(vec![F_(3, Event::Signalled(Signal::Ttou)), surplus(0), surplus(1)]),
            Some("L7"),
        ),
        (
            "the restarts of another slot take it away",
            after_life(vec![F_(3, Event::Tick), surplus(0)]),
            Some("L7"),
        ),
        ("another's death takes it away", after_life(vec![asked(0, Intent::Sibling)]), Some("L7")),
        ("nobody has seen its memory", after_life(vec![asked(0, Intent::TooLarge)]), Some("S49")),
        ("as much as it may have", after_life(vec![memory(9, 100), asked(0, Intent::TooLarge)]), Some("S49")),
        ("too much memory", after_life(vec![memory(9, 101), asked(0, Intent::TooLarge)]), None),
        (
            "a sample before its time",
            after_life(vec![
                O(Action::ReadMemory { fleet: F }),
                F_(10_000, Event::Tick),
                O(Action::ReadMemory { fleet: F }),
            ]),
            Some("S49"),
        ),
        (
            "degraded without cause",
            after_life(vec![notice(FleetNotice::Degraded { retry_after: MS })]),
            Some("S18"),
        ),
        (
            "stable too soon",
            after_life(vec![F_(1001, Event::Tick), notice(FleetNotice::Stable { worker: worker(0, 1) })]),
            Some("S17"),
        ),
        (
            "stable in time",
            after_life(vec![F_(1002, Event::Tick), notice(FleetNotice::Stable { worker: worker(0, 1) })]),
            None,
        ),
        (
            "a fork is tried again at once",
            vec![
                spawn(0, 1),
                F_(
                    1,
                    Event::SpawnFailed {
                        worker: worker(0, 1),
                        error: ForkError::System { call: "fork", errno: Errno::AGAIN },
                    },
                ),
                spawn(0, 2),
            ],
            Some("S19"),
        ),
        ("nobody heard of another number", vec![F_(0, Event::Started { turns_max: None }), Settled], None),
        (
            "a slot rests because its worker did as it was asked",
            after_life(vec![
                send(0, 1, Signal::Quit),
                exited(9, 0, 1, ExitStatus::Code(1)),
                died(1, Some(Intent::Surplus), false),
                notice(FleetNotice::Resting { slot: Slot::new(0), failures: 1, rest: MS }),
            ]),
            Some("S22"),
        ),
        (
            "the host ends before its workers",
            after_life(vec![O(Action::Finish(Ending::Stopped))]),
            Some("S38"),
        ),
    ];
    for (name, story, expected) in rows {
        assert_eq!(tell(&story), expected, "{name}");
    }
}

#[test]
fn more_young_deaths_than_the_budget_must_be_told() {
    let mut story = Vec::new();
    for incarnation in 1..=11 {
        // As far apart as the longest backoff may be short.
        let ms = u64::from(incarnation) * 5200;
        story.push(spawn(0, incarnation));
        story.push(born(ms, 0, incarnation));
        story.push(exited(ms + 1, 0, incarnation, ExitStatus::Code(1)));
        story.push(died(incarnation, None, false));
        story.push(F_(ms + 5199, Event::Tick));
    }
    // The eleventh within a minute, of ten.
    story.push(notice(FleetNotice::Outage));
    assert_eq!(tell(&story), Some("S18"));
}

#[test]
fn a_target_that_nobody_asked_for_is_seen() {
    let mut check = FleetCheck::default();
    let config = config();
    assert_eq!(check.on_fact(0, &Fact::Begin(&config)), None);
    let started = Event::Started { turns_max: None };
    assert_eq!(check.on_fact(0, &Fact::Event(Instant::ZERO, &started)), None);
    // The rule hears of one more; this host does not.
    let more = Event::Signalled(Signal::Ttin);
    assert_eq!(check.on_fact(0, &Fact::Event(Instant::ZERO, &more)), None);
    let found = check.on_fact(0, &Fact::Settled(&Host::new(config)));
    assert_eq!(found.map(|found| found.id), Some("S21"));
}
