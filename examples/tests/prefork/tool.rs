//! Programs of the system that not every machine has.

use std::env;
use std::io::Write as _;
use std::path::PathBuf;

/// Where a program is. If it is nowhere, the test that needs it is left out, and says so to whoever runs it.
pub(crate) fn has_tool(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // Where those are that are for administrators, and may not be in the PATH of anybody else.
    let beside = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let found = env::split_paths(&path)
        .chain(beside)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file());
    if found.is_none() {
        left_out(&format!("this machine has no {name}"));
    }
    found
}

/// Tells whoever runs the tests that this one was not.
pub(crate) fn left_out(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // What is printed by the macros of std is shown for tests that fail only.
    let _ = writeln!(std::io::stderr(), "{test} was left out: {why}");
}

/// Where cargo builds an example of this crate.
pub(crate) fn example_path(name: &str) -> PathBuf {
    let this = env::current_exe().unwrap();
    this.ancestors().nth(2).unwrap().join("examples").join(name)
}
