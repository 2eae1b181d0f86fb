//! What it costs a host to look at the memory of its workers: one worker, of a hundred that wait.
//!
//! Each has a block of its own, so that there are page tables to walk. *Read one byte* is the least that a look at a file of /proc
//! can cost: open, read, close.

use benches::{Arm, Effort, Stopwatch, compare, say};
use host_core::fleet::memory::MemoryFigure;
use host_core::sys::{Birth, Child, OnHostDeath, Processes, Signal, Sys};
use host_core::{Error, Result};
use host_sys::Linux;
use std::fs::File;
use std::hint::black_box;
use std::io::Read as _;
use std::rc::Rc;
use std::time::Duration;

const WORKERS: u64 = 100;
/// Of each worker, beside what it has from its host.
const BLOCK: usize = 4 << 20;

/// Workers that have their block, and wait.
fn workers(host: &Linux) -> Result<Vec<Child>> {
    let slots = host.slots(WORKERS as u32)?;
    let mut children = Vec::new();
    for slot in 0..WORKERS as u32 {
        let (ours, theirs) = host.channel()?;
        let birth = Birth {
            title: "sampled",
            keep: &[theirs],
            slot: (slots, slot, 1),
            on_host_death: OnHostDeath::Exit,
            drain_timeout: Duration::from_secs(1),
            output: None,
        };
        let body = move |sys: Rc<dyn Sys>| {
            let block = black_box(vec![1_u8; BLOCK]);
            let told = sys.write(theirs, b"!");
            // Until it is killed.
            let _ = sys
                .quit_handle()
                .and_then(|quit| sys.wait_or_quit(quit, host_core::sys::Interest::READ, None));
            u8::from(told.is_err()) + block[0]
        };
        children.push(host.fork(&birth, Box::new(body))?);
        host.close(theirs);
        host.wait(ours, host_core::sys::Interest::READ, None)?;
        host.close(ours);
    }
    Ok(children)
}

fn run() -> Result {
    let effort = Effort::of_command_line();
    let host = Linux::new().map_err(|errno| format!("no system: {errno}"))?;
    let children = workers(&host)?;
    let sample = |figure| {
        let (host, children) = (&host, &children);
        move || {
            let watch = Stopwatch::start();
            let bytes: u64 = children.iter().filter_map(|child| host.memory(child.handle, figure).ok()).sum();
            assert!(bytes > BLOCK as u64 * WORKERS, "{bytes} bytes");
            watch.stop(WORKERS)
        }
    };
    let bare = || {
        let watch = Stopwatch::start();
        for child in &children {
            let mut byte = [0];
            let read =
                File::open(format!("/proc/{}/statm", child.pid)).and_then(|mut file| file.read(&mut byte));
            assert_eq!(black_box(read).ok(), Some(1));
        }
        watch.stop(WORKERS)
    };
    let arms = vec![
        Arm::new("read one byte", bare),
        Arm::new("RSS", sample(MemoryFigure::Rss)),
        Arm::new("PSS", sample(MemoryFigure::Pss)),
    ];
    compare("fleet_sample, each of 100 workers", effort.rounds(51), arms);
    for child in &children {
        host.signal_child(child.handle, Signal::Kill)?;
        host.reap(child.handle, true)?;
    }
    Ok(())
}

fn main() {
    let result: std::result::Result<(), Error> = run();
    if let Err(error) = result {
        say(&format_args!("fleet_sample: FAILED, {error}"));
        std::process::exit(1);
    }
}
