//! Scenarios that are written once, and run with stand-ins for the workers, with the simulated service, and with
//! real processes.

use examples::prefork::{Options, echo};
use harness::{Process, worlds};
use host_core::App;
use host_core::sys::Signal;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn app() -> App {
    let options = Options {
        workers: Some(3),
        timeout_ms: Some(1000),
        boot_timeout_ms: Some(5000),
        drain_timeout_ms: Some(5000),
        ..Options::default()
    };
    echo::app(&options)
}

/// The same as a program, at an address of its own.
fn program() -> harness::process::Spawn {
    let times = ["--timeout-ms", "1000", "--boot-timeout-ms", "5000", "--drain-timeout-ms", "5000"];
    Process::example("prefork_echo").args(["--listen", "127.0.0.1:0", "--workers", "3"]).args(times)
}

worlds! {
    fn a_worker_that_is_killed_is_replaced_and_the_others_are_not(world) {
        let before = world.expect_workers(3, 5 * SECOND);
        world.ask("clients", b"hello\n", b"hello\n", 5 * SECOND);
        world.signal_worker(before[1], Signal::Kill);
        let after = world.expect_replaced(&before, before[1], 5 * SECOND);
        assert!(after.contains(&before[0]) && after.contains(&before[2]), "{before:?} became {after:?}");
        world.ask("clients", b"again\n", b"again\n", 5 * SECOND);
    }
    scripted: app,
    simulated: app,
    real: program(),
}

worlds! {
    fn a_worker_that_is_silent_is_replaced(world) {
        let before = world.expect_workers(3, 5 * SECOND);
        world.signal_worker(before[0], Signal::Stop);
        let after = world.expect_replaced(&before, before[0], 10 * SECOND);
        world.pass(3 * SECOND);
        assert_eq!(world.workers(), after, "and nobody else");
    }
    scripted: app,
    simulated: app,
    real: program(),
}

worlds! {
    fn one_more_and_one_less_are_wanted_and_then_all_end(world) {
        world.expect_workers(3, 5 * SECOND);
        world.signal(Signal::Ttin);
        world.expect_workers(4, 5 * SECOND);
        world.signal(Signal::Ttou);
        world.expect_workers(3, 5 * SECOND);
        world.ask("clients", b"still\n", b"still\n", 5 * SECOND);
        world.signal(Signal::Quit);
        assert_eq!(world.expect_end(10 * SECOND), Some(0));
        assert_eq!(world.workers(), []);
    }
    scripted: app,
    simulated: app,
    real: program(),
}
