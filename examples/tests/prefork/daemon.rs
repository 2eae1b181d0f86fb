//! Becoming a daemon: what the launcher waits for and hears, and what the daemon is.

use crate::kit::{Client, assert_contains};
use crate::scratch::Scratch;
use crate::tool::example_path;
use harness::Process;
use harness::process::{Node, Signal, Stream};
use host_core::error::exit;
use std::fs;
use std::net::SocketAddr;

/// A launcher in this directory.
fn launcher(scratch: &Scratch, flags: &[&str]) -> Process {
    launcher_at("127.0.0.1:0", scratch, flags)
}

fn launcher_at(address: &str, scratch: &Scratch, flags: &[&str]) -> Process {
    let own = ["--daemonize", "--listen", address, "--workers", "2", "--pid-file", "x.pid"];
    Process::example("prefork_echo").args(own).args(flags).cwd(scratch.path()).spawn()
}

/// A daemon that serves.
struct Daemon {
    scratch: Scratch,
    /// The launcher, whose tree it belongs to.
    process: Process,
    pid: u32,
}

impl Daemon {
    fn start(name: &str, flags: &[&str]) -> Self {
        let scratch = Scratch::new(name);
        let process = launcher(&scratch, flags);
        process.expect("the start").exit_code(0);
        Self::of(scratch, process)
    }

    fn of(scratch: Scratch, process: Process) -> Self {
        let pid = scratch.read("x.pid").expect("a pid file").trim().parse().expect("a number");
        Self { scratch, process, pid }
    }

    fn node(&self) -> Node {
        self.process.tree().find(self.pid).expect("the daemon").clone()
    }

    fn client(&self, log: &str) -> Client {
        let log = self.scratch.read(log).expect("a log");
        let address = log.lines().find_map(|line| line.split_once("is bound to ")).expect("a listener").1;
        Client::connect(address.parse::<SocketAddr>().expect("an address"))
    }

    fn stop(&self, signal: Signal) {
        self.process.signal_to(&self.node(), signal);
        self.process.expect("the end of the daemon and its workers").nobody();
    }
}

/// A field of `/proc/PID/stat`, by its number in proc(5).
fn stat(pid: u32, field: usize) -> i64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let behind_the_name = stat.rsplit_once(") ").expect("a name").1;
    behind_the_name.split(' ').nth(field - 3).unwrap().parse().unwrap()
}

#[test]
fn pf_c19_the_launcher_goes_on_and_the_daemon_has_no_terminal_no_session_and_nothing_to_read() {
    let daemon = Daemon::start("c19", &[]);
    let told = daemon.process.output(Stream::Stdout).rest();
    assert_eq!(told, format!("started: process {}\n", daemon.pid));
    assert_eq!(daemon.process.output(Stream::Stderr).rest(), "");
    // All workers that are wanted can serve by then.
    let log = daemon.scratch.read("echo.log").expect("a log of its own");
    assert_eq!(log.matches("is ready").count(), 2, "{log}");
    assert_eq!(daemon.process.tree().children_of(daemon.pid).count(), 2);
    let link = |fd: u32| fs::read_link(format!("/proc/{}/fd/{fd}", daemon.pid)).unwrap();
    assert_eq!(link(0).to_str(), Some("/dev/null"));
    let log = daemon.scratch.path().join("echo.log");
    assert_eq!([link(1), link(2)], [log.clone(), log]);
    let (session, terminal) = (stat(daemon.pid, 6), stat(daemon.pid, 7));
    assert_eq!(terminal, 0);
    assert_ne!(session, i64::from(daemon.pid));
    assert_ne!(session, stat(std::process::id(), 6));
    assert_eq!(stat(daemon.pid, 4), i64::from(std::process::id()), "it was adopted: its parent has ended");
    let mut client = daemon.client("echo.log");
    client.send("hello\n");
    assert_eq!(client.line(), "hello");
    daemon.stop(Signal::TERM);
    assert_eq!(daemon.scratch.read("x.pid"), None);
}

#[test]
fn pf_c4_without_a_log_there_is_one_of_its_own_which_begins_with_who_it_is_of() {
    let daemon = Daemon::start("c4", &["--app-name", "shop"]);
    assert_eq!(daemon.scratch.files(), ["shop.log", "x.pid"]);
    let log = daemon.scratch.read("shop.log").unwrap();
    let header = format!(" INFO [{0}] the log of process {0} begins", daemon.pid);
    assert!(log.lines().next().is_some_and(|line| line.ends_with(&header)), "{log}");
    daemon.stop(Signal::QUIT);
    let log = daemon.scratch.read("shop.log").unwrap();
    assert!(log.lines().last().is_some_and(|line| line.ends_with("host stopped")), "{log}");
}

#[test]
fn pf_c1_pf_c3_what_workers_print_is_all_that_is_in_its_file() {
    let daemon = Daemon::start("c1", &["--log", "x.log", "--stdout", "out", "--stderr", "err"]);
    let mut client = daemon.client("x.log");
    client.send("!out one\n!err two\n");
    assert_eq!([client.line(), client.line()], ["!out one", "!err two"]);
    daemon.stop(Signal::QUIT);
    let read = |name| daemon.scratch.read(name);
    assert_eq!((read("out").as_deref(), read("err").as_deref()), (Some("one\n"), Some("two\n")));
    assert_eq!(daemon.scratch.files(), ["err", "out", "x.log"]);
}

#[test]
fn pf_c2_what_goes_to_the_null_device_makes_no_file() {
    let daemon = Daemon::start("c2", &["--log", "x.log", "--stdout", "/dev/null", "--stderr", "/dev/null"]);
    daemon.stop(Signal::TERM);
    assert_eq!(daemon.scratch.files(), ["x.log"]);
}

#[test]
fn pf_c5_one_file_has_the_lines_of_all_three() {
    let daemon = Daemon::start("c5", &["--log", "all", "--stdout", "all", "--stderr", "all"]);
    let mut client = daemon.client("all");
    client.send("!out one\n!err two\n");
    assert_eq!([client.line(), client.line()], ["!out one", "!err two"]);
    daemon.stop(Signal::QUIT);
    let all = daemon.scratch.read("all").unwrap();
    for line in ["one", "two"] {
        assert!(all.lines().any(|written| written == line), "{all}");
    }
    assert_contains(&all, ["host started with", "host stopped"]);
    assert_eq!(daemon.scratch.files(), ["all"]);
}

#[test]
fn a_start_is_seen_although_a_service_manager_is_named_that_is_not_there() {
    let scratch = Scratch::new("unmanaged");
    let own =
        ["--daemonize", "--listen", "127.0.0.1:0", "--workers", "2", "--pid-file", "x.pid", "--log", "x.log"];
    let process = Process::example("prefork_echo")
        .args(own)
        .env("NOTIFY_SOCKET", "/no/such/socket")
        .cwd(scratch.path())
        .spawn();
    process.expect("the start").exit_code(0);
    let daemon = Daemon::of(scratch, process);
    let log = daemon.scratch.read("x.log").expect("a log");
    assert_eq!(log.matches("the service manager cannot be told anything").count(), 1, "{log}");
    daemon.stop(Signal::TERM);
}

#[test]
fn who_cannot_be_a_daemon_is_told_so_once() {
    let scratch = Scratch::new("passed");
    let server = example_path("prefork_echo");
    let process = Process::sh("exec 3</dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\" --daemonize")
        .arg(server)
        .cwd(scratch.path())
        .spawn();
    process.expect("the refusal").exit_code(exit::CONFIG.into());
    let told = process.output(Stream::Stderr).rest();
    assert_eq!(
        told.matches("daemonize is with sockets that are passed to this process").count(),
        1,
        "{told}"
    );
    assert_eq!(scratch.files(), [""; 0]);
}

#[test]
fn a_start_that_fails_is_told_by_the_launcher_with_its_status_and_leaves_nobody() {
    for (flags, words, status) in [
        (&["--no-such-flag"][..], "unexpected argument", 2),
        (&["--max-requests", "0"], "requests_max of fleet `echo` is 0", exit::CONFIG),
        (
            &["--log", "/no/such/place"],
            "log is `/no/such/place`, but cannot be opened: no such file",
            exit::CONFIG,
        ),
        (&["--stdout", "/"], "stdout is `/`, but cannot be opened: ", exit::CONFIG),
    ] {
        let scratch = Scratch::new("fails");
        let process = launcher(&scratch, flags);
        process.expect("the failure").exit_code(status.into());
        let told = process.output(Stream::Stderr).rest();
        assert_eq!(told.matches(words).count(), 1, "{flags:?}: {told}");
        assert_eq!(process.output(Stream::Stdout).rest(), "", "{flags:?}");
        process.expect("nobody is left").nobody();
        assert_eq!(scratch.read("x.pid"), None, "{flags:?}");
    }
}

#[test]
fn an_address_that_is_taken_and_a_pid_file_of_another_are_told_by_the_launcher() {
    let daemon = Daemon::start("taken", &[]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let second = launcher_at(&taken.local_addr().unwrap().to_string(), &daemon.scratch, &[]);
    second.expect("the refusal").exit_code(exit::CONFIG.into());
    let told = second.output(Stream::Stderr).rest();
    let has_it = format!("process {} runs and has it", daemon.pid);
    assert_contains(&told, ["error: the application cannot start: 2 mistakes", &has_it, "EADDRINUSE"]);
    second.expect("nobody is left").nobody();
    let mut client = daemon.client("echo.log");
    client.send("still there\n");
    assert_eq!(client.line(), "still there");
    daemon.stop(Signal::TERM);
}
