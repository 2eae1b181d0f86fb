//! What a body does on a simulated machine.

use super::{Birth, Heard, Who, World, cannot_signal, may_go_on};
use host_core::sys::{Errno, ExitStatus, Signal};
use host_core::{App, Result, Worker};
use host_sim::{ClientError, Sim, WorkerState, WorkerView};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Runs `body` with the application as it is.
pub fn run_simulated(sim: &mut Sim, app: impl Fn() -> App + 'static, body: impl FnOnce(&mut World<'_>)) {
    sim.unsteady();
    sim.host(app);
    body(&mut World::simulated(sim));
}

/// Runs `body` with stand-ins for what the workers of the application do.
pub fn run_scripted(sim: &mut Sim, app: impl Fn() -> App + 'static, body: impl FnOnce(&mut World<'_>)) {
    sim.unsteady();
    sim.host(move || app().each_fleet(|fleet| fleet.run(stand_in)));
    body(&mut World::scripted(sim));
}

/// What a worker does that has nothing to do.
fn stand_in(worker: &mut Worker) -> Result {
    while worker.pause(Duration::from_millis(100)) {}
    Ok(())
}

/// Whether it lives; how it has ended is not asked.
fn lives(worker: &WorkerView) -> bool {
    matches!(worker.state, WorkerState::Running | WorkerState::Blocked | WorkerState::Stopped)
}

fn who(worker: &WorkerView) -> Who {
    let WorkerView { pid, slot, incarnation, .. } = *worker;
    Who { pid: pid.0, birth: Birth::Seat { slot, incarnation } }
}

pub(super) fn workers(sim: &Sim) -> Vec<Who> {
    sim.workers().iter().filter(|worker| lives(worker) && !worker.orphaned).map(who).collect()
}

#[track_caller]
pub(super) fn expect_workers(sim: &mut Sim, count: usize, bound: Duration) -> Vec<Who> {
    let came = sim.run_until(bound, |sim| workers(sim).len() == count);
    let found = workers(sim);
    assert!(came, "after {bound:?} there are not {count} workers, but {found:?}");
    found
}

#[track_caller]
pub(super) fn expect_replaced(sim: &mut Sim, before: &[Who], worker: Who, bound: Duration) -> Vec<Who> {
    let count = before.len();
    let came = sim.run_until(bound, |sim| {
        let now = workers(sim);
        now.len() == count && !now.contains(&worker)
    });
    let found = workers(sim);
    assert!(
        came,
        "after {bound:?} nobody has taken the place of {worker:?} of {before:?}: there are {found:?}"
    );
    found
}

#[track_caller]
pub(super) fn signal_worker(sim: &mut Sim, worker: Who, signal: Signal) {
    let known = sim.workers().into_iter().find(|known| who(known) == worker);
    match known {
        Some(known) if lives(&known) && !known.orphaned => {
            assert!(sim.signal_worker(known.pid, signal), "its number is its own while it lives");
        }
        other => cannot_signal(worker, signal, other.is_some_and(|known| !lives(&known)), &workers(sim)),
    }
}

#[track_caller]
pub(super) fn ask(sim: &mut Sim, listener: &str, request: &[u8], answer: &[u8], bound: Duration) -> Heard {
    let begun = sim.now();
    let is_bound = sim.run_until(bound, |sim| sim.address(listener).is_some());
    assert!(is_bound, "listener `{listener}` is not bound after {bound:?}");
    let left = bound.saturating_sub(sim.now().since(begun));
    let heard = Rc::new(RefCell::new(Vec::new()));
    let (request, answer, hears) = (request.to_vec(), answer.to_vec(), Rc::clone(&heard));
    let client = sim.client(listener, left, move |client| {
        client.write_all(&request)?;
        let mut buffer = [0; 4096];
        while may_go_on(&hears.borrow(), &answer) {
            match client.stream()?.read_waiting(&mut buffer)? {
                0 => break,
                count => hears.borrow_mut().extend_from_slice(&buffer[..count]),
            }
        }
        Ok(())
    });
    let end = match (sim.run_until(left, |_| client.all_ended()), client.errors().first()) {
        (false, _) | (true, Some(ClientError::Io(Errno::TIMEDOUT))) => format!("no more within {bound:?}"),
        (true, Some(error)) => error.to_string(),
        (true, None) => "that is all".to_owned(),
    };
    Heard { bytes: heard.take(), end }
}

#[track_caller]
pub(super) fn expect_end(sim: &mut Sim, bound: Duration) -> ExitStatus {
    sim.expect_end();
    let came = sim.run_until(bound, |sim| sim.host_status().is_some() && sim.workers().is_empty());
    assert!(came, "the host has not ended after {bound:?}: {:?}", sim.pending());
    sim.host_status().expect("it has ended")
}
