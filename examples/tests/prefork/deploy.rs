//! The files in `examples/deploy`, as the tools that read them see them.

use crate::kit::assert_contains;
use crate::scratch::Scratch;
use crate::tool::{example_path, has_tool, left_out};
use clap::Parser as _;
use examples::prefork::Options;
use harness::Process;
use harness::process::{Signal, Stream};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Where a file of `examples/deploy` is.
fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

/// What stands in it.
fn deployed(name: &str) -> String {
    let path = deploy(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Where this stands in the directory of a test, for a command line.
fn place(scratch: &Scratch, name: &str) -> String {
    scratch.path().join(name).to_str().unwrap().to_owned()
}

/// Whatever its umask is: nobody else may write to the file and its directory, or logrotate would not touch it.
fn write(scratch: &Scratch, name: &str, text: &str) -> String {
    let path = scratch.path().join(name);
    let directory = path.parent().unwrap();
    fs::create_dir_all(directory).unwrap();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    place(scratch, name)
}

/// What a tool says on both of its outputs, which are well only if it succeeds.
fn told(tool: &Path, arguments: &[&str]) -> String {
    let run = Process::command(tool).args(arguments).spawn();
    let [mut out, mut err] = Stream::BOTH.map(|stream| run.output(stream));
    let status = run.expect("its end").exit();
    let said = out.rest() + &err.rest();
    assert!(status.success(), "{status}: {said}");
    said
}

/// The program that is installed where these files want it.
const INSTALLED: &str = "/usr/local/bin/prefork_http";

#[test]
fn systemd_has_nothing_to_say_against_the_units() {
    let Some(analyze) = has_tool("systemd-analyze") else { return };
    let scratch = Scratch::new("units");
    // Whether that program is there it looks, too.
    let program = example_path("prefork_http");
    let units = ["prefork.service", "prefork.socket"].map(|name| {
        let text = deployed(name).replace(INSTALLED, program.to_str().unwrap());
        write(&scratch, name, &text)
    });
    let said = told(&analyze, &["verify", "--man=no", &units[0], &units[1]]);
    // What it does not know it names, and succeeds all the same.
    let about_ours: Vec<_> = said.lines().filter(|line| line.contains("prefork")).collect();
    assert_eq!(about_ours, [""; 0]);
}

#[test]
fn the_units_stop_the_server_by_a_drain_and_name_its_listener() {
    let unit = deployed("prefork.service");
    assert_contains(&unit, ["\nType=notify\n", "\nKillSignal=SIGQUIT\n", "\nKillMode=mixed\n"]);
    assert_contains(&deployed("prefork.socket"), ["\nFileDescriptorName=clients\n"]);
    let started = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("what is started");
    let words: Vec<_> = started.split(' ').collect();
    assert_eq!(words[0], INSTALLED);
    if let Err(error) = Options::try_parse_from(words) {
        panic!("{started}: {error}");
    }
}

#[test]
fn the_directories_are_made_for_the_user_of_the_server_and_for_nobody_else_to_write_to() {
    let Some(tmpfiles) = has_tool("systemd-tmpfiles") else { return };
    let scratch = Scratch::new("tmpfiles");
    // A root in which whoever runs this test is called prefork.
    let found = fs::metadata(scratch.path()).unwrap();
    let (user, group) = (found.uid(), found.gid());
    write(&scratch, "etc/passwd", &format!("prefork:x:{user}:{group}::/:/bin/false\n"));
    write(&scratch, "etc/group", &format!("prefork:x:{group}:\n"));
    let snippet = write(&scratch, "prefork.conf", &deployed("prefork.tmpfiles"));
    told(&tmpfiles, &["--create", &format!("--root={}", place(&scratch, "")), &snippet]);
    for (directory, mode) in [("run/prefork", 0o755), ("var/log/prefork", 0o750)] {
        let found = fs::metadata(scratch.path().join(directory)).unwrap();
        assert_eq!(found.permissions().mode() & 0o7777, mode, "{directory}");
        assert_eq!((found.uid(), found.gid()), (user, group), "{directory}");
    }
    // So that whoever rotates them may do so, also if a host that runs as root was first.
    for log in ["prefork", "out", "err"] {
        let found = fs::metadata(scratch.path().join(format!("var/log/prefork/{log}.log"))).unwrap();
        assert_eq!((found.uid(), found.permissions().mode() & 0o7777), (user, 0o640), "{log}");
    }
}

/// The snippet for files in `scratch`, of whoever runs this test.
fn rotation(scratch: &Scratch) -> String {
    let id = |flag: &str| told(Path::new("id"), &[flag]).trim().to_owned();
    let text = deployed("prefork.logrotate")
        .replace("/var/log/prefork/", &place(scratch, "log/"))
        .replace("/run/prefork/", &place(scratch, "run/"))
        .replace("prefork prefork", &format!("{} {}", id("-un"), id("-gn")));
    write(scratch, "logrotate", &text)
}

/// What rotates, where this machine has all that it needs.
fn logrotate() -> Option<PathBuf> {
    has_tool("pkill")?;
    has_tool("logrotate")
}

#[test]
fn logs_are_rotated_and_the_server_goes_on_in_new_files_and_loses_no_line() {
    let Some(logrotate) = logrotate() else { return };
    let scratch = Scratch::new("rotation");
    for name in ["log/none", "run/none"] {
        write(&scratch, name, "");
    }
    let [pid_file, log, out] =
        ["run/prefork.pid", "log/prefork.log", "log/out.log"].map(|name| place(&scratch, name));
    let server = Process::example("prefork_http")
        .args(["--listen", "127.0.0.1:0", "--workers", "2"])
        .args(["--pid-file", &pid_file, "--log", &log, "--stdout", &out])
        .notify()
        .spawn();
    server.expect("all workers").ready();
    let (snippet, state) = (rotation(&scratch), place(&scratch, "state"));
    told(&logrotate, &["--force", "--state", &state, &snippet]);
    server.expect("the new log").file(&log);
    server.signal(Signal::QUIT);
    server.expect("its end").exit_code(0);
    let before = scratch.read("log/prefork.log.1").expect("the old log");
    assert_contains(&before, ["worker 0", "worker 1", " is ready"]);
    let after = scratch.read("log/prefork.log").expect("the new log");
    assert_contains(&after, ["the log of process ", "draining: QUIT received", "host stopped"]);
}

#[test]
fn whoever_has_a_number_that_a_killed_server_has_left_is_told_nothing() {
    let Some(logrotate) = logrotate() else { return };
    let scratch = Scratch::new("stale");
    // One whom USR1 would end.
    let stranger = Process::sh("exec sleep 1000").spawn();
    write(&scratch, "run/prefork.pid", &format!("{}\n", stranger.pid()));
    let (snippet, state) = (rotation(&scratch), place(&scratch, "state"));
    let rotate = || {
        write(&scratch, "log/prefork.log", "a line\n");
        told(&logrotate, &["--force", "--state", &state, &snippet]);
        assert_eq!(scratch.read("log/prefork.log.1").as_deref(), Some("a line\n"));
    };
    rotate();
    assert_eq!(stranger.status(), None);
    // And nobody at all is no error.
    fs::remove_file(scratch.path().join("run/prefork.pid")).unwrap();
    rotate();
    assert_eq!(stranger.status(), None);
}

#[test]
fn the_entry_point_of_a_container_is_process_1_drains_and_leaves_nobody() {
    let Some(unshare) = has_tool("unshare") else { return };
    let namespaces = ["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--"];
    let allowed = Process::command(&unshare).args(namespaces).arg("true").spawn();
    if !allowed.expect("its end").exit().success() {
        left_out("this machine lets nobody have a namespace of processes (unshare)");
        return;
    }
    let directory = example_path("prefork_http").parent().unwrap().to_str().unwrap().to_owned();
    let path = std::env::var("PATH").unwrap_or_default();
    // By its environment, or by what stands on the command line.
    for (listen, flags) in [("127.0.0.1:0", &[][..]), ("192.0.2.1:1", &["--listen", "127.0.0.1:0"])] {
        let container = Process::command(&unshare)
            .args(namespaces)
            .arg("sh")
            .arg(deploy("entrypoint.sh"))
            .args(["--workers", "2"])
            .args(flags)
            .env("PATH", format!("{directory}:{path}"))
            .env("LISTEN", listen)
            .notify()
            .spawn();
        container.expect("it is number 1").line("kill -QUIT 1 ");
        container.expect("all workers").ready();
        let host = container.expect("process 1").children(1).remove(0);
        container.signal_to(&host, Signal::QUIT);
        container.expect("its end").exit_code(0);
        container.expect("nobody").nobody();
    }
}

#[test]
fn the_container_stops_the_server_by_a_drain() {
    let dockerfile = deployed("Dockerfile");
    assert_contains(
        &dockerfile,
        ["\nSTOPSIGNAL SIGQUIT\n", "\nENTRYPOINT [\"/usr/local/bin/entrypoint.sh\"]\n"],
    );
}
