//! Is the simulated kernel true? One body a fact, over the system itself, run on both kernels.
//!
//! The ids are those of the observed kernel facts that the simulator must honour.

use harness::Sim;
use host_core::sys::{Errno, Handle, Interest, PollEvent, Readiness, ShutdownHow, Sys};
use host_core::time::Instant;
use host_sim::{Choices, Pool};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// How long something that takes microseconds may take; a bound, not a wait.
const BOUND: Duration = Duration::from_secs(10);
/// How long nothing must happen to count as nothing. In the simulator this is exact.
const QUIET: Duration = Duration::from_millis(20);

/// Runs `body` on the simulated kernel and on the real one.
fn on_both_kernels(body: fn(&World)) {
    let mut sim = Sim::new(Choices::seeded(1), &Pool::default());
    sim.run_process(move |sys| body(&World { sys }));
    body(&World { sys: Rc::new(host_sys::Linux::new().expect("a poller")) });
}

/// A kernel, with what most facts need.
struct World {
    sys: Rc<dyn Sys>,
}

impl World {
    fn listen(&self, backlog: u32) -> (Handle, SocketAddr) {
        let listener = self.sys.listen(local(0), backlog).expect("a free port");
        (listener, self.sys.local_address(listener).expect("it is bound"))
    }

    fn deadline(&self, after: Duration) -> Option<Instant> {
        Some(self.sys.now() + after)
    }

    /// Waits until `handle` is ready; how.
    fn ready(&self, handle: Handle, interest: Interest) -> Readiness {
        self.sys.wait(handle, interest, self.deadline(BOUND)).expect("it becomes ready")
    }

    /// Demands that nothing happens to `handle`.
    fn quiet(&self, handle: Handle, interest: Interest) {
        let answer = self.sys.wait(handle, interest, self.deadline(QUIET));
        assert_eq!(answer, Err(Errno::TIMEDOUT));
    }

    /// Begins to connect, and waits until the connection stands or has failed.
    fn connect(&self, address: SocketAddr) -> Result<Handle, Errno> {
        let client = self.sys.connect(address)?;
        self.ready(client, Interest::WRITE);
        self.sys.take_error(client)?.map_or(Ok(client), Err)
    }

    fn accept(&self, listener: Handle) -> Handle {
        self.ready(listener, Interest::READ);
        self.sys.accept(listener).expect("one is in the queue").0
    }

    /// Both ends of a connection: the one that asked, the one that was accepted.
    fn pair(&self) -> (Handle, Handle) {
        let (listener, address) = self.listen(8);
        let client = self.connect(address).expect("it listens");
        let server = self.accept(listener);
        self.sys.close(listener);
        (client, server)
    }

    /// Waits for bytes, the end or an error.
    fn read(&self, handle: Handle) -> Result<Vec<u8>, Errno> {
        self.ready(handle, Interest::READ);
        let mut buffer = [0; 4096];
        self.sys.read(handle, &mut buffer).map(|count| buffer[..count].to_vec())
    }

    fn look(&self) -> Vec<PollEvent> {
        self.wait_for_events(Some(Instant::ZERO))
    }

    fn wait_for_events(&self, deadline: Option<Instant>) -> Vec<PollEvent> {
        let mut events = Vec::new();
        self.sys.poll_wait(&mut events, deadline).expect("nothing interrupts it");
        events.sort_by_key(|event| event.key);
        events
    }

    /// The keys that are reported, waiting for at least one.
    fn keys(&self) -> Vec<u64> {
        self.wait_for_events(self.deadline(BOUND)).iter().map(|event| event.key).collect()
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[test]
fn k10_a_backlog_of_n_holds_n_and_one_and_the_rest_hang_without_being_refused() {
    on_both_kernels(|world| {
        let (_listener, address) = world.listen(2);
        for _ in 0..3 {
            world.connect(address).expect("there is room");
        }
        let fourth = world.sys.connect(address).expect("it begins");
        world.quiet(fourth, Interest::WRITE);
    });
}

#[test]
fn k12_closing_the_last_holder_of_a_listener_resets_those_in_its_queue() {
    on_both_kernels(|world| {
        let (listener, address) = world.listen(8);
        let client = world.connect(address).expect("it listens");
        world.sys.close(listener);
        assert_eq!(world.read(client), Err(Errno::CONNRESET));
        assert_eq!(world.connect(address), Err(Errno::CONNREFUSED), "nobody listens any more");
    });
}

#[test]
fn k14_a_close_with_everything_read_is_an_end_and_with_something_unread_a_reset() {
    on_both_kernels(|world| {
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
    });
}

#[test]
fn k15_a_connection_that_was_reset_before_it_was_accepted_is_accepted_all_the_same() {
    on_both_kernels(|world| {
        let (listener, address) = world.listen(8);
        let client = world.connect(address).expect("it listens");
        // It is gone: what is written to it will bring a reset.
        world.sys.close(client);
        let server = world.accept(listener);
        assert_eq!(world.read(server).as_deref(), Ok(&b""[..]));
        assert_eq!(world.sys.write(server, b"x"), Ok(1), "the first write finds out");
        let ended = world.ready(server, Interest::READ);
        assert!(ended.ended);
    });
}

#[test]
fn a_port_that_nobody_listens_on_refuses() {
    on_both_kernels(|world| {
        let (listener, address) = world.listen(1);
        world.sys.close(listener);
        assert_eq!(world.connect(address), Err(Errno::CONNREFUSED));
    });
}

#[test]
fn a_port_is_bound_once_and_only_on_this_machine() {
    on_both_kernels(|world| {
        let (listener, address) = world.listen(1);
        assert_eq!(world.sys.listen(address, 1), Err(Errno::ADDRINUSE));
        world.sys.close(listener);
        let again = world.sys.listen(address, 1).expect("it is free again");
        world.sys.close(again);
        let elsewhere = SocketAddr::from(([192, 0, 2, 1], 0));
        assert_eq!(world.sys.listen(elsewhere, 1), Err(Errno::ADDRNOTAVAIL));
    });
}

#[test]
fn an_empty_queue_and_an_empty_stream_say_try_again() {
    on_both_kernels(|world| {
        let (listener, _) = world.listen(1);
        assert_eq!(world.sys.accept(listener), Err(Errno::AGAIN));
        let (client, _server) = world.pair();
        assert_eq!(world.sys.read(client, &mut [0; 8]), Err(Errno::AGAIN));
        world.quiet(client, Interest::READ);
        assert!(world.ready(client, Interest::WRITE).writable);
    });
}

#[test]
fn bytes_come_in_order_and_a_short_buffer_takes_a_part() {
    on_both_kernels(|world| {
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
    });
}

#[test]
fn a_peer_that_does_not_read_fills_the_stream_and_reading_makes_room() {
    on_both_kernels(|world| {
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
    });
}

#[test]
fn a_half_close_ends_one_direction_and_leaves_the_other() {
    on_both_kernels(|world| {
        let (client, server) = world.pair();
        world.sys.shutdown(client, ShutdownHow::Write).expect("it stands");
        assert_eq!(world.sys.write(client, b"x"), Err(Errno::PIPE));
        let ready = world.ready(server, Interest::READ);
        assert!(ready.readable && ready.ended, "{ready:?}");
        assert_eq!(world.read(server).as_deref(), Ok(&b""[..]));
        assert_eq!(world.sys.write(server, b"still"), Ok(5));
        assert_eq!(world.read(client).as_deref(), Ok(&b"still"[..]));
    });
}

#[test]
fn writing_to_a_peer_that_closed_brings_a_reset_and_then_a_broken_pipe() {
    on_both_kernels(|world| {
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
    });
}

#[test]
fn a_closed_handle_is_bad_and_never_names_the_next_one() {
    on_both_kernels(|world| {
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
    });
}

#[test]
fn the_poller_reports_while_something_holds_and_only_what_was_asked_for() {
    on_both_kernels(|world| {
        let (client, server) = world.pair();
        world.sys.poll_add(server, 7, Interest::READ).expect("not registered yet");
        assert_eq!(world.sys.poll_add(server, 8, Interest::READ), Err(Errno::EXIST));
        assert_eq!(world.look(), []);
        assert_eq!(world.sys.write(client, b"xy"), Ok(2));
        for _ in 0..3 {
            assert_eq!(world.keys(), [7], "level-triggered: as long as it is unread");
        }
        world.sys.poll_modify(server, 9, Interest::WRITE).expect("it is registered");
        let events = world.look();
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].key, events[0].readiness.writable), (9, true));
        world.sys.poll_delete(server).expect("it is registered");
        assert_eq!(world.look(), []);
        assert_eq!(world.sys.poll_delete(server), Err(Errno::NOENT));
        assert_eq!(world.sys.poll_modify(server, 9, Interest::WRITE), Err(Errno::NOENT));
    });
}

#[test]
fn the_poller_reports_an_end_as_readable_and_a_reset_as_both() {
    on_both_kernels(|world| {
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
    });
}

#[test]
fn what_is_taken_out_of_the_poller_and_put_in_again_is_reported_once() {
    on_both_kernels(|world| {
        let (client, server) = world.pair();
        assert_eq!(world.sys.write(client, b"x"), Ok(1));
        world.ready(server, Interest::READ);
        for _ in 0..5 {
            world.sys.poll_add(server, 1, Interest::READ).expect("not registered");
            assert_eq!(world.keys(), [1]);
            world.sys.poll_delete(server).expect("it is registered");
        }
        assert_eq!(world.look(), []);
    });
}

#[test]
fn an_end_of_sending_is_told_to_readers_only_and_an_end_of_both_to_everybody() {
    on_both_kernels(|world| {
        let (client, server) = world.pair();
        world.sys.poll_add(client, 1, Interest::READ).expect("not registered yet");
        world.sys.shutdown(server, ShutdownHow::Write).expect("it stands");
        let events = world.wait_for_events(world.deadline(BOUND));
        assert_eq!(events[0].readiness, Readiness { readable: true, writable: false, ended: true });
        world.sys.poll_modify(client, 1, Interest::WRITE).expect("it is registered");
        let events = world.look();
        assert_eq!(events[0].readiness, Readiness { readable: false, writable: true, ended: false });

        world.sys.poll_modify(client, 1, Interest::READ).expect("it is registered");
        world.sys.shutdown(client, ShutdownHow::Write).expect("it stands");
        let events = world.look();
        assert_eq!(events[0].readiness, Readiness { readable: true, writable: true, ended: true });
    });
}

#[test]
fn a_peer_that_finished_sending_makes_no_room_for_writing() {
    on_both_kernels(|world| {
        let (client, server) = world.pair();
        world.sys.shutdown(server, ShutdownHow::Write).expect("it stands");
        world.ready(client, Interest::READ);
        while world.sys.wait(client, Interest::WRITE, world.deadline(QUIET)).is_ok() {
            world.sys.write(client, &[0; 65536]).expect("whoever is told that there is room has it");
        }
        // Here the wait has ended by its deadline, and not by the end of the peer.
    });
}

#[test]
fn the_poller_reports_a_listener_until_its_queue_is_empty() {
    on_both_kernels(|world| {
        let (listener, address) = world.listen(8);
        world.sys.poll_add(listener, 3, Interest::READ).expect("not registered yet");
        let clients = [(); 2].map(|()| world.connect(address).expect("it listens"));
        for _ in clients {
            assert_eq!(world.keys(), [3]);
            world.accept(listener);
        }
        assert_eq!(world.look(), []);
    });
}

#[test]
fn a_wait_with_a_deadline_ends_at_it_and_not_before() {
    on_both_kernels(|world| {
        let begun = world.sys.now();
        let deadline = begun + QUIET;
        assert_eq!(world.wait_for_events(Some(deadline)), []);
        assert!(world.sys.now() >= deadline);
    });
}

#[test]
fn both_ends_know_their_addresses() {
    on_both_kernels(|world| {
        let (client, server) = world.pair();
        let [asked, accepted] = [client, server].map(|end| {
            (world.sys.local_address(end).expect("bound"), world.sys.peer_address(end).expect("connected"))
        });
        assert_eq!(asked, (accepted.1, accepted.0));
        let (listener, address) = world.listen(0);
        assert_eq!(world.sys.peer_address(listener), Err(Errno::NOTCONN));
        // A queue for none holds one; the next connection does not stand yet.
        world.connect(address).expect("there is room");
        let waiting = world.sys.connect(address).expect("it begins");
        assert_eq!(world.sys.peer_address(waiting), Err(Errno::NOTCONN));
    });
}

#[test]
fn what_is_no_connection_cannot_be_read_or_accepted_from() {
    on_both_kernels(|world| {
        let (listener, _) = world.listen(1);
        assert_eq!(world.sys.shutdown(listener, ShutdownHow::Write), Ok(()), "and nothing comes of it");
        assert_eq!(world.sys.read(listener, &mut [0]), Err(Errno::NOTCONN));
        let (client, _server) = world.pair();
        assert_eq!(world.sys.accept(client), Err(Errno::INVAL));
    });
}

#[test]
fn a_panic_of_user_code_is_a_value() {
    on_both_kernels(|world| {
        assert_eq!(world.sys.run_user(&mut || {}), Ok(()));
        let caught = world.sys.run_user(&mut || panic!("number {}", 7)).expect_err("it panics");
        assert_eq!(caught.message, "number 7");
    });
}

#[test]
fn k10_a_backlog_of_none_holds_one() {
    on_both_kernels(|world| {
        let (listener, address) = world.listen(0);
        let first = world.connect(address).expect("there is room for one");
        let second = world.sys.connect(address).expect("it begins");
        world.quiet(second, Interest::WRITE);
        assert_eq!(world.sys.take_error(second), Ok(None), "it is not refused");
        let server = world.accept(listener);
        assert_eq!(world.sys.write(first, b"x"), Ok(1));
        assert_eq!(world.read(server).as_deref(), Ok(&b"x"[..]));
    });
}

#[test]
fn k10_whoever_hangs_gets_the_place_that_becomes_free_when_it_tries_again() {
    on_both_kernels(|world| {
        let (listener, address) = world.listen(0);
        let first = world.connect(address).expect("there is room for one");
        let second = world.sys.connect(address).expect("it begins");
        world.quiet(second, Interest::WRITE);
        world.accept(listener);
        assert!(world.ready(second, Interest::WRITE).writable, "after about a second");
        assert_eq!(world.sys.take_error(second), Ok(None));
        let server = world.accept(listener);
        assert_eq!(world.sys.peer_address(server), world.sys.local_address(second));
        assert_ne!(world.sys.peer_address(server), world.sys.local_address(first));
    });
}

#[test]
fn connections_are_accepted_in_the_order_in_which_they_came_to_stand() {
    on_both_kernels(|world| {
        let (listener, address) = world.listen(8);
        let clients = [(); 5].map(|()| world.connect(address).expect("it listens"));
        for client in clients {
            world.ready(listener, Interest::READ);
            let (server, peer) = world.sys.accept(listener).expect("one is in the queue");
            assert_eq!(Ok(peer), world.sys.local_address(client));
            assert_eq!(world.sys.local_address(server), Ok(address));
        }
        assert_eq!(world.sys.accept(listener), Err(Errno::AGAIN));
    });
}

#[test]
fn k12_who_was_accepted_survives_the_end_of_the_listener_and_who_was_not_does_not() {
    on_both_kernels(|world| {
        let (listener, address) = world.listen(8);
        let accepted = world.connect(address).expect("it listens");
        let server = world.accept(listener);
        let queued = [(); 3].map(|()| world.connect(address).expect("it listens"));
        assert_eq!(world.sys.write(queued[0], b"request"), Ok(7));
        world.sys.close(listener);
        for client in queued {
            assert_eq!(world.read(client), Err(Errno::CONNRESET));
        }
        assert_eq!(world.sys.write(server, b"still"), Ok(5));
        assert_eq!(world.read(accepted).as_deref(), Ok(&b"still"[..]));
    });
}

#[test]
fn k14_what_was_sent_before_a_reset_is_read_before_it() {
    on_both_kernels(|world| {
        let (client, server) = world.pair();
        assert_eq!(world.sys.write(client, b"unread"), Ok(6));
        world.ready(server, Interest::READ);
        assert_eq!(world.sys.write(server, b"answer"), Ok(6));
        world.sys.close(server);
        // Until the reset is there as well.
        while !world.ready(client, Interest::READ).writable {}
        assert_eq!(world.read(client).as_deref(), Ok(&b"answer"[..]));
        while world.sys.wait(client, Interest::WRITE, world.deadline(BOUND)).is_ok_and(|ready| !ready.ended) {
        }
        assert_eq!(world.read(client), Err(Errno::CONNRESET));
        assert_eq!(world.read(client).as_deref(), Ok(&b""[..]));
    });
}

#[test]
fn k14_a_half_closed_connection_whose_last_words_are_not_read_is_reset() {
    on_both_kernels(|world| {
        let (client, server) = world.pair();
        assert_eq!(world.sys.write(client, b"last words"), Ok(10));
        world.sys.shutdown(client, ShutdownHow::Write).expect("it stands");
        while !world.ready(server, Interest::READ).ended {}
        world.sys.close(server);
        assert_eq!(world.read(client), Err(Errno::CONNRESET));
    });
}

#[test]
fn k15_what_a_client_sent_before_it_left_the_queue_is_read_and_then_its_end() {
    on_both_kernels(|world| {
        let (listener, address) = world.listen(8);
        let client = world.connect(address).expect("it listens");
        assert_eq!(world.sys.write(client, b"last words"), Ok(10));
        world.sys.close(client);
        let server = world.accept(listener);
        assert_eq!(world.read(server).as_deref(), Ok(&b"last words"[..]));
        assert_eq!(world.read(server).as_deref(), Ok(&b""[..]));
        assert_eq!(world.sys.accept(listener), Err(Errno::AGAIN));
    });
}

#[test]
fn a_reset_is_told_once_to_whoever_asks_first() {
    on_both_kernels(|world| {
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
    });
}

#[test]
fn two_half_closes_end_a_connection() {
    on_both_kernels(|world| {
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
    });
}

#[test]
fn a_second_half_close_changes_nothing() {
    on_both_kernels(|world| {
        let (client, server) = world.pair();
        for _ in 0..2 {
            assert_eq!(world.sys.shutdown(client, ShutdownHow::Write), Ok(()));
        }
        assert_eq!(world.read(server).as_deref(), Ok(&b""[..]));
        assert_eq!(world.sys.write(server, b"x"), Ok(1));
        assert_eq!(world.read(client).as_deref(), Ok(&b"x"[..]));
    });
}

#[test]
fn an_end_of_reading_is_ones_own_and_what_comes_later_is_still_read() {
    on_both_kernels(|world| {
        let (client, server) = world.pair();
        world.sys.shutdown(client, ShutdownHow::Read).expect("it stands");
        assert_eq!(world.read(client).as_deref(), Ok(&b""[..]));
        world.quiet(server, Interest::READ);
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
    });
}

#[test]
fn an_end_of_both_directions_is_an_end_for_the_peer_too() {
    on_both_kernels(|world| {
        let (client, server) = world.pair();
        world.sys.shutdown(client, ShutdownHow::Both).expect("it stands");
        assert_eq!(world.sys.write(client, b"x"), Err(Errno::PIPE));
        assert_eq!(world.read(client).as_deref(), Ok(&b""[..]));
        assert_eq!(world.read(server).as_deref(), Ok(&b""[..]));
    });
}

#[test]
fn a_connection_that_was_refused_says_so_once_and_is_none() {
    on_both_kernels(|world| {
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
    });
}

#[test]
fn a_connection_that_does_not_stand_yet_says_try_again() {
    on_both_kernels(|world| {
        let (_listener, address) = world.listen(0);
        world.connect(address).expect("there is room for one");
        let waiting = world.sys.connect(address).expect("it begins");
        assert_eq!(world.sys.write(waiting, b"x"), Err(Errno::AGAIN));
        assert_eq!(world.sys.read(waiting, &mut [0]), Err(Errno::AGAIN));
        assert_eq!(world.sys.take_error(waiting), Ok(None));
        world.quiet(waiting, Interest::READ | Interest::WRITE);
        world.sys.close(waiting);
    });
}

#[test]
fn nothing_is_read_into_no_room_and_nothing_written_of_nothing() {
    on_both_kernels(|world| {
        let (client, server) = world.pair();
        assert_eq!(world.sys.write(client, b""), Ok(0));
        assert_eq!(world.sys.write(client, b"x"), Ok(1));
        world.ready(server, Interest::READ);
        assert_eq!(world.sys.read(server, &mut []), Ok(0));
        assert_eq!(world.read(server).as_deref(), Ok(&b"x"[..]), "and it is no end");
    });
}

#[test]
fn a_port_is_free_although_its_connections_are_still_ending() {
    on_both_kernels(|world| {
        let (listener, address) = world.listen(8);
        let client = world.connect(address).expect("it listens");
        let server = world.accept(listener);
        // Who ends first keeps the pair of addresses for a minute (TIME_WAIT).
        world.sys.close(server);
        assert_eq!(world.read(client).as_deref(), Ok(&b""[..]));
        world.sys.close(client);
        world.sys.close(listener);
        let again = world.sys.listen(address, 8).expect("SO_REUSEADDR");
        world.connect(address).expect("it listens");
        world.accept(again);
    });
}

#[test]
fn a_listener_on_all_addresses_has_its_port_on_each_of_them() {
    on_both_kernels(|world| {
        let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let listener = world.sys.listen(everywhere, 8).expect("a free port");
        let port = world.sys.local_address(listener).expect("it is bound").port();
        assert_eq!(world.sys.listen(local(port), 8), Err(Errno::ADDRINUSE));
        let client = world.connect(local(port)).expect("it listens");
        let server = world.accept(listener);
        assert_eq!(world.sys.local_address(server), Ok(local(port)), "the one that was asked for");
        assert_eq!(world.sys.peer_address(client), Ok(local(port)));
        let (_one, address) = world.listen(8);
        assert_eq!(
            world.sys.listen(SocketAddr::from(([0, 0, 0, 0], address.port())), 8),
            Err(Errno::ADDRINUSE)
        );
    });
}

#[test]
fn listeners_on_any_port_have_different_ones() {
    on_both_kernels(|world| {
        let mut ports: Vec<_> = (0..10).map(|_| world.listen(1).1.port()).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 10);
        assert!(ports.iter().all(|port| *port >= 1024));
    });
}

#[test]
fn the_poller_reports_all_that_is_ready_each_under_its_key() {
    on_both_kernels(|world| {
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
    });
}

#[test]
fn a_handle_that_one_process_holds_leaves_the_poller_when_it_is_closed() {
    on_both_kernels(|world| {
        let (client, server) = world.pair();
        assert_eq!(world.sys.write(client, b"x"), Ok(1));
        world.ready(server, Interest::READ);
        world.sys.poll_add(server, 1, Interest::READ).expect("not registered yet");
        assert_eq!(world.keys(), [1]);
        world.sys.close(server);
        assert_eq!(world.look(), []);
    });
}

#[test]
fn who_wants_nothing_is_told_nothing_not_even_the_end() {
    on_both_kernels(|world| {
        let (client, server) = world.pair();
        world.sys.poll_add(client, 1, Interest::NONE).expect("not registered yet");
        assert_eq!(world.sys.write(client, b"unread"), Ok(6));
        world.ready(server, Interest::READ);
        world.sys.close(server);
        world.ready(client, Interest::READ);
        assert_eq!(world.look(), []);
        world.quiet(client, Interest::NONE);
        world.sys.poll_modify(client, 2, Interest::READ).expect("it is registered");
        assert_eq!(world.keys(), [2]);
        world.sys.poll_modify(client, 3, Interest::NONE).expect("it is registered");
        assert_eq!(world.look(), []);
        world.sys.poll_delete(client).expect("it is registered");
    });
}

#[test]
fn a_deadline_that_has_passed_is_a_look() {
    on_both_kernels(|world| {
        let (client, server) = world.pair();
        let look = || world.sys.wait(server, Interest::READ, Some(Instant::ZERO));
        assert_eq!(look(), Err(Errno::TIMEDOUT));
        assert_eq!(world.sys.write(client, b"x"), Ok(1));
        world.ready(server, Interest::READ);
        assert!(look().is_ok_and(|ready| ready.readable));
        assert_eq!(world.look(), [], "nothing is registered");
    });
}

#[test]
fn the_clock_never_goes_back_and_the_wall_clock_is_past_2020() {
    on_both_kernels(|world| {
        let mut last = world.sys.now();
        for _ in 0..1000 {
            let now = world.sys.now();
            assert!(now >= last);
            last = now;
        }
        assert!(world.sys.wall().0 > 1_577_836_800 * 1_000_000_000);
    });
}

#[test]
fn random_numbers_differ() {
    on_both_kernels(|world| {
        let mut numbers: Vec<_> = (0..100).map(|_| world.sys.random()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 100);
    });
}

#[test]
fn a_recording_is_appended_to_until_it_is_closed_and_takes_the_place_of_the_one_before() {
    let path = || format!("/tmp/conformance-{}.rec", std::process::id());
    on_both_kernels(|world| {
        let path = format!("/tmp/conformance-{}.rec", std::process::id());
        let (create, write) =
            (|path: &str| world.sys.record_create(path), |file, bytes| world.sys.record_write(file, bytes));
        assert_eq!(create("/tmp/no-such-directory/x.rec"), Err(Errno::NOENT));
        let first = create(&path).expect("the directory is there");
        assert_eq!([write(first, b"one"), write(first, b"")], [Ok(3), Ok(0)]);
        let second = create(&path).expect("the first one makes room");
        assert_eq!([write(first, b"two"), write(second, b"three")], [Ok(3), Ok(5)]);
        world.sys.close(first);
        assert_eq!([write(first, b"x"), write(second, b"x")], [Err(Errno::BADF), Ok(1)]);
        world.sys.close(second);
        let (listener, _) = world.listen(1);
        assert_eq!(write(listener, b"x"), Err(Errno::BADF), "it is none");
    });
    // Those of the real kernel.
    for (name, expected) in [(path(), "threex"), (path() + ".1", "onetwo")] {
        assert_eq!(std::fs::read_to_string(&name).expect("it was written"), expected);
        std::fs::remove_file(name).expect("it is ours");
    }
}
