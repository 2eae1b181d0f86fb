//! What the simulated kernel is true to where processes are concerned.
//!
//! The ids are those of the observed kernel facts that the simulator must honour. Each program forks and
//! looks at what comes of it, over the system itself, on machines with several seeds.

mod children;
mod death;
mod signals;
mod slots;
mod sockets;
mod world;
