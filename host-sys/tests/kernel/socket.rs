//! Handles and TCP sockets over loopback.

use crate::{connection, connection_to, in_a_while, linux, listener, loopback, until_readable};
use host_core::sys::{Errno, Handle, Interest, Processes, ShutdownHow, Sys};
use host_core::time::Duration;
use rustix::net::{AddressFamily, SocketType};
use std::net::SocketAddr;

const EAFNOSUPPORT: Errno = Errno::from_raw(97);

#[test]
fn bytes_go_both_ways_and_the_end_is_read_as_zero() {
    let sys = linux();
    let (client, server) = connection(&sys);
    let mut buffer = [0; 16];
    assert_eq!(sys.read(server, &mut buffer), Err(Errno::AGAIN));
    for (from, to, bytes) in [(client, server, b"ping"), (server, client, b"pong")] {
        assert_eq!(sys.write(from, bytes), Ok(4));
        until_readable(&sys, to);
        assert_eq!(sys.read(to, &mut buffer), Ok(4));
        assert_eq!(&buffer[..4], bytes);
    }
    sys.close(client);
    until_readable(&sys, server);
    assert_eq!(sys.read(server, &mut buffer), Ok(0));
}

#[test]
fn a_closed_handle_is_bad_and_never_names_a_younger_socket() {
    let sys = linux();
    let (stale, _) = listener(&sys);
    sys.poll_add(stale, 1, Interest::READ).unwrap();
    sys.close(stale);
    let (younger, address) = listener(&sys);
    sys.close(stale);
    assert_eq!(sys.local_address(younger), Ok(address), "closing twice does nothing");
    let mut buffer = [0; 1];
    assert_eq!(sys.read(stale, &mut buffer), Err(Errno::BADF));
    assert_eq!(sys.write(stale, b"x"), Err(Errno::BADF));
    assert_eq!(sys.accept(stale), Err(Errno::BADF));
    assert_eq!(sys.shutdown(stale, ShutdownHow::Both), Err(Errno::BADF));
    assert_eq!(sys.take_error(stale), Err(Errno::BADF));
    assert_eq!(sys.set_nodelay(stale, true), Err(Errno::BADF));
    assert_eq!(sys.local_address(stale), Err(Errno::BADF));
    assert_eq!(sys.peer_address(stale), Err(Errno::BADF));
    assert_eq!(sys.poll_add(stale, 1, Interest::READ), Err(Errno::BADF));
    assert_eq!(sys.poll_modify(stale, 1, Interest::READ), Err(Errno::BADF));
    assert_eq!(sys.poll_delete(stale), Err(Errno::BADF));
    assert_eq!(sys.wait(stale, Interest::READ, in_a_while(&sys)), Err(Errno::BADF));
    assert_eq!(sys.signal_read(stale), Err(Errno::BADF));
    assert_eq!(sys.read(Handle::from_raw(u64::MAX), &mut buffer), Err(Errno::BADF), "never given out");
}

#[test]
fn an_address_that_is_listened_on_is_in_use_until_its_listener_closes() {
    let sys = linux();
    for any in ["127.0.0.1:0", "[::1]:0"] {
        let first = match sys.listen(any.parse().unwrap(), 16) {
            Ok(first) => first,
            // A machine without IPv6.
            Err(Errno::ADDRNOTAVAIL | EAFNOSUPPORT) => continue,
            Err(errno) => panic!("{any}: {errno}"),
        };
        let address = sys.local_address(first).unwrap();
        assert_ne!(address.port(), 0, "the port that the kernel chose");
        assert_eq!(sys.listen(address, 16), Err(Errno::ADDRINUSE));
        // A connection that was closed from this side lingers, and must not keep a new host from its port.
        let (client, server) = connection_to(&sys, first, address);
        assert_eq!(sys.peer_address(client), Ok(address));
        sys.close(server);
        until_readable(&sys, client);
        sys.close(client);
        sys.close(first);
        let again = sys.listen(address, u32::MAX).unwrap();
        assert_eq!(sys.local_address(again), Ok(address));
    }
}

#[test]
fn an_empty_queue_has_no_connection() {
    let sys = linux();
    let (listener, _) = listener(&sys);
    assert_eq!(sys.accept(listener), Err(Errno::AGAIN));
}

#[test]
fn a_refused_connection_becomes_writable_and_tells_its_error_once() {
    let sys = linux();
    // Bound and not listening: nobody else can take the port, and nobody answers there.
    let closed = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&closed, &loopback()).unwrap();
    let address: SocketAddr = rustix::net::getsockname(&closed).unwrap().try_into().unwrap();

    let client = sys.connect(address).unwrap();
    let readiness = sys.wait(client, Interest::WRITE, in_a_while(&sys)).unwrap();
    assert!(readiness.writable && readiness.ended, "{readiness:?}");
    assert_eq!(sys.take_error(client), Ok(Some(Errno::CONNREFUSED)));
    assert_eq!(sys.take_error(client), Ok(None));
    assert_eq!(sys.peer_address(client), Err(Errno::NOTCONN));
    assert_eq!(sys.shutdown(client, ShutdownHow::Write), Err(Errno::NOTCONN));
}

#[test]
fn a_connection_that_stands_has_no_error() {
    let sys = linux();
    let (client, _server) = connection(&sys);
    let readiness = sys.wait(client, Interest::WRITE, in_a_while(&sys)).unwrap();
    assert_eq!(readiness, crate::WRITABLE);
    assert_eq!(sys.take_error(client), Ok(None));
}

#[test]
fn a_connect_that_cannot_begin_fails_at_once_and_leaves_nothing_open() {
    let sys = linux();
    // TCP knows no multicast, with or without a network.
    let error = sys.connect("224.0.0.1:9".parse().unwrap()).unwrap_err();
    assert!(error == Errno::NETUNREACH || error == Errno::ACCES, "{error}");
    let (handle, _) = listener(&sys);
    assert_eq!(handle.raw(), 0, "nobody sits in the first seat");
}

#[test]
fn closing_with_unread_bytes_resets_the_peer_which_then_writes_into_a_broken_pipe() {
    let sys = linux();
    let (client, server) = connection(&sys);
    assert_eq!(sys.write(client, b"unread"), Ok(6));
    until_readable(&sys, server);
    sys.close(server);
    let readiness = sys.wait(client, Interest::READ, in_a_while(&sys)).unwrap();
    assert!(readiness.readable && readiness.ended, "{readiness:?}");
    assert_eq!(sys.read(client, &mut [0; 1]), Err(Errno::CONNRESET));
    assert_eq!(sys.read(client, &mut [0; 1]), Ok(0));
    assert_eq!(sys.write(client, b"x"), Err(Errno::PIPE));
}

#[test]
fn a_shutdown_ends_the_direction_that_it_names() {
    let sys = linux();
    let (client, server) = connection(&sys);
    sys.shutdown(client, ShutdownHow::Write).unwrap();
    assert_eq!(sys.write(client, b"x"), Err(Errno::PIPE));
    until_readable(&sys, server);
    assert_eq!(sys.read(server, &mut [0; 1]), Ok(0));
    assert_eq!(sys.write(server, b"x"), Ok(1));
    until_readable(&sys, client);
    assert_eq!(sys.read(client, &mut [0; 1]), Ok(1));

    sys.shutdown(server, ShutdownHow::Read).unwrap();
    assert_eq!(sys.read(server, &mut [0; 1]), Ok(0));
    sys.shutdown(server, ShutdownHow::Both).unwrap();
    until_readable(&sys, client);
    assert_eq!(sys.read(client, &mut [0; 1]), Ok(0));
}

#[test]
fn a_peer_that_does_not_read_leaves_no_room_until_it_does() {
    let sys = linux();
    let (client, server) = connection(&sys);
    let chunk = [7; 65536];
    let mut sent = 0;
    loop {
        match sys.write(client, &chunk) {
            Ok(length) => sent += length,
            Err(errno) => {
                assert_eq!(errno, Errno::AGAIN);
                // The bytes on their way may make a little room yet; then it is full for good.
                let soon = Some(sys.now() + Duration::from_millis(50));
                if sys.wait(client, Interest::WRITE, soon) == Err(Errno::TIMEDOUT) {
                    break;
                }
            }
        }
    }
    let mut received = 0;
    let mut buffer = [0; 65536];
    while received < sent {
        until_readable(&sys, server);
        received += sys.read(server, &mut buffer).unwrap();
    }
    assert_eq!(received, sent);
    assert!(sys.wait(client, Interest::WRITE, in_a_while(&sys)).unwrap().writable);
}

#[test]
fn nodelay_can_be_set_and_taken_back() {
    let sys = linux();
    let (client, _server) = connection(&sys);
    sys.set_nodelay(client, true).unwrap();
    sys.set_nodelay(client, false).unwrap();
}

#[test]
fn a_channel_keeps_the_bounds_of_messages_and_tells_its_end() {
    let sys = linux();
    let (one, other) = sys.channel().unwrap();
    let mut buffer = [0; 16];
    assert_eq!(sys.read(one, &mut buffer), Err(Errno::AGAIN));
    for (from, to) in [(one, other), (other, one)] {
        assert_eq!(sys.write(from, b"first"), Ok(5));
        assert_eq!(sys.write(from, b"second"), Ok(6));
        assert_eq!(sys.read(to, &mut buffer), Ok(5));
        assert_eq!(sys.read(to, &mut buffer), Ok(6));
        assert_eq!(&buffer[..6], b"second");
        assert_eq!(sys.read(to, &mut buffer), Err(Errno::AGAIN));
    }
    while sys.write(one, &[7; 16]).is_ok() {}
    assert_eq!(sys.write(one, &[7; 16]), Err(Errno::AGAIN), "there is no room");
    sys.close(one);
    while let Ok(16) = sys.read(other, &mut buffer) {}
    // Another test may have forked meanwhile, and its child holds a copy until it execs.
    until_readable(&sys, other);
    assert_eq!(sys.read(other, &mut buffer), Ok(0), "what was sent before is read, then the end");
    assert_eq!(sys.write(other, b"x"), Err(Errno::PIPE));
}

#[test]
fn random_numbers_differ() {
    let sys = linux();
    assert_ne!(sys.random(), sys.random());
}
