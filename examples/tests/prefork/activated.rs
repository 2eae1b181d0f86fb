//! Servers that are started with their socket: by a shell, and by systemd's own tool.

use crate::kit::{BOUND, Client};
use crate::scratch::Scratch;
use crate::tool::{example_path, has_tool};
use harness::Process;
use harness::process::{Signal, Spawn, Stream};
use host_core::error::exit;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;

/// The echo server, which is passed this listener as descriptor 3. By way of standard output, since a shell can move
/// that.
fn activated(listener: &TcpListener, names: &str, flags: &str) -> Spawn {
    let passing = "exec 3>&1 1>/dev/null; export LISTEN_PID=$$ LISTEN_FDS=1";
    let script = format!("{passing} LISTEN_FDNAMES={names}; exec \"$0\" --workers 2 {flags}");
    let socket: std::os::fd::OwnedFd = listener.try_clone().unwrap().into();
    Process::sh(&script).arg(example_path("prefork_echo")).stdout(socket).notify()
}

/// An address that nobody can bind: it is not used.
const ELSEWHERE: &str = "--listen 192.0.2.1:1";

#[test]
fn no_connection_is_lost_from_the_socket_on_whoever_dies_and_is_started_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut early = Client::connect(address);
    early.send("early\n");
    let server = activated(&listener, "clients", ELSEWHERE).spawn();
    assert_eq!(early.line(), "early");
    server.expect("all workers").ready();
    server.expect("where it listens").line_on(Stream::Stderr, &format!("is bound to {address}"));
    server.signal(Signal::KILL);
    server.expect("its end").killed_by(Signal::KILL);
    // Its workers end with it.
    server.expect("nobody is left").nobody();
    let mut between = Client::connect(address);
    between.send("between\n");
    // By its place: it has another name.
    let server = activated(&listener, "echo.socket", ELSEWHERE).spawn();
    assert_eq!(between.line(), "between");
    server.signal(Signal::TERM);
    server.expect("its end").exit_code(0);
}

#[test]
fn what_is_passed_to_another_process_is_not_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let script_for_another = "exec 3>&1 1>/dev/null; export LISTEN_PID=1 LISTEN_FDS=1; exec \"$0\" --workers 1 --listen 127.0.0.1:0";
    let socket: std::os::fd::OwnedFd = listener.try_clone().unwrap().into();
    let server = Process::sh(script_for_another).arg(example_path("prefork_echo")).stdout(socket).spawn();
    let bound = server.expect("where it listens").line_on(Stream::Stderr, "is bound to {address}");
    assert_ne!(bound.parse::<std::net::SocketAddr>("address"), listener.local_addr().unwrap());
    server.signal(Signal::TERM);
    server.expect("its end").exit_code(0);
}

#[test]
fn what_is_no_listener_and_what_is_for_nobody_is_told_before_anybody_is_forked() {
    for (passing, words) in [
        ("exec 3</dev/null; export LISTEN_FDS=1 LISTEN_FDNAMES=clients", "not a socket (ENOTSOCK)"),
        (
            "exec 3</dev/null 4</dev/null; export LISTEN_FDS=2 LISTEN_FDNAMES=x:y",
            "must be called like a listener (FileDescriptorName=), one of: clients",
        ),
        // The next number is one that the server opens itself.
        (
            "exec 3</dev/null; export LISTEN_FDS=2 LISTEN_FDNAMES=x:clients",
            "passed descriptor 4 is `clients`, but must be open and inherited",
        ),
    ] {
        let script = format!("{passing} LISTEN_PID=$$; exec \"$0\" --listen 127.0.0.1:0");
        let server = Process::sh(&script).arg(example_path("prefork_echo")).spawn();
        server.expect("the refusal").exit_code(exit::CONFIG.into());
        let told = server.output(Stream::Stderr).rest();
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn systemd_starts_it_with_the_first_connection() {
    let Some(activate) = has_tool("systemd-socket-activate") else { return };
    let scratch = Scratch::new("systemd");
    let path = scratch.path().join("x.sock");
    let server = Process::command(activate)
        .arg(format!("--listen={}", path.display()))
        .arg("--fdname=clients")
        .arg(example_path("prefork_http"))
        .args(["--workers", "2", "--listen", "192.0.2.1:1"])
        .spawn();
    // There is a file before anybody listens there.
    server.expect("its socket").line_on(Stream::Stderr, "Listening on ");
    let mut client = UnixStream::connect(&path).unwrap();
    client.set_read_timeout(Some(BOUND)).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("Hello, World!\n"), "{answer}");
    server
        .expect("where it listens")
        .line_on(Stream::Stderr, &format!("is bound to unix:{}", path.display()));
    server.signal(Signal::QUIT);
    server.expect("its end").exit_code(0);
    assert!(path.exists(), "it is not the server's to remove");
}
