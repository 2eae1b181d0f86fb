//! What is refused, and how.

use crate::arms::Case;
use crate::world::{QUIT, World};
use host_core::sys::{Errno, ExitStatus, Handle, Interest, ShutdownHow, Signal, Sys};
use host_core::time::Instant;

pub(crate) const CASES: &[Case] = cases![
    a_closed_handle_is_bad_in_every_call,
    a_handle_of_a_child_that_was_closed_is_bad,
    what_is_no_child_cannot_be_reaped_or_signalled,
    what_is_no_socket_is_not_read_nor_written,
    a_channel_is_no_listener_and_has_no_address_with_a_port,
    what_was_registered_is_registered_once,
    closing_twice_closes_once,
];

fn a_closed_handle_is_bad_in_every_call(world: &World) {
    type Call = (&'static str, fn(&dyn Sys, Handle) -> Option<Errno>);
    let calls: [Call; 17] = [
        ("read", |sys, handle| sys.read(handle, &mut [0]).err()),
        ("write", |sys, handle| sys.write(handle, b"x").err()),
        ("accept", |sys, handle| sys.accept(handle).err()),
        ("shutdown", |sys, handle| sys.shutdown(handle, ShutdownHow::Both).err()),
        ("take_error", |sys, handle| sys.take_error(handle).err()),
        ("set_nodelay", |sys, handle| sys.set_nodelay(handle, true).err()),
        ("local_address", |sys, handle| sys.local_address(handle).err()),
        ("peer_address", |sys, handle| sys.peer_address(handle).err()),
        ("poll_add", |sys, handle| sys.poll_add(handle, 1, Interest::READ).err()),
        ("poll_add_shared", |sys, handle| sys.poll_add_shared(handle, 1).err()),
        ("poll_modify", |sys, handle| sys.poll_modify(handle, 1, Interest::READ).err()),
        ("poll_delete", |sys, handle| sys.poll_delete(handle).err()),
        ("wait", |sys, handle| sys.wait(handle, Interest::READ, Some(Instant::ZERO)).err()),
        ("wait_or_quit", |sys, handle| sys.wait_or_quit(handle, Interest::READ, Some(Instant::ZERO)).err()),
        ("reap", |sys, handle| sys.reap(handle, false).err()),
        ("signal_child", |sys, handle| sys.signal_child(handle, Signal::Kill).err()),
        ("signal_read", |sys, handle| sys.signal_read(handle).err()),
    ];
    let child = world.sleeper(&[]);
    let (one, other) = world.channel();
    let (listener, _) = world.listen(1);
    let told = world.news_handle();
    let all = [one, other, listener, told, child.handle];
    for handle in all {
        world.sys.close(handle);
    }
    for handle in all {
        for (name, call) in calls {
            assert_eq!(call(&*world.sys, handle), Some(Errno::BADF), "{name}");
        }
    }
}

fn a_handle_of_a_child_that_was_closed_is_bad(world: &World) {
    let child = world.fork(&[], |_| 0);
    assert_eq!(world.sys.reap(child.handle, true), Ok(Some(ExitStatus::Code(0))));
    world.sys.close(child.handle);
    for wait in [false, true] {
        assert_eq!(world.sys.reap(child.handle, wait), Err(Errno::BADF));
    }
    assert_eq!(world.sys.signal_child(child.handle, Signal::Kill), Err(Errno::BADF));
    let next = world.fork(&[], |_| 1);
    assert_ne!(next.handle, child.handle);
    assert_eq!(world.end_of(next), ExitStatus::Code(1));
}

fn what_is_no_child_cannot_be_reaped_or_signalled(world: &World) {
    let (one, _other) = world.channel();
    let (listener, _) = world.listen(1);
    let told = world.news_handle();
    for handle in [one, listener, told] {
        assert_eq!(world.sys.reap(handle, false), Err(Errno::BADF));
        assert_eq!(world.sys.reap(handle, true), Err(Errno::BADF));
        assert_eq!(world.sys.signal_child(handle, Signal::Kill), Err(Errno::BADF));
    }
}

fn what_is_no_socket_is_not_read_nor_written(world: &World) {
    let child = world.sleeper(&[]);
    let told = world.news_handle();
    for handle in [child.handle, told] {
        assert_eq!(world.sys.read(handle, &mut [0]), Err(Errno::NOTSOCK));
        assert_eq!(world.sys.write(handle, b"x"), Err(Errno::NOTSOCK));
        assert_eq!(world.sys.accept(handle), Err(Errno::NOTSOCK));
        assert_eq!(world.sys.shutdown(handle, ShutdownHow::Write), Err(Errno::NOTSOCK));
        assert_eq!(world.sys.take_error(handle), Err(Errno::NOTSOCK));
        assert_eq!(world.sys.set_nodelay(handle, true), Err(Errno::NOTSOCK));
        assert_eq!(world.sys.local_address(handle), Err(Errno::NOTSOCK));
        assert_eq!(world.sys.peer_address(handle), Err(Errno::NOTSOCK));
    }
    world.signal(child, Signal::Quit);
    assert_eq!(world.end_of(child), ExitStatus::Code(QUIT));
}

fn a_channel_is_no_listener_and_has_no_address_with_a_port(world: &World) {
    let (one, _other) = world.channel();
    assert_eq!(world.sys.accept(one), Err(Errno::INVAL));
    assert_eq!(world.sys.set_nodelay(one, true), Err(Errno::OPNOTSUPP));
    assert!(world.sys.local_address(one).is_err());
    assert!(world.sys.peer_address(one).is_err());
}

fn what_was_registered_is_registered_once(world: &World) {
    let child = world.sleeper(&[]);
    for handle in [child.handle, world.channel().0, world.news_handle()] {
        assert_eq!(world.sys.poll_delete(handle), Err(Errno::NOENT));
        assert_eq!(world.sys.poll_modify(handle, 1, Interest::READ), Err(Errno::NOENT));
        world.sys.poll_add(handle, 1, Interest::READ).unwrap();
        assert_eq!(world.sys.poll_add(handle, 2, Interest::READ), Err(Errno::EXIST));
        world.sys.poll_modify(handle, 3, Interest::NONE).unwrap();
        assert_eq!(world.sys.poll_add(handle, 4, Interest::READ), Err(Errno::EXIST));
        world.sys.poll_delete(handle).unwrap();
        assert_eq!(world.sys.poll_delete(handle), Err(Errno::NOENT));
    }
    world.kill(child);
}

fn closing_twice_closes_once(world: &World) {
    let (mine, theirs) = world.channel();
    world.sys.close(theirs);
    let (near, far) = world.channel();
    world.sys.close(theirs);
    world.write(near, b"x");
    world.hear(far, b"x");
    world.hear_end(mine);
}
