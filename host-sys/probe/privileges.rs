//! Roles that give something up.

use crate::say;
use host_core::app::App;
use host_core::sys::Limit;
use host_core::{Fleet, Result, Worker};
use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;

/// A host whose worker has given up all that it can, and says who it is and what it may do.
pub(crate) fn confined() -> App {
    let fleet = Fleet::new("small")
        .workers(1)
        .user(65_534)
        .group(4_243)
        .supplementary_groups([4_244, 4_245])
        .umask(0o27)
        .chroot("/tmp")
        .limit(Limit::OpenFiles, 64)
        .limit(Limit::Core, 0)
        .limit(Limit::FileSize, u64::MAX)
        .nice(19)
        .no_new_privs()
        .run(tell_and_stay);
    App::new("probe").poll_period_off().fleet(fleet)
}

fn tell_and_stay(worker: &mut Worker) -> Result {
    let name = format!("/host-sys-confined-{}", std::process::id());
    let mode = File::create_new(&name)?.metadata()?.permissions().mode() & 0o777;
    std::fs::remove_file(&name)?;
    let here = std::env::current_dir()?;
    say(&format!("{} {mode:o} {}", std::process::id(), here.display()));
    while worker.wanted() {
        worker.pause(host_core::time::Duration::from_secs(1));
    }
    Ok(())
}
