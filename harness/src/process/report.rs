//! What a person needs who sees a test fail: what was waited for, the tree, its story, its last words. Forty
//! lines at most.

use super::shared::{Shared, State, Stream};
use super::timeline::End;
use super::words::{count, shown};

const TREE_LINES: usize = 8;
const TIMELINE_LINES: usize = 12;
const OUTPUT_LINES: usize = 12;
/// How many lines a stream keeps, however much the other says.
const FEW: usize = 4;
/// How much of a line is shown.
const WIDTH: usize = 160;

/// What is known of a process now, below `head`.
pub(super) fn report(shared: &Shared, state: &State, head: &str) -> String {
    let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
    let tree = state.family.tree();
    let alive = tree.living().count();
    lines.push(format!("  the tree, {alive} alive, {}:", how_it_is(shared, state)));
    lines.extend(cut(tree.iter().map(|node| format!("    {node}")).collect(), TREE_LINES));
    lines.push("  what happened:".to_owned());
    lines.extend(state.timeline.lines(TIMELINE_LINES).iter().map(|line| format!("  {}", shown(line, WIDTH))));
    lines.extend(said(state));
    lines.join("\n")
}

/// Names the process, for the first line.
pub(super) fn subject(shared: &Shared, state: &State) -> String {
    format!("process `{}` (pid {})", shared.name, state.family.root().pid())
}

fn how_it_is(shared: &Shared, state: &State) -> String {
    match state.family.status() {
        Some(status) => format!("the root ended with {}", End(status)),
        None => format!("the root runs since {:.3} s", shared.begun.elapsed().as_secs_f64()),
    }
}

/// The last lines of both streams, by their moments: of what came at once nobody knows what was first.
fn said(state: &State) -> Vec<String> {
    let mut last = Vec::new();
    let mut all = 0;
    for stream in Stream::BOTH {
        let lines = &state.said[stream as usize];
        all += lines.next();
        let label = match stream {
            Stream::Stdout => "out",
            Stream::Stderr => "err",
        };
        let from = lines.next().saturating_sub(OUTPUT_LINES as u64);
        last.extend(lines.since(from).map(|(_, line)| (line.at, label, line.text())));
        if !lines.partial().is_empty() {
            all += 1;
            let text = String::from_utf8_lossy(lines.partial()).into_owned();
            last.push((state.timeline.now(), label, format!("{text} (a line without an end)")));
        }
    }
    last.sort_by_key(|(at, ..)| *at);
    while last.len() > OUTPUT_LINES {
        let is_spare =
            |(_, label, _): &(_, &str, _)| last.iter().filter(|line| line.1 == *label).count() > FEW;
        let first = last.iter().position(is_spare).unwrap_or(0);
        last.remove(first);
    }
    let head = match last.len() {
        0 => "  it said nothing".to_owned(),
        few if few as u64 == all => "  what it said:".to_owned(),
        some => format!("  the last {some} of {} that it said:", count(usize_of(all), "line", "lines")),
    };
    let line = |(at, label, text): (std::time::Duration, &str, String)| {
        format!("    {:>7.3} s  {label}| {}", at.as_secs_f64(), shown(&text, WIDTH))
    };
    std::iter::once(head).chain(last.into_iter().map(line)).collect()
}

fn usize_of(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn cut(mut lines: Vec<String>, most: usize) -> Vec<String> {
    if lines.len() > most {
        let more = lines.len() - (most - 1);
        lines.truncate(most - 1);
        lines.push(format!("    … and {more} more"));
    }
    lines
}
