//! Reads the web server's answer to a report out of bytes: no sockets, no state.

use crate::http::{decimal, has_token};
use httparse::{EMPTY_HEADER, Header, Status};

/// How long an answer may be, head and body: the answers to reports are a word long.
pub const REPLY_MAX: usize = 16 * 1024;
/// How many headers an answer may have.
const HEADERS_MAX: usize = 64;

/// An answer to a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// How many bytes it is long; the next one begins there.
    pub length: usize,
    /// The server will close the connection.
    pub closes: bool,
}

/// Why bytes are no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReply {
    /// It breaks the grammar.
    #[error("not HTTP: {0}")]
    Syntax(httparse::Error),
    /// Where it ends is not said.
    #[error("no Content-Length")]
    Length,
    /// It is too long.
    #[error("longer than {REPLY_MAX} bytes")]
    TooLong,
}

/// Reads the first answer of `bytes`; `None` if it is not whole yet.
///
/// # Errors
/// Why this is none.
pub fn parse(bytes: &[u8]) -> Result<Option<Reply>, BadReply> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let start = match head.parse(&bytes[..bytes.len().min(REPLY_MAX)]) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if bytes.len() < REPLY_MAX => return Ok(None),
        Ok(Status::Partial) => return Err(BadReply::TooLong),
        Err(error) => return Err(BadReply::Syntax(error)),
    };
    let status = head.code.unwrap_or_default();
    let mut body = None;
    let mut closes = head.version != Some(1);
    for Header { name, value } in head.headers {
        if name.eq_ignore_ascii_case("content-length") {
            body = decimal(value);
        } else if name.eq_ignore_ascii_case("connection") {
            closes |= has_token(value, "close");
        }
    }
    // These never have a body (RFC 9112, 6.3).
    let body = if matches!(status, 100..200 | 204 | 304) { 0 } else { body.ok_or(BadReply::Length)? };
    let length = start.saturating_add(body);
    if length > REPLY_MAX {
        return Err(BadReply::TooLong);
    }
    Ok((bytes.len() >= length).then_some(Reply { status, length, closes }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::Response;

    #[test]
    fn what_the_web_server_writes_is_read_byte_by_byte() {
        for keep_alive in [true, false] {
            let mut bytes = Vec::new();
            Response::new(201, "noted\n").write(&mut bytes, false, keep_alive);
            for end in 0..bytes.len() {
                assert_eq!(parse(&bytes[..end]), Ok(None));
            }
            let reply = Reply { status: 201, length: bytes.len(), closes: !keep_alive };
            assert_eq!(parse(&bytes), Ok(Some(reply)));
            bytes.extend_from_slice(b"HTTP/1.1");
            assert_eq!(parse(&bytes), Ok(Some(reply)));
        }
    }

    #[test]
    fn other_servers_are_understood_or_refused() {
        let whole = |status, length, closes| Ok(Some(Reply { status, length, closes }));
        let rows = [
            ("HTTP/1.1 204 No Content\r\n\r\n", whole(204, 27, false)),
            ("HTTP/1.1 100 Continue\r\n\r\n", whole(100, 25, false)),
            ("HTTP/1.0 201 Created\r\ncontent-length: 0\r\n\r\n", whole(201, 43, true)),
            ("HTTP/1.1 201 Created\r\n\r\n", Err(BadReply::Length)),
            ("HTTP/1.1 201 Created\r\nContent-Length: x\r\n\r\n", Err(BadReply::Length)),
            ("HTTP/1.1 201 Created\r\nContent-Length: 16384\r\n\r\n", Err(BadReply::TooLong)),
            ("SSH-2.0-OpenSSH_9.6\r\n", Err(BadReply::Syntax(httparse::Error::Version))),
        ];
        for (bytes, expected) in rows {
            assert_eq!(parse(bytes.as_bytes()), expected, "{bytes:?}");
        }
        assert_eq!(parse(&[b'\n'; REPLY_MAX]), Err(BadReply::TooLong));
    }
}
