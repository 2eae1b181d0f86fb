//! Hosting many services in one loop: the capability of ProcessHost, one small machine a file.
//!
//! `turns` is the machine that the others serve: `rotation` says who is next, `sockets`
//! and `roster` hold what is known, `reconnect` and `shutdown` say when. `kick`
//! stands apart: it decides inside a signal handler.

pub mod kick;
pub mod reconnect;
pub(crate) mod roster;
pub mod rotation;
pub(crate) mod shutdown;
pub(crate) mod sockets;

pub mod turns;
