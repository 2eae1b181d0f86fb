//! One end of a connection, with a bound on every wait.

use super::{BOUND, Stopwatch, is_ready, pass};
use examples::reply;
use std::io::{ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// The next connection, with a bound.
pub(crate) fn accept(listener: &TcpListener) -> Client {
    assert!(is_ready(listener, BOUND), "nobody connects");
    Client::over(listener.accept().unwrap().0)
}

/// One end of a connection; each read has a bound.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    bytes: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect_timeout(&address, BOUND).unwrap())
    }

    /// Connects as soon as somebody listens there.
    pub(crate) fn connect_when_bound(address: SocketAddr) -> Self {
        let watch = Stopwatch::start();
        loop {
            match TcpStream::connect_timeout(&address, BOUND) {
                Ok(stream) => return Self::over(stream),
                Err(error) => assert!(watch.elapsed() < BOUND, "nobody listens on {address}: {error}"),
            }
            pass(Duration::from_millis(1));
        }
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(BOUND)).unwrap();
        stream.set_write_timeout(Some(BOUND)).unwrap();
        Self { stream, bytes: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Waits for one line.
    pub(crate) fn line(&mut self) -> String {
        let line = self.take_with(|bytes| bytes.iter().position(|byte| *byte == b'\n').map(|end| end + 1));
        line.trim_end().into()
    }

    /// Waits for one answer of a web server: status and all.
    pub(crate) fn answer(&mut self) -> (u16, String) {
        let mut status = 0;
        let answer = self.take_with(|bytes| {
            let reply = reply::parse(bytes).unwrap()?;
            status = reply.status;
            Some(reply.length)
        });
        (status, answer)
    }

    /// Asks for a page and waits for it.
    pub(crate) fn get(&mut self, path: &str) -> (u16, String) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
        self.answer()
    }

    /// Waits for a request of a web client, head and body.
    pub(crate) fn request(&mut self) -> String {
        self.take_with(|bytes| match examples::http::parse(bytes).unwrap() {
            examples::http::Parsed::Whole { length, .. } => Some(length),
            examples::http::Parsed::Partial { .. } => None,
        })
    }

    /// Waits for the end of the connection: all that came before it.
    pub(crate) fn rest(&mut self) -> String {
        while self.read() {}
        String::from_utf8(std::mem::take(&mut self.bytes)).unwrap()
    }

    /// Whether the other end has ended it, or broken it off, as far as that is known here.
    pub(crate) fn has_ended(&self) -> bool {
        is_ready(&self.stream, Duration::ZERO)
    }

    /// Waits until there is an answer, or its beginning, or the end; whether it is not the end.
    pub(crate) fn is_answered(&mut self) -> bool {
        if !self.bytes.is_empty() {
            return true;
        }
        let mut portion = [0; 4096];
        let count = read(&mut self.stream, &mut portion).unwrap_or(0);
        self.bytes.extend_from_slice(&portion[..count]);
        count > 0
    }

    fn take_with(&mut self, mut length: impl FnMut(&[u8]) -> Option<usize>) -> String {
        loop {
            if let Some(length) = length(&self.bytes) {
                return String::from_utf8(self.bytes.drain(..length).collect()).unwrap();
            }
            assert!(self.read(), "the connection ended; so far: {}", self.bytes.escape_ascii());
        }
    }

    fn read(&mut self) -> bool {
        let mut portion = [0; 4096];
        match read(&mut self.stream, &mut portion) {
            Ok(count) => {
                self.bytes.extend_from_slice(&portion[..count]);
                count > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => panic!("the connection was reset"),
            Err(error) => panic!("nothing more came: {error}; so far: {}", self.bytes.escape_ascii()),
        }
    }
}

/// A socket with a bound on its reads is interrupted by anything that happens to the process (signal(7)).
fn read(stream: &mut TcpStream, portion: &mut [u8]) -> Result<usize> {
    loop {
        match stream.read(portion) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            answer => return answer,
        }
    }
}
