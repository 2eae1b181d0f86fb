//! The tests that are swept: built by cargo, listed by themselves.

use crate::options::Options;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One test of one binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Test {
    pub(crate) program: PathBuf,
    /// The folder of its package, in which cargo would run it.
    pub(crate) folder: PathBuf,
    pub(crate) name: String,
}

impl Test {
    /// Whether it is one of this project's own.
    pub(crate) fn is_ours(&self) -> bool {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        project.is_some_and(|project| self.folder.starts_with(project))
    }
}

/// Builds the targets, and lists their tests.
pub(crate) fn tests(options: &Options) -> Result<Vec<Test>, String> {
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args([
        "test",
        "--no-run",
        "--message-format",
        "json-render-diagnostics",
        "--profile",
        &options.profile,
    ]);
    options.packages.iter().for_each(|package| _ = build.args(["--package", package]));
    options.tests.iter().for_each(|test| _ = build.args(["--test", test]));
    let built =
        build.stderr(Stdio::inherit()).output().map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !built.status.success() {
        return Err("the tests were not built".to_owned());
    }
    let mut tests = Vec::new();
    for line in String::from_utf8_lossy(&built.stdout).lines() {
        if let Some((program, folder)) = artifact(line) {
            tests.extend(list(&program, &folder)?);
        }
    }
    let wanted =
        |name: &str| options.words.is_empty() || options.words.iter().any(|word| name.contains(word));
    tests.retain(|test| wanted(&test.name));
    if tests.is_empty() { Err("there are no such tests".to_owned()) } else { Ok(tests) }
}

/// The program of a line of cargo's, and the folder of its package, if it is about one.
fn artifact(line: &str) -> Option<(PathBuf, PathBuf)> {
    let program = field(line, "executable")?;
    let manifest = field(line, "manifest_path")?;
    Some((program.into(), Path::new(&manifest).parent()?.to_owned()))
}

/// A string of an object of JSON, at whatever depth it comes first. Enough for what cargo writes, and no
/// reason for a dependency.
fn field(line: &str, name: &str) -> Option<String> {
    let start = format!("\"{name}\":\"");
    let mut value = String::new();
    let mut letters = line[line.find(&start)? + start.len()..].chars();
    loop {
        match letters.next()? {
            '"' => return Some(value),
            '\\' => value.push(letters.next()?),
            letter => value.push(letter),
        }
    }
}

fn list(program: &Path, folder: &Path) -> Result<Vec<Test>, String> {
    let listed = Command::new(program).args(["--list", "--format", "terse"]).current_dir(folder).output();
    let listed = listed.map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let names = text.lines().filter_map(|line| line.strip_suffix(": test").map(str::to_owned));
    Ok(names.map(|name| Test { program: program.to_owned(), folder: folder.to_owned(), name }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_cargo_names_a_program_or_none() {
        let line = r#"{"reason":"compiler-artifact","manifest_path":"/w/harness/Cargo.toml","target":{"kind":["test"],"name":"fleet"},"executable":"/w/target/a \"b\"/fleet-1","fresh":true}"#;
        let program = PathBuf::from("/w/target/a \"b\"/fleet-1");
        assert_eq!(artifact(line), Some((program, PathBuf::from("/w/harness"))));
        for line in [r#"{"reason":"compiler-artifact","executable":null}"#, "", r#"{"executable":"/cut"#] {
            assert_eq!(artifact(line), None, "{line}");
        }
    }

    #[test]
    fn a_test_is_ours_by_its_package_and_not_by_its_name() {
        let harness = Path::new(env!("CARGO_MANIFEST_DIR"));
        let beside = harness.parent().unwrap().with_extension("elsewhere").join("harness");
        for (folder, expected) in [(harness, true), (&beside, false), (Path::new("/"), false)] {
            let test = Test { program: "fleet-1".into(), folder: folder.into(), name: "fleet".into() };
            assert_eq!(test.is_ours(), expected, "{}", folder.display());
        }
    }
}
