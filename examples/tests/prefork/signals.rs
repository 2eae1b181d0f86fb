//! What the host does at each signal.

use crate::kit::process::Process;
use crate::kit::{BOUND, LATE, Stopwatch, assert_contains, one_within, pass};
use crate::server::{MS, Server, body, get};
use rustix::process::Signal;
use std::time::Duration;

const QUICK: Duration = Duration::from_millis(200);

/// Sees that nobody is left.
fn pf_c15_nobody_remains(server: &Server) {
    assert_eq!(server.program.members(), [0; 0], "neither the host nor workers remain");
}

#[test]
fn pf_c6_quit_lets_workers_finish_what_they_have_begun() {
    let mut server = Server::http(2, &[]);
    let (mut idle, _) = server.served();
    let (mut busy, worker) = server.served();
    busy.send(get("/nap"));
    server.signal(Signal::QUIT);
    server.notice("draining: QUIT received");
    assert_eq!(body(&busy.answer().1), "slept 200 ms\n");
    assert_eq!(idle.rest(), "", "what is idle is closed at once, or after the nap if that is its worker's");
    for _ in 0..2 {
        assert_contains(&server.notice("ended with"), ["exit status 0", "the host drains"]);
    }
    assert_eq!(server.program.end().code(), Some(0));
    assert!(!worker.is_alive());
    pf_c15_nobody_remains(&server);
}

#[test]
fn pf_c6_quit_lets_a_request_arrive_that_has_begun_and_ends_its_connection() {
    let server = Server::http(1, &[]);
    let (mut idle, mut fresh, mut begun) = (server.client(), server.client(), server.client());
    begun.send("GET / HTTP/1.1\r\n");
    // Whoever came earlier was accepted earlier.
    assert_eq!(idle.get("/").0, 200);
    assert_eq!(server.client().get("/").0, 200);
    server.signal(Signal::QUIT);
    assert_eq!(idle.rest(), "", "that the idle one is closed tells that the drain has begun");
    for (client, rest) in [(&mut begun, "Host: test\r\n\r\n"), (&mut fresh, &*get("/"))] {
        client.send(rest);
        assert_contains(&client.rest(), ["HTTP/1.1 200 OK", "Connection: close", "Hello, World!"]);
    }
    assert_eq!(server.program.end().code(), Some(0));
    pf_c15_nobody_remains(&server);
}

#[test]
fn quit_waits_a_second_at_most_for_a_client_that_says_nothing() {
    let server = Server::http(1, &[]);
    let mut silent = [server.client(), server.client()];
    silent[1].send("GET / HT");
    assert_eq!(server.client().get("/").0, 200);
    let watch = Stopwatch::start();
    server.signal(Signal::QUIT);
    silent.iter_mut().for_each(|client| assert_eq!(client.rest(), ""));
    assert_eq!(server.program.end().code(), Some(0));
    let took = watch.elapsed();
    assert!(took >= 1000 * MS && took <= LATE, "stopped after {took:?}");
}

#[test]
fn pf_c6_quit_lets_a_blocking_loop_answer_what_has_come() {
    let server = Server::echo(1, &[]);
    let mut client = server.client();
    client.send("one\n");
    assert_eq!(client.line(), "one");
    client.send("two\nthree\n");
    assert_eq!([client.line(), client.line()], ["two", "three"]);
    client.send("fo");
    server.signal(Signal::QUIT);
    client.send("ur\n");
    assert_eq!(client.rest(), "four\n");
    assert_eq!(server.program.end().code(), Some(0));
    pf_c15_nobody_remains(&server);
}

#[test]
fn pf_c7_pf_c8_term_and_int_end_workers_at_once() {
    for signal in [Signal::TERM, Signal::INT] {
        let server = Server::http(2, &[]);
        let (mut client, _) = server.served();
        client.send(get("/sleep?ms=20000"));
        let watch = Stopwatch::start();
        server.signal(signal);
        assert_eq!(server.program.end().code(), Some(0));
        let took = watch.elapsed();
        assert!(took < LATE, "stopped after {took:?}");
        assert!(!client.is_answered(), "it was not finished");
        pf_c15_nobody_remains(&server);
    }
}

#[test]
fn pf_c9_ttin_adds_a_worker() {
    one_within("a third worker", 500 * MS, || {
        let mut server = Server::http(2, &[]);
        let watch = Stopwatch::start();
        server.signal(Signal::TTIN);
        server.notice("3 workers are wanted");
        server.notice("created");
        let took = watch.elapsed();
        server.notice("is ready");
        assert_eq!(server.workers().len(), 3);
        took
    });
}

#[test]
fn pf_c10_ttou_takes_exactly_one_worker_away() {
    one_within("one worker less", QUICK, || {
        let mut server = Server::http(2, &[]);
        let oldest = server.workers()[0];
        let watch = Stopwatch::start();
        server.signal(Signal::TTOU);
        assert_contains(&server.notice("sent QUIT"), ["more workers than wanted"]);
        let took = watch.elapsed();
        assert_contains(&server.notice("ended with"), ["exit status 0", &format!("pid {oldest},")]);
        assert!(server.program.stderr.is_silent_for(QUICK), "exactly one");
        assert_eq!(server.workers().len(), 1);
        took
    });
}

#[test]
fn pf_c11_pf_c33_winch_takes_all_workers_away_and_once_more_brings_them_back() {
    one_within("no workers", QUICK, || {
        let mut server = Server::http(2, &[]);
        let watch = Stopwatch::start();
        server.signal(Signal::WINCH);
        server.notices(2, "sent QUIT");
        watch.elapsed()
    });
    let mut server = Server::http(2, &[]);
    server.signal(Signal::WINCH);
    server.notices(2, "ended with");
    assert_eq!(server.workers(), [0; 0]);
    assert!(!server.program.ends_within(50 * MS), "the host is alive");
    // Nobody accepts, and nobody is refused.
    let mut early = server.client();
    early.send(get("/"));
    server.signal(Signal::WINCH);
    server.notice("2 workers are wanted");
    assert_eq!(early.answer().0, 200);
    server.notices(2, "is ready");
    assert_eq!(server.workers().len(), 2);
    // And one counts from none afterwards.
    server.signal(Signal::WINCH);
    server.notices(2, "ended with");
    server.signal(Signal::TTIN);
    server.notice("1 worker is wanted");
    server.notice("is ready");
    assert_eq!(server.workers().len(), 1);
}

#[test]
fn pf_c23_ttou_at_none_is_none_and_the_next_ttin_makes_one() {
    let mut server = Server::http(2, &[]);
    for left in ["1 worker is wanted", "0 workers are wanted"] {
        server.signal(Signal::TTOU);
        server.notice(left);
        server.notice("ended with");
    }
    for _ in 0..3 {
        server.signal(Signal::TTOU);
        // Signals come one after the other, the lowest number first: this one tells that all were heard.
        server.signal(Signal::HUP);
        server.notice("HUP received");
    }
    server.signal(Signal::TTIN);
    server.notice("1 worker is wanted");
    server.notice("is ready");
    assert_eq!(server.workers().len(), 1);
}

#[test]
fn pf_c26_of_a_burst_of_ttin_some_may_merge_and_of_those_that_were_heard_none_is_lost() {
    let mut server = Server::echo(2, &[]);
    for _ in 0..20 {
        server.signal(Signal::TTIN);
    }
    // Pending signals of one kind merge (signal(7)): at least one is heard, and none twice. The last of those
    // that are left comes before that of a higher number.
    server.notice("3 workers are wanted");
    let status = format!("/proc/{}/status", server.program.pid());
    let watch = Stopwatch::start();
    while pending(&std::fs::read_to_string(&status).unwrap(), Signal::TTIN) {
        assert!(watch.elapsed() < BOUND, "the host does not read its signals");
        pass(MS);
    }
    server.signal(Signal::WINCH);
    let lines = server.program.stderr.all_until(": 0 workers are wanted");
    let most = lines.iter().rev().skip(1).find_map(|line| wanted(line)).unwrap_or(3);
    println!("20 TTIN without a pause added {}", most - 2);
    assert!((3..=22).contains(&most), "{lines:#?}");
    server.signal(Signal::WINCH);
    server.notice(&format!(": {most} workers are wanted"));
    for wanted in most + 1..=most + 20 {
        server.signal(Signal::TTIN);
        server.notice(&format!(": {wanted} workers are wanted"));
    }
    server.notice("is ready");
}

/// Whether such a signal waits to be read.
fn pending(status: &str, signal: Signal) -> bool {
    let bits = status.lines().find_map(|line| line.strip_prefix("ShdPnd:")).unwrap();
    u64::from_str_radix(bits.trim(), 16).unwrap() >> (signal.as_raw() - 1) & 1 == 1
}

fn wanted(line: &str) -> Option<u32> {
    line.strip_suffix(" workers are wanted")?.rsplit(' ').next()?.parse().ok()
}

#[test]
fn pf_c22_hup_and_usr2_are_told_and_ignored_and_usr1_kicks_nobody_who_is_alive() {
    let mut server = Server::http(2, &[]);
    let before = server.workers();
    for (signal, name) in [(Signal::HUP, "HUP"), (Signal::USR2, "USR2")] {
        server.signal(signal);
        server.notice(&format!("{name} received and ignored"));
    }
    server.signal(Signal::USR1);
    assert!(!server.program.ends_within(50 * MS), "nobody dies");
    assert_eq!(server.workers(), before);
    assert_eq!(server.client().get("/").0, 200);
}

#[test]
fn pf_c27_quit_then_term_or_int_escalates_at_once() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::http(2, &[]);
        let (mut client, _) = server.served();
        client.send(get("/sleep?ms=20000"));
        server.signal(Signal::QUIT);
        server.notice("draining");
        assert!(!server.program.ends_within(50 * MS), "it waits for the request");
        let watch = Stopwatch::start();
        server.signal(signal);
        let code = server.program.end().code();
        let took = watch.elapsed();
        println!("escalated within {took:?}");
        assert!(took < LATE, "escalated after {took:?}");
        assert_eq!(code, Some(0));
        pf_c15_nobody_remains(&server);
    }
}

#[test]
fn workers_that_are_stopped_and_hear_nothing_keep_no_stop_waiting() {
    let rows: [(&[Signal], Duration, &str); 4] = [
        // To one that is stopped nothing but KILL gets through.
        (&[Signal::TERM], Duration::ZERO, "the host stops"),
        (&[Signal::QUIT], 300 * MS, "the host drains"),
        (&[Signal::QUIT, Signal::TERM], Duration::ZERO, "the host stops"),
        (&[Signal::TERM, Signal::INT, Signal::TERM], Duration::ZERO, "the host stops"),
    ];
    for (signals, bound, why) in rows {
        let mut server = Server::http(2, &["--drain-timeout-ms", "300"]);
        for worker in server.workers() {
            Process::of(worker).signal(Signal::STOP);
        }
        server.notices(2, "was stopped");
        let watch = Stopwatch::start();
        signals.iter().for_each(|signal| server.signal(*signal));
        assert!(server.program.ends_within(BOUND), "workers that obey nobody keep it from stopping");
        let took = watch.elapsed();
        println!("{signals:?}: stopped after {took:?}");
        // Less than the second that TERM has.
        assert!(took >= bound && took <= bound + 900 * MS, "{signals:?}: stopped after {took:?}");
        for line in server.notices(2, "ended with") {
            assert_contains(&line, ["signal KILL", why]);
        }
        pf_c15_nobody_remains(&server);
    }
}

#[test]
fn a_worker_that_hangs_is_bounded_by_the_drain_timeout() {
    let server = Server::http(1, &["--drain-timeout-ms", "300", "--timeout-ms", "10000"]);
    let (mut client, _) = server.served();
    client.send(get("/hang"));
    let watch = Stopwatch::start();
    server.signal(Signal::QUIT);
    assert_eq!(server.program.end().code(), Some(0));
    let took = watch.elapsed();
    assert!(took >= 300 * MS && took <= LATE, "stopped after {took:?}");
    pf_c15_nobody_remains(&server);
}
