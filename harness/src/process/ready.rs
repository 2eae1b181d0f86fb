//! Readiness by what a program does in the world: a port that accepts, a file that appears, a notification.

use super::clock::Stopwatch;
use super::expect::{Expect, Unmet};
use super::files::Watch;
use super::handle::is_any_ready;
use super::pattern::{Captures, Pattern};
use super::shared::LOOK_AGAIN;
use rustix::event::{PollFd, PollFlags};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

/// How long until a port is tried again that refuses: nobody is told when somebody begins to listen.
const TRY_AGAIN: Duration = Duration::from_millis(5);

/// How long one try may take at an address that does not answer.
const TRY: Duration = Duration::from_secs(1);

impl Expect<'_> {
    /// A port that accepts connections; one is made, and closed without a word. It is tried after each event and
    /// every 5 ms.
    #[track_caller]
    pub fn port(self, address: impl ToSocketAddrs + std::fmt::Debug) {
        let wanted = format!("{address:?} accepts connections");
        let addresses: Vec<SocketAddr> = match address.to_socket_addrs() {
            Ok(addresses) => addresses.collect(),
            Err(error) => self.fail(Unmet { wanted, seen: format!("that is no address: {error}") }),
        };
        let watch = Stopwatch::start();
        loop {
            let left = watch.left_of(self.bound);
            let tries = addresses
                .iter()
                .map(|address| TcpStream::connect_timeout(address, left.clamp(TRY_AGAIN, TRY)));
            let mut refusals = Vec::new();
            for answer in tries {
                match answer {
                    Ok(_) => return self.met(()),
                    Err(error) => refusals.push(error.to_string()),
                }
            }
            let refused = refusals.join(", ");
            if self.is_everybody_gone() {
                self.fail(Unmet {
                    wanted,
                    seen: format!("nobody is left of the tree; the last try: {refused}"),
                });
            }
            if left.is_zero() {
                let seen = format!("not within {:?}; the last try: {refused}", self.bound);
                self.fail(Unmet { wanted, seen });
            }
            self.process.shared.wait_for_anything(left.min(TRY_AGAIN));
        }
    }

    /// A file, directory or socket at this path. One that was there before is taken for it.
    #[track_caller]
    pub fn file(self, path: impl AsRef<Path>) {
        let path = path.as_ref();
        self.file_where(path, format!("`{}` exists", path.display()), || path.exists().then_some(()))
    }

    /// A line like `pattern` (see [`Expect::line`]) in a file, which may not exist yet: what its placeholders took.
    #[track_caller]
    pub fn file_line(self, path: impl AsRef<Path>, pattern: &str) -> Captures {
        let path = path.as_ref();
        let pattern = Pattern::of(pattern);
        let wanted = format!("a line like `{pattern}` in `{}`", path.display());
        self.file_where(path, wanted, || {
            let bytes = std::fs::read(path).ok()?;
            String::from_utf8_lossy(&bytes).lines().find_map(|line| pattern.find(line))
        })
    }

    /// Waits by inotify(7).
    #[track_caller]
    fn file_where<T>(self, path: &Path, wanted: String, find: impl Fn() -> Option<T>) -> T {
        let inotify = Watch::new(path).unwrap_or_else(|error| {
            let seen = format!("it cannot be watched: {error}");
            self.fail(Unmet { wanted: wanted.clone(), seen })
        });
        let watch = Stopwatch::start();
        loop {
            // First the watch and then the look, so that nothing comes between.
            inotify.renew();
            if let Some(found) = find() {
                return self.met(found);
            }
            if self.is_everybody_gone() {
                // It may have been the last thing that somebody did.
                match find() {
                    Some(found) => return self.met(found),
                    None => self.fail(Unmet { wanted, seen: "nobody is left of the tree".to_owned() }),
                }
            }
            let left = watch.left_of(self.bound);
            if left.is_zero() {
                self.fail(Unmet::late(wanted, self.bound));
            }
            let watched = self.process.shared.lock().family.watched();
            let mut fds = vec![PollFd::new(&inotify, PollFlags::IN)];
            fds.extend(watched.iter().map(|(_, handle)| PollFd::new(handle, PollFlags::IN)));
            // All who are known have died: whether somebody else is left the collector finds out.
            is_any_ready(&mut fds, if watched.is_empty() { left.min(LOOK_AGAIN) } else { left });
        }
    }

    /// `READY=1` through `NOTIFY_SOCKET` (sd_notify(3)), if it was spawned with [`Spawn::notify`](super::Spawn::notify).
    #[track_caller]
    pub fn ready(self) {
        drop(self.notification("READY=1"));
    }

    /// A line like `pattern` (see [`Expect::line`]) through `NOTIFY_SOCKET`; those before it are passed over.
    #[track_caller]
    pub fn notification(self, pattern: &str) -> Captures {
        let wanted = format!("`{pattern}` through NOTIFY_SOCKET");
        let pattern = Pattern::of(pattern);
        if !self.process.has_notify {
            let seen = "it was spawned without `notify()`, and has no such socket".to_owned();
            self.fail(Unmet { wanted, seen });
        }
        let mut next = 0;
        let found = self.process.shared.wait(self.bound, |state| {
            next = next.max(state.notified_read);
            while let Some(line) = state.notified.get(next) {
                next += 1;
                if let Some(found) = pattern.find(line) {
                    state.notified_read = next;
                    return Some(Ok(found));
                }
            }
            state.family.is_over().then(|| Err("nobody is left of the tree".to_owned()))
        });
        match found {
            Some(Ok(found)) => self.met(found),
            Some(Err(seen)) => self.fail(Unmet { wanted, seen }),
            None => {
                let unmet = Unmet::late(wanted, self.bound);
                self.fail(unmet)
            }
        }
    }

    /// The collector looks again as long as that is in doubt.
    fn is_everybody_gone(&self) -> bool {
        self.process.shared.lock().family.is_over()
    }
}
