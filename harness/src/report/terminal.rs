//! The end of a story for a terminal: a line an event, a column a process.

use super::model::{LaneKind, Mark, MarkKind, Model};
use host_core::time::Instant;
use host_sim::Violation;

/// How many lines a story has at most, its head and what broke included.
pub(super) const LINES_MAX: usize = 40;
/// How wide a line is at most: what a report indents by is taken from 120.
pub(super) const WIDTH: usize = 116;
/// `  12.345678 `.
const TIME: usize = 12;
/// A column that is narrower tells nothing.
const COLUMN_MIN: usize = 13;
/// A wider one only pushes the others apart.
const COLUMN_MAX: usize = 30;
/// The head, the two lines that say how much is left out, what broke, and what was seen.
const AROUND: usize = 5;
/// The last events of every kind that people read; before them only what decides a story.
const CLOSE: usize = 12;

/// The story's end in columns; `None` if there are more processes than fit.
pub(super) fn columns(model: &Model) -> Option<Vec<String>> {
    let chosen = Chosen::of(model);
    let table = [Merging::Clients, Merging::Slots].into_iter().find_map(|merging| {
        let seats = seats(model, &chosen, merging);
        (TIME + seats.len() * COLUMN_MIN <= WIDTH).then(|| Table::new(seats, merging))
    })?;
    let mut lines = vec![table.head()];
    let left_out = |count: usize| (count > 0).then(|| format!("{:>TIME$}{count} events are left out", "… "));
    lines.extend(left_out(chosen.left_before));
    lines.extend(table.lines(model, &chosen.far));
    lines.extend(left_out(chosen.left_between));
    lines.extend(table.lines(model, &chosen.close));
    if let Some(Violation { id, sentence, detail }) = &model.head.broken {
        lines.push(clip(&format!("{}!! {id}: {sentence}", moment(model.end)), WIDTH));
        lines.push(clip(&format!("{:TIME$}   {}", "", one_line(detail)), WIDTH));
    }
    Some(lines)
}

/// Which events are told.
struct Chosen<'a> {
    far: Vec<&'a Mark>,
    close: Vec<&'a Mark>,
    left_before: usize,
    left_between: usize,
}

impl<'a> Chosen<'a> {
    fn of(model: &'a Model) -> Self {
        let readable: Vec<_> = model.marks.iter().filter(|mark| weight(mark) > Weight::None).collect();
        let decisive = |mark: &&&Mark| weight(mark) == Weight::Decides;
        let room = LINES_MAX - AROUND;
        let mut close = CLOSE.min(readable.len());
        let mut before = &readable[..readable.len() - close];
        // Where little decides, more of the rest is told.
        let wanting = (room - close).saturating_sub(before.iter().filter(decisive).count());
        close += wanting.min(before.len());
        before = &readable[..readable.len() - close];
        let mut far: Vec<&Mark> = before.iter().rev().filter(decisive).take(room - close).copied().collect();
        far.reverse();
        let first = far.first().map_or(before.len(), |first| {
            before.iter().position(|mark| std::ptr::eq(*mark, *first)).unwrap_or(0)
        });
        let left_between = before.len() - first - far.len();
        let (left_before, left_between) =
            if far.is_empty() { (before.len(), 0) } else { (first, left_between) };
        Self { far, close: readable[readable.len() - close..].to_vec(), left_before, left_between }
    }
}

/// How much an event matters to whoever reads forty lines.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    None,
    Told,
    Decides,
}

fn weight(mark: &Mark) -> Weight {
    match mark.kind {
        // It has a line of its own at the bottom.
        MarkKind::Broken | MarkKind::Beat | MarkKind::Call | MarkKind::Fact => Weight::None,
        // A client begins at its first call, and every death passes through this.
        MarkKind::Life if ["started", "zombie"].contains(&mark.short.as_str()) => Weight::Told,
        MarkKind::Fault | MarkKind::Life | MarkKind::Notice => Weight::Decides,
        MarkKind::Network if mark.lane.is_none() => Weight::None,
        // Who sent it is known, or it is not only news of a child.
        MarkKind::Signal if mark.to.is_some() => Weight::Decides,
        MarkKind::Signal if mark.short.contains("CHLD") => Weight::None,
        // What is ordered is seen when it is done.
        MarkKind::Order if mark.short.starts_with("orders: ") => Weight::None,
        MarkKind::Order => Weight::Decides,
        MarkKind::Signal | MarkKind::Look | MarkKind::Network | MarkKind::Message => Weight::Told,
    }
}

/// What shares a column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Merging {
    /// All clients.
    Clients,
    /// They, and all workers of a slot.
    Slots,
}

/// The names of columns, from left to right.
fn seats(model: &Model, chosen: &Chosen<'_>, merging: Merging) -> Vec<String> {
    let told = || chosen.far.iter().chain(&chosen.close);
    let mut lanes: Vec<Option<usize>> = told().map(|mark| mark.lane).collect();
    lanes.sort_unstable();
    lanes.dedup();
    let mut seats: Vec<String> = Vec::new();
    for lane in lanes {
        let (seat, _) = seat(model, lane, merging);
        if !seats.contains(&seat) {
            seats.push(seat);
        }
    }
    seats
}

/// In which column a lane is told, and what its texts begin with there.
fn seat(model: &Model, lane: Option<usize>, merging: Merging) -> (String, String) {
    let Some(lane) = lane.map(|lane| &model.lanes[lane]) else { return ("world".to_owned(), String::new()) };
    match (lane.kind, merging, lane.name.rsplit_once('.')) {
        (LaneKind::Client, _, _) => {
            let number = lane.name.trim_start_matches("client ");
            ("clients".to_owned(), format!("{number}: "))
        }
        (LaneKind::Worker, Merging::Slots, Some((slot, incarnation))) => {
            (slot.to_owned(), format!(".{incarnation} "))
        }
        _ => (lane.name.clone(), String::new()),
    }
}

struct Table {
    seats: Vec<String>,
    merging: Merging,
    width: usize,
}

impl Table {
    fn new(seats: Vec<String>, merging: Merging) -> Self {
        let width = ((WIDTH - TIME) / seats.len().max(1)).min(COLUMN_MAX);
        Self { seats, merging, width }
    }

    fn head(&self) -> String {
        let mut line = format!("{:>width$} ", "seconds", width = TIME - 1);
        for seat in &self.seats {
            line += &format!("│ {:<width$}", clip(seat, self.width - 3), width = self.width - 2);
        }
        line.trim_end().to_owned()
    }

    /// What happens at one moment to several shares a line, as long as it goes from left to right.
    fn lines(&self, model: &Model, marks: &[&Mark]) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let mut before = None;
        for mark in marks {
            let (seat, prefix) = seat(model, mark.lane, self.merging);
            let column = self.seats.iter().position(|known| *known == seat).unwrap_or(0);
            let text = prefix + &one_line(&mark.short);
            let shared = lines
                .last_mut()
                .filter(|line| before == Some(mark.at) && line.chars().count() < self.start(column));
            match shared {
                Some(line) => self.write(line, column, &text),
                None => {
                    let mut line = moment(mark.at);
                    self.write(&mut line, column, &text);
                    lines.push(line);
                }
            }
            before = Some(mark.at);
        }
        for line in &mut lines {
            self.rule(line, self.seats.len());
        }
        lines
    }

    const fn start(&self, column: usize) -> usize {
        TIME + column * self.width
    }

    /// The text begins in its column, and may go on over those to the right: they have nothing to say then.
    fn write(&self, line: &mut String, column: usize, text: &str) {
        self.rule(line, column);
        *line += &clip(&format!("│ {text}"), WIDTH - self.start(column));
    }

    /// Draws the columns before `column` that nothing is written over.
    fn rule(&self, line: &mut String, column: usize) {
        let mut written = line.chars().count();
        for start in (0..column).map(|column| self.start(column)) {
            if written <= start {
                *line += &format!("{:width$}│", "", width = start - written);
                written = start + 1;
            }
        }
        let wanted = if column < self.seats.len() { self.start(column) } else { written };
        *line += &format!("{:width$}", "", width = wanted.saturating_sub(written));
    }
}

fn moment(at: Instant) -> String {
    let micros = at.as_nanos() / 1_000;
    format!("{:>4}.{:06} ", micros / 1_000_000, micros % 1_000_000)
}

/// Text of a user may hold anything: nothing of it moves the cursor.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// At most `width` characters; the last one says that there were more.
fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut clipped: String = text.chars().take(width.saturating_sub(1)).collect();
    clipped.push('…');
    clipped
}
