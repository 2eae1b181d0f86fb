//! One host with two services.

use examples::{Options, app, reply};
use harness::{Class, Client, ClientError, Faults, check};
use host_core::App;
use host_core::error::exit;
use host_core::sys::Signal;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn as_started() -> App {
    app(&Options::default())
}

/// Asks for a page and gives its body.
fn get(client: &mut Client, path: &str) -> Result<String, ClientError> {
    client.write_all(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes())?;
    let head = client.read_until(b"\r\n\r\n")?;
    let mut answer = head.clone();
    loop {
        match reply::parse(&answer) {
            Ok(Some(reply)) => {
                assert_eq!(reply.status, 200);
                return Ok(String::from_utf8_lossy(&answer[head.len()..]).into_owned());
            }
            Ok(None) => answer.extend(client.read_until(b"\n")?),
            Err(bad) => panic!("{bad}"),
        }
    }
}

/// Three jobs, their lines in pieces.
fn work(client: &mut Client, answered: &RefCell<Vec<String>>) -> Result<(), ClientError> {
    for job in 0..3 {
        let number = client.number();
        let line = format!("upper client {number} job {job}\n");
        let (first, rest) = line.split_at(client.choose(line.len() as u32) as usize);
        client.write_all(first.as_bytes())?;
        client.write_all(rest.as_bytes())?;
        client.expect(format!("CLIENT {number} JOB {job}\n").as_bytes())?;
        answered.borrow_mut().push(format!("upper client {number} job {job} = CLIENT {number} JOB {job}"));
        client.pause(Duration::from_millis(u64::from(client.choose(2000))));
    }
    Ok(())
}

/// Reads the list once.
fn listed(sim: &mut harness::Sim) -> Vec<String> {
    let page = Rc::new(RefCell::new(String::new()));
    let kept = Rc::clone(&page);
    let reader = sim.clients("web", 1, move |client| {
        *kept.borrow_mut() = get(client, "/jobs")?;
        Ok(())
    });
    sim.heal_and_settle();
    assert_eq!(reader.succeeded(), 1, "a healed host serves everybody: {:?}", reader.errors());
    page.take().lines().skip_while(|line| !line.is_empty()).skip(1).map(Into::into).collect()
}

#[test]
fn without_faults_every_job_is_answered_and_listed() {
    check!(|sim| {
        sim.host(as_started);
        let answered = Rc::new(RefCell::new(Vec::new()));
        let kept = Rc::clone(&answered);
        let workers = sim.clients("jobs", 6, move |client| work(client, &kept));
        let readers = sim.clients("web", 3, |client| {
            for _ in 0..3 {
                assert!(get(client, "/")?.starts_with("hello"));
            }
            Ok(())
        });
        sim.run_for(SECOND * 20);
        assert_eq!((workers.succeeded(), readers.succeeded()), (6, 3), "{:?}", workers.errors());
        let (mut listed, mut answered) = (listed(sim), answered.take());
        listed.sort();
        answered.sort();
        assert_eq!(listed, answered);
    });
}

#[test]
fn who_asks_now_and_then_is_kept_and_who_falls_silent_is_dropped() {
    check!(|sim| {
        // The bound is 30 s.
        sim.host(as_started);
        let readers = sim.clients("web", 2, |client| {
            for _ in 0..3 {
                get(client, "/")?;
                client.pause(SECOND * 20);
            }
            client.pause(SECOND * 11);
            assert_eq!(client.read_to_end()?, b"");
            Ok(())
        });
        let workers = sim.clients("jobs", 2, |client| {
            for _ in 0..3 {
                client.write_all(b"sum 1\n")?;
                client.expect(b"1\n")?;
                client.pause(SECOND * 20);
            }
            client.pause(SECOND * 11);
            assert_eq!(client.read_to_end()?, b"");
            Ok(())
        });
        sim.run_for(SECOND * 80);
        assert_eq!((readers.succeeded(), workers.succeeded()), (2, 2), "{:?}", workers.errors());
    });
}

#[test]
fn whatever_happens_a_job_that_was_answered_is_listed_once() {
    check!(|sim| {
        sim.host(as_started);
        // A host that was kicked and started anew knows nothing of what was reported to the one before.
        sim.faults(Faults::all().without(Class::Hang).without(Class::Kick));
        let answered = Rc::new(RefCell::new(Vec::new()));
        let kept = Rc::clone(&answered);
        let workers = sim.clients("jobs", 6, move |client| work(client, &kept));
        sim.run_for(SECOND * 60);
        sim.heal_and_settle();
        assert!(workers.all_ended());
        let listed = listed(sim);
        for job in &*answered.borrow() {
            assert_eq!(listed.iter().filter(|line| *line == job).count(), 1, "{job}: {listed:?}");
        }
    });
}

#[test]
fn under_every_fault_answers_are_right_or_missing_and_a_healed_host_serves_everybody() {
    check!(|sim| {
        sim.host(as_started);
        sim.faults(Faults::all());
        let forget = |client: &mut Client| work(client, &RefCell::default());
        let early = sim.clients("jobs", 6, forget);
        let readers = sim.clients("web", 6, |client| get(client, "/jobs").map(drop));
        sim.run_for(SECOND * 60);
        sim.heal_and_settle();
        assert!(early.all_ended());
        assert!(readers.all_ended());
        let late = sim.clients("jobs", 3, forget);
        sim.heal_and_settle();
        assert_eq!(late.succeeded(), 3, "{:?}", late.errors());
    });
}

#[test]
fn a_worker_that_hangs_is_ended_by_a_kick_past_the_threshold() {
    check!(|sim| {
        let options = Options { hang_after_ms: Some(50), ..Options::default() };
        sim.host(move || app(&options));
        sim.expect_end();
        sim.run_for(SECOND * 5);
        sim.signal(Signal::Usr1);
        sim.run_for(SECOND);
        assert_eq!(sim.host_status(), None, "a kick before the threshold has no effect");
        sim.run_for(SECOND * 10);
        sim.signal(Signal::Usr1);
        sim.run_for(SECOND);
        assert_eq!(sim.host_status(), Some(harness::ExitStatus::Code(exit::KICKED)));
        let said = sim.host_said().concat();
        assert!(said.contains("service `worker` hangs in wake"), "{said}");
    });
}
