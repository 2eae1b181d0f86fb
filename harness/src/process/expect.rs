//! What a test waits for: each wait has a name and a bound, and fails with a report.

use super::Process;
use super::clock::scaled;
use super::pattern::{Captures, Pattern};
use super::report::{report, subject};
use super::shared::{Shared, Stream};
use super::stat::ProcessId;
use super::timeline::{End, Event};
use super::tree::{Node, Tree};
use super::words::{count, signal_name};
use rustix::process::Signal;
use std::process::ExitStatus;
use std::time::Duration;

/// A wait: [`Process::expect`] names it, one of the methods here says for what.
///
/// Each returns as soon as what it waits for holds, also if it did before. Deaths, output and notifications are
/// events; of a birth the kernel tells nobody but the parent, and so the tree is looked at after each event,
/// and every 5 ms (or four times as long as a look takes) while somebody waits for one.
///
/// # Panics
/// Each of them, with a report of at most forty lines, if that does not come to pass within the bound, or as
/// soon as it no longer can.
#[derive(Debug)]
#[must_use = "nothing is waited for yet"]
pub struct Expect<'a> {
    pub(super) process: &'a Process,
    pub(super) name: String,
    pub(super) bound: Duration,
}

/// Why an expectation was not met.
#[derive(Debug)]
pub(super) struct Unmet {
    pub(super) wanted: String,
    pub(super) seen: String,
}

impl Unmet {
    pub(super) fn late(wanted: String, bound: Duration) -> Self {
        Self { wanted, seen: format!("not within {bound:?}") }
    }
}

/// Fails the test.
#[track_caller]
pub(super) fn fail(shared: &Shared, name: &str, unmet: Unmet) -> ! {
    let mut state = shared.look();
    state.is_reported = true;
    let Unmet { wanted, seen } = unmet;
    let head = format!("{}: {name}\n  wanted: {wanted}\n  seen: {seen}", subject(shared, &state));
    let words = report(shared, &state, &head);
    drop(state);
    panic!("{words}");
}

/// How long a process is given to end that has closed all that it says something on; only where a test fails anyway.
const ENDING: Duration = Duration::from_secs(1);

impl Expect<'_> {
    /// How long it may take; by default [`BOUND`](super::BOUND). Scales by [`TIME_SCALE`](super::TIME_SCALE).
    pub fn within(self, bound: Duration) -> Self {
        Self { bound: scaled(bound), ..self }
    }

    /// A line like `pattern` on standard output or standard error: what its placeholders took.
    ///
    /// `listening on {address}` is found anywhere in a line. `{name}` takes a word – at least one character, none
    /// of them white space – and `{name..}` whatever follows; `{{` and `}}` stand for the braces themselves.
    /// Each stream is read on from behind the line that was found there last, and what is passed over is not
    /// found by later expectations.
    #[track_caller]
    pub fn line(self, pattern: &str) -> Captures {
        self.line_on_any(&Stream::BOTH, pattern)
    }

    /// A line like `pattern` on this stream.
    #[track_caller]
    pub fn line_on(self, stream: Stream, pattern: &str) -> Captures {
        self.line_on_any(&[stream], pattern)
    }

    #[track_caller]
    fn line_on_any(self, streams: &[Stream], pattern: &str) -> Captures {
        let pattern = Pattern::of(pattern);
        let mut next = [0; 2];
        let found = self.process.shared.wait(self.bound, |state| {
            for stream in streams.iter().map(|stream| *stream as usize) {
                let from = next[stream].max(state.read[stream]);
                let found = state.said[stream].since(from).find_map(|(number, line)| {
                    next[stream] = number + 1;
                    pattern.find(&line.text())
                });
                if found.is_some() {
                    state.read[stream] = next[stream];
                    return found.map(Ok);
                }
            }
            let have_ended = streams.iter().all(|stream| state.said[*stream as usize].has_ended());
            have_ended.then_some(Err(()))
        });
        let names: Vec<_> = streams.iter().map(Stream::to_string).collect();
        let wanted = format!("a line like `{pattern}` on {}", names.join(" or "));
        match found {
            Some(Ok(captures)) => self.met(captures),
            Some(Err(())) => {
                // Streams end a moment before their process: how that ended belongs to the report.
                self.process.shared.wait(scaled(ENDING).min(self.bound), |state| state.family.status());
                self.fail(Unmet { wanted, seen: format!("{} ended without it", names.join(" and ")) })
            }
            None => {
                let state = self.process.shared.lock();
                let gone: u64 = streams
                    .iter()
                    .map(|stream| state.said[*stream as usize].gone_since(state.read[*stream as usize]))
                    .sum();
                drop(state);
                let mut unmet = Unmet::late(wanted, self.bound);
                if gone > 0 {
                    unmet.seen += &format!("; {gone} lines were let go, most of them seen");
                }
                self.fail(unmet)
            }
        }
    }

    /// Its end.
    #[track_caller]
    pub fn exit(self) -> ExitStatus {
        let status = self.process.shared.wait(self.bound, |state| state.family.status());
        match status {
            Some(status) => self.met(status),
            None => {
                let unmet = Unmet::late("its end".to_owned(), self.bound);
                self.fail(unmet)
            }
        }
    }

    /// Its end, with this exit status.
    #[track_caller]
    pub fn exit_code(self, code: i32) {
        self.exit_as(&format!("exit status {code}"), |status| status.code() == Some(code));
    }

    /// Its end, by this signal.
    #[track_caller]
    pub fn killed_by(self, signal: Signal) {
        use std::os::unix::process::ExitStatusExt as _;
        let wanted = format!("signal {}", signal_name(signal.as_raw()));
        self.exit_as(&wanted, |status| status.signal() == Some(signal.as_raw()));
    }

    #[track_caller]
    fn exit_as(self, how: &str, is_meant: impl Fn(&ExitStatus) -> bool) {
        let wanted = format!("its end with {how}");
        let unmet = match self.process.shared.wait(self.bound, |state| state.family.status()) {
            Some(status) if is_meant(&status) => return self.met(()),
            Some(status) => Unmet { wanted, seen: format!("it ended with {}", End(status)) },
            None => Unmet::late(wanted, self.bound),
        };
        self.fail(unmet)
    }

    /// The end of a process of its tree.
    #[track_caller]
    pub fn death_of(self, node: &Node) {
        let wanted = format!("the end of {} `{}`", node.pid(), node.name);
        let id = node.id;
        self.looking(wanted, |tree| (!is_alive(tree, id)).then_some(Ok(())))
    }

    /// A child in place of `node`, which dies: another living child of the same parent, first seen later than
    /// `node` was looked at.
    #[track_caller]
    pub fn respawn_of(self, node: &Node) -> Node {
        let wanted = format!("another child of {} in place of {} `{}`", node.parent, node.pid(), node.name);
        let node = node.clone();
        self.looking(wanted, move |tree| {
            if !tree.living().any(|other| other.pid() == node.parent) {
                return Some(Err(format!("its parent, {}, is no longer alive", node.parent)));
            }
            let mut others = tree.children_of(node.parent);
            let next = others.find(|other| other.first_look > node.look && other.id != node.id).cloned();
            next.filter(|_| !is_alive(tree, node.id)).map(Ok)
        })
    }

    /// So many living children, neither more nor less.
    #[track_caller]
    pub fn children(self, wanted: usize) -> Vec<Node> {
        self.living(wanted, "living child", "living children", |tree| {
            tree.children_of(tree.root.pid).cloned().collect()
        })
    }

    /// So many living processes below it, neither more nor less: children, their children, orphans.
    #[track_caller]
    pub fn descendants(self, wanted: usize) -> Vec<Node> {
        self.living(wanted, "living descendant", "living descendants", |tree| {
            tree.living().filter(|node| node.id != tree.root).cloned().collect()
        })
    }

    #[track_caller]
    fn living(self, wanted: usize, one: &str, many: &str, find: impl Fn(&Tree) -> Vec<Node>) -> Vec<Node> {
        self.looking(count(wanted, one, many), |tree| {
            let found = find(tree);
            if found.len() == wanted {
                return Some(Ok(found));
            }
            tree.is_over().then(|| Err("nobody is left of the tree".to_owned()))
        })
    }

    /// A tree of which `holds` holds; `wanted` says in words what that is.
    #[track_caller]
    pub fn tree(self, wanted: &str, mut holds: impl FnMut(&Tree) -> bool) -> Tree {
        self.looking(wanted.to_owned(), |tree| holds(tree).then(|| Ok(tree.clone())))
    }

    /// The end of it and of all its descendants, orphans included.
    #[track_caller]
    pub fn nobody(self) {
        let is_over = |tree: &Tree| tree.is_over().then_some(Ok(()));
        self.looking("nobody is left of the tree".to_owned(), is_over)
    }

    /// Waits for what only a look at the tree can tell.
    #[track_caller]
    fn looking<T>(self, wanted: String, find: impl FnMut(&Tree) -> Option<Result<T, String>>) -> T {
        match self.process.shared.wait_looking(self.bound, find) {
            Some(Ok(found)) => self.met(found),
            Some(Err(seen)) => self.fail(Unmet { wanted, seen }),
            None => {
                let unmet = Unmet::late(wanted, self.bound);
                self.fail(unmet)
            }
        }
    }

    pub(super) fn met<T>(self, found: T) -> T {
        self.process.shared.lock().note(Event::Met { name: self.name });
        found
    }

    #[track_caller]
    pub(super) fn fail(&self, unmet: Unmet) -> ! {
        fail(&self.process.shared, &self.name, unmet)
    }
}

fn is_alive(tree: &Tree, id: ProcessId) -> bool {
    tree.living().any(|node| node.id == id)
}
