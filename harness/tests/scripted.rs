//! A configuration is tried on workers that play a part: none of them has a service that could misbehave.

use harness::{Class, Faults, Scripted, Sim, check};
use host_core::fleet::death::{Death, Intent};
use host_core::fleet::status::Health;
use host_core::sys::{ExitStatus, Signal};
use host_core::{App, Fleet, Worker};
use std::io::Write as _;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// What is tried here; the body is the harmless one that everybody would write first.
fn app() -> App {
    app_of(3)
}

fn app_of(workers: u32) -> App {
    let fleet = Fleet::new("web")
        .workers(workers)
        .boot_timeout(2 * SECOND)
        .heartbeat_timeout(SECOND)
        .drain_timeout(3 * SECOND)
        .term_timeout(500 * MS)
        .restart_budget(5, 60 * SECOND)
        .run(|worker: &mut Worker| {
            while let Some(mut client) = worker.accept("web")? {
                let _gone = client.write_all(b"hello\n");
            }
            Ok(())
        });
    App::new("web").listen("web", "127.0.0.1:7000").poll_period_off().fleet(fleet)
}

fn deaths(sim: &Sim) -> Vec<Death> {
    sim.fleet("web").expect("there is one").deaths
}

/// Everybody who comes is served, whoever else plays what.
fn serves(sim: &mut Sim) {
    let clients = sim.clients("web", 9, |c| c.expect(b"hello\n"));
    sim.run_for(30 * SECOND);
    assert_eq!(clients.succeeded(), 9, "{:?}", clients.errors());
}

const GENTLE: &[Class] = &[Class::Latency, Class::LateNews];

#[test]
fn one_of_four_that_hangs_after_three_seconds_is_found_on_time_replaced_and_missed_by_nobody_for_a_minute() {
    check!(|sim| {
        sim.play(Scripted::of("web").slot(1).incarnations(1..=1).hang_at(3 * SECOND));
        sim.host(|| app_of(4));
        sim.faults(Faults::only(GENTLE));
        serves(sim);
        sim.run_for(30 * SECOND);
        let [death] = deaths(sim)[..] else { panic!("{:?}", deaths(sim)) };
        assert_eq!((death.intent, death.worker.slot.number()), (Some(Intent::Hung), 1));
        // Ten milliseconds to find it, and the news of its death may be fifty late.
        assert!(death.beat_age.is_some_and(|age| age > SECOND && age <= SECOND + 60 * MS), "{death}");
    });
}

#[test]
fn one_that_is_stopped_is_found_as_well() {
    check!(|sim| {
        sim.play(Scripted::of("web").slot(2).incarnations(1..=1).stop_at(2 * SECOND));
        sim.host(app);
        serves(sim);
        let [death] = deaths(sim)[..] else { panic!("{:?}", deaths(sim)) };
        assert_eq!((death.intent, death.killed), (Some(Intent::Hung), true));
    });
}

#[test]
fn a_slot_that_crashes_for_ever_makes_the_fleet_degraded_and_no_worse() {
    check!(|sim| {
        sim.play(Scripted::of("web").slot(0).crash_after(500 * MS));
        sim.host(app);
        serves(sim);
        let fleet = sim.fleet("web").unwrap();
        assert_eq!(fleet.health, Health::Degraded);
        assert!(fleet.deaths.iter().all(|death| death.worker.slot.number() == 0 && death.intent.is_none()));
        assert!(fleet.ready() >= 2);
    });
}

#[test]
fn what_ends_by_itself_says_how() {
    check!(|sim| {
        sim.play(Scripted::of("web").slot(0).incarnations(1..=1).exit_after(SECOND, 3));
        sim.host(app);
        serves(sim);
        let [death] = deaths(sim)[..] else { panic!("{:?}", deaths(sim)) };
        assert_eq!((death.intent, death.status), (None, ExitStatus::Code(3)));
    });
}

#[test]
fn one_that_is_never_ready_is_replaced_and_one_that_boots_slowly_is_not() {
    check!(|sim| {
        sim.play(Scripted::of("web").slot(0).incarnations(1..=1).never_ready());
        sim.play(Scripted::of("web").slot(1).incarnations(1..=1).boot_for(1500 * MS));
        sim.host(app);
        sim.run_for(SECOND);
        assert_eq!(sim.fleet("web").unwrap().ready(), 1);
        sim.run_for(600 * MS);
        assert_eq!(sim.fleet("web").unwrap().ready(), 2);
        serves(sim);
        let [death] = deaths(sim)[..] else { panic!("{:?}", deaths(sim)) };
        assert_eq!((death.intent, death.worker.slot.number()), (Some(Intent::NotReady), 0));
    });
}

#[test]
fn those_who_are_deaf_to_it_do_not_hold_up_a_drain_for_longer_than_its_bound() {
    check!(|sim| {
        sim.play(Scripted::of("web").ignore_term());
        sim.host(app);
        sim.faults(Faults::only(GENTLE));
        sim.run_for(2 * SECOND);
        sim.signal(Signal::Quit);
        sim.run_for(2900 * MS);
        assert_eq!(sim.host_status(), None, "they have their time");
        sim.wait_for_host(SECOND).unwrap();
    });
}

#[test]
fn those_who_are_merely_slow_are_left_alone() {
    check!(|sim| {
        sim.play(Scripted::of("web").slow(100 * MS));
        sim.host(app);
        sim.run_for(50 * MS);
        assert_eq!(sim.fleet("web").unwrap().ready(), 0, "not even their first call is over");
        serves(sim);
        assert_eq!(deaths(sim), []);
    });
}

#[test]
fn one_that_has_lost_all_its_descriptors_leaves_the_clients_to_others() {
    check!(|sim| {
        sim.play(Scripted::of("web").slot(0).leak(MS));
        sim.host(app);
        sim.faults(Faults::only(GENTLE));
        sim.run_for(5 * SECOND);
        // One alone, whom nobody comes after: whoever is woken for it must tell, or take it.
        let alone = sim.clients("web", 1, |c| c.expect(b"hello\n"));
        sim.run_for(20 * SECOND);
        assert_eq!(alone.succeeded(), 1, "{:?}", alone.errors());
        serves(sim);
        assert_eq!(deaths(sim), []);
    });
}

#[test]
fn k24_the_children_of_workers_are_reaped_and_change_nothing() {
    check!(|sim| {
        sim.subreaper();
        sim.play(Scripted::of("web").slot(0).incarnations(1..=2).fork_children(2).crash_after(3 * SECOND));
        sim.host(|| app().reap_strangers());
        // The first two have lost their parent, and live.
        sim.run_for(4 * SECOND);
        assert_eq!(sim.children(), 5);
        serves(sim);
        assert_eq!(deaths(sim).len(), 2, "{:?}", deaths(sim));
        assert_eq!(sim.children(), 3, "workers and nobody else");
    });
}
