//! Hosts with forked workers.

use examples::prefork::{Options, echo, http};
use examples::reply;
use harness::{Class, Client, ClientError, Faults, Sim, check};
use host_core::App;
use host_core::sys::Signal;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
/// The listener of both.
const CLIENTS: &str = "clients";

/// Times that fit into a minute.
fn options() -> Options {
    Options {
        workers: Some(2),
        timeout_ms: Some(1000),
        boot_timeout_ms: Some(2000),
        drain_timeout_ms: Some(3000),
        ..Options::default()
    }
}

fn echo_app() -> App {
    echo::app(&options())
}

fn http_app() -> App {
    http::app(&options())
}

/// All that can go wrong, but for an operator who takes the workers away and does not bring them back.
pub(crate) fn faults() -> Faults {
    Faults::all().without(Class::OperatorSignals)
}

/// Some lines, in pieces.
pub(crate) fn talk(client: &mut Client) -> Result<(), ClientError> {
    for round in 0..3 {
        let line = format!("client {} line {round}\n", client.number());
        let (first, rest) = line.split_at(client.choose(line.len() as u32) as usize);
        client.write_all(first.as_bytes())?;
        client.write_all(rest.as_bytes())?;
        client.expect(line.as_bytes())?;
    }
    Ok(())
}

/// Asks for a page and gives its body.
fn get(client: &mut Client, path: &str) -> Result<String, ClientError> {
    client.write_all(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes())?;
    answer(client)
}

fn answer(client: &mut Client) -> Result<String, ClientError> {
    let head = client.read_until(b"\r\n\r\n")?;
    let mut answer = head.clone();
    loop {
        match reply::parse(&answer) {
            Ok(Some(reply)) => {
                assert_eq!(reply.status, 200);
                return Ok(String::from_utf8_lossy(&answer[head.len()..]).into_owned());
            }
            Ok(None) => answer.extend(client.read_until(b"\n")?),
            Err(bad) => panic!("{bad}"),
        }
    }
}

/// A handful of requests over one connection.
fn browse(client: &mut Client) -> Result<(), ClientError> {
    for _ in 0..3 {
        assert_eq!(get(client, "/")?, "Hello, World!\n");
        client.pause(Duration::from_millis(u64::from(client.choose(2000))));
        assert_eq!(get(client, "/nap")?, "slept 200 ms\n");
    }
    Ok(())
}

/// Early clients may fail; when nothing goes wrong any more everybody is served.
fn bear_it(sim: &mut Sim, conversation: fn(&mut Client) -> Result<(), ClientError>) {
    let early = sim.clients(CLIENTS, 6, conversation);
    sim.run_for(SECOND * 60);
    sim.heal_and_settle();
    assert!(early.all_ended());
    let late = sim.clients(CLIENTS, 3, conversation);
    sim.heal_and_settle();
    assert_eq!(late.succeeded(), 3, "{:?}", late.errors());
}

#[test]
fn without_faults_both_serve_everybody() {
    check!(|sim| {
        sim.host(http_app);
        let clients = sim.clients(CLIENTS, 6, browse);
        sim.run_for(SECOND * 20);
        assert_eq!(clients.succeeded(), 6, "{:?}", clients.errors());
    });
    check!(|sim| {
        sim.host(echo_app);
        let clients = sim.clients(CLIENTS, 6, talk);
        sim.run_for(SECOND * 20);
        assert_eq!(clients.succeeded(), 6, "{:?}", clients.errors());
    });
}

#[test]
fn under_every_fault_echoes_are_right_or_missing_and_a_healed_fleet_serves_everybody() {
    check!(|sim| {
        sim.host(echo_app);
        sim.faults(faults());
        bear_it(sim, talk);
    });
}

#[test]
fn under_every_fault_pages_are_right_or_missing_and_a_healed_fleet_serves_everybody() {
    check!(|sim| {
        sim.host(http_app);
        sim.faults(faults());
        bear_it(sim, browse);
    });
}

#[test]
fn with_a_queue_for_each_worker_a_healed_fleet_serves_everybody_as_well() {
    let spread = || Options { reuse_port: true, ..options() };
    check!(|sim| {
        sim.host(move || echo::app(&spread()));
        sim.faults(faults());
        bear_it(sim, talk);
    });
    check!(|sim| {
        sim.host(move || http::app(&spread()));
        sim.faults(faults());
        bear_it(sim, browse);
    });
}

#[test]
fn whoever_hangs_is_replaced_and_the_next_client_is_served() {
    for path in ["/hang", "/spin", "/sleep?ms=60000"] {
        check!(|sim| {
            sim.host(http_app);
            let lost = sim.clients(CLIENTS, 2, move |client| {
                // What it asked for never comes: its worker is killed.
                assert!(get(client, path).is_err());
                Ok(())
            });
            sim.run_for(SECOND * 5);
            assert!(lost.all_ended());
            let late = sim.clients(CLIENTS, 3, browse);
            sim.run_for(SECOND * 20);
            assert_eq!(late.succeeded(), 3, "{:?}", late.errors());
        });
    }
}

#[test]
fn a_drain_under_load_loses_no_request_that_had_begun() {
    check!(|sim| {
        sim.host(http_app);
        // Without latency what a client has sent is there: in the worker, or in its socket.
        sim.faults(Faults::only(&[Class::ShortIo, Class::Interrupt, Class::Schedule]));
        let begun = Rc::new(Cell::new(0));
        let count = Rc::clone(&begun);
        let clients = sim.clients(CLIENTS, 6, move |client| {
            get(client, "/")?;
            client.pause(host_core::time::Instant::from_nanos(1_900_000_000).since(client.now()));
            client.write_all(b"GET /nap HTTP/1.1\r\nHost: test\r\n\r\n")?;
            count.set(count.get() + 1);
            assert_eq!(answer(client)?, "slept 200 ms\n");
            assert_eq!(client.read_to_end()?, b"");
            Ok(())
        });
        sim.run_for(SECOND * 2);
        assert!(sim.run_until(SECOND * 10, |_| begun.get() == 6), "{:?}", clients.errors());
        // Six naps of two workers take at least 600 ms.
        sim.run_until(SECOND / 20, |_| false);
        sim.signal(Signal::Quit);
        sim.wait_for_host(SECOND * 10).unwrap();
        sim.run_until(SECOND, |_| false);
        assert_eq!(clients.succeeded(), 6, "{:?}", clients.errors());
    });
}

#[test]
fn a_drain_in_the_midst_of_everything_answers_in_full_or_not_at_all() {
    check!(|sim| {
        sim.host(http_app);
        sim.faults(Faults::only(&[Class::ShortIo, Class::Interrupt, Class::Schedule, Class::Latency]));
        // How far each came is its own affair; none sees half an answer, which would be a panic in `reply`.
        let clients = sim.clients(CLIENTS, 8, |client| {
            for _ in 0..20 {
                if get(client, "/nap").is_err() {
                    return Ok(());
                }
            }
            Ok(())
        });
        sim.run_for(SECOND * 2);
        sim.signal(Signal::Quit);
        sim.wait_for_host(SECOND * 10).unwrap();
        sim.run_for(SECOND * 10);
        assert!(clients.all_ended());
    });
}

#[test]
fn workers_that_have_served_their_requests_are_replaced_and_nobody_notices() {
    check!(|sim| {
        sim.host(|| http::app(&Options { max_requests: Some(3), ..options() }));
        let clients = sim.clients(CLIENTS, 20, |client| {
            client.pause(Duration::from_millis(u64::from(client.choose(5000))));
            client.write_all(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")?;
            assert_eq!(answer(client)?, "Hello, World!\n");
            assert_eq!(client.read_to_end()?, b"");
            Ok(())
        });
        sim.run_for(SECOND * 20);
        assert_eq!(clients.succeeded(), 20, "{:?}", clients.errors());
    });
}
