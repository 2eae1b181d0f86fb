//! What `harness::Process` promises, on programs that are scripts of a few lines.

mod ending;
mod expecting;
mod failing;
mod output;
mod parallel;
mod ready;
mod spawning;
mod tree;
mod world;
