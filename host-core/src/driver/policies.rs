//! Asking an author's functions what they decide. One that panics decides nothing, and that is told.

use super::Driver;
use crate::event::Event;
use crate::fleet::status::FleetStatus;
use crate::id::{FleetId, WorkerId};
use crate::notice::Notice;
use crate::service::kick::Site;
use crate::sys::ExitStatus;

impl Driver {
    /// How many workers of a fleet its author's function wants.
    pub(super) fn ask_scale(&mut self, fleet: FleetId) {
        let Some(scale) = self.children.policies(fleet).scale.clone() else { return };
        if let Some(workers) = self.ask(fleet, |status| scale(status)) {
            self.shared.registry.tell(Event::ScaleAnswered { fleet, workers });
        }
    }

    /// Whether a worker that has ended gets a successor, if its author has a function for that.
    pub(super) fn ask_on_exit(&mut self, worker: WorkerId, exit: ExitStatus) {
        let Some(on_exit) = self.children.policies(worker.fleet).on_exit.clone() else { return };
        if let Some(restart) = self.ask(worker.fleet, |status| on_exit(status, worker, exit)) {
            self.shared.registry.tell(Event::ExitJudged { worker, restart });
        }
    }

    fn ask<T>(&mut self, fleet: FleetId, policy: impl Fn(&FleetStatus) -> T) -> Option<T> {
        let status = self.shared.host.fleet(fleet)?;
        // It may hang, like any callback.
        self.shared.sys.beat(self.shared.sys.now(), Site::Deciding(fleet));
        let mut answer = None;
        let result = self.shared.sys.run_user(&mut || answer = Some(policy(&status)));
        // It may have taken its time.
        self.shared.now = self.shared.sys.now();
        self.shared.sys.beat(self.shared.now, Site::Loop);
        if let Err(panic) = result {
            self.tell_about(Some(&status.name), None, Some(fleet), Some(&panic), &Notice::PolicyFailed);
            return None;
        }
        answer
    }
}
