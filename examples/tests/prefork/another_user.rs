//! Servers of a user who may not do everything: what root is never told.
//!
//! Where the tests are root's their servers are of nobody; otherwise they are of whoever runs the tests.

use crate::kit::{Client, assert_contains};
use crate::scratch::Scratch;
use crate::tool::{example_path, has_tool, left_out};
use harness::Process;
use harness::process::{Node, Signal, Spawn, Stream};
use host_core::error::exit;
use rustix::process::geteuid;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

/// Who may do nothing, on every machine; user and group.
const NOBODY: u32 = 65534;
/// What makes files.
const FLAGS: [&str; 3] = ["--log", "--stdout", "--stderr"];
const DENIED: &str = "permission denied (EACCES)";

/// A directory of that user's, and servers in it.
struct Other(Scratch);

impl Other {
    /// `None` if there can be no such server here, which is told.
    fn new(name: &str) -> Option<Self> {
        let other = Self(Scratch::new(&format!("other-{name}")));
        if geteuid().is_root() {
            chown(other.0.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let [server, own] = [example_path("prefork_echo"), other.0.path().to_owned()];
        let may = other.of(Process::sh("test -x \"$0\" && test -w \"$1\"").arg(server).arg(own)).try_spawn();
        if may.is_ok_and(|may| may.expect("an answer").exit().success()) {
            return Some(other);
        }
        left_out("others may not enter the target directory, or that of temporary files");
        None
    }

    /// As a process of this user, in this directory.
    fn of(&self, spawn: Spawn) -> Spawn {
        let spawn = if geteuid().is_root() { spawn.user(NOBODY, NOBODY) } else { spawn };
        spawn.cwd(self.0.path())
    }

    fn server(&self, flags: &[&str]) -> Spawn {
        self.of(Process::example("prefork_echo")).args(["--listen", "127.0.0.1:0"]).args(flags)
    }

    /// A server that serves, whose log is `x.log`.
    fn serving(&self, flags: &[&str]) -> Process {
        let server = self.server(&["--log", "x.log"]).args(flags).notify().spawn();
        server.expect("all workers").ready();
        server
    }

    fn client(&self, server: &Process) -> Client {
        let bound = server.expect("its address").file_line(self.path("x.log"), "is bound to {address}");
        Client::connect(bound.parse::<SocketAddr>("address"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A directory in which this user may make nothing.
    fn shut(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir(&path).unwrap();
        shut(&path);
        path
    }

    /// Sees that a server with these flags does not start, with this one mistake, before anything is forked; and that
    /// whoever waits for a daemon is told the same.
    fn refused(&self, flags: &[&str], mistake: &str) {
        let before = self.0.files();
        for flags in [flags, &[flags, &["--daemonize"]].concat()] {
            let server = self.server(flags).spawn();
            server.expect(&format!("the refusal of {flags:?}")).exit_code(exit::CONFIG.into());
            // A worker would have been told of here.
            let told = server.output(Stream::Stderr).rest();
            assert_eq!(told, format!("error: the application cannot start: 1 mistake\n  {mistake}\n"));
            assert_eq!(server.output(Stream::Stdout).rest(), "", "{flags:?}");
            server.expect("nobody is left").nobody();
            assert_eq!(self.0.files(), before, "{flags:?}");
        }
    }
}

/// Nobody but root may make anything there.
fn shut(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o555)).unwrap();
}

fn open(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn user_of(pid: u32) -> u32 {
    fs::metadata(format!("/proc/{pid}")).unwrap().uid()
}

/// Who the servers are.
fn user() -> u32 {
    if geteuid().is_root() { NOBODY } else { geteuid().as_raw() }
}

#[test]
fn a_pid_file_that_is_anothers_or_cannot_be_made_is_told_before_anything_is_forked() {
    let Some(other) = Other::new("denied-pid-file") else { return };
    other.shut("shut");
    // Root's, where these tests are; at any rate one that this user may read, and not write.
    let theirs = other.path("theirs");
    fs::write(&theirs, "1\n").unwrap();
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o444)).unwrap();
    for path in ["theirs", "shut/x.pid"] {
        let mistake = format!("pid_file is `{path}`, but cannot be made: open failed: {DENIED}");
        other.refused(&["--pid-file", path], &mistake);
    }
    assert_eq!(fs::read_to_string(&theirs).unwrap(), "1\n");
    assert_eq!(fs::read_dir(other.path("shut")).unwrap().count(), 0);
}

#[test]
fn a_pid_file_is_the_users_while_its_server_runs_and_gone_afterwards() {
    let Some(other) = Other::new("own-pid-file") else { return };
    let file = other.path("x.pid");
    // One that a host of before has left behind is taken over.
    fs::write(&file, "1\n").unwrap();
    if geteuid().is_root() {
        chown(&file, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    for signal in [Signal::QUIT, Signal::TERM] {
        let server = other.serving(&["--workers", "1", "--pid-file", "x.pid"]);
        assert_eq!(fs::read_to_string(&file).unwrap(), format!("{}\n", server.pid()));
        assert_eq!(fs::metadata(&file).unwrap().uid(), user());
        let has_it = format!("process {} runs and has it", server.pid());
        let second = other.server(&["--pid-file", "x.pid"]).spawn();
        second.expect("the refusal").exit_code(exit::CONFIG.into());
        assert_contains(&second.output(Stream::Stderr).rest(), [&*has_it]);
        server.signal(signal);
        server.expect("its end").exit_code(0);
        assert!(!file.exists());
    }
}

#[test]
fn a_pid_file_that_may_not_be_removed_names_nobody_after_the_end_of_its_server() {
    let Some(other) = Other::new("kept-pid-file") else { return };
    let directory = other.path("run");
    fs::create_dir(&directory).unwrap();
    let file = directory.join("x.pid");
    fs::write(&file, "").unwrap();
    if geteuid().is_root() {
        chown(&file, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    shut(&directory);
    for _ in 0..2 {
        let server = other.serving(&["--workers", "1", "--pid-file", "run/x.pid"]);
        assert_eq!(fs::read_to_string(&file).unwrap(), format!("{}\n", server.pid()));
        server.signal(Signal::TERM);
        server.expect("its end").exit_code(0);
        assert_eq!(fs::read_to_string(&file).unwrap(), "", "it may be somebody else's number by now");
    }
    open(&directory);
}

#[test]
fn a_file_that_may_not_be_written_is_told_before_anything_is_forked() {
    let Some(other) = Other::new("denied-logs") else { return };
    other.shut("shut");
    let theirs = other.path("theirs");
    fs::write(&theirs, "a line\n").unwrap();
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o444)).unwrap();
    for what in FLAGS.map(|flag| &flag[2..]) {
        for path in ["theirs", "shut/x"] {
            let mistake = format!("{what} is `{path}`, but cannot be opened: {DENIED}");
            // A daemon has files for all of them.
            let flags = FLAGS.map(|flag| [flag, if flag[2..] == *what { path } else { "/dev/null" }]);
            other.refused(flags.as_flattened(), &mistake);
        }
    }
    assert_eq!(fs::read_to_string(&theirs).unwrap(), "a line\n");
    assert_eq!(fs::read_dir(other.path("shut")).unwrap().count(), 0);
}

#[test]
fn files_of_the_users_own_are_written_and_opened_anew_and_kept_where_they_can_no_longer_be_made() {
    const FILES: [&str; 3] = ["x.log", "out", "err"];
    let Some(other) = Other::new("own-logs") else { return };
    let server = other.serving(&["--workers", "2", "--stdout", "out", "--stderr", "err"]);
    let mut client = other.client(&server);
    let mut print = |words: &str| {
        for output in ["out", "err"] {
            client.send(format!("!{output} {words}\n"));
            assert_eq!(client.line(), format!("!{output} {words}"));
        }
    };
    let rename = |to: &str| {
        for name in FILES {
            fs::rename(other.path(name), other.path(&format!("{name}.{to}"))).unwrap();
        }
    };
    let write_to = |place: &str| {
        let to = |node: &Node, fd: u32, name: &str| {
            let link = fs::read_link(format!("/proc/{}/fd/{fd}", node.pid()));
            link.is_ok_and(|link| link == other.path(&format!("{name}{place}")))
        };
        server.expect(&format!("files `{place}`")).tree("everybody writes to them", |tree| {
            tree.living().all(|node| to(node, 1, "out") && to(node, 2, "err"))
        });
    };
    print("one");
    rename("0");
    server.signal(Signal::USR1);
    server.expect("a new log").file_line(other.path("x.log"), "the log of process");
    write_to("");
    print("two");
    assert!(FILES.iter().all(|name| fs::metadata(other.path(name)).unwrap().uid() == user()));
    // Somebody closes the directory.
    rename("1");
    shut(other.0.path());
    server.signal(Signal::USR1);
    for what in ["log", "stdout", "stderr"] {
        let told = format!("{what} cannot be opened anew: {DENIED}; the one before is kept");
        server.expect("that it is told, in the file before").file_line(other.path("x.log.1"), &told);
    }
    write_to(".1");
    print("three");
    open(other.0.path());
    server.signal(Signal::USR1);
    server.expect("a new log").file_line(other.path("x.log"), "the log of process");
    write_to("");
    print("four");
    server.signal(Signal::QUIT);
    server.expect("its end").exit_code(0);
    let texts = |name: &str| [".0", ".1", ""].map(|place| other.0.read(&format!("{name}{place}")).unwrap());
    assert_eq!(texts("out"), ["one\n", "two\nthree\n", "four\n"]);
    assert_eq!(texts("err"), texts("out"));
}

#[test]
fn a_daemon_is_started_found_by_its_pid_file_and_stopped() {
    let Some(other) = Other::new("daemon") else { return };
    let flags = ["--daemonize", "--workers", "2", "--pid-file", "x.pid"];
    let launcher = other.server(&flags).spawn();
    launcher.expect("the start").exit_code(0);
    let pid: u32 = other.0.read("x.pid").expect("a pid file").trim().parse().expect("a number");
    assert_eq!(launcher.output(Stream::Stdout).rest(), format!("started: process {pid}\n"));
    assert_eq!(launcher.output(Stream::Stderr).rest(), "");
    let log = other.0.read("echo.log").expect("a log of its own");
    assert_eq!(log.matches("is ready").count(), 2, "{log}");
    let tree = launcher.tree();
    assert_eq!(tree.children_of(pid).count(), 2);
    for node in tree.living() {
        assert_eq!(user_of(node.pid()), user(), "{node}");
    }
    launcher.signal_to(tree.find(pid).expect("the daemon"), Signal::TERM);
    launcher.expect("the end of the daemon and its workers").nobody();
    assert_eq!(other.0.files(), ["echo.log"]);
}

#[test]
fn a_daemon_that_may_make_no_log_where_it_is_started_is_told_by_the_launcher() {
    let Some(other) = Other::new("shut-daemon") else { return };
    let shut = other.shut("shut");
    let launcher = other.server(&["--daemonize"]).cwd(&shut).spawn();
    launcher.expect("the refusal").exit_code(exit::CONFIG.into());
    let told = launcher.output(Stream::Stderr).rest();
    assert_contains(&told, [&*format!("log is `echo.log`, but cannot be opened: {DENIED}")]);
    launcher.expect("nobody is left").nobody();
    assert_eq!(fs::read_dir(&shut).unwrap().count(), 0);
}

#[test]
fn workers_of_yet_another_user_are_refused_before_anything_is_forked() {
    let Some(other) = Other::new("user") else { return };
    for (name, told) in [("root", "`root`"), ("0", "0"), ("1", "1")] {
        let mistake = format!(
            "user of fleet `echo` is {told}, but needs a host that may do that: run it as root, or take it out (setuid \
             failed: operation not permitted (EPERM))"
        );
        other.refused(&["--user", name], &mistake);
    }
}

/// From which port on anybody may bind (ip_sysctl(5)).
fn unprivileged_port() -> u16 {
    let start = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    start.trim().parse().unwrap_or(u16::MAX)
}

#[test]
fn a_port_that_the_kernel_keeps_for_root_is_refused_before_anything_is_forked_and_others_are_not() {
    let Some(other) = Other::new("port") else { return };
    let start = unprivileged_port();
    println!("ports from {start} on are anybody's");
    // For the user it makes no difference whether somebody has it.
    if let Some(kept) = start.checked_sub(1).filter(|port| *port > 0) {
        let address = format!("127.0.0.1:{kept}");
        let mistake = format!("listen `clients` is {address}, but cannot be bound: {DENIED}");
        let server = other.of(Process::example("prefork_echo")).args(["--listen", &address]).spawn();
        server.expect("the refusal").exit_code(exit::CONFIG.into());
        let told = server.output(Stream::Stderr).rest();
        assert_eq!(told, format!("error: the application cannot start: 1 mistake\n  {mistake}\n"));
        server.expect("nobody is left").nobody();
    }
    if let Some(free) =
        (start.max(600)..1024).rev().find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
    {
        let own = ["--workers", "1", "--log", "x.log"];
        let address = format!("127.0.0.1:{free}");
        let server = other.of(Process::example("prefork_echo")).args(["--listen", &address]).args(own);
        let server = server.notify().spawn();
        server.expect("all workers").ready();
        assert_serves(&other, &server);
    }
}

/// Where the kernel is told so, in a network of its own.
#[test]
fn a_port_below_1024_that_the_kernel_leaves_to_anybody_is_bound() {
    let Some(other) = Other::new("given-port") else { return };
    let (Some(unshare), Some(setpriv)) = (has_tool("unshare"), has_tool("setpriv")) else { return };
    if !geteuid().is_root() {
        return left_out("only root may have a network of its own in which nobody is somebody else");
    }
    let may = Process::command(&unshare).args(["--net", "true"]).spawn();
    if !may.expect("an answer").exit().success() {
        return left_out("nobody may make a network of its own here");
    }
    let allow = "echo 80 >/proc/sys/net/ipv4/ip_unprivileged_port_start || exit 99; exec \"$@\"";
    let user = format!("--reuid={NOBODY}");
    let server = Process::command(unshare)
        .args(["--net", "sh", "-c", allow, "sh"])
        .arg(setpriv)
        .args([&user, "--clear-groups"])
        .arg(example_path("prefork_echo"))
        .args(["--listen", "0.0.0.0:80", "--workers", "1"])
        .cwd(other.0.path())
        .spawn();
    server.expect("it is bound").line("listening on 0.0.0.0:80");
    server.expect("its worker").line("is ready");
    assert!(server.tree().living().all(|node| user_of(node.pid()) == NOBODY));
    server.signal(Signal::TERM);
    server.expect("its end").exit_code(0);
}

fn assert_serves(other: &Other, server: &Process) {
    let mut client = other.client(server);
    client.send("hello\n");
    assert_eq!(client.line(), "hello");
}

#[test]
fn workers_come_with_the_load_and_go_with_it() {
    let Some(other) = Other::new("spares") else { return };
    let server = other.serving(&[
        "--workers",
        "1",
        "--min-spare",
        "1",
        "--max-spare",
        "1",
        "--spare-period-ms",
        "20",
        "--shrink-after-ms",
        "200",
    ]);
    let mut client = other.client(&server);
    client.send("hello\n");
    assert_eq!(client.line(), "hello");
    server.expect("one more, as one is busy").children(2);
    drop(client);
    server.expect("one less, as none is").children(1);
    server.signal(Signal::TERM);
    server.expect("its end").exit_code(0);
}

#[test]
fn a_worker_that_has_too_much_memory_is_found_and_replaced() {
    let Some(other) = Other::new("memory") else { return };
    let server = other.serving(&["--workers", "1", "--max-memory-mb", "48", "--memory-period-ms", "50"]);
    let worker = server.expect("its worker").children(1).remove(0);
    let mut client = other.client(&server);
    client.send("!leak\n");
    assert_eq!(client.line(), "leaked 67108864");
    server.expect("another in its place").respawn_of(&worker);
    let told = "MiB of memory and may have 48.0: it is replaced";
    server.expect("that it is told").file_line(other.path("x.log"), told);
    assert_serves(&other, &server);
    server.signal(Signal::TERM);
    server.expect("its end").exit_code(0);
}

/// What workers print on is root's, where their host is.
#[test]
fn workers_who_may_not_open_a_file_of_their_host_are_handed_it() {
    let Some(other) = Other::new("unopened") else { return };
    if !geteuid().is_root() {
        return left_out("only root may have workers of another user");
    }
    let place = other.path("root");
    fs::create_dir(&place).unwrap();
    let files = ["--log", "x.log", "--stdout", "out", "--stderr", "out", "--user", "nobody"];
    let own = ["--listen", "127.0.0.1:0", "--workers", "1"];
    let server = Process::example("prefork_echo").args(own).args(files).cwd(&place).notify().spawn();
    server.expect("all workers").ready();
    let worker = server.expect("its worker").children(1).remove(0);
    let bound = server.expect("its address").file_line(place.join("x.log"), "is bound to {address}");
    fs::rename(place.join("out"), place.join("out.0")).unwrap();
    server.signal(Signal::USR1);
    let writes_to = |pid: u32, name: &str| {
        fs::read_link(format!("/proc/{pid}/fd/1")).is_ok_and(|link| link == place.join(name))
    };
    server.expect("the new file").tree("host and worker write to it", |_| {
        writes_to(server.pid(), "out") && writes_to(worker.pid(), "out")
    });
    let mut client = Client::connect(bound.parse::<SocketAddr>("address"));
    client.send("!out one\n");
    assert_eq!(client.line(), "!out one");
    assert_eq!(fs::read_to_string(place.join("out.0")).unwrap(), "");
    assert_eq!(fs::read_to_string(place.join("out")).unwrap(), "one\n");
    server.signal(Signal::TERM);
    server.expect("its end").exit_code(0);
}
