//! The services that the cases are about.

use host_core::sys::ShutdownHow;
use host_core::{App, Connected, Context, Ready, Result, Service, Stream};
use std::cell::RefCell;
use std::rc::Rc;

/// What was called, in order.
pub(crate) type Calls = Rc<RefCell<Vec<String>>>;

/// The callbacks of one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Connect,
    Prepare,
    Receive,
    Stop,
}

/// Which socket it is called with: the nth that it opened.
pub(crate) type Nth = usize;

/// A service with one socket whose other end it holds itself: it notes each call, and then does what
/// its script says.
pub(crate) struct Scripted<F> {
    name: &'static str,
    calls: Calls,
    script: F,
    opened: Nth,
    pub(crate) socket: Option<Stream>,
    pub(crate) peer: Option<Stream>,
}

impl<F: FnMut(&mut Pair<'_>, When, Nth) -> Result<Connected>> Scripted<F> {
    pub(crate) fn new(name: &'static str, calls: &Calls, script: F) -> Self {
        Self { name, calls: Rc::clone(calls), script, opened: 0, socket: None, peer: None }
    }

    fn step(&mut self, cx: &mut Context<'_>, when: When) -> Result<Connected> {
        self.calls.borrow_mut().push(format!("{} {}", self.name, format!("{when:?}").to_lowercase()));
        let Self { name, script, opened, socket, peer, .. } = self;
        let before = *opened;
        script(&mut Pair { listener: name, cx, opened, socket, peer }, when, before)
    }
}

/// What a script may do.
pub(crate) struct Pair<'a> {
    listener: &'static str,
    cx: &'a mut dyn Connecting,
    opened: &'a mut Nth,
    socket: &'a mut Option<Stream>,
    peer: &'a mut Option<Stream>,
}

/// The part of a context that a pair needs; hides its lifetime.
trait Connecting {
    fn pair(&mut self, listener: &str) -> Result<(Stream, Stream)>;
    fn stop(&mut self);
}

impl Connecting for Context<'_> {
    fn pair(&mut self, listener: &str) -> Result<(Stream, Stream)> {
        let address = self.listener_address(listener).expect("the app has it");
        let mut listening = self.listener(listener)?;
        let mut socket = self.connect_to(address)?;
        // It stands, so it is in the queue.
        let mut peer = loop {
            if let Some(peer) = listening.accept()? {
                break peer;
            }
        };
        peer.set_interest(host_core::Interest::NONE);
        socket.set_interest(host_core::Interest::READ);
        Ok((socket, peer))
    }

    fn stop(&mut self) {
        Context::stop(self);
    }
}

impl Pair<'_> {
    /// Opens a socket whose peer this service holds.
    pub(crate) fn open(&mut self) -> Result<Connected> {
        let (socket, peer) = self.cx.pair(self.listener)?;
        *self.socket = Some(socket);
        *self.peer = Some(peer);
        *self.opened += 1;
        Ok(Connected::Yes)
    }

    /// Makes the socket readable.
    pub(crate) fn fill(&mut self, bytes: &[u8]) {
        let peer = self.peer.as_mut().expect("a peer");
        assert_eq!(peer.try_write(bytes), Ok(Some(bytes.len())));
    }

    /// The peer ends the connection.
    pub(crate) fn end_peer(&mut self) {
        self.peer.as_mut().expect("a peer").shutdown(ShutdownHow::Write).expect("it stands");
    }

    /// Reads one byte.
    pub(crate) fn take(&mut self) -> u8 {
        let mut byte = [0];
        let socket = self.socket.as_mut().expect("a socket");
        assert_eq!(socket.read_waiting(&mut byte), Ok(1));
        byte[0]
    }

    pub(crate) fn close(&mut self) {
        *self.socket = None;
        *self.peer = None;
    }

    pub(crate) fn stop_host(&mut self) {
        self.cx.stop();
    }
}

impl<F: FnMut(&mut Pair<'_>, When, Nth) -> Result<Connected>> Service for Scripted<F> {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        self.step(cx, When::Connect)
    }

    fn prepare(&mut self, cx: &mut Context<'_>) -> Result {
        self.step(cx, When::Prepare).map(drop)
    }

    fn receive(&mut self, cx: &mut Context<'_>, ready: Ready) -> Result {
        let id = self.socket.as_ref().map(Stream::id);
        assert_eq!(Some(ready.socket), id, "the socket that it has open");
        self.step(cx, When::Receive).map(drop)
    }

    fn stop(&mut self, cx: &mut Context<'_>) -> Result {
        self.step(cx, When::Stop).map(drop)
    }
}

/// An application that gives each named service a listener of its own to connect to.
pub(crate) fn app(names: &[&str]) -> App {
    names.iter().fold(App::new("cases"), |app, name| app.listen(*name, "127.0.0.1:0"))
}
