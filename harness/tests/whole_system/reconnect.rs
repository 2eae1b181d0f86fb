//! A server and a service that calls it, in one host: connections break, and are made again.

use harness::sample::Echo;
use harness::{Faults, check};
use host_core::sys::Errno;
use host_core::{App, Connected, Context, Hosted, Ready, Reconnect, Result, Service, Stream};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Calls the echo server again and again; counts the answers.
struct Caller {
    answers: Rc<Cell<u64>>,
    stream: Option<Stream>,
    stands: bool,
    waiting: bool,
}

const WORD: &[u8] = b"word";

impl Caller {
    fn serve(&mut self) -> Result<(), Errno> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        if !self.stands {
            self.stands = stream.finish_connect()?;
            return Ok(());
        }
        let mut buffer = [0; WORD.len()];
        match stream.try_read(&mut buffer)? {
            Some(0) => return Err(Errno::CONNRESET),
            Some(count) if buffer[..count].ends_with(&WORD[3..]) => {
                self.waiting = false;
                self.answers.set(self.answers.get() + 1);
            }
            Some(_) | None => {}
        }
        Ok(())
    }
}

impl Service for Caller {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        let address = cx.listener_address("echo").ok_or("no echo server")?;
        self.stream = Some(cx.start_connect(address)?);
        (self.stands, self.waiting) = (false, false);
        // A call that nobody answers is given up.
        cx.wake_at(cx.now() + SECOND * 3);
        Ok(Connected::Yes)
    }

    fn prepare(&mut self, cx: &mut Context<'_>) -> Result {
        if self.stands && !self.waiting {
            cx.wake_at(cx.now() + SECOND * 3);
            match self.stream.as_mut().map(|stream| stream.try_write(WORD)) {
                Some(Ok(Some(4))) => self.waiting = true,
                // Part of a word, or an error: begin again.
                Some(_) => self.stream = None,
                None => {}
            }
        }
        Ok(())
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        if self.serve().is_err() {
            self.stream = None;
        }
        Ok(())
    }

    fn wake(&mut self, _: &mut Context<'_>) -> Result {
        self.stream = None;
        Ok(())
    }
}

#[test]
fn under_every_fault_a_service_that_is_cut_off_connects_again_and_is_answered_once_faults_stop() {
    check!(|sim| {
        let answers = Rc::new(Cell::new(0));
        let counted = Rc::clone(&answers);
        sim.host(move || {
            let caller = Caller { answers: Rc::clone(&counted), stream: None, stands: false, waiting: false };
            let caller = Hosted::new("caller", caller)
                .reconnect(Reconnect::backoff(Duration::from_millis(10), SECOND * 2))
                .retry_connect_errors();
            App::new("calls itself")
                .listen("echo", "127.0.0.1:7000")
                .service(Echo::default())
                .service(caller)
                .poll_period(SECOND)
        });
        sim.faults(Faults::all());
        sim.run_for(Duration::from_millis(700));
        sim.heal_and_settle();
        let before = answers.get();
        // Silence is for ever, and so it takes a call given up, a backoff, and a start of the host.
        assert!(sim.run_until(SECOND * 60, |_| answers.get() > before), "no answer within a minute");
    });
}
