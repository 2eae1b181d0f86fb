//! The `log` facade: a line, and what it is about as key-values.
//!
//! | key | value |
//! |---|---|
//! | `notice` | which kind it is: `Ready`, `Died`, `Listening` |
//! | `subject` | the service, listener or fleet that it is about, by name |
//! | `slot`, `incarnation` | of the worker that it is about |
//! | `pid` | of the process that it is about, where it tells one |
//! | `error` | the error behind it |
//!
//! A key is left out where there is nothing to say.

use host_core::notice::{Level, Notice, Record};
use log::kv::{Error, Key, Source, Value, VisitSource};
use std::fmt;

/// Under which name the facade is told.
pub(crate) const TARGET: &str = "host";

pub(crate) const fn level(record: &Record<'_>) -> log::Level {
    match record.notice.level() {
        Level::Debug => log::Level::Debug,
        Level::Info => log::Level::Info,
        Level::Warn => log::Level::Warn,
        Level::Error => log::Level::Error,
    }
}

pub(crate) fn tell(record: &Record<'_>) {
    let level = level(record);
    if level > log::max_level() {
        return;
    }
    let about = About { record, kind: Kind(record.notice) };
    let line = format_args!("{record}");
    log::logger()
        .log(&log::Record::builder().level(level).target(TARGET).args(line).key_values(&about).build());
}

struct About<'a> {
    record: &'a Record<'a>,
    kind: Kind<'a>,
}

impl Source for About<'_> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), Error> {
        let Self { record, kind } = self;
        visitor.visit_pair(Key::from_str("notice"), Value::from_display(kind))?;
        if let Some(subject) = record.subject {
            visitor.visit_pair(Key::from_str("subject"), Value::from(subject))?;
        }
        if let Some(worker) = record.notice.worker() {
            visitor.visit_pair(Key::from_str("slot"), Value::from(worker.slot.number()))?;
            visitor.visit_pair(Key::from_str("incarnation"), Value::from(worker.incarnation))?;
        }
        if let Some(pid) = record.notice.pid() {
            visitor.visit_pair(Key::from_str("pid"), Value::from(pid.0))?;
        }
        if let Some(error) = &record.error {
            visitor.visit_pair(Key::from_str("error"), Value::from_display(error))?;
        }
        Ok(())
    }
}

/// The name of the variant; of a fleet's notice, that of its own.
struct Kind<'a>(&'a Notice);

impl fmt::Display for Kind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all =
            if let Notice::Fleet(notice) = self.0 { format!("{notice:?}") } else { format!("{:?}", self.0) };
        f.write_str(all.split(|char: char| !char.is_ascii_alphanumeric()).next().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_core::fleet::notice::FleetNotice;
    use host_core::id::{FleetId, Slot, WorkerId};
    use host_core::sys::{Errno, Pid};
    use host_core::time::{Duration, Instant, WallTime};

    struct All(Vec<String>);

    impl<'kvs> VisitSource<'kvs> for All {
        fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
            self.0.push(format!("{key}={value}"));
            Ok(())
        }
    }

    fn told(subject: Option<&str>, notice: &Notice) -> String {
        let error: Option<&dyn std::error::Error> = subject.is_none().then_some(&Errno::PIPE);
        let (at, wall) = (Instant::ZERO, WallTime(0));
        let record = Record { at, wall, subject, service: None, fleet: None, error, text: None, notice };
        let mut all = All(Vec::new());
        About { record: &record, kind: Kind(notice) }.visit(&mut all).unwrap();
        all.0.join(" ")
    }

    #[test]
    fn what_a_notice_is_about_is_told_by_key() {
        let worker = WorkerId { fleet: FleetId::new(0), slot: Slot::new(3), incarnation: 2 };
        let rows = [
            (Some("web"), Notice::Added, "notice=Added subject=web"),
            (
                Some("web"),
                Notice::Fleet(FleetNotice::Spawned { worker, pid: Pid(7) }),
                "notice=Spawned subject=web slot=3 incarnation=2 pid=7",
            ),
            (
                Some("web"),
                Notice::Fleet(FleetNotice::Ready { worker, after: Duration::ZERO }),
                "notice=Ready subject=web slot=3 incarnation=2",
            ),
            (
                None,
                Notice::StrangerReaped { pid: Pid(9) },
                "notice=StrangerReaped pid=9 error=the connection has ended (EPIPE)",
            ),
        ];
        for (subject, notice, expected) in rows {
            assert_eq!(told(subject, &notice), expected);
        }
    }
}
