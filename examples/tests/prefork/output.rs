//! What workers print, with `--capture`.

use crate::kit::{BOUND, assert_contains};
use crate::server::{Server, body, get};
use rustix::process::Signal;

/// What the web server answers.
fn ask(server: &Server, path: &str) -> String {
    let mut client = server.client();
    body(&client.get(path).1).to_owned()
}

#[test]
fn lines_of_workers_and_of_their_programs_stand_in_the_log_of_the_host_with_their_number() {
    let mut server = Server::http(1, &["--capture"]);
    let pid = server.workers()[0];
    assert_eq!(ask(&server, "/print?lines=3"), "printed\n");
    let said =
        |stream: &str, words: &str| format!("fleet `http`: worker 0 (gen 1, pid {pid}) {stream}: {words}");
    // What the two streams say comes in no particular order of one to the other.
    let told = server.notices(4, "(gen 1");
    let (errors, lines): (Vec<_>, Vec<_>) = told.iter().partition(|line| line.contains("stderr"));
    for (line, told) in (1..).zip(lines) {
        assert_contains(told, [said("stdout", &format!("line {line} of 3")).as_str()]);
    }
    assert_contains(errors[0], [said("stderr", "3 lines are printed").as_str()]);
    assert_eq!(ask(&server, "/program"), "printed\n");
    assert_contains(&server.notice("stdout"), [said("stdout", "a program prints").as_str()]);
}

#[test]
fn what_a_killed_worker_has_printed_is_told_before_its_death_with_the_line_that_it_did_not_finish() {
    let mut server = Server::http(1, &["--capture"]);
    let (mut client, worker) = server.served();
    assert_eq!(body(&client.get("/print").1), "printed\n");
    assert_eq!(body(&client.get("/half").1), "printed\n");
    worker.signal(Signal::KILL);
    assert!(worker.ends_within(BOUND), "it was killed and did not end");
    assert_contains(&server.notice("stdout"), ["line 1 of 1"]);
    assert_contains(&server.notice("[no newline]"), ["stdout: half of a line", &worker.pid.to_string()]);
    assert_contains(&server.notice("ended with"), ["signal KILL", &worker.pid.to_string()]);
}

#[test]
fn a_crash_leaves_its_words_with_the_number_of_who_crashed() {
    let mut server = Server::http(1, &["--capture", "--timeout-ms", "300"]);
    let (mut client, worker) = server.served();
    assert_eq!(body(&client.get("/half").1), "printed\n");
    client.send(get("/crash"));
    assert_contains(&server.notice("[no newline]"), ["half of a line", &worker.pid.to_string()]);
    server.notice("is ready");
    assert_eq!(ask(&server, "/"), "Hello, World!\n");
}

#[test]
fn a_flood_is_cut_short_and_the_service_goes_on() {
    const LINES: u64 = 300_000;
    let mut server = Server::http(2, &["--capture"]);
    let mut flooding = server.client();
    flooding.send(get(&format!("/print?lines={LINES}")));
    server.notice("line 1 of 300000");
    for _ in 0..50 {
        // Each may come to the worker that prints and then waits for it, but nobody waits for ever.
        assert_eq!(ask(&server, "/"), "Hello, World!\n");
    }
    assert_contains(&server.notice("prints too much"), ["lines were left out"]);
    assert_eq!(ask(&server, "/"), "Hello, World!\n");
    // It has not been killed for waiting, and the host ends as always.
    server.signal(Signal::QUIT);
    server.notice("host stopped");
    assert_eq!(server.program.end().code(), Some(0));
}

#[test]
fn a_worker_prints_where_the_host_does_if_nobody_has_asked_for_more() {
    let mut server = Server::http(1, &[]);
    assert_eq!(ask(&server, "/print?lines=2"), "printed\n");
    assert_eq!(server.program.stdout.until("line 2"), "line 2 of 2");
    assert_eq!(server.notice("lines are printed"), "2 lines are printed");
}

#[test]
fn a_host_with_captured_output_holds_no_more_descriptors_after_many_deaths() {
    let mut server = Server::http(2, &["--capture"]);
    let before = open_descriptors(server.program.pid());
    for _ in 0..20 {
        let (_client, worker) = server.served();
        worker.signal(Signal::KILL);
        server.notice("is ready");
    }
    assert_eq!(open_descriptors(server.program.pid()), before);
}

fn open_descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}
