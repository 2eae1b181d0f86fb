//! One connection to the worker: who asked for which jobs, and what they were not told yet.

use crate::jobs::Job;
use crate::lines::Lines;
use crate::reporter::Verdict;
use crate::wire::Wire;
use host_core::sys::Errno;
use host_core::{Ready, Stream};
use std::collections::VecDeque;
use std::fmt::Display;

/// How many jobs of one client may wait for their report; more are read when there are fewer.
const WAITING_MAX: usize = 64;
/// How much may wait to be sent to a client before its next job is looked at.
const UNSENT_MAX: usize = 64 * 1024;

/// A client of the worker.
///
/// Each line gets one line, in order: a result as soon as its report was taken, or an error.
#[derive(Debug)]
pub struct Client {
    wire: Wire,
    lines: Lines,
    /// What it will be told, the oldest first; the first is one that waits.
    answers: VecDeque<Answer>,
    /// How many lines were looked at.
    taken: u64,
}

#[derive(Debug)]
struct Answer {
    line: String,
    /// The number of the report that this answer waits for.
    waits_for: Option<u64>,
}

impl Client {
    /// A client that has just come.
    pub fn new(stream: Stream) -> Self {
        Self { wire: Wire::new(stream), lines: Lines::default(), answers: VecDeque::new(), taken: 0 }
    }

    /// Grows with each line and with each byte that it takes: a client for which this stands still, and to
    /// which nothing is owed, is silent.
    pub fn progress(&self) -> u64 {
        self.taken + self.wire.sent_total()
    }

    /// Whether it waits for an answer.
    pub fn is_owed(&self) -> bool {
        !self.answers.is_empty()
    }

    /// Reads what came. `ready` says what the socket is ready for.
    ///
    /// # Errors
    /// How the connection failed.
    pub fn read(&mut self, ready: Ready) -> Result<(), Errno> {
        if ready.readiness.readable {
            self.wire.read(self.lines.input())?;
            if self.wire.has_ended() {
                self.lines.end();
            }
        }
        Ok(())
    }

    /// Its report has come through, or never will.
    pub fn told(&mut self, number: u64, verdict: Verdict) {
        let waiting = self.answers.iter_mut().find(|answer| answer.waits_for == Some(number));
        let Some(answer) = waiting else { return };
        answer.waits_for = None;
        if let Verdict::Refused(status) = verdict {
            answer.line = error(format_args!("the web server refused the report with status {status}"));
        }
    }

    /// Does the jobs that have come, hands their reports to `report`, which gives each a number, and sends
    /// what can be told; whether the client is still there.
    ///
    /// # Errors
    /// How the connection failed.
    pub fn turn(&mut self, mut report: impl FnMut(String) -> u64) -> Result<bool, Errno> {
        self.tell()?;
        loop {
            let before = self.taken;
            while self.has_room() && self.take(&mut report) {}
            self.tell()?;
            // Telling makes room for lines that came already, and nobody tells us of those again.
            if self.taken == before || !self.has_room() {
                return self.wire.settle(self.has_room(), self.is_owed());
            }
        }
    }

    /// The worker stops: says so for each job that waits, and sends what goes at once.
    pub fn part(mut self) {
        for answer in &mut self.answers {
            if answer.waits_for.take().is_some() {
                answer.line = error("the worker stops; the result may not have been reported");
            }
        }
        if self.tell().is_ok() {
            self.wire.part();
        }
    }

    fn has_room(&self) -> bool {
        self.answers.len() < WAITING_MAX && self.wire.unsent() < UNSENT_MAX
    }

    /// Takes one line, if there is one.
    fn take(&mut self, report: &mut impl FnMut(String) -> u64) -> bool {
        let Some(line) = self.lines.next_line() else { return false };
        self.taken += 1;
        let done = line.map_err(error).and_then(|line| {
            let result = Job::parse(&line).and_then(|job| job.run()).map_err(error)?;
            Ok((format!("{line} = {result}"), result))
        });
        self.answers.push_back(match done {
            Ok((text, line)) => Answer { line, waits_for: Some(report(text)) },
            Err(line) => Answer { line, waits_for: None },
        });
        true
    }

    /// Sends the answers that wait for nothing, up to the first that does.
    fn tell(&mut self) -> Result<(), Errno> {
        while let Some(answer) = self.answers.pop_front_if(|answer| answer.waits_for.is_none()) {
            self.wire.output().extend_from_slice(answer.line.as_bytes());
            self.wire.output().push(b'\n');
        }
        self.wire.send()
    }
}

/// The line that a client gets for one that is no job.
fn error(what: impl Display) -> String {
    format!("error: {what}")
}
