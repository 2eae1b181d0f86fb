//! The signals of the process: taken over for as long as the loop runs, and read in it.

use super::{Driver, SIGNAL_KEY};
use crate::error::RunError;
use crate::event::Event;
use crate::service::kick::Site;
use crate::sys::{Errno, Handle, Interest, Signal, Sys};

/// The signals that every host takes, beside USR1.
pub(super) const SIGNALS: &[Signal] = &[Signal::Int, Signal::Quit, Signal::Term];
/// Those of one that reaps whoever it has not forked.
pub(super) const REAPING_SIGNALS: &[Signal] = &[Signal::Int, Signal::Quit, Signal::Term, Signal::Chld];
/// And those that one with fleets takes.
pub(super) const FLEET_SIGNALS: &[Signal] = &[
    Signal::Hup,
    Signal::Int,
    Signal::Quit,
    Signal::Usr2,
    Signal::Term,
    Signal::Chld,
    Signal::Cont,
    Signal::Ttin,
    Signal::Ttou,
    Signal::Winch,
];

impl Driver {
    /// Tells all that have come.
    pub(super) fn report_signals(&self) {
        let Some(handle) = self.signals else { return };
        loop {
            match self.shared.sys.signal_read(handle) {
                Ok(signal) => self.shared.registry.tell(Event::Signalled(signal)),
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(errno) => {
                    self.shared.registry.tell(Event::SystemFailed { call: "read of signalfd", errno });
                    return;
                }
            }
        }
    }
}

/// Takes over INT, TERM and USR1; all or nothing.
pub(super) fn arm(
    sys: &dyn Sys,
    threshold: core::time::Duration,
    signals: &[Signal],
) -> Result<Handle, RunError> {
    let failed = |call| move |errno| RunError::System { call, errno };
    // The first beat: the word may hold anything.
    sys.beat(sys.now(), Site::Loop);
    sys.kick_arm(threshold).map_err(failed("arming of the kick"))?;
    let handle = sys.signals(signals).map_err(failed("signalfd"));
    let handle = handle.inspect_err(|_| sys.kick_disarm())?;
    if let Err(errno) = sys.poll_add(handle, SIGNAL_KEY, Interest::READ) {
        disarm(sys, Some(handle));
        return Err(failed("epoll_ctl")(errno));
    }
    Ok(handle)
}

/// Gives the signals back.
pub(super) fn disarm(sys: &dyn Sys, signals: Option<Handle>) {
    let Some(handle) = signals else { return };
    // It can only fail because it is not registered, which is what is wanted.
    let _ = sys.poll_delete(handle);
    sys.close(handle);
    sys.kick_disarm();
}
