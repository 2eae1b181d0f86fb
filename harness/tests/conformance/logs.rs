//! Log files, what processes print on, and how a host and its workers hear that files are to be opened anew.

use crate::arms::Case;
use crate::world::World;
use host_core::service::kick::Site;
use host_core::sys::{Child, Errno, ExitStatus, Handle, Interest, Signal, StdStream};
use host_core::time::Duration;

pub(crate) const CASES: &[Case] = cases![
    a_log_is_made_where_there_is_none_and_several_may_write_to_it,
    a_log_needs_a_directory_and_a_closed_one_takes_nothing,
    a_log_that_a_child_keeps_is_written_by_both,
    a_bell_rings_for_a_kick_that_found_the_host_alive_once_for_all_before_it_was_heard,
    a_bell_that_nobody_has_hung_is_missed_by_nobody,
    usr1_interrupts_a_worker_that_prints_on_a_file_and_ends_it_no_more_than_any_other,
    usr1_is_ignored_by_a_worker_that_prints_where_it_was_born,
    what_a_process_prints_on_stays_when_another_cannot_be_had,
    a_worker_is_interrupted_by_files_that_it_is_handed_and_goes_on,
    a_worker_that_prints_where_it_was_born_cannot_be_handed_files,
    a_worker_that_has_ended_cannot_be_handed_files,
    a_worker_that_is_stopped_is_handed_files_until_there_is_no_room,
];

/// Longer than any case takes.
const LONG: Duration = Duration::from_secs(3600);

/// A path that no other process uses; nothing is left of it.
fn path(world: &World) -> String {
    format!("/tmp/conformance-{}.log", world.sys.pid())
}

fn a_log_is_made_where_there_is_none_and_several_may_write_to_it(world: &World) {
    let logs = [(); 2].map(|()| world.sys.log_open(&path(world)).unwrap());
    for log in logs {
        assert_eq!(world.sys.log_write(log, b"a line\n"), Ok(7));
        assert_eq!(world.sys.log_write(log, b""), Ok(0));
    }
    leave(world, &logs);
}

fn a_log_needs_a_directory_and_a_closed_one_takes_nothing(world: &World) {
    assert_eq!(world.sys.log_open("/tmp/no-such-directory/x.log"), Err(Errno::NOENT));
    assert_eq!(world.sys.redirect(StdStream::Stdout, "/tmp/no-such-directory/out"), Err(Errno::NOENT));
    let log = world.sys.log_open(&path(world)).unwrap();
    leave(world, &[log]);
    assert_eq!(world.sys.log_write(log, b"x"), Err(Errno::BADF));
}

fn a_log_that_a_child_keeps_is_written_by_both(world: &World) {
    let log = world.sys.log_open(&path(world)).unwrap();
    let (child, line) = world.fork_on_line(&[log], move |child, line| {
        assert_eq!(child.sys.log_write(log, b"child\n"), Ok(6));
        child.write(line, b"written");
        0
    });
    world.hear(line, b"written");
    assert_eq!(world.sys.log_write(log, b"parent\n"), Ok(7));
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
    leave(world, &[log]);
}

fn leave(world: &World, logs: &[Handle]) {
    for log in logs {
        world.sys.close(*log);
    }
    // The simulated disk goes with its machine.
    let _ = std::fs::remove_file(path(world));
}

/// Waits until there is something to read, however often a signal comes in between.
fn awaits(world: &World, handle: Handle) {
    loop {
        match world.sys.wait(handle, Interest::READ, world.deadline(LONG)) {
            Err(Errno::INTR) => {}
            answer => return assert!(answer.expect("it becomes ready").readable),
        }
    }
}

/// A host that waits for its bell, and says so.
fn host(world: &World) -> (Child, Handle) {
    world.fork_on_line(&[], |child, line| {
        child.sys.kick_arm(LONG).unwrap();
        let bell = child.sys.kick_bell().unwrap();
        child.sys.beat(child.sys.now(), Site::Loop);
        child.quiet(bell);
        child.write(line, b"waits");
        // It is sent two before it looks.
        awaits(child, line);
        child.obey(line, b"look");
        awaits(child, bell);
        assert!(child.holds(bell).is_some_and(|holds| holds.readable), "until it was heard");
        child.sys.kick_heard(bell);
        child.quiet(bell);
        child.write(line, b"heard");
        awaits(child, bell);
        child.sys.close(bell);
        child.write(line, b"heard");
        awaits(child, line);
        0
    })
}

fn a_bell_rings_for_a_kick_that_found_the_host_alive_once_for_all_before_it_was_heard(world: &World) {
    let (child, line) = host(world);
    world.hear(line, b"waits");
    world.signal(child, Signal::Usr1);
    world.signal(child, Signal::Usr1);
    world.write(line, b"look");
    world.hear(line, b"heard");
    world.signal(child, Signal::Usr1);
    world.hear(line, b"heard");
    // Nobody hears this one, and nobody is harmed.
    world.signal(child, Signal::Usr1);
    world.write(line, b"end");
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn a_bell_that_nobody_has_hung_is_missed_by_nobody(world: &World) {
    let (child, line) = world.fork_on_line(&[], |child, line| {
        child.sys.kick_arm(LONG).unwrap();
        child.write(line, b"armed");
        awaits(child, line);
        0
    });
    world.hear(line, b"armed");
    world.signal(child, Signal::Usr1);
    world.write(line, b"end");
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

/// A worker that waits, and says how its wait has ended.
fn waits(world: &World) -> (Child, Handle) {
    let (child, line) = world.fork_on_line(&[], |child, line| {
        child.sys.poll_add(line, 1, Interest::READ).unwrap();
        child.write(line, b"waits");
        let answer = child.sys.poll_wait(&mut Vec::new(), child.deadline(LONG));
        child.write(line, if answer == Err(Errno::INTR) { b"interrupted" } else { b"undisturbed" });
        awaits(child, line);
        child.obey(line, b"end");
        0
    });
    world.hear(line, b"waits");
    (child, line)
}

/// It is interrupted by USR1, as soon as it waits, and goes on.
fn is_interrupted(world: &World) {
    let (child, line) = waits(world);
    world.until(|| {
        world.signal(child, Signal::Usr1);
        world.holds(line).is_some_and(|holds| holds.readable)
    });
    world.hear(line, b"interrupted");
    world.write(line, b"end");
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn usr1_interrupts_a_worker_that_prints_on_a_file_and_ends_it_no_more_than_any_other(world: &World) {
    world.sys.redirect(StdStream::Stdout, "/dev/null").unwrap();
    is_interrupted(world);
}

fn usr1_is_ignored_by_a_worker_that_prints_where_it_was_born(world: &World) {
    let (child, line) = waits(world);
    world.signal(child, Signal::Usr1);
    world.quiet(line);
    world.write(line, b"end");
    world.hear(line, b"undisturbed");
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn what_a_process_prints_on_stays_when_another_cannot_be_had(world: &World) {
    world.sys.redirect(StdStream::Stdout, "/dev/null").unwrap();
    assert_eq!(world.sys.redirect(StdStream::Stdout, "/tmp/no-such-directory/out"), Err(Errno::NOENT));
    is_interrupted(world);
}

/// It is handed files until it waits for what comes next: before that it takes them without a word.
fn is_told(world: &World, child: Child, line: Handle) {
    world.until(|| {
        assert!(matches!(world.sys.hand_outputs(child.handle), Ok(()) | Err(Errno::AGAIN)));
        world.holds(line).is_some_and(|holds| holds.readable)
    });
}

fn a_worker_is_interrupted_by_files_that_it_is_handed_and_goes_on(world: &World) {
    world.sys.redirect(StdStream::Stdout, "/dev/null").unwrap();
    let (child, line) = waits(world);
    is_told(world, child, line);
    world.hear(line, b"interrupted");
    world.write(line, b"end");
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn a_worker_that_prints_where_it_was_born_cannot_be_handed_files(world: &World) {
    let (child, line) = waits(world);
    world.sys.redirect(StdStream::Stdout, "/dev/null").unwrap();
    assert_eq!(world.sys.hand_outputs(child.handle), Err(Errno::NOTCONN));
    world.quiet(line);
    world.write(line, b"end");
    world.hear(line, b"undisturbed");
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn a_worker_that_has_ended_cannot_be_handed_files(world: &World) {
    world.sys.redirect(StdStream::Stdout, "/dev/null").unwrap();
    let child = world.fork(&[], |_| 7);
    world.until(|| world.sys.hand_outputs(child.handle) == Err(Errno::PIPE));
    assert_eq!(world.end_of(child), ExitStatus::Code(7));
    assert_eq!(world.sys.hand_outputs(child.handle), Err(Errno::BADF));
}

fn a_worker_that_is_stopped_is_handed_files_until_there_is_no_room(world: &World) {
    world.sys.redirect(StdStream::Stdout, "/dev/null").unwrap();
    let told = world.news_handle();
    let (child, line) = waits(world);
    world.stop(told, child);
    let mut answers = (0..10_000).map(|_| world.sys.hand_outputs(child.handle));
    assert_eq!(answers.find(|answer| answer.is_err()), Some(Err(Errno::AGAIN)));
    world.cont(told, child);
    // It takes them all, and then there is room again.
    world.until(|| world.sys.hand_outputs(child.handle) == Ok(()));
    is_told(world, child, line);
    world.hear(line, b"interrupted");
    world.write(line, b"end");
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}
