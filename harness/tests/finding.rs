//! What `check!` promises: a bug is found, told, and replayed by the printed line. And for each rule that an
//! application or a scenario can break, a run that does; most others are broken by facts that no host gives, beside
//! what checks them in `host-sim/src/check/`.

use harness::check::{
    Budget, Engine, Plan, RUN_MAX, Record, Report, Site, find_and_shrink, replayed, search,
};
use harness::{Class, Faults, Scripted, Sim, site};
use host_core::sys::{Signal, StdStream};
use host_core::{App, Connected, Context, Fleet, Hosted, Listener, Ready, Result, Service, Stream, Worker};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// What a failing test printed: the rule, the hash, and the line that replays it.
fn story(output: &str) -> (String, String, String) {
    let find = |start: &str| {
        let line = output.lines().find_map(|line| line.trim().strip_prefix(start));
        line.unwrap_or_else(|| panic!("no line begins with `{start}` in:\n{output}")).to_owned()
    };
    let place = output.find(", hash ").unwrap_or_else(|| panic!("no hash in:\n{output}"));
    (find("seen: "), output[place + 7..place + 23].to_owned(), find("replay: "))
}

/// Runs a command of the shell in the workspace; its standard output, and whether it succeeded.
fn shell(line: &str) -> (String, bool) {
    let output = Command::new("sh")
        .args(["-c", line])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .env_remove("HOST_SEEDS_FROM")
        .env_remove("HOST_TWIN")
        .env_remove("HOST_SEED")
        .env_remove("HOST_RUN_SECONDS")
        .env_remove("HOST_REPORT")
        .env_remove("HOST_ARTIFACTS")
        .env_remove("HOST_ENGINE")
        .env_remove("HOST_CHOICES")
        .env_remove("HOST_SHRINK_SECONDS")
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("a shell");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout) + &text(&output.stderr), output.status.success())
}

#[test]
fn a_planted_bug_is_found_and_the_printed_line_replays_it_with_the_same_hash() {
    let (found, passed) = shell("HOST_SEEDS=50 cargo test -q -p harness --test planted replies");
    assert!(!passed, "the bug was not found:\n{found}");
    assert!(found.contains("test: what the test itself demands holds"), "{found}");
    assert!(found.contains("how it came to that:"), "{found}");
    let (seen, hash, line) = story(&found);
    assert!(seen.contains("every reply is whole"), "{seen}");

    let (again, passed) = shell(&line);
    assert!(!passed, "the replay passed:\n{again}");
    assert_eq!(story(&again), (seen.clone(), hash, line), "the same story:\n{again}");

    // And as small as it became: one short write, for one client.
    assert!(found.contains("to 1 fault, 1 client and "), "{found}");
    let told = |start: &str| {
        let line = found.lines().find_map(|line| line.trim().strip_prefix(start));
        line.unwrap_or_else(|| panic!("no line begins with `{start}` in:\n{found}")).trim()
    };
    let (small, passed) = shell(told("the small one alone: "));
    assert!(!passed, "the small one passed:\n{small}");
    let (_, _, small_line) = story(&small);
    assert_eq!(
        (story(&small).0.as_str(), small_line.as_str()),
        (seen.as_str(), told("the small one alone: ")),
        "{small}"
    );
    let test = std::fs::read_to_string(told("as a test to paste:")).expect("a test");
    assert!(test.contains("fault ShortIo") && test.contains(r#"App::new("careless")"#), "{test}");

    // The file is about that test, and no other.
    let elsewhere = told("the small one alone: ").replace(" replies_are_whole ", " computes_for_ever ");
    let (refused, passed) = shell(&elsewhere);
    assert!(!passed, "{refused}");
    assert!(
        refused.contains("is about `harness --test planted replies_are_whole`, and this is"),
        "{refused}"
    );
}

#[test]
fn an_engine_is_chosen_by_the_environment_and_stands_in_the_line_that_replays() {
    let (found, _) = shell(
        "HOST_SHRINK_SECONDS=0 HOST_SEEDS=50 HOST_ENGINE=pct:2 cargo test -q -p harness --test planted replies",
    );
    let (seen, hash, line) = story(&found);
    assert!(line.contains(" HOST_ENGINE=pct:2 cargo test "), "{line}");
    assert!(!found.contains("shrunk"), "nobody asked for it:\n{found}");
    assert_eq!(story(&shell(&format!("HOST_SHRINK_SECONDS=0 {line}")).0), (seen, hash, line));

    let (refused, passed) = shell("HOST_ENGINE=magic cargo test -q -p harness --test planted replies");
    assert!(!passed && refused.contains("HOST_ENGINE is `magic`, but must be `random`, "), "{refused}");
}

/// A directory of a test's own; gone when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _gone_already = std::fs::remove_dir_all(&directory);
        Self(directory)
    }

    /// What lies in it; nothing, if nobody has made it.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _nothing_was_written = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_failing_run_leaves_a_page_and_a_trace_which_its_report_names() {
    let scratch = Scratch::new("report-failing");
    let planted = "cargo test -q -p harness --test planted";
    let (told, passed) =
        shell(&format!("HOST_SHRINK_SECONDS=0 HOST_ARTIFACTS={} {planted} hangs", scratch.0.display()));
    assert!(!passed, "{told}");
    let stem = "harness.planted.stories.a_worker_hangs_and_its_client_is_cut_off.seed-0";
    let files = [format!("{stem}.html"), format!("{stem}.trace.json")];
    assert_eq!(scratch.files(), files, "{told}");
    for (word, file) in ["page", "trace"].iter().zip(&files) {
        let path = scratch.0.join(file);
        assert!(told.contains(&format!("  {word}: {} (", path.display())), "{told}");
        assert!(std::fs::read_to_string(path).unwrap().contains("worker 0.1"));
    }
    let told = shell(&format!("HOST_REPORT=never {planted} hangs")).0;
    assert!(!told.contains("  page: ") && told.contains("the last 40 events:"), "{told}");
}

#[test]
fn files_that_cannot_be_written_are_no_reason_to_lose_the_report() {
    let (told, _) = shell("HOST_ARTIFACTS=/dev/null/here cargo test -q -p harness --test planted hangs");
    assert!(told.contains("  no files of this run: /dev/null/here: "), "{told}");
    assert!(told.contains("how it came to that:") && told.contains("  replay: HOST_SEED=0 "), "{told}");
}

#[test]
fn a_single_run_that_passes_leaves_its_files_if_asked() {
    let scratch = Scratch::new("report-always");
    let always = format!("HOST_ARTIFACTS={} HOST_REPORT=always", scratch.0.display());
    let test = "cargo test -q -p harness --test fleet faults::workers_share_a_unix -- --nocapture";
    let (told, passed) = shell(&format!("{always} HOST_SEEDS=3 {test}"));
    assert!(passed, "{told}");
    assert_eq!(scratch.files(), Vec::<String>::new(), "three runs leave nothing");
    let (told, passed) = shell(&format!("{always} HOST_SEED=2 {test}"));
    assert!(passed && told.contains(".seed-2.html (open it in a browser)"), "{told}");
    assert_eq!(scratch.files().len(), 2, "{told}");
}

#[test]
fn a_process_that_computes_for_ever_is_ended_by_a_real_clock_with_its_seed() {
    for (test, who) in [("computes", "host"), ("a_worker_that_spins", "worker 1.1")] {
        let (told, passed) =
            shell(&format!("HOST_RUN_SECONDS=1 cargo test -q -p harness --test planted {test}"));
        assert!(!passed, "it came back:\n{told}");
        assert!(told.contains(&format!("seed 0 has run for 1s. `{who}` was the last to go on")), "{told}");
    }
}

/// A service of which each callback is a function.
struct Made<C, R>(C, R);

impl<C: FnMut(&mut Context<'_>) -> Result<Connected>, R: FnMut(&mut Context<'_>) -> Result> Service
    for Made<C, R>
{
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        (self.0)(cx)
    }

    fn receive(&mut self, cx: &mut Context<'_>, _: Ready) -> Result {
        (self.1)(cx)
    }
}

/// An application with the listener `door`.
fn app<C, R>(connect: C, receive: R) -> App
where
    C: FnMut(&mut Context<'_>) -> Result<Connected> + 'static,
    R: FnMut(&mut Context<'_>) -> Result + 'static,
{
    let service = Hosted::new("made", Made(connect, receive));
    App::new("made").listen("door", "127.0.0.1:7000").service(service)
}

fn find(plan: Plan, scenario: impl Fn(&mut Sim)) -> Report {
    let site: Site = site!();
    search(site, plan, scenario).expect("the rule is broken")
}

const ONCE: Plan = Plan { first: 0, count: 1, twin: false, run_max: RUN_MAX };
const TWICE: Plan = Plan { twin: true, ..ONCE };

/// Opens the door and leaves whoever comes standing there.
fn deaf() -> impl FnMut(&mut Context<'_>) -> Result<Connected> {
    let mut held: Vec<Listener> = Vec::new();
    move |cx| {
        held.push(cx.listener("door")?);
        Ok(Connected::Yes)
    }
}

#[test]
fn s34_a_host_that_is_told_to_put_up_with_spinning_is_reported() {
    let report = find(ONCE, |sim| {
        sim.host(|| app(deaf(), |_| Ok(())).empty_wakes_max(1_000_000));
        sim.clients("door", 1, |c| c.read_to_end().map(drop));
        sim.run_for(SECOND * 5);
    });
    assert_eq!(report.violation.id, "S34", "{report}");
}

/// Flushes before it reads: a peer that takes nothing and goes on sending would make it spin.
#[derive(Default)]
struct FlushesFirst(Option<Listener>, Option<Stream>);

impl Service for FlushesFirst {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        self.0 = Some(cx.listener("door")?);
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        match &mut self.1 {
            Some(client) => while client.try_write(&[7; 4096])?.is_some() {},
            None => self.1 = self.0.as_mut().map_or(Ok(None), Listener::accept)?,
        }
        Ok(())
    }
}

#[test]
fn ph_c18_a_service_that_writes_when_it_could_read_is_ended_by_the_host_itself() {
    let flooded = |empty_wakes_max| {
        find(ONCE, move |sim| {
            sim.host(move || {
                App::new("flood")
                    .listen("door", "127.0.0.1:7000")
                    .service(FlushesFirst::default())
                    .empty_wakes_max(empty_wakes_max)
            });
            sim.clients("door", 1, |c| {
                c.write_all(&[1; 100])?;
                c.pause(SECOND * 60);
                Ok(())
            });
            sim.run_for(SECOND * 5);
        })
    };
    let report = flooded(16);
    assert_eq!(report.violation.id, "H2", "{report}");
    assert!(report.violation.detail.contains("the service did not do what it was ready for"), "{report}");
    assert_eq!(flooded(1_000_000).violation.id, "S34", "and the simulator sees it by itself");
}

#[test]
fn s34_a_process_that_asks_the_poller_for_ever_is_reported() {
    let report = find(ONCE, |sim| {
        sim.run_process(|sys| {
            let mut events = Vec::new();
            while sys.poll_wait(&mut events, Some(host_core::time::Instant::ZERO)).is_ok() {}
        });
    });
    assert_eq!(report.violation.id, "S34", "{report}");
    assert!(report.violation.detail.contains("without waiting"), "{report}");
}

/// Decides by the wall clock.
#[test]
fn s3_a_service_that_decides_by_the_wall_clock_is_caught_by_a_twin_run() {
    let report = find(Plan { count: 10, ..TWICE }, |sim| {
        sim.host(|| {
            let mut last = None;
            app(
                move |cx| {
                    let wall = cx.wall().0;
                    let jumped = last.replace(wall).is_some_and(|last| wall < last);
                    if jumped { Ok(Connected::Yes) } else { Ok(Connected::NotYet) }
                },
                |_| Ok(()),
            )
        });
        sim.faults(Faults::only(&[Class::WallJump]));
        sim.run_for(SECOND * 60);
    });
    assert_eq!(report.violation.id, "S3", "{report}");
}

#[test]
fn s45_a_panic_outside_user_code_is_reported() {
    let report = find(ONCE, |sim| {
        sim.host(|| panic!("the description itself"));
        sim.run_for(SECOND);
    });
    assert_eq!(report.violation.id, "S45", "{report}");
}

#[test]
fn s41_two_hosts_with_one_pid_file_are_reported() {
    let report = find(ONCE, |sim| {
        // Whoever comes second gets the lock as well.
        sim.break_rule(host_sim::Rule::LockIsExclusive);
        sim.host(|| app(deaf(), |_| Ok(())).pid_file("/run/x.pid"));
        sim.another_host();
        sim.run_for(SECOND);
    });
    assert_eq!(report.violation.id, "S41", "{report}");
    assert!(report.violation.detail.contains("`host` has `/run/x.pid`, and not its lock"), "{report}");
}

#[test]
fn h2_a_host_that_ends_by_itself_is_reported_with_its_reason() {
    let report = find(ONCE, |sim| {
        sim.host(|| app(deaf(), |_| Err("out of ideas".into())));
        sim.clients("door", 1, |c| c.read_to_end().map(drop));
        sim.run_for(SECOND * 5);
    });
    assert_eq!(report.violation.id, "H2", "{report}");
    assert!(report.violation.detail.contains("service `made` failed in receive: out of ideas"), "{report}");
}

/// Three workers in `f`.
fn workers(body: impl Fn(&mut Worker) -> Result + 'static) -> App {
    let fleet = Fleet::new("f")
        .workers(3)
        .boot_timeout(SECOND * 2)
        .heartbeat_timeout(SECOND)
        .degraded_retry(SECOND * 2)
        .backoff(SECOND / 20, SECOND)
        .run(body);
    let app = App::new("core").listen("door", "127.0.0.1:7000").stdout("/var/out");
    app.poll_period_off().fleet(fleet)
}

fn waits(worker: &mut Worker) -> Result {
    while worker.accept("door")?.is_some() {}
    Ok(())
}

/// Cannot live without its diary.
fn writes(worker: &mut Worker) -> Result {
    loop {
        worker.print(StdStream::Stdout, "still here\n")?;
        if !worker.pause(SECOND) {
            return Ok(());
        }
    }
}

#[test]
fn l7_a_core_that_is_never_well_is_reported_with_those_who_are_pending() {
    let report = find(Plan { count: 10, ..ONCE }, |sim| {
        sim.play(Scripted::of("f").slot(1).never_ready());
        sim.host(|| workers(waits));
        sim.run_for(SECOND);
        sim.heal_core_and_settle();
    });
    assert_eq!(report.violation.id, "L7", "{report}");
    let seen = &report.violation.detail;
    assert!(seen.contains("after the core was healed: fleet `f`: "), "{seen}");
    assert!(seen.contains(" of slot 1 (pid ") || seen.contains("slot 1 rests"), "{seen}");
    assert!(
        !seen.contains("slot 0") && !seen.contains("slot 2"),
        "who serves or is broken is not owed: {seen}"
    );
}

#[test]
fn l7_a_core_that_was_well_and_does_not_stay_so_is_reported_with_who_was_lost() {
    let report = find(Plan { count: 10, ..ONCE }, |sim| {
        sim.play(Scripted::of("f").slot(2).crash_after(SECOND * 12));
        sim.host(|| workers(waits));
        sim.run_for(SECOND);
        sim.heal_core_and_settle();
    });
    assert_eq!(report.violation.id, "L7", "{report}");
    let seen = &report.violation.detail;
    assert!(seen.starts_with("the core was well, and then: fleet `f`: "), "{seen}");
    assert!(seen.contains("slot 2 ") && !seen.contains("slot 0") && !seen.contains("slot 1"), "{seen}");
}

/// Who has to write is lost where the disk is full for ever, and well wherever that ends.
#[test]
fn l7_what_only_a_fault_that_stays_brings_about_is_found_and_comes_down_to_that_fault() {
    fn story(sim: &mut Sim, settle: fn(&mut Sim)) {
        sim.host(|| workers(writes));
        sim.faults(Faults::only(&[Class::DiskFull, Class::Latency, Class::SlowBoot, Class::WorkerKill]));
        sim.run_for(SECOND * 5);
        settle(sim);
    }
    let many = Plan { count: 40, ..ONCE };
    let healed = search(site!(), many, |sim| story(sim, Sim::heal_and_settle));
    assert!(healed.is_none(), "once it has ended: {}", healed.expect("a report"));

    let stays = |sim: &mut Sim| story(sim, Sim::heal_core_and_settle);
    let budget = Budget { time: RUN_MAX, runs: 500 };
    let found = find_and_shrink(site!(), many, &Engine::Random, budget, stays).expect("it is found");
    let Report { violation, plan, .. } = &found.report;
    assert_eq!(violation.id, "L7", "{}", found.report);
    assert!(plan.contains("; for ever: ") && plan.contains("DiskFull"), "{plan}");

    let shrunk = found.shrunk.expect("it fails again");
    assert_eq!(
        (shrunk.after.faults, shrunk.after.events()),
        (1, 2),
        "the fault, and that it stays: {}",
        shrunk.after
    );
    let record = Record {
        title: String::new(),
        test: String::new(),
        rule: "L7".to_owned(),
        seen: String::new(),
        script: shrunk.script.to_string().parse().expect("a script"),
    };
    let again = replayed(site!(), &record, stays).expect("the small one fails as well");
    assert_eq!(again.violation.id, "L7", "{again}");
    assert!(again.plan.ends_with("; for ever: DiskFull"), "{}", again.plan);
}

/// What the core itself needs is healed; of all else about half of what has struck stays.
#[test]
fn l7_faults_that_leave_a_core_stay_in_about_half_of_the_runs_and_no_others_do() {
    let [mut struck, mut stayed] = [[0; Class::ALL.len()]; 2];
    let counts = std::cell::RefCell::new((&mut struck, &mut stayed));
    let failed = search(site!(), Plan { count: 80, ..TWICE }, |sim| {
        sim.host(|| workers(waits));
        sim.faults(Faults::all());
        sim.run_for(SECOND * 20);
        sim.heal_core_and_settle();
        let (struck, stayed) = &mut *counts.borrow_mut();
        for class in Class::ALL {
            struck[class as usize] += u32::from(sim.struck(class) > 0);
            stayed[class as usize] += u32::from(sim.perpetual_faults().contains(&class));
        }
    });
    assert!(failed.is_none(), "{}", failed.expect("a report"));
    let stay = [
        Class::ShortIo,
        Class::Interrupt,
        Class::WallJump,
        Class::Latency,
        Class::Schedule,
        Class::WorkerHang,
        Class::WorkerStop,
        Class::WorkerCrash,
        Class::WorkerKill,
        Class::IgnoreQuit,
        Class::SlowBoot,
        Class::LateNews,
        Class::ExitRace,
        Class::DiskFull,
    ];
    for class in Class::ALL {
        let (struck, stayed) = (struck[class as usize], stayed[class as usize]);
        // Not all boots are slow by so little that they come in time.
        let least = if class == Class::SlowBoot { struck / 8 } else { struck / 4 };
        let expected = if stay.contains(&class) { least.max(1)..=struck * 3 / 4 } else { 0..=0 };
        assert!(expected.contains(&stayed), "{class:?} has struck in {struck} runs and stayed in {stayed}");
    }
}

/// Who dies before it counts as stable, and is there again at once: nobody is missed, and the fleet is never well.
#[test]
fn l6_a_fleet_that_is_complete_and_stays_degraded_is_reported_by_its_name() {
    let report = find(ONCE, |sim| {
        sim.play(Scripted::of("f").crash_after(SECOND * 9 / 10));
        sim.host(|| {
            let fleet = Fleet::new("f")
                .workers(1)
                .heartbeat_timeout(SECOND)
                .restart_budget(1, SECOND * 60)
                .backoff(SECOND / 100, SECOND / 100)
                .degraded_retry(SECOND / 100)
                .stable_after(SECOND)
                .run(|worker| {
                    while worker.accept("door")?.is_some() {}
                    Ok(())
                });
            App::new("frail").listen("door", "127.0.0.1:7000").poll_period_off().fleet(fleet)
        });
        sim.run_for(SECOND * 10);
        sim.heal_and_settle();
    });
    assert_eq!(report.violation.id, "L6", "{report}");
    let seen = &report.violation.detail;
    assert!(seen.ends_with("after the last fault: fleet `f` is complete, and degraded still"), "{seen}");
}

#[test]
fn l3_a_client_that_never_ends_is_reported_with_what_it_does() {
    let report = find(ONCE, |sim| {
        sim.host(|| app(deaf(), |_| Ok(())));
        sim.clients("nowhere", 1, |c| {
            loop {
                c.pause(SECOND);
            }
        });
        sim.heal_and_settle();
    });
    assert_eq!(report.violation.id, "L3", "{report}");
    assert!(report.violation.detail.contains("`client 0` is computing"), "{report}");
}

/// Workers that wait for clients.
fn crew() -> App {
    let fleet = Fleet::new("crew").workers(2).run(|worker| {
        while worker.accept("door")?.is_some() {}
        Ok(())
    });
    App::new("crewed").listen("door", "127.0.0.1:7000").poll_period_off().fleet(fleet)
}

#[test]
fn a_report_tells_how_fleets_stood_at_the_end_and_what_their_host_believed() {
    let report = find(ONCE, |sim| {
        sim.host(crew);
        sim.run_for(SECOND);
        let pids: Vec<_> = sim.workers().iter().map(|worker| worker.pid).collect();
        sim.signal_worker(pids[0], Signal::Stop);
        sim.run_for(SECOND);
        sim.signal_worker(pids[1], Signal::Kill);
        panic!("enough");
    });
    assert_eq!(
        report.state,
        [
            "fleet `crew`: 2 wanted, 2 ready of 2 that live",
            "  `worker 0.1`, pid 3: stopped for 1.000 s; its host believes: ready, stopped, no sign of life read",
            "  `worker 1.1`, pid 4: exiting; its host believes: ready, no sign of life read",
        ],
        "{report}"
    );
}

#[test]
fn a_report_about_what_does_not_end_tells_what_each_process_holds() {
    let report = find(ONCE, |sim| {
        sim.host(crew);
        sim.clients("nowhere", 1, |c| {
            loop {
                c.pause(SECOND);
            }
        });
        sim.heal_and_settle();
    });
    assert_eq!(report.violation.id, "L3", "{report}");
    let holds = |name: &str| report.state.iter().find(|line| line.starts_with(&format!("`{name}` is")));
    assert_eq!(
        holds("host").map(String::as_str),
        Some(
            "`host` is waiting for events and holds channel 0, 1; child `worker 0.1`, `worker 1.1`; listener 0; signals"
        ),
        "{report}"
    );
    assert!(holds("worker 1.1").is_some_and(|line| line.contains("holds channel 1; listener 0")), "{report}");
}

#[test]
fn test_a_failed_assertion_of_the_scenario_is_reported_with_its_words() {
    let report = find(ONCE, |sim| {
        sim.host(|| app(deaf(), |_| Ok(())));
        sim.run_for(SECOND);
        assert_eq!(sim.host_said().len(), 7, "nobody says seven things");
    });
    assert_eq!(report.violation.id, "test", "{report}");
    assert!(report.violation.detail.contains("nobody says seven things"), "{report}");
    // In an editor the place is what one clicks on.
    let place = report.place.as_deref().unwrap_or_default();
    assert!(place.contains("tests/finding.rs:"), "{report}");
    assert!(report.to_string().contains(&format!("\n  at: {place}\n")), "{report}");
}

/// Looks at a clock that is not simulated, and lets the world see it.
#[test]
fn twin_a_service_that_peeks_at_the_real_clock_is_caught_and_named() {
    let report = find(TWICE, |sim| {
        sim.host(|| {
            app(
                |cx| {
                    let peeked = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
                    cx.work(Duration::from_nanos(1 + peeked.tv_nsec as u64 % 1_000_000));
                    Ok(Connected::NotYet)
                },
                |_| Ok(()),
            )
        });
        sim.run_for(SECOND * 60);
    });
    assert_eq!(report.violation.id, "twin", "{report}");
    let detail = &report.violation.detail;
    assert!(detail.contains("host") && detail.contains("computes for"), "names who and what: {detail}");
    assert!(report.replay.starts_with("HOST_SEED=0 HOST_TWIN=1 cargo test"), "{}", report.replay);
}

#[test]
fn twin_runs_of_an_honest_service_agree() {
    let agreed = search(site!(), Plan { count: 20, ..TWICE }, |sim| {
        sim.host(|| app(deaf(), |_| Ok(())).empty_wakes_max(10));
        sim.faults(Faults::all());
        sim.expect_end();
        sim.clients("door", 3, |c| c.expect(b"never"));
        sim.run_for(SECOND * 20);
    });
    assert!(agreed.is_none(), "{}", agreed.expect("a report"));
}

#[test]
fn a_replayed_choice_log_is_the_same_run() {
    use host_sim::{Choices, Pool};
    let scenario = |sim: &mut Sim| {
        sim.host(|| app(deaf(), |_| Ok(())).empty_wakes_max(10));
        sim.faults(Faults::all());
        sim.expect_end();
        sim.clients("door", 3, |c| c.expect(b"never"));
        sim.run_for(SECOND * 20);
        sim.hash()
    };
    for seed in 0..20 {
        let mut first = Sim::new(Choices::seeded(seed), &Pool::default());
        let hash = scenario(&mut first);
        let log = first.choices().iter().map(|choice| choice.picked).collect();
        let mut again = Sim::new(Choices::replayed(seed, log), &Pool::default());
        assert_eq!(scenario(&mut again), hash, "seed {seed}");
        // By stream and entity, and with the faults as a plan, too; written and read again.
        let script: host_sim::Script = first.script().to_string().parse().expect("a script");
        let mut edited = Sim::new(Choices::scripted(seed, &script), &Pool::default());
        assert_eq!(scenario(&mut edited), hash, "seed {seed}");
        assert_eq!(edited.script(), script);
    }
}
