//! What an author decides by functions of its own: how many workers, and who gets a successor.
//!
//! The driver calls them, with a snapshot, and what they answer is a fact: so a recording is decided again without them.

use crate::fleet::config::Restart;
use crate::fleet::status::FleetStatus;
use crate::id::WorkerId;
use crate::sys::ExitStatus;
use alloc::rc::Rc;

/// How many workers are wanted.
pub(crate) type Scale = Rc<dyn Fn(&FleetStatus) -> u32>;
/// Whether this worker gets a successor.
pub(crate) type OnExit = Rc<dyn Fn(&FleetStatus, WorkerId, ExitStatus) -> Restart>;

/// The functions of one fleet.
#[derive(Clone, Default)]
pub(crate) struct Policies {
    pub(crate) scale: Option<Scale>,
    pub(crate) on_exit: Option<OnExit>,
}
