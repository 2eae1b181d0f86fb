//! Heartbeat slots, to the nanosecond.

use crate::world::on_a_machine;
use host_core::fleet::beat::Pace;
use host_core::sys::ExitStatus;
use std::time::Duration;

/// One tick of the coarse clock.
const TICK: Duration = Duration::from_millis(4);

#[test]
fn a_beat_is_younger_than_it_is_by_one_to_two_ticks() {
    on_a_machine(|world| {
        let child = world.fork(&[], |child| {
            for step in 0..50 {
                child.pause(Duration::from_micros(713 * step));
                child.sys.pulse(Pace::Waiting);
                let (now, read) = (child.sys.now(), child.sys.slot_read(child.page, 0, 1));
                let at = read.beat.unwrap().at;
                let ahead = at.since(now);
                assert!(TICK < ahead && ahead <= TICK * 2, "{ahead:?} at {now}");
            }
            0
        });
        assert_eq!(world.end_of(child), ExitStatus::Code(0));
    });
}
