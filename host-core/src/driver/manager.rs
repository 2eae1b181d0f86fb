//! Telling a service manager, where there is one.

use super::Driver;
use crate::event::Event;
use crate::manager::{Seen, Staff};
use crate::notice::Notice;
use crate::sys::Errno;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;

/// When it is tried again, if the manager's socket is full.
const AGAIN: Duration = Duration::from_millis(100);

impl Driver {
    /// Tells the service manager what it is owed; when it wants to be told again at the latest.
    pub(super) fn tell_manager(&mut self) -> Option<Instant> {
        let manager = self.manager.as_mut()?;
        let host = &self.shared.host;
        let staff: Vec<Staff> = host.staff().collect();
        let now = self.shared.now;
        if let Some(fleet) = manager.abandons(now, host.config(), &staff) {
            self.shared.registry.tell(Event::StartAbandoned { fleet });
            // It is to be heard before any wait.
            return Some(Instant::ZERO);
        }
        manager.look(now, Seen { config: host.config(), staff: &staff, stopping: host.stopping() });
        if manager.is_hungry(now) && host.serves() {
            manager.feed(now);
        }
        let message = manager.message();
        let mut answer = Ok(());
        if !message.is_empty() {
            answer = self.shared.sys.notify(&message);
        }
        match answer {
            Ok(()) => manager.told(),
            Err(Errno::AGAIN | Errno::NOBUFS | Errno::INTR) => return Some(now + AGAIN),
            Err(errno) => {
                // It is gone, or never was: the host serves without it. Whoever waits for the start is another, and hears
                // by the same words.
                if manager.lost() {
                    self.tell(None, None, None, &Notice::ManagerLost { errno });
                }
            }
        }
        self.manager.take_if(|manager| manager.is_over());
        let manager = self.manager.as_ref()?;
        let due =
            manager.next_deadline().into_iter().chain(manager.start_deadline(self.shared.host.config()));
        due.filter(|due| *due > now).min()
    }

    /// The host ends. A stop may need no wait at all, and is told as any other; a manager that has heard of the host hears
    /// of any other end, too.
    pub(super) fn tell_manager_of_the_end(&mut self) {
        if self.shared.host.stopping().is_some() {
            self.tell_manager();
        } else if let Some(manager) = &mut self.manager {
            manager.ends();
            let message = manager.message();
            if !message.is_empty() {
                // Nothing follows by which it could be tried again.
                let _ = self.shared.sys.notify(&message);
            }
        }
    }
}
