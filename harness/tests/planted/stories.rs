//! Three failures with a story that a report should tell: a hang, a crash loop, a drain.

use harness::check;
use host_core::app::error;
use host_core::sys::Signal;
use host_core::{App, Fleet, Result, Worker};
use std::io::{Read as _, Write as _};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

fn app(body: impl Fn(&mut Worker) -> Result + 'static) -> App {
    let fleet = Fleet::new("echo")
        .workers(2)
        .boot_timeout(2000 * MS)
        .heartbeat_timeout(1000 * MS)
        .drain_timeout(3000 * MS)
        .run(body);
    App::new("echo").listen("echo", "127.0.0.1:7000").poll_period_off().fleet(fleet)
}

/// Sends back what comes; `?` makes it compute for ten seconds, `.` for as long with signs of life.
fn serve(worker: &mut Worker) -> Result {
    while let Some(mut client) = worker.accept("echo")? {
        let mut buffer = [0; 64];
        while let Ok(count @ 1..) = client.read(&mut buffer) {
            if buffer[0] == b'?' {
                worker.work(10_000 * MS);
            }
            for _ in 0..20 {
                if buffer[0] == b'.' {
                    worker.work(500 * MS);
                    worker.wanted();
                }
            }
            if client.write_all(&buffer[..count]).is_err() || !worker.wanted() {
                break;
            }
        }
    }
    Ok(())
}

#[test]
fn a_worker_hangs_and_its_client_is_cut_off() {
    check!(|sim| {
        sim.host(|| app(serve));
        let clients = sim.clients("echo", 3, |c| {
            c.pause(500 * MS);
            let question: &[u8] = if c.number() == 1 { b"?" } else { b"hello" };
            c.write_all(question)?;
            c.expect(question)
        });
        sim.run_for(4000 * MS);
        assert_eq!(clients.succeeded(), 3, "{:?}", clients.errors());
    });
}

#[test]
fn a_worker_that_cannot_live_is_tried_again() {
    check!(|sim| {
        sim.host(|| {
            app(|worker| {
                let broken = worker.id().slot.number() == 1;
                if broken { Err(error("no table `jobs`: </script><b>help</b>")) } else { serve(worker) }
            })
        });
        sim.run_for(12_000 * MS);
        let deaths = sim.fleet("echo").expect("it has this fleet").deaths.len();
        assert_eq!(deaths, 0, "nobody dies");
    });
}

#[test]
fn a_drain_cuts_off_whoever_is_not_done_in_time() {
    check!(|sim| {
        sim.host(|| app(serve));
        let clients = sim.clients("echo", 4, |c| {
            c.write_all(if c.number() == 2 { b"." } else { b"hello" })?;
            c.expect(if c.number() == 2 { b"." } else { b"hello" })
        });
        sim.run_for(1500 * MS);
        sim.signal(Signal::Quit);
        sim.wait_for_host(10_000 * MS).expect("it drains");
        assert_eq!(clients.succeeded(), 4, "{:?}", clients.errors());
    });
}
