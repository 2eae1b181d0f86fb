//! As many workers as the load calls for.

use crate::server::Server;

const FLAGS: [&str; 10] = [
    "--min-spare",
    "1",
    "--max-spare",
    "2",
    "--max-workers",
    "5",
    "--spare-period-ms",
    "20",
    "--shrink-after-ms",
    "300",
];

#[test]
fn a_fleet_grows_as_connections_come_and_are_held_and_shrinks_after_they_have_gone() {
    let mut server = Server::echo(1, &FLAGS);
    // Each finds a worker, although each of those before keeps one busy.
    let mut held: Vec<_> = (0..5).map(|_| server.client()).collect();
    for client in &mut held {
        client.send("hello\n");
        assert_eq!(client.line(), "hello");
    }
    server.notices(4, "is ready");
    // There may be no more.
    assert_eq!(server.workers().len(), 5);

    drop(held);
    let died = "asked to because there are more workers than wanted";
    let told = server.program.stderr.all_until("2 workers are wanted and not 3");
    let one_by_one = told.iter().filter(|line| line.contains("workers are wanted and not")).count();
    assert_eq!(one_by_one, 3, "{told:?}");
    let gone = told.iter().filter(|line| line.contains(died)).count();
    server.notices(3 - gone, died);
    assert_eq!(server.workers().len(), 2);
    let mut client = server.client();
    client.send("hello\n");
    assert_eq!(client.line(), "hello");
}

#[test]
fn a_web_server_whose_workers_hold_many_connections_each_counts_those() {
    let mut server = Server::http(1, &FLAGS);
    let (held, _) = server.served();
    server.notice("2 workers are wanted and not 1: 0 idle, 1 busy");
    server.notice("is ready");
    drop(held);
}

#[test]
fn spares_that_cannot_be_are_refused_before_anything_is_forked() {
    let mut program = crate::kit::Program::spawn(
        "prefork_echo",
        &["--listen", "127.0.0.1:0", "--workers", "1", "--min-spare", "3", "--max-spare", "2"],
    );
    program.stderr.until("max_spare of fleet `echo` is 2, but must not be below min_spare (3)");
    assert_eq!(program.end().code(), Some(78));
}
