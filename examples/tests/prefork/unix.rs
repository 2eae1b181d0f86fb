//! Servers at a path.

use crate::kit::BOUND;
use crate::scratch::Scratch;
use harness::Process;
use harness::process::{Signal, Stream};
use host_core::error::exit;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;

fn server(scratch: &Scratch, flags: &[&str]) -> Process {
    let own = ["--unix", "x.sock", "--workers", "2"];
    Process::example("prefork_echo").args(own).args(flags).cwd(scratch.path()).notify().spawn()
}

fn echo(scratch: &Scratch, line: &str) -> String {
    let mut client = UnixStream::connect(scratch.path().join("x.sock")).unwrap();
    client.set_read_timeout(Some(BOUND)).unwrap();
    client.write_all(line.as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(client).read_line(&mut answer).unwrap();
    answer
}

#[test]
fn it_serves_there_and_leaves_nothing_behind() {
    let scratch = Scratch::new("unix");
    let server = server(&scratch, &[]);
    server.expect("all workers").ready();
    server.expect("where it listens").line("listening on unix:x.sock");
    assert_eq!(echo(&scratch, "hello\n"), "hello\n");
    server.signal(Signal::QUIT);
    server.expect("its end").exit_code(0);
    assert_eq!(scratch.files(), [""; 0]);
}

#[test]
fn what_a_killed_one_has_left_is_replaced_and_one_that_listens_is_not() {
    let scratch = Scratch::new("unix-left");
    let killed = server(&scratch, &[]);
    killed.expect("all workers").ready();
    killed.signal(Signal::KILL);
    killed.expect("nobody is left").nobody();
    assert_eq!(scratch.files(), ["x.sock"]);
    let next = server(&scratch, &[]);
    next.expect("all workers").ready();
    let refused = server(&scratch, &[]);
    refused.expect("the refusal").exit_code(exit::CONFIG.into());
    let told = refused.output(Stream::Stderr).rest();
    assert!(
        told.contains("listen `clients` is unix:x.sock, but cannot be bound: address already in use"),
        "{told}"
    );
    assert_eq!(echo(&scratch, "still there\n"), "still there\n");
    next.signal(Signal::TERM);
    next.expect("its end").exit_code(0);
}

#[test]
fn it_is_either_a_path_or_an_address() {
    let scratch = Scratch::new("unix-both");
    for flags in [&["--listen", "127.0.0.1:0"][..], &["--reuse-port"]] {
        let refused = server(&scratch, flags);
        refused.expect("the refusal").exit_code(2);
        let told = refused.output(Stream::Stderr).rest();
        assert!(told.contains("cannot be used with"), "{told}");
    }
    assert_eq!(scratch.files(), [""; 0]);
}
