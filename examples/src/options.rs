//! The flags, and the application that they describe.

use crate::routes::Reports;
use crate::web::Web;
use crate::worker::{self, Worker};
use clap::Parser;
use host_core::time::Duration;
use host_core::{App, Hosted, Reconnect};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What the application calls the listener of the web server.
pub const WEB_LISTENER: &str = "web";

/// How soon the worker tries again to reach the web server, and how much longer it waits at most.
const RECONNECT: Reconnect = Reconnect::backoff(Duration::from_millis(50), Duration::from_secs(2));

/// An HTTP server and a job worker in one process and one thread.
///
/// The worker takes jobs, one a line, answers them, and reports each result to the web server. Exit status: 0
/// after an orderly stop (INT or TERM, or QUIT to drain), 70 if a service failed, 71 if the system refused something, 75 if a
/// kick (USR1) found the process hung, 78 if it cannot start like this.
#[derive(Clone, Debug, Parser)]
#[command(name = "web_and_worker")]
pub struct Options {
    /// Where the web server listens; port 0 lets the kernel choose.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: String,

    /// Where the worker listens for jobs; port 0 lets the kernel choose.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8081")]
    pub jobs_listen: String,

    /// The web server to report to, if it is not the one in this process.
    #[arg(long, value_name = "ADDR")]
    pub report_to: Option<SocketAddr>,

    /// How long one turn of the loop waits at most; the host's default is 5000.
    #[arg(long, value_name = "N")]
    pub poll_period_ms: Option<u64>,

    /// A kick ends the process if its last heartbeat is older than this; the host's default is 12000.
    #[arg(long, value_name = "N")]
    pub heartbeat_threshold_ms: Option<u64>,

    /// A client that is silent for so long is dropped.
    #[arg(long, value_name = "N", default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub idle_ms: u64,

    /// The worker hangs for ever after so long, to try the kick.
    #[arg(long, value_name = "N")]
    pub hang_after_ms: Option<u64>,
}

/// The flags' own defaults.
impl Default for Options {
    fn default() -> Self {
        Self::parse_from(["web_and_worker"])
    }
}

/// The application: the same for the real kernel and for a simulated one.
pub fn app(options: &Options) -> App {
    let idle = Duration::from_millis(options.idle_ms);
    let worker = Worker::new(idle)
        .report_to(options.report_to)
        .hang_after(options.hang_after_ms.map(Duration::from_millis));
    let mut app = App::new("web_and_worker")
        .listen(WEB_LISTENER, &options.listen)
        .listen(worker::LISTENER, &options.jobs_listen)
        .service(Hosted::new("web", Web::new(WEB_LISTENER, idle, Reports::default())))
        .service(Hosted::new("worker", worker).reconnect(RECONNECT).retry_connect_errors());
    if let Some(period) = options.poll_period_ms {
        app = app.poll_period(Duration::from_millis(period));
    }
    if let Some(threshold) = options.heartbeat_threshold_ms {
        app = app.heartbeat_threshold(Duration::from_millis(threshold));
    }
    app
}

/// Where to connect to what is bound here: bound to all addresses, it is on the loopback too.
pub fn reachable(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, bound.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_describe_an_application_that_can_start() {
        assert!(app(&Options::default()).check().is_ok());
    }

    #[test]
    fn every_mistake_is_left_to_the_host_which_lists_them_all() {
        let options = Options {
            listen: "localhost".into(),
            jobs_listen: "nowhere".into(),
            poll_period_ms: Some(500),
            heartbeat_threshold_ms: Some(500),
            ..Options::default()
        };
        assert_eq!(app(&options).check().unwrap_err().mistakes.len(), 3);
    }

    #[test]
    fn a_value_that_is_none_is_refused_by_its_flag() {
        for arguments in [["--idle-ms", "0"], ["--hang-after-ms", "soon"], ["--report-to", "web"]] {
            let all = ["web_and_worker"].into_iter().chain(arguments);
            let error = Options::try_parse_from(all).unwrap_err().to_string();
            assert!(error.contains(arguments[0]), "{error}");
        }
    }

    #[test]
    fn what_is_bound_everywhere_is_reached_on_the_loopback() {
        let rows = [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("127.0.0.2:80", "127.0.0.2:80"),
            ("[fe80::1]:80", "[fe80::1]:80"),
        ];
        for (bound, expected) in rows {
            assert_eq!(reachable(bound.parse().unwrap()), expected.parse().unwrap());
        }
    }
}
