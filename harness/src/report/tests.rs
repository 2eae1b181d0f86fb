//! Whole reports of small worlds.

use super::model::{Head, LaneKind, Mark, MarkKind, Model, State};
use super::{When, chrome, html, model_of, terminal};
use crate::check::attempt;
use host_core::app::error;
use host_core::sys::Signal;
use host_core::time::{Duration, Instant};
use host_core::{App, Fleet, Result, Worker};
use host_sim::{Choices, Class, Faults, Pool, Sim, Violation};
use serde_json::Value;
use std::io::{Read as _, Write as _};

const MS: Duration = Duration::from_millis(1);
/// What a worker says before it dies. None of it may become part of a page.
const HOSTILE: &str = "</script><script>alert(1)</script> <!-- {{data}} \" \\ \u{7} ü";

fn app(body: impl Fn(&mut Worker) -> Result + 'static) -> App {
    let fleet = Fleet::new("echo").workers(2).heartbeat_timeout(1000 * MS).drain_timeout(3000 * MS).run(body);
    App::new("echo").listen("echo", "127.0.0.1:7000").poll_period_off().fleet(fleet)
}

/// Sends back what comes; `?` makes it compute for ten seconds.
fn serve(worker: &mut Worker) -> Result {
    while let Some(mut client) = worker.accept("echo")? {
        let mut buffer = [0; 64];
        while let Ok(count @ 1..) = client.read(&mut buffer) {
            if buffer[0] == b'?' {
                worker.work(10_000 * MS);
            }
            if client.write_all(&buffer[..count]).is_err() || !worker.wanted() {
                break;
            }
        }
    }
    Ok(())
}

fn hang(sim: &mut Sim) {
    sim.host(|| app(serve));
    sim.clients("echo", 1, |c| {
        c.write_all(b"?")?;
        c.expect(b"?")
    });
    sim.run_for(4000 * MS);
    panic!("{HOSTILE} worker 0 (incarnation 1)");
}

fn crash_loop(sim: &mut Sim) {
    sim.host(|| {
        app(|worker| if worker.id().slot.number() == 1 { Err(error(HOSTILE)) } else { serve(worker) })
    });
    sim.run_for(6000 * MS);
    panic!("nobody dies");
}

fn drain(sim: &mut Sim) {
    sim.host(|| app(serve));
    sim.run_for(1000 * MS);
    let worker = sim.workers()[0].pid;
    sim.signal_worker(worker, Signal::Stop);
    sim.signal(Signal::Quit);
    sim.wait_for_host(10_000 * MS).unwrap();
}

fn everything(sim: &mut Sim) {
    sim.pid_max(8);
    sim.host(|| app(serve));
    sim.faults(Faults::all());
    sim.clients("echo", 6, |c| {
        c.write_all(b"hello")?;
        c.expect(b"hello")
    });
    sim.run_for(20_000 * MS);
    sim.heal_and_settle();
}

fn told(seed: u64, scenario: fn(&mut Sim)) -> Model {
    let mut sim = Sim::with_story(Choices::seeded(seed), &Pool::default());
    let broken = attempt(&mut sim, &scenario).err();
    model_of(crate::site!(), &sim, None, broken)
}

/// What a process was, one after the other.
fn states(model: &Model, name: &str) -> Vec<State> {
    let lane = model.lanes.iter().find(|lane| lane.name == name).expect("it has a lane");
    let mut states: Vec<_> = lane.spans.iter().map(|span| span.state).collect();
    states.dedup();
    states
}

const SCENARIOS: [fn(&mut Sim); 4] = [hang, crash_loop, drain, everything];

#[test]
fn the_environment_says_which_runs_leave_files() {
    assert_eq!(When::from_variable(None), Ok(When::Failing));
    assert_eq!(When::from_variable(Some("always")), Ok(When::Always));
    assert_eq!(When::from_variable(Some("never")), Ok(When::Never));
    assert_eq!(
        When::from_variable(Some("yes")),
        Err("HOST_REPORT is `yes`, but must be `failing`, `always` or `never`".to_owned())
    );
}

#[test]
fn a_run_that_is_told_is_the_same_run() {
    for scenario in SCENARIOS {
        for seed in 0..5 {
            let mut plain = Sim::new(Choices::seeded(seed), &Pool::default());
            let _ = attempt(&mut plain, &scenario);
            assert_eq!(told(seed, scenario).head.hash, plain.hash(), "seed {seed}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for scenario in SCENARIOS {
        let [first, second] = [(); 2].map(|()| told(3, scenario));
        assert!(html::page(&first) == html::page(&second));
        assert!(chrome::trace(&first) == chrome::trace(&second));
        assert_eq!(terminal::columns(&first), terminal::columns(&second));
    }
}

#[test]
fn states_are_what_was_true_of_each_process() {
    use State::{Booting, Busy, Draining, Exiting, Stopped, Waiting, Zombie};
    let model = told(0, hang);
    // It accepts, waits for the question, and computes.
    assert_eq!(states(&model, "worker 1.1"), [Booting, Busy, Waiting, Busy, Waiting, Busy, Exiting, Zombie]);
    assert_eq!(states(&model, "worker 1.2"), [Booting, Busy, Waiting]);
    let model = told(0, drain);
    assert_eq!(states(&model, "worker 0.1"), [Booting, Busy, Waiting, Stopped, Exiting, Zombie]);
    assert_eq!(states(&model, "worker 1.1"), [Booting, Busy, Waiting, Draining, Exiting, Zombie]);
    assert!(
        states(&model, "host").iter().all(|state| [Busy, Waiting].contains(state)),
        "its beats say where it is"
    );
}

#[test]
fn spans_of_a_lane_follow_one_another_and_stay_within_the_run() {
    for seed in 0..20 {
        let model = told(seed, everything);
        for lane in &model.lanes {
            let mut at = model.begin;
            for span in &lane.spans {
                assert!(
                    at <= span.from && span.from < span.to && span.to <= model.end,
                    "{} {span:?}",
                    lane.name
                );
                at = span.to;
            }
        }
        assert!(model.marks.is_sorted_by_key(|mark| mark.at), "seed {seed}");
    }
}

#[test]
fn a_fault_that_makes_a_worker_hang_or_stop_is_seen_in_its_state() {
    let hit = |class, state| {
        (0..20).any(|seed| {
            let mut sim = Sim::with_story(Choices::seeded(seed), &Pool::default());
            sim.host(|| app(serve));
            sim.faults(Faults::only(&[class]));
            sim.clients("echo", 9, |c| c.write_all(b"hello"));
            sim.run_for(10_000 * MS);
            let model = model_of(crate::site!(), &sim, None, None);
            let target = model.faults.iter().find_map(|fault| fault.target);
            target.is_some_and(|lane| model.lanes[lane].spans.iter().any(|span| span.state == state))
        })
    };
    assert!(hit(Class::WorkerHang, State::Hung));
    assert!(hit(Class::WorkerStop, State::Stopped));
    assert!(hit(Class::HostSlow, State::Held));
}

#[test]
fn whoever_is_named_in_what_was_seen_is_marked() {
    let accused: Vec<_> = told(0, hang).lanes.into_iter().filter(|lane| lane.accused).collect();
    let names: Vec<_> = accused.iter().map(|lane| lane.name.as_str()).collect();
    assert_eq!(names, ["worker 0.1"]);
}

#[test]
fn a_signal_and_a_message_lead_from_who_sent_them_to_whom_they_reached() {
    let model = told(0, hang);
    let name = |lane: Option<usize>| lane.map(|lane| model.lanes[lane].name.as_str());
    let arrow = |short: &str| {
        let mark =
            model.marks.iter().find(|mark| mark.short == short).unwrap_or_else(|| panic!("no {short}"));
        (name(mark.lane), name(mark.to))
    };
    assert_eq!(arrow("KILL → 1.1"), (Some("host"), Some("worker 1.1")));
    assert_eq!(arrow("ready → host"), (Some("worker 0.1"), Some("host")));
    assert_eq!(arrow("hears 0.1: ready"), (Some("host"), Some("worker 0.1")));
}

#[test]
fn the_page_has_every_lane_the_rule_the_replay_and_nothing_from_elsewhere() {
    for scenario in SCENARIOS {
        let model = told(0, scenario);
        let page = html::page(&model);
        for lane in &model.lanes {
            assert!(page.contains(&format!(">{}</div>", lane.name)), "no lane of {}", lane.name);
        }
        assert!(page.contains(&model.head.replay));
        if let Some(Violation { id, sentence, .. }) = &model.head.broken {
            assert!(page.contains(&format!("Broken rule {id}: {sentence}")));
        }
        for from_elsewhere in ["http:", "https:", "src=", "href=", "url(", "@import", "fetch(", "import("] {
            assert!(!page.contains(from_elsewhere), "{from_elsewhere} in the page");
        }
        for unfilled in ["{{title}}", "{{style}}", "{{head}}", "{{labels}}", "{{course}}", "{{script}}"] {
            assert!(!page.contains(unfilled), "{unfilled} was left");
        }
    }
}

/// The data of a page, as its script reads it.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"data\">").expect("data");
    let (data, _) = rest.split_once("</script>").expect("an end of it");
    serde_json::from_str(data).expect("it is JSON")
}

#[test]
fn hostile_words_of_a_worker_or_a_test_stay_words() {
    for scenario in [hang, crash_loop] {
        let page = html::page(&told(0, scenario));
        assert_eq!(page.matches("<script").count(), 2, "the data and the script");
        assert_eq!(page.matches("</script").count(), 2);
        assert!(!page.contains("<!-- "), "a comment begins");
        assert!(page.contains("&lt;/script&gt;&lt;script&gt;alert(1)"), "it is told in words");
        let told = data(&page).to_string();
        assert!(told.contains("</script><script>alert(1)"), "and drawn");
        assert!(page.contains("{{data}} &quot;"), "what looks like a marker is none");
    }
}

#[test]
fn the_data_of_the_page_has_what_the_model_has() {
    let model = told(0, everything);
    let data = data(&html::page(&model));
    let length = |of: &Value| of.as_array().expect("a list").len();
    assert_eq!(length(&data["lanes"]), model.lanes.len());
    assert_eq!(length(&data["marks"]), model.marks.len());
    assert_eq!(length(&data["faults"]), model.faults.len());
    let texts = length(&data["texts"]) as u64;
    for mark in data["marks"].as_array().expect("a list") {
        assert!(mark[3].as_u64().expect("a number") < texts && mark[4].as_u64().expect("a number") < texts);
    }
}

#[test]
fn the_trace_is_json_with_named_processes_and_arrows_that_begin_before_they_end() {
    for scenario in SCENARIOS {
        let model = told(0, scenario);
        let trace: Value = serde_json::from_str(&chrome::trace(&model)).expect("it is JSON");
        let events = trace["traceEvents"].as_array().expect("a list");
        let with = |phase: &str| events.iter().filter(move |event| event["ph"] == phase).collect::<Vec<_>>();
        let names: Vec<_> = with("M").into_iter().filter(|event| event["name"] == "process_name").collect();
        let names: Vec<_> = names.iter().map(|event| event["args"]["name"].as_str().unwrap()).collect();
        let lanes = model.lanes.iter().map(|lane| lane.name.as_str());
        assert_eq!(names, std::iter::once("world").chain(lanes).collect::<Vec<_>>());
        assert!(with("X").iter().all(|event| event["dur"].as_f64().is_some_and(|length| length >= 0.0)));
        assert_eq!(with("i").len(), model.marks.len());
        let begins = with("s");
        assert!(!begins.is_empty());
        let within = |arrow: &&Value| {
            let at = arrow["ts"].as_f64().unwrap();
            let hangs_on = |state: &&Value| {
                let from = state["ts"].as_f64().unwrap();
                let same = state["pid"] == arrow["pid"] && state["tid"] == arrow["tid"];
                same && from <= at && at <= from + state["dur"].as_f64().unwrap()
            };
            with("X").into_iter().any(|state| hangs_on(&state))
        };
        let loose: Vec<_> = begins.iter().filter(|begin| !within(begin)).collect();
        assert!(loose.is_empty(), "no viewer draws them: {loose:?}");
        for end in with("f") {
            let begin =
                begins.iter().find(|begin| begin["id"] == end["id"]).expect("an arrow begins somewhere");
            assert!(begin["ts"].as_f64() <= end["ts"].as_f64(), "{begin} {end}");
        }
    }
}

#[test]
fn a_callback_that_takes_its_time_is_a_duration_with_its_name() {
    let mut sim = Sim::with_story(Choices::seeded(0), &Pool::default());
    sim.host(crate::sample::echo);
    sim.clients("echo", 2, |c| {
        c.write_all(b"hello")?;
        c.expect(b"hello")
    });
    sim.run_for(3000 * MS);
    let trace = chrome::trace(&model_of(crate::site!(), &sim, None, None));
    let trace: Value = serde_json::from_str(&trace).expect("it is JSON");
    let events = trace["traceEvents"].as_array().expect("a list");
    let served: Vec<_> = events.iter().filter(|event| event["name"] == "receive of Echo").collect();
    let lasting: Vec<_> = served.iter().filter(|event| event["ph"] == "X").collect();
    assert!(lasting.len() >= 4, "each of two clients is accepted and answered: {served:?}");
    assert!(lasting.iter().all(|event| event["dur"].as_f64() > Some(0.0)), "{lasting:?}");
}

#[test]
fn a_story_has_at_most_forty_lines_of_120_columns_whatever_happened() {
    let mut in_columns = 0;
    for scenario in SCENARIOS {
        for seed in 0..20 {
            let Some(lines) = terminal::columns(&told(seed, scenario)) else { continue };
            in_columns += 1;
            assert!(lines.len() <= terminal::LINES_MAX, "seed {seed}: {} lines", lines.len());
            for line in &lines {
                assert!(line.chars().count() <= terminal::WIDTH, "seed {seed}: {line}");
                assert!(!line.contains(char::is_control), "seed {seed}: {line:?}");
            }
        }
    }
    assert!(in_columns > 60, "most stories fit: {in_columns} of 80");
}

/// A model without a run: lanes, and marks in them.
fn drawn(lanes: &[(&str, LaneKind)], marks: Vec<Mark>) -> Model {
    let lane = |(name, kind): &(&str, LaneKind)| super::model::Lane {
        name: (*name).to_owned(),
        kind: *kind,
        about: String::new(),
        spans: Vec::new(),
        accused: false,
    };
    let head = Head {
        test: "app test".to_owned(),
        seed: 7,
        hash: 1,
        plan: "none".to_owned(),
        state: Vec::new(),
        replay: "HOST_SEED=7 cargo test".to_owned(),
        broken: Some(Violation::new("test", "worker 0 (incarnation 1)\nhangs".to_owned())),
        other_hash: None,
    };
    let (begin, end) = (Instant::ZERO, Instant::ZERO + 4000 * MS);
    Model { head, lanes: lanes.iter().map(lane).collect(), marks, faults: Vec::new(), begin, end }
}

fn mark(at: u32, lane: Option<usize>, kind: MarkKind, short: &str) -> Mark {
    let (short, long) = (short.to_owned(), String::new());
    Mark { at: Instant::ZERO + at * MS, lane, kind, short, long, to: None, flow: None }
}

#[test]
fn a_small_story_in_columns() {
    use LaneKind::{Client, Host, Worker};
    let lanes = [
        ("host", Host),
        ("worker 0.1", Worker),
        ("worker 1.1", Worker),
        ("client 0", Client),
        ("client 1", Client),
    ];
    let model = drawn(
        &lanes,
        vec![
            mark(1, Some(0), MarkKind::Life, "forks 0.1"),
            mark(1, Some(1), MarkKind::Life, "born"),
            mark(2, Some(1), MarkKind::Beat, "waits"),
            mark(900, None, MarkKind::Fault, "WorkerHang → 0.1"),
            mark(905, Some(1), MarkKind::Life, "hangs from here on"),
            mark(950, Some(4), MarkKind::Network, "connect to port 7000 = conn 0"),
            mark(
                1905,
                Some(0),
                MarkKind::Notice,
                "fleet `echo`: worker 0 (incarnation 1) has been silent for 1000 ms, and the line goes on",
            ),
            mark(1905, Some(2), MarkKind::Message, "hears host: look"),
            mark(1905, Some(3), MarkKind::Life, "gives up: \x1b[2J"),
        ],
    );
    assert_eq!(
        terminal::columns(&model).unwrap(),
        [
            "    seconds │ world             │ host              │ worker 0.1        │ worker 1.1        │ clients",
            "   0.001000 │                   │ forks 0.1         │ born              │                   │",
            "   0.900000 │ WorkerHang → 0.1  │                   │                   │                   │",
            "   0.905000 │                   │                   │ hangs from here on│                   │",
            "   0.950000 │                   │                   │                   │                   │ 1: connect to port 70…",
            "   1.905000 │                   │ fleet `echo`: worker 0 (incarnation 1) has been silent for 1000 ms, and the line …",
            "   1.905000 │                   │                   │                   │ hears host: look  │ 0: gives up:  [2J",
            "   4.000000 !! test: what the test itself demands holds",
            "               worker 0 (incarnation 1) hangs",
        ]
    );
}

#[test]
fn a_long_story_fills_its_forty_lines_with_what_decides_and_with_the_last_events() {
    let lanes = [("host", LaneKind::Host), ("worker 0.1", LaneKind::Worker)];
    let mark = |n| match n % 3 {
        0 => mark(n, Some(1), MarkKind::Life, "stopped"),
        _ => mark(n, Some(1), MarkKind::Network, "read on 3 = 1"),
    };
    let lines = terminal::columns(&drawn(&lanes, (0..300).map(mark).collect())).unwrap();
    assert_eq!(lines.len(), terminal::LINES_MAX);
    let count = |words: &str| lines.iter().filter(|line| line.contains(words)).count();
    assert_eq!((count("events are left out"), count("stopped"), count("read on 3")), (2, 23 + 4, 8));
}

#[test]
fn workers_of_a_slot_share_a_column_where_they_are_many_and_more_slots_than_fit_are_no_table() {
    let crowd = |slots: usize, incarnations: usize| {
        let names: Vec<_> = (0..slots * incarnations)
            .map(|n| format!("worker {}.{}", n / incarnations, n % incarnations + 1))
            .collect();
        let lanes: Vec<_> = names.iter().map(|name| (name.as_str(), LaneKind::Worker)).collect();
        let marks = (0..names.len()).map(|n| mark(n as u32, Some(n), MarkKind::Life, "born")).collect();
        terminal::columns(&drawn(&lanes, marks))
    };
    let lines = crowd(2, 10).unwrap();
    assert_eq!(lines[0], "    seconds │ worker 0                    │ worker 1");
    assert_eq!(lines[3], "   0.002000 │ .3 born                     │");
    assert_eq!(crowd(12, 1), None);
}

#[test]
fn of_more_events_than_a_browser_holds_those_that_tell_little_are_thinned_out_and_the_page_says_so() {
    let many = 250_000;
    let mut marks: Vec<_> = (0..many).map(|n| mark(n, Some(0), MarkKind::Network, "read")).collect();
    let rest = [(MarkKind::Life, "born"), (MarkKind::Message, "ready → host")];
    marks.extend(
        rest.iter().flat_map(|(kind, short)| (0..100).map(|n| mark(many + n, Some(0), *kind, short))),
    );
    let page = html::page(&drawn(&[("host", LaneKind::Host)], marks));
    let data = data(&page);
    let drawn = data["marks"].as_array().unwrap();
    assert!(drawn.len() <= 100_000, "{}", drawn.len());
    for kind in [MarkKind::Life, MarkKind::Message] {
        assert_eq!(drawn.iter().filter(|mark| mark[2] == kind as usize).count(), 100);
    }
    assert!(page.contains("Thinned out: of 250000 connections one in 4 is drawn"), "it says so");

    let few = html::page(&told(0, hang));
    assert!(!few.contains("Thinned out"));
}
