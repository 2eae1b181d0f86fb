//! What the workers of a fleet may do and use: as its author says it, with names.

use crate::sys::{Account, Limit};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Privileges and limits of workers. Nothing is changed by default: a worker has what its host has.
///
/// A host looks the names up once, at its start; each worker applies them to itself before its first line of
/// user code, in the order of [`Confinement`](crate::sys::Confinement). Setters live on
/// [`Fleet`](crate::app::fleet::Fleet).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Privileges {
    /// The user. Changing it needs a host with CAP_SETUID, CAP_SETGID and CAP_KILL, as root has.
    pub user: Option<Account>,
    /// The group. By default the first one of the user.
    pub group: Option<Account>,
    /// The supplementary groups. By default those that the user is in (initgroups(3)).
    pub supplementary_groups: Option<Vec<Account>>,
    /// What is taken from the mode of new files, up to 0o777.
    pub umask: Option<u32>,
    /// The working directory; inside the new root, if there is one.
    pub working_directory: Option<String>,
    /// The new root (chroot(2)). It confines nobody who is root.
    pub chroot: Option<String>,
    /// Soft and hard limits, each named once.
    pub limits: Vec<(Limit, u64)>,
    /// From -20 to 19; below the host's needs CAP_SYS_NICE.
    pub nice: Option<i32>,
    /// No program that a worker runs can give it more privileges.
    pub no_new_privs: bool,
}

/// The number that stands for "as it was" in setresuid(2), and so is nobody's.
pub(crate) const NOBODYS: u32 = u32::MAX;

/// The longest path that the kernel takes is one shorter, and a zero (PATH_MAX).
const PATH_MAX: usize = 4096;

impl Privileges {
    /// All that is wrong, whatever the system has: field, what was found, what is wanted.
    pub(crate) fn mistakes(&self) -> Vec<(&'static str, String, String)> {
        let mut mistakes = Vec::new();
        let mut refuse = |field, found, wanted: &str| mistakes.push((field, found, wanted.into()));
        let single = [("user", self.user.as_ref()), ("group", self.group.as_ref())];
        let single = single.into_iter().filter_map(|(field, account)| Some((field, account?)));
        let several = self.supplementary_groups.iter().flatten();
        for (field, account) in single.chain(several.map(|account| ("supplementary_groups", account))) {
            match account {
                Account::Number(NOBODYS) => {
                    refuse(field, account.to_string(), "must be below that: it stands for no change");
                }
                Account::Name(name) if name.is_empty() || name.contains('\0') => {
                    refuse(field, account.to_string(), "must be a name or a number");
                }
                Account::Name(_) | Account::Number(_) => {}
            }
        }
        if let Some(umask) = self.umask.filter(|umask| *umask > 0o777) {
            refuse("umask", format!("{umask:#o}"), "must be at most 0o777");
        }
        for (field, path) in [("working_directory", &self.working_directory), ("chroot", &self.chroot)] {
            let Some(path) = path else { continue };
            if path.is_empty() || path.contains('\0') || path.len() >= PATH_MAX {
                let found = format!("`{}`", path.escape_debug());
                refuse(field, found, "must be a path of 1 to 4095 bytes, none of them zero");
            }
        }
        for (index, (limit, most)) in self.limits.iter().enumerate() {
            if self.limits[..index].iter().any(|(other, _)| other == limit) {
                refuse("limit", format!("{limit} twice"), "must name each resource once");
            }
            if *most < least(*limit) {
                let wanted = format!("must be at least {}, or no worker could begin", least(*limit));
                refuse("limit", format!("{most} for {limit}"), &wanted);
            }
        }
        if let Some(nice) = self.nice.filter(|nice| !(-20..=19).contains(nice)) {
            refuse("nice", nice.to_string(), "must be -20 to 19");
        }
        mistakes
    }
}

/// What the framework itself cannot do without: the descriptors of standard streams, poller, bell and channel
/// with some to spare, and a second of computing.
const fn least(limit: Limit) -> u64 {
    match limit {
        Limit::OpenFiles => 16,
        Limit::CpuSeconds => 1,
        Limit::Processes
        | Limit::AddressSpace
        | Limit::Data
        | Limit::Stack
        | Limit::LockedMemory
        | Limit::FileSize
        | Limit::Core => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(change: impl Fn(&mut Privileges)) -> String {
        let mut privileges = Privileges::default();
        change(&mut privileges);
        let all = privileges.mistakes();
        let told: Vec<_> =
            all.iter().map(|(field, found, wanted)| format!("{field} is {found}, but {wanted}")).collect();
        told.join("; ")
    }

    #[test]
    fn each_mistake_names_the_field_what_was_found_and_what_is_allowed() {
        type Row = (fn(&mut Privileges), &'static str);
        let rows: &[Row] = &[
            (|_| (), ""),
            (|p| p.user = Some("nobody".into()), ""),
            (|p| p.user = Some("".into()), "user is ``, but must be a name or a number"),
            (
                |p| p.user = Some(u32::MAX.into()),
                "user is 4294967295, but must be below that: it stands for no change",
            ),
            (|p| p.group = Some("a\0b".into()), "group is `a\\0b`, but must be a name or a number"),
            (
                |p| p.supplementary_groups = Some([0.into(), u32::MAX.into()].into()),
                "supplementary_groups is 4294967295, but must be below that: it stands for no change",
            ),
            (|p| p.umask = Some(0o777), ""),
            (|p| p.umask = Some(0o1000), "umask is 0o1000, but must be at most 0o777"),
            (
                |p| p.working_directory = Some(String::new()),
                "working_directory is ``, but must be a path of 1 to 4095 bytes, none of them zero",
            ),
            (
                |p| p.chroot = Some("/a\0".into()),
                "chroot is `/a\\0`, but must be a path of 1 to 4095 bytes, none of them zero",
            ),
            (
                |p| p.limits = [(Limit::Core, 1), (Limit::Core, 2)].into(),
                "limit is RLIMIT_CORE twice, but must name each resource once",
            ),
            (|p| p.limits = [(Limit::OpenFiles, 16), (Limit::Core, 0)].into(), ""),
            (
                |p| p.limits = [(Limit::OpenFiles, 15)].into(),
                "limit is 15 for RLIMIT_NOFILE, but must be at least 16, or no worker could begin",
            ),
            (
                |p| p.limits = [(Limit::CpuSeconds, 0)].into(),
                "limit is 0 for RLIMIT_CPU, but must be at least 1, or no worker could begin",
            ),
            (|p| p.nice = Some(-20), ""),
            (|p| p.nice = Some(19), ""),
            (|p| p.nice = Some(20), "nice is 20, but must be -20 to 19"),
            (|p| p.nice = Some(-21), "nice is -21, but must be -20 to 19"),
        ];
        for (change, expected) in rows {
            assert_eq!(found(change), *expected);
        }
        let longest = "x".repeat(4095);
        assert_eq!(found(|p| p.chroot = Some(longest.clone())), "");
        assert!(found(|p| p.chroot = Some(longest.clone() + "x")).contains("4095 bytes"));
    }
}
