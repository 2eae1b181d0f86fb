//! What a worker is after it has given up all that it can, as others see it (proc_pid_status(5)).

use crate::probe::{End, Probe};
use rustix::process::{Signal, geteuid};
use std::fs::{read_link, read_to_string};
use std::path::Path;

#[test]
fn a_worker_has_become_all_that_its_fleet_says() {
    if !geteuid().is_root() {
        println!("skipped: only root may have workers of another user");
        return;
    }
    let mut probe = Probe::start("confined");
    let line = probe.line();
    let [pid, mode, directory] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
    assert_eq!((mode, directory), ("640", "/"), "umask and working directory");
    let status = read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value
            .unwrap_or_else(|| panic!("no {name} in {status}"))
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    for (name, expected) in [
        ("Uid", "65534 65534 65534 65534"),
        ("Gid", "4243 4243 4243 4243"),
        ("Groups", "4244 4245"),
        ("Umask", "0027"),
        ("NoNewPrivs", "1"),
        ("CapPrm", "0000000000000000"),
        ("CapEff", "0000000000000000"),
    ] {
        assert_eq!(field(name), expected, "{name}");
    }
    let limits = read_to_string(format!("/proc/{pid}/limits")).unwrap();
    for (name, both) in
        [("Max open files", "64 64"), ("Max core file size", "0 0"), ("Max file size", "unlimited unlimited")]
    {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let found = line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        assert_eq!(found, both, "{name}");
    }
    // The 19th field; the name before it, in brackets, has no blank (proc_pid_stat(5)).
    let stat = read_to_string(format!("/proc/{pid}/stat")).unwrap();
    assert_eq!(stat.rsplit_once(')').unwrap().1.split_whitespace().nth(16), Some("19"), "{stat}");
    assert_eq!(read_link(format!("/proc/{pid}/root")).unwrap(), Path::new("/tmp"));
    assert_eq!(read_link(format!("/proc/{pid}/cwd")).unwrap(), Path::new("/tmp"));
    probe.signal(Signal::TERM);
    assert_eq!(probe.end(), End::Exited(0));
}
