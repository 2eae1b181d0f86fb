//! Where processes are concerned, what is decided by how a simulated machine is set up and by its seed, and
//! what is exact in virtual time only.
//!
//! Each program forks and looks at what comes of it, over the system itself, on machines with several seeds.
//! What is true on the real kernel as well is a case of `conformance_processes` in the harness. The ids are
//! those of the observed kernel facts that the simulator must honour.

mod children;
mod death;
mod signals;
mod slots;
mod sockets;
mod world;
