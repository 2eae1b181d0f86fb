//! The examples on a simulated machine: a thousand bad minutes in a second.

mod fleets;
mod prefork;
mod web_and_worker;
