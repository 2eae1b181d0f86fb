//! Writes the answer to a request.

use crate::http::Refusal;
use std::borrow::Cow;

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
        put(out, "HTTP/1.1 ");
        put_number(out, usize::from(*status));
        put(out, " ");
        put(out, reason(*status));
        put(out, "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ");
        put_number(out, body.len());
        if let Some(methods) = allow {
            put(out, "\r\nAllow: ");
            put(out, methods);
        }
        put(
            out,
            if keep_alive { "\r\nConnection: keep-alive\r\n\r\n" } else { "\r\nConnection: close\r\n\r\n" },
        );
        if !is_head {
            put(out, body);
        }
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.status(), format!("{refusal}\n"))
    }
}

// What `write!` does, without its machinery, which would cost more than all the rest of a short answer.

fn put(out: &mut Vec<u8>, words: &str) {
    out.extend_from_slice(words.as_bytes());
}

fn put_number(out: &mut Vec<u8>, number: usize) {
    if number >= 10 {
        put_number(out, number / 10);
    }
    out.push(b'0' + (number % 10) as u8);
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
    fn numbers_have_all_their_digits() {
        for number in [0, 9, 10, 209, 65_536, usize::MAX] {
            let mut out = Vec::new();
            put_number(&mut out, number);
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
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
