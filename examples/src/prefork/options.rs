//! The flags that both prefork servers take.

use super::announce::{self, Hints};
use clap::{Parser, ValueEnum};
use host_core::sys::OnHostDeath;
use host_core::time::Duration;
use host_core::{App, Fleet};
use std::io::{Write, sink, stderr, stdout};

/// A server whose workers are forked in advance, watched, killed when they hang, and replaced.
///
/// Signals: TTIN and TTOU for one worker more or less, WINCH for none and once more for as many as before, QUIT to
/// drain, TERM or INT to stop at once. Exit status: 0 after a stop, 71 if the system refused something, 78 if it
/// cannot start like this.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Options {
    /// Where it listens; port 0 lets the kernel choose.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: String,

    /// Listens at this path, in the place of an address; a socket that was left behind there is replaced.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["listen", "reuse_port"])]
    pub unix: Option<String>,

    /// Each worker has a queue of its own, and the kernel spreads connections over them (SO_REUSEPORT); by default all share
    /// one. Less waking and an even spread, but whoever is queued behind a worker that is busy waits for it.
    #[arg(long)]
    pub reuse_port: bool,

    /// How many workers; by default as many as processors that this process may use.
    #[arg(long, value_name = "N")]
    pub workers: Option<u32>,

    /// At least so many workers are kept idle, without a connection: more are forked when there are fewer.
    #[arg(long, value_name = "N")]
    pub min_spare: Option<u32>,

    /// At most so many workers are kept idle: when there are more for long, one after the other goes.
    #[arg(long, value_name = "N")]
    pub max_spare: Option<u32>,

    /// How many workers there may be at most, whatever signals and the load call for.
    #[arg(long, value_name = "N")]
    pub max_workers: Option<u32>,

    /// How often it is counted who is idle; the fleet's default is 1000.
    #[arg(long, value_name = "N")]
    pub spare_period_ms: Option<u64>,

    /// How long too many must have been idle before one goes; the fleet's default is 10000.
    #[arg(long, value_name = "N")]
    pub shrink_after_ms: Option<u64>,

    /// A worker that is silent for longer is killed and replaced; the fleet's default is 30000.
    #[arg(long, value_name = "N")]
    pub timeout_ms: Option<u64>,

    /// A worker that is not ready after so long is killed and replaced; the fleet's default is 30000.
    #[arg(long, value_name = "N")]
    pub boot_timeout_ms: Option<u64>,

    /// A worker that was asked to quit is killed after so long; the fleet's default is 30000.
    #[arg(long, value_name = "N")]
    pub drain_timeout_ms: Option<u64>,

    /// What becomes of the workers when the host dies.
    #[arg(long, value_name = "POLICY", value_enum, default_value_t = HostDeath::Exit)]
    pub on_host_death: HostDeath,

    /// The user that workers become, by name or number, with its groups; the host stays who it is, and binds the address.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,

    /// The group that workers become, by name or number; by default the first one of the user. A user's number that is in no
    /// database needs one.
    #[arg(long, value_name = "NAME")]
    pub group: Option<String>,

    /// Where workers work, by an absolute path: the host stays where it is.
    #[arg(long, value_name = "PATH")]
    pub working_directory: Option<String>,

    /// How nice workers are to others, from -20 to 19.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub nice: Option<i32>,

    /// A worker is replaced after so many requests (lines, of the echo server), and up to a tenth more at random; by default never.
    #[arg(long, value_name = "N")]
    pub max_requests: Option<u64>,

    /// A worker that has more MiB of main memory than this is replaced, its replacement first; by default it may have any.
    #[arg(long, value_name = "N")]
    pub max_memory_mb: Option<u64>,

    /// How often that is looked at; the fleet's default is 10000.
    #[arg(long, value_name = "N")]
    pub memory_period_ms: Option<u64>,

    /// A file for the number of the host, which no two hosts have at once; one that a host which is gone has left behind is taken over.
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<String>,

    /// Becomes a daemon: comes back when all workers can serve, or says why they cannot. What has no file goes to one called
    /// after the application.
    #[arg(long)]
    pub daemonize: bool,

    /// A file for the log, which is not told on the terminal then. USR1 opens all files anew.
    #[arg(long, value_name = "FILE")]
    pub log: Option<String>,

    /// A file for what the workers print.
    #[arg(long, value_name = "FILE")]
    pub stdout: Option<String>,

    /// A file for what the workers print on standard error.
    #[arg(long, value_name = "FILE")]
    pub stderr: Option<String>,

    /// What the application and its workers are called, in titles, log lines and the file of a daemon; by default
    /// what it is.
    #[arg(long, value_name = "NAME")]
    pub app_name: Option<String>,

    /// The host reads what workers print, and tells it line by line with worker and process number in front; by default they print where
    /// the host does.
    #[arg(long)]
    pub capture: bool,

    /// Records what happens to the host, in this file: `cargo run -p harness --bin replay -- FILE` tells it.
    #[arg(long, value_name = "FILE")]
    pub record: Option<String>,
}

/// What becomes of the workers when the host dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HostDeath {
    /// They are killed at once.
    Exit,
    /// They finish what they have begun, within the drain timeout.
    Drain,
}

/// The flags' own defaults.
impl Default for Options {
    fn default() -> Self {
        Self::parse_from(["prefork"])
    }
}

/// The name of the listener that the workers share.
pub(super) const LISTENER: &str = "clients";

impl Options {
    /// An application called `name` with one fleet of that name and one listener.
    pub(super) fn app(&self, name: &str, body: impl FnOnce(Fleet) -> Fleet) -> App {
        let ms = Duration::from_millis;
        let name = self.app_name.as_deref().unwrap_or(name);
        let mut fleet = Fleet::new(name).on_host_death(match self.on_host_death {
            HostDeath::Exit => OnHostDeath::Exit,
            HostDeath::Drain => OnHostDeath::Drain,
        });
        if let Some(workers) = self.workers {
            fleet = fleet.workers(workers);
        }
        fleet = self.with_spares(fleet);
        if let Some(timeout) = self.timeout_ms {
            fleet = fleet.heartbeat_timeout(ms(timeout));
        }
        if let Some(timeout) = self.boot_timeout_ms {
            fleet = fleet.boot_timeout(ms(timeout));
        }
        if let Some(timeout) = self.drain_timeout_ms {
            fleet = fleet.drain_timeout(ms(timeout));
        }
        if let Some(requests) = self.max_requests {
            fleet = fleet.requests_max(requests);
        }
        if self.capture {
            fleet = fleet.capture_output();
        }
        if let Some(user) = &self.user {
            fleet = fleet.user(user.as_str()).no_new_privs();
        }
        if let Some(group) = &self.group {
            fleet = fleet.group(group.as_str());
        }
        if let Some(path) = &self.working_directory {
            fleet = fleet.working_directory(path);
        }
        if let Some(nice) = self.nice {
            fleet = fleet.nice(nice);
        }
        if let Some(mebibytes) = self.max_memory_mb {
            fleet = fleet.memory_max(mebibytes.saturating_mul(1 << 20));
        }
        if let Some(period) = self.memory_period_ms {
            fleet = fleet.memory_period(ms(period));
        }
        let mut app = App::new(name).poll_period_off();
        if let Some(path) = &self.record {
            app = app.record(path.as_str());
        }
        if let Some(path) = &self.pid_file {
            app = app.pid_file(path.as_str());
        }
        for (path, setter) in [
            (&self.log, App::log as fn(App, String) -> App),
            (&self.stdout, App::stdout),
            (&self.stderr, App::stderr),
        ] {
            if let Some(path) = path {
                app = setter(app, path.clone());
            }
        }
        if self.daemonize {
            app = app.daemonize();
        }
        let listen = self.unix.as_ref().map_or_else(|| self.listen.clone(), |path| format!("unix:{path}"));
        if self.reuse_port {
            app.fleet(body(fleet.listen_spread(LISTENER, listen)))
        } else {
            app.listen(LISTENER, listen).fleet(body(fleet))
        }
    }
}

impl Options {
    /// Tells people on the terminal what happens to `app`, unless files are for that.
    pub fn announced(&self, app: App, hints: Hints) -> App {
        if self.daemonize {
            return app;
        }
        let out: Box<dyn Write> = if self.stdout.is_some() { Box::new(sink()) } else { Box::new(stdout()) };
        // Into the file of standard error, where there is one and none for the log.
        let err: Box<dyn Write> = if self.log.is_none() { Box::new(stderr()) } else { Box::new(sink()) };
        app.on_notice(announce::to(hints, out, err, std::process::id()))
    }

    fn with_spares(&self, mut fleet: Fleet) -> Fleet {
        let ms = Duration::from_millis;
        if let Some(workers) = self.max_workers {
            fleet = fleet.workers_max(workers);
        }
        if let Some(workers) = self.min_spare {
            fleet = fleet.min_spare(workers);
        }
        if let Some(workers) = self.max_spare {
            fleet = fleet.max_spare(workers);
        }
        if let Some(period) = self.spare_period_ms {
            fleet = fleet.spare_period(ms(period));
        }
        if let Some(duration) = self.shrink_after_ms {
            fleet = fleet.shrink_after(ms(duration));
        }
        fleet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_describe_servers_that_can_start() {
        assert!(super::super::echo::app(&Options::default()).check().is_ok());
        assert!(super::super::http::app(&Options::default()).check().is_ok());
        let spread = Options { reuse_port: true, ..Options::default() };
        assert!(super::super::http::app(&spread).check().is_ok());
    }

    #[test]
    fn a_unix_socket_cannot_be_spread() {
        let options = Options { listen: "unix:/tmp/x".into(), reuse_port: true, ..Options::default() };
        let error = super::super::echo::app(&options).check().unwrap_err();
        assert!(error.to_string().contains("the kernel spreads no connections of Unix sockets"), "{error}");
    }

    #[test]
    fn every_mistake_is_left_to_the_host_which_lists_them_all() {
        let options = Options {
            listen: "localhost".into(),
            timeout_ms: Some(5),
            boot_timeout_ms: Some(0),
            drain_timeout_ms: Some(0),
            max_requests: Some(0),
            nice: Some(20),
            workers: Some(1_000_000),
            min_spare: Some(3),
            max_spare: Some(2),
            spare_period_ms: Some(0),
            max_memory_mb: Some(0),
            memory_period_ms: Some(0),
            record: Some(String::new()),
            pid_file: Some(String::new()),
            log: Some(String::new()),
            stdout: Some(String::new()),
            stderr: Some(String::new()),
            app_name: Some("a\nb".into()),
            ..Options::default()
        };
        let error = super::super::http::app(&options).check().unwrap_err();
        assert_eq!(error.mistakes.len(), 18, "{error}");
    }
}
