//! How a server starts, and how it does not.

use crate::kit::{Client, Program, assert_contains};
use crate::server::{MS, Server};
use host_core::error::exit;
use rustix::process::Signal;
use std::net::TcpListener;
use std::process::Stdio;

const BOTH: [&str; 2] = ["prefork_echo", "prefork_http"];

#[test]
fn a_port_in_use_is_named_and_nobody_is_left() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for example in BOTH {
        let mut program = Program::spawn(example, &["--listen", &address, "--workers", "2"]);
        assert_eq!(program.end().code(), Some(i32::from(exit::CONFIG)));
        assert_contains(&program.stderr.rest(), ["`clients`", &address, "EADDRINUSE"]);
        assert_eq!(program.stdout.rest(), "", "it never said that it serves");
        assert_eq!(program.members(), [0; 0]);
    }
}

#[test]
fn all_wrong_settings_are_listed_at_once() {
    let flags = "--listen localhost --workers 100000 --timeout-ms 5 --boot-timeout-ms 0 --max-requests 0";
    for example in BOTH {
        let mut program = Program::spawn(example, &flags.split(' ').collect::<Vec<_>>());
        assert_eq!(program.end().code(), Some(i32::from(exit::CONFIG)));
        let words = program.stderr.rest();
        assert_contains(&words, ["5 mistakes", "`localhost`", "100000", "boot_timeout", "requests_max"]);
        assert_contains(&words, ["heartbeat_timeout", "is 5 ms", "at least 20 ms"]);
        assert_eq!(program.members(), [0; 0]);
    }
}

#[test]
fn a_flag_that_cannot_be_read_is_named() {
    let rows = [
        ["--workers", "1.5"],
        ["--workers", "many"],
        ["--timeout-ms", "1s"],
        ["--on-host-death", "stay"],
        ["--no-such-flag", "x"],
    ];
    for [flag, value] in rows {
        let mut program = Program::spawn("prefork_http", &[flag, value]);
        assert_eq!(program.end().code(), Some(2), "the customary status for a wrong command line");
        assert_contains(&program.stderr.rest(), [flag]);
    }
}

#[test]
fn help_names_every_flag() {
    for example in BOTH {
        let mut program = Program::spawn(example, &["--help"]);
        assert_eq!(program.end().code(), Some(0));
        let flags = [
            "--listen <ADDR>",
            "--workers <N>",
            "--timeout-ms <N>",
            "--boot-timeout-ms <N>",
            "--drain-timeout-ms <N>",
            "--on-host-death <POLICY>",
            "--user <NAME>",
            "--nice <N>",
            "--max-requests <N>",
            "--pid-file <FILE>",
            "--record <FILE>",
            "QUIT",
        ];
        assert_contains(&program.stdout.rest(), flags);
    }
}

#[test]
fn there_are_as_many_workers_as_processors_if_nobody_says_how_many() {
    let mut program = Program::spawn("prefork_http", &["--listen", "127.0.0.1:0"]);
    let line = program.stderr.until("starting");
    let processors = std::thread::available_parallelism().unwrap();
    assert_contains(&line, [&*format!("starting {processors} workers")]);
}

#[test]
fn a_server_whose_outputs_nobody_reads_serves_all_the_same() {
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    // Nobody can be told the port: it is taken from the kernel beforehand, at an address of its own.
    let address = TcpListener::bind("127.83.7.2:0").unwrap().local_addr().unwrap();
    for example in BOTH {
        let flags = ["--listen", &address.to_string(), "--workers", "2"];
        let program = Program::spawn_to(example, &flags, closed(), closed());
        let mut client = Client::connect_when_bound(address);
        if example == "prefork_http" {
            assert_eq!(client.get("/").0, 200);
        } else {
            client.send("hello\n");
            assert_eq!(client.line(), "hello");
        }
        drop(client);
        program.signal(Signal::QUIT);
        assert_eq!(program.end().code(), Some(0));
        assert_eq!(program.members(), [0; 0]);
    }
}

#[test]
fn the_pages_answer_as_they_should() {
    let server = Server::http(2, &[]);
    let mut client = server.client();
    let rows = [
        ("GET / HTTP/1.1\r\nHost: test\r\n\r\n", 200, "\r\n\r\nHello, World!\n"),
        ("GET /sleep?ms=10 HTTP/1.1\r\nHost: test\r\n\r\n", 200, "slept 10 ms"),
        ("GET /sleep?ms=soon HTTP/1.1\r\nHost: test\r\n\r\n", 400, "ms is a number"),
        ("GET /nowhere HTTP/1.1\r\nHost: test\r\n\r\n", 404, "not here"),
        ("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\nx", 405, "Allow: GET, HEAD"),
        ("GET / HTTP/1.1\r\n\r\n", 400, "Host"),
    ];
    for (request, expected, words) in rows {
        client.send(request);
        let (status, answer) = client.answer();
        assert_eq!(status, expected, "{request:?}");
        assert_contains(&answer, [words]);
    }
    assert_eq!(client.rest(), "", "the last one ended the connection");
}

#[test]
fn a_web_client_that_does_not_read_or_does_not_end_its_request_delays_nobody() {
    let server = Server::http(1, &[]);
    let mut slow = server.client();
    slow.send("GET / HT");
    let mut deaf = server.client();
    deaf.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n".repeat(1000));
    for _ in 0..10 {
        assert_eq!(server.client().get("/").0, 200);
    }
    slow.send("TP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(slow.answer().0, 200);
}

#[test]
fn an_echo_client_that_says_nothing_delays_the_next_only_where_there_is_no_other_worker() {
    let server = Server::echo(2, &[]);
    let _silent = server.client();
    let (mut client, _) = server.echoed();
    client.send("hello\n");
    assert_eq!(client.line(), "hello");
    assert!(!server.program.ends_within(MS), "it runs");
}
