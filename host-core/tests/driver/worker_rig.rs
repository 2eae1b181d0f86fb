//! A worker inside the fork, on a system of its own.

use crate::fake::*;
use host_core::app::App;
use host_core::driver::{Until, run};
use host_core::fleet::config::Restart;
use host_core::sys::ExitStatus;
use host_core::time::Duration;
use host_core::{Fleet, Result, Worker};
use std::rc::Rc;

pub(crate) const MS: Duration = Duration::from_millis(1);
/// The child's handles: what it has from its host, and what it opens itself.
pub(crate) const LISTENER: u64 = 2;
pub(crate) const CHANNEL: u64 = 5;
pub(crate) const QUIT: u64 = 100;

/// Runs a host of one worker with these settings; what the host recorded.
pub(crate) fn host(fleet: impl FnOnce(Fleet) -> Fleet, sys: &Rc<Fake>) {
    sys.report([Report::Ready(vec![6])]);
    sys.ends([Ok(Some(ExitStatus::Code(0)))]);
    let plain = Fleet::new("f").workers(1).restart(Restart::Never);
    let app = App::new("test")
        .seed(1)
        .listen("web", "127.0.0.1:80")
        .listen("jobs", "127.0.0.1:81")
        .fleet(fleet(plain));
    run(app, sys.clone(), Until::Stopped).expect("one worker has done its work");
}

/// Runs a body in a worker whose system was prepared by `script`; the child's record.
pub(crate) fn work(
    settings: impl FnOnce(Fleet) -> Fleet,
    script: impl FnOnce(&Fake),
    body: impl Fn(&mut Worker) -> Result + 'static,
) -> Vec<String> {
    let sys = Fake::new();
    let child = sys.bears(QUIT);
    script(&child);
    host(|fleet| settings(fleet).run(body), &sys);
    let mut record = child.record();
    record.extend(sys.lines(&["body"]));
    record
}

/// As [`work`], of the record only the lines that begin with one of `words`.
pub(crate) fn lines(record: &[String], words: &[&str]) -> Vec<String> {
    record.iter().filter(|line| words.iter().any(|word| line.starts_with(word))).cloned().collect()
}

pub(crate) fn plain(fleet: Fleet) -> Fleet {
    fleet
}
