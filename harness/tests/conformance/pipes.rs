//! Pipes: what children print, and who reads it.

use crate::arms::Case;
use crate::world::World;
use host_core::sys::{Birth, Child, Errno, ExitStatus, Handle, Interest, Readiness, Signal, StdStream};

pub(crate) const CASES: &[Case] = cases![
    a_child_prints_into_the_pipes_that_it_was_born_with,
    a_pipe_ends_when_its_last_writer_has_gone_and_not_before,
    what_was_printed_by_one_who_was_killed_is_read_before_the_end,
    a_grandchild_that_prints_where_its_parent_did_holds_the_pipe_open,
    a_pipe_that_nobody_prints_into_says_try_again,
    a_pipe_holds_64_kib_and_who_prints_more_waits_until_a_page_is_read,
    a_print_of_many_pages_goes_through_in_order_as_it_is_read,
    a_small_print_goes_in_whole_or_waits,
    one_who_waits_to_print_can_be_killed_and_what_it_has_printed_is_there,
    one_who_waits_to_print_and_is_asked_to_quit_waits_on,
    who_prints_what_nobody_reads_any_more_is_told_so,
    the_poller_tells_of_a_pipe_what_holds_of_it,
    a_closed_pipe_gives_no_birth,
];

/// What a pipe holds, and one page of it (pipe(7)).
const WHOLE: usize = 65_536;
const PAGE: usize = 4096;

/// A pipe and a child that prints into it on either stream, and has nothing else.
fn printer(world: &World, body: impl FnOnce(&World) -> u8 + 'static) -> (Child, Handle) {
    let (reading, writing) = world.sys.pipe().expect("descriptors");
    let birth = Birth { output: Some([writing, writing]), ..world.birth(&[]) };
    let child = world.fork_as(&birth, body);
    world.sys.close(writing);
    (child, reading)
}

/// As [`printer`], with a channel to its parent beside.
fn printer_on_line(
    world: &World,
    body: impl FnOnce(&World, Handle) -> u8 + 'static,
) -> (Child, Handle, Handle) {
    let (reading, writing) = world.sys.pipe().expect("descriptors");
    let (mine, theirs) = world.channel();
    let keep = [theirs];
    let birth = Birth { output: Some([writing, writing]), ..world.birth(&keep) };
    let child = world.fork_as(&birth, move |child| body(child, theirs));
    world.sys.close(writing);
    world.sys.close(theirs);
    (child, reading, mine)
}

/// Prints all of it.
fn print(world: &World, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let count = world.sys.print(StdStream::Stdout, bytes).expect("somebody reads");
        bytes = &bytes[count..];
    }
}

fn read_now(world: &World, pipe: Handle, most: usize) -> Result<Vec<u8>, Errno> {
    let mut buffer = vec![0; most];
    let count = world.sys.pipe_read(pipe, &mut buffer)?;
    buffer.truncate(count);
    Ok(buffer)
}

/// Waits for something to read.
fn read(world: &World, pipe: Handle, most: usize) -> Vec<u8> {
    world.ready(pipe, Interest::READ);
    read_now(world, pipe, most).expect("it is there")
}

/// Reads to the end.
fn read_all(world: &World, pipe: Handle) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let some = read(world, pipe, 5000);
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}

/// Waits until a child that prints more than there is room for has filled the pipe, which is seen by nothing but
/// that it does not go on.
fn filled(world: &World, line: Handle) {
    world.hear(line, b"full");
    world.quiet(line);
}

fn a_child_prints_into_the_pipes_that_it_was_born_with(world: &World) {
    let [(out, their_out), (err, their_err)] = [(), ()].map(|()| world.sys.pipe().expect("descriptors"));
    let birth = Birth { output: Some([their_out, their_err]), ..world.birth(&[]) };
    let child = world.fork_as(&birth, move |child| {
        assert_eq!(child.sys.print(StdStream::Stderr, b"error"), Ok(5));
        assert_eq!(child.sys.print(StdStream::Stdout, b"output"), Ok(6));
        // It has them as its streams, and not by these names.
        assert_eq!(child.sys.pipe_read(out, &mut [0]), Err(Errno::BADF));
        assert_eq!(child.sys.poll_add(their_out, 1, Interest::WRITE), Err(Errno::BADF));
        7
    });
    for handle in [their_out, their_err] {
        world.sys.close(handle);
    }
    assert_eq!(world.end_of(child), ExitStatus::Code(7));
    assert_eq!(read_all(world, out), b"output");
    assert_eq!(read_all(world, err), b"error");
}

fn a_pipe_ends_when_its_last_writer_has_gone_and_not_before(world: &World) {
    let (reading, writing) = world.sys.pipe().expect("descriptors");
    let birth = Birth { output: Some([writing, writing]), ..world.birth(&[]) };
    let [first, second] = [(), ()].map(|()| world.fork_as(&birth, |child| child.stay()));
    world.kill(first);
    world.quiet(reading);
    world.sys.close(writing);
    world.quiet(reading);
    assert_eq!(read_now(world, reading, 9), Err(Errno::AGAIN));
    world.kill(second);
    for _ in 0..3 {
        assert_eq!(read(world, reading, 9), b"");
    }
}

fn what_was_printed_by_one_who_was_killed_is_read_before_the_end(world: &World) {
    let (child, pipe, line) = printer_on_line(world, |child, line| {
        print(child, b"a line\nand half of");
        child.write(line, b"said");
        child.stay()
    });
    world.hear(line, b"said");
    world.kill(child);
    assert_eq!(read(world, pipe, 7), b"a line\n");
    assert_eq!(read_all(world, pipe), b"and half of");
}

fn a_grandchild_that_prints_where_its_parent_did_holds_the_pipe_open(world: &World) {
    let (child, pipe) = printer(world, |child| {
        let (theirs, mine) = child.channel();
        let drains = Birth {
            on_host_death: host_core::sys::OnHostDeath::Drain,
            drain_timeout: crate::world::BOUND,
            ..child.birth(&[])
        };
        let keep = [theirs];
        let drains = Birth { keep: &keep, ..drains };
        child.fork_as(&drains, move |grandchild| {
            grandchild.write(theirs, b"born");
            // Until its parent has gone.
            grandchild.stay();
            print(grandchild, b"the grandchild");
            0
        });
        child.hear(mine, b"born");
        print(child, b"the child, ");
        0
    });
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
    // It may be there in one piece by then, or in two.
    assert_eq!(read_all(world, pipe), b"the child, the grandchild");
}

fn a_pipe_that_nobody_prints_into_says_try_again(world: &World) {
    let (child, pipe) = printer(world, |child| child.stay());
    assert_eq!(read_now(world, pipe, 1), Err(Errno::AGAIN));
    world.quiet(pipe);
    world.kill(child);
}

fn a_pipe_holds_64_kib_and_who_prints_more_waits_until_a_page_is_read(world: &World) {
    let (child, pipe, line) = printer_on_line(world, |child, line| {
        for _ in 0..WHOLE / PAGE {
            print(child, &[b'x'; PAGE]);
        }
        child.write(line, b"full");
        print(child, b"more");
        child.write(line, b"done");
        0
    });
    filled(world, line);
    // What is read of a page makes no room before all of it is.
    assert_eq!(read(world, pipe, PAGE - 1).len(), PAGE - 1);
    world.quiet(line);
    assert_eq!(read(world, pipe, 1), b"x");
    world.hear(line, b"done");
    let rest = read_all(world, pipe);
    assert_eq!(rest.len(), WHOLE - PAGE + 4);
    assert!(rest.ends_with(b"xmore"));
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn a_print_of_many_pages_goes_through_in_order_as_it_is_read(world: &World) {
    let all: Vec<u8> = (0..3 * WHOLE as u32 + 777).map(|place| (place ^ place >> 8) as u8).collect();
    let printed = all.clone();
    let (child, pipe) = printer(world, move |child| {
        assert_eq!(child.sys.print(StdStream::Stdout, &printed), Ok(printed.len()), "it waits for all of it");
        0
    });
    assert_eq!(read_all(world, pipe), all);
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn a_small_print_goes_in_whole_or_waits(world: &World) {
    let (child, pipe, line) = printer_on_line(world, |child, line| {
        for _ in 0..WHOLE / PAGE - 1 {
            print(child, &[b'x'; PAGE]);
        }
        print(child, &[b'x'; 3000]);
        child.write(line, b"full");
        // There is room for 1096 bytes in the last page.
        print(child, &[b'y'; 2000]);
        0
    });
    filled(world, line);
    assert_eq!(read(world, pipe, 2 * WHOLE), vec![b'x'; WHOLE - PAGE + 3000]);
    assert_eq!(read_all(world, pipe), [b'y'; 2000]);
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn one_who_waits_to_print_can_be_killed_and_what_it_has_printed_is_there(world: &World) {
    let (child, pipe, line) = printer_on_line(world, |child, line| {
        child.write(line, b"full");
        print(child, &[b'x'; 2 * WHOLE]);
        child.write(line, b"done");
        0
    });
    filled(world, line);
    world.kill(child);
    assert_eq!(read_all(world, pipe).len(), WHOLE);
}

fn one_who_waits_to_print_and_is_asked_to_quit_waits_on(world: &World) {
    let (child, pipe, line) = printer_on_line(world, |child, line| {
        print(child, &[b'x'; WHOLE]);
        child.write(line, b"full");
        assert_eq!(child.sys.print(StdStream::Stderr, b"more"), Ok(4), "nothing of it was printed before");
        assert!(child.sys.quit_asked());
        0
    });
    filled(world, line);
    world.signal(child, Signal::Quit);
    world.quiet(child.handle);
    assert_eq!(read_all(world, pipe).len(), WHOLE + 4);
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn who_prints_what_nobody_reads_any_more_is_told_so(world: &World) {
    let (child, pipe, line) = printer_on_line(world, |child, line| {
        child.obey(line, b"print");
        for stream in StdStream::ALL {
            assert_eq!(child.sys.print(stream, b"into the void"), Err(Errno::PIPE));
        }
        7
    });
    world.sys.close(pipe);
    world.write(line, b"print");
    assert_eq!(world.end_of(child), ExitStatus::Code(7));
}

fn the_poller_tells_of_a_pipe_what_holds_of_it(world: &World) {
    let (child, pipe, line) = printer_on_line(world, |child, line| {
        child.obey(line, b"print");
        print(child, b"words");
        child.stay()
    });
    world.sys.poll_add(pipe, 3, Interest::READ).expect("it is open");
    assert_eq!(world.look(), []);
    world.write(line, b"print");
    assert_eq!(world.keys(), [3]);
    let readable = Readiness { readable: true, writable: false, ended: false };
    assert_eq!(world.events()[0].readiness.within(Interest::READ), readable);
    assert_eq!(read_now(world, pipe, 9).as_deref(), Ok(&b"words"[..]));
    assert_eq!(world.look(), []);
    world.kill(child);
    assert_eq!(world.keys(), [3]);
    assert!(world.events()[0].readiness.ended);
    assert_eq!(read_now(world, pipe, 9).as_deref(), Ok(&b""[..]));
    // Until it is taken out.
    assert_eq!(world.look(), [3]);
    world.sys.poll_delete(pipe).expect("it is registered");
    assert_eq!(world.look(), []);
}

fn a_closed_pipe_gives_no_birth(world: &World) {
    let (reading, writing) = world.sys.pipe().expect("descriptors");
    world.sys.close(writing);
    let birth = Birth { output: Some([writing, writing]), ..world.birth(&[]) };
    let refused = world.sys.fork(&birth, Box::new(|_| 0));
    assert_eq!(refused, Err(host_core::sys::ForkError::System { call: "fork", errno: Errno::BADF }));
    assert_eq!(read_now(world, reading, 1).as_deref(), Ok(&b""[..]));
}
