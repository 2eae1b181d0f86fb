//! The example as its user meets it: a process of its own, over its sockets and by its signals.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod kit;

use host_core::error::exit;
use kit::{Client, Program, accept, assert_contains};
use rustix::net::{AddressFamily, SocketType, bind, listen, socket};
use rustix::process::Signal;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener};
use std::process::Stdio;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const GET: &str = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

const NAME: &str = "web_and_worker";

/// Starts it on free ports with these arguments, and waits until it serves: the addresses of the web server
/// and of the worker.
fn serving(arguments: &[&str]) -> (Program, SocketAddr, SocketAddr) {
    let ports = ["--listen", "127.0.0.1:0", "--jobs-listen", "127.0.0.1:0"];
    let mut program = Program::spawn(NAME, &[&ports, arguments].concat());
    let mut address = |words| program.stdout.until(words).split_once(words).unwrap().1.parse().unwrap();
    let (web, jobs) = (address("listening on "), address("jobs on "));
    program.stdout.until("kill -TERM");
    (program, web, jobs)
}

// The web server.

#[test]
fn a_connection_is_kept_for_requests_one_by_one_in_a_row_and_in_pieces() {
    let (_program, web, _) = serving(&[]);
    let mut client = Client::connect(web);
    let (status, hello) = client.get("/");
    assert_eq!(status, 200);
    assert_contains(&hello, ["hello", "GET /jobs", "POST /reports"]);
    client.send(GET.repeat(3) + "GET /nowhere HTTP/1.1\r\nHost: test\r\n\r\n");
    let statuses = [(); 4].map(|()| client.answer().0);
    assert_eq!(statuses, [200, 200, 200, 404]);
    for byte in GET.as_bytes() {
        client.send([*byte]);
    }
    assert_eq!(client.answer(), (200, hello));
}

#[test]
fn a_request_that_ends_the_connection_is_answered_first() {
    let (_program, web, _) = serving(&[]);
    let rows = [
        ("HEAD / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", "200 OK"),
        ("GET / HTTP/1.0\r\n\r\n", "200 OK"),
        ("nonsense\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\n\r\n", "400 Bad Request"),
        ("POST /reports HTTP/1.1\r\nHost: test\r\nContent-Length: 9000\r\n\r\n", "413 Content Too Large"),
    ];
    for (request, status) in rows {
        let mut client = Client::connect(web);
        // What follows is not taken for a request.
        client.send(format!("{request}{}", "x".repeat(20_000)));
        let answer = client.rest();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request:?}: {answer}");
        assert_contains(&answer, ["Connection: close"]);
        assert_eq!(answer.ends_with("\r\n\r\n"), request.starts_with("HEAD"), "only HEAD has no body");
        // Who is still sending is not reset, which on a real network might overtake the answer. The answer
        // to another tells that the server is done with this one for now.
        assert_eq!(Client::connect(web).get("/").0, 200);
        (0..3).for_each(|_| client.send("y"));
    }
    let mut client = Client::connect(web);
    client.send(format!("GET / HTTP/1.1\r\nHost: test\r\nX: {}", "x".repeat(10_000)));
    assert_contains(&client.rest(), ["431 Request Header Fields Too Large"]);
}

#[test]
fn a_request_that_is_well_formed_and_wrong_leaves_the_connection() {
    let (_program, web, _) = serving(&[]);
    let mut client = Client::connect(web);
    let rows = [
        ("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n", 405, "Allow: GET, HEAD\r\n"),
        ("GET /reports HTTP/1.1\r\nHost: test\r\n\r\n", 405, "Allow: POST\r\n"),
        ("POST /reports HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\na\n", 201, "noted"),
        ("POST /reports HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\na\nb", 400, "one line"),
        (GET, 200, "hello"),
    ];
    for (request, expected, words) in rows {
        client.send(request);
        let (status, answer) = client.answer();
        assert_eq!(status, expected, "{request:?}");
        assert_contains(&answer, [words]);
    }
}

#[test]
fn a_client_that_waits_for_leave_to_send_its_body_gets_it() {
    let (_program, web, _) = serving(&[]);
    let mut client = Client::connect(web);
    client.send("POST /reports HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    assert_eq!(client.answer().0, 100);
    client.send("abc");
    assert_eq!(client.answer().0, 201);
}

#[test]
fn a_client_that_does_not_read_delays_nobody_and_loses_nothing() {
    /// With a page of 13 kB each, more than the kernel keeps on both sides (tcp_wmem, tcp_rmem: 10 MB).
    const PAGES: usize = 4000;
    let (_program, web, jobs) = serving(&[]);
    let mut slow = Client::connect(web);
    for _ in 0..20 {
        let report = "POST /reports HTTP/1.1\r\nHost: test\r\nContent-Length: 700\r\n\r\n";
        slow.send(report.to_owned() + &"x".repeat(700));
        assert_eq!(slow.answer().0, 201);
    }
    slow.send("GET /jobs HTTP/1.1\r\nHost: test\r\n\r\n".repeat(PAGES));
    let mut worker = Client::connect(jobs);
    worker.send("upper slow\n");
    assert_eq!(worker.line(), "SLOW");
    assert_eq!(Client::connect(web).get("/").0, 200);
    for _ in 0..PAGES {
        let (status, page) = slow.answer();
        assert_eq!(status, 200);
        assert!(page.len() > 13_000);
    }
}

// The worker.

#[test]
fn each_line_gets_one_line_and_each_result_is_reported() {
    let (_program, web, jobs) = serving(&[]);
    let mut client = Client::connect(jobs);
    for byte in b"sum 1 2 3\r\n" {
        client.send([*byte]);
    }
    assert_eq!(client.line(), "6");
    client.send(format!("upper hello\nsum one\n\n{}\nupper last", "x".repeat(5000)));
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(
        client.rest().lines().collect::<Vec<_>>(),
        [
            "HELLO",
            "error: `one` is no whole number of 64 bits",
            "error: an empty line; try: sum 1 2 3",
            "error: a line has at most 1024 bytes",
            "LAST",
        ]
    );
    let mut client = Client::connect(jobs);
    client.send("wrong\n".repeat(500));
    for _ in 0..500 {
        assert_eq!(client.line(), "error: no job is called `wrong`; there are: sum, upper");
    }
    // An answer comes after its report was taken: nothing need be waited for.
    let (_, page) = Client::connect(web).get("/jobs");
    let expected =
        "reports: 3\nrepeated: 0\nlisted: 3\n\nupper last = LAST\nupper hello = HELLO\nsum 1 2 3 = 6\n";
    assert!(page.ends_with(expected), "{page}");
}

#[test]
fn many_clients_at_once_are_served_with_many_jobs_each() {
    let (_program, web, jobs) = serving(&[]);
    let mut clients: Vec<_> = (0..100).map(|_| Client::connect(jobs)).collect();
    for (index, client) in clients.iter_mut().enumerate() {
        client.send((0..100).map(|job| format!("sum {index} {job}\n")).collect::<String>());
    }
    for (index, client) in clients.iter_mut().enumerate().rev() {
        for job in 0..100 {
            assert_eq!(client.line(), (index + job).to_string());
        }
    }
    assert_contains(&Client::connect(web).get("/jobs").1, ["reports: 10000\nrepeated: 0\n"]);
}

#[test]
fn who_is_silent_is_dropped_and_the_worker_reports_over_a_new_connection() {
    // Long enough that nobody is dropped because this test had to wait for a processor.
    let (mut program, web, jobs) = serving(&["--idle-ms", "1000"]);
    let job = |text: &str| {
        let mut client = Client::connect(jobs);
        client.send(format!("upper {text}\n"));
        assert_eq!(client.line(), text.to_uppercase());
        client.rest()
    };
    assert_eq!(job("one"), "", "dropped without a word");
    let mut half = Client::connect(web);
    half.send("GET / HT");
    // It came after the worker's last report: when it is dropped, so was the worker's own connection.
    assert_eq!(half.rest(), "");
    job("two");
    assert_contains(&Client::connect(web).get("/jobs").1, ["upper two = TWO\nupper one = ONE\n"]);
    program.signal(Signal::TERM);
    assert_eq!(program.end().code(), Some(0));
    assert_eq!(program.stderr.rest(), "stopping: TERM received\n", "no failed try, no warning");
}

#[test]
fn a_web_server_that_refuses_and_closes_and_is_busy_gets_every_report_in_the_end() {
    // Bound and not listening: connections are refused, and nobody else can take the port.
    let server = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&server, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = TcpListener::from(server);
    let address = server.local_addr().unwrap().to_string();
    let (mut program, _, jobs) = serving(&["--report-to", &address]);
    let mut client = Client::connect(jobs);
    client.send("upper a\nupper b\nnonsense\n");
    assert_contains(&program.stderr.until("connect failed"), ["`worker`", "(try 1)", "ECONNREFUSED"]);

    listen(&server, 8).unwrap();
    let mut link = accept(&server);
    let first = link.request();
    assert_contains(&first, ["POST /reports HTTP/1.1\r\n", "\r\nIdempotency-Key: \"", "\r\n\r\nupper a = A"]);
    drop(link);
    assert_contains(&program.stderr.until("connect failed"), ["closed the connection without an answer"]);

    let mut link = accept(&server);
    assert_eq!(link.request(), first, "under the same key");
    link.send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    assert_contains(&program.stderr.until("connect failed"), ["answered with status 503"]);

    let mut link = accept(&server);
    assert_eq!(link.request(), first);
    link.send("HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert_eq!(client.line(), "A");

    let mut link = accept(&server);
    assert_contains(&link.request(), ["\r\n\r\nupper b = B"]);
    link.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.line(), "error: the web server refused the report with status 400");
    assert_eq!(client.line(), "error: no job is called `nonsense`; there are: sum, upper");
}

// Signals.

#[test]
fn ph_c6_a_kick_while_the_heartbeat_is_fresh_does_nothing() {
    let (program, web, jobs) = serving(&[]);
    let (mut client, mut worker) = (Client::connect(web), Client::connect(jobs));
    for _ in 0..20 {
        program.signal(Signal::USR1);
        assert_eq!(client.get("/").0, 200);
        worker.send("sum 1\n");
        assert_eq!(worker.line(), "1");
    }
    program.signal(Signal::TERM);
    assert_eq!(program.end().code(), Some(i32::from(exit::STOPPED)));
}

#[test]
fn a_kick_before_the_threshold_has_no_effect_on_a_worker_that_hangs() {
    let (mut program, ..) = serving(&["--hang-after-ms", "50", "--heartbeat-threshold-ms", "60000"]);
    program.stderr.until("worker hangs now");
    program.signal(Signal::USR1);
    assert!(!program.ends_within(50 * MS), "it hangs, but not for long enough");
}

#[test]
fn ph_c5_a_kick_past_the_threshold_ends_a_worker_that_hangs() {
    let arguments = ["--hang-after-ms", "50", "--heartbeat-threshold-ms", "200", "--poll-period-ms", "100"];
    let (mut program, ..) = serving(&arguments);
    program.stderr.until("worker hangs now");
    // The last heartbeat was before that line.
    assert!(!program.ends_within(250 * MS), "nobody kicked it");
    program.signal(Signal::USR1);
    assert_eq!(program.end().code(), Some(i32::from(exit::KICKED)));
    let words = program.stderr.rest();
    assert_contains(&words, ["service `worker` hangs in wake", "threshold 200 ms"]);
    let age = words.split("heartbeat ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(age.parse::<u32>().unwrap() >= 250, "it was kicked no earlier than that: {words}");
}

#[test]
fn term_ends_it_in_order_and_answers_what_waits() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let (program, _, jobs) = serving(&["--report-to", &address]);
    let mut client = Client::connect(jobs);
    client.send("sum 1 2\n");
    assert_contains(&accept(&silent).request(), ["sum 1 2 = 3"]);
    program.signal(Signal::TERM);
    assert_eq!(client.rest(), "error: the worker stops; the result may not have been reported\n");
    assert_eq!(program.end().code(), Some(i32::from(exit::STOPPED)));
}

#[test]
fn quit_answers_what_has_begun_and_closes_what_is_idle() {
    let (mut program, web, _) = serving(&[]);
    let (mut idle, mut begun) = (Client::connect(web), Client::connect(web));
    assert_eq!(idle.get("/").0, 200);
    begun.send("GET / HTTP/1.1\r\nHost");
    // The answer to another tells that the beginning was read.
    assert_eq!(idle.get("/").0, 200);
    program.signal(Signal::QUIT);
    assert_contains(&program.stderr.until("draining"), ["QUIT received"]);
    assert_eq!(idle.rest(), "", "closed at once");
    begun.send(": test\r\n\r\n");
    assert_contains(&begun.rest(), ["HTTP/1.1 200 OK\r\n", "Connection: close\r\n", "hello"]);
    assert_eq!(program.end().code(), Some(i32::from(exit::STOPPED)));
}

// Mistakes.

#[test]
fn a_port_in_use_is_named_and_the_other_one_is_free_again() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_address = taken.local_addr().unwrap().to_string();
    // At an address of its own: while the port is free, no connection of another test can get it.
    let other: SocketAddr = TcpListener::bind("127.83.7.1:0").unwrap().local_addr().unwrap();
    let mut program =
        Program::spawn(NAME, &["--listen", &other.to_string(), "--jobs-listen", &taken_address]);
    assert_eq!(program.end().code(), Some(i32::from(exit::CONFIG)));
    assert_contains(&program.stderr.rest(), ["`jobs`", &taken_address, "EADDRINUSE"]);
    assert_eq!(program.stdout.rest(), "", "it never said that it serves");
    TcpListener::bind(other).unwrap();
}

#[test]
fn all_contradictory_settings_are_listed_at_once() {
    let flags =
        "--listen localhost --jobs-listen nowhere:1 --poll-period-ms 100 --heartbeat-threshold-ms 100";
    let mut program = Program::spawn(NAME, &flags.split(' ').collect::<Vec<_>>());
    assert_eq!(program.end().code(), Some(i32::from(exit::CONFIG)));
    let words = program.stderr.rest();
    assert_contains(&words, ["3 mistakes", "heartbeat_threshold is 100 ms", "`localhost`", "`nowhere:1`"]);
}

#[test]
fn a_flag_that_cannot_be_read_is_named() {
    let mut program = Program::spawn(NAME, &["--poll-period-ms", "often"]);
    assert_eq!(program.end().code(), Some(2), "the customary status for a wrong command line");
    assert_contains(&program.stderr.rest(), ["--poll-period-ms", "often"]);
}

#[test]
fn a_program_whose_standard_output_nobody_reads_serves_all_the_same() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let flags = "--listen 127.0.0.1:0 --jobs-listen 127.0.0.1:0 --hang-after-ms 1";
    let mut program =
        Program::spawn_to(NAME, &flags.split(' ').collect::<Vec<_>>(), Stdio::from(writer), Stdio::piped());
    // It says so from inside its loop, after all that it could not say on its standard output.
    program.stderr.until("worker hangs now");
}
