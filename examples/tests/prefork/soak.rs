//! Does a host grow with what happens to it? Workers die, are stopped, are more and fewer, and files are rotated, under
//! load, for as long as is asked for (S23).

use crate::kit::{BOUND, Stopwatch, pass};
use crate::scratch::Scratch;
use crate::server::get;
use harness::Process;
use harness::process::{Node, Signal};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Result, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// For how many seconds.
const SECONDS: &str = "HOST_SOAK_SECONDS";
/// If nobody asks for more: each thing happens once or twice.
const SECONDS_MIN: u64 = 6;
const WORKERS: usize = 4;
const CLIENTS: usize = 3;
/// How old a worker must be before it is killed: the death of a younger one is held against its slot.
const GROWN: Duration = Duration::from_millis(1100);
/// How much private memory the host may have more at the end: what its allocator keeps in pieces, and the deaths that
/// it remembers (64).
const GROWTH_MAX: u64 = 128 << 10;

/// What a process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Footprint {
    descriptors: usize,
    threads: u64,
    /// Mappings of memory.
    mappings: usize,
    /// Bytes of pages that it shares with its workers (RssShmem).
    shared: u64,
}

fn footprint(pid: u32) -> (Footprint, u64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the host lives");
    let figure = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("proc_pid_status(5)");
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    };
    let footprint = Footprint {
        descriptors: fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(),
        threads: figure("Threads:"),
        mappings: fs::read_to_string(format!("/proc/{pid}/maps")).unwrap().lines().count(),
        shared: figure("RssShmem:") << 10,
    };
    (footprint, figure("RssAnon:") << 10)
}

/// A server that things happen to.
struct Soaked {
    server: Process,
    scratch: Scratch,
    /// Since when each worker is known.
    births: BTreeMap<u32, Stopwatch>,
    random: u64,
    rotations: u32,
    happened: BTreeMap<&'static str, u32>,
}

impl Soaked {
    /// One thing happens, and is over.
    fn happens(&mut self) {
        let (what, happens): (_, fn(&mut Self)) = match self.pick(8) {
            0..3 => ("killed", |soaked| soaked.replace(Signal::KILL)),
            3 => ("stopped", |soaked| soaked.replace(Signal::STOP)),
            4 => ("asked to quit", |soaked| soaked.replace(Signal::QUIT)),
            5 => ("one more and one less", Self::resize),
            6 => ("rotated", Self::rotate),
            _ => ("none and all again", Self::restore),
        };
        happens(self);
        *self.happened.entry(what).or_default() += 1;
    }

    fn pick(&mut self, count: usize) -> usize {
        // xorshift64 (Marsaglia 2003): any numbers will do, the same in each run.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % count as u64) as usize
    }

    fn workers(&mut self) -> Vec<Node> {
        let workers = self.server.expect("all workers").children(WORKERS);
        self.births.retain(|pid, _| workers.iter().any(|worker| worker.pid() == *pid));
        for worker in &workers {
            self.births.entry(worker.pid()).or_insert_with(Stopwatch::start);
        }
        workers
    }

    /// Lets everybody grow up.
    fn rest(&mut self) {
        self.workers();
        let youngest = self.births.values().map(|birth| birth.elapsed()).min().unwrap_or_default();
        pass(GROWN.saturating_sub(youngest));
    }

    /// A worker is ended by this signal, and another takes its place.
    fn replace(&mut self, signal: Signal) {
        self.rest();
        let workers = self.workers();
        let victim = workers[self.pick(workers.len())].clone();
        self.server.signal_to(&victim, signal);
        self.server.expect("its successor").respawn_of(&victim);
    }

    fn resize(&mut self) {
        self.server.signal(Signal::TTIN);
        self.server.expect("one more").children(WORKERS + 1);
        self.server.signal(Signal::TTOU);
        self.server.expect("one less").children(WORKERS);
    }

    fn restore(&mut self) {
        self.server.signal(Signal::WINCH);
        self.server.expect("none").children(0);
        self.server.signal(Signal::WINCH);
        self.server.expect("all").children(WORKERS);
    }

    fn rotate(&mut self) {
        for file in ["x.log", "out"] {
            fs::rename(self.scratch.path().join(file), self.scratch.path().join(format!("{file}.old")))
                .unwrap();
        }
        self.rotations += 1;
        self.server.signal(Signal::USR1);
        let out = self.scratch.path().join("out");
        let writes =
            |node: &Node| fs::read_link(format!("/proc/{}/fd/1", node.pid())).is_ok_and(|to| to == out);
        self.server
            .expect("new files")
            .tree("everybody writes to the new one", |tree| tree.living().all(writes));
        self.server.expect("a new log").file(self.scratch.path().join("x.log"));
    }
}

#[test]
fn s23_a_host_is_the_same_after_all_that_happens_to_it() {
    let seconds = std::env::var(SECONDS).map_or(SECONDS_MIN, |seconds| {
        seconds.parse().unwrap_or_else(|_| panic!("{SECONDS}={seconds}: must be a number of seconds"))
    });
    let scratch = Scratch::new("soak");
    let workers = WORKERS.to_string();
    let flags = ["--listen", "127.0.0.1:0", "--workers", &workers, "--timeout-ms", "2000"];
    let files = ["--log", "x.log", "--stdout", "out", "--stderr", "out", "--pid-file", "x.pid"];
    let server =
        Process::example("prefork_http").args(flags).args(files).cwd(scratch.path()).notify().spawn();
    server.expect("all workers").ready();
    let bound = server.expect("its address").file_line(scratch.path().join("x.log"), "is bound to {address}");
    let address: SocketAddr = bound.parse("address");
    let (births, happened) = (BTreeMap::new(), BTreeMap::new());
    let mut soaked =
        Soaked { server, scratch, births, random: 0x2545_f491_4f6c_dd1d, rotations: 0, happened };
    let (over, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    // Whoever holds it may be killed.
                    let _ = converse(address, &answered);
                }
            });
        }
        let _ends = Ends(&over);
        let pid = soaked.server.pid();
        let watch = Stopwatch::start();
        let warm = Duration::from_secs(seconds) / 4;
        while watch.elapsed() < warm || soaked.happened.is_empty() {
            soaked.happens();
        }
        soaked.rest();
        let (before, private) = footprint(pid);
        while watch.elapsed() < Duration::from_secs(seconds) {
            soaked.happens();
        }
        soaked.rest();
        // On a busy machine somebody may have been late a moment ago.
        soaked
            .server
            .expect("the host of before")
            .tree(&format!("{before:?}"), |_| footprint(pid).0 == before);
        let (after, private_after) = footprint(pid);
        println!(
            "{seconds} s, {} requests answered, {:?}: {after:?}, private memory {private} then {private_after}",
            answered.load(Ordering::Relaxed),
            soaked.happened,
        );
        assert!(private_after <= private + GROWTH_MAX, "{private} bytes before, {private_after} after");
    });
    assert!(answered.load(Ordering::Relaxed) > 100, "there was a load");
    soaked.server.signal(Signal::QUIT);
    soaked.server.expect("its end").exit_code(0);
    assert_eq!(soaked.scratch.read("x.pid"), None);
}

/// Also when a test fails its clients must come to an end.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn converse(address: SocketAddr, answered: &AtomicU64) -> Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, BOUND)?;
    stream.set_read_timeout(Some(BOUND))?;
    for _ in 0..20 {
        stream.write_all(get("/").as_bytes())?;
        if stream.read(&mut [0; 4096])? == 0 {
            return Ok(());
        }
        answered.fetch_add(1, Ordering::Relaxed);
        // A load, and no contest: others build at the same time.
        pass(Duration::from_millis(1));
    }
    Ok(())
}
