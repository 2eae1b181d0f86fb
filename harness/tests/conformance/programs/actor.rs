//! One process of a program: what it holds, and how a call is made and its answer written down.

use super::program::{Program, SETS, Step, Verb};
use host_core::sys::{Errno, Handle, Interest, PollEvent, Readiness, ShutdownHow, Signal, Sys};
use host_core::time::Instant;
use std::net::SocketAddr;
use std::rc::Rc;

/// What came of a call. The numbers of ports differ from run to run and are named by who knows all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) text: String,
    /// A port that belongs to it.
    pub(crate) port: u16,
}

impl From<String> for Outcome {
    fn from(text: String) -> Self {
        Self { text, port: 0 }
    }
}

/// A process, and what its calls have given it.
pub(crate) struct Actor {
    pub(crate) sys: Rc<dyn Sys>,
    /// By place; none where a call has given nothing. A child's begins with its parent's.
    pub(crate) table: Vec<Option<Handle>>,
}

impl Actor {
    /// Makes room for what step `number` of a program may give; the place where it goes. What was skipped has taken
    /// its places all the same, or those that come later would be others than the program means.
    pub(crate) fn make_room(&mut self, program: &Program, number: usize) -> usize {
        let place = program.place(number);
        self.table.resize(place + program.steps[number].handles(), None);
        place
    }

    /// Makes call `number` of a program; `port` is the one that its address has.
    pub(crate) fn act(&mut self, program: &Program, number: usize, port: u16) -> Outcome {
        let step = &program.steps[number];
        let place = self.make_room(program, number);
        let sys = Rc::clone(&self.sys);
        let interest = Interest { readable: step.b & 1 != 0, writable: step.b & 2 != 0 };
        let words = |answer: Result<(), Errno>| Outcome::from(told(answer, |()| "ok".to_owned()));
        match step.verb {
            Verb::Channel => {
                let made = sys.channel();
                if let Ok((one, other)) = made {
                    (self.table[place], self.table[place + 1]) = (Some(one), Some(other));
                }
                words(made.map(drop))
            }
            Verb::Listen => {
                let made = sys.listen(local(0), step.a as u32);
                self.table[place] = made.ok();
                let port = made.and_then(|made| sys.local_address(made)).map_or(0, |address| address.port());
                Outcome { port, ..words(made.map(drop)) }
            }
            Verb::Connect if port == 0 => "nobody has listened there".to_owned().into(),
            Verb::Connect => {
                let made = sys.connect(local(port));
                self.table[place] = made.ok();
                words(made.map(drop))
            }
            Verb::Signals => {
                let made = sys.signals(&set(step.a));
                self.table[place] = made.ok();
                words(made.map(drop))
            }
            Verb::QuitHandle => {
                let made = sys.quit_handle();
                self.table[place] = made.ok();
                words(made.map(drop))
            }
            Verb::SignalsEnd => words(sys.signals_end_process(&set(step.a))),
            Verb::PollLook => {
                let mut events = Vec::new();
                let answer = sys.poll_wait(&mut events, Some(Instant::ZERO));
                events.sort_by_key(|event| event.key);
                let report = |event: &PollEvent| format!("{}:{}", event.key, holds(event.readiness));
                told(answer, |()| events.iter().map(report).collect::<Vec<_>>().join(" ")).into()
            }
            Verb::Nothing => words(Ok(())),
            Verb::QuitAsked => sys.quit_asked().to_string().into(),
            Verb::Count => {
                sys.slot_count(step.a);
                words(Ok(()))
            }
            // Of one handle.
            Verb::Accept
            | Verb::Read
            | Verb::Write
            | Verb::Shutdown
            | Verb::TakeError
            | Verb::LocalAddress
            | Verb::PeerAddress
            | Verb::Close
            | Verb::PollAdd
            | Verb::PollAddShared
            | Verb::PollModify
            | Verb::PollDelete
            | Verb::Look
            | Verb::LookOrQuit
            | Verb::SignalRead => {
                let Some(handle) = self.handle(step.a) else { return "no handle".to_owned().into() };
                if step.verb == Verb::Accept {
                    let made = sys.accept(handle);
                    self.table[place] = made.ok().map(|(made, _)| made);
                    return Outcome {
                        port: made.map_or(0, |(_, peer)| peer.port()),
                        ..words(made.map(drop))
                    };
                }
                self.of_a_handle(number, step, handle, interest)
            }
            Verb::Exit
            | Verb::Fork
            | Verb::SignalChild
            | Verb::Reap
            | Verb::News
            | Verb::SlotClaim
            | Verb::SlotRead => "not for this process".to_owned().into(),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the caller has told the others apart")]
    fn of_a_handle(&self, number: usize, step: &Step, handle: Handle, interest: Interest) -> Outcome {
        let sys = &self.sys;
        let words = |answer: Result<(), Errno>| Outcome::from(told(answer, |()| "ok".to_owned()));
        let address = |answer: Result<SocketAddr, Errno>| Outcome {
            port: answer.map_or(0, |address| address.port()),
            ..words(answer.map(drop))
        };
        match step.verb {
            Verb::Read => {
                let mut buffer = vec![0; step.b as usize];
                let answer = sys.read(handle, &mut buffer);
                told(answer, |count| format!("{count} {}", runs(&buffer[..count]))).into()
            }
            Verb::Write => {
                let letter = b'a' + (number % 26) as u8;
                told(sys.write(handle, &vec![letter; step.b as usize]), |count| count.to_string()).into()
            }
            Verb::Shutdown => {
                let hows = [ShutdownHow::Read, ShutdownHow::Write, ShutdownHow::Both];
                words(sys.shutdown(handle, hows[step.b as usize % 3]))
            }
            Verb::TakeError => told(sys.take_error(handle), |error| format!("{error:?}")).into(),
            Verb::LocalAddress => address(sys.local_address(handle)),
            Verb::PeerAddress => address(sys.peer_address(handle)),
            Verb::Close => {
                // As the contract wants it: somebody else may hold what is registered.
                let _ = sys.poll_delete(handle);
                sys.close(handle);
                words(Ok(()))
            }
            Verb::PollAdd => words(sys.poll_add(handle, step.a, interest)),
            Verb::PollAddShared => words(sys.poll_add_shared(handle, step.a)),
            Verb::PollModify => words(sys.poll_modify(handle, step.a, interest)),
            Verb::PollDelete => words(sys.poll_delete(handle)),
            Verb::Look => told(sys.wait(handle, interest, Some(Instant::ZERO)), holds).into(),
            Verb::LookOrQuit => told(sys.wait_or_quit(handle, interest, Some(Instant::ZERO)), holds).into(),
            Verb::SignalRead => told(sys.signal_read(handle), |signal| signal.to_string()).into(),
            _ => unreachable!("{step} is not of one handle"),
        }
    }

    /// What is at a place of the table; open or closed.
    pub(crate) fn handle(&self, place: u64) -> Option<Handle> {
        self.table.get(place as usize).copied().flatten()
    }
}

/// An answer in words.
pub(crate) fn told<T>(answer: Result<T, Errno>, words: impl FnOnce(T) -> String) -> String {
    answer.map_or_else(|errno| format!("{errno:?}"), words)
}

/// `rwe` for readable, writable and ended.
fn holds(readiness: Readiness) -> String {
    let letters = [(readiness.readable, 'r'), (readiness.writable, 'w'), (readiness.ended, 'e')];
    letters.iter().map(|(holds, letter)| if *holds { *letter } else { '-' }).collect()
}

/// Bytes, with how often each comes in a row: `a5b1`.
fn runs(bytes: &[u8]) -> String {
    let runs = bytes.chunk_by(|one, next| one == next);
    runs.map(|run| format!("{}{}", run[0].escape_ascii(), run.len())).collect()
}

fn set(number: u64) -> Vec<Signal> {
    let set = SETS[number as usize % SETS.len()];
    set.iter().map(|number| Signal::from_number(*number).expect("a signal that a host knows")).collect()
}

fn local(port: u16) -> SocketAddr {
    crate::world::local(port)
}
