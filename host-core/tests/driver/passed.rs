//! Sockets that a host was started with, in the place of addresses.

use crate::fake::*;
use host_core::app::App;
use host_core::driver::{Until, run};
use host_core::error::RunError;
use host_core::sys::{Errno, Handle, Passed, Place, UnixPath};

fn socket(number: u32, name: &str, place: Result<Place, Errno>) -> Passed {
    let listener = place.map(|place| (Handle::from_raw(900 + u64::from(number)), place));
    Passed { number, name: name.into(), listener }
}

fn path() -> Place {
    Place::Unix(UnixPath::new("/run/x.sock").expect("a path"))
}

#[test]
fn one_that_was_passed_is_told_used_and_closed_and_the_other_is_bound() {
    let sys = Fake::new();
    sys.passed.replace(vec![socket(3, "jobs", Ok(path()))]);
    let app = App::new("test").seed(1).listen("web", "127.0.0.1:80").listen("jobs", "127.0.0.1:81");
    run(app, sys.clone(), Until::Turns(1)).unwrap();
    assert_eq!(
        sys.lines(&["listen", "tell listener", "close"]),
        [
            "listen h1 1024",
            "tell listener `web` is bound to 10.0.0.1:7",
            "tell listener `jobs` is bound to unix:/run/x.sock",
            "close h1",
            "close h903",
        ]
    );
}

#[test]
fn what_is_left_over_is_a_mistake_and_nothing_stays_open() {
    let sys = Fake::new();
    sys.passed.replace(vec![
        socket(3, "web", Ok(path())),
        socket(4, "x", Ok(path())),
        socket(5, "jobs", Err(Errno::NOTSOCK)),
    ]);
    let app = App::new("test").seed(1).listen("web", "127.0.0.1:80").listen("jobs", "127.0.0.1:81");
    let Err(RunError::Config(error)) = run(app, sys.clone(), Until::Turns(1)) else { panic!("it runs") };
    assert_eq!(error.mistakes.len(), 2, "{error}");
    let mut closed = sys.lines(&["close h90"]);
    closed.sort();
    assert_eq!(closed, ["close h903", "close h904"]);
}
