//! What a connection carries, and how it ends.

use crate::arms::Case;
use crate::world::{BOUND, QUIET, World};
use host_core::sys::{Errno, Handle, Interest, ShutdownHow};

pub(crate) const CASES: &[Case] = cases![
    of_nothing_not_even_nothing_is_read,
    what_both_sides_have_finished_is_no_connection,
    bytes_for_one_who_has_ended_both_directions_reset_the_connection,
    no_bytes_for_one_who_has_ended_both_directions_reset_nothing,
    an_end_of_both_directions_is_no_end_of_the_connection_until_the_peer_finishes,
    k14_a_close_with_everything_read_is_an_end_and_with_something_unread_a_reset,
    an_empty_queue_and_an_empty_stream_say_try_again,
    bytes_come_in_order_and_a_short_buffer_takes_a_part,
    a_peer_that_does_not_read_fills_the_stream_and_reading_makes_room,
    a_half_close_ends_one_direction_and_leaves_the_other,
    writing_to_a_peer_that_closed_brings_a_reset_and_then_a_broken_pipe,
    a_closed_handle_is_bad_and_never_names_the_next_one,
    what_is_no_connection_cannot_be_read_or_accepted_from,
    k14_what_was_sent_before_a_reset_is_read_before_it,
    k14_whoever_has_ended_is_read_as_an_end_after_a_reset_too_and_writing_is_broken,
    k14_a_reset_that_comes_with_unread_bytes_and_their_end_leaves_both_to_be_read,
    k14_what_both_sides_have_finished_is_not_reset_by_a_close_with_something_unread,
    k14_a_half_closed_connection_whose_last_words_are_not_read_is_reset,
    a_reset_is_told_once_to_whoever_asks_first,
    two_half_closes_end_a_connection,
    a_second_half_close_changes_nothing,
    an_end_of_reading_is_ones_own_and_what_comes_later_is_still_read,
    an_end_of_both_directions_is_an_end_for_the_peer_too,
    nothing_is_read_into_no_room_and_nothing_written_of_nothing,
];

fn k14_a_close_with_everything_read_is_an_end_and_with_something_unread_a_reset(world: &World) {
    let (client, server) = world.pair();
    assert_eq!(world.sys.write(client, b"read"), Ok(4));
    assert_eq!(world.read(server).as_deref(), Ok(&b"read"[..]));
    world.sys.close(server);
    assert_eq!(world.read(client).as_deref(), Ok(&b""[..]));

    let (client, server) = world.pair();
    assert_eq!(world.sys.write(client, b"unread"), Ok(6));
    world.ready(server, Interest::READ);
    world.sys.close(server);
    assert_eq!(world.read(client), Err(Errno::CONNRESET));
    assert_eq!(world.read(client).as_deref(), Ok(&b""[..]), "the error is told once");
}

fn an_empty_queue_and_an_empty_stream_say_try_again(world: &World) {
    let (listener, _) = world.listen(1);
    assert_eq!(world.sys.accept(listener), Err(Errno::AGAIN));
    let (client, _server) = world.pair();
    assert_eq!(world.sys.read(client, &mut [0; 8]), Err(Errno::AGAIN));
    world.quiet_for(client, Interest::READ);
    assert!(world.ready(client, Interest::WRITE).writable);
}

fn bytes_come_in_order_and_a_short_buffer_takes_a_part(world: &World) {
    let (client, server) = world.pair();
    assert_eq!(world.sys.write(client, b"abc"), Ok(3));
    assert_eq!(world.sys.write(client, b"def"), Ok(3));
    let mut got = Vec::new();
    while got.len() < 6 {
        world.ready(server, Interest::READ);
        let mut two = [0; 2];
        let count = world.sys.read(server, &mut two).expect("bytes");
        got.extend_from_slice(&two[..count]);
    }
    assert_eq!(got, b"abcdef");
    assert_eq!(world.sys.read(server, &mut [0; 1]), Err(Errno::AGAIN));
}

fn a_peer_that_does_not_read_fills_the_stream_and_reading_makes_room(world: &World) {
    let (client, server) = world.pair();
    let chunk = [7; 4096];
    let mut sent = 0;
    let full = loop {
        match world.sys.write(client, &chunk) {
            Ok(count) => sent += count,
            Err(errno) => {
                // What is on its way may still make room by arriving.
                match world.sys.wait(client, Interest::WRITE, world.deadline(QUIET)) {
                    Ok(_) => {}
                    Err(_) => break errno,
                }
            }
        }
    };
    assert_eq!(full, Errno::AGAIN);
    let mut read = 0;
    while read < sent {
        read += world.read(server).expect("what was sent").len();
    }
    assert_eq!(read, sent);
    assert!(world.ready(client, Interest::WRITE).writable);
}

fn a_half_close_ends_one_direction_and_leaves_the_other(world: &World) {
    let (client, server) = world.pair();
    world.sys.shutdown(client, ShutdownHow::Write).expect("it stands");
    assert_eq!(world.sys.write(client, b"x"), Err(Errno::PIPE));
    let ready = world.ready(server, Interest::READ);
    assert!(ready.readable && ready.ended, "{ready:?}");
    assert_eq!(world.read(server).as_deref(), Ok(&b""[..]));
    assert_eq!(world.sys.write(server, b"still"), Ok(5));
    assert_eq!(world.read(client).as_deref(), Ok(&b"still"[..]));
}

fn writing_to_a_peer_that_closed_brings_a_reset_and_then_a_broken_pipe(world: &World) {
    let (client, server) = world.pair();
    world.sys.close(server);
    assert_eq!(world.read(client).as_deref(), Ok(&b""[..]));
    assert_eq!(world.sys.write(client, b"x"), Ok(1), "nobody knows yet");
    // The reset makes the stream fail for writing.
    let begun = world.sys.now();
    let broken = loop {
        match world.sys.write(client, b"y") {
            Ok(_) => assert!(world.sys.now().since(begun) < BOUND, "it never breaks"),
            Err(errno) => break errno,
        }
    };
    assert_eq!(broken, Errno::PIPE);
}

fn a_closed_handle_is_bad_and_never_names_the_next_one(world: &World) {
    let (client, _server) = world.pair();
    world.sys.close(client);
    world.sys.close(client);
    let (next, _peer) = world.pair();
    assert_ne!(client, next);
    assert_eq!(world.sys.read(client, &mut [0]), Err(Errno::BADF));
    assert_eq!(world.sys.write(client, b"x"), Err(Errno::BADF));
    assert_eq!(world.sys.poll_add(client, 1, Interest::READ), Err(Errno::BADF));
    assert_eq!(world.sys.poll_delete(client), Err(Errno::BADF));
    assert_eq!(world.sys.local_address(client), Err(Errno::BADF));
}

fn what_is_no_connection_cannot_be_read_or_accepted_from(world: &World) {
    let (listener, _) = world.listen(1);
    assert_eq!(world.sys.shutdown(listener, ShutdownHow::Write), Ok(()), "and nothing comes of it");
    assert_eq!(world.sys.read(listener, &mut [0]), Err(Errno::NOTCONN));
    let (client, _server) = world.pair();
    assert_eq!(world.sys.accept(client), Err(Errno::INVAL));
}

fn k14_what_was_sent_before_a_reset_is_read_before_it(world: &World) {
    let (client, server) = world.pair();
    assert_eq!(world.sys.write(client, b"unread"), Ok(6));
    world.ready(server, Interest::READ);
    assert_eq!(world.sys.write(server, b"answer"), Ok(6));
    world.sys.close(server);
    // Until the reset is there as well.
    while !world.ready(client, Interest::READ).writable {}
    assert_eq!(world.read(client).as_deref(), Ok(&b"answer"[..]));
    while world.sys.wait(client, Interest::WRITE, world.deadline(BOUND)).is_ok_and(|ready| !ready.ended) {}
    assert_eq!(world.read(client), Err(Errno::CONNRESET));
    assert_eq!(world.read(client).as_deref(), Ok(&b""[..]));
}

/// A connection whose peer has sent `words` and closed, and resets what was written to it since.
fn reset_after_the_end(world: &World, words: &[u8]) -> Handle {
    let (client, server) = world.pair();
    world.write(server, words);
    world.sys.close(server);
    while !world.ready(client, Interest::READ).ended {}
    world.write(client, b"x");
    // Only the reset ends both directions.
    world.until(|| world.ready(client, Interest::WRITE).ended);
    client
}

fn k14_whoever_has_ended_is_read_as_an_end_after_a_reset_too_and_writing_is_broken(world: &World) {
    let told = |client| world.sys.take_error(client);
    // The error is kept for whoever asks for it or writes, however often the end is read.
    let client = reset_after_the_end(world, b"");
    for _ in 0..2 {
        world.hear_end(client);
    }
    assert_eq!((told(client), told(client)), (Ok(Some(Errno::PIPE)), Ok(None)));
    assert_eq!(world.sys.write(client, b"y"), Err(Errno::PIPE));
    world.hear_end(client);

    let client = reset_after_the_end(world, b"");
    assert_eq!(world.sys.write(client, b"y"), Err(Errno::PIPE));
    assert_eq!(told(client), Ok(None), "the write has told it");
    assert_eq!(world.sys.write(client, b"y"), Err(Errno::PIPE));
    world.hear_end(client);
}

fn k14_a_reset_that_comes_with_unread_bytes_and_their_end_leaves_both_to_be_read(world: &World) {
    let client = reset_after_the_end(world, b"words");
    world.hear(client, b"words");
    world.hear_end(client);
    assert_eq!(world.sys.take_error(client), Ok(Some(Errno::PIPE)));
}

fn k14_what_both_sides_have_finished_is_not_reset_by_a_close_with_something_unread(world: &World) {
    let (bystander, _other) = world.channel();
    let (client, server) = world.pair();
    world.write(client, b"unread");
    for (end, peer) in [(client, server), (server, client)] {
        world.sys.shutdown(end, ShutdownHow::Write).unwrap();
        while !world.ready(peer, Interest::READ).ended {}
    }
    world.until(|| world.sys.peer_address(server).is_err());
    world.sys.close(server);
    // For longer than a reset takes.
    world.quiet(bystander);
    assert_eq!(world.sys.take_error(client), Ok(None));
    world.hear_end(client);
}

fn k14_a_half_closed_connection_whose_last_words_are_not_read_is_reset(world: &World) {
    let (client, server) = world.pair();
    assert_eq!(world.sys.write(client, b"last words"), Ok(10));
    world.sys.shutdown(client, ShutdownHow::Write).expect("it stands");
    while !world.ready(server, Interest::READ).ended {}
    world.sys.close(server);
    assert_eq!(world.read(client), Err(Errno::CONNRESET));
}

fn a_reset_is_told_once_to_whoever_asks_first(world: &World) {
    let reset = || {
        let (client, server) = world.pair();
        assert_eq!(world.sys.write(client, b"unread"), Ok(6));
        world.ready(server, Interest::READ);
        world.sys.close(server);
        world.ready(client, Interest::READ);
        client
    };
    let client = reset();
    assert_eq!(world.sys.take_error(client), Ok(Some(Errno::CONNRESET)));
    assert_eq!(world.sys.take_error(client), Ok(None));
    assert_eq!(world.read(client).as_deref(), Ok(&b""[..]));
    let client = reset();
    assert_eq!(world.sys.write(client, b"x"), Err(Errno::CONNRESET));
    assert_eq!(world.sys.write(client, b"x"), Err(Errno::PIPE));
    assert_eq!(world.read(client).as_deref(), Ok(&b""[..]));
    let client = reset();
    assert_eq!(world.read(client), Err(Errno::CONNRESET));
    assert_eq!(world.sys.write(client, b"x"), Err(Errno::PIPE));
    assert_eq!(world.sys.shutdown(client, ShutdownHow::Both), Err(Errno::NOTCONN));
    assert_eq!(world.sys.peer_address(client), Err(Errno::NOTCONN));
}

fn two_half_closes_end_a_connection(world: &World) {
    let (client, server) = world.pair();
    assert_eq!(world.sys.write(client, b"bye"), Ok(3));
    for (end, peer, words) in [(client, server, &b"bye"[..]), (server, client, &b""[..])] {
        world.sys.shutdown(end, ShutdownHow::Write).expect("it stands");
        if !words.is_empty() {
            assert_eq!(world.read(peer).as_deref(), Ok(words));
        }
        assert_eq!(world.read(peer).as_deref(), Ok(&b""[..]));
    }
    for end in [client, server] {
        let told = world.ready(end, Interest::WRITE);
        assert!(told.readable && told.writable && told.ended, "{told:?}");
        assert_eq!(world.sys.write(end, b"x"), Err(Errno::PIPE));
        assert_eq!(world.sys.take_error(end), Ok(None));
    }
}

fn a_second_half_close_changes_nothing(world: &World) {
    let (client, server) = world.pair();
    for _ in 0..2 {
        assert_eq!(world.sys.shutdown(client, ShutdownHow::Write), Ok(()));
    }
    assert_eq!(world.read(server).as_deref(), Ok(&b""[..]));
    assert_eq!(world.sys.write(server, b"x"), Ok(1));
    assert_eq!(world.read(client).as_deref(), Ok(&b"x"[..]));
}

fn an_end_of_reading_is_ones_own_and_what_comes_later_is_still_read(world: &World) {
    let (client, server) = world.pair();
    world.sys.shutdown(client, ShutdownHow::Read).expect("it stands");
    assert_eq!(world.read(client).as_deref(), Ok(&b""[..]));
    world.quiet_for(server, Interest::READ);
    assert_eq!(world.sys.write(server, b"x"), Ok(1), "the peer is not told");
    let begun = world.sys.now();
    loop {
        let read = world.read(client).expect("bytes or the end");
        if read == b"x" {
            break;
        }
        assert!(read.is_empty() && world.sys.now().since(begun) < BOUND);
    }
    assert_eq!(world.sys.write(client, b"y"), Ok(1));
    assert_eq!(world.read(server).as_deref(), Ok(&b"y"[..]));
}

fn an_end_of_both_directions_is_an_end_for_the_peer_too(world: &World) {
    let (client, server) = world.pair();
    world.sys.shutdown(client, ShutdownHow::Both).expect("it stands");
    assert_eq!(world.sys.write(client, b"x"), Err(Errno::PIPE));
    assert_eq!(world.read(client).as_deref(), Ok(&b""[..]));
    assert_eq!(world.read(server).as_deref(), Ok(&b""[..]));
}

fn nothing_is_read_into_no_room_and_nothing_written_of_nothing(world: &World) {
    let (client, server) = world.pair();
    assert_eq!(world.sys.write(client, b""), Ok(0));
    assert_eq!(world.sys.write(client, b"x"), Ok(1));
    world.ready(server, Interest::READ);
    assert_eq!(world.sys.read(server, &mut []), Ok(0));
    assert_eq!(world.read(server).as_deref(), Ok(&b"x"[..]), "and it is no end");
}

fn of_nothing_not_even_nothing_is_read(world: &World) {
    let (client, server) = world.pair();
    assert_eq!(world.sys.read(server, &mut []), Err(Errno::AGAIN));
    world.sys.shutdown(client, ShutdownHow::Write).unwrap();
    world.ready(server, Interest::READ);
    assert_eq!(world.sys.read(server, &mut []), Ok(0));
}

fn what_both_sides_have_finished_is_no_connection(world: &World) {
    let (client, server) = world.pair();
    for end in [client, server] {
        world.sys.shutdown(end, ShutdownHow::Write).unwrap();
        assert_eq!(world.read(if end == client { server } else { client }).as_deref(), Ok(&b""[..]));
    }
    for end in [client, server] {
        assert_eq!(world.sys.peer_address(end), Err(Errno::NOTCONN));
        assert_eq!(world.sys.shutdown(end, ShutdownHow::Read), Err(Errno::NOTCONN));
        assert!(world.sys.local_address(end).is_ok());
    }
}

fn bytes_for_one_who_has_ended_both_directions_reset_the_connection(world: &World) {
    let (client, server) = world.pair();
    world.sys.shutdown(server, ShutdownHow::Both).unwrap();
    assert_eq!(world.read(client).as_deref(), Ok(&b""[..]));
    assert_eq!(world.sys.write(client, b"x"), Ok(1));
    world.until(|| world.sys.peer_address(client).is_err());
    assert_eq!(world.sys.write(client, b"x"), Err(Errno::PIPE));
    assert_eq!(world.sys.take_error(server), Ok(Some(Errno::CONNRESET)));
}

fn an_end_of_both_directions_is_no_end_of_the_connection_until_the_peer_finishes(world: &World) {
    let (client, server) = world.pair();
    let address = world.sys.peer_address(client);
    world.sys.shutdown(client, ShutdownHow::Both).unwrap();
    world.ready(server, Interest::READ);
    assert_eq!(world.sys.peer_address(client), address);
    world.sys.close(server);
    world.until(|| world.sys.peer_address(client).is_err());
    assert_eq!(world.sys.take_error(client), Ok(None));
}

fn no_bytes_for_one_who_has_ended_both_directions_reset_nothing(world: &World) {
    let (bystander, _other) = world.channel();
    let (client, server) = world.pair();
    world.sys.shutdown(server, ShutdownHow::Both).unwrap();
    world.hear_end(client);
    world.write(client, b"");
    // For longer than a reset takes.
    world.quiet(bystander);
    assert_eq!(world.sys.take_error(server), Ok(None));
    assert!(world.sys.peer_address(client).is_ok());
    assert!(world.sys.peer_address(server).is_ok());
}
