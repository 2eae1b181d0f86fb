//! Readiness, by an event.

use crate::world::{Directory, assert_contains, words_of};
use harness::Process;
use harness::process::{Stopwatch, Stream};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_line_of_output_says_so_and_is_taken_apart() {
    let process =
        Process::sh("echo starting; echo 'listening on 127.0.0.1:80 (2 workers)' >&2; sleep 1000").spawn();
    let line = process.expect("it listens").line("listening on {address} ({workers} workers)");
    assert_eq!(line.parse::<SocketAddr>("address"), "127.0.0.1:80".parse().unwrap());
    assert_eq!(line.parse::<u32>("workers"), 2);
    assert_eq!(line.line(), "listening on 127.0.0.1:80 (2 workers)");
}

#[test]
fn a_port_accepts() {
    // Bound here, and listening only there: a program in another language.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let script = "import socket, sys\n\
                  server = socket.create_server((sys.argv[1], int(sys.argv[2])))\n\
                  while True: server.accept()";
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let server = Process::command("python3").args(["-c", script, &host, &port]).spawn();
    server.expect("it accepts").port(address);
    std::net::TcpStream::connect(address).unwrap();
}

#[test]
fn a_port_that_nobody_opens_is_told_with_the_last_refusal() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let process = Process::sh("sleep 1000").spawn();
    let words = words_of(|| process.expect("it accepts").within(50 * MS).port(address));
    assert_contains(
        &words,
        &["it accepts", &format!("wanted: {address} accepts"), "not within 50ms", "refused"],
    );
    let words = words_of(|| process.expect("it accepts").port("nowhere"));
    assert_contains(&words, &["that is no address"]);
}

#[test]
fn a_file_appears() {
    let directory = Directory::new();
    let file = directory.path("deep/down/ready");
    // Neither the file nor its directories exist, and each comes in its turn.
    let script = "read go; mkdir \"$1\"; mkdir \"$1/down\"; echo pid >\"$1/down/draft\"; mv \"$1/down/draft\" \"$2\"; sleep 1000";
    let process = Process::command("sh")
        .args(["-c", script, "sh", &directory.path("deep"), &file])
        .stdin_open()
        .spawn();
    let words = words_of(|| process.expect("it is early").within(20 * MS).file(&file));
    assert_contains(&words, &["it is early", &file, "not within 20ms"]);
    process.send("go\n");
    let watch = Stopwatch::start();
    process.expect("it has begun").file(&file);
    assert!(watch.elapsed() < Duration::from_secs(15), "by an event, and not by the end of the bound");
    assert!(fs::exists(&file).unwrap());
    process.expect("once it is there it is there").file(&file);
}

#[test]
fn a_file_gets_a_line() {
    let directory = Directory::new();
    let file = directory.path("pid");
    let script = ": >\"$1\"; read go; printf 'my p' >>\"$1\"; printf 'id %d\\n' $$ >>\"$1\"; sleep 1000";
    let process = Process::command("sh").args(["-c", script, "sh", &file]).stdin_open().spawn();
    process.expect("it is empty at first").file(&file);
    let words =
        words_of(|| drop(process.expect("it has no line").within(20 * MS).file_line(&file, "pid {pid}")));
    assert_contains(&words, &["it has no line", "a line like `pid {pid}` in"]);
    process.send("\n");
    let line = process.expect("it says who it is").file_line(&file, "pid {pid}");
    assert_eq!(line.parse::<u32>("pid"), process.pid());
}

#[test]
fn notify_socket_says_so() {
    // As sd_notify(3) does it: one datagram, many lines.
    let script = "import os, socket\n\
                  to = os.environ['NOTIFY_SOCKET']\n\
                  to = '\\0' + to[1:] if to[0] == '@' else to\n\
                  s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
                  s.sendto(b'STATUS=warming up', to)\n\
                  s.sendto(b'STATUS=2 workers\\nMAINPID=%d\\nREADY=1\\n' % os.getpid(), to)\n\
                  input()\n\
                  s.sendto(b'STOPPING=1', to)";
    let process = Process::command("python3").args(["-c", script]).stdin_open().notify().spawn();
    let line = process.expect("it has workers").notification("STATUS={workers} workers");
    assert_eq!(&line["workers"], "2");
    process.expect("it is ready").ready();
    process.send("\n");
    process.expect("it stops").notification("STOPPING=1");
    process.expect("it ends").exit_code(0);
    assert_contains(&process.report(), &["NOTIFY_SOCKET: STATUS=warming up", "NOTIFY_SOCKET: READY=1"]);
}

#[test]
fn who_is_not_asked_to_notify_has_no_such_socket() {
    let process = Process::sh("echo \"${NOTIFY_SOCKET-none}\"").spawn();
    assert_eq!(process.output(Stream::Stdout).rest(), "none\n");
    let words = words_of(|| process.expect("it is ready").ready());
    assert_contains(&words, &["it is ready", "spawned without `notify()`"]);
}

/// What a test waits for: a process, a file, an address.
type Wait = (&'static str, fn(&Process, &str, SocketAddr));

#[test]
fn one_that_ends_before_it_is_ready_keeps_nobody_waiting() {
    let directory = Directory::new();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let waits: [Wait; 5] = [
        ("line", |process, _, _| drop(process.expect("it is ready").line("ready"))),
        ("port", |process, _, address| process.expect("it is ready").port(address)),
        ("file", |process, file, _| process.expect("it is ready").file(file)),
        ("line of a file", |process, file, _| drop(process.expect("it is ready").file_line(file, "x"))),
        ("notification", |process, _, _| process.expect("it is ready").ready()),
    ];
    for (wait, expect) in waits {
        let process = Process::sh("echo 'cannot open the database' >&2; exit 7").notify().spawn();
        // The bound is half a minute, and is not waited for.
        let watch = Stopwatch::start();
        let words = words_of(|| expect(&process, &directory.path("none"), address));
        assert!(watch.elapsed() < Duration::from_secs(10), "{wait}: {:?}", watch.elapsed());
        assert_contains(&words, &["it is ready", "ended with exit status 7", "cannot open the database"]);
        assert!(words.contains("nobody is left") || words.contains("ended without it"), "{wait}: {words}");
    }
}

#[test]
fn one_that_goes_on_in_the_background_may_get_ready_there() {
    let directory = Directory::new();
    let file = directory.path("ready");
    let script = "(sleep 0.1; : >\"$1\"; sleep 1000) >/dev/null 2>&1 & exit 0";
    let process = Process::command("sh").args(["-c", script, "sh", &file]).spawn();
    process.expect("the first one ends").exit_code(0);
    process.expect("the second one is ready").file(&file);
}
