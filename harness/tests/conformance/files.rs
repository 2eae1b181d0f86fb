//! Pid files: whose they are, and who removes them.

use crate::arms::Case;
use crate::world::World;
use host_core::sys::{Errno, ExitStatus, Pid, PidFileError, Signal};

pub(crate) const CASES: &[Case] = cases![
    a_pid_file_is_had_by_one_process_at_a_time,
    a_pid_file_that_a_killed_process_has_left_is_taken_over,
    k19_the_lock_of_a_pid_file_lasts_as_long_as_a_child_that_keeps_it,
    k19_a_child_that_closes_a_pid_file_leaves_it_locked,
    a_child_that_does_not_keep_a_pid_file_does_not_hold_it,
    of_several_that_want_a_pid_file_at_once_one_has_it,
    a_pid_file_needs_a_directory,
    a_pid_file_is_no_recording_and_no_socket,
];

/// A path that no other process uses.
fn path(world: &World) -> String {
    format!("/tmp/conformance-{}.pid", world.sys.pid())
}

/// What a child finds that tries to have the file: that it has it, or who has.
fn child_finds(world: &World, path: &str) -> Option<Pid> {
    let path = path.to_owned();
    let (child, line) = world.fork_on_line(&[], move |child, line| {
        let said = match child.sys.pid_file(&path) {
            Ok(file) => {
                child.sys.close(file);
                0
            }
            Err(PidFileError::Taken { by }) => by.map_or(1, |pid| pid.0),
            Err(error) => panic!("{error}"),
        };
        child.write(line, &said.to_le_bytes());
        0
    });
    let said = world.message(line);
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
    world.sys.close(line);
    let number = u32::from_le_bytes(said.try_into().unwrap());
    (number > 0).then_some(Pid(number))
}

fn a_pid_file_is_had_by_one_process_at_a_time(world: &World) {
    let path = path(world);
    for _ in 0..2 {
        let file = world.sys.pid_file(&path).unwrap();
        assert_eq!(child_finds(world, &path), Some(world.sys.pid()));
        // Not even by the same process.
        assert_eq!(world.sys.pid_file(&path), Err(PidFileError::Taken { by: Some(world.sys.pid()) }));
        world.sys.close(file);
        assert_eq!(child_finds(world, &path), None);
    }
}

fn a_pid_file_that_a_killed_process_has_left_is_taken_over(world: &World) {
    let path = path(world);
    let theirs = path.clone();
    let (child, line) = world.fork_on_line(&[], move |child, line| {
        child.sys.pid_file(&theirs).unwrap();
        child.write(line, b"taken");
        child.stay()
    });
    world.hear(line, b"taken");
    assert_eq!(world.sys.pid_file(&path), Err(PidFileError::Taken { by: Some(child.pid) }));
    world.kill(child);
    let file = world.sys.pid_file(&path).unwrap();
    assert_eq!(child_finds(world, &path), Some(world.sys.pid()));
    world.sys.close(file);
}

fn k19_the_lock_of_a_pid_file_lasts_as_long_as_a_child_that_keeps_it(world: &World) {
    let path = path(world);
    let file = world.sys.pid_file(&path).unwrap();
    let child = world.sleeper(&[file]);
    world.sys.close(file);
    // Its path is free, since its owner has left it; the file that the child holds has no name any more.
    assert_eq!(child_finds(world, &path), None);
    world.kill(child);

    // Whoever is killed leaves the name, and its child the lock.
    let theirs = path.clone();
    let (parent, line) = world.fork_on_line(&[], move |child, line| {
        let file = child.sys.pid_file(&theirs).unwrap();
        let grandchild = child.fork(&[file, line], move |grandchild| {
            grandchild.write(line, b"kept");
            grandchild.stay()
        });
        child.obey(line, b"go");
        // It is left to live on.
        child.signal(grandchild, Signal::Winch);
        child.stay()
    });
    world.hear(line, b"kept");
    assert_eq!(world.sys.pid_file(&path), Err(PidFileError::Taken { by: Some(parent.pid) }));
    // The grandchild ends with its parent, and with it the lock.
    world.kill(parent);
    world.hear_end(line);
    let file = world.sys.pid_file(&path).unwrap();
    world.sys.close(file);
}

fn k19_a_child_that_closes_a_pid_file_leaves_it_locked(world: &World) {
    let path = path(world);
    let file = world.sys.pid_file(&path).unwrap();
    let (child, line) = world.fork_on_line(&[file], move |child, line| {
        child.sys.close(file);
        child.write(line, b"closed");
        child.stay()
    });
    world.hear(line, b"closed");
    // A lock of fcntl(2) would be gone, and so would the file, were it the child's to remove.
    assert_eq!(child_finds(world, &path), Some(world.sys.pid()));
    world.kill(child);
    world.sys.close(line);
    world.sys.close(file);
}

fn a_child_that_does_not_keep_a_pid_file_does_not_hold_it(world: &World) {
    let path = path(world);
    let file = world.sys.pid_file(&path).unwrap();
    let child = world.sleeper(&[]);
    world.sys.close(file);
    let file = world.sys.pid_file(&path).unwrap();
    world.kill(child);
    assert_eq!(child_finds(world, &path), Some(world.sys.pid()), "nor does it remove it");
    world.sys.close(file);
}

fn of_several_that_want_a_pid_file_at_once_one_has_it(world: &World) {
    let path = path(world);
    let lines = [(); 4].map(|()| {
        let path = path.clone();
        world.fork_on_line(&[], move |child, line| {
            let took = child.sys.pid_file(&path);
            child.write(line, if took.is_ok() { b"mine" } else { b"none" });
            child.stay()
        })
    });
    let mine = lines.iter().filter(|(_, line)| world.message(*line) == b"mine").count();
    assert_eq!(mine, 1);
    for (child, _) in lines {
        world.kill(child);
    }
    let file = world.sys.pid_file(&path).unwrap();
    world.sys.close(file);
}

fn a_pid_file_needs_a_directory(world: &World) {
    let refused = world.sys.pid_file("/tmp/no-such-directory/x.pid");
    assert_eq!(refused, Err(PidFileError::of("open", Errno::NOENT)));
}

fn a_pid_file_is_no_recording_and_no_socket(world: &World) {
    let file = world.sys.pid_file(&path(world)).unwrap();
    assert_eq!(world.sys.record_write(file, b"x"), Err(Errno::BADF));
    assert_eq!(world.sys.read(file, &mut [0]), Err(Errno::NOTSOCK));
    assert_eq!(world.sys.accept(file).map(drop), Err(Errno::NOTSOCK));
    world.sys.close(file);
}
