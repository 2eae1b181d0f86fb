//! A stranger adopts the harness: a crate outside this workspace, with a service of its own that hangs, and a test
//! of ten lines that finds out when. Its report has a line to paste, and the line replays what was found; it has a
//! test to paste as well, and that compiles where it belongs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use harness::Process;
use harness::process::Stream;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const MANIFEST: &str = include_str!("crate/Cargo.toml.in");
const SERVICE: &str = include_str!("crate/service.rs.in");
const TEST: &str = include_str!("crate/test.rs.in");
const WORLDS: &str = include_str!("crate/worlds.rs.in");

/// What is wrong with the service, and what would be right.
const PLANTED: &str = "if line == *b\"ping\\n\" {";
const MENDED: &str = "if line.ends_with(b\"\\n\") && std::mem::take(&mut all) == b\"ping\\n\" {";

/// And a worker that hangs for good: it computes until the rest of a line has come, which it does not read.
const HANGS: &str = "while !line.ends_with(b\"\\n\") { worker.work(std::time::Duration::from_millis(1)); }\n            if line == *b\"ping\\n\" {";

/// A first build of everything that the crate needs, on a slow machine.
const BUILD: Duration = Duration::from_secs(300);
/// The longest test that is worth adopting anything for.
const LINES_MAX: usize = 10;

/// The crate, in a directory of its own that goes with it.
struct Stranger {
    directory: PathBuf,
}

impl Stranger {
    fn new(name: &str) -> Self {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let directory = format!("stranger-{name}-{}", std::process::id());
        let directory = std::env::temp_dir().canonicalize().unwrap().join(directory);
        assert!(!directory.starts_with(workspace.canonicalize().unwrap()), "it is outside");
        let stranger = Self { directory };
        for part in ["src", "tests"] {
            fs::create_dir_all(stranger.directory.join(part)).unwrap();
        }
        // A name of its own: crates of one name would overwrite each other's programs, for they share what they build.
        let manifest = MANIFEST.replace("NAME", name).replace("WORKSPACE", workspace.to_str().unwrap());
        stranger.write("Cargo.toml", &manifest);
        stranger.write("src/lib.rs", SERVICE);
        stranger.write("tests/pings.rs", TEST);
        stranger.write("tests/worlds.rs", WORLDS);
        // The same versions as here, which are on this machine already.
        fs::copy(workspace.join("Cargo.lock"), stranger.directory.join("Cargo.lock")).unwrap();
        stranger
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.directory.join(path), text).unwrap();
    }

    /// Pastes what a report tells to paste below what stands in `path`, `at` that name.
    fn pastes(&self, path: &str, said: &str, at: &str) {
        let generated = fs::read_to_string(line_of(said, "as a test to paste: ").trim()).unwrap();
        assert!(generated.contains(&format!("\nfn {at}_seed_")), "its name:\n{generated}");
        let text = fs::read_to_string(self.directory.join(path)).unwrap();
        self.write(path, &format!("{text}\n{generated}"));
    }

    /// A command line, as a person would paste it there.
    fn types(&self, line: &str) -> Process {
        // Built once, however often this test is run.
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("stranger");
        let mut spawn = Process::sh(line).name("stranger").cwd(&self.directory);
        // What this run was asked for is not asked of that one.
        let here = std::env::vars_os().map(|(name, _)| name);
        for name in here.filter(|name| name.to_str().is_some_and(|name| name.starts_with("HOST_"))) {
            spawn = spawn.env_remove(name);
        }
        spawn
            .env("CARGO_TARGET_DIR", target)
            .env("CARGO_NET_OFFLINE", "true")
            .env("HOST_ARTIFACTS", self.directory.join("artifacts"))
            .env("RUST_BACKTRACE", "0")
            .spawn()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.directory);
    }
}

/// Its exit status, and all that it said: with `--nocapture` a report goes to standard error.
fn ends(process: &Process) -> (Option<i32>, String) {
    let streams = [Stream::Stdout, Stream::Stderr].map(|stream| process.output(stream));
    let status = process.expect("the stranger's tests end").within(BUILD).exit();
    (status.code(), streams.map(|mut stream| stream.rest()).concat())
}

#[test]
fn a_stranger_finds_the_hang_of_its_own_service_and_replays_it_by_the_printed_line() {
    let body = TEST.lines().skip_while(|line| !line.starts_with("#[test]"));
    let lines = body.count();
    assert!(lines <= LINES_MAX, "the test has {lines} lines");

    let stranger = Stranger::new("pings");
    let (status, said) = ends(&stranger.types("cargo test --test pings"));
    assert_eq!(status, Some(101), "the hang is found:\n{said}");
    let seen = line_of(&said, "seen: ");
    assert!(seen.contains("timed out"), "{seen}");
    let replay = line_of(&said, "replay: ");
    assert!(replay.starts_with("HOST_SEED=") && replay.contains("cargo test -p stranger"), "{replay}");

    let (status, again) = ends(&stranger.types(replay));
    assert_eq!(status, Some(101), "the line replays it:\n{again}");
    assert_eq!(line_of(&again, "seen: "), seen);
    assert_eq!(line_of(&again, "replay: "), replay);

    // The line of the small one as well.
    let small = line_of(&said, "the small one alone: ");
    let (status, again) = ends(&stranger.types(small));
    assert_eq!(status, Some(101), "the small one fails, too:\n{again}");

    // And the test to paste.
    stranger.pastes("tests/pings.rs", &said, "every_ping_is_answered");
    let (status, again) = ends(&stranger.types("cargo test --test pings seed_"));
    assert_eq!(status, Some(101), "the pasted test fails until that is mended:\n{again}");
    assert!(again.contains("test result: FAILED. 0 passed; 1 failed"), "{again}");

    assert!(SERVICE.contains(PLANTED), "the hang is planted");
    stranger.write("src/lib.rs", &SERVICE.replace(PLANTED, MENDED));
    let (status, said) = ends(&stranger.types("cargo test --test pings"));
    assert_eq!(status, Some(0), "mended, it passes:\n{said}");
    assert!(said.contains("test result: ok. 2 passed"), "and so does what was pasted:\n{said}");
    let (status, said) = ends(&stranger.types(replay));
    assert_eq!(status, Some(0), "and the seed, too:\n{said}");
}

#[test]
fn a_worker_of_a_strangers_that_gives_no_sign_of_life_is_found_and_replayed() {
    let stranger = Stranger::new("hangs");
    stranger.write("src/lib.rs", &SERVICE.replace(PLANTED, HANGS));
    let (status, said) = ends(&stranger.types("cargo test --test pings"));
    assert_eq!(status, Some(101), "the hang is found:\n{said}");
    // Its client sees the end of the connection, when the worker is killed for it.
    let seen = line_of(&said, "seen: ");

    assert!(said.contains("killed: it gave no sign of life"), "the report says who hung:\n{said}");
    let replay = line_of(&said, "replay: ");
    let (status, again) = ends(&stranger.types(replay));
    assert_eq!((status, line_of(&again, "seen: ")), (Some(101), seen), "the line replays it:\n{again}");
}

#[test]
fn what_a_body_in_a_world_has_left_compiles_beside_it_and_fails_as_it_did() {
    let stranger = Stranger::new("worlds");
    for world in ["scripted", "simulated"] {
        let (status, said) = ends(&stranger.types(&format!("cargo test --test worlds {world}")));
        assert_eq!(status, Some(101), "nobody is as many as is asked for:\n{said}");
        stranger.pastes("tests/worlds.rs", &said, &format!("a_third_worker_comes_by_itself_{world}"));
    }
    let (status, said) = ends(&stranger.types("cargo test --test worlds seed_"));
    assert_eq!(status, Some(101), "what was pasted is run:\n{said}");
    assert!(said.contains("test result: FAILED. 0 passed; 2 failed"), "{said}");
}

/// What stands behind `mark` in the first line that has it.
#[track_caller]
fn line_of<'a>(said: &'a str, mark: &str) -> &'a str {
    let found = said.lines().find_map(|line| line.trim().strip_prefix(mark));
    found.unwrap_or_else(|| panic!("no line begins with `{mark}`:\n{said}"))
}
