//! Writes the answer to a request.

use crate::http::Refusal;
use std::borrow::Cow;
use std::io::Write as _;

/// The answer to a request: plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Cow<'static, str>,
    /// The methods that the path knows, for a 405.
    pub allow: Option<&'static str>,
}

impl Response {
    /// An answer with this status and body.
    pub fn new(status: u16, body: impl Into<Cow<'static, str>>) -> Self {
        Self { status, body: body.into(), allow: None }
    }

    /// Appends it to `out` as it goes over the wire. The answer to a HEAD has a length but no body.
    pub fn write(&self, out: &mut Vec<u8>, is_head: bool, keep_alive: bool) {
        let Self { status, body, allow } = self;
        let connection = if keep_alive { "keep-alive" } else { "close" };
        // Writing to memory does not fail.
        let _ = write!(
            out,
            "HTTP/1.1 {status} {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n",
            reason(*status),
            body.len(),
        );
        if let Some(methods) = allow {
            let _ = write!(out, "Allow: {methods}\r\n");
        }
        let _ = write!(out, "Connection: {connection}\r\n\r\n");
        if !is_head {
            out.extend_from_slice(body.as_bytes());
        }
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.status(), format!("{refusal}\n"))
    }
}

/// The words of RFC 9110, 15.
const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        411 => "Length Required",
        413 => "Content Too Large",
        431 => "Request Header Fields Too Large",
        505 => "HTTP Version Not Supported",
        // The words are for people only, and may be left out.
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(response: &Response, is_head: bool, keep_alive: bool) -> String {
        let mut out = Vec::new();
        response.write(&mut out, is_head, keep_alive);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_answer_says_its_length_and_whether_the_connection_stays() {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n";
        let response = Response::new(200, "hi\n");
        assert_eq!(written(&response, false, true), format!("{head}Connection: keep-alive\r\n\r\nhi\n"));
        assert_eq!(written(&response, true, false), format!("{head}Connection: close\r\n\r\n"));
    }

    #[test]
    fn a_405_names_the_methods() {
        let response = Response { allow: Some("POST"), ..Response::new(405, "") };
        assert!(written(&response, false, true).contains("\r\nAllow: POST\r\n"));
    }

    #[test]
    fn each_refusal_has_words_for_its_status() {
        let refusals = [
            Refusal::Host,
            Refusal::Length,
            Refusal::LengthRequired,
            Refusal::BodyTooLong,
            Refusal::HeadTooLong,
        ];
        for refusal in refusals.into_iter().chain([Refusal::Version]) {
            let response = Response::from(refusal);
            assert_ne!(reason(response.status), "", "{refusal:?}");
            assert_eq!(response.body, format!("{refusal}\n"));
        }
    }
}
