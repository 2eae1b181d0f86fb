//! The driver's own duties, over an operating system that answers what a test tells it to.
//!
//! What the host decides is tested elsewhere; here it is that its orders are carried out in the right
//! order, that failures of the system reach it, and that nothing stays open or armed in the end.

mod bodies;
mod callbacks;
mod confinement;
mod drain;
mod fake;
mod hosted;
mod lanes;
mod logs;
mod managed;
mod output;
mod passed;
mod pid_file;
mod record;
mod sockets;
mod start;
mod streams;
mod wait;
mod worker_rig;
mod workers;
