//! What a child gives up before its body, and what its parent can know of that beforehand.
//!
//! A child has one thread, so that what the kernel keeps of each thread – user, groups, capabilities – is the
//! process's: the calls here are the kernel's own, without the libc's, which tell all threads.

use crate::birth;
use host_core::sys::{ConfineError, Confinement, Limit, Step};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::{Errno, Result as Answer, retry_on_intr};
use rustix::process::{
    DumpableBehavior, Gid, Resource, Rlimit, Uid, chdir, chroot, getegid, geteuid, getgid, getgroups, getuid,
    parent_process_death_signal, set_dumpable_behavior, set_parent_process_death_signal, setpriority_process,
    setrlimit, umask,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};
use std::collections::BTreeSet;

/// Does to this process what `confinement` says. What needs the privileges of before comes first.
pub(crate) fn confine(confinement: &Confinement) -> Result<(), ConfineError> {
    let Confinement {
        limits,
        nice,
        groups,
        chroot: root,
        working_directory,
        group,
        user,
        umask: mask,
        no_new_privs,
    } = confinement;
    for (limit, most) in limits {
        let most = (*most != u64::MAX).then_some(*most);
        step(Step::Limit(*limit), setrlimit(resource(*limit), Rlimit { current: most, maximum: most }))?;
    }
    if let Some(nice) = nice {
        step(Step::Nice, setpriority_process(None, i32::from(*nice)))?;
    }
    if let Some(groups) = groups {
        let all: Vec<_> = groups.iter().copied().map(Gid::from_raw).collect();
        match set_thread_groups(&all) {
            // Who may not change them need not.
            Err(Errno::PERM) if is_in(groups, *group) => {}
            answer => step(Step::Groups, answer)?,
        }
    }
    if let Some(root) = root {
        step(Step::Chroot, chroot(root))?;
    }
    // Without it `..` would lead out of the new root.
    if let Some(directory) = working_directory.as_deref().or_else(|| root.as_ref().map(|_| "/")) {
        step(Step::WorkingDirectory, chdir(directory))?;
    }
    if group.is_some() || user.is_some() {
        become_another(*group, *user)?;
        // A core would tell others of that user what the host had in its memory, so the kernel forbids one.
        if limits.iter().any(|(limit, most)| *limit == Limit::Core && *most > 0) {
            step(Step::Dumpable, set_dumpable_behavior(DumpableBehavior::Dumpable))?;
        }
    }
    if let Some(mask) = mask {
        umask(Mode::from_raw_mode(u32::from(*mask)));
    }
    if *no_new_privs {
        step(Step::NoNewPrivs, set_no_new_privs(true))?;
    }
    Ok(())
}

/// Changes the group while the user still may, then the user, and sees to it that this process still ends with its
/// host.
fn become_another(group: Option<u32>, user: Option<u32>) -> Result<(), ConfineError> {
    let signal = step(Step::HostDeath, parent_process_death_signal())?;
    if let Some(group) = group.map(Gid::from_raw) {
        step(Step::Group, set_thread_res_gid(group, group, group))?;
    }
    if let Some(user) = user.map(Uid::from_raw) {
        step(Step::User, set_thread_res_uid(user, user, user))?;
        if !user.is_root() {
            // They are gone with root; a host that had them and is not root would leave them to its workers.
            let none = CapabilitySet::empty();
            let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
            step(Step::Capabilities, set_capabilities(None, none))?;
        }
    }
    // The kernel has cleared it (prctl(2), PR_SET_PDEATHSIG). If the host died meanwhile, no signal comes.
    step(Step::HostDeath, set_parent_process_death_signal(signal))?;
    birth::see_whether_orphaned(signal);
    Ok(())
}

/// What is sure to fail in each child of this process. What depends on the moment is not among it.
pub(crate) fn foresee(confinement: &Confinement) -> Vec<ConfineError> {
    let Confinement { groups, chroot, working_directory, group, user, .. } = confinement;
    let effective = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    let lacks = |wanted: CapabilitySet| !effective.contains(wanted);
    let mut errors = Vec::new();
    let mut refuse =
        |step, errno: Errno| errors.push(ConfineError { step, errno: crate::linux::errno(errno) });
    // Who is another user can only be signalled with CAP_KILL, even by the death of its host.
    let others_user = user.is_some_and(|user| ![getuid(), geteuid()].contains(&Uid::from_raw(user)));
    if others_user && lacks(CapabilitySet::SETUID | CapabilitySet::KILL) {
        refuse(Step::User, Errno::PERM);
    }
    let others_group = group.is_some_and(|group| ![getgid(), getegid()].contains(&Gid::from_raw(group)));
    if others_group && lacks(CapabilitySet::SETGID) {
        refuse(Step::Group, Errno::PERM);
    }
    if groups.as_ref().is_some_and(|groups| !is_in(groups, *group)) && lacks(CapabilitySet::SETGID) {
        refuse(Step::Groups, Errno::PERM);
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = |path: &str| retry_on_intr(|| openat(CWD, path, flags, Mode::empty()));
    let root = match chroot {
        None => None,
        Some(_) if lacks(CapabilitySet::SYS_CHROOT) => return refused(errors, Step::Chroot, Errno::PERM),
        Some(path) => match open(path) {
            Ok(root) => Some(root),
            Err(errno) => return refused(errors, Step::Chroot, errno),
        },
    };
    let opened = match (working_directory, &root) {
        (None, _) => return errors,
        (Some(path), None) => open(path),
        // As from inside: neither `..` nor a symbolic link leads out.
        (Some(path), Some(root)) => {
            retry_on_intr(|| openat2(root, path.as_str(), flags, Mode::empty(), ResolveFlags::IN_ROOT))
        }
    };
    match opened {
        Ok(_) => errors,
        Err(errno) => refused(errors, Step::WorkingDirectory, errno),
    }
}

fn refused(mut errors: Vec<ConfineError>, step: Step, errno: Errno) -> Vec<ConfineError> {
    errors.push(ConfineError { step, errno: crate::linux::errno(errno) });
    errors
}

/// Whether these are the supplementary groups already, in whatever order, of a process that is to be in `group`: who is
/// in a group by that is in it whether it is listed once more or not.
fn is_in(groups: &[u32], group: Option<u32>) -> bool {
    let first = group.unwrap_or_else(|| getegid().as_raw());
    let others = |groups: &[u32]| {
        let others = groups.iter().copied().filter(|group| *group != first);
        others.collect::<BTreeSet<_>>()
    };
    let own = getgroups().map(|own| own.into_iter().map(Gid::as_raw).collect::<Vec<_>>());
    own.is_ok_and(|own| others(&own) == others(groups))
}

fn step<T>(step: Step, answer: Answer<T>) -> Result<T, ConfineError> {
    answer.map_err(|errno| ConfineError { step, errno: crate::linux::errno(errno) })
}

const fn resource(limit: Limit) -> Resource {
    match limit {
        Limit::OpenFiles => Resource::Nofile,
        Limit::Processes => Resource::Nproc,
        Limit::AddressSpace => Resource::As,
        Limit::Data => Resource::Data,
        Limit::Stack => Resource::Stack,
        Limit::LockedMemory => Resource::Memlock,
        Limit::FileSize => Resource::Fsize,
        Limit::Core => Resource::Core,
        Limit::CpuSeconds => Resource::Cpu,
    }
}
