//! Telling a service manager, where there is one.

use super::Driver;
use crate::event::Event;
use crate::manager::{Seen, Staff};
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
        if let Some(fleet) = manager.abandons(&staff) {
            self.shared.registry.tell(Event::StartAbandoned { fleet });
            // It is to be heard before any wait.
            return Some(Instant::ZERO);
        }
        manager.look(now, Seen { config: host.config(), staff: &staff, stopping: host.stopping() });
        let message = manager.message();
        if message.is_empty() {
            return manager.next_deadline().filter(|due| *due > now);
        }
        match self.shared.sys.notify(&message) {
            Ok(()) => {
                manager.told();
                manager.next_deadline().filter(|due| *due > now)
            }
            Err(Errno::AGAIN | Errno::NOBUFS | Errno::INTR) => Some(now + AGAIN),
            Err(errno) => {
                // It is gone, or never was: the host serves without it.
                self.manager = None;
                self.tell(None, None, None, &crate::notice::Notice::ManagerLost { errno });
                None
            }
        }
    }
}
