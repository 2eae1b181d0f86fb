//! The turns of a `Host`, through its public seam only: facts in, orders out, one question.
//!
//! Each test is a list of rows: a fact, and the orders that it must bring, in the words of [`rig`].

mod calls;
mod ending;
mod fairness;
mod model;
mod rig;
mod sockets;
mod time;
