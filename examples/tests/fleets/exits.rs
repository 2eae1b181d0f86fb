//! Who gets a successor, by how it ended.

use crate::kit::{BOUND, Stopwatch, assert_contains, one_within};
use crate::three::{MS, Three};
use rustix::process::Signal;

/// What a worker of db ends by, and what is told of its slot.
type Row = (&'static str, &'static str);

const REPLACED: &str = "created";
const RETIRED: &str = "stays empty, as its exit policy says";

/// Lets workers of db, with these flags, end in these ways.
fn ends(flags: &str, rows: &[Row]) {
    for (how, what) in rows {
        let mut three = Three::ready(3, &format!("--workers 1 {flags}"));
        let (_client, worker) = three.misbehave("db", how);
        assert!(worker.ends_within(BOUND), "{how}");
        assert_contains(&three.notice("ended with"), ["fleet `db`", "unasked"]);
        let line = three.notice("fleet `db`");
        assert_contains(&line, [*what]);
        let alive = three.program.members().len() - 1;
        assert_eq!(alive, if *what == RETIRED { 2 } else { 3 }, "{flags}, {how}");
        // Whatever becomes of it, the others go on.
        assert!(three.served("web").1.is_alive());
    }
}

#[test]
fn permanent_everybody_is_replaced() {
    ends("", &[("!exit 0", REPLACED), ("!exit 7", REPLACED), ("!crash", REPLACED)]);
}

#[test]
fn transient_whoever_ended_well_is_not() {
    ends("--restart transient", &[("!exit 0", RETIRED), ("!exit 7", REPLACED), ("!crash", REPLACED)]);
}

#[test]
fn never_nobody_is() {
    ends("--restart never", &[("!exit 0", RETIRED), ("!exit 7", RETIRED), ("!crash", RETIRED)]);
}

#[test]
fn a_policy_for_one_status_goes_before_that_for_all() {
    ends("--restart-on 7=never --restart-on 8=transient", &[("!exit 7", RETIRED), ("!exit 8", REPLACED)]);
    ends("--restart never --restart-on 7=permanent", &[("!exit 7", REPLACED), ("!exit 8", RETIRED)]);
    // A signal is no status.
    ends("--restart-on 6=never", &[("!crash", REPLACED)]);
}

#[test]
fn a_slot_that_stays_empty_is_filled_when_one_more_is_wanted() {
    let mut three = Three::ready(3, "--workers 1 --restart never");
    let (_client, worker) = three.misbehave("db", "!exit 7");
    assert!(worker.ends_within(BOUND), "it was told to exit");
    three.notice(RETIRED);
    three.signal(Signal::TTIN);
    three.notice("fleet `db`: 2 workers are wanted");
    three.notice("is ready");
    assert!(three.served("db").1.is_alive());
}

#[test]
fn pf_c12_a_body_that_returns_at_once_is_replaced_at_once() {
    one_within("more than one created", 300 * MS, || {
        let watch = Stopwatch::start();
        let mut three = Three::bound("--workers 1 --timeout-ms 200 --web returns");
        three.notices(2, "fleet `web`: worker 0 (incarnation 1)");
        three.notice("fleet `web`: worker 0 (incarnation 2) created");
        watch.elapsed()
    });
}
