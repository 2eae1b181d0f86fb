//! Errors: the notifier once, then the same error out of `run`.

use crate::services::{Calls, Pair, Scripted, When, app};
use crate::worlds::{World, in_both_worlds};
use host_core::error::{Cause, ServiceError};
use host_core::service::kick::Callback;
use host_core::{Connected, Hosted, Result, RunError};
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// An error that can be told from every other.
#[derive(Debug, PartialEq, Eq)]
struct Mine(u32);

impl fmt::Display for Mine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "my error number {}", self.0)
    }
}

impl std::error::Error for Mine {}

/// Runs two services of which the second does `script`; what the notifier was told, all calls, and how
/// it ended.
fn run(
    world: World,
    script: impl Fn(&mut Pair<'_>, When, usize) -> Result<Connected> + Clone + 'static,
) -> (Vec<String>, Vec<String>, RunError) {
    let told: Rc<RefCell<Vec<String>>> = Rc::default();
    let calls = Calls::default();
    let (notified, noted) = (Rc::clone(&told), Rc::clone(&calls));
    let idle = |pair: &mut Pair<'_>, when, _| {
        if when == When::Connect { pair.open() } else { Ok(Connected::Yes) }
    };
    let ended = world.run_turns(3, move || {
        let notified = Rc::clone(&notified);
        app(&["first", "failing"])
            .service(Hosted::new("first", Scripted::new("first", &noted, idle)))
            .service(Hosted::new("failing", Scripted::new("failing", &noted, script.clone())))
            .notifier(move |failure: &ServiceError| notified.borrow_mut().push(failure.to_string()))
    });
    (told.take(), calls.take(), ended.expect_err("the failure comes out of run"))
}

fn service_error(error: RunError) -> ServiceError {
    let RunError::Service(failure) = error else { panic!("not a service's error: {error}") };
    failure
}

#[test]
fn ph_c2_ph_c4_a_connect_that_fails_is_notified_once_and_ends_run_with_the_same_error() {
    in_both_worlds(|world| {
        let (told, calls, ended) = run(world, |_, _, _| Err(Mine(2).into()));
        assert_eq!(told, ["service `failing` failed in connect: my error number 2"]);
        let failure = service_error(ended);
        assert_eq!(failure.downcast_ref(), Some(&Mine(2)));
        assert_eq!((failure.service.as_str(), failure.callback), ("failing", Callback::Connect));
        assert_eq!(calls, ["first connect", "first prepare", "failing connect"], "nothing is called after");
    });
}

#[test]
fn ph_c3_a_receive_that_fails_is_notified_once_and_ends_run_with_the_same_error() {
    in_both_worlds(|world| {
        let (told, _, ended) = run(world, |pair, when, _| match when {
            When::Connect => {
                pair.open()?;
                pair.fill(b"x");
                Ok(Connected::Yes)
            }
            When::Receive => Err(Mine(3).into()),
            When::Prepare | When::Stop => Ok(Connected::Yes),
        });
        assert_eq!(told, ["service `failing` failed in receive: my error number 3"]);
        assert_eq!(service_error(ended).downcast_ref(), Some(&Mine(3)));
    });
}

#[test]
fn an_error_in_prepare_takes_the_same_path() {
    in_both_worlds(|world| {
        let (told, _, ended) = run(world, |pair, when, _| match when {
            When::Connect => pair.open(),
            When::Prepare | When::Receive | When::Stop => Err(Mine(5).into()),
        });
        assert_eq!(told, ["service `failing` failed in prepare: my error number 5"]);
        assert_eq!(service_error(ended).downcast_ref(), Some(&Mine(5)));
    });
}

#[test]
fn a_panic_takes_the_same_path_as_an_error_that_says_so() {
    in_both_worlds(|world| {
        let (told, _, ended) = run(world, |pair, when, _| match when {
            When::Connect => pair.open(),
            When::Prepare | When::Receive | When::Stop => panic!("on purpose"),
        });
        assert_eq!(told, ["service `failing` failed in prepare: panicked: on purpose"]);
        assert!(matches!(service_error(ended).cause, Cause::Panicked(_)));
    });
}

#[test]
fn ph_c4_a_notifier_that_fails_itself_hides_nothing() {
    in_both_worlds(|world| {
        let ended = world.run_turns(3, || {
            let failing = |_: &mut Pair<'_>, _, _| Err(Mine(4).into());
            app(&[])
                .service(Hosted::new("failing", Scripted::new("failing", &Calls::default(), failing)))
                .notifier(|_| panic!("the notifier itself"))
        });
        assert_eq!(service_error(ended.expect_err("the failure")).downcast_ref(), Some(&Mine(4)));
    });
}

#[test]
fn every_mistake_of_a_description_is_listed_and_nothing_stays_open() {
    in_both_worlds(|world| {
        let ended = world.run_turns(1, || {
            app(&["fine"]).listen("elsewhere", "192.0.2.1:1").listen("unreadable", "nowhere").burst(0)
        });
        let ended = ended.expect_err("it cannot start");
        let RunError::Config(error) = ended else { panic!("not a mistake in the description: {ended}") };
        let fields: Vec<_> = error.mistakes.iter().map(|mistake| mistake.field.as_str()).collect();
        assert_eq!(fields, ["burst", "listen `unreadable`", "listen `elsewhere`"], "{error}");
        assert!(error.to_string().contains("192.0.2.1:1, but cannot be bound: "), "{error}");
    });
}
