//! What a person who starts a prefork server is told.

use crate::announce::say;
use crate::options::reachable;
use host_core::notice::{Level, Notice, Record};
use std::io::Write;
use std::net::SocketAddr;

/// What to try with a server at this address.
pub type Hints = fn(SocketAddr) -> String;

/// Tells where the server listens and what to try on `out`, and what happens to it and its workers on `err`;
/// for [`App::on_notice`](host_core::App::on_notice) in the process `pid`.
///
/// A server without readers goes on: what cannot be written is left out.
pub fn to(hints: Hints, mut out: impl Write, mut err: impl Write, pid: u32) -> impl FnMut(&Record<'_>) {
    let mut bound = None;
    move |record| {
        match record.notice {
            Notice::Listening { address } => {
                bound = Some(reachable(*address));
                say(&mut out, format_args!("listening on {address}\n"));
            }
            Notice::ListeningAt { path } => say(&mut out, format_args!("listening on unix:{path}\n")),
            Notice::Started { .. } => {
                let hints = bound.map(hints).unwrap_or_default();
                say(&mut out, format_args!("try:\n{hints}{}", supervision(pid)));
            }
            Notice::Added
            | Notice::Dispatch(_)
            | Notice::ConnectFailed { .. }
            | Notice::AcceptPaused { .. }
            | Notice::Stopping { .. }
            | Notice::Draining { .. }
            | Notice::DrainCutShort { .. }
            | Notice::SignalIgnored { .. }
            | Notice::StrangerReaped { .. }
            | Notice::BodyFailed { .. }
            | Notice::ServiceFailed { .. }
            | Notice::Output { .. }
            | Notice::OutputLeftOut { .. }
            | Notice::PolicyFailed
            | Notice::RecordingStopped { .. }
            | Notice::ManagerLost { .. }
            | Notice::LogOpened { .. }
            | Notice::LogFailed { .. }
            | Notice::LogLost { .. }
            | Notice::NotReopened { .. }
            | Notice::OutputsKept { .. }
            | Notice::Fleet(_)
            | Notice::Stopped => {}
        }
        if record.notice.level() >= Level::Info {
            say(&mut err, format_args!("[{pid}] {} {record}\n", record.at));
        }
    }
}

/// What to try with the echo server.
pub fn echo_hints(address: SocketAddr) -> String {
    let (ip, port) = (address.ip(), address.port());
    format!(
        "  printf 'hello\\n!pid\\n' | nc -N {ip} {port}\n  echo '!hang' | nc {ip} {port}   # killed after --timeout-ms; so is !spin\n"
    )
}

/// What to try with the web server.
pub fn http_hints(address: SocketAddr) -> String {
    format!(
        "  curl http://{address}/\n  curl http://{address}/pid\n  curl http://{address}/hang   # killed after --timeout-ms; so is /spin\n"
    )
}

/// What to try with any of them.
fn supervision(pid: u32) -> String {
    format!(
        "\x20 kill -KILL $(pgrep -o -P {pid})   # the oldest worker; it is replaced at once
  kill -TTIN {pid}   # one worker more; TTOU: one less; WINCH: none, and once more: as many as before
  kill -QUIT {pid}   # drains, then stops; TERM: stops at once
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_core::time::{Instant, WallTime};

    /// What is written for these notices on each of the two.
    fn told(hints: Hints, notices: &[Notice]) -> (String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut listening = to(hints, &mut out, &mut err, 42);
        for notice in notices {
            let (at, wall) = (Instant::from_nanos(1_500_000), WallTime(0));
            listening(&Record {
                at,
                wall,
                subject: Some("x"),
                service: None,
                fleet: None,
                error: None,
                text: None,
                notice,
            });
        }
        drop(listening);
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn the_address_stands_on_a_line_of_its_own_and_the_hints_name_one_that_can_be_reached() {
        let notices = [
            Notice::Listening { address: "0.0.0.0:80".parse().unwrap() },
            Notice::Started { services: 0 },
            Notice::Added,
        ];
        for (hints, first) in [
            (echo_hints as Hints, "  printf 'hello\\n!pid\\n' | nc -N 127.0.0.1 80"),
            (http_hints, "  curl http://127.0.0.1:80/"),
        ] {
            let (out, err) = told(hints, &notices);
            let lines: Vec<_> = out.lines().collect();
            assert_eq!(lines[..3], ["listening on 0.0.0.0:80", "try:", first]);
            assert!(out.contains("kill -QUIT 42 "), "{out}");
            assert_eq!(
                err,
                "[42] 0.001500s listener `x` is bound to 0.0.0.0:80\n[42] 0.001500s host started with 0 services\n"
            );
        }
    }
}
