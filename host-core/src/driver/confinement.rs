//! From a fleet's privileges, which name users and groups, to what its workers do to themselves.

use crate::error::Mistake;
use crate::fleet::config::FleetConfig;
use crate::fleet::privileges::Privileges;
use crate::sys::{Account, Confinement, Errno, Processes, Step, User};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

/// Looks up all names of a fleet, and whether its workers can be confined as it says, as far as that is known
/// beforehand. What is wrong joins the other mistakes.
pub(super) fn of(
    fleet: &FleetConfig,
    sys: &(impl Processes + ?Sized),
    mistakes: &mut Vec<Mistake>,
) -> Confinement {
    let privileges = &fleet.privileges;
    if *privileges == Privileges::default() || !privileges.mistakes().is_empty() {
        return Confinement::default();
    }
    let mut settling = Settling { fleet: &fleet.name, sys, mistakes };
    let before = settling.mistakes.len();
    let confinement = settling.settle(privileges);
    if settling.mistakes.len() == before {
        settling.foresee(privileges, &confinement);
    }
    confinement
}

/// What looking up takes.
struct Settling<'a, S: ?Sized> {
    fleet: &'a str,
    sys: &'a S,
    mistakes: &'a mut Vec<Mistake>,
}

impl<S: Processes + ?Sized> Settling<'_, S> {
    fn settle(&mut self, privileges: &Privileges) -> Confinement {
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
        let group = group.as_ref().and_then(|group| self.group("group", group));
        let user = user.as_ref().and_then(|user| self.user(user, privileges, group));
        let groups = match supplementary_groups {
            None => user.as_ref().map(|user| user.groups.clone()),
            Some(all) => {
                Some(all.iter().filter_map(|group| self.group("supplementary_groups", group)).collect())
            }
        };
        Confinement {
            limits: limits.clone(),
            nice: nice.map(|nice| nice as i8),
            groups,
            chroot: chroot.clone(),
            working_directory: working_directory.clone(),
            group: group.or_else(|| user.as_ref().map(|user| user.group)),
            user: user.map(|user| user.number),
            umask: umask.map(|umask| umask as u16),
            no_new_privs: *no_new_privs,
        }
    }

    fn user(&mut self, user: &Account, privileges: &Privileges, group: Option<u32>) -> Option<User> {
        match (self.sys.user(user, group), user, group) {
            (Ok(Some(found)), ..) => return Some(found),
            // A number that is in no database is somebody all the same, if it is said in which group.
            (Ok(None), Account::Number(number), Some(group)) => {
                return Some(User { number: *number, group, groups: [group].into() });
            }
            // That group was refused, and so much for both.
            (Ok(None), Account::Number(_), None) if privileges.group.is_some() => {}
            (Ok(None), Account::Number(_), None) => {
                self.refuse(
                    "user",
                    user.to_string(),
                    "must be in the database of users, or have a group of its own given".into(),
                );
            }
            (Ok(None), Account::Name(_), _) => {
                self.refuse(
                    "user",
                    user.to_string(),
                    "must be a user of this machine: there is none of that name".into(),
                );
            }
            (Err(errno), ..) => {
                self.refuse("user", user.to_string(), format!("cannot be looked up: {errno}"))
            }
        }
        None
    }

    fn group(&mut self, field: &str, group: &Account) -> Option<u32> {
        let name = match group {
            Account::Number(number) => return Some(*number),
            Account::Name(name) => name,
        };
        match self.sys.group(name) {
            Ok(Some(number)) => return Some(number),
            Ok(None) => {
                self.refuse(
                    field,
                    group.to_string(),
                    "must be a group of this machine: there is none of that name".into(),
                );
            }
            Err(errno) => self.refuse(field, group.to_string(), format!("cannot be looked up: {errno}")),
        }
        None
    }

    /// What is sure to fail in each worker fails here, once.
    fn foresee(&mut self, privileges: &Privileges, confinement: &Confinement) {
        let mut told = Vec::new();
        for error in self.sys.foresee(confinement) {
            let (field, found) = culprit(error.step, privileges);
            // Groups that come with a user are no mistake of their own.
            if told.contains(&field) {
                continue;
            }
            told.push(field);
            let wanted = if error.errno == Errno::PERM {
                format!("needs a host that may do that: run it as root, or take it out ({error})")
            } else {
                format!("cannot be had: {error}")
            };
            self.refuse(field, found, wanted);
        }
    }

    fn refuse(&mut self, field: &str, found: String, wanted: String) {
        let field = format!("{field} of fleet `{}`", self.fleet.escape_debug());
        self.mistakes.push(Mistake { field, found, wanted });
    }
}

/// The setting that a step is there for, and its value.
fn culprit(step: Step, privileges: &Privileges) -> (&'static str, String) {
    let Privileges { user, group, supplementary_groups, working_directory, chroot, nice, .. } = privileges;
    let path = |path: &Option<String>| format!("`{}`", path.as_deref().unwrap_or_default().escape_debug());
    let of_user = || ("user", user.as_ref().map(Account::to_string).unwrap_or_default());
    match (step, group, supplementary_groups) {
        (Step::Chroot, ..) => ("chroot", path(chroot)),
        (Step::WorkingDirectory, ..) => ("working_directory", path(working_directory)),
        (Step::Limit(limit), ..) => ("limit", limit.to_string()),
        (Step::Nice, ..) => ("nice", nice.unwrap_or_default().to_string()),
        (Step::Group, Some(group), _) => ("group", group.to_string()),
        (Step::Groups, _, Some(groups)) => {
            let groups: Vec<_> = groups.iter().map(Account::to_string).collect();
            ("supplementary_groups", groups.join(", "))
        }
        (Step::Group | Step::Groups, ..)
        | (Step::User | Step::Capabilities | Step::HostDeath | Step::Dumpable | Step::NoNewPrivs, ..) => {
            of_user()
        }
    }
}
