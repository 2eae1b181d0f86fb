//! Channels: two ends that keep the bounds of messages, and who holds them.

use crate::arms::Case;
use crate::world::{QUIET, World};
use host_core::sys::{Errno, ExitStatus, Handle, Interest, PollEvent, Readiness, ShutdownHow, Signal};
use host_core::time::Instant;

pub(crate) const CASES: &[Case] = cases![
    a_channel_of_which_both_directions_have_ended_is_hung_up_at_both_ends,
    a_single_empty_message_is_missed_or_not_and_all_others_are,
    k17_a_channel_ends_with_the_last_copy_of_its_other_end,
    k17_a_sibling_that_did_not_keep_an_end_holds_up_nothing,
    k17_a_copy_in_a_stopped_process_holds_the_channel_open,
    a_channel_keeps_the_bounds_of_messages_and_a_short_buffer_loses_the_rest,
    a_channel_has_room_for_278_small_messages_and_then_says_try_again,
    a_writer_is_told_of_room_when_a_quarter_is_left_in_use,
    a_message_is_sent_whole_or_not_at_all,
    a_message_of_no_bytes_reads_as_an_end_and_is_none,
    a_peer_that_closed_is_an_end_for_reading_and_a_broken_pipe_for_writing,
    the_last_messages_of_one_who_read_everything_come_and_then_the_end,
    a_peer_that_dies_with_an_unread_inbox_resets_once_and_its_last_messages_come_after,
    a_reset_is_told_to_whoever_asks_first,
    an_end_of_sending_ends_one_direction_of_a_channel,
    an_end_of_receiving_breaks_the_pipe_for_the_peer,
    the_poller_tells_of_a_channel_what_holds_of_it,
    a_message_is_read_by_one_of_those_who_share_an_end,
    what_was_sent_before_a_fork_is_read_by_the_child,
    a_channel_whose_ends_both_are_in_children_serves_them,
];

fn k17_a_channel_ends_with_the_last_copy_of_its_other_end(world: &World) {
    let (mine, theirs) = world.channel();
    let [first, sibling] = [world.sleeper(&[theirs]), world.sleeper(&[theirs])];
    world.sys.close(theirs);
    world.kill(first);
    world.quiet(mine);
    world.kill(sibling);
    world.hear_end(mine);
    assert_eq!(world.sys.write(mine, b"x"), Err(Errno::PIPE));
}

fn k17_a_sibling_that_did_not_keep_an_end_holds_up_nothing(world: &World) {
    let (mine, theirs) = world.channel();
    let sibling = world.sleeper(&[]);
    let child = world.sleeper(&[theirs]);
    world.sys.close(theirs);
    let younger = world.sleeper(&[]);
    world.kill(child);
    world.hear_end(mine);
    world.kill(sibling);
    world.kill(younger);
}

fn k17_a_copy_in_a_stopped_process_holds_the_channel_open(world: &World) {
    let told = world.news_handle();
    let (mine, theirs) = world.channel();
    let child = world.sleeper(&[theirs]);
    world.sys.close(theirs);
    world.stop(told, child);
    world.write(mine, b"into the void");
    world.quiet(mine);
    world.kill(child);
    assert_eq!(world.read(mine), Err(Errno::CONNRESET), "it was not read");
    world.hear_end(mine);
}

fn a_channel_keeps_the_bounds_of_messages_and_a_short_buffer_loses_the_rest(world: &World) {
    let (left, right) = world.channel();
    for message in [&b"one"[..], b"two", b"three"] {
        world.write(left, message);
    }
    world.hear(right, b"one");
    let mut short = [0; 1];
    assert_eq!(world.sys.read(right, &mut short), Ok(1));
    assert_eq!(short, *b"t");
    world.hear(right, b"three");
    assert_eq!(world.sys.read(right, &mut short), Err(Errno::AGAIN));
}

/// Writes small messages until there is no room; how many there was room for.
fn fill(world: &World, end: Handle) -> usize {
    let written = (0..).take_while(|_| world.sys.write(end, b"m").is_ok()).count();
    assert_eq!(world.sys.write(end, b"m"), Err(Errno::AGAIN));
    written
}

fn a_channel_has_room_for_278_small_messages_and_then_says_try_again(world: &World) {
    let (left, right) = world.channel();
    // With the usual buffer of 212,992 bytes (net.core.wmem_default).
    assert_eq!(fill(world, left), 278);
    world.write(right, b"the other direction has a buffer of its own");
    world.hear(right, b"m");
    world.write(left, b"m");
    assert_eq!(world.sys.write(left, b"m"), Err(Errno::AGAIN));
}

fn a_writer_is_told_of_room_when_a_quarter_is_left_in_use(world: &World) {
    let (left, right) = world.channel();
    let written = fill(world, left);
    let no_room = || world.sys.wait(left, Interest::WRITE, Some(Instant::ZERO)) == Err(Errno::TIMEDOUT);
    assert!(no_room());
    let mut read = 0;
    while no_room() {
        world.hear(right, b"m");
        read += 1;
    }
    assert_eq!((written, read), (278, 209));
}

fn a_message_is_sent_whole_or_not_at_all(world: &World) {
    /// The usual buffer, without what the kernel keeps for itself.
    const LONGEST: usize = 212_992 - 32;
    let (left, right) = world.channel();
    let too_long = Errno::from_raw(90);
    assert_eq!(world.sys.write(left, &vec![7; LONGEST + 1]), Err(too_long));
    assert_eq!(world.holds(right), None, "nothing of it was sent");
    let sent = vec![7; LONGEST];
    assert_eq!(world.sys.write(left, &sent), Ok(LONGEST));
    let mut buffer = vec![0; LONGEST + 1];
    assert_eq!(world.sys.read(right, &mut buffer), Ok(LONGEST));
    assert_eq!(buffer[..LONGEST], sent);
}

fn a_message_of_no_bytes_reads_as_an_end_and_is_none(world: &World) {
    let (left, right) = world.channel();
    world.write(left, b"");
    world.write(left, b"more");
    world.hear_end(right);
    world.hear(right, b"more");
    assert_eq!(world.read_now(right), Err(Errno::AGAIN));
}

fn a_peer_that_closed_is_an_end_for_reading_and_a_broken_pipe_for_writing(world: &World) {
    let (mine, theirs) = world.channel();
    assert_eq!(world.read_now(mine), Err(Errno::AGAIN));
    world.sys.close(theirs);
    for _ in 0..3 {
        world.hear_end(mine);
        assert_eq!(world.sys.write(mine, b"x"), Err(Errno::PIPE));
    }
    assert_eq!(world.sys.take_error(mine), Ok(None));
}

fn the_last_messages_of_one_who_read_everything_come_and_then_the_end(world: &World) {
    let (child, line) = world.fork_on_line(&[], |child, line| {
        child.obey(line, b"go");
        child.write(line, b"last");
        child.write(line, b"words");
        0
    });
    world.write(line, b"go");
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
    world.hear(line, b"last");
    world.hear(line, b"words");
    world.hear_end(line);
}

fn a_peer_that_dies_with_an_unread_inbox_resets_once_and_its_last_messages_come_after(world: &World) {
    for killed in [false, true] {
        let (child, line) = world.fork_on_line(&[], move |child, line| {
            child.write(line, b"last");
            child.write(line, b"words");
            // There, and left unread.
            child.ready(line, Interest::READ);
            if killed { child.stay() } else { 0 }
        });
        world.write(line, b"never read");
        if killed {
            // Its words are out, so that it is past them.
            world.ready(line, Interest::READ);
            world.signal(child, Signal::Kill);
        }
        world.await_end(child);
        let seen: Vec<_> = (0..5).map(|_| world.read(line)).collect();
        let last = if killed && seen[2] != Ok(b"words".to_vec()) { 1 } else { 2 };
        let words = [b"last".to_vec(), b"words".to_vec()];
        let mut expected = vec![Err(Errno::CONNRESET)];
        expected.extend(words.into_iter().take(last).map(Ok));
        expected.resize(5, Ok(Vec::new()));
        assert_eq!(seen, expected);
    }
}

fn a_reset_is_told_to_whoever_asks_first(world: &World) {
    let reset = || {
        let (mine, theirs) = world.channel();
        world.write(mine, b"never read");
        world.sys.close(theirs);
        mine
    };
    let mine = reset();
    assert_eq!(world.sys.write(mine, b"x"), Err(Errno::CONNRESET));
    assert_eq!(world.sys.write(mine, b"x"), Err(Errno::PIPE));
    world.hear_end(mine);
    let mine = reset();
    assert_eq!(world.sys.take_error(mine), Ok(Some(Errno::CONNRESET)));
    assert_eq!(world.sys.take_error(mine), Ok(None));
    world.hear_end(mine);
    let mine = reset();
    assert_eq!(world.read(mine), Err(Errno::CONNRESET));
    assert_eq!(world.sys.write(mine, b"x"), Err(Errno::PIPE));
}

fn an_end_of_sending_ends_one_direction_of_a_channel(world: &World) {
    let (mine, theirs) = world.channel();
    world.write(mine, b"before");
    world.sys.shutdown(mine, ShutdownHow::Write).unwrap();
    assert_eq!(world.sys.write(mine, b"x"), Err(Errno::PIPE));
    world.hear(theirs, b"before");
    world.hear_end(theirs);
    world.write(theirs, b"back");
    world.hear(mine, b"back");
}

fn an_end_of_receiving_breaks_the_pipe_for_the_peer(world: &World) {
    let (mine, theirs) = world.channel();
    world.sys.shutdown(mine, ShutdownHow::Read).unwrap();
    assert_eq!(world.sys.write(theirs, b"x"), Err(Errno::PIPE));
    world.hear_end(mine);
    world.write(mine, b"still");
    world.hear(theirs, b"still");
}

fn the_poller_tells_of_a_channel_what_holds_of_it(world: &World) {
    let told = |end: Handle, interest| {
        world.sys.poll_add(end, 1, interest).unwrap();
        let mut events = Vec::new();
        world.sys.poll_wait(&mut events, Some(Instant::ZERO)).unwrap();
        world.sys.poll_delete(end).unwrap();
        events.first().map(|PollEvent { readiness, .. }| *readiness)
    };
    let is = |readable, writable, ended| Some(Readiness { readable, writable, ended });
    let both = Interest::READ | Interest::WRITE;

    let (mine, theirs) = world.channel();
    assert_eq!(told(mine, Interest::READ), None);
    assert_eq!(told(mine, both), is(false, true, false));
    world.write(theirs, b"x");
    assert_eq!(told(mine, both), is(true, true, false));
    world.sys.shutdown(theirs, ShutdownHow::Write).unwrap();
    assert_eq!(told(mine, both), is(true, true, true));
    assert_eq!(
        told(mine, Interest::WRITE),
        is(false, true, false),
        "who writes has still somebody to write to"
    );
    world.hear(mine, b"x");
    assert_eq!(told(mine, Interest::READ), is(true, false, true));

    let (mine, theirs) = world.channel();
    world.sys.close(theirs);
    for interest in [Interest::READ, Interest::WRITE, both] {
        assert_eq!(told(mine, interest), is(true, true, true), "{interest:?}");
    }
    assert_eq!(told(mine, Interest::NONE), None);

    let (mine, _theirs) = world.channel();
    fill(world, mine);
    assert_eq!(told(mine, both), None);
}

fn a_message_is_read_by_one_of_those_who_share_an_end(world: &World) {
    let (mine, theirs) = world.channel();
    let (report, reports) = world.channel();
    let children = [1, 2, 3].map(|name| {
        world.fork(&[theirs, reports], move |child| {
            loop {
                child.sys.wait(theirs, Interest::READ, child.deadline(crate::world::BOUND)).unwrap();
                match child.read_now(theirs).as_deref() {
                    Ok([]) => return 0,
                    Ok(message) => child.write(reports, &[&[name], message].concat()),
                    // Another one was faster.
                    Err(errno) => assert_eq!(*errno, Errno::AGAIN),
                }
            }
        })
    });
    world.sys.close(theirs);
    world.sys.close(reports);
    for number in 0..20 {
        world.write(mine, &[number]);
    }
    let mut got: Vec<_> = (0..20).map(|_| world.message(report)[1]).collect();
    got.sort_unstable();
    assert_eq!(got, (0..20).collect::<Vec<_>>());
    world.sys.close(mine);
    assert_eq!(children.map(|child| world.end_of(child)), [ExitStatus::Code(0); 3]);
    world.hear_end(report);
}

fn what_was_sent_before_a_fork_is_read_by_the_child(world: &World) {
    let (mine, theirs) = world.channel();
    world.write(mine, b"early");
    let child = world.fork(&[theirs], move |child| {
        child.hear(theirs, b"early");
        child.write(theirs, b"late");
        0
    });
    world.sys.close(theirs);
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
    world.hear(mine, b"late");
    world.hear_end(mine);
}

fn a_channel_whose_ends_both_are_in_children_serves_them(world: &World) {
    let (left, right) = world.channel();
    let asks = world.fork(&[left], move |child| {
        child.write(left, b"question");
        child.hear(left, b"answer");
        child.hear_end(left);
        0
    });
    let answers = world.fork(&[right], move |child| {
        child.hear(right, b"question");
        child.write(right, b"answer");
        0
    });
    world.sys.close(left);
    world.sys.close(right);
    assert_eq!([asks, answers].map(|child| world.end_of(child)), [ExitStatus::Code(0); 2]);
    // Nobody's messages come here.
    let (near, _far) = world.channel();
    assert_eq!(world.sys.wait(near, Interest::READ, world.deadline(QUIET)), Err(Errno::TIMEDOUT));
}

fn a_channel_of_which_both_directions_have_ended_is_hung_up_at_both_ends(world: &World) {
    let hung_up = Readiness { readable: true, writable: true, ended: true };
    let (one, other) = world.channel();
    world.sys.shutdown(one, ShutdownHow::Both).unwrap();
    for end in [one, other] {
        assert_eq!(world.ready(end, Interest::READ | Interest::WRITE), hung_up);
    }
    let (one, other) = world.channel();
    world.sys.shutdown(one, ShutdownHow::Write).unwrap();
    world.sys.shutdown(other, ShutdownHow::Write).unwrap();
    assert_eq!(world.ready(one, Interest::READ | Interest::WRITE), hung_up);
}

fn a_single_empty_message_is_missed_or_not_and_all_others_are(world: &World) {
    /// Which messages are left, and what may come of it.
    type Row = (&'static [&'static [u8]], &'static [Option<Errno>]);
    const RESET: Option<Errno> = Some(Errno::CONNRESET);
    const ROWS: &[Row] = &[
        (&[], &[None]),
        // Linux 6.18 does not miss it, older kernels do (before 6.16 or so).
        (&[b""], &[None, RESET]),
        (&[b"", b""], &[RESET]),
        (&[b"", b"x"], &[RESET]),
        (&[b"x"], &[RESET]),
    ];
    for (messages, expected) in ROWS {
        let (one, other) = world.channel();
        for message in *messages {
            world.write(one, message);
        }
        world.sys.close(other);
        let told = world.sys.take_error(one).unwrap();
        assert!(expected.contains(&told), "{messages:?}: {told:?}");
    }
}
