//! What the poller reports, to whom, and for how long.

use crate::arms::Case;
use crate::world::{BOUND, QUIET, World};
use host_core::sys::{Errno, Interest, Readiness, ShutdownHow};

pub(crate) const CASES: &[Case] = cases![
    the_poller_reports_while_something_holds_and_only_what_was_asked_for,
    the_poller_reports_an_end_as_readable_and_a_reset_as_both,
    what_is_taken_out_of_the_poller_and_put_in_again_is_reported_once,
    an_end_of_sending_is_told_to_readers_only_and_an_end_of_both_to_everybody,
    a_peer_that_finished_sending_makes_no_room_for_writing,
    the_poller_reports_a_listener_until_its_queue_is_empty,
    the_poller_reports_all_that_is_ready_each_under_its_key,
    a_handle_that_one_process_holds_leaves_the_poller_when_it_is_closed,
    who_wants_nothing_is_told_nothing_not_even_the_end,
];

fn the_poller_reports_while_something_holds_and_only_what_was_asked_for(world: &World) {
    let (client, server) = world.pair();
    world.sys.poll_add(server, 7, Interest::READ).expect("not registered yet");
    assert_eq!(world.sys.poll_add(server, 8, Interest::READ), Err(Errno::EXIST));
    assert_eq!(world.events(), []);
    assert_eq!(world.sys.write(client, b"xy"), Ok(2));
    for _ in 0..3 {
        assert_eq!(world.keys(), [7], "level-triggered: as long as it is unread");
    }
    world.sys.poll_modify(server, 9, Interest::WRITE).expect("it is registered");
    let events = world.events();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].key, events[0].readiness.writable), (9, true));
    world.sys.poll_delete(server).expect("it is registered");
    assert_eq!(world.events(), []);
    assert_eq!(world.sys.poll_delete(server), Err(Errno::NOENT));
    assert_eq!(world.sys.poll_modify(server, 9, Interest::WRITE), Err(Errno::NOENT));
}

fn the_poller_reports_an_end_as_readable_and_a_reset_as_both(world: &World) {
    let (client, server) = world.pair();
    world.sys.poll_add(client, 1, Interest::READ).expect("not registered yet");
    world.sys.close(server);
    let events = world.wait_for_events(world.deadline(BOUND));
    assert!(events[0].readiness.readable && events[0].readiness.ended, "{events:?}");

    let (client, server) = world.pair();
    assert_eq!(world.sys.write(client, b"unread"), Ok(6));
    world.ready(server, Interest::READ);
    world.sys.close(server);
    world.ready(client, Interest::READ);
    world.sys.poll_add(client, 2, Interest::WRITE).expect("not registered yet");
    let events = world.wait_for_events(world.deadline(BOUND));
    let reset = events.iter().find(|event| event.key == 2).expect("it is reported");
    assert_eq!(reset.readiness, Readiness { readable: true, writable: true, ended: true });
}

fn what_is_taken_out_of_the_poller_and_put_in_again_is_reported_once(world: &World) {
    let (client, server) = world.pair();
    assert_eq!(world.sys.write(client, b"x"), Ok(1));
    world.ready(server, Interest::READ);
    for _ in 0..5 {
        world.sys.poll_add(server, 1, Interest::READ).expect("not registered");
        assert_eq!(world.keys(), [1]);
        world.sys.poll_delete(server).expect("it is registered");
    }
    assert_eq!(world.events(), []);
}

fn an_end_of_sending_is_told_to_readers_only_and_an_end_of_both_to_everybody(world: &World) {
    let (client, server) = world.pair();
    world.sys.poll_add(client, 1, Interest::READ).expect("not registered yet");
    world.sys.shutdown(server, ShutdownHow::Write).expect("it stands");
    let events = world.wait_for_events(world.deadline(BOUND));
    assert_eq!(events[0].readiness, Readiness { readable: true, writable: false, ended: true });
    world.sys.poll_modify(client, 1, Interest::WRITE).expect("it is registered");
    let events = world.events();
    assert_eq!(events[0].readiness, Readiness { readable: false, writable: true, ended: false });

    world.sys.poll_modify(client, 1, Interest::READ).expect("it is registered");
    world.sys.shutdown(client, ShutdownHow::Write).expect("it stands");
    let events = world.events();
    assert_eq!(events[0].readiness, Readiness { readable: true, writable: true, ended: true });
}

fn a_peer_that_finished_sending_makes_no_room_for_writing(world: &World) {
    let (client, server) = world.pair();
    world.sys.shutdown(server, ShutdownHow::Write).expect("it stands");
    world.ready(client, Interest::READ);
    while world.sys.wait(client, Interest::WRITE, world.deadline(QUIET)).is_ok() {
        world.sys.write(client, &[0; 65536]).expect("whoever is told that there is room has it");
    }
    // Here the wait has ended by its deadline, and not by the end of the peer.
}

fn the_poller_reports_a_listener_until_its_queue_is_empty(world: &World) {
    let (listener, address) = world.listen(8);
    world.sys.poll_add(listener, 3, Interest::READ).expect("not registered yet");
    let clients = [(); 2].map(|()| world.try_connect(address).expect("it listens"));
    for _ in clients {
        assert_eq!(world.keys(), [3]);
        world.accept(listener);
    }
    assert_eq!(world.events(), []);
}

fn the_poller_reports_all_that_is_ready_each_under_its_key(world: &World) {
    let pairs: Vec<_> = (0..10).map(|_| world.pair()).collect();
    for (key, (client, server)) in (100..).zip(&pairs) {
        world.sys.poll_add(*server, key, Interest::READ).expect("not registered yet");
        if key % 2 == 0 {
            assert_eq!(world.sys.write(*client, b"x"), Ok(1));
            world.ready(*server, Interest::READ);
        }
    }
    assert_eq!(world.keys(), [100, 102, 104, 106, 108]);
    assert_eq!(world.read(pairs[2].1).as_deref(), Ok(&b"x"[..]));
    world.sys.poll_modify(pairs[4].1, 7, Interest::READ).expect("it is registered");
    assert_eq!(world.keys(), [7, 100, 106, 108]);
}

fn a_handle_that_one_process_holds_leaves_the_poller_when_it_is_closed(world: &World) {
    let (client, server) = world.pair();
    assert_eq!(world.sys.write(client, b"x"), Ok(1));
    world.ready(server, Interest::READ);
    world.sys.poll_add(server, 1, Interest::READ).expect("not registered yet");
    assert_eq!(world.keys(), [1]);
    world.sys.close(server);
    assert_eq!(world.events(), []);
}

fn who_wants_nothing_is_told_nothing_not_even_the_end(world: &World) {
    let (client, server) = world.pair();
    world.sys.poll_add(client, 1, Interest::NONE).expect("not registered yet");
    assert_eq!(world.sys.write(client, b"unread"), Ok(6));
    world.ready(server, Interest::READ);
    world.sys.close(server);
    world.ready(client, Interest::READ);
    assert_eq!(world.events(), []);
    world.quiet_for(client, Interest::NONE);
    world.sys.poll_modify(client, 2, Interest::READ).expect("it is registered");
    assert_eq!(world.keys(), [2]);
    world.sys.poll_modify(client, 3, Interest::NONE).expect("it is registered");
    assert_eq!(world.events(), []);
    world.sys.poll_delete(client).expect("it is registered");
}
