//! The applications that are tried.

use host_core::{App, Connected, Context, Fleet, Ready, Result, Service, Worker};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::time::Duration;

/// Three workers that send back what comes, on port 7000, and a service in the host that sees to it that
/// they are three, whatever signals say.
pub(crate) fn echo() -> App {
    App::new("echo")
        .listen("echo", "127.0.0.1:7000")
        .poll_period_off()
        .fleet(fleet().run(serve))
        .service(Janitor)
}

/// A service without sockets, in the host's own loop.
struct Janitor;

impl Service for Janitor {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        cx.wake_at(cx.now() + Duration::from_secs(1));
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        Ok(())
    }

    fn wake(&mut self, cx: &mut Context<'_>) -> Result {
        let fleet = cx.fleet("echo").ok_or("the application has a fleet of this name")?;
        if fleet.wanted != 3 {
            cx.resize("echo", 3);
        }
        cx.wake_at(cx.now() + Duration::from_secs(1));
        Ok(())
    }
}

/// The fleet with times that fit into a minute.
pub(crate) fn fleet() -> Fleet {
    fleet_called("echo")
}

/// The same under another name.
pub(crate) fn fleet_called(name: &str) -> Fleet {
    let ms = Duration::from_millis;
    Fleet::new(name)
        .workers(3)
        .boot_timeout(ms(2000))
        .heartbeat_timeout(ms(1000))
        .drain_timeout(ms(3000))
        .term_timeout(ms(500))
        .degraded_retry(ms(5000))
}

/// Bytes come back until the client ends.
pub(crate) fn serve(worker: &mut Worker) -> Result {
    while let Some(mut client) = worker.accept("echo")? {
        let mut buffer = [0; 256];
        while worker.wanted() {
            match client.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) if client.write_all(&buffer[..count]).is_err() => break,
                Ok(_) => {}
            }
        }
    }
    Ok(())
}

/// Whole lines come back.
pub(crate) fn lines(worker: &mut Worker) -> Result {
    while let Some(client) = worker.accept("echo")? {
        let mut client = BufReader::new(client);
        let mut line = Vec::new();
        while client.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            if client.get_mut().write_all(&line).is_err() || !worker.wanted() {
                break;
            }
            line.clear();
        }
    }
    Ok(())
}
