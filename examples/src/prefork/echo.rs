//! A server of lines: each comes back. The lines `!pid`, `!hang`, `!spin`, `!crash`, `!leak`, `!exit N` and `!fail WORDS` try the
//! supervision, and `!out WORDS` and `!err WORDS` where it prints.

use super::options::LISTENER;
use super::{Options, hang};
use host_core::{App, Result, Worker};
use std::borrow::Cow;
use std::io::{BufRead as _, BufReader, Read as _, Write as _, stderr, stdout};

/// How long a line may be; a longer one comes back in pieces.
const LINE_MAX: u64 = 64 * 1024;

/// The application: the same for the real kernel and for a simulated one.
pub fn app(options: &Options) -> App {
    options.app("echo", |fleet| fleet.run(|worker| serve(worker, LISTENER)))
}

/// What each worker does, with the clients of this listener.
pub(crate) fn serve(worker: &mut Worker, listener: &str) -> Result {
    while let Some(client) = worker.accept(listener)? {
        let (mut client, mut line) = (BufReader::new(client), Vec::new());
        // Until the client is gone or silent for too long, or would be waited for when the worker is to quit.
        while client.by_ref().take(LINE_MAX).read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            if let Some(words) = line.trim_ascii().strip_prefix(b"!fail ") {
                return Err(String::from_utf8_lossy(words).into());
            }
            let Ok(()) = client.get_mut().write_all(&answer(worker, &line)) else { break };
            worker.request_done();
            worker.wanted(); // The sign of life where the next line has come already and nobody waits.
            line.clear();
        }
    }
    Ok(())
}

/// Of `!exit 7`.
fn status(command: &[u8]) -> Option<u8> {
    str::from_utf8(command.strip_prefix(b"!exit ")?).ok()?.parse().ok()
}

/// Has 64 MiB more from here on, and says so.
fn leak() -> String {
    const BYTES: usize = 64 << 20;
    // Written to, or the kernel would give no page.
    let bytes: &mut [u8] = vec![1; BYTES].leak();
    format!("leaked {}\n", std::hint::black_box(bytes).len())
}

fn answer<'a>(worker: &Worker, line: &'a [u8]) -> Cow<'a, [u8]> {
    match line.trim_ascii() {
        b"!pid" => format!("{}\n", worker.pid()).into_bytes().into(),
        b"!hang" => hang::sleep_for_ever(worker),
        b"!spin" => hang::spin(worker),
        b"!leak" => leak().into_bytes().into(),
        b"!crash" => std::process::abort(),
        command => {
            if let Some(status) = status(command) {
                std::process::exit(status.into());
            }
            print(command);
            line.into()
        }
    }
}

/// Of `!out` and `!err`: the words, in one piece. Nobody may be reading.
fn print(command: &[u8]) {
    let line = |words: &[u8]| [words, b"\n"].concat();
    if let Some(words) = command.strip_prefix(b"!out ") {
        let _ = stdout().write_all(&line(words));
    }
    if let Some(words) = command.strip_prefix(b"!err ") {
        let _ = stderr().write_all(&line(words));
    }
}
