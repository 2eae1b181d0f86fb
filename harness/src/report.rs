//! What a failing run leaves behind: a page to look at, a trace for other tools, and a story for the terminal.
//!
//! A run is the same whether it is told or not, so that normal runs keep next to nothing: one that failed is run
//! again, and told.
//!
//! Environment:
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `HOST_REPORT` | `failing`: a run that fails leaves files; `always`: so does one that passes, if it is the only one; `never` | `failing` |
//! | `HOST_ARTIFACTS` | the directory that the files are written to | `host-sim` in cargo's target directory |

mod chrome;
mod files;
mod html;
mod json;
mod model;
mod terminal;
#[cfg(test)]
mod tests;

use crate::check::{Engine, Report, Site, attempt};
use files::Files;
use host_sim::{Choices, Pool, Sim, Violation};
use model::{Head, Model};
use std::fmt;
use std::path::PathBuf;

/// What was left of a run beside its report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The end of the story, with a column a process; empty if they are too many for a terminal.
    pub columns: Vec<String>,
    /// The page, which needs no network.
    pub page: Option<PathBuf>,
    /// The same for Perfetto and chrome://tracing.
    pub trace: Option<PathBuf>,
    /// Why there are no files, if they could not be written.
    pub trouble: Option<String>,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { page, trace, trouble, .. } = self;
        let told = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        if let Some(page) = told(page) {
            writeln!(f, "  page: {page} (open it in a browser)")?;
        }
        if let Some(trace) = told(trace) {
            writeln!(f, "  trace: {trace} (for ui.perfetto.dev or chrome://tracing)")?;
        }
        if let Some(trouble) = trouble {
            writeln!(f, "  no files of this run: {trouble}")?;
        }
        Ok(())
    }
}

/// Which runs leave files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Failing,
    Always,
    Never,
}

impl When {
    /// As `HOST_REPORT` says.
    ///
    /// # Panics
    /// If it is none of its values.
    pub(crate) fn from_env() -> Self {
        let value = std::env::var("HOST_REPORT").ok();
        Self::from_variable(value.as_deref()).unwrap_or_else(|mistake| panic!("{mistake}"))
    }

    fn from_variable(value: Option<&str>) -> Result<Self, String> {
        match value {
            None | Some("failing") => Ok(Self::Failing),
            Some("always") => Ok(Self::Always),
            Some("never") => Ok(Self::Never),
            Some(other) => {
                Err(format!("HOST_REPORT is `{other}`, but must be `failing`, `always` or `never`"))
            }
        }
    }
}

/// Runs what failed with these choices once more, and tells it; unless nobody wants that.
pub(crate) fn of_failure(
    when: When,
    site: Site,
    choices: Choices,
    report: &Report,
    scenario: &impl Fn(&mut Sim),
) -> Option<Explained> {
    (when != When::Never).then(|| tell(site, choices, Some(report), scenario))
}

/// Tells a single run that passed with these choices, if that was asked for.
pub(crate) fn of_success(when: When, site: Site, choices: Choices, scenario: &impl Fn(&mut Sim)) {
    if when == When::Always {
        let explained = tell(site, choices, None, scenario);
        crate::check::let_know(explained.to_string().trim_end());
    }
}

fn tell(site: Site, choices: Choices, report: Option<&Report>, scenario: &impl Fn(&mut Sim)) -> Explained {
    let mut sim = Sim::with_story(choices, &Pool::default());
    let broken = attempt(&mut sim, scenario).err();
    let model = model_of(site, &sim, report, broken);
    let columns = terminal::columns(&model).unwrap_or_default();
    match Files::of(site, model.head.seed, report.map(|report| report.replay.as_str()))
        .and_then(|files| files.write(&model))
    {
        Ok(Files { page, trace }) => {
            Explained { columns, page: Some(page), trace: Some(trace), trouble: None }
        }
        Err(trouble) => Explained { columns, page: None, trace: None, trouble: Some(trouble) },
    }
}

fn model_of(site: Site, sim: &Sim, report: Option<&Report>, broken: Option<Violation>) -> Model {
    let replay = report.map(|report| report.replay.clone());
    let hash = report.map_or_else(|| sim.hash(), |report| report.hash);
    let head = Head {
        test: format!("{} {}", site.package, site.test()),
        seed: sim.seed(),
        hash,
        plan: sim.plan(),
        state: report.map_or_else(|| sim.end_state(""), |report| report.state.clone()),
        replay: replay.unwrap_or_else(|| site.replay_line(&Engine::Random, sim.seed(), false)),
        broken: report.map(|report| report.violation.clone()).or(broken),
        other_hash: Some(sim.hash()).filter(|told| *told != hash),
    };
    Model::of(&sim.story().expect("it was made with one"), head)
}
