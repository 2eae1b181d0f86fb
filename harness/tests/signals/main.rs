//! The kick and the stop signals: one body a case, in the simulator and with real processes.
//!
//! Not run by the standard test runner, whose tests are threads: a real host is a child process of its
//! own, and this program itself is that child when its environment says so.

mod kick;
mod running;

use libtest_mimic::{Arguments, Trial};
use running::CHILD;

fn main() {
    if let Ok(child) = std::env::var(CHILD) {
        let case = kick::CASES.iter().find(|case| case.name == child);
        case.unwrap_or_else(|| panic!("{CHILD} is `{child}`, but must name a case")).run_as_child();
    }
    let run = |case: &'static running::Case| {
        Trial::test(case.name, || {
            case.run();
            Ok(())
        })
    };
    libtest_mimic::run(&Arguments::from_args(), kick::CASES.iter().map(run).collect()).exit();
}
