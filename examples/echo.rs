//! The smallest useful service: everybody gets back what they send. To try it: `nc 127.0.0.1 7000`.

use host_core::{App, Connected, Context, Interest, Listener, Ready, Result, Service, Stream, id::SocketId};
use std::collections::BTreeMap;

/// The listener, and the clients, each with what it was not sent back yet.
#[derive(Default)]
struct Echo(Option<Listener>, BTreeMap<SocketId, (Stream, Vec<u8>)>);

impl Service for Echo {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        self.0 = Some(cx.listener("echo")?);
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, ready: Ready) -> Result {
        if let Some((stream, unsent)) = self.1.get_mut(&ready.socket) {
            if !matches!(echo(stream, unsent), Ok(true)) {
                self.1.remove(&ready.socket); // Dropping a stream closes it.
            }
        } else if let Some(stream) = self.0.as_mut().map_or(Ok(None), Listener::accept)? {
            self.1.insert(stream.id(), (stream, Vec::new()));
        }
        Ok(())
    }
}

/// Whether the client is still there. Reads no more before it has taken all that it sent.
fn echo(stream: &mut Stream, unsent: &mut Vec<u8>) -> Result<bool> {
    let mut buffer = [0; 4096];
    let count = if unsent.is_empty() { stream.try_read(&mut buffer)? } else { None };
    unsent.extend(&buffer[..count.unwrap_or(0)]);
    unsent.drain(..stream.try_write(unsent)?.unwrap_or(0));
    stream.set_interest(if unsent.is_empty() { Interest::READ } else { Interest::WRITE });
    Ok(count != Some(0))
}

fn main() -> std::process::ExitCode {
    host_sys::main(App::new("echo").listen("echo", "127.0.0.1:7000").service(Echo::default()))
}
