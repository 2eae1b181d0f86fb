//! What workers print, read by their host under every fault.

use crate::apps::{fleet, serve};
use harness::{Class, Faults, Sim, check};
use host_core::fleet::notice::FleetNotice;
use host_core::fleet::output::LineEnd;
use host_core::notice::{Notice, Record};
use host_core::sys::{Signal, StdStream};
use host_core::{App, Fleet, Result, Worker};
use host_sim::WorkerState;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Whatever may happen to a host that is not started again; what it has not read when it dies nobody reads.
const ALL_BUT_DEATHS_OF_HOSTS: &[Class] = &[Class::Hang, Class::Kick];

/// By process number and stream: what was told, in order, with how it ended. The world looks on, and changes nothing.
type Lines = BTreeMap<(u32, StdStream), Vec<(String, LineEnd)>>;

/// What workers have printed to the end of the call, and what was told of it.
#[derive(Default)]
struct Seen {
    printed: BTreeMap<(u32, StdStream), Vec<String>>,
    told: Lines,
    left_out: BTreeMap<u32, u64>,
    /// Whose death was told, by process number.
    dead: Vec<u32>,
    /// Something of one of them was told afterwards.
    too_late: bool,
}

type Shared = Rc<RefCell<Seen>>;

impl Seen {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are about something else")]
    fn hear(&mut self, record: &Record<'_>) {
        match *record.notice {
            Notice::Output { pid, stream, end, .. } => {
                // A panic would be caught here: whoever listens must not end the host.
                self.too_late |= self.dead.contains(&pid.0);
                let line = (record.text.unwrap_or("without a text").to_owned(), end);
                self.told.entry((pid.0, stream)).or_default().push(line);
            }
            Notice::OutputLeftOut { pid, lines, .. } => *self.left_out.entry(pid.0).or_default() += lines,
            Notice::Fleet(FleetNotice::Died(death)) => self.dead.push(death.pid.0),
            _ => {}
        }
    }

    /// No line of those who have died is lost, doubled or mixed with another's, but for the unfinished one of each.
    fn demand_all_of_the_dead(&self) {
        assert!(!self.too_late, "the last words come before the death");
        for pid in &self.dead {
            assert_eq!(self.left_out.get(pid), None, "all stay within their rate");
            for stream in StdStream::ALL {
                let of = (*pid, stream);
                let mut told = self.told.get(&of).cloned().unwrap_or_default();
                // Printed in two halves: what was killed in between leaves the first.
                if let Some((half, _)) = told.pop_if(|(_, end)| *end == LineEnd::Unfinished) {
                    assert_eq!(half, format!("{pid} {stream} li"));
                }
                let lines: Vec<_> = told.iter().map(|(text, _)| text.as_str()).collect();
                assert!(told.iter().all(|(_, end)| *end == LineEnd::Newline), "{told:?}");
                let expected: Vec<_> =
                    (0..lines.len()).map(|number| format!("{pid} {stream} line {number}")).collect();
                assert_eq!(lines, expected);
                let printed = self.printed.get(&of).map_or(0, Vec::len);
                // The last may have been on its way into the pipe when the worker was killed.
                let count = lines.len();
                assert!((printed..=printed + 1).contains(&count), "{of:?}: {printed} printed, {count} told");
            }
        }
    }
}

fn app(seen: &Shared, fleet: Fleet) -> App {
    let seen = Rc::clone(seen);
    let app = App::new("printing").listen("echo", "127.0.0.1:7000").poll_period_off().fleet(fleet);
    app.on_notice(move |record| seen.borrow_mut().hear(record))
}

/// Prints a line on either stream now and then, in halves, and lives.
fn chatter(worker: &Worker, seen: &Shared) -> Result {
    let pid = worker.pid().0;
    for number in 0.. {
        for stream in StdStream::ALL {
            worker.print(stream, &format!("{pid} {stream} li"))?;
            // Whoever is killed here leaves the half of it.
            worker.work(10 * MS);
            worker.print(stream, &format!("ne {number}\n"))?;
            let line = format!("line {number}");
            seen.borrow_mut().printed.entry((pid, stream)).or_default().push(line);
        }
        if !worker.pause(100 * MS) {
            break;
        }
        // Sometimes one ends by itself.
        if worker.random().is_multiple_of(64) {
            return Err("enough was said".into());
        }
    }
    Ok(())
}

#[test]
fn whatever_happens_no_line_is_lost_or_doubled_or_another_ones() {
    check!(|sim| {
        let seen = Shared::default();
        let (host, body) = (Rc::clone(&seen), Rc::clone(&seen));
        sim.host(move || {
            let body = Rc::clone(&body);
            app(&host, fleet().output_rate(2000).run(move |worker| chatter(worker, &body)))
        });
        let faults =
            ALL_BUT_DEATHS_OF_HOSTS.iter().fold(Faults::all(), |faults, class| faults.without(*class));
        sim.faults(faults);
        sim.run_for(20 * SECOND);
        sim.heal();
        // Who is asked before it begins does not hear it.
        assert!(sim.run_until(60 * SECOND, |sim| sim.fleet("echo").is_some()));
        sim.signal(Signal::Quit);
        sim.wait_for_host(120 * SECOND).unwrap();
        let seen = seen.borrow();
        // In a long lack of descriptors nobody is born.
        assert!(seen.printed.keys().all(|(pid, _)| seen.dead.contains(pid)), "whoever has printed has ended");
        seen.demand_all_of_the_dead();
    });
}

/// Whether all workers live and are ready, and nobody else is left; the news of a death may be late.
fn complete(sim: &Sim) -> bool {
    let ended = |state| matches!(state, WorkerState::Exiting(_) | WorkerState::Zombie(_));
    sim.fleet("echo").is_some_and(|fleet| fleet.ready() == 3 && fleet.workers.len() == 3)
        && !sim.workers().iter().any(|worker| ended(worker.state))
}

#[test]
fn nothing_stays_open_however_workers_are_born_and_die() {
    check!(|sim| {
        let seen = Shared::default();
        let (host, body) = (Rc::clone(&seen), Rc::clone(&seen));
        sim.host(move || {
            let body = Rc::clone(&body);
            app(&host, fleet().capture_output().run(move |worker| chatter(worker, &body)))
        });
        assert!(sim.run_until(20 * SECOND, complete), "{:?}", sim.incomplete());
        let before = sim.host_descriptors();
        sim.faults(Faults::only(&[
            Class::ForkFailure,
            Class::DescriptorShortage,
            Class::WorkerKill,
            Class::WorkerCrash,
            Class::LateNews,
            Class::ShortIo,
            Class::Interrupt,
            Class::Schedule,
        ]));
        sim.run_for(20 * SECOND);
        sim.heal();
        assert!(sim.run_until(60 * SECOND, complete), "{:?}", sim.incomplete());
        assert_eq!(sim.host_descriptors(), before);
    });
}

#[test]
fn whoever_floods_is_cut_short_and_keeps_nobody_waiting() {
    check!(|sim| {
        let seen = Shared::default();
        let (host, others) = (Rc::clone(&seen), Rc::clone(&seen));
        sim.host(move || {
            let others = Rc::clone(&others);
            app(
                &host,
                fleet().output_rate(300).run(move |worker| match worker.id().slot.number() {
                    0 => loop {
                        // Lines of all lengths, some of them longer than a line may be.
                        let length = worker.random() as usize % 20_000;
                        worker.print(StdStream::Stdout, &("x".repeat(length) + "\n"))?;
                        worker.print(StdStream::Stderr, &"short\n".repeat(500))?;
                        if !worker.wanted() {
                            return Ok(());
                        }
                    },
                    1 => chatter(worker, &others),
                    _ => serve(worker),
                }),
            )
        });
        let gentle = [Class::Latency, Class::Schedule, Class::LateNews, Class::ShortIo, Class::Interrupt];
        sim.faults(Faults::only(&gentle));
        let clients = sim.clients("echo", 4, |c| c.write_all(b".").and_then(|()| c.expect(b".")));
        sim.run_for(3 * SECOND);
        assert_eq!(clients.succeeded(), 4, "{:?}", clients.errors());
        // Who waits for a host that is stopped is not held to be hung. What was printed meanwhile is read at once.
        sim.signal(Signal::Stop);
        sim.run_for(3 * SECOND);
        sim.signal(Signal::Cont);
        sim.run_for(SECOND);
        let deaths = sim.fleet("echo").unwrap().deaths;
        assert!(deaths.iter().all(|death| death.worker.slot.number() == 1), "{deaths:?}");
        let flooding = sim.fleet("echo").unwrap().workers[0].pid.0;
        {
            let seen = seen.borrow();
            let lines = |stream| seen.told.get(&(flooding, stream)).map_or(0, Vec::len);
            let told = lines(StdStream::Stdout) + lines(StdStream::Stderr);
            // Eight seconds at most, and each begins with a line.
            assert!((300..=2400).contains(&told), "{told}");
            assert!(seen.left_out[&flooding] > 1000, "{:?}", seen.left_out);
        }
        sim.heal();
        sim.signal(Signal::Quit);
        sim.wait_for_host(20 * SECOND).unwrap();
        let mut seen = seen.borrow_mut();
        seen.dead.retain(|pid| *pid != flooding);
        seen.demand_all_of_the_dead();
    });
}

#[test]
fn who_prints_after_its_host_has_died_is_told_that_nobody_reads() {
    check!(|sim| {
        let seen = Shared::default();
        let (host, body) = (Rc::clone(&seen), Rc::clone(&seen));
        sim.host(move || {
            let body = Rc::clone(&body);
            let drains = host_core::sys::OnHostDeath::Drain;
            app(
                &host,
                fleet().capture_output().on_host_death(drains).run(move |worker| {
                    let pid = worker.pid().0;
                    while worker.pause(SECOND) {}
                    let answer = worker.print(StdStream::Stdout, "the host is gone\n");
                    let words = format!("{answer:?}");
                    body.borrow_mut().printed.entry((pid, StdStream::Stdout)).or_default().push(words);
                    Ok(())
                }),
            )
        });
        sim.expect_end();
        sim.run_for(3 * SECOND);
        sim.signal(Signal::Kill);
        sim.run_for(10 * SECOND);
        let seen = seen.borrow();
        let answers: Vec<_> = seen.printed.values().flatten().map(String::as_str).collect();
        assert_eq!(answers[..3], ["Err(EPIPE)"; 3]);
    });
}
