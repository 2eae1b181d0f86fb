//! Whose number is in the pid file, and that no two servers have it.

use crate::kit::{BOUND, Program, Stopwatch, assert_contains, pass};
use crate::server::{MS, Server};

use host_core::error::exit;
use rustix::process::Signal;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// A path of its own, which is free at the end as well.
struct PidFile(PathBuf);

impl PidFile {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("prefork-{}-{name}.pid", std::process::id()));
        let _ = fs::remove_file(&path);
        Self(path)
    }

    fn flag(&self) -> [&str; 2] {
        ["--pid-file", self.0.to_str().unwrap()]
    }

    fn says(&self) -> Option<String> {
        fs::read_to_string(&self.0).ok()
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The line that the server with this number writes.
fn line_of(server: &Server) -> Option<String> {
    Some(format!("{}\n", server.program.pid()))
}

#[test]
fn pf_c16_pf_c17_pf_c18_it_is_there_while_the_server_runs_and_no_longer() {
    for signal in [Signal::QUIT, Signal::TERM] {
        let file = PidFile::new("stop");
        let server = Server::http(2, &file.flag());
        assert_eq!(file.says(), line_of(&server));
        server.signal(signal);
        assert_eq!(server.program.end().code(), Some(0));
        assert_eq!(file.says(), None);
    }
}

#[test]
fn pf_c20_a_start_beside_one_that_runs_is_refused_and_that_one_is_left_alone() {
    let file = PidFile::new("live");
    let server = Server::http(2, &file.flag());
    let mut second =
        Program::spawn("prefork_http", &[&["--listen", "127.0.0.1:0"], &file.flag()[..]].concat());
    assert_eq!(second.end().code(), Some(i32::from(exit::CONFIG)));
    let number = server.program.pid().to_string();
    assert_contains(
        &second.stderr.rest(),
        ["pid_file", &format!("process {number} runs and has it"), "stop that one"],
    );
    assert_eq!(second.members(), [0; 0]);
    assert_eq!(file.says(), line_of(&server));
    assert_eq!(server.workers().len(), 2);
}

#[test]
fn pf_c20_one_that_was_killed_leaves_it_to_the_next_whosever_number_that_is_by_now() {
    let file = PidFile::new("dead");
    let server = Server::http(2, &file.flag());
    server.signal(Signal::KILL);
    server.program.end();
    assert_eq!(file.says(), line_of(&server), "nobody was there to remove it");
    // The number is that of somebody who lives, of nobody, or no number at all.
    for left in [
        std::process::id().to_string(),
        "1\n".into(),
        "0".into(),
        "-17".into(),
        "nonsense".into(),
        "9".repeat(500),
    ] {
        fs::write(&file.0, &left).unwrap();
        let next = Server::http(1, &file.flag());
        assert_eq!(file.says(), line_of(&next), "after {left:?}");
        next.signal(Signal::TERM);
        next.program.end();
        assert_eq!(file.says(), None);
    }
}

#[test]
fn its_workers_do_not_keep_it() {
    let file = PidFile::new("workers");
    let server = Server::http(2, &[&file.flag()[..], &["--on-host-death", "drain"]].concat());
    server.signal(Signal::KILL);
    server.program.end();
    // Whether they are gone by now or not.
    let next = Server::http(1, &file.flag());
    assert_eq!(file.says(), line_of(&next));
}

#[test]
fn one_that_somebody_has_put_in_its_place_is_not_removed() {
    let file = PidFile::new("replaced");
    let server = Server::http(1, &file.flag());
    fs::remove_file(&file.0).unwrap();
    fs::write(&file.0, "another\n").unwrap();
    server.signal(Signal::TERM);
    server.program.end();
    assert_eq!(file.says().as_deref(), Some("another\n"));
}

#[test]
fn a_path_that_cannot_be_had_is_told_before_anything_is_forked() {
    let rows = [
        ("/no/such/directory/x.pid", "ENOENT"),
        ("/tmp", "EISDIR"),
        ("/dev/null", "EEXIST"),
        ("", "must be the path of a file"),
    ];
    for (path, why) in rows {
        let mut program = Program::spawn("prefork_http", &["--listen", "127.0.0.1:0", "--pid-file", path]);
        assert_eq!(program.end().code(), Some(i32::from(exit::CONFIG)), "{path}");
        assert_contains(&program.stderr.rest(), ["pid_file", &format!("`{path}`"), why]);
        assert_eq!(program.members(), [0; 0]);
    }
}

#[test]
fn what_is_no_pid_file_is_left_as_it_is() {
    let file = PidFile::new("precious");
    fs::write(&file.0, "precious data\n").unwrap();
    let flags = [&["--listen", "127.0.0.1:0", "--workers", "1"], &file.flag()[..]].concat();
    let mut refused = Program::spawn("prefork_http", &flags);
    assert_eq!(refused.end().code(), Some(i32::from(exit::CONFIG)));
    assert_contains(&refused.stderr.rest(), ["pid_file", "has other content than a process number"]);
    assert_eq!(file.says().as_deref(), Some("precious data\n"));
}

#[test]
fn pf_c31_of_many_that_start_at_once_one_wins() {
    let file = PidFile::new("race");
    for _ in 0..5 {
        let flags = [&["--listen", "127.0.0.1:0", "--workers", "1"], &file.flag()[..]].concat();
        let mut racers: Vec<_> = (0..8).map(|_| Program::spawn("prefork_http", &flags)).collect();
        // Those who lose end by themselves, and whoever wins does not.
        let watch = Stopwatch::start();
        let end =
            |racers: &[Program]| racers.iter().filter(|racer| racer.ends_within(Duration::ZERO)).count();
        while end(&racers) + 1 < racers.len() {
            assert!(watch.elapsed() < BOUND, "{} of {} have ended", end(&racers), racers.len());
            pass(MS);
        }
        for racer in &mut racers {
            if racer.ends_within(Duration::ZERO) {
                assert_eq!(racer.end().code(), Some(i32::from(exit::CONFIG)));
                // Who has it may not have come to say so.
                assert_contains(&racer.stderr.rest(), ["pid_file", "has it: stop that one"]);
            } else {
                racer.stdout.until("listening on ");
                assert_eq!(file.says(), Some(format!("{}\n", racer.pid())));
                racer.signal(Signal::TERM);
                assert_eq!(racer.end().code(), Some(0));
            }
        }
        assert_eq!(file.says(), None);
    }
}
