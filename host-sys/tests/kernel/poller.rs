//! What is reported, when, and when not.

use crate::{
    PATIENCE, READABLE, WRITABLE, connection, connection_to, in_a_while, linux, listener, until_readable,
};
use host_core::sys::{Errno, Handle, Interest, PollEvent, Readiness, ShutdownHow, Sys};
use host_core::time::{Duration, Instant};
use host_sys::Linux;

const ALL: Readiness = Readiness { readable: true, writable: true, ended: true };
const BOTH: Interest = Interest { readable: true, writable: true };

/// One wait that finds something.
fn wait(sys: &Linux) -> Vec<PollEvent> {
    let mut events = Vec::new();
    sys.poll_wait(&mut events, in_a_while(sys)).unwrap();
    assert!(!events.is_empty(), "nothing in {PATIENCE:?}");
    events
}

/// One look without waiting.
fn look(sys: &Linux) -> Vec<PollEvent> {
    // What was there before must be gone.
    let mut events = vec![PollEvent { key: 99, readiness: READABLE }];
    sys.poll_wait(&mut events, Some(Instant::ZERO)).unwrap();
    events
}

/// One end of a connection that the other end reset.
fn reset_connection(sys: &Linux) -> Handle {
    let (client, server) = connection(sys);
    sys.write(server, b"unread by its peer").unwrap();
    until_readable(sys, client);
    sys.close(client);
    until_readable(sys, server);
    server
}

#[test]
fn what_is_ready_is_reported_again_until_it_is_not() {
    let sys = linux();
    let (client, server) = connection(&sys);
    sys.poll_add(server, 5, Interest::READ).unwrap();
    assert_eq!(look(&sys), []);
    sys.write(client, b"ab").unwrap();
    let report = [PollEvent { key: 5, readiness: READABLE }];
    assert_eq!(wait(&sys), report);
    assert_eq!(wait(&sys), report);
    sys.read(server, &mut [0; 1]).unwrap();
    assert_eq!(look(&sys), report, "half is left");
    sys.read(server, &mut [0; 1]).unwrap();
    assert_eq!(look(&sys), []);
}

#[test]
fn only_what_was_asked_for_is_reported_and_under_the_latest_key() {
    let sys = linux();
    let (client, server) = connection(&sys);
    sys.write(client, b"x").unwrap();
    until_readable(&sys, server);
    sys.poll_add(server, u64::MAX, Interest::READ).unwrap();
    let event = |key, readiness| [PollEvent { key, readiness }];
    let both = Readiness { writable: true, ..READABLE };
    assert_eq!(look(&sys), event(u64::MAX, READABLE));
    for (key, interest, readiness) in
        [(1, Interest::WRITE, WRITABLE), (2, BOTH, both), (3, BOTH, both), (4, Interest::READ, READABLE)]
    {
        sys.poll_modify(server, key, interest).unwrap();
        assert_eq!(look(&sys), event(key, readiness));
    }
}

#[test]
fn a_handle_without_interest_stays_registered_and_is_left_alone_even_if_it_ends() {
    let sys = linux();
    let server = reset_connection(&sys);
    sys.poll_add(server, 1, Interest::NONE).unwrap();
    assert_eq!(look(&sys), [], "a reset, which epoll(7) reports unasked");
    sys.close(server);

    let (client, server) = connection(&sys);
    sys.write(server, b"unread by its peer").unwrap();
    until_readable(&sys, client);
    sys.poll_add(server, 2, BOTH).unwrap();
    assert_eq!(look(&sys).len(), 1);
    sys.poll_modify(server, 2, Interest::NONE).unwrap();
    sys.close(client);
    until_readable(&sys, server);
    assert_eq!(look(&sys), [], "a reset, which epoll(7) reports unasked");
    assert_eq!(sys.wait(server, Interest::NONE, Some(sys.now())), Err(Errno::TIMEDOUT));
    assert_eq!(sys.poll_add(server, 3, Interest::READ), Err(Errno::EXIST));
    sys.poll_modify(server, 2, Interest::NONE).unwrap();
    sys.poll_modify(server, 3, Interest::READ).unwrap();
    assert_eq!(look(&sys), [PollEvent { key: 3, readiness: ALL }]);
    sys.poll_modify(server, 3, Interest::NONE).unwrap();
    sys.poll_delete(server).unwrap();
    assert_eq!(sys.poll_modify(server, 3, Interest::READ), Err(Errno::NOENT));
}

#[test]
fn what_is_shared_is_reported_and_changed_like_any_other() {
    let sys = linux();
    let (listener, address) = listener(&sys);
    sys.poll_add_shared(listener, 1).unwrap();
    assert_eq!(sys.poll_add_shared(listener, 2), Err(Errno::EXIST));
    assert_eq!(sys.poll_add(listener, 2, Interest::READ), Err(Errno::EXIST));
    assert_eq!(look(&sys), []);
    let client = sys.connect(address).unwrap();
    let event = |key, readiness| [PollEvent { key, readiness }];
    assert_eq!(wait(&sys), event(1, READABLE));
    assert_eq!(wait(&sys), event(1, READABLE), "again, until it is accepted");
    for (key, interest) in [(2, Interest::READ), (3, BOTH), (4, Interest::READ)] {
        sys.poll_modify(listener, key, interest).unwrap();
        assert_eq!(look(&sys), event(key, READABLE));
    }
    for interest in [Interest::WRITE, Interest::NONE] {
        sys.poll_modify(listener, 5, interest).unwrap();
        assert_eq!(look(&sys), [], "{interest:?}");
    }
    sys.poll_modify(listener, 6, Interest::READ).unwrap();
    assert_eq!(look(&sys), event(6, READABLE));
    sys.poll_delete(listener).unwrap();
    assert_eq!(look(&sys), []);
    assert_eq!(sys.poll_delete(listener), Err(Errno::NOENT));
    sys.close(client);

    let (other, address) = crate::listener(&sys);
    sys.poll_add_shared(other, 7).unwrap();
    sys.close(other);
    assert_eq!(sys.poll_add_shared(other, 7), Err(Errno::BADF));
    let client = sys.connect(address).unwrap();
    assert_eq!(look(&sys), [], "a closed one is taken out");
    sys.close(client);
}

#[test]
fn a_handle_is_registered_once_and_changed_or_taken_out_only_if_it_is() {
    let sys = linux();
    let (listener, address) = listener(&sys);
    assert_eq!(sys.poll_modify(listener, 1, Interest::READ), Err(Errno::NOENT));
    assert_eq!(sys.poll_delete(listener), Err(Errno::NOENT));
    sys.poll_add(listener, 1, Interest::READ).unwrap();
    assert_eq!(sys.poll_add(listener, 2, Interest::READ), Err(Errno::EXIST));
    let client = sys.connect(address).unwrap();
    assert_eq!(wait(&sys), [PollEvent { key: 1, readiness: READABLE }]);
    sys.poll_delete(listener).unwrap();
    assert_eq!(look(&sys), []);
    assert_eq!(sys.poll_delete(listener), Err(Errno::NOENT));
    sys.poll_add(listener, 3, Interest::READ).unwrap();
    assert_eq!(look(&sys), [PollEvent { key: 3, readiness: READABLE }]);
    sys.close(client);
}

#[test]
fn a_peer_that_has_finished_sending_is_reported_as_ended_to_who_reads() {
    let sys = linux();
    let (client, server) = connection(&sys);
    sys.poll_add(server, 1, Interest::READ).unwrap();
    sys.shutdown(client, ShutdownHow::Write).unwrap();
    let ended = Readiness { ended: true, ..READABLE };
    assert_eq!(wait(&sys), [PollEvent { key: 1, readiness: ended }]);
    assert_eq!(sys.wait(server, Interest::READ, in_a_while(&sys)), Ok(ended));
    // Writing is possible as before, and says nothing of the end.
    sys.poll_modify(server, 1, Interest::WRITE).unwrap();
    assert_eq!(look(&sys), [PollEvent { key: 1, readiness: WRITABLE }]);
    assert_eq!(sys.wait(server, Interest::WRITE, in_a_while(&sys)), Ok(WRITABLE));
}

#[test]
fn a_connection_that_failed_is_reported_as_ready_for_all_whatever_was_asked_for() {
    let sys = linux();
    for interest in [Interest::READ, Interest::WRITE, BOTH] {
        let server = reset_connection(&sys);
        sys.poll_add(server, 1, interest).unwrap();
        assert_eq!(look(&sys), [PollEvent { key: 1, readiness: ALL }], "{interest:?}");
        assert_eq!(sys.wait(server, interest, in_a_while(&sys)), Ok(ALL), "{interest:?}");
        sys.close(server);
    }
}

#[test]
fn a_deadline_is_never_early_and_not_much_late() {
    let sys = linux();
    let (listener, _) = listener(&sys);
    sys.poll_add(listener, 1, Interest::READ).unwrap();
    let mut events = Vec::new();
    // Odd nanoseconds: a clock that is rounded anywhere shows.
    for nanos in [1, 999, 20_011, 300_007, 1_000_001, 5_999_999] {
        let begin = sys.now();
        let deadline = begin + Duration::from_nanos(nanos);
        sys.poll_wait(&mut events, Some(deadline)).unwrap();
        let end = sys.now();
        assert_eq!(events, []);
        assert!(end >= deadline, "{:?} early", deadline.since(end));
        assert!(end.since(begin) < PATIENCE);

        let deadline = sys.now() + Duration::from_nanos(nanos);
        assert_eq!(sys.wait(listener, Interest::READ, Some(deadline)), Err(Errno::TIMEDOUT));
        assert!(sys.now() >= deadline);
    }
}

#[test]
fn a_deadline_is_kept_to_a_fraction_of_a_millisecond() {
    let sys = linux();
    let mut events = Vec::new();
    // The best of many: a busy machine may delay any one of them.
    let best = (0..200).map(|_| {
        let deadline = sys.now() + Duration::from_micros(100);
        sys.poll_wait(&mut events, Some(deadline)).unwrap();
        sys.now().since(deadline)
    });
    let best = best.min().unwrap();
    assert!(best < Duration::from_micros(700), "{best:?} late at best: rounded to milliseconds?");
}

#[test]
fn a_deadline_that_has_passed_is_a_look() {
    let sys = linux();
    let (listener, address) = listener(&sys);
    assert_eq!(look(&sys), []);
    assert_eq!(sys.wait(listener, Interest::READ, Some(sys.now())), Err(Errno::TIMEDOUT));
    sys.poll_add(listener, 1, Interest::READ).unwrap();
    let _client = sys.connect(address).unwrap();
    until_readable(&sys, listener);
    assert_eq!(look(&sys).len(), 1);
    assert_eq!(sys.wait(listener, Interest::READ, Some(Instant::ZERO)), Ok(READABLE));
}

#[test]
fn without_a_deadline_it_waits_for_what_comes() {
    let sys = linux();
    let (listener, address) = listener(&sys);
    sys.poll_add(listener, 1, Interest::READ).unwrap();
    let _client = sys.connect(address).unwrap();
    let mut events = Vec::new();
    sys.poll_wait(&mut events, None).unwrap();
    assert_eq!(events, [PollEvent { key: 1, readiness: READABLE }]);
    assert_eq!(sys.wait(listener, Interest::READ, None), Ok(READABLE));
}

#[test]
fn a_closed_handle_is_reported_no_longer_even_if_its_owner_forgot_to_take_it_out() {
    let sys = linux();
    let (client, server) = connection(&sys);
    sys.write(client, b"x").unwrap();
    sys.poll_add(server, 1, Interest::READ).unwrap();
    assert_eq!(wait(&sys).len(), 1);
    sys.close(server);
    assert_eq!(look(&sys), []);
}

#[test]
fn more_than_one_wait_can_report_comes_with_the_next() {
    let sys = linux();
    let (listener, address) = listener(&sys);
    // Both ends of each are writable.
    let pairs: Vec<_> = (0..150).map(|_| connection_to(&sys, listener, address)).collect();
    for (index, (client, server)) in pairs.iter().enumerate() {
        sys.poll_add(*client, 2 * index as u64, Interest::WRITE).unwrap();
        sys.poll_add(*server, 2 * index as u64 + 1, Interest::WRITE).unwrap();
    }
    // The kernel puts what it has reported behind what it has not: two waits see all.
    let mut keys: Vec<_> = wait(&sys).into_iter().chain(wait(&sys)).map(|event| event.key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys, (0..300).collect::<Vec<_>>());
}
