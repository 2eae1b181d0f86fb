//! The run as a trace of Chrome's format, which Perfetto reads too: a process a process, its states, its marks, and
//! an arrow for each message and each signal.

use super::json::quoted;
use super::model::{Flow, Mark, MarkKind, Model, Span};
use host_core::time::Instant;
use std::fmt::Write as _;

/// The process number of the world; those of lanes follow it.
const WORLD: usize = 1;
/// The thread of states, that of marks.
const STATES: u32 = 1;
const MARKS: u32 = 2;
/// How many events a trace has at most: what a browser loads in some seconds. States and arrows come first.
const EVENTS_MAX: usize = 1_000_000;

/// The whole file.
pub(super) fn trace(model: &Model) -> String {
    let mut trace = Trace { out: String::from("{\"displayTimeUnit\":\"ms\",\n"), count: 0 };
    trace.head(model);
    trace.out.push_str("\"traceEvents\":[\n");
    trace.names(model);
    for fault in &model.faults {
        let about = fault.target.map(|lane| model.lanes[lane].name.as_str());
        let name = format!("{:?}{}", fault.class, about.map(|name| format!(" → {name}")).unwrap_or_default());
        trace.duration(WORLD, STATES, (fault.from, fault.to), &name, "fault");
    }
    for (lane, row) in model.lanes.iter().enumerate() {
        for Span { from, to, state, what } in &row.spans {
            let pid = lane + WORLD + 1;
            trace.duration(pid, STATES, (*from, *to), state.word(), "state");
            // Within it: viewers nest what lies in the same time.
            if !what.is_empty() {
                trace.duration(pid, STATES, (*from, *to), what, "callback");
            }
        }
    }
    for (number, mark) in model.marks.iter().enumerate() {
        if trace.count >= EVENTS_MAX {
            break;
        }
        trace.mark(number, mark);
    }
    trace.out.push_str("\n]}\n");
    trace.out
}

struct Trace {
    out: String,
    count: usize,
}

impl Trace {
    fn head(&mut self, model: &Model) {
        let head = &model.head;
        let broken = head.broken.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
        let left = model.marks.len().saturating_sub(EVENTS_MAX);
        let _ = writeln!(
            self.out,
            "\"otherData\":{{\"test\":{},\"seed\":\"{}\",\"hash\":\"{:016x}\",\"faults\":{},\"broken\":{},\
             \"replay\":{},\"events left out, at least\":\"{left}\"}},",
            quoted(&head.test),
            head.seed,
            head.hash,
            quoted(&head.plan),
            quoted(&broken),
            quoted(&head.replay)
        );
    }

    fn names(&mut self, model: &Model) {
        let world = std::iter::once("world");
        let lanes = model.lanes.iter().map(|lane| lane.name.as_str());
        for (pid, name) in (WORLD..).zip(world.chain(lanes)) {
            let name = quoted(name);
            self.event(&format!(
                "\"ph\":\"M\",\"name\":\"process_name\",\"pid\":{pid},\"args\":{{\"name\":{name}}}"
            ));
            let sorted = format!("\"ph\":\"M\",\"name\":\"process_sort_index\",\"pid\":{pid}");
            self.event(&format!("{sorted},\"args\":{{\"sort_index\":{pid}}}"));
            let states = if pid == WORLD { "faults" } else { "states" };
            for (tid, name) in [(STATES, states), (MARKS, "events")] {
                let named = format!("\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":{pid},\"tid\":{tid}");
                self.event(&format!("{named},\"args\":{{\"name\":\"{name}\"}}"));
            }
        }
    }

    fn duration(&mut self, pid: usize, tid: u32, (from, to): (Instant, Instant), name: &str, category: &str) {
        let length = micros(to.since(from).as_nanos() as u64);
        self.event(&format!(
            "\"ph\":\"X\",\"name\":{},\"cat\":\"{category}\",\"pid\":{pid},\"tid\":{tid},\"ts\":{},\"dur\":{length}",
            quoted(name),
            micros(from.as_nanos())
        ));
    }

    fn mark(&mut self, number: usize, mark: &Mark) {
        let pid = mark.lane.map_or(WORLD, |lane| lane + WORLD + 1);
        let scope = if mark.kind == MarkKind::Broken { "g" } else { "t" };
        let at = micros(mark.at.as_nanos());
        let args =
            if mark.long.is_empty() { String::new() } else { format!("\"all\":{}", quoted(&mark.long)) };
        self.event(&format!(
            "\"ph\":\"i\",\"s\":\"{scope}\",\"name\":{},\"cat\":\"{}\",\"pid\":{pid},\"tid\":{MARKS},\"ts\":{at},\"args\":{{{args}}}",
            quoted(&mark.short),
            mark.kind.word()
        ));
        match (mark.flow, mark.to, mark.kind) {
            (Some((message, Flow::Begins)), _, _) => self.flow("s", "message", message as usize, pid, at),
            (Some((message, Flow::Ends)), _, _) => self.flow("f", "message", message as usize, pid, at),
            (None, Some(to), MarkKind::Signal) => {
                self.flow("s", "signal", number, pid, at.clone());
                self.flow("f", "signal", number, to + WORLD + 1, at);
            }
            (None, _, _) => {}
        }
    }

    /// An arrow begins or ends, at `at`: it hangs on the state that `pid` is in, since viewers draw none that hang on
    /// instants.
    fn flow(&mut self, phase: &str, category: &str, id: usize, pid: usize, at: String) {
        let end = if phase == "f" { ",\"bp\":\"e\"" } else { "" };
        self.event(&format!(
            "\"ph\":\"{phase}\"{end},\"name\":\"{category}\",\"cat\":\"{category}\",\"id\":\"{category} {id}\",\"pid\":{pid},\"tid\":{STATES},\"ts\":{at}"
        ));
    }

    fn event(&mut self, fields: &str) {
        if self.count > 0 {
            self.out.push_str(",\n");
        }
        self.count += 1;
        let _ = write!(self.out, "{{{fields}}}");
    }
}

/// Nanoseconds as microseconds with a fraction, in which the format counts.
fn micros(nanos: u64) -> String {
    format!("{}.{:03}", nanos / 1_000, nanos % 1_000)
}
