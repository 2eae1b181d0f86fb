//! The databases of users and groups, as nsswitch.conf(5) says where they are.

use host_core::sys::{Account, Errno, User};
use nix::unistd::{self, Gid, Uid, getgrouplist};
use std::ffi::CString;

/// A user, with all groups that it is in.
pub(crate) fn user(user: &Account, group: Option<u32>) -> Result<Option<User>, Errno> {
    let found = found(match user {
        Account::Name(name) => unistd::User::from_name(name),
        Account::Number(number) => unistd::User::from_uid(Uid::from_raw(*number)),
    })?;
    let Some(found) = found else { return Ok(None) };
    let group = group.map_or(found.gid, Gid::from_raw);
    // No name in the database has a zero byte.
    let name = CString::new(found.name).map_err(|_| Errno::INVAL)?;
    let groups = getgrouplist(&name, group).map_err(errno)?;
    let groups = groups.into_iter().map(Gid::as_raw).collect();
    Ok(Some(User { number: found.uid.as_raw(), group: group.as_raw(), groups }))
}

/// The number of a group.
pub(crate) fn group(name: &str) -> Result<Option<u32>, Errno> {
    Ok(found(unistd::Group::from_name(name))?.map(|group| group.gid.as_raw()))
}

/// Some sources answer so for somebody whom they do not know (getpwnam(3), errors).
fn found<T>(answer: nix::Result<Option<T>>) -> Result<Option<T>, Errno> {
    match answer {
        Err(nix::errno::Errno::ENOENT | nix::errno::Errno::ESRCH) => Ok(None),
        answer => answer.map_err(errno),
    }
}

fn errno(errno: nix::errno::Errno) -> Errno {
    Errno::from_raw(errno as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known_by_name_and_by_number_and_in_another_group_if_that_is_said() {
        let root = user(&Account::Name("root".into()), None).unwrap().unwrap();
        assert_eq!((root.number, root.group), (0, 0));
        assert!(root.groups.contains(&0));
        assert_eq!(user(&Account::Number(0), None), Ok(Some(root)));
        let other = user(&Account::Number(0), Some(4242)).unwrap().unwrap();
        assert_eq!(other.group, 4242);
        assert!(other.groups.contains(&4242));
        assert_eq!(group("root"), Ok(Some(0)));
    }

    #[test]
    fn nobody_has_these() {
        assert_eq!(user(&Account::Name("no such user".into()), None), Ok(None));
        assert_eq!(user(&Account::Number(4_242_424), None), Ok(None));
        assert_eq!(group("no such group"), Ok(None));
    }
}
