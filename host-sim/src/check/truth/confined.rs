//! S50: who says that it can serve has become what its fleet says.
//!
//! What a fleet says is looked up here once more, so that a driver that looks up something else, or does it too
//! late, is found.

use crate::check::Violation;
use crate::kernel::process::Process;
use crate::kernel::standing::{self, Standing};
use crate::kernel::{Index, Kernel};
use host_core::fleet::privileges::Privileges;
use host_core::id::WorkerId;
use host_core::sys::Account;

impl Kernel {
    /// The host hears that a worker is ready.
    pub(super) fn check_confined(&mut self, child: Index, worker: WorkerId) {
        let fleets = self.checks.host().map(|host| &host.config().fleets);
        let Some(fleet) = fleets.and_then(|fleets| fleets.get(worker.fleet.index())) else { return };
        let process = &self.processes[child as usize];
        if let Some(wrong) = departure(&fleet.privileges, process) {
            let detail = format!("`{}` says that it is ready, and {wrong}", process.name);
            self.violate(Violation::new("S50", detail));
        }
    }
}

/// The first thing in which a worker is not as its fleet says.
fn departure(privileges: &Privileges, process: &Process) -> Option<String> {
    let Privileges {
        user,
        group,
        supplementary_groups,
        umask,
        working_directory,
        chroot,
        limits,
        nice,
        no_new_privs,
    } = privileges;
    let Standing { limits: set, root, directory, .. } = &process.standing;
    let number = |group: &Account| match group {
        Account::Name(name) => standing::group(name),
        Account::Number(number) => Some(*number),
    };
    let wanted_group = group.as_ref().and_then(number);
    let found = user.as_ref().and_then(|user| standing::user(user, wanted_group));
    let differs = |what: &str, wanted: Option<String>, is: String| {
        wanted.filter(|wanted| *wanted != is).map(|wanted| format!("its {what} is {is}, not {wanted}"))
    };
    let text = |value: Option<u32>| value.map(|value| value.to_string());
    let wanted_user = match user {
        Some(Account::Number(number)) => Some(*number),
        Some(Account::Name(_)) | None => found.as_ref().map(|user| user.number),
    };
    let groups = match supplementary_groups {
        Some(groups) => Some(groups.iter().filter_map(number).collect()),
        None => found
            .as_ref()
            .map(|user| user.groups.clone())
            .or_else(|| user.as_ref().and(wanted_group).map(|group| vec![group])),
    };
    let is = &process.standing;
    let wrong_limit = limits.iter().find(|(limit, most)| set.get(limit) != Some(most));
    differs("user", text(wanted_user), is.user.to_string())
        .or_else(|| {
            differs(
                "group",
                text(wanted_group.or_else(|| found.map(|user| user.group))),
                is.group.to_string(),
            )
        })
        .or_else(|| differs("groups", groups.map(|groups| format!("{groups:?}")), format!("{:?}", is.groups)))
        .or_else(|| differs("umask", text(*umask), is.umask.to_string()))
        .or_else(|| differs("nice", nice.map(|nice| nice.to_string()), is.nice.to_string()))
        .or_else(|| differs("root", chroot.clone(), root.clone().unwrap_or_default()))
        .or_else(|| differs("directory", working_directory.clone(), directory.clone().unwrap_or_default()))
        .or_else(|| wrong_limit.map(|(limit, most)| format!("its {limit} is not {most}")))
        .or_else(|| (*no_new_privs && !is.no_new_privs).then(|| "it may get new privileges".to_owned()))
        .or_else(|| (!process.death_signal).then(|| "it would outlive its host".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_core::sys::Limit;

    #[test]
    fn each_departure_is_seen() {
        let privileges = Privileges {
            user: Some("www-data".into()),
            group: None,
            supplementary_groups: None,
            umask: Some(0o27),
            working_directory: Some("/srv".into()),
            chroot: Some("/var".into()),
            limits: vec![(Limit::OpenFiles, 64)],
            nice: Some(5),
            no_new_privs: true,
        };
        type Row = (fn(&mut Process), Option<&'static str>);
        let rows: [Row; 11] = [
            (|_| (), None),
            (|p| p.standing.user = 0, Some("its user is 0, not 33")),
            (|p| p.standing.group = 0, Some("its group is 0, not 33")),
            (|p| p.standing.groups = vec![33], Some("its groups is [33], not [33, 29]")),
            (|p| p.standing.umask = 0, Some("its umask is 0, not 23")),
            (|p| p.standing.nice = 0, Some("its nice is 0, not 5")),
            (|p| p.standing.root = None, Some("its root is , not /var")),
            (|p| p.standing.directory = None, Some("its directory is , not /srv")),
            (|p| p.standing.limits.clear(), Some("its RLIMIT_NOFILE is not 64")),
            (|p| p.standing.no_new_privs = false, Some("it may get new privileges")),
            (|p| p.death_signal = false, Some("it would outlive its host")),
        ];
        for (change, expected) in rows {
            let mut process = Process::new("worker 0.1".to_owned());
            process.death_signal = true;
            process.standing = Standing {
                user: 33,
                group: 33,
                groups: vec![33, 29],
                umask: 0o27,
                nice: 5,
                limits: [(Limit::OpenFiles, 64)].into(),
                root: Some("/var".into()),
                directory: Some("/srv".into()),
                no_new_privs: true,
            };
            change(&mut process);
            assert_eq!(departure(&privileges, &process).as_deref(), expected);
        }
    }
}
