//! Failures are found, and come down to what they need: planted bugs of services and workers, each of which
//! its scenario shows.

#[rustfmt::skip]
mod generated;
mod regressions;
mod services;
mod table;
mod twins;
mod workers;

use harness::Sim;

/// A bug on purpose.
struct Planted {
    name: &'static str,
    /// The rule that it breaks.
    rule: &'static str,
    /// With the bug, or without.
    scenario: fn(&mut Sim, bool),
}

macro_rules! planted {
    ($($rule:literal $module:ident::$name:ident;)*) => {
        const PLANTED: &[Planted] = &[
            $(Planted { name: stringify!($name), rule: $rule, scenario: $module::$name }),*
        ];
    };
}

planted! {
    "test" services::a_short_write;
    "test" services::a_short_read;
    "H2" services::an_error_of_a_client;
    "test" services::one_client_at_a_time;
    "test" services::never_read_again;
    "test" services::age_by_the_wall_clock;
    "test" services::a_late_callback;
    "H2" services::deaf_to_the_third;
    "test" services::a_grudge;
    "test" services::two_at_once;
    "test" services::a_long_line;
    "test" services::another_greeting_after_a_restart;
    "L3" services::a_client_that_never_gives_up;
    "test" workers::a_request_that_takes_too_long;
    "test" workers::a_body_that_fails_with_its_client;
    "test" workers::a_panic_at_a_silent_client;
    "test" workers::a_body_that_ends_when_it_idles;
    "test" workers::a_boot_timeout_that_is_too_short;
    "L1" workers::the_third_incarnation_hangs;
    "test" workers::a_body_that_does_not_hear_quit;
    "H2" workers::a_budget_that_takes_the_host_with_it;
    "H2" workers::afraid_of_an_operator;
    "H2" workers::afraid_of_two_deaths;
    "H2" workers::afraid_of_an_incomplete_fleet;
    "test" workers::a_client_that_does_not_try_again;
}
