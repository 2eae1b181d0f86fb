//! A web server for trying the supervision: each worker runs an event host with one service.

use super::options::LISTENER;
use super::{Options, hang};
use crate::http::{Request, decimal};
use crate::response::Response;
use crate::routes::not_allowed;
use crate::web::{Site, Web};
use host_core::time::Duration;
use host_core::{App, Context, Hosted};
use std::io::{Write as _, stderr, stdout};
use std::process::Command;

/// How long a client may be silent.
const IDLE: Duration = Duration::from_secs(30);
/// How long a nap is.
const NAP: Duration = Duration::from_millis(200);

/// The application: the same for the real kernel and for a simulated one.
pub fn app(options: &Options) -> App {
    options.app("http", |fleet| fleet.host(|_| worker()))
}

/// What each worker runs.
fn worker() -> App {
    // It has nothing to do that nobody asks for: an idle worker is not woken.
    App::new("http").poll_period_off().service(Hosted::new("web", Web::new(LISTENER, IDLE, Trial)))
}

/// Pages that do what pages must not do.
#[derive(Debug)]
struct Trial;

impl Site for Trial {
    fn answer(&mut self, cx: &mut Context<'_>, request: &Request<'_>) -> Response {
        let page = match request.path {
            "/" => Page::Hello,
            "/pid" => Page::Pid,
            "/sleep" => match milliseconds(request.query) {
                Ok(duration) => Page::Sleep(duration),
                Err(()) => return Response::new(400, "ms is a number of milliseconds: /sleep?ms=1000\n"),
            },
            "/hang" => Page::Sleep(None),
            "/nap" => Page::Sleep(Some(NAP)),
            "/spin" => Page::Spin,
            "/crash" => Page::Crash,
            "/print" => match decimal_of(request.query, "lines=") {
                Ok(lines) => Page::Print(lines.unwrap_or(1)),
                Err(()) => return Response::new(400, "lines is a number of lines: /print?lines=1000\n"),
            },
            "/half" => Page::Half,
            "/program" => Page::Program,
            _ => {
                let pages = "/ /pid /nap /sleep?ms=N /hang /spin /crash /print?lines=N /half /program";
                return Response::new(404, format!("not here: {pages}\n"));
            }
        };
        if !matches!(request.method, "GET" | "HEAD") {
            return not_allowed("GET, HEAD");
        }
        page.show(cx)
    }
}

/// What there is.
#[derive(Clone, Copy, Debug)]
enum Page {
    Hello,
    Pid,
    /// For ever, if no time is given.
    Sleep(Option<Duration>),
    Spin,
    Crash,
    /// So many lines on standard output, and one on standard error.
    Print(u64),
    /// The beginning of a line.
    Half,
    /// Another program prints.
    Program,
}

impl Page {
    fn show(self, cx: &Context<'_>) -> Response {
        match self {
            Self::Hello => Response::new(200, "Hello, World!\n"),
            Self::Pid => Response::new(200, format!("{}\n", cx.pid())),
            Self::Sleep(Some(duration)) => {
                hang::sleep(cx, duration);
                Response::new(200, format!("slept {} ms\n", duration.as_millis()))
            }
            Self::Sleep(None) => hang::sleep_for_ever(cx),
            Self::Spin => hang::spin(cx),
            Self::Crash => std::process::abort(),
            Self::Print(lines) => {
                let (mut out, mut err) = (stdout().lock(), stderr().lock());
                // As `println!`, which would make a panic of it that nobody reads.
                let done = (1..=lines).try_for_each(|line| writeln!(out, "line {line} of {lines}"));
                let done = done.and_then(|()| writeln!(err, "{lines} lines are printed"));
                told(done)
            }
            Self::Half => {
                let mut out = stdout().lock();
                told(write!(out, "half of a line").and_then(|()| out.flush()))
            }
            Self::Program => told(Command::new("echo").arg("a program prints").status().map(drop)),
        }
    }
}

/// How printing went.
fn told(printed: std::io::Result<()>) -> Response {
    match printed {
        Ok(()) => Response::new(200, "printed\n"),
        Err(error) => Response::new(500, format!("cannot print: {error}\n")),
    }
}

/// The `ms` of a query; `None` if it says nothing of it.
fn milliseconds(query: &str) -> Result<Option<Duration>, ()> {
    Ok(decimal_of(query, "ms=")?.map(Duration::from_millis))
}

/// The number behind `key` in a query; `None` if it says nothing of it.
fn decimal_of(query: &str, key: &str) -> Result<Option<u64>, ()> {
    let Some(value) = query.split('&').find_map(|pair| pair.strip_prefix(key)) else { return Ok(None) };
    Ok(Some(decimal(value.as_bytes()).ok_or(())? as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_to_sleep_is_a_number_or_for_ever() {
        let ms = |number| Ok(Some(Duration::from_millis(number)));
        let rows = [
            ("", Ok(None)),
            ("a=1", Ok(None)),
            ("ms=0", ms(0)),
            ("a=1&ms=250&ms=1", ms(250)),
            ("ms=", Err(())),
            ("ms=-1", Err(())),
            ("ms=1s", Err(())),
            ("ms=99999999999999999999999", ms(u64::MAX)),
        ];
        for (query, expected) in rows {
            assert_eq!(milliseconds(query), expected, "{query}");
        }
    }
}
