//! The description of an application: what an author writes, once, for every world.

pub mod fleet;
mod listen;
pub(crate) mod policy;
mod service;

pub(crate) use listen::Listen;
pub use listen::ListenerError;
pub use service::{Connected, Drained, Hosted, Service};

use crate::app::fleet::{Body, Fleet};
use crate::config::HostConfig;
use crate::error::{ConfigError, Error, Mistake, Result, ServiceError};
use crate::fleet::config::Strategy;
use crate::id::FleetId;
use crate::notice::Record;
use crate::record::Recording;
use crate::time::Duration;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// The notifier: is told of the failure that ends the host.
pub(crate) type Notifier = Box<dyn FnMut(&ServiceError)>;
/// Reads what the host tells.
pub(crate) type Listening = Box<dyn FnMut(&Record<'_>)>;

/// An application: its listeners, its services, its settings.
///
/// Plain data until somebody runs it. `run` checks it all at once and names every mistake.
///
/// ```
/// use host_core::{App, Connected, Context, Ready, Result, Service};
///
/// struct Greeter { listener: Option<host_core::Listener> }
///
/// impl Service for Greeter {
///     fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
///         self.listener = Some(cx.listener("greet")?);
///         Ok(Connected::Yes)
///     }
///
///     fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
///         let Some(listener) = &mut self.listener else { return Ok(()) };
///         while let Some(mut client) = listener.accept()? {
///             client.try_write(b"hello\n")?;
///         }
///         Ok(())
///     }
/// }
///
/// let app = App::new("greeter").listen("greet", "127.0.0.1:7000").service(Greeter { listener: None });
/// assert!(app.check().is_ok());
/// ```
pub struct App {
    pub(crate) name: String,
    pub(crate) config: HostConfig,
    pub(crate) seed: Option<u64>,
    pub(crate) record: Option<Recording>,
    pub(crate) pid_file: Option<String>,
    pub(crate) is_daemon: bool,
    pub(crate) logs: LogPaths,
    pub(crate) backlog: u32,
    pub(crate) listens: Vec<Listen>,
    pub(crate) services: Vec<Hosted>,
    pub(crate) fleets: Vec<Fleet>,
    pub(crate) notifier: Option<Notifier>,
    pub(crate) on_notice: Option<Listening>,
}

/// Where a host and its workers write, by path.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogPaths {
    pub(crate) log: Option<String>,
    pub(crate) stdout: Option<String>,
    pub(crate) stderr: Option<String>,
}

impl App {
    /// How many connections a listener queues that nobody has accepted: enough for a burst of a
    /// thousand clients, and below the kernel's own bound (SOMAXCONN, 4096 since Linux 5.4).
    pub const BACKLOG: u32 = 1024;

    /// An application called `name`, without services, with every setting at its default.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            config: HostConfig::default(),
            seed: None,
            record: None,
            pid_file: None,
            is_daemon: false,
            logs: LogPaths::default(),
            backlog: Self::BACKLOG,
            listens: Vec::new(),
            services: Vec::new(),
            fleets: Vec::new(),
            notifier: None,
            on_notice: None,
        }
    }

    /// A listener called `name`, bound before anything else starts, and kept by the host: a
    /// service takes it with [`Context::listener`](crate::driver::Context::listener).
    ///
    /// `address` is an IP address and a port, where port 0 lets the kernel choose one; or `unix:` and the path
    /// of a Unix socket. A socket that an earlier host left behind at that path is replaced, unless
    /// somebody listens there.
    ///
    /// A socket that whoever started this process has passed to it takes the place of the address: systemd with a socket
    /// unit, say (sd_listen_fds(3)). It is found by its name (`FileDescriptorName=`), or, if none has the name of a
    /// listener and there are as many as listeners, by its place. The host binds what nobody passes; a descriptor that
    /// is for nobody is a mistake. What comes while no host runs waits in its queue. A [daemon](Self::daemonize) is
    /// another process than the one that it was passed to, and takes none.
    ///
    /// Workers share its one queue; [`Fleet::listen_spread`] gives each of them a queue of its own.
    #[must_use]
    pub fn listen(mut self, name: impl Into<String>, address: impl ToString) -> Self {
        self.listens.push(Listen::new(name, address));
        self
    }

    /// Adds a service; its callbacks are called in the order of addition.
    #[must_use]
    pub fn service(mut self, service: impl Into<Hosted>) -> Self {
        self.services.push(service.into());
        self
    }

    /// Adds a fleet of workers. Fleets start in the order of addition and drain in reverse order; services
    /// of the application itself run beside them, in the host.
    #[must_use]
    pub fn fleet(mut self, fleet: Fleet) -> Self {
        self.fleets.push(fleet);
        self
    }

    /// Changes each fleet that was added: for tests that want the same application with other times, or with a stand-in
    /// for what its workers do.
    #[must_use]
    pub fn each_fleet(mut self, change: impl FnMut(Fleet) -> Fleet) -> Self {
        self.fleets = self.fleets.into_iter().map(change).collect();
        self
    }

    /// Who else is restarted when a worker dies unasked. Default [`Strategy::OneForOne`].
    #[must_use]
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.config.strategy = strategy;
        self
    }

    /// Reap children that nobody here forked. Default: only as process 1.
    #[must_use]
    pub fn reap_strangers(mut self) -> Self {
        self.config.reap_strangers = true;
        self
    }

    /// How long one turn waits for input at most. Default 5 s; zero never waits, and burns a core.
    #[must_use]
    pub fn poll_period(mut self, period: Duration) -> Self {
        self.config.poll_period = Some(period);
        self
    }

    /// Wait for ever if nothing happens: an idle host makes no wake-ups at all.
    #[must_use]
    pub fn poll_period_off(mut self) -> Self {
        self.config.poll_period = None;
        self
    }

    /// A kick (USR1) ends the host if its last heartbeat is older than this. Default 12 s.
    ///
    /// Must be longer than the poll period, and than the longest callback.
    #[must_use]
    pub fn heartbeat_threshold(mut self, threshold: Duration) -> Self {
        self.config.heartbeat_threshold = threshold;
        self
    }

    /// How long a blocking read or write of a stream waits for its peer. Default 5 s, or half the
    /// heartbeat threshold if that is less.
    #[must_use]
    pub fn io_timeout(mut self, timeout: Duration) -> Self {
        self.config.io_timeout = Some(timeout);
        self
    }

    /// How many times in a row a service may leave a ready socket untouched. Default 16.
    #[must_use]
    pub fn empty_wakes_max(mut self, wakes: u32) -> Self {
        self.config.empty_wakes_max = wakes;
        self
    }

    /// How many times in a row one service is served before the host looks at the others. Default 8.
    #[must_use]
    pub fn burst(mut self, calls: u32) -> Self {
        self.config.burst = calls;
        self
    }

    /// How long a listener rests after descriptors or memory ran out. Default 100 ms.
    #[must_use]
    pub fn accept_pause(mut self, pause: Duration) -> Self {
        self.config.accept_pause = pause;
        self
    }

    /// How long a drain waits for services that have not finished. Default 30 s; in a worker nine tenths of the
    /// drain timeout of its fleet, which is when its host would kill it.
    #[must_use]
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.config.drain_timeout = Some(timeout);
        self
    }

    /// How many connections each listener queues. Default [`App::BACKLOG`].
    #[must_use]
    pub fn backlog(mut self, connections: u32) -> Self {
        self.backlog = connections;
        self
    }

    /// The seed of all jitter; by default the system's randomness.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Records every fact that the host is told and every order that it gives, in the file at this path: so that
    /// what happened can be replayed elsewhere. [`Recording`] has more to choose.
    ///
    /// The host itself is recorded, not the hosts that its workers run. A file that cannot be made is a mistake
    /// like any other; one that cannot be written any more ends the recording, with a notice, and not the host.
    #[must_use]
    pub fn record(mut self, recording: impl Into<Recording>) -> Self {
        self.record = Some(recording.into());
        self
    }

    /// A file with the process number of the host in it, which no two hosts have at once: it is locked, and whoever
    /// finds it locked does not start. It is there before anything is bound or forked, and so says who the
    /// host is and not that it serves. A host that ends removes it; one that is killed leaves it behind,
    /// unlocked, and the next takes it over, whosever number is in it by then.
    ///
    /// A path that is not from the root begins where the host was started. Default: none.
    #[must_use]
    pub fn pid_file(mut self, path: impl Into<String>) -> Self {
        self.pid_file = Some(path.into());
        self
    }

    /// The program that runs the host goes on without it: the host becomes a daemon, in a session of its own and
    /// without a terminal, whose standard input is the null device. The launcher waits until every worker
    /// that is wanted can serve. A host that ends before that, or a fleet whose restart budget is used up, is a
    /// failure to start, and the launcher is told why.
    ///
    /// The working directory and the umask stay as they are. Files that have no path are put into one, called after the
    /// application, in that directory: `name.log`. Default: not.
    #[must_use]
    pub fn daemonize(mut self) -> Self {
        self.is_daemon = true;
        self
    }

    /// Whether it is to be a daemon: for whoever runs it.
    pub fn is_daemon(&self) -> bool {
        self.is_daemon
    }

    /// A file for the log of the host: each notice of [`on_notice`](Self::on_notice) that is no debugging becomes a line at its
    /// end, with the moment, the level and the number of the host. USR1 opens it anew (see
    /// [`stdout`](Self::stdout)). Lines that cannot be written are counted, and how many they were is told as soon as
    /// there is room again; the host goes on. Default: none; of a daemon see [`daemonize`](Self::daemonize).
    #[must_use]
    pub fn log(mut self, path: impl Into<String>) -> Self {
        self.logs.log = Some(path.into());
        self
    }

    /// A file for what the host and its workers print on their standard output, from the moment on at which the
    /// host begins; it is appended to. It may be that of [`stderr`](Self::stderr) or of the [`log`](Self::log), too:
    /// lines that are written in one piece stay whole. `/dev/null` is for what nobody wants.
    ///
    /// USR1 at the host opens all these files anew, there and in each worker, so that they can be renamed before (log rotation):
    /// no line is lost, for what is written meanwhile goes to the renamed file. A file that cannot be opened anew stays
    /// what it is, and that is told. A worker that may not open it, because it has given privileges up, goes on
    /// with the renamed one. USR1 is also the kick: a host that hangs ends.
    ///
    /// A file that cannot be opened at first is a mistake like any other. Default: that of whoever started the
    /// host; of a daemon see [`daemonize`](Self::daemonize).
    #[must_use]
    pub fn stdout(mut self, path: impl Into<String>) -> Self {
        self.logs.stdout = Some(path.into());
        self
    }

    /// The same for standard error.
    #[must_use]
    pub fn stderr(mut self, path: impl Into<String>) -> Self {
        self.logs.stderr = Some(path.into());
        self
    }

    /// Is told, once, of each service that fails. It cannot change what follows.
    #[must_use]
    pub fn notifier(mut self, notifier: impl FnMut(&ServiceError) + 'static) -> Self {
        self.notifier = Some(Box::new(notifier));
        self
    }

    /// Reads what the host tells, beside the log.
    #[must_use]
    pub fn on_notice(mut self, listening: impl FnMut(&Record<'_>) + 'static) -> Self {
        self.on_notice = Some(Box::new(listening));
        self
    }

    /// What the application is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it writes: what was asked for, and of a daemon the file of its own for the rest.
    pub(crate) fn log_paths(&self) -> LogPaths {
        let LogPaths { log, stdout, stderr } = self.logs.clone();
        let own = || self.is_daemon.then(|| format!("{}.log", self.name.replace('/', "-")));
        let log = log.or_else(own);
        let (stdout, stderr) = (stdout.or_else(own), stderr.or_else(own));
        LogPaths { log, stdout, stderr }
    }

    /// Looks for mistakes without starting anything; `run` does so by itself.
    ///
    /// # Errors
    /// Every mistake that can be seen without asking the operating system.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mistakes = self.mistakes();
        if mistakes.is_empty() { Ok(()) } else { Err(ConfigError { mistakes }) }
    }

    pub(crate) fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        mistakes.extend(name_mistake("app", &self.name));
        mistakes.extend(self.config.mistakes());
        if self.backlog == 0 {
            let wanted = "must be at least 1".into();
            mistakes.push(Mistake { field: "backlog".into(), found: "0".into(), wanted });
        }
        mistakes.extend(self.record.iter().flat_map(Recording::mistakes));
        let LogPaths { log, stdout, stderr } = &self.logs;
        for (field, path) in
            [("pid_file", &self.pid_file), ("log", log), ("stdout", stdout), ("stderr", stderr)]
        {
            if let Some(path) = path.as_ref().filter(|path| path.is_empty() || path.contains('\0')) {
                let wanted = "must be the path of a file".into();
                let found = format!("`{}`", path.escape_debug());
                mistakes.push(Mistake { field: field.into(), found, wanted });
            }
        }
        for (field, path) in [("log", log), ("stdout", stdout), ("stderr", stderr)] {
            if *path == self.pid_file && path.as_ref().is_some_and(|path| !path.is_empty()) {
                let found =
                    format!("`{}`, like the pid file", path.as_deref().unwrap_or_default().escape_debug());
                let wanted = "must be a file of its own: a pid file is removed at the end".into();
                mistakes.push(Mistake { field: field.into(), found, wanted });
            }
        }
        for (index, listen) in self.listens.iter().enumerate() {
            mistakes.extend(listen.mistakes(false, self.listens[..index].iter()));
        }
        for (index, hosted) in self.services.iter().enumerate() {
            mistakes.extend(hosted.mistakes(self.services[..index].iter().map(|other| &*other.name)));
        }
        if self.fleets.len() > FleetId::COUNT_MAX {
            let wanted = format!("must be at most {}", FleetId::COUNT_MAX);
            mistakes.push(Mistake {
                field: "number of fleets".into(),
                found: self.fleets.len().to_string(),
                wanted,
            });
        }
        for (index, fleet) in self.fleets.iter().enumerate() {
            let name = &fleet.config.name;
            mistakes.extend(name_mistake("fleet", name));
            if self.fleets[..index].iter().any(|other| other.config.name == *name) {
                mistakes.push(Mistake {
                    field: "fleet".into(),
                    found: format!("`{name}` twice"),
                    wanted: "each needs a name of its own: Fleet::new(name)".into(),
                });
            }
            if matches!(fleet.body, Body::Missing) {
                mistakes.push(Mistake {
                    field: format!("fleet `{}`", name.escape_debug()),
                    found: "without a body".into(),
                    wanted: "needs one: Fleet::run(function) or Fleet::host(function)".into(),
                });
            }
            for (place, listen) in fleet.listens.iter().enumerate() {
                let others = self.fleets[..index].iter().flat_map(|other| &other.listens);
                let taken = self.listens.iter().chain(others).chain(&fleet.listens[..place]);
                mistakes.extend(listen.mistakes(true, taken));
            }
            mistakes.extend(fleet.config.mistakes());
            mistakes.extend(fleet.output_mistake());
        }
        mistakes
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("name", &self.name)
            .field("config", &self.config)
            .field("listens", &self.listens)
            .field("services", &self.services)
            .field("fleets", &self.fleets)
            .finish_non_exhaustive()
    }
}

/// A name stands in log lines and in the last words of a kick: short, and one line.
fn name_mistake(field: &str, name: &str) -> Option<Mistake> {
    const LENGTH_MAX: usize = 64;
    let wrong = name.is_empty() || name.len() > LENGTH_MAX || name.chars().any(char::is_control);
    wrong.then(|| Mistake {
        field: format!("name of {field}"),
        found: format!("`{}`", name.escape_debug()),
        wanted: format!("must have 1 to {LENGTH_MAX} bytes and no control characters"),
    })
}

/// Makes an error out of words, for a service that has no error type of its own.
pub fn error(words: impl Into<String>) -> Error {
    Error::from(words.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::service::tests::Idle;
    use crate::service::reconnect::Reconnect;

    fn mistakes(app: &App) -> Vec<String> {
        app.mistakes().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let app = App::new("")
            .heartbeat_threshold(Duration::from_millis(50))
            .backlog(0)
            .listen("web", "localhost:80")
            .listen("web", "127.0.0.1:0")
            .service(Idle)
            .service(Idle)
            .service(Hosted::new("a\nb", Idle).reconnect(Reconnect::backoff(Duration::ZERO, Duration::ZERO)));
        assert_eq!(
            mistakes(&app),
            [
                "name of app is ``, but must have 1 to 64 bytes and no control characters",
                "heartbeat_threshold is 50 ms, but must be longer than poll_period (5000 ms)",
                "backlog is 0, but must be at least 1",
                "listen `web` is `localhost:80`, but must be an IP address and a port, such as 127.0.0.1:8080 or [::1]:0, or unix: and a path of at most 107 bytes",
                "listen is `web` twice, but each listener needs a name of its own",
                "service is `Idle` twice, but each needs a name of its own: Hosted::new(name, service)",
                "name of service is `a\\nb`, but must have 1 to 64 bytes and no control characters",
                "reconnect of service `a\nb` is 0 ms, but must begin with a delay longer than zero",
            ]
        );
        assert_eq!(app.check().unwrap_err().mistakes.len(), 8);
    }

    #[test]
    fn it_is_a_daemon_if_it_was_told_so() {
        assert!(!App::new("x").is_daemon());
        assert!(App::new("x").daemonize().is_daemon());
    }

    #[test]
    fn a_pid_file_is_no_log() {
        let app = App::new("x").pid_file("/a").log("/a").stdout("/b").stderr("/a");
        let told = |field| {
            format!(
                "{field} is `/a`, like the pid file, but must be a file of its own: a pid file is removed at the end"
            )
        };
        assert_eq!(mistakes(&app), [told("log"), told("stderr")]);
        assert_eq!(mistakes(&App::new("x").log("/a").stdout("/a")), [""; 0]);
    }

    #[test]
    fn names_of_up_to_64_bytes_are_allowed() {
        let name = |length| name_mistake("app", &"x".repeat(length));
        assert!(name(64).is_none());
        assert!(name(65).is_some());
    }

    #[test]
    fn an_app_without_services_is_allowed() {
        assert!(App::new("empty").check().is_ok());
    }

    #[test]
    fn setters_reach_the_settings() {
        let ms = Duration::from_millis;
        let app = App::new("x")
            .poll_period(ms(1))
            .heartbeat_threshold(ms(9))
            .io_timeout(ms(2))
            .empty_wakes_max(3)
            .burst(4)
            .accept_pause(ms(5))
            .drain_timeout(ms(8))
            .backlog(6)
            .strategy(Strategy::RestForOne)
            .reap_strangers()
            .seed(7);
        let expected = HostConfig {
            poll_period: Some(ms(1)),
            heartbeat_threshold: ms(9),
            io_timeout: Some(ms(2)),
            empty_wakes_max: 3,
            burst: 4,
            accept_pause: ms(5),
            drain_timeout: Some(ms(8)),
            fleets: Vec::new(),
            strategy: Strategy::RestForOne,
            reap_strangers: true,
            seed: 0,
        };
        assert_eq!((app.name(), app.backlog, app.seed), ("x", 6, Some(7)));
        assert_eq!(app.config, expected);
        assert_eq!(App::new("x").poll_period_off().config.poll_period, None);
    }

    #[test]
    fn mistakes_of_fleets_are_named_with_all_others() {
        let fleet = |name: &str| Fleet::new(name).run(|_| Ok(()));
        assert_eq!(mistakes(&App::new("x").fleet(fleet("a")).fleet(fleet("b"))), [""; 0]);
        let app = App::new("x")
            .fleet(fleet("a").surge_max(0))
            .fleet(Fleet::new("b"))
            .fleet(fleet("a"))
            .fleet(fleet(""));
        assert_eq!(
            mistakes(&app),
            [
                "surge_max of fleet `a` is 0, but must be at least 1, or nobody could be replaced in advance",
                "fleet `b` is without a body, but needs one: Fleet::run(function) or Fleet::host(function)",
                "fleet is `a` twice, but each needs a name of its own: Fleet::new(name)",
                "name of fleet is ``, but must have 1 to 64 bytes and no control characters",
            ]
        );
    }

    #[test]
    fn a_host_has_no_more_fleets_than_a_poller_key_can_tell_apart() {
        let app = |count: usize| {
            let mut app = App::new("x");
            for number in 0..count {
                app = app.fleet(Fleet::new(number.to_string()).run(|_| Ok(())));
            }
            app
        };
        assert_eq!(mistakes(&app(4096)), [""; 0]);
        assert_eq!(mistakes(&app(4097)), ["number of fleets is 4097, but must be at most 4096"]);
    }

    #[test]
    fn words_are_an_error() {
        assert_eq!(error("words").to_string(), "words");
    }
}
