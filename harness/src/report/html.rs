//! The page: one file, which needs no network. What it draws comes as data; its head, its lanes and the course of
//! things in words are there without any script.

mod thin;

use super::json::{quoted, string};
use super::model::{FaultSpan, Flow, LaneKind, Mark, MarkKind, Model, State, span};
use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use thin::Thinned;

const TEMPLATE: &str = include_str!("assets/report.html");
const STYLE: &str = include_str!("assets/report.css");
const SCRIPT: &str = include_str!("assets/report.js");

/// How many rows the course in words has at most; the rest is in the chart.
const ROWS_MAX: usize = 600;
/// So many of them are the first ones, if there are more.
const ROWS_FIRST: usize = 100;

/// The whole page.
pub(super) fn page(model: &Model) -> String {
    let thinned = Thinned::of(model);
    let mut page = String::with_capacity(1 << 16);
    let mut rest = TEMPLATE;
    // Markers are filled in one pass, so that nothing that is filled in is taken for one.
    while let Some((before, after)) = rest.split_once("{{") {
        let (marker, after) = after.split_once("}}").expect("a marker of the template is closed");
        page.push_str(before);
        match marker {
            "title" => title(&mut page, model),
            "style" => page.push_str(STYLE),
            "head" => head(&mut page, model),
            "left-out" => left_out(&mut page, &thinned),
            "states" => legend(&mut page),
            "labels" => labels(&mut page, model),
            "course" => course(&mut page, model),
            "data" => data(&mut page, model, &thinned),
            "script" => page.push_str(SCRIPT),
            unknown => unreachable!("no marker is called {unknown}"),
        }
        rest = after;
    }
    page + rest
}

/// Text as it stands in a page.
struct Escaped<T>(T);

impl<T: AsRef<str>> Display for Escaped<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.as_ref().chars() {
            match c {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\0' => f.write_str("\u{fffd}")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

fn title(page: &mut String, model: &Model) {
    let broken = model.head.broken.as_ref().map_or("passed", |broken| broken.id);
    let _ = write!(page, "{broken}, seed {}: {}", model.head.seed, Escaped(&model.head.test));
}

fn head(page: &mut String, model: &Model) {
    let head = &model.head;
    match &head.broken {
        Some(broken) => {
            let _ = write!(
                page,
                "<h1 class=broken>Broken rule {}: {}</h1>\n<p class=seen><b>Seen</b> {}</p>\n",
                broken.id,
                Escaped(broken.sentence),
                Escaped(&broken.detail)
            );
        }
        None => page.push_str("<h1>This run passed: no rule was broken</h1>\n"),
    }
    if let Some(other) = head.other_hash {
        let _ = writeln!(
            page,
            "<p class=warning>What is drawn here is another run than the one that failed: told, the seed has the hash \
             {other:016x}. Something in it depends on more than the seed; <code>HOST_TWIN=1</code> finds out what.</p>"
        );
    }
    let length = model.end.since(model.begin);
    let _ = write!(
        page,
        "<dl><dt>Test</dt><dd>{}</dd><dt>Seed</dt><dd>{} <span class=quiet>hash {:016x}, {} of virtual time</span></dd>\n\
         <dt>Again</dt><dd><code id=replay>{}</code> <button id=copy type=button>copy</button></dd>\n<dt>Faults</dt><dd>",
        Escaped(&head.test),
        head.seed,
        head.hash,
        span(length),
        Escaped(&head.replay)
    );
    if model.faults.is_empty() {
        page.push_str("none had begun");
    } else {
        let _ = write!(page, "<details><summary>{} had begun: ", model.faults.len());
        let mut classes: Vec<String> =
            model.faults.iter().map(|fault| format!("{:?}", fault.class)).collect();
        classes.sort();
        classes.dedup();
        let _ = write!(page, "{}</summary>{}</details>", classes.join(", "), Escaped(&head.plan));
    }
    page.push_str("</dd>");
    if !head.state.is_empty() {
        let _ = write!(page, "\n<dt>At the end</dt><dd><pre>{}</pre></dd>", Escaped(head.state.join("\n")));
    }
    page.push_str("</dl>\n");
}

fn left_out(page: &mut String, thinned: &Thinned<'_>) {
    for sentence in thinned.sentences() {
        let _ = writeln!(page, "<p class=warning>{}</p>", Escaped(sentence));
    }
}

fn legend(page: &mut String) {
    for state in State::ALL {
        let class = class_of(*state);
        let _ = write!(
            page,
            "<span class=state title=\"{}\"><i class=\"{class}\"></i>{}</span>",
            Escaped(state.about()),
            state.word()
        );
    }
}

/// The name of a state in style and script.
fn class_of(state: State) -> String {
    format!("s-{}", state.word().replace(' ', "-"))
}

fn labels(page: &mut String, model: &Model) {
    page.push_str(
        "<div class=\"lane world\" data-lane=-2 title=\"faults, and what the network brings\">world</div>\n",
    );
    for (number, lane) in model.lanes.iter().enumerate() {
        let accused = if lane.accused { " accused" } else { "" };
        let _ = writeln!(
            page,
            "<div class=\"lane {}{accused}\" data-lane={number} title=\"{}\">{}</div>",
            lane.kind.word(),
            Escaped(&lane.about),
            Escaped(&lane.name)
        );
    }
    let clients = model.lanes.iter().filter(|lane| lane.kind == LaneKind::Client).count();
    if clients > 0 {
        let _ = writeln!(page, "<div class=\"lane clients\" data-lane=-1>{clients} clients</div>");
    }
}

/// What decides a story, as rows: for those who read, and for those who have no script.
fn course(page: &mut String, model: &Model) {
    let tells = |mark: &&Mark| match mark.kind {
        MarkKind::Broken | MarkKind::Fault | MarkKind::Life | MarkKind::Notice => true,
        MarkKind::Order => !mark.short.starts_with("orders: fork"),
        MarkKind::Signal => mark.to.is_some(),
        MarkKind::Look | MarkKind::Message | MarkKind::Beat => false,
        MarkKind::Network | MarkKind::Call | MarkKind::Fact => false,
    };
    let client = |mark: &Mark| mark.lane.is_some_and(|lane| model.lanes[lane].kind == LaneKind::Client);
    let rows: Vec<&Mark> = model.marks.iter().filter(tells).filter(|mark| !client(mark)).collect();
    let left = rows.len().saturating_sub(ROWS_MAX);
    for (number, mark) in rows.iter().enumerate() {
        if left > 0 && number == ROWS_FIRST {
            let _ =
                writeln!(page, "<tr><td></td><td></td><td class=quiet>… {left} more, in the chart</td></tr>");
        }
        if left > 0 && (ROWS_FIRST..ROWS_FIRST + left).contains(&number) {
            continue;
        }
        let who = mark.lane.map_or("world", |lane| model.lanes[lane].name.as_str());
        let nanos = mark.at.as_nanos();
        let long = if mark.kind == MarkKind::Broken { format!(" – {}", mark.long) } else { String::new() };
        let _ = writeln!(
            page,
            "<tr class=k{} data-at={nanos}><td>{}.{:06}</td><td>{}</td><td>{}{}</td></tr>",
            mark.kind as usize,
            nanos / 1_000_000_000,
            nanos % 1_000_000_000 / 1_000,
            Escaped(who),
            Escaped(&mark.short),
            Escaped(long)
        );
    }
}

/// Texts by their number: most of them come again and again.
#[derive(Default)]
struct Texts(BTreeMap<String, usize>);

impl Texts {
    fn number(&mut self, text: &str) -> usize {
        if let Some(number) = self.0.get(text) {
            return *number;
        }
        let number = self.0.len();
        self.0.insert(text.to_owned(), number);
        number
    }

    fn in_order(&self) -> Vec<&str> {
        let mut texts: Vec<_> = self.0.iter().collect();
        texts.sort_unstable_by_key(|(_, number)| **number);
        texts.into_iter().map(|(text, _)| text.as_str()).collect()
    }
}

/// What the script draws. Moments are nanoseconds since the machine was booted.
fn data(page: &mut String, model: &Model, thinned: &Thinned<'_>) {
    let mut texts = Texts::default();
    let _ = write!(page, "{{\"begin\":{},\"end\":{},", model.begin.as_nanos(), model.end.as_nanos());
    match &model.head.broken {
        Some(broken) => {
            let _ = write!(page, "\"broken\":{{\"id\":\"{}\",\"text\":", broken.id);
            string(page, &broken.to_string());
            page.push_str("},");
        }
        None => page.push_str("\"broken\":null,"),
    }
    page.push_str("\"states\":");
    list(page, State::ALL, |page, state| string(page, state.word()));
    page.push_str(",\"kinds\":");
    list(page, MarkKind::ALL, |page, kind| {
        let count = thinned.counts[*kind as usize];
        let _ = write!(
            page,
            "{{\"name\":{},\"about\":{},\"on\":{},\"count\":{count}}}",
            quoted(kind.word()),
            quoted(kind.about()),
            kind.shown_first()
        );
    });
    page.push_str(",\n\"faults\":");
    list(page, &model.faults, |page, fault| {
        let FaultSpan { from, to, class, target } = fault;
        let target = target.map_or(-1, |lane| lane as i64);
        let _ = write!(page, "[{},{},\"{class:?}\",{target}]", from.as_nanos(), to.as_nanos());
    });
    page.push_str(",\n\"lanes\":");
    list(page, model.lanes.iter().enumerate(), |page, (number, lane)| {
        let _ = write!(
            page,
            "{{\"name\":{},\"kind\":\"{}\",\"accused\":{},\"about\":{},\"spans\":",
            quoted(&lane.name),
            lane.kind.word(),
            lane.accused,
            quoted(&lane.about)
        );
        list(page, thinned.spans(model, number), |page, span| {
            let (from, to) = (span.from.as_nanos(), span.to.as_nanos());
            let _ = write!(page, "[{from},{to},{}", span.state as usize);
            if !span.what.is_empty() {
                let _ = write!(page, ",{}", texts.number(&span.what));
            }
            page.push(']');
        });
        page.push('}');
    });
    page.push_str(",\n\"marks\":");
    list(page, &thinned.marks, |page, mark| {
        let lane = |lane: Option<usize>| lane.map_or(-1, |lane| lane as i64);
        let (short, long) = (texts.number(&mark.short), texts.number(&mark.long));
        let (at, kind) = (mark.at.as_nanos(), mark.kind as usize);
        let _ = write!(page, "[{at},{},{kind},{short},{long},{}", lane(mark.lane), lane(mark.to));
        if let Some((number, flow)) = mark.flow {
            let _ = write!(page, ",{number},{}", u8::from(flow == Flow::Ends));
        }
        page.push(']');
    });
    page.push_str(",\n\"texts\":");
    list(page, texts.in_order(), string);
    page.push('}');
}

/// A list of JSON, an element a line: a page can then be compared with another.
fn list<T>(page: &mut String, items: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut String, T)) {
    page.push('[');
    for (number, item) in items.into_iter().enumerate() {
        if number > 0 {
            page.push_str(",\n");
        }
        write(page, item);
    }
    page.push(']');
}
