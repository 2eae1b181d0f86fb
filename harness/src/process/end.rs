//! The end of a tree, whatever its test came to: everybody is killed and buried.

use super::clock::{Stopwatch, scaled};
use super::handle;
use super::handle::is_any_ready;
use super::shared::Shared;
use super::timeline::Event;
use super::tree::Node;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Signal, kill_process_group};
use std::sync::Arc;
use std::time::Duration;

/// How long somebody who was killed may take to die: what is in a system call that nothing interrupts, for
/// ever.
const BOUND: Duration = Duration::from_secs(10);

/// How long to wait for those who were killed before looking for those whom they left.
const ROUND: Duration = Duration::from_millis(50);

/// How long to wait before looking again, if somebody may have been missed.
const AGAIN: Duration = Duration::from_millis(1);

/// Kills whoever is left, until nobody is. Those who could not be killed.
pub(super) fn end_all(shared: &Shared) -> Vec<Node> {
    let watch = Stopwatch::start();
    let mut state = shared.lock();
    state.look();
    if state.family.tree().living().next().is_some() {
        state.note(Event::Told { text: "the test is over: whoever is left is killed".to_owned() });
    }
    // At one stroke all who have stayed in the root's group, however fast they fork. The root has not been reaped:
    // its number is nobody else's.
    if let Some(group) = handle::number(state.family.root().pid()) {
        // It fails if nobody is left, which is what is wanted.
        let _ = kill_process_group(group, Signal::KILL);
    }
    drop(state);
    loop {
        let mut state = shared.lock();
        state.look();
        let tree = state.family.tree();
        let living: Vec<&Node> = tree.living().collect();
        let unburied = tree.zombies().count();
        if tree.is_over() && unburied == 0 {
            state.family.bury_root();
            return Vec::new();
        }
        let handles: Vec<_> = living.iter().filter_map(|node| state.family.handle(node.id)).collect();
        drop(state);
        if watch.elapsed() > scaled(BOUND) {
            return tree.iter().filter(|node| node.is_alive() || node.id != tree.root).cloned().collect();
        }
        for handle in &handles {
            // One that is gone meanwhile is what is wanted; one that may not be signalled is told in the end.
            let _ = handle.signal(Signal::KILL);
        }
        wait_for_any(&handles);
    }
}

/// One death at a time: whom the dead leave behind are looked for at once. So is who was missed.
fn wait_for_any(handles: &[Arc<handle::Handle>]) {
    let mut fds: Vec<_> = handles.iter().map(|handle| PollFd::new(handle, PollFlags::IN)).collect();
    let bound = if fds.is_empty() { AGAIN } else { ROUND };
    is_any_ready(&mut fds, bound);
}
