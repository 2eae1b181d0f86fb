//! What a person who starts the program is told.

use crate::options::{WEB_LISTENER, reachable};
use crate::worker;
use host_core::notice::{Notice, Record};
use std::fmt;
use std::io::Write;
use std::net::SocketAddr;

/// Tells where the application listens and what to try on `out`, and what is amiss on `err`; for
/// [`App::on_notice`](host_core::App::on_notice) in the process `pid`.
///
/// A program without readers goes on: what cannot be written is left out.
pub fn to(mut out: impl Write, mut err: impl Write, pid: u32) -> impl FnMut(&Record<'_>) {
    let mut hints = Hints { web: None, jobs: None, pid };
    move |record| match record.notice {
        Notice::Listening { address } => {
            let what = match record.subject {
                Some(WEB_LISTENER) => {
                    hints.web = Some(*address);
                    "listening"
                }
                Some(worker::LISTENER) => {
                    hints.jobs = Some(*address);
                    "jobs"
                }
                _ => return,
            };
            say(&mut out, format_args!("{what} on {address}\n"));
        }
        Notice::ListeningAt { path } => say(&mut out, format_args!("listening on unix:{path}\n")),
        Notice::Started { .. } => say(&mut out, format_args!("{hints}")),
        Notice::Stopping { .. }
        | Notice::Draining { .. }
        | Notice::DrainCutShort { .. }
        | Notice::ConnectFailed { .. }
        | Notice::RecordingStopped { .. }
        | Notice::ManagerLost { .. }
        | Notice::LogFailed { .. }
        | Notice::LogLost { .. }
        | Notice::NotReopened { .. }
        | Notice::OutputsKept { .. }
        | Notice::AcceptPaused { .. } => {
            say(&mut err, format_args!("{record}\n"));
        }
        Notice::Added
        | Notice::Dispatch(_)
        | Notice::SignalIgnored { .. }
        | Notice::StrangerReaped { .. }
        | Notice::BodyFailed { .. }
        | Notice::ServiceFailed { .. }
        | Notice::Output { .. }
        | Notice::OutputLeftOut { .. }
        | Notice::PolicyFailed
        | Notice::Fleet(_)
        | Notice::LogOpened { .. }
        | Notice::Stopped => {}
    }
}

/// One write and a flush: a line is never seen in halves.
pub(crate) fn say(out: &mut impl Write, words: fmt::Arguments<'_>) {
    let _ = out.write_all(words.to_string().as_bytes()).and_then(|()| out.flush());
}

/// What to try next.
struct Hints {
    web: Option<SocketAddr>,
    jobs: Option<SocketAddr>,
    pid: u32,
}

impl fmt::Display for Hints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { web, jobs, pid } = self;
        writeln!(f, "try:")?;
        if let Some(web) = web.map(reachable) {
            writeln!(f, "  curl http://{web}/\n  curl http://{web}/jobs")?;
        }
        if let Some(jobs) = jobs.map(reachable) {
            writeln!(f, "  printf 'sum 1 2 3\\nupper hello\\n' | nc -N {} {}", jobs.ip(), jobs.port())?;
        }
        writeln!(f, "  kill -USR1 {pid}   # a kick: ends it only if it hangs")?;
        writeln!(f, "  kill -TERM {pid}   # stops it in order; QUIT: after what has begun")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_core::sys::Signal;
    use host_core::time::{Duration, Instant, WallTime};

    /// What is written for these notices on each of the two.
    fn told(notices: &[(Option<&str>, Notice)]) -> (String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut listening = to(&mut out, &mut err, 42);
        for (subject, notice) in notices {
            let (subject, wall) = (*subject, WallTime(0));
            listening(&Record {
                at: Instant::ZERO,
                wall,
                subject,
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
    fn the_addresses_and_what_to_try_are_told() {
        let (out, err) = told(&[
            (Some("web"), Notice::Listening { address: "0.0.0.0:80".parse().unwrap() }),
            (Some("jobs"), Notice::Listening { address: "[::1]:81".parse().unwrap() }),
            (None, Notice::Started { services: 2 }),
        ]);
        let expected = r"listening on 0.0.0.0:80
jobs on [::1]:81
try:
  curl http://127.0.0.1:80/
  curl http://127.0.0.1:80/jobs
  printf 'sum 1 2 3\nupper hello\n' | nc -N ::1 81
  kill -USR1 42   # a kick: ends it only if it hangs
  kill -TERM 42   # stops it in order; QUIT: after what has begun
";
        assert_eq!((&*out, &*err), (expected, ""));
    }

    #[test]
    fn what_is_amiss_goes_to_standard_error_and_the_ordinary_course_nowhere() {
        let (out, err) = told(&[
            (Some("worker"), Notice::Added),
            (Some("worker"), Notice::ConnectFailed { attempt: 1, retry_after: Duration::from_millis(50) }),
            (None, Notice::Stopping { signal: Some(Signal::Term) }),
            (None, Notice::Stopped),
        ]);
        assert_eq!(out, "");
        assert_eq!(
            err,
            "service `worker`: connect failed (try 1); again in 50 ms\nstopping: TERM received\n"
        );
    }

    /// A standard output that nobody reads.
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn nobody_need_listen() {
        let mut listening = to(Closed, Closed, 1);
        let notice = &Notice::Started { services: 0 };
        listening(&Record {
            at: Instant::ZERO,
            wall: WallTime(0),
            subject: None,
            service: None,
            fleet: None,
            error: None,
            text: None,
            notice,
        });
    }
}
