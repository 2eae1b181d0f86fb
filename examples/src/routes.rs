//! What the web server knows, and how it answers a request: no sockets.

use crate::http::Request;
use crate::response::Response;
use crate::web::Site;
use host_core::Context;
use std::collections::VecDeque;
use std::fmt;

/// How many reports are listed, and remembered by their key.
pub const LISTED_MAX: usize = 20;

/// The results that were reported.
#[derive(Clone, Debug, Default)]
pub struct Reports {
    /// The last [`LISTED_MAX`], the oldest first, each with its key.
    last: VecDeque<(Option<Vec<u8>>, String)>,
    /// How many there were.
    taken: u64,
    /// How many came once more under the key of a listed one, and were not taken again.
    repeated: u64,
}

impl Reports {
    /// Takes a report, unless it came already and only its acknowledgement was lost.
    fn take(&mut self, key: Option<&[u8]>, text: &str) {
        if key.is_some() && self.last.iter().any(|(known, _)| known.as_deref() == key) {
            self.repeated += 1;
            return;
        }
        self.taken += 1;
        if self.last.len() == LISTED_MAX {
            self.last.pop_front();
        }
        self.last.push_back((key.map(<[u8]>::to_vec), text.into()));
    }
}

impl Site for Reports {
    fn answer(&mut self, _: &mut Context<'_>, request: &Request<'_>) -> Response {
        answer(request, self)
    }
}

/// The counts, then a line each, the youngest first.
impl fmt::Display for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { last, taken, repeated } = self;
        writeln!(f, "reports: {taken}\nrepeated: {repeated}\nlisted: {}\n", last.len())?;
        last.iter().rev().try_for_each(|(_, text)| writeln!(f, "{text}"))
    }
}

const HELLO: &str = "\
hello from one thread

  GET /          this page
  GET /jobs      what the worker reported
  POST /reports  report something yourself: one line of text
";

/// Answers a request.
pub fn answer(request: &Request<'_>, reports: &mut Reports) -> Response {
    const READ: &str = "GET, HEAD";
    match (request.path, request.method) {
        ("/", "GET" | "HEAD") => Response::new(200, HELLO),
        ("/jobs", "GET" | "HEAD") => Response::new(200, reports.to_string()),
        ("/reports", "POST") => match text(request.body) {
            Some(text) => {
                reports.take(request.key, text);
                Response::new(201, "noted\n")
            }
            None => Response::new(400, "a report is one line of text\n"),
        },
        ("/" | "/jobs", _) => not_allowed(READ),
        ("/reports", _) => not_allowed("POST"),
        _ => Response::new(404, "not here; GET / lists what is\n"),
    }
}

/// The answer to a method that the path does not know.
pub(crate) fn not_allowed(methods: &'static str) -> Response {
    Response { allow: Some(methods), ..Response::new(405, format!("only {methods} here\n")) }
}

/// One line of text: what is listed must not look like two reports.
fn text(body: &[u8]) -> Option<&str> {
    let text = str::from_utf8(body).ok()?.trim_end();
    (!text.is_empty() && !text.contains(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(method: &'a str, path: &'a str, body: &'a str) -> Request<'a> {
        Request { method, path, query: "", key: None, body: body.as_bytes(), keep_alive: true }
    }

    #[test]
    fn each_path_and_method_has_its_answer() {
        let rows = [
            ("GET", "/", "", 200, None),
            ("HEAD", "/", "", 200, None),
            ("GET", "/jobs", "", 200, None),
            ("HEAD", "/jobs", "", 200, None),
            ("POST", "/reports", "sum 1 = 1\n", 201, None),
            ("POST", "/reports", "", 400, None),
            ("POST", "/reports", "two\nlines", 400, None),
            ("POST", "/", "", 405, Some("GET, HEAD")),
            ("DELETE", "/jobs", "", 405, Some("GET, HEAD")),
            ("get", "/", "", 405, Some("GET, HEAD")),
            ("GET", "/reports", "", 405, Some("POST")),
            ("GET", "/elsewhere", "", 404, None),
            ("OPTIONS", "*", "", 404, None),
        ];
        for (method, path, body, status, allow) in rows {
            let response = answer(&request(method, path, body), &mut Reports::default());
            assert_eq!((response.status, response.allow), (status, allow), "{method} {path}");
            assert!(response.body.ends_with('\n'), "{method} {path}");
        }
    }

    #[test]
    fn a_body_that_is_no_text_is_refused() {
        let request = Request { body: b"\xff", ..request("POST", "/reports", "") };
        assert_eq!(answer(&request, &mut Reports::default()).status, 400);
    }

    #[test]
    fn the_last_reports_are_listed_with_counts_the_youngest_first() {
        let mut reports = Reports::default();
        for number in 1..=LISTED_MAX + 2 {
            answer(&request("POST", "/reports", &format!("report {number}")), &mut reports);
        }
        let page = answer(&request("GET", "/jobs", ""), &mut reports).body;
        assert!(page.starts_with("reports: 22\nrepeated: 0\nlisted: 20\n\nreport 22\nreport 21\n"), "{page}");
        assert!(page.ends_with("report 3\n"), "{page}");
    }

    #[test]
    fn a_report_that_is_sent_again_is_taken_once() {
        let mut reports = Reports::default();
        for key in [b"a", b"a", b"b"] {
            let again = Request { key: Some(key), ..request("POST", "/reports", "x") };
            assert_eq!(answer(&again, &mut reports).status, 201);
        }
        assert_eq!(reports.to_string(), "reports: 2\nrepeated: 1\nlisted: 2\n\nx\nx\n");
        for _ in 0..2 {
            answer(&request("POST", "/reports", "y"), &mut reports);
        }
        assert_eq!(reports.taken, 4, "without a key each stands for itself");
    }
}
