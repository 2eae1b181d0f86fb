//! Where the files of a run go.

use super::model::Model;
use super::{chrome, html};
use crate::check::Site;
use std::path::{Path, PathBuf};

/// The two files of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) page: PathBuf,
    pub(super) trace: PathBuf,
}

impl Files {
    /// The same seed of the same test has the same names, so that a replay overwrites what it repeats; the small run
    /// that was made of a seed, which `replay` tells, has others.
    pub(super) fn of(site: Site, seed: u64, replay: Option<&str>) -> Result<Self, String> {
        let chosen = std::env::var_os("HOST_ARTIFACTS").filter(|chosen| !chosen.is_empty());
        let program = std::env::current_exe().map_err(|error| format!("where this program is: {error}"))?;
        let directory = directory(chosen.map(PathBuf::from), &program);
        let stem = stem(site, &run(seed, replay));
        Ok(Self {
            page: directory.join(format!("{stem}.html")),
            trace: directory.join(format!("{stem}.trace.json")),
        })
    }

    pub(super) fn write(self, model: &Model) -> Result<Self, String> {
        let refused = |path: &Path| {
            let path = path.display().to_string();
            move |error: std::io::Error| format!("{path}: {error}")
        };
        if let Some(directory) = self.page.parent() {
            std::fs::create_dir_all(directory).map_err(refused(directory))?;
        }
        std::fs::write(&self.page, html::page(model)).map_err(refused(&self.page))?;
        std::fs::write(&self.trace, chrome::trace(model)).map_err(refused(&self.trace))?;
        Ok(self)
    }
}

/// Cargo puts a test into `deps` of a profile's directory in the target directory; a documentation test
/// somewhere temporary.
fn directory(chosen: Option<PathBuf>, program: &Path) -> PathBuf {
    let profile = || program.ancestors().find(|place| place.ends_with("deps"))?.parent()?.parent();
    let target = || profile().map_or_else(std::env::temp_dir, Path::to_owned);
    chosen.unwrap_or_else(|| target().join("host-sim"))
}

/// Which run it was: `seed-7`, or `seed-7.small` if it was replayed from `HOST_CHOICES=….test-7.choices`.
fn run(seed: u64, replay: Option<&str>) -> String {
    let choices = replay.and_then(|replay| replay.strip_prefix("HOST_CHOICES="));
    let path = choices.and_then(|choices| choices.split_once(".choices").map(|(path, _)| path));
    match path {
        Some(path) => format!("seed-{}.small", path.rsplit(['-', '/']).next().unwrap_or_default()),
        None => format!("seed-{seed}"),
    }
}

/// A file's name without its ending: nothing in it has a meaning to a shell or a file system.
fn stem(site: Site, run: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || c == '_' || c == '-' { c } else { '.' };
    // Several targets of a package may have a test of a name.
    let target = site.module.split("::").next().unwrap_or_default();
    let test = site.test().replace("::", ".");
    format!("{}.{target}.{test}.{run}", site.package).chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_beside_the_profiles_of_cargo_or_where_one_says() {
        let program = Path::new("/home/me/target/debug/deps/fleet-0123");
        assert_eq!(directory(None, program), Path::new("/home/me/target/host-sim"));
        assert_eq!(directory(Some("/tmp/here".into()), program), Path::new("/tmp/here"));
        assert_eq!(
            directory(None, Path::new("/elsewhere/rust_out")),
            std::env::temp_dir().join("host-sim"),
            "no target directory is known"
        );
    }

    #[test]
    fn a_name_has_target_test_and_seed_and_nothing_special() {
        let site = Site {
            package: "my-app",
            module: "whole::web",
            function: "whole::web::a reply/is_ok::{{closure}}::Here",
            integration: true,
            binary: None,
            scenario: "",
            generated: None,
        };
        assert_eq!(stem(site, &run(7, None)), "my-app.whole.web.a.reply.is_ok.seed-7");
        let replay = "HOST_SEED=7 cargo test -p my-app";
        assert_eq!(stem(site, &run(7, Some(replay))), "my-app.whole.web.a.reply.is_ok.seed-7");
        // What is replayed from choices has no seed of its own.
        let replay = "HOST_CHOICES='/my dir/web.is_ok-42.choices' cargo test -p my-app";
        assert_eq!(stem(site, &run(0, Some(replay))), "my-app.whole.web.a.reply.is_ok.seed-42.small");
    }
}
