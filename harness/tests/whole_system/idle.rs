//! An idle host makes no wake-ups but those of its poll period.

use harness::Sim;
use harness::sample::echo;
use host_sim::{Choices, Pool};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// How many events an hour of idleness has, after a client has come and gone.
fn events_of_an_idle_hour(app: fn() -> host_core::App) -> u64 {
    let mut sim = Sim::new(Choices::seeded(0), &Pool::default());
    sim.host(app);
    sim.clients("echo", 1, |c| {
        c.write_all(b"x")?;
        c.expect(b"x")
    });
    sim.run_for(Duration::from_secs(10));
    let before = sim.events();
    sim.run_for(HOUR);
    sim.events() - before
}

#[test]
fn with_the_poll_period_off_an_idle_host_does_nothing_at_all() {
    assert_eq!(events_of_an_idle_hour(|| echo().poll_period_off()), 0);
}

#[test]
fn with_a_poll_period_an_idle_host_wakes_once_a_period() {
    let [each_second, each_minute] = [
        events_of_an_idle_hour(|| echo().poll_period(Duration::from_secs(1))),
        events_of_an_idle_hour(|| echo().poll_period(Duration::from_secs(60)).heartbeat_threshold(HOUR)),
    ];
    // A wake is a handful of events: the wait, the fact that time passed, a beat.
    let a_wake = each_minute / 60;
    assert!((1..=6).contains(&a_wake), "{a_wake} events a wake");
    assert!(each_second.abs_diff(3600 * a_wake) <= a_wake, "{each_second} events in 3600 wakes of {a_wake}");
}
