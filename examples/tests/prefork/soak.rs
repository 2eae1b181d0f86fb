//! Does a host grow with what happens to it, and does it go on serving? Workers die, are stopped, are more and fewer, and
//! files are rotated, under load, for as long as is asked for (S23).

mod clients;

use crate::kit::{Stopwatch, pass};
use crate::scratch::Scratch;
use clients::{CLIENTS, Clients, Death, Protocol};
use harness::Process;
use harness::process::{Handle, Node, Signal};
use rustix::process::geteuid;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

/// For how many seconds, each of the two.
const SECONDS: &str = "HOST_SOAK_SECONDS";
/// If nobody asks for more: a part of what may happen.
const SECONDS_MIN: u64 = 6;
/// From so many on each thing happens at least once.
const SECONDS_FOR_ALL: u64 = 60;
const WORKERS: usize = 4;
/// As many are idle, neither more nor less, where the load says how many there are.
const SPARES: usize = 2;
/// How old a worker must be before it is killed: the death of a younger one is held against its slot.
const GROWN: Duration = Duration::from_millis(1100);
/// How much private memory the host may have more at the end: what its allocator keeps in pieces, and the deaths that
/// it remembers (64).
const GROWTH_MAX: u64 = 128 << 10;
/// How many requests are answered in a second, at least: two processors that have nothing else to do answer some
/// 2500, and a worker that is stopped holds its clients for two of its four seconds.
const RATE_MIN: u64 = 100;

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

/// What the host is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mix {
    /// So many workers, of the web server, that write to files themselves.
    Plain,
    /// As many as the load calls for, of the echo server, each with a bound on its memory; the host reads what they print.
    /// Of another user, if this one may have such.
    Full,
}

impl Mix {
    fn protocol(self) -> Protocol {
        match self {
            Self::Plain => Protocol::Http,
            Self::Full => Protocol::Lines,
        }
    }

    fn start(self, scratch: &Scratch) -> Process {
        let workers = WORKERS.to_string();
        let own = ["--listen", "127.0.0.1:0", "--timeout-ms", "2000", "--pid-file", "x.pid"];
        let files = ["--log", "x.log", "--stdout", "out", "--stderr", "out"];
        let server = match self {
            Self::Plain => Process::example("prefork_http").args(["--workers", &workers]),
            Self::Full => {
                let spares = SPARES.to_string();
                let server = Process::example("prefork_echo")
                    .args(["--workers", &spares, "--min-spare", &spares, "--max-spare", &spares])
                    .args(["--max-workers", "7", "--spare-period-ms", "20", "--shrink-after-ms", "300"])
                    .args(["--max-memory-mb", "48", "--memory-period-ms", "50", "--capture"]);
                if geteuid().is_root() { server.args(["--user", "nobody"]) } else { server }
            }
        };
        server.args(own).args(files).cwd(scratch.path()).notify().spawn()
    }

    /// All that may happen, as often as it does before it happens anew.
    fn all(self) -> Vec<Happening> {
        let mut all: Vec<Happening> = vec![
            ("killed", |soaked| soaked.end_one(Signal::KILL)),
            ("killed", |soaked| soaked.end_one(Signal::KILL)),
            ("killed", |soaked| soaked.end_one(Signal::KILL)),
            ("stopped", |soaked| soaked.end_one(Signal::STOP)),
            ("asked to quit", |soaked| soaked.end_one(Signal::QUIT)),
            ("one more and one less", |soaked| soaked.resize()),
            ("rotated", |soaked| soaked.rotate()),
            ("none and all again", |soaked| soaked.restore()),
        ];
        if self == Self::Full {
            all.push(("leaked", |soaked| soaked.leak()));
            all.push(("a lull", |soaked| soaked.lull()));
        }
        all
    }
}

type Happening = (&'static str, fn(&mut Soaked<'_>));

/// A server that things happen to.
struct Soaked<'a> {
    mix: Mix,
    server: &'a Process,
    scratch: &'a Scratch,
    clients: &'a Clients,
    watch: Stopwatch,
    /// Since when each worker is known.
    births: BTreeMap<u32, Stopwatch>,
    random: u64,
    rotations: usize,
    /// What is to happen before all may happen anew.
    to_come: Vec<Happening>,
    happened: BTreeMap<&'static str, u32>,
    /// Who was killed or stopped.
    deaths: BTreeMap<u32, Death>,
}

impl Soaked<'_> {
    /// One thing happens, and is over; and whatever it was, everybody is served.
    fn happens(&mut self) {
        if self.to_come.is_empty() {
            self.to_come = self.mix.all();
        }
        let next = self.pick(self.to_come.len());
        let (what, happens) = self.to_come.swap_remove(next);
        happens(self);
        *self.happened.entry(what).or_default() += 1;
        let before = self.clients.answered();
        self.server.expect(&format!("service goes on: {what}")).tree("an answer for each client", |_| {
            self.clients.answered().iter().zip(before).all(|(now, before)| *now > before)
        });
    }

    fn pick(&mut self, count: usize) -> usize {
        // xorshift64 (Marsaglia 2003): any numbers will do, the same in each run.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % count as u64) as usize
    }

    fn workers(&mut self) -> Vec<Node> {
        let workers = match self.mix {
            Mix::Plain => self.server.expect("all workers").children(WORKERS),
            Mix::Full => self.server.children(),
        };
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

    /// Somebody who has grown up.
    fn victim(&mut self) -> Node {
        loop {
            let mut workers = self.workers();
            workers.retain(|worker| self.births[&worker.pid()].elapsed() >= GROWN);
            if !workers.is_empty() {
                return workers.swap_remove(self.pick(workers.len()));
            }
            let oldest = self.births.values().map(|birth| birth.elapsed()).max().unwrap_or_default();
            pass(GROWN.saturating_sub(oldest));
        }
    }

    /// A worker is ended by this signal, and another takes its place where their number is fixed.
    fn end_one(&mut self, signal: Signal) {
        if self.mix == Mix::Plain {
            self.rest();
        }
        let victim = self.victim();
        let from = self.watch.elapsed();
        // It may be on its way out: the load says how many there are.
        if let Some(handle) = Handle::of(victim.pid()).filter(|handle| handle.id() == victim.id) {
            let _ = handle.signal(signal);
        }
        self.server.expect("its end").death_of(&victim);
        if signal != Signal::QUIT {
            let pid = victim.pid();
            self.deaths.insert(pid, Death { pid, from, to: self.watch.elapsed() });
        }
        if self.mix == Mix::Plain {
            self.server.expect("its successor").respawn_of(&victim);
        }
    }

    fn resize(&mut self) {
        self.server.signal(Signal::TTIN);
        self.all_or("one more", WORKERS + 1);
        self.server.signal(Signal::TTOU);
        self.all_or("one less", WORKERS);
    }

    fn restore(&mut self) {
        self.server.signal(Signal::WINCH);
        self.server.expect("none").children(0);
        self.server.signal(Signal::WINCH);
        self.all_or("all", WORKERS);
    }

    /// Waits for so many, unless the load says how many there are.
    fn all_or(&self, name: &str, count: usize) {
        if self.mix == Mix::Plain {
            self.server.expect(name).children(count);
        }
    }

    fn rotate(&mut self) {
        for file in ["x.log", "out"] {
            let to = format!("{file}.{}", self.rotations);
            fs::rename(self.scratch.path().join(file), self.scratch.path().join(to)).unwrap();
        }
        self.rotations += 1;
        self.server.signal(Signal::USR1);
        let out = self.scratch.path().join("out");
        let host = self.server.pid();
        // What the host reads goes to its log.
        let writes = |node: &Node| {
            (self.mix == Mix::Full && node.pid() != host)
                || fs::read_link(format!("/proc/{}/fd/1", node.pid())).is_ok_and(|to| to == out)
        };
        self.server
            .expect("new files")
            .tree("everybody writes to the new one", |tree| tree.living().all(writes));
        let log = self.scratch.path().join("x.log");
        self.server.expect("a new log").file_line(log, "the log of process");
    }

    /// What stands in a file and in those that it was renamed to, the oldest first.
    fn all_of(&self, file: &str) -> String {
        let before = (0..self.rotations).map(|number| format!("{file}.{number}"));
        before.chain([file.to_owned()]).map(|file| self.scratch.read(&file).unwrap_or_default()).collect()
    }

    /// A worker has more memory than it may, and is replaced.
    fn leak(&mut self) {
        let stream = TcpStream::connect_timeout(&self.clients.address(), crate::kit::BOUND).unwrap();
        stream.set_read_timeout(Some(crate::kit::BOUND)).unwrap();
        let mut answers = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut ask = |line: &[u8]| -> Option<String> {
            (&stream).write_all(line).ok()?;
            answers.next()?.ok()
        };
        // By the second question it may have been asked to quit, as there are too many.
        let pid: u32 = ask(b"!pid\n").expect("an answer").parse().unwrap();
        let worker = self.server.tree().find(pid).cloned();
        ask(b"!leak\n");
        if let Some(worker) = worker {
            self.server.expect("its end").death_of(&worker);
        }
    }

    /// Nobody asks, until only the spare workers are left.
    fn lull(&mut self) {
        let _lull = self.clients.lull();
        self.server.expect("the spare ones").children(SPARES);
    }

    /// What the host has when everybody has grown up, and nobody has anything to do where that makes a difference.
    fn measure(&mut self, before: Option<Footprint>) -> (Footprint, u64) {
        let lull = (self.mix == Mix::Full).then(|| self.clients.lull());
        if lull.is_some() {
            self.server.expect("the spare ones").children(SPARES);
        }
        self.rest();
        let pid = self.server.pid();
        if let Some(before) = before {
            // On a busy machine somebody may have been late a moment ago.
            self.server
                .expect("the host of before")
                .tree(&format!("{before:?}"), |_| footprint(pid).0 == before);
        }
        footprint(pid)
    }

    /// Sees that the log tells all, once: each start of a file, and for each worker how it ended. Who was asked to quit.
    fn assert_log(&mut self, log: &str) -> BTreeSet<u32> {
        assert_eq!(log.matches("the log of process").count(), 1 + self.rotations);
        assert!(log.trim_end().ends_with("host stopped"), "{log}");
        let number = |line: &str, before: &str, after: char| -> Option<u32> {
            line.split_once(before)?.1.split(after).next()?.parse().ok()
        };
        let told = log.lines().filter(|line| !line.contains("stdout: "));
        let (mut born, mut ended) = (BTreeMap::<u32, u32>::new(), BTreeMap::new());
        for line in told {
            if let Some(pid) = number(line, " created, pid ", ' ') {
                *born.entry(pid).or_default() += 1;
            } else if let Some(pid) = number(line, "), pid ", ',') {
                let how = line.split_once(" ended with ").expect("how").1;
                ended.entry(pid).or_insert_with(Vec::new).push(how);
            }
        }
        // A number may come back.
        for (pid, count) in &born {
            assert_eq!(ended.get(pid).map(Vec::len), Some(*count as usize), "the end of {pid}");
        }
        assert_eq!(born.len(), ended.len());
        let killed = |pid: &u32| ended[pid].iter().any(|how| how.starts_with("signal KILL "));
        // It had been asked to quit just before.
        self.deaths.retain(|pid, _| killed(pid));
        let mut asked_to_quit = BTreeSet::new();
        for (pid, how) in ended.iter().flat_map(|(pid, all)| all.iter().map(move |how| (*pid, how))) {
            if how.starts_with("exit status 0 ") {
                asked_to_quit.insert(pid);
            } else {
                assert!(how.starts_with("signal KILL "), "{pid} ended with {how}");
                assert!(self.deaths.contains_key(&pid), "nobody has killed or stopped {pid}: {how}");
            }
        }
        asked_to_quit
    }
}

fn soak(mix: Mix) {
    let seconds = std::env::var(SECONDS).map_or(SECONDS_MIN, |seconds| {
        seconds.parse().unwrap_or_else(|_| panic!("{SECONDS}={seconds}: must be a number of seconds"))
    });
    let scratch = Scratch::new(&format!("soak-{mix:?}"));
    let server = mix.start(&scratch);
    server.expect("all workers").ready();
    let bound = server.expect("its address").file_line(scratch.path().join("x.log"), "is bound to {address}");
    let address: SocketAddr = bound.parse("address");
    let watch = Stopwatch::start();
    let clients = Clients::new(mix.protocol(), address, watch);
    let mut soaked = Soaked {
        mix,
        server: &server,
        scratch: &scratch,
        clients: &clients,
        watch,
        births: BTreeMap::new(),
        random: 0x2545_f491_4f6c_dd1d,
        rotations: 0,
        to_come: Vec::new(),
        happened: BTreeMap::new(),
        deaths: BTreeMap::new(),
    };
    let figures = thread::scope(|scope| {
        for client in 0..CLIENTS {
            let clients = &clients;
            scope.spawn(move || clients.ask_all_the_time(client));
        }
        let _ends = Ends(&clients);
        let warm = Duration::from_secs(seconds) / 4;
        while watch.elapsed() < warm || soaked.happened.is_empty() {
            soaked.happens();
        }
        let (before, private) = soaked.measure(None);
        while watch.elapsed() < Duration::from_secs(seconds) {
            soaked.happens();
        }
        let (after, private_after) = soaked.measure(Some(before));
        assert!(private_after <= private + GROWTH_MAX, "{private} bytes before, {private_after} after");
        format!("{after:?}, private memory {private} then {private_after}")
    });
    let took = watch.elapsed();
    server.signal(Signal::QUIT);
    server.expect("its end").exit_code(0);
    assert_eq!(scratch.read("x.pid"), None);

    let log = soaked.all_of("x.log");
    let asked_to_quit = soaked.assert_log(&log);
    let requests = clients.assert_lost_by_deaths_only(&soaked.deaths, &asked_to_quit);
    println!("{mix:?}: {seconds} s, {requests}, {:?}: {figures}", soaked.happened);
    match mix {
        Mix::Plain => clients.assert_all_printed(&soaked.all_of("out")),
        Mix::Full => clients.assert_all_printed(&log),
    }
    assert!(!log.contains("left out"), "lines of workers, at a rate that each may have");
    let answered = clients.answered().iter().sum::<u64>();
    assert!(answered >= RATE_MIN * took.as_secs(), "{answered} answers in {took:?}");
    if seconds >= SECONDS_FOR_ALL {
        let missed: Vec<_> = mix
            .all()
            .into_iter()
            .map(|(what, _)| what)
            .filter(|what| !soaked.happened.contains_key(what))
            .collect();
        assert_eq!(missed, [""; 0], "this has never happened");
    }
}

#[test]
fn s23_a_host_is_the_same_after_all_that_happens_to_it() {
    soak(Mix::Plain);
}

#[test]
fn s23_and_so_is_one_that_reads_what_workers_print_bounds_their_memory_and_has_as_many_as_the_load_calls_for()
{
    soak(Mix::Full);
}

/// Also when a test fails its clients must come to an end.
struct Ends<'a>(&'a Clients);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
