//! Failures that were found once, in `harness/regressions/`: one file each, whose title says what broke.
//!
//! Those of scenarios here fail with their bug, by the rule that they name, and pass without it. All others
//! are replayed by the test that found them, and pass.

use crate::PLANTED;
use harness::check::{Record, Site, generated, replayed};
use harness::site;
use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/regressions");
/// The tests of this file's binary, as records name them.
const HERE: &str = "harness --test shrinking ";

fn records() -> Vec<(PathBuf, Record)> {
    let entries = std::fs::read_dir(FOLDER).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "choices")).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), Record::read(&path).expect("a record"))).collect()
}

#[test]
fn each_says_what_broke() {
    let records = records();
    assert!(records.len() >= 3, "{} records in {FOLDER}", records.len());
    let mut titles: Vec<_> = records.iter().map(|(_, record)| record.title.clone()).collect();
    titles.sort();
    titles.dedup();
    assert_eq!(titles.len(), records.len(), "each title is there once");
    for (path, record) in &records {
        assert!(record.title.len() > 20, "{}: a title says what broke", path.display());
        assert_eq!(record.to_string(), std::fs::read_to_string(path).unwrap(), "{}", path.display());
    }
}

#[test]
fn each_of_a_planted_bug_fails_with_it_and_passes_without() {
    let mut seen = 0;
    for (path, record) in records() {
        let Some(name) = record.test.strip_prefix(HERE) else { continue };
        let planted = PLANTED.iter().find(|planted| planted.name == name);
        let planted = planted.unwrap_or_else(|| panic!("{}: no scenario is called {name}", path.display()));
        let broken = replayed(site!(), &record, |sim| (planted.scenario)(sim, true));
        let broken = broken.unwrap_or_else(|| panic!("{} fails no more", path.display()));
        assert_eq!(broken.violation.id, record.rule, "{}: {broken}", path.display());
        let mended = replayed(site!(), &record, |sim| (planted.scenario)(sim, false));
        assert!(mended.is_none(), "{}: {}", path.display(), mended.expect("a report"));
        seen += 1;
    }
    assert!(seen >= 3, "{seen} of planted bugs");
}

#[test]
fn each_of_the_host_passes() {
    for (path, record) in records() {
        if record.test.starts_with(HERE) {
            continue;
        }
        let words: Vec<_> = record.test.split(' ').collect();
        let [package, target @ .., test] = &words[..] else { panic!("{}: {words:?}", path.display()) };
        let output = Command::new(env!("CARGO"))
            .args(["test", "-q", "-p", package])
            .args(target)
            .args([test, "--", "--exact", "--nocapture"])
            .env("HOST_CHOICES", &path)
            .output()
            .unwrap();
        let told =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}:\n{told}", path.display());
        let ran = format!("the choices of `{}` break nothing", record.title);
        assert!(told.contains(&ran), "{}: the test was not run:\n{told}", path.display());
    }
}

#[test]
fn the_generated_test_is_the_one_that_is_compiled_here() {
    let record = Record::read(&Path::new(FOLDER).join("a-short-write.choices")).unwrap();
    let site = Site {
        function: "shrinking::services::a_short_write::Here",
        scenario: "|sim| crate::services::a_short_write(sim, false)",
        ..site!()
    };
    assert_eq!(generated(site, 0, &record), include_str!("generated.rs"));
}
