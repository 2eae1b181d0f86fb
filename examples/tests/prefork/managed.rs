//! What a service manager hears of a server (NOTIFY_SOCKET).

use crate::tool::has_tool;
use harness::Process;
use harness::process::{Signal, Spawn, Stream};

fn server() -> Spawn {
    let flags = ["--listen", "127.0.0.1:0", "--workers", "2", "--drain-timeout-ms", "7000"];
    Process::example("prefork_http").args(flags)
}

#[test]
fn it_hears_that_all_workers_are_ready_how_many_there_are_and_that_the_server_stops() {
    let server = server().notify().spawn();
    server.expect("time for the boot").notification("EXTEND_TIMEOUT_USEC=31000000");
    server.expect("all workers").ready();
    server.expect("a status").notification("STATUS=2 of 2 workers ready");
    server.signal(Signal::TTIN);
    server.expect("one more").notification("STATUS=3 of 3 workers ready");
    server.signal(Signal::QUIT);
    server.expect("the stop").notification("STOPPING=1");
    // 7 s for the fleet, 30 for services, and one more.
    server.expect("time for the drain").notification("EXTEND_TIMEOUT_USEC=38000000");
    server.expect("its end").exit_code(0);
}

#[test]
fn its_watchdog_is_fed() {
    let fed = server().notify().env("WATCHDOG_USEC", "200000").spawn();
    for _ in 0..5 {
        fed.expect("a sign of life").notification("WATCHDOG=1");
    }
    // It is another's.
    let other = server().notify().env("WATCHDOG_USEC", "200000").env("WATCHDOG_PID", "1").spawn();
    other.expect("all workers").ready();
    other.signal(Signal::TERM);
    other.expect("its end").exit_code(0);
    let heard = other.notifications();
    assert!(heard.iter().any(|line| line == "STOPPING=1") && !heard.iter().any(|line| line == "WATCHDOG=1"));
}

#[test]
fn a_manager_that_is_not_there_is_told_of_and_the_server_serves() {
    for address in ["/no/such/socket", "@no-such-name", "not from the root"] {
        let server = server().env("NOTIFY_SOCKET", address).spawn();
        let mut told = server.output(Stream::Stderr);
        told.until("the service manager cannot be told anything");
        told.until("is ready");
        server.signal(Signal::TERM);
        server.expect("its end").exit_code(0);
    }
}

#[test]
fn it_says_what_systemds_own_tool_says() {
    let Some(notify) = has_tool("systemd-notify") else { return };
    let status = "STATUS=2 of 2 workers ready";
    // It waits until it was heard otherwise, by a message of its own (sd_notify_barrier(3)).
    let tool = Process::command(notify).args(["--no-block", "--ready", status]).notify().spawn();
    tool.expect("its status").notification(status);
    tool.expect("its end").exit_code(0);
    let server = server().notify().spawn();
    server.expect("a status").notification(status);
    let wanted = tool.notifications();
    assert!(wanted.iter().any(|line| line == "READY=1"), "{wanted:?}");
    let said = server.notifications();
    assert!(wanted.iter().all(|line| said.contains(line)), "{wanted:?} in {said:?}");
}
