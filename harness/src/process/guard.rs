//! The last resort, for when the test process itself is killed: a shell that outlives it, and ends what it left.
//!
//! It waits for the end of a pipe that only the test process holds. It knows the roots' process groups, which it is
//! told, and finds the others by their mark. It signals by numbers, which nothing else here does.

use super::mark::prefix;
use std::io::{Result, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

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

/// One for the whole test process. To start a second one and end it would be to let it kill.
static GUARD: Mutex<Option<Child>> = Mutex::new(None);

/// Starts it, if it does not run yet.
pub(super) fn start() -> Result<()> {
    let mut guard = GUARD.lock().unwrap_or_else(PoisonError::into_inner);
    if guard.is_none() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, &prefix().replace('.', r"\."), super::mark::TREE]);
        // In a group of its own: whoever ends that of the test does not end the guard.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        *guard = Some(command.spawn()?);
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
    let mut guard = GUARD.lock().unwrap_or_else(PoisonError::into_inner);
    let stdin = guard.as_mut().and_then(|guard| guard.stdin.as_mut());
    // Should somebody have killed the guard, the test does without.
    let _ = stdin.map(|stdin| stdin.write_all(line.as_bytes()));
}
