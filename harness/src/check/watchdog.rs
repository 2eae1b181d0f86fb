//! A simulated process that computes for ever never gives way, and no virtual clock can stop it. A real
//! one does, and says which seed and which process it was.

use crate::check::{Engine, Site};
use host_sim::Pool;
use std::io::Write as _;
use std::process::abort;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Ends the test process if a run takes too long; itself ends when it is dropped.
pub(super) struct Watchdog {
    seed: Arc<AtomicU64>,
    runs: mpsc::Sender<()>,
}

impl Watchdog {
    pub(super) fn start(site: Site, engine: &Engine, run_max: Duration, pool: &Pool) -> Self {
        let seed = Arc::new(AtomicU64::new(0));
        let (runs, begun) = mpsc::channel();
        let engine = engine.clone();
        let (watched, running) = (Arc::clone(&seed), pool.running());
        #[expect(
            clippy::disallowed_methods,
            reason = "nothing of a run can stop it; the host itself is not here"
        )]
        std::thread::spawn(move || {
            loop {
                match begun.recv_timeout(run_max) {
                    // Another run has begun.
                    Ok(()) => {}
                    // All runs have ended.
                    Err(mpsc::RecvTimeoutError::Disconnected) => return,
                    Err(mpsc::RecvTimeoutError::Timeout) => {
                        let seed = watched.load(Ordering::Relaxed);
                        let process = running.name();
                        // Not `eprintln!`: the test runner would keep it, and it ends here.
                        let _ = writeln!(
                            std::io::stderr(),
                            "seed {seed} has run for {run_max:?}. `{process}` was the last to go on: does it compute \
                             for ever? Long work is declared with `work(duration)`.\n  replay: {}",
                            site.replay_line(&engine, seed, false)
                        );
                        abort();
                    }
                }
            }
        });
        Self { seed, runs }
    }

    /// A run begins, and with it the time that it may take.
    pub(super) fn begin(&self, seed: u64) {
        self.seed.store(seed, Ordering::Relaxed);
        // The watchdog only ends with this, or with the process.
        let _ = self.runs.send(());
    }
}
