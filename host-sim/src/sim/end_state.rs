//! How things stood at the end of a run, in a few lines: for the report of a failure.

use super::Sim;
use crate::kernel::files::Object;
use crate::kernel::process::{Life, Process};
use crate::kernel::{Index, Kernel, Nanos, SECOND};
use host_core::fleet::beat::Pace;
use host_core::fleet::status::{FleetStatus, Health, WorkerState, WorkerStatus};
use host_core::id::FleetId;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// More lines hide what matters.
const LINES_MAX: usize = 12;

/// The rules that are broken by what somebody still has, or waits for.
const ABOUT_HOLDINGS: [&str; 6] = ["S23", "S38", "L1", "L3", "L4", "L6"];

impl Sim {
    /// Per fleet what is wanted and how it is, per worker what is true of it and what its host believes; and, if
    /// the rule `broken` is about that, what each process still holds.
    pub fn end_state(&self, broken: &str) -> Vec<String> {
        let kernel = self.kernel.borrow();
        let mut lines = kernel.fleets_at_end();
        if ABOUT_HOLDINGS.contains(&broken) {
            lines.extend(kernel.holdings());
        }
        if lines.len() > LINES_MAX {
            let more = lines.len() - (LINES_MAX - 1);
            lines.truncate(LINES_MAX - 1);
            lines.push(format!("and {more} more"));
        }
        lines
    }
}

impl Kernel {
    fn fleets_at_end(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let Some(host) = self.checks.host() else { return lines };
        for index in 0..host.config().fleets.len() {
            let Some(fleet) = host.fleet(FleetId::new(index as u16)) else { continue };
            lines.push(fleet_line(&fleet));
            let truly = self.workers.iter().filter(|worker| self.fleet_of(**worker) == Some(index));
            for process in truly.map(|worker| &self.processes[*worker as usize]) {
                let believed = fleet.workers.iter().find(|known| Some(known.pid) == process.number);
                lines.push(self.worker_line(process, believed));
            }
        }
        lines
    }

    fn fleet_of(&self, worker: Index) -> Option<usize> {
        let seat = self.processes[worker as usize].seat?;
        Some(self.worker_of(seat)?.fleet.index())
    }

    fn worker_line(&self, process: &Process, believed: Option<&WorkerStatus>) -> String {
        let mut line = format!("  `{}`", process.name);
        if let Some(pid) = process.number {
            let _ = write!(line, ", pid {pid}");
        }
        let _ = write!(line, ": {}", process.state());
        if let Some(since) = process.silent_since().filter(|_| process.is_living()) {
            let _ = write!(line, " for {}", seconds(self.now - since));
        }
        if process.parent != self.host {
            line.push_str(", an orphan");
        }
        match believed {
            None => line.push_str("; its host knows of nobody with that number"),
            Some(known) => {
                let _ = write!(line, "; its host believes: {}", self.belief(known));
            }
        }
        line
    }

    fn belief(&self, known: &WorkerStatus) -> String {
        let mut words = match known.state {
            WorkerState::Booting => "it boots".to_owned(),
            WorkerState::Ready => "ready".to_owned(),
            WorkerState::Leaving { intent, killed: true } => format!("killed, since {intent}"),
            WorkerState::Leaving { intent, killed: false } => format!("asked to leave, since {intent}"),
        };
        if known.stopped {
            words.push_str(", stopped");
        }
        match known.beat {
            Some(beat) => {
                let pace = if beat.pace == Pace::Busy { "busy" } else { "waiting" };
                let age = self.now.saturating_sub(beat.at.as_nanos());
                let _ = write!(words, ", {pace} {} ago", seconds(age));
            }
            None => words.push_str(", no sign of life read"),
        }
        words
    }

    /// What each process has open, the host first.
    fn holdings(&self) -> Vec<String> {
        let lives = |process: &&Process| matches!(process.life, Life::Living | Life::Exiting);
        let holding = |(index, process): (usize, &Process)| {
            let held = self.held_by(index as Index);
            (process.descriptors.count() > 0)
                .then(|| format!("`{}` is {} and holds {held}", process.name, process.state()))
        };
        let living = self.processes.iter().enumerate().filter(|(_, process)| lives(process));
        living.filter_map(holding).collect()
    }

    fn held_by(&self, index: Index) -> String {
        let mut kinds: BTreeMap<&'static str, (usize, Vec<String>)> = BTreeMap::new();
        for handle in self.processes[index as usize].descriptors.handles() {
            let (kind, which) = match self.object(index, handle) {
                Some(Object::Listener(listener)) => ("listener", Some(listener)),
                Some(Object::Conn { conn, .. }) => ("connection", Some(conn)),
                Some(Object::Channel { channel, .. }) => ("channel", Some(channel)),
                Some(Object::Pipe { pipe, .. }) => ("pipe", Some(pipe)),
                Some(Object::Child(child)) => ("child", Some(child)),
                Some(Object::Signals(_)) => ("signals", None),
                Some(Object::Quit(_)) => ("word to quit", None),
                Some(Object::Bell(_)) => ("bell", None),
                Some(Object::Recording(_)) => ("recording", None),
                Some(Object::PidFile(_)) => ("pid file", None),
                None => continue,
            };
            let entry = kinds.entry(kind).or_default();
            entry.0 += 1;
            entry.1.extend(which.map(|which| match kind {
                "child" => format!("`{}`", self.processes[which as usize].name),
                _ => which.to_string(),
            }));
        }
        let told = kinds.iter().map(|(kind, (_, which))| format!("{kind} {}", which.join(", ")));
        told.map(|kind| kind.trim_end().to_owned()).collect::<Vec<_>>().join("; ")
    }
}

fn fleet_line(fleet: &FleetStatus) -> String {
    let mut line = format!(
        "fleet `{}`: {} wanted, {} ready of {} that live",
        fleet.name,
        fleet.wanted,
        fleet.ready(),
        fleet.workers.len()
    );
    match fleet.health {
        Health::Well => {}
        Health::Degraded => line.push_str(", degraded"),
        Health::GivenUp => line.push_str(", given up"),
    }
    if fleet.outage {
        line.push_str(", an outage");
    }
    for (slots, what) in [(&fleet.resting, "rest"), (&fleet.retired, "stay empty")] {
        if !slots.is_empty() {
            let slots: Vec<_> = slots.iter().map(ToString::to_string).collect();
            let _ = write!(line, ", slots {} {what}", slots.join(", "));
        }
    }
    line
}

fn seconds(nanos: Nanos) -> String {
    format!("{}.{:03} s", nanos / SECOND, nanos % SECOND / 1_000_000)
}
