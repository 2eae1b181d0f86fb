//! Reads a request out of bytes: no sockets, no state.

use httparse::{Error, Header, Status};
use std::mem::MaybeUninit;

/// How long the head of a request may be, request line and all: what most servers allow.
pub const HEAD_MAX: usize = 8 * 1024;
/// How long the body of a request may be: the longest job with its result, and room.
pub const BODY_MAX: usize = 8 * 1024;
/// How many headers a request may have; browsers send about 20.
pub const HEADERS_MAX: usize = 64;

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The method, as it was written: methods are case-sensitive.
    pub method: &'a str,
    /// The path, without query; of `http://host/path` only the path.
    pub path: &'a str,
    /// What follows the `?`; empty if there is none.
    pub query: &'a str,
    /// The `Idempotency-Key`: two requests with the same one mean the same.
    pub key: Option<&'a [u8]>,
    /// The body; empty if there is none.
    pub body: &'a [u8],
    /// The client means to send another request over this connection.
    pub keep_alive: bool,
}

/// What bytes came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    /// They are the beginning of a request.
    Partial {
        /// The head is whole, and the client waits for `100 Continue` before it sends the body.
        expects_continue: bool,
    },
    /// They begin with a whole request.
    Whole {
        /// The request.
        request: Request<'a>,
        /// How many bytes it is long; the next one begins there.
        length: usize,
    },
}

/// Why a request cannot be served, whatever follows: where the next one begins is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It breaks the grammar.
    #[error("bad request: {0}")]
    Syntax(Error),
    /// An HTTP/1.1 request names its host, once (RFC 9112, 3.2).
    #[error("bad request: exactly one Host header is needed")]
    Host,
    /// There is more than one opinion on where it ends (RFC 9112, 6.3).
    #[error("bad request: the length of the body is unclear")]
    Length,
    /// The body comes in chunks, which this server does not read.
    #[error("a body needs a Content-Length")]
    LengthRequired,
    /// The body is too long.
    #[error("the body is longer than {BODY_MAX} bytes")]
    BodyTooLong,
    /// The head is too long, or has too many headers.
    #[error("the head is longer than {HEAD_MAX} bytes, or has more than {HEADERS_MAX} headers")]
    HeadTooLong,
    /// It is neither HTTP/1.0 nor HTTP/1.1.
    #[error("only HTTP/1.0 and HTTP/1.1 are spoken here")]
    Version,
}

impl Refusal {
    /// The status that says so.
    pub const fn status(self) -> u16 {
        match self {
            Self::Syntax(_) | Self::Host | Self::Length => 400,
            Self::LengthRequired => 411,
            Self::BodyTooLong => 413,
            Self::HeadTooLong => 431,
            Self::Version => 505,
        }
    }
}

/// Reads the first request of `bytes`.
///
/// The answer depends on the bytes alone, not on the portions in which they came: whoever gets
/// [`Parsed::Partial`] asks again with more. So a client never needs to hold more than [`HEAD_MAX`] and
/// [`BODY_MAX`] together.
///
/// # Errors
/// Why this is no request, or one that is too long.
pub fn parse(bytes: &[u8]) -> Result<Parsed<'_>, Refusal> {
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut []);
    // Never a look past the bound, or a long head would pass if it came in one piece.
    let start = match head.parse_with_uninit_headers(&bytes[..bytes.len().min(HEAD_MAX)], &mut headers) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if bytes.len() < HEAD_MAX => {
            return Ok(Parsed::Partial { expects_continue: false });
        }
        Ok(Status::Partial) | Err(Error::TooManyHeaders) => return Err(Refusal::HeadTooLong),
        Err(Error::Version) => return Err(Refusal::Version),
        Err(error) => return Err(Refusal::Syntax(error)),
    };
    let is_1_1 = head.version == Some(1);
    let framing = Framing::of(head.headers, is_1_1)?;
    let length = start + framing.length;
    let Some(body) = bytes.get(start..length) else {
        return Ok(Parsed::Partial { expects_continue: framing.expects_continue && is_1_1 });
    };
    let (path, query) = split(head.path.unwrap_or_default());
    let request = Request {
        method: head.method.unwrap_or_default(),
        path,
        query,
        key: framing.key,
        body,
        keep_alive: if is_1_1 { !framing.close } else { framing.keep_alive && !framing.close },
    };
    Ok(Parsed::Whole { request, length })
}

/// What the headers say of where the request ends, and of what follows it.
#[derive(Default)]
struct Framing<'a> {
    length: usize,
    key: Option<&'a [u8]>,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
}

impl<'a> Framing<'a> {
    fn of(headers: &[Header<'a>], is_1_1: bool) -> Result<Self, Refusal> {
        let mut framing = Self::default();
        let (mut hosts, mut lengths, mut is_coded) = (0, 0, false);
        for Header { name, value } in headers {
            let is = |expected: &str| name.eq_ignore_ascii_case(expected);
            if is("host") {
                hosts += 1;
            } else if is("content-length") {
                lengths += 1;
                framing.length = decimal(value).ok_or(Refusal::Length)?;
            } else if is("transfer-encoding") {
                is_coded = true;
            } else if is("connection") {
                framing.close |= has_token(value, "close");
                framing.keep_alive |= has_token(value, "keep-alive");
            } else if is("expect") {
                framing.expects_continue |= has_token(value, "100-continue");
            } else if is("idempotency-key") {
                framing.key = Some(value);
            }
        }
        if hosts > 1 || (hosts == 0 && is_1_1) {
            Err(Refusal::Host)
        } else if lengths > 1 || (lengths == 1 && is_coded) {
            Err(Refusal::Length)
        } else if is_coded {
            Err(Refusal::LengthRequired)
        } else if framing.length > BODY_MAX {
            Err(Refusal::BodyTooLong)
        } else {
            Ok(framing)
        }
    }
}

/// A number of decimal digits and nothing else: `+5` and ` 5` have been used to smuggle requests. One that
/// does not fit is the largest there is.
pub(crate) fn decimal(value: &[u8]) -> Option<usize> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let append =
        |number: usize, digit: &u8| number.saturating_mul(10).saturating_add(usize::from(digit - b'0'));
    Some(value.iter().fold(0, append))
}

/// Whether a comma-separated list has this token, in any case.
pub(crate) fn has_token(value: &[u8], token: &str) -> bool {
    value.split(|byte| *byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// Path and query of a target.
fn split(target: &str) -> (&str, &str) {
    let target = target.split('#').next().unwrap_or_default();
    let (target, query) = target.split_once('?').unwrap_or((target, ""));
    let path = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => rest.find('/').map_or("/", |slash| &rest[slash..]),
        _ => target,
    };
    (path, query)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds one byte after the other until there is an answer.
    fn parse_byte_by_byte(bytes: &[u8]) -> Result<Parsed<'_>, Refusal> {
        let mut answers = (0..bytes.len()).map(|end| parse(&bytes[..end]));
        answers.find(|answer| !matches!(answer, Ok(Parsed::Partial { .. }))).unwrap_or_else(|| parse(bytes))
    }

    fn refusal(head: &str) -> Refusal {
        let bytes = format!("{head}\r\n\r\n");
        let refusal = parse(bytes.as_bytes()).unwrap_err();
        assert_eq!(parse_byte_by_byte(bytes.as_bytes()), Err(refusal), "{head}");
        refusal
    }

    #[test]
    fn a_request_is_read_whole_and_byte_by_byte() {
        let get = Request { method: "GET", path: "/", query: "", key: None, body: b"", keep_alive: true };
        let post = Request { method: "POST", path: "/reports", body: b"abc", ..get };
        let rows: [(&str, Request<'_>); 12] = [
            ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", get),
            ("\r\nGET / HTTP/1.1\nhOST:x\n\n", get),
            (
                "GET / HTTP/1.1\r\nHost: x\r\nConnection: x, Close\r\n\r\n",
                Request { keep_alive: false, ..get },
            ),
            ("GET / HTTP/1.0\r\n\r\n", Request { keep_alive: false, ..get }),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", get),
            ("HEAD /jobs HTTP/1.1\r\nHost: x\r\n\r\n", Request { method: "HEAD", path: "/jobs", ..get }),
            ("GET /jobs?a=/b#c HTTP/1.1\r\nHost: x\r\n\r\n", Request { path: "/jobs", query: "a=/b", ..get }),
            ("GET http://x:1/jobs HTTP/1.1\r\nHost: x\r\n\r\n", Request { path: "/jobs", ..get }),
            ("GET http://x?a?b HTTP/1.1\r\nHost: x\r\n\r\n", Request { query: "a?b", ..get }),
            ("GET http://x HTTP/1.1\r\nHost: x\r\n\r\n", get),
            ("POST /reports HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", post),
            (
                "POST /reports HTTP/1.1\r\nHost: x\r\nContent-Length: 03\r\nIdempotency-Key: k\r\n\r\nabc",
                Request { key: Some(b"k"), ..post },
            ),
        ];
        for (bytes, request) in rows {
            let expected = Ok(Parsed::Whole { request, length: bytes.len() });
            assert_eq!(parse_byte_by_byte(bytes.as_bytes()), expected, "{bytes:?}");
            let two = [bytes, "GET"].concat();
            assert_eq!(parse(two.as_bytes()), expected, "what follows is not looked at: {two:?}");
        }
    }

    #[test]
    fn what_is_no_request_is_refused_with_its_status() {
        let rows = [
            ("nonsense", 400),
            ("GET /", 400),
            ("G@T / HTTP/1.1\r\nHost: x", 400),
            ("GET / HTTP/2.0\r\nHost: x", 505),
            ("GET / HTTP/1.1", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nHost: x", 400),
            ("GET / HTTP/1.1\r\nHost : x", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\n folded: y", 400),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1", 400),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", 400),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1", 400),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1", 400),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length:", 400),
            ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked", 411),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8193", 413),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999", 413),
        ];
        for (head, status) in rows {
            assert_eq!(refusal(head).status(), status, "{head:?}");
        }
    }

    #[test]
    fn a_head_is_bounded_in_bytes_and_headers() {
        let long =
            |filling: usize| format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "a".repeat(filling));
        let rest = long(0).len();
        assert!(matches!(parse(long(HEAD_MAX - rest).as_bytes()), Ok(Parsed::Whole { .. })));
        assert_eq!(parse(long(HEAD_MAX - rest + 1).as_bytes()), Err(Refusal::HeadTooLong));
        assert_eq!(parse(&[b'\n'; HEAD_MAX]), Err(Refusal::HeadTooLong));
        let many = |count: usize| format!("GET / HTTP/1.1\r\nHost: x{}", "\r\nA: b".repeat(count - 1));
        assert_eq!(refusal(&many(HEADERS_MAX + 1)).status(), 431);
        let whole = many(HEADERS_MAX) + "\r\n\r\n";
        assert!(matches!(parse(whole.as_bytes()), Ok(Parsed::Whole { .. })));
    }

    #[test]
    fn a_client_that_waits_for_leave_is_known_when_the_head_is_whole() {
        let head = "POST /reports HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
        let partial = |expects_continue| Ok(Parsed::Partial { expects_continue });
        assert_eq!(parse(&head.as_bytes()[..head.len() - 1]), partial(false));
        assert_eq!(parse(head.as_bytes()), partial(true));
        let old = head.replace("1.1", "1.0");
        assert_eq!(parse(old.as_bytes()), partial(false), "HTTP/1.0 knows no such answer");
    }

    proptest! {
        #[test]
        fn any_bytes_give_the_same_answer_whole_and_byte_by_byte(
            bytes in proptest::collection::vec(prop_oneof![
                Just(b"GET / HTTP/1.1\r\n".to_vec()), Just(b"\r\n".to_vec()), Just(b"Host: x\r\n".to_vec()),
                Just(b"Content-Length: 2\r\n".to_vec()), proptest::collection::vec(any::<u8>(), 0..4),
            ], 0..8)
        ) {
            let bytes = bytes.concat();
            prop_assert_eq!(parse(&bytes), parse_byte_by_byte(&bytes));
        }
    }
}
