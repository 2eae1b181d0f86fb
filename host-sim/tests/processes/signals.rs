//! What signals do to a worker that declared how long it computes.

use crate::world::{QUIET, World, on_a_machine};
use host_core::sys::{ExitStatus, Signal};
use std::time::Duration;

#[test]
fn a_worker_that_computes_ends_on_term_at_once_and_on_quit_when_it_looks() {
    on_a_machine(|world| {
        let busy = |world: &World| {
            let child = world.fork(&[], |child| {
                child.pause(Duration::from_secs(1));
                if child.sys.quit_asked() { 7 } else { 1 }
            });
            world.pause(QUIET);
            child
        };
        let child = busy(world);
        let sent = world.sys.now();
        world.signal(child, Signal::Term);
        assert_eq!(world.end_of(child), ExitStatus::Code(0));
        assert!(world.sys.now().since(sent) < Duration::from_millis(1));
        let child = busy(world);
        world.signal(child, Signal::Quit);
        assert_eq!(world.end_of(child), ExitStatus::Code(7));
    });
}
