//! How much memory a worker may have.

use crate::time::Duration;

/// Which figure of a process's memory is meant (proc_pid_statm(5), proc_pid_smaps(5)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MemoryFigure {
    /// What of it is in main memory, whoever else has the same pages (RSS). The default: it costs some microseconds.
    #[default]
    Rss,
    /// The same, where a page that several processes have counts to each by its share (PSS): the sum over all workers
    /// is what they have. The kernel walks all page tables of the process for it: some
    /// hundred microseconds for a small worker, more for a large one.
    Pss,
}

/// The bound on the memory of each worker of a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemoryBound {
    /// How many bytes; a worker that has more is replaced. Default: as many as it likes, and nobody looks.
    pub max: Option<u64>,
    /// Of which figure. Default [`MemoryFigure::Rss`].
    pub figure: MemoryFigure,
    /// How often the host looks at each worker. Default 10 s; less often where all looks would cost more than a thousandth
    /// of a processor, as with [`MemoryFigure::Pss`] and a hundred workers.
    pub period: Duration,
}

impl MemoryBound {
    /// The shortest period: each look wakes the host, and reads a file for each worker.
    pub const PERIOD_MIN: Duration = Duration::from_millis(10);
}

impl Default for MemoryBound {
    fn default() -> Self {
        Self { max: None, figure: MemoryFigure::default(), period: Duration::from_secs(10) }
    }
}
