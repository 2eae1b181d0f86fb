//! Calling user code, and telling people.

use crate::linux;
use host_core::error::{Cause, ServiceError};
use host_core::id::ServiceId;
use host_core::notice::{Notice, Record};
use host_core::service::kick::Callback;
use host_core::sys::{Errno, Sys};
use host_core::time::{Duration, Instant, WallTime};
use std::sync::Mutex;

#[test]
fn user_code_that_returns_is_no_panic() {
    let sys = linux();
    let mut calls = 0;
    assert_eq!(sys.run_user(&mut || calls += 1), Ok(()));
    assert_eq!(calls, 1);
}

#[test]
fn a_panic_becomes_a_value_with_its_message() {
    /// A payload whose destructor panics as well.
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("the payload of a panic is never dropped");
        }
    }
    let sys = linux();
    let index = 7;
    let rows: [(&mut dyn FnMut(), &str); 4] = [
        (&mut || panic!("plain"), "plain"),
        (&mut || panic!("index {index} is out of range"), "index 7 is out of range"),
        (&mut || std::panic::panic_any(String::from("owned")), "owned"),
        (&mut || std::panic::panic_any(Bomb), "with a value that is not text"),
    ];
    for (code, message) in rows {
        assert_eq!(sys.run_user(code).unwrap_err().message, message);
    }
}

#[test]
fn declared_work_takes_no_time() {
    linux().work(Duration::from_secs(3600));
}

/// What was logged.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Keeper;

impl log::Log for Keeper {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}: {}", record.level(), record.target(), record.args());
        LINES.lock().unwrap().push(line);
    }

    fn flush(&self) {}
}

#[test]
fn notices_and_failures_reach_the_log_at_their_level() {
    let sys = linux();
    assert!(!sys.wants_dispatches(), "nobody listens");
    assert!(!sys.witnesses());
    log::set_logger(&Keeper).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    assert!(!sys.wants_dispatches(), "nobody listens to that");
    log::set_max_level(log::LevelFilter::Debug);
    assert!(sys.wants_dispatches());

    let ms = Duration::from_millis;
    let refused = Errno::CONNREFUSED;
    let failure = ServiceError {
        service: "web".into(),
        callback: Callback::Receive,
        cause: Cause::Returned(Errno::PIPE.into()),
    };
    let notices = [
        (Notice::Dispatch(Callback::Wake), None),
        (Notice::Started { services: 2 }, None),
        (
            Notice::ConnectFailed { attempt: 1, retry_after: ms(250) },
            Some(&refused as &dyn std::error::Error),
        ),
        (Notice::ServiceFailed { callback: Callback::Receive }, Some(&failure)),
    ];
    for (notice, error) in &notices {
        sys.tell(&Record {
            at: Instant::ZERO,
            wall: WallTime(0),
            subject: Some("web"),
            service: Some(ServiceId::new(0)),
            fleet: None,
            error: *error,
            text: None,
            notice,
        });
    }
    assert_eq!(
        *LINES.lock().unwrap(),
        [
            "DEBUG host: service `web`: wake",
            "INFO host: host started with 2 services",
            "WARN host: service `web`: connect failed (try 1): connection refused (ECONNREFUSED); again in 250 ms",
            "ERROR host: service `web` failed in receive: the connection has ended (EPIPE)",
        ]
    );
}
