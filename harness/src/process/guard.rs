//! The last resort, for when the test process itself is killed: a shell that outlives it, and ends what it left.
//!
//! It waits for the end of a pipe that only the test process holds. It knows the roots' process groups, which it is
//! told, and finds the others by their mark. It signals by numbers, which nothing else here does.

use super::mark::prefix;
use std::io::{Result, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Reads `+ group` and `- group` until the end, then kills. Ten times, since who is killed may just have forked.
const SCRIPT: &str = r#"
groups=' '
while read -r sign group; do
    case $sign in
        +) groups="$groups$group " ;;
        -) groups="${groups%% $group *} ${groups#* $group }" ;;
    esac
done
for group in $groups; do kill -s KILL -- "-$group"; done
for round in 1 2 3 4 5 6 7 8 9 10; do
    left=$(grep -lszE "^$1=(.*:)?$0\." /proc/[0-9]*/environ)
    [ -n "$left" ] || exit 0
    for path in $left; do
        path=${path#/proc/}
        kill -s KILL -- "${path%/environ}"
    done
done
"#;

static GUARD: OnceLock<Mutex<Child>> = OnceLock::new();

/// Starts it, if it does not run yet.
pub(super) fn start() -> Result<()> {
    if GUARD.get().is_none() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, &prefix().replace('.', r"\."), super::mark::TREE]);
        // In a group of its own: whoever ends that of the test does not end the guard.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        // Two threads may get here at once: the one that comes too late ends its own, whose pipe it closes.
        if let Err(second) = GUARD.set(Mutex::new(command.spawn()?)) {
            let mut second = second.into_inner().unwrap_or_else(PoisonError::into_inner);
            drop(second.stdin.take());
            second.wait()?;
        }
    }
    Ok(())
}

/// Tells it of a root.
pub(super) fn add(group: u32) {
    tell(&format!("+ {group}\n"));
}

/// Tells it that nobody is left of a tree.
pub(super) fn remove(group: u32) {
    tell(&format!("- {group}\n"));
}

fn tell(line: &str) {
    let Some(guard) = GUARD.get() else { return };
    let mut guard = guard.lock().unwrap_or_else(PoisonError::into_inner);
    // Should somebody have killed the guard, the test does without.
    let _ = guard.stdin.as_mut().map(|stdin| stdin.write_all(line.as_bytes()));
}
