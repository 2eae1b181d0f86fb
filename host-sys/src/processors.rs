//! How many processors this process may use: those of its affinity, and what its control groups allow.

use std::fs::read_to_string;
use std::path::{Component, Path, PathBuf};

/// At least 1.
pub(crate) fn count() -> u32 {
    // The type has room for 1024 processors; on a larger machine the kernel refuses to tell.
    let by_affinity = rustix::thread::sched_getaffinity(None).map_or(u32::MAX, |set| set.count());
    let by_quota = quota().map_or(u32::MAX, Quota::processors);
    match by_affinity.min(by_quota) {
        u32::MAX => std::thread::available_parallelism().map_or(1, |count| count.get() as u32),
        count => count.max(1),
    }
}

/// So much processor time in each period, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Quota {
    time: u64,
    period: u64,
}

impl Quota {
    /// Rounded up: half a processor is used by one worker, not by none.
    fn processors(self) -> u32 {
        u32::try_from(self.time.div_ceil(self.period)).unwrap_or(u32::MAX).max(1)
    }

    /// Those of `cpu.max` (version 2): `max 100000`, `150000 100000`.
    fn of_cpu_max(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        Self::of_parts(words.next()?, words.next()?)
    }

    /// Those of `cpu.cfs_quota_us`, which is -1 for none, and `cpu.cfs_period_us` (version 1).
    fn of_parts(time: &str, period: &str) -> Option<Self> {
        let (time, period) = (time.trim().parse().ok()?, period.trim().parse().ok()?);
        (period > 0).then_some(Self { time, period })
    }
}

/// The smallest quota of the groups that this process is in, and of those around them.
fn quota() -> Option<Quota> {
    let groups = read_to_string("/proc/self/cgroup").ok()?;
    let mounts = read_to_string("/proc/self/mountinfo").ok()?;
    let of_group = |version, directory: &Path| {
        let read = |name| read_to_string(directory.join(name)).ok();
        match version {
            Version::Two => Quota::of_cpu_max(&read("cpu.max")?),
            Version::One => Quota::of_parts(&read("cpu.cfs_quota_us")?, &read("cpu.cfs_period_us")?),
        }
    };
    let quotas = [Version::One, Version::Two].into_iter().flat_map(|version| {
        let mount = mounts.lines().find_map(|line| Mount::of(line, version));
        let directories = mount.zip(path_in(&groups, version)).map(|(mount, path)| mount.directories(path));
        directories.into_iter().flatten().filter_map(move |directory| of_group(version, &directory))
    });
    quotas.min_by_key(|quota| quota.processors())
}

/// Which of the two kinds of control groups (cgroups(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// The group of this process, from `/proc/self/cgroup`: `0::/user.slice`, `4:cpu,cpuacct:/`.
fn path_in(groups: &str, version: Version) -> Option<&str> {
    groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (hierarchy, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let ours = match version {
            Version::One => controllers.split(',').any(|name| name == "cpu"),
            Version::Two => hierarchy == "0" && controllers.is_empty(),
        };
        ours.then_some(path)
    })
}

/// Where a hierarchy is mounted, and which of its groups is seen there as the outermost.
#[derive(Debug, PartialEq, Eq)]
struct Mount<'a> {
    root: &'a str,
    point: &'a str,
}

impl<'a> Mount<'a> {
    /// That of a line of `/proc/self/mountinfo` (proc_pid_mountinfo(5)), if it is of this version.
    fn of(line: &'a str, version: Version) -> Option<Self> {
        // `36 35 98:0 /root /point options [optional fields] - type source options`
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let (root, point) = (before.next()?, before.next()?);
        let mut after = after.split(' ');
        let (kind, _, options) = (after.next()?, after.next()?, after.next()?);
        let ours = match version {
            Version::One => kind == "cgroup" && options.split(',').any(|name| name == "cpu"),
            Version::Two => kind == "cgroup2",
        };
        ours.then_some(Self { root, point })
    }

    /// The directory of the group `path`, and of each around it that is seen here.
    fn directories(&self, path: &str) -> Vec<PathBuf> {
        // In a container the group may lie outside of what is seen: then the outermost is the nearest.
        let inside = Path::new(path).strip_prefix(self.root).ok();
        let inside = inside.filter(|path| path.components().all(|part| part != Component::ParentDir));
        let inside = inside.unwrap_or_else(|| Path::new(""));
        inside.ancestors().map(|group| Path::new(self.point).join(group)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_rounded_up_and_none_is_none() {
        let rows = [
            ("max 100000\n", None),
            ("100000 100000\n", Some(1)),
            ("150000 100000\n", Some(2)),
            ("1000 100000", Some(1)),
            ("400000 100000\n", Some(4)),
            ("0 100000\n", Some(1)),
            ("100000 0\n", None),
            ("100000\n", None),
            ("", None),
            ("many 100000", None),
        ];
        for (text, processors) in rows {
            assert_eq!(Quota::of_cpu_max(text).map(Quota::processors), processors, "{text:?}");
        }
        assert_eq!(Quota::of_parts("-1\n", "100000\n"), None);
        assert_eq!(Quota::of_parts("250000\n", "100000\n").map(Quota::processors), Some(3));
    }

    #[test]
    fn the_group_is_found_in_either_version() {
        let groups = "9:name=systemd:/\n2:cpuset:/set\n1:cpuacct,cpu:/one:two\n0::/user.slice/a.scope\n";
        assert_eq!(path_in(groups, Version::One), Some("/one:two"));
        assert_eq!(path_in(groups, Version::Two), Some("/user.slice/a.scope"));
        assert_eq!(path_in("2:cpuset:/set\nnonsense\n", Version::One), None);
        assert_eq!(path_in("", Version::Two), None);
    }

    #[test]
    fn the_mount_is_found_in_either_version() {
        let one = "30 25 0:26 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct";
        let set = "31 25 0:27 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset";
        let two = "40 25 0:30 /box /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate";
        let of_one = Mount { root: "/", point: "/sys/fs/cgroup/cpu" };
        let of_two = Mount { root: "/box", point: "/sys/fs/cgroup" };
        assert_eq!(Mount::of(one, Version::One), Some(of_one));
        assert_eq!(Mount::of(two, Version::Two), Some(of_two));
        for (line, version) in
            [(one, Version::Two), (set, Version::One), (two, Version::One), ("", Version::Two)]
        {
            assert_eq!(Mount::of(line, version), None, "{line}");
        }
    }

    #[test]
    fn the_groups_around_a_group_count_as_far_as_they_are_seen() {
        let mount = |root| Mount { root, point: "/cg" };
        let rows: [(_, _, &[&str]); 5] = [
            ("/", "/a/b", &["/cg/a/b", "/cg/a", "/cg/"]),
            ("/", "/", &["/cg/"]),
            ("/box", "/box/a", &["/cg/a", "/cg/"]),
            ("/box", "/other", &["/cg/"]),
            ("/", "/../../out", &["/cg/"]),
        ];
        for (root, path, expected) in rows {
            let expected: Vec<_> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(mount(root).directories(path), expected, "{path}");
        }
    }

    #[test]
    fn this_process_may_use_one_at_least() {
        assert!(count() >= 1);
    }
}
