//! What a host has recorded is decided again by a fresh one; what was altered, or depends on more than was
//! recorded, is not.

mod apps;
mod neighbours;
mod refused;
mod simulated;
