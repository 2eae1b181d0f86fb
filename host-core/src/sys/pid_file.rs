//! Why a pid file cannot be had.

use super::{Errno, Pid};

/// Why a process cannot have a pid file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PidFileError {
    /// Another process that lives has it.
    #[error("{}", taken(*by))]
    Taken {
        /// The number that stands in it, if a number does: of whom it is while that process has it.
        by: Option<Pid>,
    },
    /// More than one word stands in it: it is something else, and was left as it is.
    #[error("has other content than a process number: take another path, or remove the file")]
    Foreign,
    /// A system call answered this.
    #[error("{call} failed: {errno}")]
    System {
        /// The system call.
        call: &'static str,
        /// What it answered.
        errno: Errno,
    },
}

impl PidFileError {
    /// For implementations of [`Sys`](super::Sys): `errno` was the answer of `call`.
    pub const fn of(call: &'static str, errno: Errno) -> Self {
        Self::System { call, errno }
    }
}

fn taken(by: Option<Pid>) -> alloc::string::String {
    match by {
        Some(pid) => alloc::format!("process {pid} runs and has it: stop that one, or take another path"),
        None => "a process that runs has it: stop that one, or take another path".into(),
    }
}
