//! An application to try things on: for tests of the harness itself, benches and fuzz targets.

use host_core::id::SocketId;
use host_core::{App, Connected, Context, Interest, Listener, Ready, Result, Service, Stream};
use std::collections::BTreeMap;

/// Sends back what comes, and never loses a byte: what cannot be written waits for room.
///
/// Listens on the application's listener `echo`.
#[derive(Debug, Default)]
pub struct Echo {
    listener: Option<Listener>,
    clients: BTreeMap<SocketId, (Stream, Vec<u8>)>,
}

impl Service for Echo {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        self.listener = Some(cx.listener("echo")?);
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, ready: Ready) -> Result {
        if let Some(listener) = self.listener.as_mut().filter(|listener| listener.id() == ready.socket) {
            while let Some(client) = listener.accept()? {
                self.clients.insert(client.id(), (client, Vec::new()));
            }
            return Ok(());
        }
        let Some((client, unsent)) = self.clients.get_mut(&ready.socket) else { return Ok(()) };
        if serve(client, unsent).is_err() {
            self.clients.remove(&ready.socket);
        }
        Ok(())
    }
}

/// An error means that the client is gone.
fn serve(client: &mut Stream, unsent: &mut Vec<u8>) -> Result {
    let mut buffer = [0; 256];
    if unsent.is_empty() {
        match client.try_read(&mut buffer)? {
            Some(0) => return Err("end".into()),
            Some(count) => unsent.extend_from_slice(&buffer[..count]),
            None => {}
        }
    }
    let sent = if unsent.is_empty() { Some(0) } else { client.try_write(unsent)? };
    unsent.drain(..sent.unwrap_or(0));
    client.set_interest(if unsent.is_empty() { Interest::READ } else { Interest::WRITE });
    Ok(())
}

/// An application of one [`Echo`], on port 7000.
pub fn echo() -> App {
    App::new("echo").listen("echo", "127.0.0.1:7000").service(Echo::default())
}
