//! Who a process is and what it may use: user, groups, limits and the rest that a worker gives up.
//!
//! Whoever is root may do everything here, and nobody else anything: there are no capabilities.

use super::disk::is_directory;
use super::rules::Rule;
use super::{Call, Index, Kernel};
use crate::choice::Stream;
use crate::marks::sometimes;
use crate::trace::Kind;
use host_core::sys::{Account, ConfineError, Confinement, Errno, Limit, Step, User};
use std::collections::BTreeMap;

/// What a process has of all that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) user: u32,
    pub(crate) group: u32,
    pub(crate) groups: Vec<u32>,
    pub(crate) umask: u16,
    pub(crate) nice: i8,
    /// Those that were set; there are no others.
    pub(crate) limits: BTreeMap<Limit, u64>,
    pub(crate) root: Option<String>,
    /// Inside the root.
    pub(crate) directory: Option<String>,
    pub(crate) no_new_privs: bool,
}

/// The users of a machine: name, number, first group.
const USERS: [(&str, u32, u32); 3] = [("root", 0, 0), ("www-data", 33, 33), ("nobody", 65_534, 65_534)];
/// Its groups: name, number, who else is in it.
const GROUPS: [(&str, u32, &[u32]); 4] =
    [("root", 0, &[]), ("www-data", 33, &[]), ("audio", 29, &[33]), ("nogroup", 65_534, &[])];

/// What the machine's database says of a user.
pub(crate) fn user(user: &Account, group: Option<u32>) -> Option<User> {
    let (_, number, first) = USERS.into_iter().find(|(name, number, _)| match user {
        Account::Name(wanted) => wanted == name,
        Account::Number(wanted) => wanted == number,
    })?;
    let first = group.unwrap_or(first);
    let others = GROUPS.iter().filter(|(_, _, members)| members.contains(&number));
    let groups = std::iter::once(first).chain(others.map(|(_, group, _)| *group)).collect();
    Some(User { number, group: first, groups })
}

/// The number of a group.
pub(crate) fn group(wanted: &str) -> Option<u32> {
    GROUPS.iter().find(|(name, ..)| *name == wanted).map(|(_, number, _)| *number)
}

/// The steps that are asked for, in their order.
fn steps(confinement: &Confinement) -> Vec<Step> {
    let asked = |is_asked: bool, step| is_asked.then_some(step);
    let limits = confinement.limits.iter().map(|(limit, _)| Some(Step::Limit(*limit)));
    let directory = confinement.working_directory.is_some() || confinement.chroot.is_some();
    let others = [
        asked(confinement.nice.is_some(), Step::Nice),
        asked(confinement.groups.is_some(), Step::Groups),
        asked(confinement.chroot.is_some(), Step::Chroot),
        asked(directory, Step::WorkingDirectory),
        asked(confinement.group.is_some(), Step::Group),
        asked(confinement.user.is_some(), Step::User),
        asked(confinement.no_new_privs, Step::NoNewPrivs),
    ];
    limits.chain(others).flatten().collect()
}

impl Kernel {
    /// Does to a process what its fleet says, up to what fails.
    pub(crate) fn confine(&mut self, me: Index, confinement: &Confinement) -> Result<(), ConfineError> {
        let steps = steps(confinement);
        let fails_at = if self.laid.unconfined > 0 && !steps.is_empty() {
            self.laid.unconfined -= 1;
            Some(self.choices.choose(Stream::Call, me, steps.len() as u32) as usize)
        } else {
            None
        };
        for (place, step) in steps.into_iter().enumerate() {
            let answer = if fails_at == Some(place) {
                sometimes!("a worker cannot confine itself");
                Err([Errno::AGAIN, Errno::PERM][self.choices.choose(Stream::Call, me, 2) as usize])
            } else {
                self.take_step(me, confinement, step)
            };
            if let Err(errno) = answer {
                self.record(me, Kind::Failed, Call::Confine as u64, errno.raw() as u64);
                return Err(ConfineError { step, errno });
            }
        }
        let standing = &mut self.process(me).standing;
        standing.umask = confinement.umask.unwrap_or(standing.umask);
        let (user, group) = (standing.user, standing.group);
        self.record(me, Kind::Confined, u64::from(user), u64::from(group));
        Ok(())
    }

    fn take_step(&mut self, me: Index, confinement: &Confinement, step: Step) -> Result<(), Errno> {
        let (stays_lost, limits_stay) =
            (self.honours(Rule::LostPrivilegesStayLost), self.honours(Rule::HardLimitsStay));
        let process = self.process(me);
        let standing = &mut process.standing;
        let before = (standing.user, standing.group);
        let is_root = standing.user == 0 || !stays_lost;
        let allowed = |is_allowed: bool| if is_allowed { Ok(()) } else { Err(Errno::PERM) };
        match step {
            Step::Limit(limit) => {
                let asked = confinement.limits.iter().find(|(other, _)| *other == limit);
                let most = asked.map_or(u64::MAX, |(_, most)| *most);
                let hard = standing.limits.get(&limit).copied().unwrap_or(u64::MAX);
                allowed(is_root || most <= hard || !limits_stay)?;
                standing.limits.insert(limit, most);
            }
            Step::Nice => {
                let nice = confinement.nice.unwrap_or_default();
                // For once another answer (setpriority(2)).
                allowed(is_root || nice >= standing.nice).map_err(|_| Errno::ACCES)?;
                standing.nice = nice;
            }
            Step::Groups => {
                let groups = confinement.groups.clone().unwrap_or_default();
                allowed(is_root || groups == standing.groups)?;
                standing.groups = groups;
            }
            Step::Chroot => {
                let root = confinement.chroot.clone().unwrap_or_default();
                if !is_directory(&root) {
                    return Err(Errno::NOENT);
                }
                allowed(is_root)?;
                standing.root = Some(root);
            }
            Step::WorkingDirectory => {
                let directory = confinement.working_directory.clone().unwrap_or_else(|| "/".into());
                if !is_directory(&directory) {
                    return Err(Errno::NOENT);
                }
                standing.directory = Some(directory);
            }
            Step::Group => {
                let group = confinement.group.unwrap_or_default();
                allowed(is_root || group == standing.group)?;
                standing.group = group;
            }
            Step::User => {
                let user = confinement.user.unwrap_or_default();
                allowed(is_root || user == standing.user)?;
                standing.user = user;
            }
            Step::NoNewPrivs => standing.no_new_privs = true,
            Step::Capabilities | Step::HostDeath | Step::Dumpable => {}
        }
        if (process.standing.user, process.standing.group) != before {
            // prctl(2), PR_SET_PDEATHSIG.
            process.death_signal = false;
        }
        Ok(())
    }

    /// What the framework does after a change of user or group: it asks for the signal again that the kernel has
    /// taken away, and looks whether its host has died meanwhile.
    pub(crate) fn provide_for_host_death(&mut self, me: Index) {
        if self.process(me).death_signal || !self.honours(Rule::ChangedUserEndsWithHost) {
            return;
        }
        let process = self.process(me);
        process.death_signal = true;
        // Whom its parent did not outlive has another one.
        if process.stranger {
            self.orphaned(me);
        }
    }

    /// What every child of a process is sure to fail in.
    pub(crate) fn foresee(&mut self, me: Index, confinement: &Confinement) -> Vec<ConfineError> {
        let Standing { user, group, groups, .. } = &self.process(me).standing;
        let is_root = *user == 0;
        let fails = |step| match step {
            Step::Groups if !is_root && confinement.groups.as_ref() != Some(groups) => Some(Errno::PERM),
            Step::Group if !is_root && confinement.group != Some(*group) => Some(Errno::PERM),
            Step::User if !is_root && confinement.user != Some(*user) => Some(Errno::PERM),
            Step::Chroot if !is_root => Some(Errno::PERM),
            Step::Chroot if !confinement.chroot.as_deref().is_some_and(is_directory) => Some(Errno::NOENT),
            Step::WorkingDirectory if !confinement.working_directory.as_deref().is_none_or(is_directory) => {
                Some(Errno::NOENT)
            }
            Step::Limit(_)
            | Step::Nice
            | Step::Groups
            | Step::Chroot
            | Step::WorkingDirectory
            | Step::Group
            | Step::User
            | Step::Capabilities
            | Step::HostDeath
            | Step::Dumpable
            | Step::NoNewPrivs => None,
        };
        let steps = steps(confinement).into_iter();
        steps.filter_map(|step| Some(ConfineError { step, errno: fails(step)? })).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Choices;
    use crate::kernel::process::{Orphanage, Process};
    use host_core::sys::{ExitStatus, OnHostDeath};

    /// A process whose host dies after it has changed its user, and before it has asked for the signal again.
    #[test]
    fn a_host_that_dies_while_its_worker_changes_its_user_takes_it_along() {
        for provides in [true, false] {
            let mut kernel = Kernel::new(Choices::seeded(0), false);
            let host = kernel.spawn("host".into(), 0);
            kernel.give_number(host);
            let worker = kernel.bear_stranger(host, "worker 0.1").unwrap();
            let child: &mut Process = kernel.process(worker);
            child.stranger = false;
            child.death_signal = true;
            child.orphanage = Some(Orphanage { policy: OnHostDeath::Exit, drain_timeout: 0 });
            let confinement = Confinement { user: Some(33), ..Confinement::default() };
            kernel.confine(worker, &confinement).unwrap();
            assert!(!kernel.process(worker).death_signal);
            kernel.end(host, ExitStatus::Code(0));
            kernel.become_zombie(host);
            kernel.orphaned(worker);
            assert!(kernel.process(worker).is_living(), "the signal is lost");
            if provides {
                kernel.provide_for_host_death(worker);
            }
            assert_eq!(kernel.process(worker).is_living(), !provides);
        }
    }

    #[test]
    fn each_step_is_taken_as_far_as_it_is_allowed() {
        let mut kernel = Kernel::new(Choices::seeded(0), false);
        kernel.spawn("worker 0.1".into(), 0);
        let all = Confinement {
            limits: vec![(Limit::Core, 5)],
            nice: Some(3),
            groups: Some(vec![33, 29]),
            chroot: Some("/srv".into()),
            working_directory: None,
            group: Some(33),
            user: Some(33),
            umask: Some(0o77),
            no_new_privs: true,
        };
        kernel.confine(0, &all).unwrap();
        let standing = Standing {
            user: 33,
            group: 33,
            groups: vec![33, 29],
            umask: 0o77,
            nice: 3,
            limits: [(Limit::Core, 5)].into(),
            root: Some("/srv".into()),
            directory: Some("/".into()),
            no_new_privs: true,
        };
        assert_eq!(kernel.process(0).standing, standing);
        let nothing = Confinement::default;
        let rows = [
            (
                Confinement { limits: vec![(Limit::Core, 6)], ..nothing() },
                Step::Limit(Limit::Core),
                Errno::PERM,
            ),
            (Confinement { nice: Some(2), ..nothing() }, Step::Nice, Errno::ACCES),
            (Confinement { groups: Some(vec![0]), ..nothing() }, Step::Groups, Errno::PERM),
            (Confinement { chroot: Some("/".into()), ..nothing() }, Step::Chroot, Errno::PERM),
            (
                Confinement { working_directory: Some("/no".into()), ..nothing() },
                Step::WorkingDirectory,
                Errno::NOENT,
            ),
            (Confinement { group: Some(0), ..nothing() }, Step::Group, Errno::PERM),
            (Confinement { user: Some(0), ..nothing() }, Step::User, Errno::PERM),
        ];
        for (confinement, step, errno) in rows {
            assert_eq!(kernel.confine(0, &confinement), Err(ConfineError { step, errno }));
            assert_eq!(kernel.process(0).standing, standing);
        }
        // What holds already needs no privilege.
        kernel.confine(0, &Confinement { chroot: None, ..all }).unwrap();
    }
}
