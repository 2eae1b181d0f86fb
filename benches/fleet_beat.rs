//! What a sign of life costs the worker that gives it.
//!
//! In a real worker, forked for that, against what it cannot do without: the read of the coarse clock, which
//! the kernel answers without a system call. *Nothing* is the loop around it.

use benches::{Arm, Cost, Effort, Stopwatch, compare, say};
use host_core::fleet::beat::Pace;
use host_core::fleet::config::Restart;
use host_core::sys::{Birth, OnHostDeath, Processes, Sys};
use host_core::{App, Fleet, Result};
use host_sys::Linux;
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

/// Enough for some milliseconds a round.
const BEATS: u64 = 2_000_000;

fn times(beats: u64, mut what: impl FnMut()) -> Cost {
    let watch = Stopwatch::start();
    (0..beats).for_each(|_| what());
    watch.stop(beats)
}

/// The ways of a worker, beside those that know of none.
fn measure(title: &str, effort: Effort, name: &str, beat: impl Fn()) {
    let beats = effort.events(BEATS);
    let clock = || {
        black_box(clock_gettime(ClockId::MonotonicCoarse));
    };
    let arms = vec![
        Arm::new("coarse clock", move || times(beats, clock)),
        Arm::new("nothing", move || times(beats, || black_box(()))),
        Arm::new(name, move || times(beats, &beat)),
    ];
    compare(title, effort.rounds(101), arms);
}

/// As a body sees it.
fn wanted(effort: Effort) -> Result {
    let fleet = Fleet::new("beat").workers(1).restart(Restart::Never).run(move |worker| {
        let worker = &*worker;
        measure("fleet_beat, in a body", effort, "Worker::wanted", || {
            black_box(worker.wanted());
        });
        Ok(())
    });
    Ok(host_sys::run(App::new("beat").poll_period_off().fleet(fleet))?)
}

/// As the framework does it, at each wait.
fn pulse(effort: Effort) -> Result {
    let host = Linux::new().map_err(|errno| format!("no system: {errno}"))?;
    let slots = host.slots(1)?;
    host.slot_claim(slots, 0, 1);
    let birth = Birth {
        title: "beat",
        keep: &[],
        output: None,
        slot: (slots, 0, 1),
        on_host_death: OnHostDeath::Exit,
        drain_timeout: Duration::from_secs(1),
    };
    let body = move |sys: Rc<dyn Sys>| {
        measure("fleet_beat, in the framework", effort, "Sys::pulse", || sys.pulse(Pace::Busy));
        0
    };
    let child = host.fork(&birth, Box::new(body))?;
    let status = host.reap(child.handle, true)?;
    let beat = host.slot_read(slots, 0, 1).beat.ok_or("it has not beaten")?;
    say(&format_args!("  {status:?}, last beat at {}", beat.at));
    Ok(())
}

fn main() {
    let effort = Effort::of_command_line();
    for run in [wanted, pulse] {
        if let Err(error) = run(effort) {
            say(&format_args!("fleet_beat: FAILED, {error}"));
            std::process::exit(1);
        }
    }
}
