//! What a failure leaves behind: a file that replays it, and a test to paste.

use super::Site;
use super::shrink::Shrunk;
use host_sim::{Script, Violation};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A choice log with what it is about: the content of a `.choices` file.
///
/// A head, an empty line, and the log:
///
/// ```text
/// choices of a simulated host, version 1
/// title: the rest of a reply was lost
/// test: harness planted replies_are_whole
/// rule: test
/// seen: client 3 of `careless`: got …
///
/// fault ShortIo at 2s for 1ms target 0
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What broke, for whoever reads the list of them.
    pub title: String,
    /// Which test: package, target and path.
    pub test: String,
    /// Which rule was broken.
    pub rule: String,
    /// What was seen.
    pub seen: String,
    /// The decisions.
    pub script: Script,
}

/// What a file begins with. Another version is another language.
const FIRST_LINE: &str = "choices of a simulated host, version 1";

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { title, test, rule, seen, script } = self;
        let seen = seen.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        write!(f, "{FIRST_LINE}\ntitle: {title}\ntest: {test}\nrule: {rule}\nseen: {seen}\n\n{script}")
    }
}

impl FromStr for Record {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.replace("\r\n", "\n");
        let first = text.lines().next().unwrap_or_default();
        if first != FIRST_LINE {
            return Err(format!("expected the first line `{FIRST_LINE}`, got `{first}`"));
        }
        let (head, log) = text.split_once("\n\n").ok_or("expected an empty line after the head")?;
        let field = |name: &str| -> Result<String, String> {
            let value = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value
                .map(|value| value.trim().to_owned())
                .ok_or_else(|| format!("expected a line `{name}: …` in the head"))
        };
        let script = log.parse::<Script>().map_err(|error| error.to_string())?;
        let (title, test, rule, seen) = (field("title")?, field("test")?, field("rule")?, field("seen")?);
        Ok(Self { title, test, rule, seen, script })
    }
}

impl Record {
    /// Reads a file.
    ///
    /// # Errors
    /// A sentence with the path, if there is none or it is not understood.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string());
        text.and_then(|text| text.parse()).map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// Where the files of a failure are, or why they are not.
pub(super) struct Written {
    pub(super) log: PathBuf,
    pub(super) test: PathBuf,
}

/// Writes both files of a failure.
pub(super) fn write(
    site: Site,
    seed: u64,
    violation: &Violation,
    shrunk: &Shrunk,
) -> Result<Written, String> {
    let folder = folder();
    let name = format!("{}-{seed}", site.test().replace("::", "."));
    let record = Record {
        title: violation.sentence.to_owned(),
        test: site.name(),
        rule: violation.id.to_owned(),
        seen: violation.detail.clone(),
        script: shrunk.script.clone(),
    };
    let written =
        Written { log: folder.join(format!("{name}.choices")), test: folder.join(format!("{name}.rs")) };
    let files = std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(&written.log, record.to_string()))
        .and_then(|()| std::fs::write(&written.test, generated(site, seed, &record)));
    files.map_err(|error| format!("nothing could be written to {}: {error}", folder.display()))?;
    Ok(written)
}

/// `HOST_ARTIFACTS`, or a folder beside what cargo has built.
fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("HOST_ARTIFACTS").filter(|folder| !folder.is_empty()) {
        return folder.into();
    }
    let program = std::env::current_exe().unwrap_or_default();
    let deps = program.ancestors().find(|folder| folder.ends_with("deps"));
    let target = deps.and_then(|deps| deps.ancestors().nth(2));
    target.map_or_else(std::env::temp_dir, Path::to_owned).join("host-sim")
}

/// A test that fails as this run did, until what is broken is mended.
///
/// It belongs beside the test that found it – beside `worlds!` if that made it –: it uses what is in scope there.
pub fn generated(site: Site, seed: u64, record: &Record) -> String {
    let Record { rule, title, seen, script, .. } = record;
    let test = site.test();
    let name = site.generated.or_else(|| test.rsplit("::").next()).unwrap_or_default();
    let scenario = if site.scenario.is_empty() { "|_sim| {}" } else { site.scenario };
    let seen: Vec<_> = seen.lines().map(|line| format!("/// {}\n", line.trim())).collect();
    let log: String = script.to_string().lines().map(|line| format!("        {line}\n")).collect();
    format!(
        "/// {rule}: {title}. Shrunk from seed {seed}; seen was:\n\
         ///\n\
         {}\
         #[test]\n\
         fn {name}_seed_{seed}() {{\n    \
             harness::replay_choices!(\n        \
                 r#\"\n{log}        \"#,\n        \
                 {scenario}\n    \
             );\n\
         }}\n",
        seen.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "choices of a simulated host, version 1\n\
                        title: the rest of a reply was lost\n\
                        test: harness planted replies_are_whole\n\
                        rule: test\n\
                        seen: client 3: got half a line\n\n\
                        fault ShortIo at 2s for 1ms target 0\n\
                        net 5: 0*12 3\n";

    #[test]
    fn a_record_is_read_and_written_again() {
        let record: Record = FILE.parse().unwrap();
        assert_eq!(record.to_string(), FILE);
        assert_eq!(record.script.faults.len(), 1);
        let windows = FILE.replace('\n', "\r\n");
        assert_eq!(windows.parse::<Record>(), Ok(record));
    }

    #[test]
    fn what_is_no_record_is_refused_with_what_is_missing() {
        let rows = [
            ("", "expected the first line"),
            ("choices of a simulated host, version 2\n\n", "expected the first line"),
            (&FILE.replace("\n\n", "\n"), "expected an empty line after the head"),
            (&FILE.replace("rule: test\n", ""), "expected a line `rule: …`"),
            (&FILE.replace("ShortIo", "Rain"), "is no line of a choice log"),
        ];
        for (text, expected) in rows {
            let refused = text.parse::<Record>().expect_err(text);
            assert!(refused.contains(expected), "{refused}");
        }
        let refused = Record::read(Path::new("/nowhere/at/all")).expect_err("no file");
        assert!(refused.starts_with("/nowhere/at/all: "), "{refused}");
    }
}
