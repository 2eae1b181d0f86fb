//! The description of a fleet of workers.

use crate::app::policy::Policies;
use crate::app::{App, Listen};
use crate::error::{Mistake, Result};
use crate::fleet::backoff::Backoff;
use crate::fleet::config::{FleetConfig, KillBudget, OnExhausted, Restart, RestartBudget, SoftSignal};
use crate::fleet::memory::MemoryFigure;
use crate::fleet::output::LINES_PER_SECOND;
use crate::fleet::status::FleetStatus;
use crate::id::WorkerId;
use crate::sys::{Account, ExitStatus, Limit, OnHostDeath, Signal};
use crate::time::Duration;
use crate::worker::Worker;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// What a worker does.
#[derive(Clone)]
pub(crate) enum Body {
    /// Nothing yet: it was forgotten.
    Missing,
    /// A loop of the author's own.
    Run(Rc<dyn Fn(&mut Worker) -> Result>),
    /// An event host.
    Host(Rc<dyn Fn(&Worker) -> App>),
}

/// A named fleet of forked workers that all do the same.
///
/// The body is a function that captures nothing it changes: a real worker has a copy of the host's memory as it
/// was at the fork, a simulated one would share it.
pub struct Fleet {
    pub(crate) config: FleetConfig,
    pub(crate) body: Body,
    pub(crate) policies: Policies,
    /// Those that are spread over its workers.
    pub(crate) listens: Vec<Listen>,
    /// How many lines of each worker are told in a second; none if nobody reads what they print.
    pub(crate) output_rate: Option<u32>,
}

impl Fleet {
    /// A fleet called `name`, with every setting at its default; names are unique in a host.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            config: FleetConfig::new(name),
            body: Body::Missing,
            policies: Policies::default(),
            listens: Vec::new(),
            output_rate: None,
        }
    }

    /// What each worker runs: blocking code that calls [`Worker::wanted`] or [`Worker::accept`]. When it returns
    /// without having been asked to, the worker is replaced as after a death.
    #[must_use]
    pub fn run(mut self, body: impl Fn(&mut Worker) -> Result + 'static) -> Self {
        self.body = Body::Run(Rc::new(body));
        self
    }

    /// Each worker runs an event host of services. It has the listeners of the application; its services take
    /// them by name, and their `drain` is called when the worker is asked to quit.
    #[must_use]
    pub fn host(mut self, app: impl Fn(&Worker) -> App + 'static) -> Self {
        self.body = Body::Host(Rc::new(app));
        self
    }

    /// A listener called `name` whose connections the kernel spreads over the workers of this fleet, as they
    /// come (SO_REUSEPORT); workers take it by name, as one of [`App::listen`]. Nobody else has it: no service of the host, no
    /// other fleet. Off unless asked for: a listener that all workers share is the better one for most.
    ///
    /// Behind it are as many sockets as workers are wanted at first, at most 256: the lanes. Each has a queue of its own
    /// (of [`App::backlog`]), and a worker to mind it, so that connections are shared out evenly and no worker is woken for
    /// another's. The price: who is in a lane waits for its worker, although others may be idle – for one
    /// that computes, or that hangs until it is found out. So it is for workers that serve many connections at
    /// once ([`Fleet::host`]), and less for those that serve one after the other.
    ///
    /// No connection in a queue is lost while the host lives: it keeps every socket, and a lane whose worker dies,
    /// drains, is stopped, or is late is minded by another at once. A body that leaves its accept loop
    /// without being asked to keeps its lane waiting until it ends.
    ///
    /// `address` is an IP address and a port, where port 0 lets the kernel choose one: Unix sockets cannot be spread.
    /// Two hosts cannot listen at one address, as always; but another program of the same user that
    /// asks for SO_REUSEPORT can, and gets its share of the connections.
    #[must_use]
    pub fn listen_spread(mut self, name: impl Into<String>, address: impl ToString) -> Self {
        self.listens.push(Listen::new(name, address));
        self.config.spread = true;
        self
    }

    /// What each worker prints, on standard output and standard error, is read by the host and told line by line, with
    /// worker, generation and process number in front: as [`Notice::Output`](crate::notice::Notice::Output), to the log and to
    /// [`App::on_notice`]. Default: workers print where the host does.
    ///
    /// A worker prints as always, and so does a program that it starts; in a simulated run, where `println!`
    /// cannot be seen, with [`Worker::print`]. One that prints faster than the host reads waits a little (of each stream
    /// the kernel holds 64 KiB), and one whose host is gone or that is not its worker any more gets an error
    /// (EPIPE), of which `println!` makes a panic. What the two streams say is told in no particular order of
    /// one to the other. A line longer than 8 KiB comes in pieces.
    ///
    /// When a worker dies what it has printed is told before its death, except what was still in a buffer of its
    /// own; nobody waits for those who may still hold its streams. A worker that is killed leaves the
    /// beginning of a line, and is told so.
    #[must_use]
    pub fn capture_output(mut self) -> Self {
        self.output_rate.get_or_insert(LINES_PER_SECOND);
        self
    }

    /// As [`capture_output`](Self::capture_output), and at most so many lines of each worker are told in a second.
    /// Default 1000. The second begins with a line. What is above is counted and left out up to its end, when one
    /// notice says how much that was. A host that was stopped reads at once what was printed meanwhile.
    #[must_use]
    pub fn output_rate(mut self, lines_per_second: u32) -> Self {
        self.output_rate = Some(lines_per_second);
        self
    }

    /// How many workers. Default: as many as processors that the process may use.
    #[must_use]
    pub fn workers(mut self, count: u32) -> Self {
        self.config.workers = Some(count);
        self
    }

    /// See [`FleetConfig::workers_max`].
    #[must_use]
    pub fn workers_max(mut self, count: u32) -> Self {
        self.config.workers_max = Some(count);
        self
    }

    /// Keeps at least so many workers idle, those counted that boot: more are forked when there are fewer, at most
    /// [`workers_max`](Self::workers_max) altogether. [`workers`](Self::workers) is then how many are wanted at first,
    /// and never are fewer wanted than `count`. Off by default; at least 1.
    ///
    /// A worker is idle that is ready and has no connection in hand: one that it accepted, and has not dropped. What
    /// else it does nobody sees; and one that is stopped, or silent for too long, is not idle.
    ///
    /// As many come at once as are missing, and at each look that finds too few all the same at least twice as many as
    /// before, up to 32 (Apache's prefork). More wait for nobody who rests after a young death, and a degraded fleet does not grow.
    ///
    /// TTIN, TTOU and [`Context::resize`](crate::Context::resize) set how many are wanted *now*, and the load is followed
    /// from there: one more than it calls for goes again, one too few comes back. Whoever wants nobody at all (WINCH,
    /// TTOU down to none, a resize to 0) gets nobody, until TTIN, a second WINCH or a call ends that.
    #[must_use]
    pub fn min_spare(mut self, count: u32) -> Self {
        self.config.spares.min = Some(count);
        self
    }

    /// Keeps at most so many workers idle: when there were more for [`shrink_after`](Self::shrink_after), the oldest
    /// that is idle is asked to quit, and one more at each look until there are no more than `count`. Default: twice
    /// [`min_spare`](Self::min_spare), if that is given. Given alone, one is kept idle at least.
    #[must_use]
    pub fn max_spare(mut self, count: u32) -> Self {
        self.config.spares.max = Some(count);
        self
    }

    /// How often it is counted who is idle. See [`Spares::period`](crate::fleet::spares::Spares::period).
    #[must_use]
    pub fn spare_period(mut self, period: Duration) -> Self {
        self.config.spares.period = period;
        self
    }

    /// See [`Spares::shrink_after`](crate::fleet::spares::Spares::shrink_after).
    #[must_use]
    pub fn shrink_after(mut self, duration: Duration) -> Self {
        self.config.spares.shrink_after = duration;
        self
    }

    /// See [`FleetConfig::boot_timeout`].
    #[must_use]
    pub fn boot_timeout(mut self, timeout: Duration) -> Self {
        self.config.boot_timeout = timeout;
        self
    }

    /// See [`FleetConfig::heartbeat_timeout`].
    #[must_use]
    pub fn heartbeat_timeout(mut self, timeout: Duration) -> Self {
        self.config.heartbeat_timeout = timeout;
        self
    }

    /// See [`FleetConfig::late_warning`].
    #[must_use]
    pub fn late_warning(mut self, after: Duration) -> Self {
        self.config.late_warning = Some(after);
        self
    }

    /// See [`FleetConfig::soft_signal`].
    #[must_use]
    pub fn soft_signal(mut self, signal: Signal, grace: Duration) -> Self {
        self.config.soft_signal = Some(SoftSignal { signal, grace });
        self
    }

    /// See [`FleetConfig::idle_beats`].
    #[must_use]
    pub fn idle_beats(mut self) -> Self {
        self.config.idle_beats = true;
        self
    }

    /// See [`FleetConfig::drain_timeout`].
    #[must_use]
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.config.drain_timeout = timeout;
        self
    }

    /// See [`FleetConfig::term_timeout`].
    #[must_use]
    pub fn term_timeout(mut self, timeout: Duration) -> Self {
        self.config.term_timeout = timeout;
        self
    }

    /// See [`FleetConfig::quit_patience`].
    #[must_use]
    pub fn quit_patience(mut self, patience: Duration) -> Self {
        self.config.quit_patience = patience;
        self
    }

    /// See [`FleetConfig::io_timeout`].
    #[must_use]
    pub fn io_timeout(mut self, timeout: Duration) -> Self {
        self.config.io_timeout = timeout;
        self
    }

    /// See [`FleetConfig::on_host_death`].
    #[must_use]
    pub fn on_host_death(mut self, policy: OnHostDeath) -> Self {
        self.config.on_host_death = policy;
        self
    }

    /// See [`FleetConfig::requests_max`].
    #[must_use]
    pub fn requests_max(mut self, requests: u64) -> Self {
        self.config.requests_max = Some(requests);
        self
    }

    /// See [`FleetConfig::requests_jitter_percent`].
    #[must_use]
    pub fn requests_jitter_percent(mut self, percent: u8) -> Self {
        self.config.requests_jitter_percent = percent;
        self
    }

    /// Asks a function of the author's own, each `each`, how many workers are wanted; it is given the fleet as a look has
    /// just found it. Not beside [`min_spare`](Self::min_spare) and [`max_spare`](Self::max_spare), which decide the same.
    ///
    /// At least 1 and at most [`workers_max`](Self::workers_max) are wanted, whatever it answers, beside slots that stay empty; where fewer are
    /// wanted than before, the oldest that are idle go. What signals and calls mean beside it is said at
    /// [`min_spare`](Self::min_spare). It is called in the host's loop and must not block. If it panics that is told, and nothing
    /// changes; what it answers is recorded, so that a recording is decided again without it.
    ///
    /// ```
    /// use host_core::{App, Fleet};
    /// use std::time::Duration;
    ///
    /// // One worker for each eight connections, and one more.
    /// let fleet = Fleet::new("web").workers(1).workers_max(16).run(|_| Ok(())).scale_by(
    ///     Duration::from_secs(5),
    ///     |fleet| {
    ///         let connections: u64 = fleet.workers.iter().map(|worker| worker.connections).sum();
    ///         connections.div_ceil(8) as u32 + 1
    ///     },
    /// );
    /// assert!(App::new("web").fleet(fleet).check().is_ok());
    /// ```
    #[must_use]
    pub fn scale_by(mut self, each: Duration, policy: impl Fn(&FleetStatus) -> u32 + 'static) -> Self {
        self.config.scale_each = Some(each);
        self.policies.scale = Some(Rc::new(policy));
        self
    }

    /// Asks a function of the author's own, of each worker that has ended, whether it gets a successor, in the place of
    /// [`restart`](Self::restart) and [`restart_on`](Self::restart_on). It is given the fleet as it was before. What it answers
    /// matters only for one that nobody had asked to end; and of one that was killed for hanging only whether it is
    /// [`Restart::Never`]. Backoff and budget hold all the same.
    ///
    /// It is called in the host's loop and must not block. If it panics that is told, and the settings decide; what it answers is
    /// recorded, so that a recording is decided again without it. What the host hears at the same moment – another death, a
    /// signal that makes the fleet smaller – is not in the snapshot yet.
    ///
    /// ```
    /// use host_core::fleet::config::Restart;
    /// use host_core::sys::ExitStatus;
    /// use host_core::{App, Fleet};
    ///
    /// // Who cannot read its settings will not be able to the next time; but somebody is to be left.
    /// let fleet = Fleet::new("web").workers(4).run(|_| Ok(())).on_exit(|fleet, _, status| {
    ///     if status == ExitStatus::Code(78) && fleet.ready() > 1 { Restart::Never } else { Restart::Permanent }
    /// });
    /// assert!(App::new("web").fleet(fleet).check().is_ok());
    /// ```
    #[must_use]
    pub fn on_exit(
        mut self,
        policy: impl Fn(&FleetStatus, WorkerId, ExitStatus) -> Restart + 'static,
    ) -> Self {
        self.policies.on_exit = Some(Rc::new(policy));
        self
    }

    /// Replaces a worker that has more than so many bytes of memory, its replacement first, as one that has served its
    /// [`requests_max`](Self::requests_max): no more of them at once than [`surge_max`](Self::surge_max), and nobody
    /// while somebody else is missing. It is looked at each [`memory_period`](Self::memory_period), and what a worker
    /// has between two looks nobody bounds: that is for control groups, or setrlimit(2) in its body. Default: not.
    ///
    /// A worker that has more than that as soon as it is ready is replaced at each look: let there be room.
    #[must_use]
    pub fn memory_max(mut self, bytes: u64) -> Self {
        self.config.memory.max = Some(bytes);
        self
    }

    /// Which figure [`memory_max`](Self::memory_max) bounds. Default [`MemoryFigure::Rss`].
    #[must_use]
    pub fn memory_figure(mut self, figure: MemoryFigure) -> Self {
        self.config.memory.figure = figure;
        self
    }

    /// How often the memory of workers is looked at, if there is a bound. Default 10 s.
    #[must_use]
    pub fn memory_period(mut self, period: Duration) -> Self {
        self.config.memory.period = period;
        self
    }

    /// See [`FleetConfig::surge_max`].
    #[must_use]
    pub fn surge_max(mut self, workers: u32) -> Self {
        self.config.surge_max = workers;
        self
    }

    /// See [`FleetConfig::backoff`].
    #[must_use]
    pub fn backoff(mut self, first: Duration, max: Duration) -> Self {
        self.config.backoff = Backoff { first, max };
        self
    }

    /// See [`FleetConfig::stable_after`].
    #[must_use]
    pub fn stable_after(mut self, age: Duration) -> Self {
        self.config.stable_after = age;
        self
    }

    /// See [`FleetConfig::restart_budget`].
    #[must_use]
    pub fn restart_budget(mut self, count: u32, window: Duration) -> Self {
        self.config.restart_budget = Some(RestartBudget { count, window });
        self
    }

    /// See [`FleetConfig::on_exhausted`].
    #[must_use]
    pub fn on_exhausted(mut self, what: OnExhausted) -> Self {
        self.config.on_exhausted = what;
        self
    }

    /// See [`FleetConfig::degraded_retry`].
    #[must_use]
    pub fn degraded_retry(mut self, each: Duration) -> Self {
        self.config.degraded_retry = each;
        self
    }

    /// See [`FleetConfig::kill_budget`].
    #[must_use]
    pub fn kill_budget(mut self, percent: u8, window: Duration) -> Self {
        self.config.kill_budget = Some(KillBudget { percent, window });
        self
    }

    /// See [`FleetConfig::restart`].
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.config.restart = restart;
        self
    }

    /// See [`FleetConfig::restart_by_status`].
    #[must_use]
    pub fn restart_on(mut self, status: u8, restart: Restart) -> Self {
        self.config.restart_by_status.push((status, restart));
        self
    }

    /// See [`FleetConfig::deaths_kept`].
    #[must_use]
    pub fn deaths_kept(mut self, deaths: u32) -> Self {
        self.config.deaths_kept = deaths;
        self
    }

    // Privileges and limits. The host keeps its own, binds all listeners with them – ports below 1024, too –, and
    // opens recording and pid file.

    /// The user that workers become, by name or number, with its groups. Default: that of the host.
    ///
    /// Such a worker has no capabilities left, may not be traced by others of that user, and leaves no core unless
    /// [`Limit::Core`] is set; what it opens by `/proc/self` belongs to root (PR_SET_DUMPABLE, prctl(2)). Names are
    /// looked up once, when the host starts. A number that is in no database needs a [`group`](Self::group).
    #[must_use]
    pub fn user(mut self, user: impl Into<Account>) -> Self {
        self.config.privileges.user = Some(user.into());
        self
    }

    /// The group of workers, by name or number. Default: the first one of [`user`](Self::user), or that of the host.
    #[must_use]
    pub fn group(mut self, group: impl Into<Account>) -> Self {
        self.config.privileges.group = Some(group.into());
        self
    }

    /// The supplementary groups of workers, these and no others. Default: those that [`user`](Self::user) is in
    /// (initgroups(3)), or those of the host if there is none.
    #[must_use]
    pub fn supplementary_groups(mut self, groups: impl IntoIterator<Item: Into<Account>>) -> Self {
        self.config.privileges.supplementary_groups = Some(groups.into_iter().map(Into::into).collect());
        self
    }

    /// What is taken from the mode of files that workers make (umask(2)), such as `0o027`. Default: that of the host.
    #[must_use]
    pub fn umask(mut self, mask: u32) -> Self {
        self.config.privileges.umask = Some(mask);
        self
    }

    /// Where relative paths of workers begin; inside [`chroot`](Self::chroot), if there is one. Default: where the host
    /// is, or the new root.
    #[must_use]
    pub fn working_directory(mut self, path: impl Into<String>) -> Self {
        self.config.privileges.working_directory = Some(path.into());
        self
    }

    /// The directory that is `/` to workers (chroot(2)). It needs CAP_SYS_CHROOT, and confines only with a
    /// [`user`](Self::user) who is not root. What the host has opened stays open. Default: the host's root.
    #[must_use]
    pub fn chroot(mut self, path: impl Into<String>) -> Self {
        self.config.privileges.chroot = Some(path.into());
        self
    }

    /// How much of a resource each worker may use (setrlimit(2)), and may raise it no more; `u64::MAX` is no limit. More
    /// than the host's own hard limit needs CAP_SYS_RESOURCE. Default: the host's limits.
    #[must_use]
    pub fn limit(mut self, limit: Limit, most: u64) -> Self {
        self.config.privileges.limits.push((limit, most));
        self
    }

    /// How nice workers are to others: -20, first served, to 19. Less than the host's needs CAP_SYS_NICE. Default: as nice
    /// as the host.
    #[must_use]
    pub fn nice(mut self, nice: i32) -> Self {
        self.config.privileges.nice = Some(nice);
        self
    }

    /// No program that a worker runs gives it more privileges, by set-user-id or file capabilities
    /// (PR_SET_NO_NEW_PRIVS). Default: they do.
    #[must_use]
    pub fn no_new_privs(mut self) -> Self {
        self.config.privileges.no_new_privs = true;
        self
    }
}

impl Fleet {
    /// All that is wrong with it beside its settings and its listeners.
    pub(crate) fn output_mistake(&self) -> Option<Mistake> {
        (self.output_rate == Some(0)).then(|| Mistake {
            field: format!("output_rate of fleet `{}`", self.config.name.escape_debug()),
            found: "0".into(),
            wanted:
                "must be at least 1 line a second; without capture_output workers print where the host does"
                    .into(),
        })
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").field("config", &self.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::memory::MemoryBound;
    use crate::fleet::privileges::Privileges;
    use crate::fleet::spares::Spares;

    #[test]
    fn setters_reach_the_settings() {
        let ms = Duration::from_millis;
        let fleet = Fleet::new("x")
            .workers(1)
            .workers_max(2)
            .boot_timeout(ms(3))
            .heartbeat_timeout(ms(4))
            .late_warning(ms(5))
            .soft_signal(Signal::Abrt, ms(6))
            .idle_beats()
            .drain_timeout(ms(7))
            .term_timeout(ms(8))
            .quit_patience(ms(9))
            .io_timeout(ms(10))
            .on_host_death(OnHostDeath::Drain)
            .requests_max(11)
            .requests_jitter_percent(12)
            .surge_max(13)
            .backoff(ms(14), ms(15))
            .stable_after(ms(16))
            .restart_budget(17, ms(18))
            .on_exhausted(OnExhausted::StopHost)
            .degraded_retry(ms(19))
            .kill_budget(20, ms(21))
            .restart(Restart::Transient)
            .restart_on(22, Restart::Never)
            .restart_on(23, Restart::Permanent)
            .deaths_kept(24)
            .min_spare(25)
            .max_spare(26)
            .spare_period(ms(27))
            .shrink_after(ms(28))
            .memory_max(29)
            .memory_figure(MemoryFigure::Pss)
            .memory_period(ms(30))
            .scale_by(ms(31), |_| 1)
            .listen_spread("web", "127.0.0.1:80")
            .user("www")
            .group(25)
            .supplementary_groups(["26", "audio"])
            .umask(0o27)
            .working_directory("/w")
            .chroot("/r")
            .limit(Limit::OpenFiles, 28)
            .limit(Limit::Core, u64::MAX)
            .nice(-19)
            .no_new_privs();
        let expected = FleetConfig {
            name: "x".into(),
            workers: Some(1),
            workers_max: Some(2),
            boot_timeout: ms(3),
            heartbeat_timeout: ms(4),
            late_warning: Some(ms(5)),
            soft_signal: Some(SoftSignal { signal: Signal::Abrt, grace: ms(6) }),
            idle_beats: true,
            drain_timeout: ms(7),
            term_timeout: ms(8),
            quit_patience: ms(9),
            io_timeout: ms(10),
            on_host_death: OnHostDeath::Drain,
            requests_max: Some(11),
            requests_jitter_percent: 12,
            surge_max: 13,
            backoff: Backoff { first: ms(14), max: ms(15) },
            stable_after: ms(16),
            restart_budget: Some(RestartBudget { count: 17, window: ms(18) }),
            on_exhausted: OnExhausted::StopHost,
            degraded_retry: ms(19),
            kill_budget: Some(KillBudget { percent: 20, window: ms(21) }),
            restart: Restart::Transient,
            restart_by_status: [(22, Restart::Never), (23, Restart::Permanent)].into(),
            deaths_kept: 24,
            spread: true,
            spares: Spares { min: Some(25), max: Some(26), period: ms(27), shrink_after: ms(28) },
            privileges: Privileges {
                user: Some(Account::Name("www".into())),
                group: Some(Account::Number(25)),
                supplementary_groups: Some([Account::Number(26), Account::Name("audio".into())].into()),
                umask: Some(0o27),
                working_directory: Some("/w".into()),
                chroot: Some("/r".into()),
                limits: [(Limit::OpenFiles, 28), (Limit::Core, u64::MAX)].into(),
                nice: Some(-19),
                no_new_privs: true,
            },
            memory: MemoryBound { max: Some(29), figure: MemoryFigure::Pss, period: ms(30) },
            scale_each: Some(ms(31)),
        };
        assert_eq!(fleet.config, expected);
        assert!(format!("{fleet:?}").contains("FleetConfig"));
    }

    #[test]
    fn output_is_captured_at_a_rate_that_may_be_said_before_or_after() {
        let rate = |fleet: Fleet| fleet.output_rate;
        assert_eq!(rate(Fleet::new("x")), None);
        assert_eq!(rate(Fleet::new("x").capture_output()), Some(1000));
        assert_eq!(rate(Fleet::new("x").output_rate(7)), Some(7));
        assert_eq!(rate(Fleet::new("x").output_rate(7).capture_output()), Some(7));
        assert_eq!(rate(Fleet::new("x").capture_output().output_rate(7)), Some(7));
        let error = App::new("a").fleet(Fleet::new("x").run(|_| Ok(())).output_rate(0)).check().unwrap_err();
        let words = "output_rate of fleet `x` is 0, but must be at least 1 line a second";
        assert!(error.to_string().contains(words), "{error}");
    }

    #[test]
    fn the_body_that_was_given_last_is_the_one_that_runs() {
        assert!(matches!(Fleet::new("x").body, Body::Missing));
        assert!(matches!(Fleet::new("x").run(|_| Ok(())).body, Body::Run(_)));
        let hosting = Fleet::new("x").run(|_| Ok(())).host(|_| App::new("in a worker"));
        assert!(matches!(hosting.body, Body::Host(_)));
    }
}
