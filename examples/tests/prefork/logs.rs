//! Where a server and its workers write: to files that are renamed, that cannot be written, that nobody reads.

use crate::kit::Client;
use crate::scratch::Scratch;
use crate::tool::example_path;
use harness::Process;
use harness::process::{Signal, Spawn, Stream};
use host_core::error::exit;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

const FILES: [&str; 3] = ["x.log", "out", "err"];

/// The echo server, in this directory.
fn server(scratch: &Scratch, flags: &[&str]) -> Spawn {
    let own = ["--listen", "127.0.0.1:0", "--workers", "2"];
    Process::example("prefork_echo").args(own).args(flags).cwd(scratch.path())
}

/// With a file for each of the three.
fn logged(scratch: &Scratch) -> (Process, SocketAddr) {
    logged_by(scratch, &[])
}

fn logged_by(scratch: &Scratch, flags: &[&str]) -> (Process, SocketAddr) {
    let own = ["--log", "x.log", "--stdout", "out", "--stderr", "err"];
    let server = server(scratch, &[&own, flags].concat()).notify().spawn();
    server.expect("all workers").ready();
    let log = scratch.path().join("x.log");
    let bound = server.expect("its address").file_line(&log, "is bound to {address}");
    (server, bound.parse("address"))
}

/// Renames all files, each to its name and this number, sends USR1, and waits until everybody writes to the new ones.
fn rotate(server: &Process, scratch: &Scratch, number: u32) {
    for name in FILES {
        fs::rename(scratch.path().join(name), scratch.path().join(format!("{name}.{number}"))).unwrap();
    }
    server.signal(Signal::USR1);
    let writes_to = |pid: u32, fd: u32, name: &str| {
        let link = fs::read_link(format!("/proc/{pid}/fd/{fd}"));
        link.is_ok_and(|link| link == scratch.path().join(name))
    };
    server.expect("new files").tree("everybody writes to the new files", |tree| {
        tree.living().all(|node| writes_to(node.pid(), 1, "out") && writes_to(node.pid(), 2, "err"))
    });
    server.expect("a new log").file_line(scratch.path().join("x.log"), "the log of process");
}

/// What stands in a file and in those that it was renamed to, the oldest first.
fn all_of(scratch: &Scratch, name: &str, rotations: u32) -> String {
    let before = (0..rotations).map(|number| format!("{name}.{number}"));
    before.chain([name.to_owned()]).map(|name| scratch.read(&name).unwrap_or_default()).collect()
}

#[test]
fn a_foreground_server_with_files_tells_the_terminal_nothing() {
    let scratch = Scratch::new("quiet");
    let (server, address) = logged(&scratch);
    Client::connect(address).send("!out one\n");
    server.expect("what was printed").file_line(scratch.path().join("out"), "one");
    server.signal(Signal::TERM);
    server.expect("its end").exit_code(0);
    assert_eq!([Stream::Stdout, Stream::Stderr].map(|stream| server.output(stream).rest()), ["", ""]);
    assert_eq!(scratch.read("out").as_deref(), Some("one\n"));
}

#[test]
fn no_line_is_lost_while_files_are_rotated() {
    const ROTATIONS: u32 = 5;
    const LINES: u32 = 2000;
    let scratch = Scratch::new("rotated");
    let (server, address) = logged(&scratch);
    let mut client = Client::connect(address);
    for line in 0..LINES {
        if line % (LINES / ROTATIONS) == LINES / ROTATIONS / 2 {
            rotate(&server, &scratch, line / (LINES / ROTATIONS));
        }
        // One at a time: two small answers in a row would wait for each other's acknowledgement.
        for output in ["out", "err"] {
            client.send(format!("!{output} {line}\n"));
            assert_eq!(client.line(), format!("!{output} {line}"));
        }
    }
    server.signal(Signal::QUIT);
    drop(client);
    server.expect("its end").exit_code(0);
    let expected: String = (0..LINES).map(|line| format!("{line}\n")).collect();
    for name in ["out", "err"] {
        assert!(all_of(&scratch, name, ROTATIONS) == expected, "lines of {name} are missing, or there twice");
    }
    let log = all_of(&scratch, "x.log", ROTATIONS);
    assert_eq!(log.matches("the log of process").count(), 1 + ROTATIONS as usize);
    assert_eq!(log.matches("is ready").count(), 2);
    assert!(log.trim_end().ends_with("host stopped"), "{log}");
}

#[test]
fn workers_that_work_elsewhere_write_to_the_same_files() {
    let scratch = Scratch::new("elsewhere");
    let elsewhere = scratch.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let (server, _) = logged_by(&scratch, &["--working-directory", elsewhere.to_str().unwrap()]);
    rotate(&server, &scratch, 0);
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    server.signal(Signal::TERM);
    server.expect("its end").exit_code(0);
}

/// Files and their directory are the host's alone: what it opens is handed to them.
#[test]
fn workers_that_may_open_nothing_there_write_to_the_new_files() {
    let scratch = Scratch::new("handed");
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o700)).unwrap();
    // Only root can become another user; for any other there is nothing that it may not open.
    let user = if rustix::process::geteuid().is_root() { &["--user", "nobody"][..] } else { &[] };
    let (server, address) = logged_by(&scratch, user);
    for number in 0..3 {
        rotate(&server, &scratch, number);
    }
    Client::connect(address).send("!fail no database\n");
    server.expect("a successor").file_line(scratch.path().join("x.log"), "(incarnation 2) is ready");
    rotate(&server, &scratch, 3);
    server.signal(Signal::TERM);
    server.expect("its end").exit_code(0);
}

#[test]
fn a_worker_that_sleeps_and_one_that_computes_write_to_the_new_files_as_well() {
    let scratch = Scratch::new("busy");
    let (server, address) = logged(&scratch);
    let mut clients = [Client::connect(address), Client::connect(address)];
    clients[0].send("!hang\n");
    clients[1].send("!spin\n");
    rotate(&server, &scratch, 0);
    server.signal(Signal::TERM);
    server.expect("its end").exit_code(0);
}

#[test]
fn a_file_that_cannot_be_opened_anew_stays_and_a_later_usr1_finds_it() {
    let scratch = Scratch::new("kept");
    let (server, _) = logged(&scratch);
    let log = scratch.path().join("x.log");
    fs::rename(&log, scratch.path().join("x.log.0")).unwrap();
    fs::create_dir(&log).unwrap();
    server.signal(Signal::USR1);
    server.expect("that it is told, in the file before").file_line(
        scratch.path().join("x.log.0"),
        "the file of the log cannot be opened anew: {why..}; the one before is kept",
    );
    fs::remove_dir(&log).unwrap();
    server.signal(Signal::USR1);
    server.expect("a new log").file_line(&log, "the log of process");
    server.signal(Signal::TERM);
    server.expect("its end").exit_code(0);
}

#[test]
fn a_full_disk_keeps_nobody_from_serving() {
    let scratch = Scratch::new("full");
    let server = server(&scratch, &["--log", "/dev/full", "--pid-file", "x.pid"]).notify().spawn();
    server.expect("all workers").ready();
    server.signal(Signal::QUIT);
    server.expect("its end").exit_code(0);
}

/// Beyond the size that its files may have the kernel would end the process (XFSZ).
#[test]
fn a_log_that_may_not_grow_ends_nobody_and_what_it_lost_is_told_in_the_next_file() {
    let scratch = Scratch::new("limited");
    // In blocks of 512 bytes, or of 1024: that is for the shell to say.
    let script = "ulimit -f 8; exec \"$0\" --listen 127.0.0.1:0 --workers 2 --log x.log";
    let server = Process::sh(script).arg(example_path("prefork_echo")).cwd(scratch.path()).notify().spawn();
    server.expect("all workers").ready();
    let log = scratch.path().join("x.log");
    server.expect("a log that may not grow").tree("4096 or 8192 bytes in the log", |_| {
        // A line each, where they do not merge.
        server.signal(Signal::HUP);
        [4096, 8192].contains(&fs::metadata(&log).unwrap().len())
    });
    fs::rename(&log, scratch.path().join("x.log.0")).unwrap();
    server.signal(Signal::USR1);
    server.expect("what was lost").file_line(&log, "lines of the log were lost");
    server.signal(Signal::TERM);
    server.expect("its end").exit_code(0);
}

#[test]
fn a_pipe_that_nobody_reads_is_a_mistake_and_one_whose_reader_is_slow_keeps_nobody_waiting() {
    let scratch = Scratch::new("pipe");
    let pipe = scratch.path().join("pipe");
    make_pipe(&pipe);
    let refused = server(&scratch, &["--log", "pipe"]).spawn();
    refused.expect("the refusal").exit_code(exit::CONFIG.into());
    let told = refused.output(Stream::Stderr).rest();
    assert!(told.contains("log is `pipe`, but cannot be opened: "), "{told}");
    // This one never reads.
    let _reader = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let server = server(&scratch, &["--log", "pipe"]).notify().spawn();
    server.expect("all workers").ready();
    for _ in 0..100 {
        server.signal(Signal::HUP);
    }
    server.signal(Signal::QUIT);
    server.expect("its end").exit_code(0);
}

fn make_pipe(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status().expect("mkfifo(1)");
    assert!(made.success());
}

#[test]
fn why_a_body_has_failed_stands_in_the_log() {
    let scratch = Scratch::new("failed");
    let (server, address) = logged(&scratch);
    Client::connect(address).send("!fail no database\n");
    let log = scratch.path().join("x.log");
    server
        .expect("why")
        .file_line(&log, "WARN {host} fleet `echo`: worker {worker} (incarnation 1) failed: no database");
    server.expect("that").file_line(&log, "ended with exit status 70");
    server.signal(Signal::TERM);
    server.expect("its end").exit_code(0);
}
