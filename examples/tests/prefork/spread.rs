//! Servers each of whose workers has a queue of its own (SO_REUSEPORT).

use crate::kit::process::Process;
use crate::kit::{Program, assert_contains};
use crate::server::{Server, body, get};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const SPREAD: &[&str] = &["--reuse-port"];
/// How many keep coming.
const CLIENTS: usize = 3;

#[test]
fn connections_are_spread_over_all_workers_although_all_are_idle() {
    const CONNECTIONS: usize = 80;
    let server = Server::http(4, SPREAD);
    let clients: Vec<_> = (0..CONNECTIONS).map(|_| server.served()).collect();
    let mut shares: BTreeMap<u32, usize> = BTreeMap::new();
    for (_, worker) in &clients {
        *shares.entry(worker.pid).or_default() += 1;
    }
    println!("the shares of four workers in {CONNECTIONS} connections: {shares:?}");
    // Twenty each, give or take; fewer than four of a fair eighty come once in a million times.
    assert!(shares.len() == 4 && shares.values().all(|share| *share >= 4), "{shares:?}");
}

#[test]
fn k13_scaling_down_and_up_again_under_a_load_of_new_connections_loses_none() {
    let mut server = Server::http(4, SPREAD);
    let address = server.address;
    let over = AtomicBool::new(false);
    let served: usize = thread::scope(|scope| {
        let clients = [(); CLIENTS].map(|()| {
            scope.spawn(|| {
                let mut served = 0;
                while !over.load(Ordering::Relaxed) {
                    come_and_go(address);
                    served += 1;
                }
                served
            })
        });
        for _ in 0..4 {
            for _ in 0..3 {
                server.signal(Signal::TTOU);
                server.notice("ended with exit status 0");
            }
            for _ in 0..3 {
                server.signal(Signal::TTIN);
                server.notice("is ready");
            }
        }
        over.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    println!("{served} connections served, none lost");
    assert!(served > 100, "there was a load: {served}");
}

/// A connection for one request.
fn come_and_go(address: SocketAddr) {
    let mut client = crate::kit::Client::connect(address);
    client.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    assert_eq!(body(&client.rest()), "Hello, World!\n");
}

#[test]
fn a_worker_that_is_replaced_after_its_requests_loses_no_connection() {
    let mut server = Server::http(2, &["--reuse-port", "--max-requests", "20"]);
    for _ in 0..300 {
        come_and_go(server.address);
    }
    server.notices(6, "it has served its number of requests");
}

#[test]
fn k11_whoever_comes_to_the_queue_of_a_stopped_worker_is_served_by_another() {
    let mut server = Server::http(2, SPREAD);
    let [first, _] = server.workers()[..] else { panic!("two workers") };
    Process::of(first).signal(Signal::STOP);
    server.notice("was stopped by somebody");
    // Half of them come to its queue. It is killed after 30 s, and nobody waits for that: each has its bound.
    for _ in 0..20 {
        let mut client = server.client();
        assert_ne!(body(&client.get("/pid").1).trim(), first.to_string());
    }
    let worker = Process::of(first);
    assert!(worker.is_alive(), "it is not killed yet");
    worker.signal(Signal::CONT);
}

#[test]
fn whoever_is_queued_when_all_workers_are_killed_is_served_by_their_successors() {
    for mut server in [Server::http(2, SPREAD), Server::echo(2, SPREAD)] {
        let workers: Vec<_> = server.workers().into_iter().map(Process::of).collect();
        // So that nobody takes them: their queues are theirs alone.
        for worker in &workers {
            worker.signal(Signal::STOP);
            server.notice("was stopped by somebody");
        }
        let mut clients: Vec<_> = (0..12).map(|_| server.client()).collect();
        clients.iter_mut().for_each(|client| client.send(get("/")));
        for worker in &workers {
            worker.signal(Signal::KILL);
        }
        for mut client in clients {
            assert!(client.is_answered(), "it was reset, or is not served");
            // It goes, so that a worker that serves one after the other comes to the next.
        }
    }
}

#[test]
fn a_worker_that_drains_leaves_its_queue_to_others_whoever_has_asked_it_to() {
    let mut server = Server::http(2, &["--reuse-port", "--drain-timeout-ms", "20000"]);
    let (mut held, worker) = server.served();
    // A request of which a part has come: it is waited for, for a second.
    held.send("GET / HT");
    worker.signal(Signal::QUIT);
    for _ in 0..20 {
        let mut client = server.client();
        assert_eq!(client.get("/").0, 200);
    }
    assert_contains(&server.notice("ended with"), ["exit status 0"]);
}

#[test]
fn two_servers_do_not_share_a_port_by_mistake() {
    let server = Server::http(2, SPREAD);
    let address = server.address.to_string();
    for flags in [&["--reuse-port"][..], &[]] {
        let mut second = Program::spawn("prefork_http", &[&["--listen", &address], flags].concat());
        assert_contains(&second.stderr.until("cannot be bound"), ["EADDRINUSE"]);
        assert_eq!(second.end().code(), Some(78));
    }
    assert_eq!(server.client().get("/").0, 200);
}
