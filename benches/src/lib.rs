//! Compares ways to do the same thing: in rounds, one arm after the other, within one process where that is
//! possible.
//!
//! What it is: a stopwatch for wall and processor time, rounds that interleave, and a table of costs and
//! ratios; the same for single latencies; and children by hand, that fleets are measured against. What takes
//! a processor away from one arm takes it from its neighbour a moment later too, so the ratio of a round is
//! steady where nanoseconds are not.
//!
//! What it is not: a judge. It prints; a person or a script decides. Nor a tool for functions of a few
//! nanoseconds: a round ought to last some milliseconds.
//!
//! ```
//! use benches::{Arm, Effort, Stopwatch, compare};
//!
//! let sum = |numbers: u64| {
//!     let watch = Stopwatch::start();
//!     std::hint::black_box((0..numbers).sum::<u64>());
//!     watch.stop(numbers)
//! };
//! let arms = [Arm::new("a thousand", || sum(1_000)), Arm::new("a million", || sum(1_000_000))];
//! let table = compare("sum", Effort::Quick.rounds(5), arms.into());
//! assert_eq!(table.arms[0].costs.len(), 1);
//! ```

pub mod bare;
mod effort;
mod latency;
pub mod program;
mod stopwatch;
mod table;

pub use effort::Effort;
pub use latency::{Latencies, now, tell};
pub use stopwatch::{Cost, Stopwatch};
pub use table::{Arm, Measured, Table, compare, say};
