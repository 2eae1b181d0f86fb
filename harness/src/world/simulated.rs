//! What a body does on a simulated machine.

use super::World;
use host_core::sys::{ExitStatus, Pid, Signal};
use host_core::{App, Result, Worker};
use host_sim::{Sim, WorkerState};
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

pub(super) fn workers(sim: &Sim) -> Vec<u32> {
    let lives = |state| matches!(state, WorkerState::Running | WorkerState::Blocked | WorkerState::Stopped);
    sim.workers().iter().filter(|worker| lives(worker.state)).map(|worker| worker.pid.0).collect()
}

#[track_caller]
pub(super) fn expect_workers(sim: &mut Sim, count: usize, bound: Duration) -> Vec<u32> {
    let came = sim.run_until(bound, |sim| workers(sim).len() == count);
    let found = workers(sim);
    assert!(came, "after {bound:?} there are not {count} workers, but {found:?}");
    found
}

#[track_caller]
pub(super) fn expect_replaced(sim: &mut Sim, before: &[u32], worker: u32, bound: Duration) -> Vec<u32> {
    let count = before.len();
    let came = sim.run_until(bound, |sim| {
        let now = workers(sim);
        now.len() == count && !now.contains(&worker)
    });
    let found = workers(sim);
    assert!(
        came,
        "after {bound:?} nobody has taken the place of {worker} of {before:?}: there are {found:?}"
    );
    found
}

#[track_caller]
pub(super) fn signal_worker(sim: &mut Sim, worker: u32, signal: Signal) {
    assert!(sim.signal_worker(Pid(worker), signal), "no worker has the number {worker}");
}

#[track_caller]
pub(super) fn ask(sim: &mut Sim, listener: &str, request: &[u8], answer: &[u8], bound: Duration) {
    let (request, answer) = (request.to_vec(), answer.to_vec());
    let clients = sim.clients(listener, 1, move |client| {
        client.write_all(&request)?;
        client.expect(&answer)
    });
    let came = sim.run_until(bound, |_| clients.all_ended());
    assert!(came, "`{listener}` has not answered after {bound:?}");
    assert_eq!(clients.errors(), [], "`{listener}` has not answered as it should");
}

#[track_caller]
pub(super) fn expect_end(sim: &mut Sim, bound: Duration) -> ExitStatus {
    sim.expect_end();
    let came = sim.run_until(bound, |sim| sim.host_status().is_some() && sim.workers().is_empty());
    assert!(came, "the host has not ended after {bound:?}: {:?}", sim.pending());
    sim.host_status().expect("it has ended")
}
