//! Workers that are replaced after so many requests.

use crate::kit::Client;
use crate::server::{Server, body};
use std::collections::BTreeSet;

#[test]
fn a_worker_that_has_served_its_requests_is_replaced_in_advance_and_no_request_fails() {
    const REQUESTS: usize = 300;
    let mut server = Server::http(2, &["--max-requests", "20"]);
    let mut pids = BTreeSet::new();
    for _ in 0..REQUESTS {
        let mut client = server.client();
        client.send("GET /pid HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        let answer = client.rest();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer:?}");
        pids.insert(body(&answer).trim().to_owned());
    }
    assert!(pids.len() >= 6, "{pids:?}");
    assert!(pids.len() <= REQUESTS / 20 + 2, "none is replaced early: {pids:?}");
    assert_replaced_in_advance(&mut server);
}

#[test]
fn on_connections_that_are_kept_only_those_without_a_request_are_closed() {
    const REQUESTS: usize = 300;
    let mut server = Server::http(2, &["--max-requests", "20"]);
    let mut client: Option<Client> = None;
    for _ in 0..REQUESTS {
        // As every client does that keeps connections: one that was ended meanwhile is replaced.
        let mut kept = client.take().filter(|client| !client.has_ended()).unwrap_or_else(|| server.client());
        kept.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        if !kept.is_answered() {
            kept = server.client();
            kept.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        }
        assert_eq!(kept.answer().0, 200);
        client = Some(kept);
    }
    assert_replaced_in_advance(&mut server);
}

#[test]
fn a_blocking_loop_is_replaced_as_well() {
    let mut server = Server::echo(2, &["--max-requests", "10"]);
    for round in 0..100 {
        let mut client = server.client();
        client.send(format!("{round}\n"));
        assert_eq!(client.line(), round.to_string());
    }
    assert_replaced_in_advance(&mut server);
}

/// The replacement is ready before its predecessor is asked to go.
fn assert_replaced_in_advance(server: &mut Server) {
    let mut replacements = 0;
    for _ in 0..2 {
        for line in server.program.stderr.all_until("it has served its number of requests") {
            if line.contains("is ready") {
                replacements += 1;
            } else if line.contains("sent QUIT") {
                assert!(replacements > 0, "asked to go before its replacement was ready: {line}");
                replacements -= 1;
            }
        }
    }
}
