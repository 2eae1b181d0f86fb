//! A service with a listener and many clients, written as an author would.

use harness::{ClientError, Faults, check};
use host_core::id::SocketId;
use host_core::{App, Connected, Context, Interest, Listener, Ready, Result, Service, Stream};
use std::collections::BTreeMap;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Sends back what comes, and never loses a byte: what cannot be written waits for room.
#[derive(Default)]
pub(crate) struct Echo {
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

pub(crate) fn app() -> App {
    App::new("echo").listen("echo", "127.0.0.1:7000").service(Echo::default())
}

#[test]
fn without_faults_every_client_is_answered() {
    check!(|sim| {
        sim.host(app);
        let clients = sim.clients("echo", 10, |c| {
            for round in 0..20u8 {
                let line = [round; 100];
                c.write_all(&line)?;
                c.expect(&line)?;
            }
            Ok(())
        });
        sim.run_for(SECOND * 10);
        assert_eq!(clients.succeeded(), 10, "{:?}", clients.errors());
    });
}

#[test]
fn under_every_fault_answers_are_right_or_missing_and_every_client_comes_to_its_end() {
    check!(|sim| {
        sim.host(app);
        sim.faults(Faults::all());
        let talk = |c: &mut harness::Client| -> Result<(), ClientError> {
            for round in 0..20u32 {
                let line = vec![round as u8; 1 + c.choose(2000) as usize];
                c.write_all(&line)?;
                c.expect(&line)?;
                c.pause(Duration::from_millis(u64::from(c.choose(2000))));
            }
            Ok(())
        };
        let clients = sim.clients("echo", 10, talk);
        sim.run_for(SECOND * 60);
        sim.heal_and_settle();
        assert!(clients.all_ended());
        let late = sim.clients("echo", 3, talk);
        sim.heal_and_settle();
        assert_eq!(late.succeeded(), 3, "a healed host serves everybody: {:?}", late.errors());
    });
}
