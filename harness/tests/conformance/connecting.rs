//! How connections come to stand, wait in a queue, are refused and have addresses.

use crate::arms::Case;
use crate::world::{World, local};
use host_core::sys::{Errno, Interest, ShutdownHow};
use std::net::SocketAddr;

pub(crate) const CASES: &[Case] = cases![
    who_gives_up_a_connection_that_does_not_stand_is_told_so,
    a_listener_has_no_error_and_takes_no_bytes,
    k10_a_backlog_of_n_holds_n_and_one_and_the_rest_hang_without_being_refused,
    k12_closing_the_last_holder_of_a_listener_resets_those_in_its_queue,
    k15_a_connection_that_was_reset_before_it_was_accepted_is_accepted_all_the_same,
    k15_a_connection_that_is_given_up_as_soon_as_it_is_in_the_queue_is_accepted_all_the_same,
    a_port_that_nobody_listens_on_refuses,
    a_port_is_bound_once_and_only_on_this_machine,
    both_ends_know_their_addresses,
    k10_a_backlog_of_none_holds_one,
    k10_whoever_hangs_gets_the_place_that_becomes_free_when_it_tries_again,
    connections_are_accepted_in_the_order_in_which_they_came_to_stand,
    k12_who_was_accepted_survives_the_end_of_the_listener_and_who_was_not_does_not,
    k15_what_a_client_sent_before_it_left_the_queue_is_read_and_then_its_end,
    a_connection_that_was_refused_says_so_once_and_is_none,
    a_connection_that_does_not_stand_yet_says_try_again,
    a_port_is_free_although_its_connections_are_still_ending,
    a_listener_on_all_addresses_has_its_port_on_each_of_them,
    listeners_on_any_port_have_different_ones,
];

fn k10_a_backlog_of_n_holds_n_and_one_and_the_rest_hang_without_being_refused(world: &World) {
    let (_listener, address) = world.listen(2);
    for _ in 0..3 {
        world.try_connect(address).expect("there is room");
    }
    let fourth = world.sys.connect(address).expect("it begins");
    world.quiet_for(fourth, Interest::WRITE);
}

fn k12_closing_the_last_holder_of_a_listener_resets_those_in_its_queue(world: &World) {
    let (listener, address) = world.listen(8);
    let client = world.try_connect(address).expect("it listens");
    world.sys.close(listener);
    assert_eq!(world.read(client), Err(Errno::CONNRESET));
    assert_eq!(world.try_connect(address), Err(Errno::CONNREFUSED), "nobody listens any more");
}

fn k15_a_connection_that_was_reset_before_it_was_accepted_is_accepted_all_the_same(world: &World) {
    let (listener, address) = world.listen(8);
    let client = world.try_connect(address).expect("it listens");
    // It is gone: what is written to it will bring a reset.
    world.sys.close(client);
    let server = world.accept(listener);
    assert_eq!(world.read(server).as_deref(), Ok(&b""[..]));
    assert_eq!(world.sys.write(server, b"x"), Ok(1), "the first write finds out");
    let ended = world.ready(server, Interest::READ);
    assert!(ended.ended);
}

fn k15_a_connection_that_is_given_up_as_soon_as_it_is_in_the_queue_is_accepted_all_the_same(world: &World) {
    let (bystander, _other) = world.channel();
    for _ in 0..8 {
        let (listener, address) = world.listen(8);
        let client = world.sys.connect(address).expect("it begins");
        // It may not stand yet on the client's side, where the answer is on its way: then it is reset.
        world.ready(listener, Interest::READ);
        world.sys.close(client);
        // For longer than a reset takes.
        world.quiet(bystander);
        let server = world.accept(listener);
        let end = world.read(server);
        assert!(end == Ok(Vec::new()) || end == Err(Errno::CONNRESET), "{end:?}");
        world.sys.close(listener);
    }
}

fn a_port_that_nobody_listens_on_refuses(world: &World) {
    let (listener, address) = world.listen(1);
    world.sys.close(listener);
    assert_eq!(world.try_connect(address), Err(Errno::CONNREFUSED));
}

fn a_port_is_bound_once_and_only_on_this_machine(world: &World) {
    let (listener, address) = world.listen(1);
    assert_eq!(world.sys.listen(address, 1), Err(Errno::ADDRINUSE));
    world.sys.close(listener);
    let again = world.sys.listen(address, 1).expect("it is free again");
    world.sys.close(again);
    let elsewhere = SocketAddr::from(([192, 0, 2, 1], 0));
    assert_eq!(world.sys.listen(elsewhere, 1), Err(Errno::ADDRNOTAVAIL));
}

fn both_ends_know_their_addresses(world: &World) {
    let (client, server) = world.pair();
    let [asked, accepted] = [client, server].map(|end| {
        (world.sys.local_address(end).expect("bound"), world.sys.peer_address(end).expect("connected"))
    });
    assert_eq!(asked, (accepted.1, accepted.0));
    let (listener, address) = world.listen(0);
    assert_eq!(world.sys.peer_address(listener), Err(Errno::NOTCONN));
    // A queue for none holds one; the next connection does not stand yet.
    world.try_connect(address).expect("there is room");
    let waiting = world.sys.connect(address).expect("it begins");
    assert_eq!(world.sys.peer_address(waiting), Err(Errno::NOTCONN));
}

fn k10_a_backlog_of_none_holds_one(world: &World) {
    let (listener, address) = world.listen(0);
    let first = world.try_connect(address).expect("there is room for one");
    let second = world.sys.connect(address).expect("it begins");
    world.quiet_for(second, Interest::WRITE);
    assert_eq!(world.sys.take_error(second), Ok(None), "it is not refused");
    let server = world.accept(listener);
    assert_eq!(world.sys.write(first, b"x"), Ok(1));
    assert_eq!(world.read(server).as_deref(), Ok(&b"x"[..]));
}

fn k10_whoever_hangs_gets_the_place_that_becomes_free_when_it_tries_again(world: &World) {
    let (listener, address) = world.listen(0);
    let first = world.try_connect(address).expect("there is room for one");
    let second = world.sys.connect(address).expect("it begins");
    world.quiet_for(second, Interest::WRITE);
    world.accept(listener);
    assert!(world.ready(second, Interest::WRITE).writable, "after about a second");
    assert_eq!(world.sys.take_error(second), Ok(None));
    let server = world.accept(listener);
    assert_eq!(world.sys.peer_address(server), world.sys.local_address(second));
    assert_ne!(world.sys.peer_address(server), world.sys.local_address(first));
}

fn connections_are_accepted_in_the_order_in_which_they_came_to_stand(world: &World) {
    let (listener, address) = world.listen(8);
    let clients = [(); 5].map(|()| world.try_connect(address).expect("it listens"));
    for client in clients {
        world.ready(listener, Interest::READ);
        let (server, peer) = world.sys.accept(listener).expect("one is in the queue");
        assert_eq!(Ok(peer), world.sys.local_address(client));
        assert_eq!(world.sys.local_address(server), Ok(address));
    }
    assert_eq!(world.sys.accept(listener), Err(Errno::AGAIN));
}

fn k12_who_was_accepted_survives_the_end_of_the_listener_and_who_was_not_does_not(world: &World) {
    let (listener, address) = world.listen(8);
    let accepted = world.try_connect(address).expect("it listens");
    let server = world.accept(listener);
    let queued = [(); 3].map(|()| world.try_connect(address).expect("it listens"));
    assert_eq!(world.sys.write(queued[0], b"request"), Ok(7));
    world.sys.close(listener);
    for client in queued {
        assert_eq!(world.read(client), Err(Errno::CONNRESET));
    }
    assert_eq!(world.sys.write(server, b"still"), Ok(5));
    assert_eq!(world.read(accepted).as_deref(), Ok(&b"still"[..]));
}

fn k15_what_a_client_sent_before_it_left_the_queue_is_read_and_then_its_end(world: &World) {
    let (listener, address) = world.listen(8);
    let client = world.try_connect(address).expect("it listens");
    assert_eq!(world.sys.write(client, b"last words"), Ok(10));
    world.sys.close(client);
    let server = world.accept(listener);
    assert_eq!(world.read(server).as_deref(), Ok(&b"last words"[..]));
    assert_eq!(world.read(server).as_deref(), Ok(&b""[..]));
    assert_eq!(world.sys.accept(listener), Err(Errno::AGAIN));
}

fn a_connection_that_was_refused_says_so_once_and_is_none(world: &World) {
    let (listener, address) = world.listen(1);
    world.sys.close(listener);
    let refused = world.sys.connect(address).expect("it begins");
    let told = world.ready(refused, Interest::WRITE);
    assert!(told.readable && told.writable && told.ended, "{told:?}");
    assert_eq!(world.sys.take_error(refused), Ok(Some(Errno::CONNREFUSED)));
    assert_eq!(world.sys.take_error(refused), Ok(None));
    assert_eq!(world.sys.write(refused, b"x"), Err(Errno::PIPE));
    assert_eq!(world.read(refused).as_deref(), Ok(&b""[..]));
    assert_eq!(world.sys.peer_address(refused), Err(Errno::NOTCONN));
}

fn a_connection_that_does_not_stand_yet_says_try_again(world: &World) {
    let (_listener, address) = world.listen(0);
    world.try_connect(address).expect("there is room for one");
    let waiting = world.sys.connect(address).expect("it begins");
    assert_eq!(world.sys.write(waiting, b"x"), Err(Errno::AGAIN));
    assert_eq!(world.sys.read(waiting, &mut [0]), Err(Errno::AGAIN));
    assert_eq!(world.sys.take_error(waiting), Ok(None));
    world.quiet_for(waiting, Interest::READ | Interest::WRITE);
    world.sys.close(waiting);
}

fn a_port_is_free_although_its_connections_are_still_ending(world: &World) {
    let (listener, address) = world.listen(8);
    let client = world.try_connect(address).expect("it listens");
    let server = world.accept(listener);
    // Who ends first keeps the pair of addresses for a minute (TIME_WAIT).
    world.sys.close(server);
    assert_eq!(world.read(client).as_deref(), Ok(&b""[..]));
    world.sys.close(client);
    world.sys.close(listener);
    let again = world.sys.listen(address, 8).expect("SO_REUSEADDR");
    world.try_connect(address).expect("it listens");
    world.accept(again);
}

fn a_listener_on_all_addresses_has_its_port_on_each_of_them(world: &World) {
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let listener = world.sys.listen(everywhere, 8).expect("a free port");
    let port = world.sys.local_address(listener).expect("it is bound").port();
    assert_eq!(world.sys.listen(local(port), 8), Err(Errno::ADDRINUSE));
    let client = world.try_connect(local(port)).expect("it listens");
    let server = world.accept(listener);
    assert_eq!(world.sys.local_address(server), Ok(local(port)), "the one that was asked for");
    assert_eq!(world.sys.peer_address(client), Ok(local(port)));
    let (_one, address) = world.listen(8);
    assert_eq!(world.sys.listen(SocketAddr::from(([0, 0, 0, 0], address.port())), 8), Err(Errno::ADDRINUSE));
}

fn listeners_on_any_port_have_different_ones(world: &World) {
    let mut ports: Vec<_> = (0..10).map(|_| world.listen(1).1.port()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 10);
    assert!(ports.iter().all(|port| *port >= 1024));
}

fn who_gives_up_a_connection_that_does_not_stand_is_told_so(world: &World) {
    for how in [ShutdownHow::Read, ShutdownHow::Write, ShutdownHow::Both] {
        let (_listener, address) = world.listen(0);
        world.connect(address);
        let waiting = world.sys.connect(address).unwrap();
        assert_eq!(world.sys.shutdown(waiting, how), Ok(()));
        let told = world.ready(waiting, Interest::READ);
        assert!(told.readable && told.ended, "{told:?}");
        assert_eq!(world.read(waiting), Err(Errno::CONNRESET));
        assert_eq!(world.read(waiting), Err(Errno::NOTCONN));
        assert_eq!(world.sys.peer_address(waiting), Err(Errno::NOTCONN));
    }
}

fn a_listener_has_no_error_and_takes_no_bytes(world: &World) {
    let (listener, _) = world.listen(1);
    assert_eq!(world.sys.take_error(listener), Ok(None));
    assert_eq!(world.sys.write(listener, b"x"), Err(Errno::PIPE));
}
