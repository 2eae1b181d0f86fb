//! Workers that have more memory than they may.

use crate::server::Server;

#[test]
fn a_worker_that_leaks_is_replaced_in_advance_and_its_connection_goes_on_until_its_message_is_answered() {
    let mut server = Server::echo(2, &["--max-memory-mb", "48", "--memory-period-ms", "50"]);
    let (mut client, worker) = server.echoed();
    client.send("!leak\n");
    assert_eq!(client.line(), "leaked 67108864");
    let told = server.notice("MiB of memory and may have 48.0: it is replaced");
    assert!(told.contains("worker "), "{told}");
    server.notice("is ready");
    server.notice("sent QUIT: it had too much memory");
    server.notice("exit status 0");
    assert!(!server.workers().contains(&worker.pid));
    assert_eq!(server.workers().len(), 2);
    let mut client = server.client();
    client.send("hello\n");
    assert_eq!(client.line(), "hello");
}
