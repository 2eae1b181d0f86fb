//! Listeners and connections that several processes hold, and who is woken.

use crate::arms::Case;
use crate::world::{QUIET, World, local};
use host_core::sys::{Child, Errno, ExitStatus, Handle, Interest, Signal};
use std::net::SocketAddr;

pub(crate) const CASES: &[Case] = cases![
    k11_a_stopped_worker_has_clients_that_are_connected_to_nobody,
    k11_a_stopped_worker_leaves_its_queue_to_others,
    k11_a_worker_that_is_stopped_while_it_waits_takes_no_wake_from_others,
    k12_a_queue_survives_while_anybody_holds_the_listener,
    k12_a_child_that_did_not_keep_a_listener_does_not_hold_it,
    k13_a_killed_worker_loses_none_that_are_queued,
    k13_closing_one_of_several_spread_sockets_resets_what_is_queued_there_and_nothing_else,
    k12_a_spread_socket_that_another_process_holds_keeps_its_queue,
    k13_connections_are_spread_over_the_sockets_of_a_group_whether_anybody_accepts_or_not,
    k13_a_killed_worker_of_a_group_loses_none_while_its_host_holds_the_socket,
    a_group_of_spread_sockets_has_its_address_alone,
    k14_what_a_killed_worker_had_read_decides_what_its_client_sees,
    k15_a_client_that_died_in_the_queue_is_accepted_by_a_worker_all_the_same,
    k16_a_worker_without_descriptors_leaves_the_connection_to_others,
    k27_a_connection_wakes_some_of_those_that_share_a_listener_and_one_accepts_it,
    k27_each_of_many_connections_is_accepted_once,
    k27_if_nobody_waits_all_see_the_connection_when_they_look,
    k27_a_shared_registration_looks_at_what_is_there,
    k27_a_shared_registration_may_be_changed,
    whoever_waits_for_a_listener_in_a_call_of_its_own_is_woken_and_one_accepts,
    a_port_is_taken_while_a_child_holds_its_listener,
    a_listener_of_a_child_is_reached_by_its_parent,
    a_connection_ends_with_the_last_process_that_holds_it,
    a_shutdown_by_one_holder_is_one_for_all,
    a_connection_is_read_by_whoever_holds_it,
];

fn k11_a_stopped_worker_has_clients_that_are_connected_to_nobody(world: &World) {
    let told = world.news_handle();
    let (listener, address) = world.listen(3);
    let (child, line) = world.fork_on_line(&[listener], move |child, line| {
        child.write(line, b"ready");
        for _ in 0..4 {
            let client = child.accept(listener);
            child.write(client, b"hi");
        }
        0
    });
    world.hear(line, b"ready");
    world.stop(told, child);
    let clients = [(); 4].map(|()| world.connect(address));
    let fifth = world.sys.connect(address).unwrap();
    assert_eq!(world.sys.wait(fifth, Interest::WRITE, world.deadline(QUIET)), Err(Errno::TIMEDOUT));
    for client in clients {
        world.write(client, b"anybody?");
        world.quiet(client);
    }
    world.sys.close(fifth);
    world.signal(child, Signal::Cont);
    for client in clients {
        world.hear(client, b"hi");
    }
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn k11_a_stopped_worker_leaves_its_queue_to_others(world: &World) {
    let told = world.news_handle();
    let (listener, address) = world.listen(8);
    let (child, line) = world.fork_on_line(&[listener], move |child, line| {
        child.sys.poll_add_shared(listener, 1).unwrap();
        child.write(line, b"ready");
        child.keys();
        0
    });
    world.hear(line, b"ready");
    world.stop(told, child);
    let client = world.connect(address);
    let server = world.accept(listener);
    world.write(server, b"hi");
    world.hear(client, b"hi");
    world.kill(child);
}

fn k11_a_worker_that_is_stopped_while_it_waits_takes_no_wake_from_others(world: &World) {
    let told = world.news_handle();
    let (listener, address) = world.listen(8);
    let waits = move |child: &World, line| {
        child.sys.poll_add_shared(listener, 1).unwrap();
        child.write(line, b"ready");
        for _ in 0..4 {
            child.keys();
            let client = child.sys.accept(listener).unwrap().0;
            child.write(client, b"hi");
        }
        0
    };
    let workers = [(); 2].map(|()| world.fork_on_line(&[listener], waits));
    for (_, line) in workers {
        world.hear(line, b"ready");
    }
    // Whichever of the two the kernel would wake first: it was stopped in its wait, and waits no longer.
    let [(first, _), (second, _)] = workers;
    world.stop(told, first);
    for _ in 0..4 {
        let client = world.connect(address);
        world.hear(client, b"hi");
    }
    assert_eq!(world.end_of(second), ExitStatus::Code(0));
    world.kill(first);
}

fn k12_a_queue_survives_while_anybody_holds_the_listener(world: &World) {
    let (listener, address) = world.listen(8);
    let holder = world.sleeper(&[listener]);
    let early = world.connect(address);
    world.sys.close(listener);
    let late = world.connect(address);
    world.quiet(early);
    world.quiet(late);
    world.kill(holder);
    for client in [early, late] {
        assert_eq!(world.read(client), Err(Errno::CONNRESET));
    }
    assert_eq!(refusal(world, address), Some(Errno::CONNREFUSED));
}

/// How a connection fails.
fn refusal(world: &World, address: SocketAddr) -> Option<Errno> {
    let client = world.sys.connect(address).unwrap();
    world.ready(client, Interest::WRITE);
    let error = world.sys.take_error(client).unwrap();
    world.sys.close(client);
    error
}

fn k12_a_child_that_did_not_keep_a_listener_does_not_hold_it(world: &World) {
    let (listener, address) = world.listen(8);
    let client = world.connect(address);
    let child = world.sleeper(&[]);
    world.sys.close(listener);
    assert_eq!(world.read(client), Err(Errno::CONNRESET));
    assert_eq!(refusal(world, address), Some(Errno::CONNREFUSED));
    world.kill(child);
}

fn k13_a_killed_worker_loses_none_that_are_queued(world: &World) {
    let (listener, address) = world.listen(16);
    let holder = world.sleeper(&[listener]);
    let clients = [(); 10].map(|()| world.connect(address));
    world.kill(holder);
    let heir = world.fork(&[listener], move |heir| {
        for _ in 0..10 {
            let client = heir.accept(listener);
            heir.write(client, b"hi");
        }
        0
    });
    for client in clients {
        world.hear(client, b"hi");
    }
    assert_eq!(world.end_of(heir), ExitStatus::Code(0));
}

/// A group of spread sockets, and their address.
fn group(world: &World, count: u32) -> (Vec<Handle>, SocketAddr) {
    let anywhere = local(0);
    let sockets = world.sys.listen_spread(anywhere, 64, count).expect("a free port");
    let address = world.sys.local_address(sockets[0]).expect("it is bound");
    for socket in &sockets {
        assert_eq!(world.sys.local_address(*socket), Ok(address));
    }
    (sockets, address)
}

/// So many connections to a group of two that nobody accepts. With so many it is as good as sure that each socket
/// has some.
const MANY: usize = 40;

/// Accepts and greets all that are queued on `sockets`; how many that were. Their ends stay open.
fn greet(world: &World, sockets: &[Handle]) -> usize {
    let all = sockets.iter().flat_map(|socket| std::iter::from_fn(|| world.sys.accept(*socket).ok()));
    all.inspect(|(server, _)| world.write(*server, b"hi")).count()
}

/// How many of these connections were reset; all others were greeted.
fn resets(world: &World, clients: &[Handle]) -> usize {
    let reset = |client: &&Handle| match world.read(**client) {
        Ok(words) => {
            assert_eq!(words, b"hi");
            false
        }
        Err(errno) => {
            assert_eq!(errno, Errno::CONNRESET);
            true
        }
    };
    clients.iter().filter(reset).count()
}

/// Demands that nothing happens to any of these connections.
fn undisturbed(world: &World, clients: &[Handle]) {
    world.quiet(clients[0]);
    assert!(clients.iter().all(|client| world.holds(*client).is_none()));
}

fn k13_closing_one_of_several_spread_sockets_resets_what_is_queued_there_and_nothing_else(world: &World) {
    let (sockets, address) = group(world, 2);
    let clients: Vec<_> = (0..MANY).map(|_| world.connect(address)).collect();
    world.sys.close(sockets[0]);
    let others = greet(world, &sockets[1..]);
    assert!((1..MANY).contains(&others), "{others} of {MANY}");
    assert_eq!(resets(world, &clients), MANY - others);
    // Whoever comes from here on comes to the one that is left.
    let late: Vec<_> = (0..MANY).map(|_| world.connect(address)).collect();
    assert_eq!(greet(world, &sockets[1..]), MANY);
    assert_eq!(resets(world, &late), 0);
}

fn k12_a_spread_socket_that_another_process_holds_keeps_its_queue(world: &World) {
    let (sockets, address) = group(world, 2);
    let holder = world.sleeper(&sockets[..1]);
    let clients: Vec<_> = (0..MANY).map(|_| world.connect(address)).collect();
    world.sys.close(sockets[0]);
    undisturbed(world, &clients);
    let others = greet(world, &sockets[1..]);
    // It is still one of the group: some of those who come later are queued there, too.
    let late: Vec<_> = (0..MANY).map(|_| world.connect(address)).collect();
    let later = greet(world, &sockets[1..]);
    assert!((1..MANY).contains(&later), "{later} of {MANY}");
    world.kill(holder);
    assert_eq!((resets(world, &clients), resets(world, &late)), (MANY - others, MANY - later));
}

fn k13_connections_are_spread_over_the_sockets_of_a_group_whether_anybody_accepts_or_not(world: &World) {
    let (sockets, address) = group(world, 3);
    let idle = world.sleeper(&[sockets[0]]);
    for _ in 0..3 * MANY {
        world.connect(address);
    }
    let queued: Vec<_> = sockets.iter().map(|socket| greet(world, &[*socket])).collect();
    assert!(queued.iter().all(|queued| *queued > 0), "{queued:?}");
    assert_eq!(queued.iter().sum::<usize>(), 3 * MANY, "each is in one queue");
    world.kill(idle);
}

fn k13_a_killed_worker_of_a_group_loses_none_while_its_host_holds_the_socket(world: &World) {
    let (sockets, address) = group(world, 2);
    let workers = [0, 1].map(|_| world.sleeper(&sockets));
    let clients: Vec<_> = (0..MANY).map(|_| world.connect(address)).collect();
    for worker in workers {
        world.kill(worker);
    }
    let heir = world.sleeper(&sockets);
    undisturbed(world, &clients);
    assert_eq!(greet(world, &sockets), MANY);
    assert_eq!(resets(world, &clients), 0);
    world.kill(heir);
}

fn a_group_of_spread_sockets_has_its_address_alone(world: &World) {
    let (sockets, address) = group(world, 2);
    assert_eq!(world.sys.listen_spread(address, 8, 2), Err(Errno::ADDRINUSE), "another group");
    assert_eq!(world.sys.listen(address, 8), Err(Errno::ADDRINUSE), "one alone");
    world.sys.close(sockets[0]);
    assert_eq!(world.sys.listen_spread(address, 8, 1), Err(Errno::ADDRINUSE), "while one is left");
    world.sys.close(sockets[1]);
    let alone = world.sys.listen(address, 8).expect("it is free again");
    assert_eq!(world.sys.listen_spread(address, 8, 2), Err(Errno::ADDRINUSE));
    world.sys.close(alone);
    let again = world.sys.listen_spread(address, 8, 2).expect("it is free again");
    assert_eq!(again.len(), 2);
    // A group of one is a socket like any other.
    let (lonely, address) = group(world, 1);
    let client = world.connect(address);
    let server = world.accept(lonely[0]);
    world.write(server, b"hi");
    world.hear(client, b"hi");
}

fn k14_what_a_killed_worker_had_read_decides_what_its_client_sees(world: &World) {
    for reads in [true, false] {
        let (listener, address) = world.listen(8);
        let (worker, line) = world.fork_on_line(&[listener], move |worker, line| {
            let client = worker.accept(listener);
            worker.ready(client, Interest::READ);
            if reads {
                worker.hear(client, b"request");
            }
            worker.write(line, b"it is there");
            worker.stay()
        });
        let client = world.connect(address);
        world.write(client, b"request");
        world.hear(line, b"it is there");
        world.kill(worker);
        assert_eq!(world.read(client), if reads { Ok(Vec::new()) } else { Err(Errno::CONNRESET) });
        world.sys.close(listener);
    }
}

fn k15_a_client_that_died_in_the_queue_is_accepted_by_a_worker_all_the_same(world: &World) {
    let (listener, address) = world.listen(8);
    let client = world.fork(&[], move |client| {
        let stream = client.connect(address);
        client.write(stream, b"last words");
        0
    });
    assert_eq!(world.end_of(client), ExitStatus::Code(0));
    let worker = world.fork(&[listener], move |worker| {
        let server = worker.accept(listener);
        worker.hear(server, b"last words");
        worker.hear_end(server);
        0
    });
    assert_eq!(world.end_of(worker), ExitStatus::Code(0));
}

fn k16_a_worker_without_descriptors_leaves_the_connection_to_others(world: &World) {
    let (listener, address) = world.listen(8);
    let poor = |served: bool| {
        world.fork(&[listener], move |poor| {
            while poor.sys.channel().is_ok() {}
            // A pair needs two: one may be left.
            while poor.sys.listen(local(0), 1).is_ok() {}
            assert_eq!(poor.holds(listener).is_some(), served);
            for _ in 0..3 {
                assert_eq!(poor.sys.accept(listener), Err(Errno::MFILE), "whether one is there or not");
            }
            assert_eq!(poor.holds(listener).is_some(), served, "what was readable stays so");
            0
        })
    };
    assert_eq!(world.end_of(poor(false)), ExitStatus::Code(0));
    let client = world.connect(address);
    world.ready(listener, Interest::READ);
    assert_eq!(world.end_of(poor(true)), ExitStatus::Code(0));
    let server = world.accept(listener);
    world.write(server, b"late");
    world.hear(client, b"late");
}

/// What a sharer says: that it watches, that it accepted a connection, that another one did.
const WATCHES: u8 = b'w';
const ACCEPTED: u8 = b'a';
const TOO_LATE: u8 = b'l';

/// Children that wait for connections of `listener` with shared registrations, accept and close them, and
/// where they say so: a name and a word.
fn sharers(world: &World, listener: Handle, count: u8) -> (Vec<Child>, Handle) {
    let (mine, theirs) = world.channel();
    let children = (0..count)
        .map(|name| {
            world.fork(&[listener, theirs], move |child| {
                child.sys.poll_add_shared(listener, 1).expect("it is not registered");
                child.write(theirs, &[name, WATCHES]);
                let mut events = Vec::new();
                loop {
                    child.sys.poll_wait(&mut events, None).expect("nothing interrupts it");
                    assert_eq!(events[0].key, 1);
                    match child.sys.accept(listener) {
                        Ok((client, _)) => {
                            child.write(theirs, &[name, ACCEPTED]);
                            child.sys.close(client);
                        }
                        Err(errno) => {
                            assert_eq!(errno, Errno::AGAIN);
                            child.write(theirs, &[name, TOO_LATE]);
                        }
                    }
                }
            })
        })
        .collect();
    world.sys.close(theirs);
    for _ in 0..count {
        assert_eq!(world.message(mine)[1], WATCHES);
    }
    (children, mine)
}

/// Waits until a sharer has accepted a connection; how many were too late for it or for another before.
fn until_accepted(world: &World, line: Handle) -> usize {
    (0..).take_while(|_| world.message(line)[1] != ACCEPTED).count()
}

fn k27_a_connection_wakes_some_of_those_that_share_a_listener_and_one_accepts_it(world: &World) {
    let (listener, address) = world.listen(8);
    let (children, line) = sharers(world, listener, 6);
    let client = world.connect(address);
    until_accepted(world, line);
    world.hear_end(client);
    for child in children {
        world.kill(child);
    }
    // What is left was said by those who were woken as well.
    while let [_, word] = *world.message(line) {
        assert_eq!(word, TOO_LATE);
    }
}

fn k27_each_of_many_connections_is_accepted_once(world: &World) {
    let (listener, address) = world.listen(32);
    let (children, line) = sharers(world, listener, 4);
    for burst in [1, 3, 10] {
        let clients: Vec<_> = (0..burst).map(|_| world.connect(address)).collect();
        for _ in &clients {
            until_accepted(world, line);
        }
        for client in clients {
            world.hear_end(client);
        }
    }
    for child in children {
        world.kill(child);
    }
    while let [_, word] = *world.message(line) {
        assert_eq!(word, TOO_LATE);
    }
}

fn k27_if_nobody_waits_all_see_the_connection_when_they_look(world: &World) {
    let (listener, address) = world.listen(8);
    let children = [(); 3].map(|()| {
        world.fork_on_line(&[listener], move |child, line| {
            child.sys.poll_add_shared(listener, 1).unwrap();
            assert_eq!(child.look(), []);
            child.write(line, b"watching");
            child.obey(line, b"look");
            assert_eq!(child.keys(), [1]);
            assert_eq!(child.keys(), [1], "level-triggered");
            0
        })
    });
    for (_, line) in children {
        world.hear(line, b"watching");
    }
    world.connect(address);
    world.ready(listener, Interest::READ);
    for (child, line) in children {
        world.write(line, b"look");
        assert_eq!(world.end_of(child), ExitStatus::Code(0));
    }
}

fn k27_a_shared_registration_looks_at_what_is_there(world: &World) {
    let (listener, address) = world.listen(8);
    world.connect(address);
    world.ready(listener, Interest::READ);
    let child = world.fork(&[listener], move |child| {
        for key in [1, 2, 3] {
            child.sys.poll_add_shared(listener, key).unwrap();
            assert_eq!(child.sys.poll_add_shared(listener, 9), Err(Errno::EXIST));
            assert_eq!(child.keys(), [key]);
            child.sys.poll_delete(listener).unwrap();
            assert_eq!(child.look(), []);
        }
        0
    });
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn k27_a_shared_registration_may_be_changed(world: &World) {
    let (listener, address) = world.listen(8);
    let child = world.fork(&[listener], move |child| {
        child.sys.poll_add_shared(listener, 1).unwrap();
        // As a loop does that has no descriptors left.
        child.sys.poll_modify(listener, 2, Interest::NONE).unwrap();
        child.connect(address);
        child.ready(listener, Interest::READ);
        assert_eq!(child.look(), []);
        child.sys.poll_modify(listener, 3, Interest::READ).unwrap();
        assert_eq!(child.look(), [3]);
        assert!(child.sys.accept(listener).is_ok());
        assert_eq!(child.look(), []);
        child.connect(address);
        assert_eq!(child.keys(), [3]);
        0
    });
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

fn whoever_waits_for_a_listener_in_a_call_of_its_own_is_woken_and_one_accepts(world: &World) {
    let (listener, address) = world.listen(8);
    let (mine, theirs) = world.channel();
    let children = [(); 3].map(|()| {
        world.fork(&[listener, theirs], move |child| {
            child.write(theirs, &[0, WATCHES]);
            loop {
                // The slower ones may find that it is gone, and wait on.
                child.sys.wait(listener, Interest::READ, None).unwrap();
                match child.sys.accept(listener) {
                    Ok(_) => break,
                    Err(errno) => assert_eq!(errno, Errno::AGAIN),
                }
            }
            child.write(theirs, &[0, ACCEPTED]);
            child.stay()
        })
    });
    for _ in children {
        assert_eq!(world.message(mine)[1], WATCHES);
    }
    world.connect(address);
    assert_eq!(until_accepted(world, mine), 0);
    world.quiet(mine);
    for child in children {
        world.kill(child);
    }
}

fn a_port_is_taken_while_a_child_holds_its_listener(world: &World) {
    let (listener, address) = world.listen(8);
    let holder = world.sleeper(&[listener]);
    world.sys.close(listener);
    assert_eq!(world.sys.listen(address, 8), Err(Errno::ADDRINUSE));
    world.kill(holder);
    let again = world.sys.listen(address, 8).expect("it is free again");
    assert_eq!(world.sys.local_address(again), Ok(address));
}

fn a_listener_of_a_child_is_reached_by_its_parent(world: &World) {
    let (child, line) = world.fork_on_line(&[], |child, line| {
        let (listener, address) = child.listen(4);
        child.write(line, &address.port().to_le_bytes());
        let client = child.accept(listener);
        child.hear(client, b"hello");
        child.write(client, b"hello, parent");
        0
    });
    let port = u16::from_le_bytes(world.message(line).try_into().unwrap());
    let client = world.connect(local(port));
    world.write(client, b"hello");
    world.hear(client, b"hello, parent");
    world.hear_end(client);
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

/// Both ends of a connection: the one that asked, the one that was accepted.
fn pair(world: &World) -> (Handle, Handle) {
    let (listener, address) = world.listen(4);
    let client = world.connect(address);
    let server = world.accept(listener);
    world.sys.close(listener);
    (client, server)
}

fn a_connection_ends_with_the_last_process_that_holds_it(world: &World) {
    let (client, server) = pair(world);
    let holders = [(); 2].map(|()| world.sleeper(&[server]));
    world.sys.close(server);
    for holder in holders {
        world.quiet(client);
        world.kill(holder);
    }
    world.hear_end(client);
}

fn a_shutdown_by_one_holder_is_one_for_all(world: &World) {
    let (client, server) = pair(world);
    let child = world.fork(&[server], move |child| {
        child.sys.shutdown(server, host_core::sys::ShutdownHow::Write).unwrap();
        0
    });
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
    world.hear_end(client);
    assert_eq!(world.sys.write(server, b"x"), Err(Errno::PIPE));
    world.write(client, b"still");
    world.hear(server, b"still");
}

fn a_connection_is_read_by_whoever_holds_it(world: &World) {
    let (client, server) = pair(world);
    world.write(client, b"one");
    world.hear(server, b"one");
    let child = world.fork(&[server], move |child| {
        child.hear(server, b"two");
        child.write(server, b"read");
        0
    });
    world.write(client, b"two");
    world.hear(client, b"read");
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
    world.write(client, b"three");
    world.hear(server, b"three");
    // The child's copy was one of two: its end is not the connection's.
    assert_eq!(world.sys.wait(client, Interest::READ, world.deadline(QUIET)), Err(Errno::TIMEDOUT));
    let signalled = world.sleeper(&[server]);
    world.signal(signalled, Signal::Term);
    assert_eq!(world.end_of(signalled), ExitStatus::Code(0));
    assert_eq!(world.sys.wait(client, Interest::READ, world.deadline(QUIET)), Err(Errno::TIMEDOUT));
}
