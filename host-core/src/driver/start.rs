//! How the loop begins: everything that it needs is made ready, or nothing of it stays behind.

use super::logs::Logs;
use super::recorder::Recorder;
use super::workers::Children;
use super::{CHANNEL_KEY, Driver, NamedListener, QUIT_KEY, Shared, Until, listeners, signals};
use crate::app::{App, LogPaths};
use crate::config::HostConfig;
use crate::error::{ConfigError, Mistake, RunError};
use crate::event::Event;
use crate::host::Host;
use crate::io::registry::Registry;
use crate::manager::Manager;
use crate::notice::Notice;
use crate::record::{Begin, Recording};
use crate::sys::{Fact, Handle, Interest, PidFileError, Place, Sys};
use crate::worker::Link;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

impl Driver {
    pub(super) fn start(mut app: App, sys: Rc<dyn Sys>, until: Until) -> Result<Self, RunError> {
        let mut config = app.config.clone();
        let mut mistakes = app.mistakes();
        if let (Until::Turns(turns), Some(fleet)) = (until, app.fleets.first()) {
            mistakes.push(Mistake {
                field: format!("fleet `{}`", fleet.config.name),
                found: format!("in a run of {turns} turns"),
                wanted: "needs the signals of the process, which such a run leaves alone".into(),
            });
        }
        config.reap_strangers |= sys.pid().0 == 1;
        let taken = match (app.fleets.is_empty(), config.reap_strangers) {
            (false, _) => signals::FLEET_SIGNALS,
            (true, true) => signals::REAPING_SIGNALS,
            (true, false) => signals::SIGNALS,
        };
        // The signals first: until then USR1 ends the process by default, and so would a kick.
        let signals = match until {
            Until::Stopped if mistakes.is_empty() => {
                Some(signals::arm(&*sys, config.heartbeat_threshold, taken)?)
            }
            Until::Stopped | Until::Turns(_) => None,
        };
        // Whoever runs already has the ports as well, and this says who that is.
        let pid_file = take_pid_file(app.pid_file.take(), &*sys, &mut mistakes);
        let mut listeners = listeners::bind(&app, &sys.passed(), &*sys, &mut mistakes);
        let mut fleets = core::mem::take(&mut app.fleets);
        listeners.extend(listeners::bind_spread(&mut fleets, app.backlog, &*sys, &mut mistakes));
        let children = Children::prepare(fleets, &*sys, &mut mistakes);
        let record = create(app.record.take(), &*sys, &mut mistakes);
        let logs = Logs::open(app.log_paths(), signals.is_some(), &sys, &mut mistakes);
        let begun = if mistakes.is_empty() && children.is_ok() { logs.begin() } else { Ok(()) };
        if !mistakes.is_empty() || children.is_err() || begun.is_err() {
            for file in record.map(|(_, file)| file).into_iter().chain(pid_file) {
                sys.close(file);
            }
            logs.close();
            listeners::close(&*sys, &listeners);
            signals::disarm(&*sys, signals);
            children?;
            begun?;
            return Err(ConfigError { mistakes }.into());
        }
        let children = children?;
        config.fleets = children.configs();
        let turns_max = match until {
            Until::Stopped => None,
            Until::Turns(turns) => Some(turns),
        };
        let (inherited, work) = (Vec::new(), None);
        let bound = listeners;
        let files = Files { record, pid_file, logs };
        Ok(Prepared { app, sys, config, inherited, bound, children, signals, files, work, turns_max }.begin())
    }

    pub(super) fn start_in_worker(
        app: App,
        sys: Rc<dyn Sys>,
        link: Rc<Link>,
        inherited: &[NamedListener],
    ) -> Result<Self, RunError> {
        let mut config = app.config.clone();
        config.drain_timeout.get_or_insert_with(|| link.config.hosted_drain_timeout());
        let mut mistakes = app.mistakes();
        let LogPaths { log, stdout, stderr } = &app.log_paths();
        for (field, path, wanted) in [
            (
                "pid_file",
                &app.pid_file,
                "is for the host: workers have none, and their numbers are told with their births",
            ),
            ("log", log, "is for the host: what its workers tell, they print"),
            ("stdout", stdout, "is for the host: its workers print where it does"),
            ("stderr", stderr, "is for the host: its workers print where it does"),
        ] {
            if let Some(path) = path {
                let found = format!("`{}`", path.escape_debug());
                mistakes.push(Mistake { field: field.into(), found, wanted: wanted.into() });
            }
        }
        let bound = listeners::bind(&app, &[], &*sys, &mut mistakes);
        let logs = Logs::open(LogPaths::default(), false, &sys, &mut mistakes);
        if !mistakes.is_empty() {
            return Err(ConfigError { mistakes }.into());
        }
        // What ends a worker: that it is asked to quit, and the end of its host.
        for (handle, key) in [(link.quit, QUIT_KEY), (link.channel, CHANNEL_KEY)] {
            sys.poll_add(handle, key, Interest::READ)
                .map_err(|errno| RunError::System { call: "epoll_ctl", errno })?;
        }
        Ok(Prepared {
            app,
            sys,
            config,
            inherited: inherited.to_vec(),
            bound,
            children: Children::default(),
            signals: None,
            files: Files { record: None, pid_file: None, logs },
            work: Some(link),
            turns_max: None,
        }
        .begin())
    }
}

/// What a host has on the disk.
struct Files {
    record: Option<(Recording, Handle)>,
    pid_file: Option<Handle>,
    logs: Logs,
}

/// The parts of a loop, each made ready.
struct Prepared {
    app: App,
    sys: Rc<dyn Sys>,
    config: HostConfig,
    /// Of a worker: its host's listeners, which were told of already.
    inherited: Vec<NamedListener>,
    bound: Vec<NamedListener>,
    children: Children,
    signals: Option<Handle>,
    files: Files,
    work: Option<Rc<Link>>,
    turns_max: Option<u64>,
}

impl Prepared {
    /// Puts them together, and tells the host that it has started.
    fn begin(self) -> Driver {
        let Self { app, sys, mut config, inherited, bound, children, signals, files, work, turns_max } = self;
        let Files { record, pid_file, logs } = files;
        config.seed = app.seed.unwrap_or_else(|| sys.random());
        let patience = config.io_patience();
        let random = crate::random::Random::new(!config.seed);
        let witnesses = sys.witnesses();
        if witnesses {
            sys.witness(Fact::Begin(&config));
        }
        let recorder = record.map(|(recording, file)| {
            let version = env!("CARGO_PKG_VERSION").into();
            let begin =
                Begin { config: config.clone(), app: app.name, version, pid: sys.pid(), wall: sys.wall() };
            Recorder::begin(Rc::clone(&sys), file, &recording, &begin)
        });
        // A worker's host has one that is told otherwise: its own.
        let wants = if work.is_none() { sys.manager() } else { None };
        let manager = wants.map(Manager::new);
        let news = inherited.len();
        let shared = Shared {
            registry: Registry::new(Rc::clone(&sys), patience, work.clone()),
            random,
            now: sys.now(),
            listeners: inherited.into_iter().chain(bound).collect(),
            names: Vec::new(),
            added: Vec::new(),
            host: Host::new(config),
            recorder,
            work,
            sys,
        };
        let mut driver = Driver {
            witnesses,
            wants_dispatches: shared.sys.wants_dispatches(),
            children,
            services: Vec::new(),
            signals,
            pid_file,
            logs,
            manager,
            notifier: app.notifier,
            on_notice: app.on_notice,
            cause: None,
            failure: None,
            ending: None,
            events: Vec::new(),
            shared,
        };
        if let Some(header) = driver.logs.header() {
            driver.tell(None, None, None, &header);
        }
        for index in news..driver.shared.listeners.len() {
            let notice = match driver.shared.listeners[index].place {
                Place::Ip(address) => Notice::Listening { address },
                Place::Unix(path) => Notice::ListeningAt { path },
            };
            let name = driver.shared.listeners[index].name.clone();
            driver.tell(Some(&name), None, None, &notice);
        }
        for hosted in app.services {
            driver.shared.add(hosted);
        }
        driver.shared.registry.tell(Event::Started { turns_max });
        driver
    }
}

/// Makes the file of a recording; one that cannot be made is a mistake like any other.
fn create(
    recording: Option<Recording>,
    sys: &dyn Sys,
    mistakes: &mut Vec<Mistake>,
) -> Option<(Recording, Handle)> {
    let recording = recording.filter(|recording| recording.mistakes().is_empty())?;
    match sys.record_create(recording.path()) {
        Ok(file) => Some((recording, file)),
        Err(errno) => {
            mistakes.push(Mistake {
                field: "record".into(),
                found: format!("`{}`", recording.path().escape_debug()),
                wanted: format!("cannot be created: {errno}"),
            });
            None
        }
    }
}

/// Takes the pid file; one that cannot be had is a mistake like any other.
fn take_pid_file(path: Option<String>, sys: &dyn Sys, mistakes: &mut Vec<Mistake>) -> Option<Handle> {
    // What else is wrong is told without touching that of another.
    let path = path.filter(|_| mistakes.is_empty())?;
    match sys.pid_file(&path) {
        Ok(file) => Some(file),
        Err(error) => {
            let wanted = match error {
                PidFileError::Taken { .. } | PidFileError::Foreign => error.to_string(),
                PidFileError::System { .. } => format!("cannot be made: {error}"),
            };
            let found = format!("`{}`", path.escape_debug());
            mistakes.push(Mistake { field: "pid_file".into(), found, wanted });
            None
        }
    }
}
