//! What stands in a recording, for people.

use super::Replay;
use host_core::action::Action;
use host_core::event::Event;
use host_core::fleet::notice::FleetNotice;
use host_core::id::FleetId;
use host_core::record::{End, Text};
use host_core::time::{Duration, Instant};
use std::collections::BTreeMap;
use std::fmt;

/// A death as it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Death {
    /// In which fleet.
    pub fleet: FleetId,
    /// What was told.
    pub death: host_core::fleet::death::Death,
}

/// A recording in some lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// What the application is called, and the number of the process.
    pub app: (String, u32),
    /// The version of `host-core`.
    pub version: String,
    /// When it began, in seconds since 1970.
    pub began: i128,
    /// How many facts.
    pub facts: usize,
    /// How many orders.
    pub orders: usize,
    /// From the first fact to the last.
    pub span: Duration,
    /// How many facts of each kind, by name.
    pub kinds: BTreeMap<String, usize>,
    /// The fleets: name, workers at first, births.
    pub fleets: Vec<(String, u32, usize)>,
    /// Who died, in order.
    pub deaths: Vec<Death>,
    /// How it ends.
    pub end: Option<End>,
    /// Bytes that are no whole frame.
    pub torn: usize,
    /// What became of text.
    pub text: Text,
}

/// So many deaths are listed; the others are counted.
const DEATHS_MAX: usize = 20;

impl Summary {
    pub(super) fn of(replay: &Replay) -> Self {
        let (mut first, mut last, mut orders) = (None, Instant::ZERO, 0);
        let mut kinds = BTreeMap::new();
        let mut deaths = Vec::new();
        let config = &replay.begin().config;
        let mut fleets: Vec<_> =
            config.fleets.iter().map(|fleet| (fleet.name.clone(), fleet.wanted(), 0)).collect();
        for step in replay.steps() {
            first = first.or(Some(step.at));
            last = step.at;
            orders += step.orders.len();
            *kinds.entry(kind(&step.event)).or_default() += 1;
            if let Event::Spawned { worker, .. } = step.event
                && let Some((_, _, births)) = fleets.get_mut(worker.fleet.index())
            {
                *births += 1;
            }
            for order in &step.orders {
                if let Action::TellFleet { fleet, notice: FleetNotice::Died(death) } = order {
                    deaths.push(Death { fleet: *fleet, death: *death });
                }
            }
        }
        Self {
            app: (replay.begin().app.clone(), replay.begin().pid.0),
            version: replay.begin().version.clone(),
            began: replay.begin().wall.0 / 1_000_000_000,
            facts: replay.facts(),
            orders,
            span: last.since(first.unwrap_or(last)),
            kinds,
            fleets,
            deaths,
            end: replay.end(),
            torn: replay.torn(),
            text: replay.text,
        }
    }
}

/// The name of a kind of fact: that of its variant.
fn kind(event: &Event) -> String {
    let told = format!("{event:?}");
    told.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { app: (app, pid), version, began, facts, orders, span, .. } = self;
        writeln!(f, "application `{app}`, pid {pid}, host-core {version}, began {began} s after 1970")?;
        writeln!(f, "{facts} facts and {orders} orders in {:.3} s", span.as_secs_f64())?;
        let kinds: Vec<_> = self.kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        writeln!(f, "  {}", kinds.join(", "))?;
        for (name, workers, births) in &self.fleets {
            writeln!(f, "fleet `{name}`: {workers} workers at first, {births} births")?;
        }
        for Death { fleet, death } in self.deaths.iter().take(DEATHS_MAX) {
            let name = self.fleets.get(fleet.index()).map_or("?", |(name, _, _)| name);
            writeln!(f, "  {} `{name}` {death}", death.at)?;
        }
        if self.deaths.len() > DEATHS_MAX {
            writeln!(f, "  and {} more deaths", self.deaths.len() - DEATHS_MAX)?;
        }
        match self.end {
            Some(End::Host) => write!(f, "the host ended")?,
            Some(End::Size) => write!(f, "the recording was as large as it might be; the host went on")?,
            None => write!(f, "the recording stops: the host was killed, or still runs")?,
        }
        if self.torn > 0 {
            write!(f, "; {} bytes at its end are no whole frame", self.torn)?;
        }
        match self.text {
            Text::Hashed => Ok(()),
            Text::Kept => write!(f, "; its text was kept, look at it before you hand it on"),
        }
    }
}
