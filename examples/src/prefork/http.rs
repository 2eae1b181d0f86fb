//! A web server for trying the supervision: each worker runs an event host with one service.

use super::options::LISTENER;
use super::{Options, hang};
use crate::http::{Request, decimal};
use crate::response::Response;
use crate::routes::not_allowed;
use crate::web::{Site, Web};
use host_core::time::Duration;
use host_core::{App, Context, Hosted};

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
            _ => return Response::new(404, "not here: / /pid /nap /sleep?ms=N /hang /spin /crash\n"),
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
        }
    }
}

/// The `ms` of a query; `None` if it says nothing of it.
fn milliseconds(query: &str) -> Result<Option<Duration>, ()> {
    let Some(value) = query.split('&').find_map(|pair| pair.strip_prefix("ms=")) else { return Ok(None) };
    let number = decimal(value.as_bytes()).ok_or(())?;
    Ok(Some(Duration::from_millis(number as u64)))
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
