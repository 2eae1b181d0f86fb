//! What `harness::Process` promises, on programs that are scripts of a few lines.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "the test runner shows it when the test fails")]

mod ending;
mod expecting;
mod failing;
mod output;
mod parallel;
mod ready;
mod spawning;
mod tree;
mod world;
