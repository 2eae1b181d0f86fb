//! PH-C7: an HTTP server and its client as two services of one host, in one thread.

use crate::worlds::in_both_worlds;
use host_core::error::exit;
use host_core::id::SocketId;
use host_core::{App, Connected, Context, Listener, Ready, Result, RunError, Service, Stream};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The client has counted down to zero.
#[derive(Debug, PartialEq, Eq)]
struct Done;

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all requests are answered")
    }
}

impl std::error::Error for Done {}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Answers each request, and closes each connection after so many.
struct Server {
    requests_each: u32,
    listener: Option<Listener>,
    clients: BTreeMap<SocketId, (Stream, Vec<u8>, u32)>,
}

impl Service for Server {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        self.listener = Some(cx.listener("http")?);
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, ready: Ready) -> Result {
        if let Some(listener) = self.listener.as_mut().filter(|listener| listener.id() == ready.socket) {
            while let Some(client) = listener.accept()? {
                self.clients.insert(client.id(), (client, Vec::new(), 0));
            }
            return Ok(());
        }
        let Some((client, request, served)) = self.clients.get_mut(&ready.socket) else { return Ok(()) };
        let mut buffer = [0; 128];
        let Some(count) = client.try_read(&mut buffer)? else { return Ok(()) };
        request.extend_from_slice(&buffer[..count]);
        while request.ends_with(b"\r\n\r\n") {
            request.clear();
            std::io::Write::write_all(client, RESPONSE)?;
            *served += 1;
        }
        if count == 0 || *served == self.requests_each {
            self.clients.remove(&ready.socket);
        }
        Ok(())
    }
}

/// Writes a request in `prepare`, reads the answer in `receive`, counts down.
struct Client {
    left: u32,
    waiting: bool,
    answer: Vec<u8>,
    stream: Option<Stream>,
}

impl Service for Client {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        let address = cx.listener_address("http").ok_or("no such listener")?;
        self.stream = Some(cx.connect_to(address)?);
        self.waiting = false;
        Ok(Connected::Yes)
    }

    fn prepare(&mut self, _: &mut Context<'_>) -> Result {
        if let (Some(stream), false) = (&mut self.stream, self.waiting) {
            std::io::Write::write_all(stream, REQUEST)?;
            self.waiting = true;
        }
        Ok(())
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        let stream = self.stream.as_mut().ok_or("no connection")?;
        let mut buffer = [0; 128];
        match stream.try_read(&mut buffer) {
            Ok(None) => return Ok(()),
            // The server closes after so many requests, perhaps with the next one unread.
            Ok(Some(0)) | Err(host_core::sys::Errno::CONNRESET | host_core::sys::Errno::PIPE) => {
                self.stream = None;
                return Ok(());
            }
            Ok(Some(count)) => self.answer.extend_from_slice(&buffer[..count]),
            Err(errno) => return Err(errno.into()),
        }
        if self.answer.len() < RESPONSE.len() {
            return Ok(());
        }
        assert_eq!(self.answer, RESPONSE);
        self.answer.clear();
        self.waiting = false;
        self.left -= 1;
        if self.left == 0 { Err(Done.into()) } else { Ok(()) }
    }
}

#[test]
fn ph_c7_a_server_and_its_client_in_one_thread_count_down_to_zero() {
    in_both_worlds(|world| {
        for (requests, requests_each) in [(100, 50), (1000, 333)] {
            let ended = world.run_turns(100_000, move || {
                App::new("http")
                    .poll_period(Duration::ZERO)
                    .listen("http", "127.0.0.1:0")
                    .service(Server { requests_each, listener: None, clients: BTreeMap::new() })
                    .service(Client { left: requests, waiting: false, answer: Vec::new(), stream: None })
            });
            assert_eq!(exit::status(&ended), exit::SERVICE_FAILED);
            match ended {
                Err(RunError::Service(failure)) => {
                    assert_eq!(failure.downcast_ref(), Some(&Done), "{failure}");
                }
                other => panic!("the client's stop condition ends the run: {other:?}"),
            }
        }
    });
}
