//! Servers whose workers are forked in advance: watched, killed when they hang, and replaced.
//!
//! Two ways to write one: [`echo`], whose workers run a blocking loop, and [`http`], whose workers each run an
//! event host of their own.

pub mod announce;
pub mod echo;
pub mod hang;
pub mod http;
mod options;

pub use options::{HostDeath, Options};
