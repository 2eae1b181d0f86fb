//! Several fleets in one host: who starts after whom, who falls with whom, and what becomes of those that fail.
//!
//! Each fleet listens at a port of its own and answers lines, as the echo server does. Told so, its workers
//! misbehave: `!hang`, `!spin`, `!crash`, `!exit 7`.

pub mod options;

use crate::prefork::echo;
use host_core::fleet::config::Restart;
use host_core::sys::Signal;
use host_core::time::Duration;
use host_core::{App, Fleet, Result, Worker};
pub use options::Options;
use options::WebBody;
use std::net::SocketAddr;

/// The fleets in the order in which they start: each may need those before it.
pub const FLEETS: [&str; 3] = ["db", "web", "mail"];

/// The application: the same for the real kernel and for a simulated one.
pub fn app(options: &Options) -> App {
    let mut app = App::new("fleets").strategy(options.strategy.into()).poll_period_off();
    for (port, name) in (0..).zip(FLEETS) {
        // Where the kernel chooses, it chooses for each.
        let port = if options.port == 0 { 0 } else { options.port.saturating_add(port) };
        app = app.listen(name, format!("{}:{port}", options.ip)).fleet(fleet(name, options));
    }
    app
}

fn fleet(name: &str, options: &Options) -> Fleet {
    let ms = Duration::from_millis;
    let mut fleet = Fleet::new(name)
        .workers(options.workers)
        .heartbeat_timeout(ms(options.timeout_ms))
        .boot_timeout(ms(options.boot_timeout_ms))
        .drain_timeout(ms(options.drain_timeout_ms))
        .stable_after(ms(options.stable_ms))
        .degraded_retry(ms(options.retry_ms))
        .on_exhausted(options.on_exhausted.into())
        .restart(options.restart.into());
    if let Some(after) = options.warn_ms {
        fleet = fleet.late_warning(ms(after));
    }
    if let Some(grace) = options.soft_signal_ms {
        fleet = fleet.soft_signal(Signal::Abrt, ms(grace));
    }
    if let Some(budget) = options.kill_budget {
        fleet = fleet.kill_budget(budget.count, ms(budget.window_ms));
    }
    if let Some(budget) = options.restart_budget {
        fleet = fleet.restart_budget(budget.count, ms(budget.window_ms));
    }
    for exception in &options.restart_on {
        fleet = fleet.restart_on(exception.status, Restart::from(exception.restart));
    }
    match (name, options.web) {
        ("web", WebBody::Returns) => fleet.run(|_| Ok(())),
        ("web", WebBody::Fails) => fleet.run(|_| Err("it cannot begin".into())),
        ("web", WebBody::NeverReady) => fleet.run(never_ready),
        _ => fleet.run(serve),
    }
}

/// What each worker does: its fleet's listener has the name of the fleet.
fn serve(worker: &mut Worker) -> Result {
    let listener = worker.fleet().to_owned();
    echo::serve(worker, &listener)
}

/// Begins, and never says so.
fn never_ready(worker: &mut Worker) -> Result {
    crate::prefork::hang::sleep_for_ever(worker)
}

/// What to try, with the fleet that is bound last.
pub fn hints(address: SocketAddr) -> String {
    let (ip, port, name) = (address.ip(), address.port(), FLEETS[FLEETS.len() - 1]);
    format!(
        "  printf '!pid\\n' | nc -N {ip} {port}   # of {name}; so are the others where they listen
  echo '!crash' | nc {ip} {port}   # who falls with it is for --strategy to say
  echo '!exit 7' | nc {ip} {port}   # whether it is replaced is for --restart and --restart-on
  echo '!hang' | nc {ip} {port}   # --warn-ms, --soft-signal-ms and --kill-budget say what comes before its end
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[test]
    fn the_defaults_describe_an_application_that_can_start() {
        assert!(app(&Options::parse_from(["fleets"])).check().is_ok());
    }

    #[test]
    fn every_setting_reaches_every_fleet() {
        let flags = "--workers 100 --timeout-ms 1 --boot-timeout-ms 0 --drain-timeout-ms 0 --stable-ms 0 \
            --retry-ms 0 --warn-ms 0 --soft-signal-ms 0 --kill-budget 0/0 --restart-budget 0/0 \
            --restart-on 7=never --restart-on 7=permanent";
        let options =
            Options::try_parse_from(["fleets"].into_iter().chain(flags.split_whitespace())).unwrap();
        let error = app(&options).check().unwrap_err().to_string();
        let fields = [
            "heartbeat_timeout",
            "boot_timeout",
            "drain_timeout",
            "stable_after",
            "degraded_retry",
            "late_warning",
            "grace of soft_signal",
            "kill_budget",
            "restart_budget",
            "restart_by_status",
        ];
        for name in FLEETS {
            for field in fields {
                let words = format!("{field} of fleet `{name}` is ");
                assert!(error.contains(&words), "no `{words}` in {error}");
            }
        }
    }
}
