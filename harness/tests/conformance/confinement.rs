//! What a child gives up stays given up, and it ends with its host all the same.

use crate::arms::Case;
use crate::world::{Kernel, QUIT, World};
use host_core::sys::{
    Account, Birth, Child, ConfineError, Confinement, Errno, ExitStatus, Handle, Interest, Limit,
    OnHostDeath, Step,
};
use rustix::process::geteuid;
use std::time::Duration;

pub(crate) const CASES: &[Case] = cases![
    a_worker_that_has_changed_its_user_is_killed_with_its_host,
    a_worker_that_has_changed_its_group_alone_is_killed_with_its_host,
    a_worker_that_has_changed_its_user_drains_when_its_host_is_killed,
    who_has_given_up_root_does_not_become_root_again,
    who_is_not_root_neither_raises_a_hard_limit_nor_is_less_nice,
    who_is_confined_may_be_confined_in_the_same_way_again,
    a_child_is_born_with_what_its_parent_has_given_up,
    a_step_that_fails_is_named_and_what_comes_after_it_is_not_done,
    what_is_sure_to_fail_is_foreseen,
    users_and_groups_are_looked_up_by_name_and_by_number,
];

/// Far longer than a worker takes that does drain.
const AMPLE: Duration = Duration::from_secs(30);
/// A user who may do nothing, on every machine.
const NOBODY: u32 = 65_534;

/// Whether this process may change its user. On the real kernel that is for whoever runs the tests to say.
fn is_root(world: &World) -> bool {
    let is_root = world.kernel == Kernel::Simulated || geteuid().is_root();
    if !is_root {
        eprintln!("skipped: only root may change its user");
    }
    is_root
}

fn nobody() -> Confinement {
    Confinement {
        groups: Some(vec![NOBODY]),
        group: Some(NOBODY),
        user: Some(NOBODY),
        ..Confinement::default()
    }
}

/// Nobody, with a limit and as nice as that.
fn a_small_nobody() -> Confinement {
    Confinement { limits: vec![(Limit::OpenFiles, 512)], nice: Some(5), ..nobody() }
}

fn failed(step: Step, errno: Errno) -> Result<(), ConfineError> {
    Err(ConfineError { step, errno })
}

/// Runs `body` in a child, which must come to its end.
fn in_a_child(world: &World, body: impl FnOnce(&World) + 'static) {
    let child = world.fork(&[], |child| {
        body(child);
        0
    });
    assert_eq!(world.end_of(child), ExitStatus::Code(0));
}

/// A host whose one worker confines itself and then does `body`.
fn host(
    world: &World,
    on_host_death: OnHostDeath,
    confinement: Confinement,
    body: impl FnOnce(&World, Handle) -> u8 + 'static,
) -> (Child, Handle) {
    world.fork_on_line(&[], move |host, line| {
        let keep = [line];
        let birth = Birth { on_host_death, drain_timeout: AMPLE, ..host.birth(&keep) };
        host.fork_as(&birth, move |worker| {
            worker.sys.confine(&confinement).unwrap();
            worker.write(line, b"ready");
            body(worker, line)
        });
        host.sys.close(line);
        host.stay()
    })
}

fn a_worker_that_has_changed_its_user_is_killed_with_its_host(world: &World) {
    if !is_root(world) {
        return;
    }
    let (host, line) = host(world, OnHostDeath::Exit, nobody(), |worker, _| worker.spin());
    world.hear(line, b"ready");
    world.quiet(line);
    world.kill(host);
    world.hear_end(line);
}

fn a_worker_that_has_changed_its_group_alone_is_killed_with_its_host(world: &World) {
    if !is_root(world) {
        return;
    }
    let group = Confinement { group: Some(NOBODY), ..Confinement::default() };
    let (host, line) = host(world, OnHostDeath::Exit, group, |worker, _| worker.spin());
    world.hear(line, b"ready");
    world.kill(host);
    world.hear_end(line);
}

fn a_worker_that_has_changed_its_user_drains_when_its_host_is_killed(world: &World) {
    if !is_root(world) {
        return;
    }
    let (host, line) = host(world, OnHostDeath::Drain, nobody(), |worker, line| {
        let waited = worker.sys.wait_or_quit(line, Interest::READ, worker.deadline(AMPLE));
        assert_eq!(waited, Err(Errno::CANCELED));
        worker.write(line, b"asked");
        QUIT
    });
    world.hear(line, b"ready");
    world.kill(host);
    world.hear(line, b"asked");
    world.hear_end(line);
}

fn who_has_given_up_root_does_not_become_root_again(world: &World) {
    if !is_root(world) {
        return;
    }
    in_a_child(world, |child| {
        child.sys.confine(&nobody()).unwrap();
        let nothing = Confinement::default;
        let rows = [
            (Confinement { groups: Some(vec![0]), ..nothing() }, Step::Groups),
            (Confinement { chroot: Some("/tmp".into()), ..nothing() }, Step::Chroot),
            (Confinement { group: Some(0), ..nothing() }, Step::Group),
            (Confinement { user: Some(0), ..nothing() }, Step::User),
        ];
        for (confinement, step) in rows {
            assert_eq!(child.sys.confine(&confinement), failed(step, Errno::PERM));
        }
    });
}

fn who_is_not_root_neither_raises_a_hard_limit_nor_is_less_nice(world: &World) {
    if !is_root(world) {
        return;
    }
    in_a_child(world, |child| {
        child.sys.confine(&a_small_nobody()).unwrap();
        let more = Confinement { limits: vec![(Limit::OpenFiles, 513)], ..Confinement::default() };
        assert_eq!(child.sys.confine(&more), failed(Step::Limit(Limit::OpenFiles), Errno::PERM));
        let first = Confinement { nice: Some(4), ..Confinement::default() };
        assert_eq!(child.sys.confine(&first), failed(Step::Nice, Errno::ACCES));
        let less =
            Confinement { limits: vec![(Limit::OpenFiles, 511)], nice: Some(6), ..Confinement::default() };
        child.sys.confine(&less).unwrap();
    });
}

fn who_is_confined_may_be_confined_in_the_same_way_again(world: &World) {
    if !is_root(world) {
        return;
    }
    in_a_child(world, |child| {
        for _ in 0..2 {
            child.sys.confine(&a_small_nobody()).unwrap();
            assert_eq!(child.sys.foresee(&a_small_nobody()), []);
        }
    });
}

fn a_child_is_born_with_what_its_parent_has_given_up(world: &World) {
    if !is_root(world) {
        return;
    }
    in_a_child(world, |parent| {
        parent.sys.confine(&nobody()).unwrap();
        in_a_child(parent, |child| {
            let root = Confinement { user: Some(0), ..Confinement::default() };
            assert_eq!(child.sys.confine(&root), failed(Step::User, Errno::PERM));
            // It is who it is, and its parent's death was provided for at its birth.
            child.sys.confine(&nobody()).unwrap();
        });
    });
}

fn a_step_that_fails_is_named_and_what_comes_after_it_is_not_done(world: &World) {
    if !is_root(world) {
        return;
    }
    in_a_child(world, |child| {
        let nowhere = Confinement { working_directory: Some("/no/such/directory".into()), ..nobody() };
        assert_eq!(child.sys.confine(&nowhere), failed(Step::WorkingDirectory, Errno::NOENT));
        // It is root as before.
        let tmp = Confinement { chroot: Some("/tmp".into()), ..Confinement::default() };
        child.sys.confine(&tmp).unwrap();
    });
}

fn what_is_sure_to_fail_is_foreseen(world: &World) {
    let error = |step, errno| ConfineError { step, errno };
    let nowhere =
        Confinement { working_directory: Some("/no/such/directory".into()), ..Confinement::default() };
    assert_eq!(world.sys.foresee(&nowhere), [error(Step::WorkingDirectory, Errno::NOENT)]);
    let somewhere = Confinement { working_directory: Some("/tmp".into()), ..Confinement::default() };
    assert_eq!(world.sys.foresee(&somewhere), []);
    if !is_root(world) {
        return;
    }
    assert_eq!(world.sys.foresee(&nobody()), []);
    let no_root = Confinement { chroot: Some("/no/such/directory".into()), ..Confinement::default() };
    assert_eq!(world.sys.foresee(&no_root), [error(Step::Chroot, Errno::NOENT)]);
    in_a_child(world, move |child| {
        child.sys.confine(&nobody()).unwrap();
        let root = Confinement { user: Some(0), chroot: Some("/".into()), ..Confinement::default() };
        let mut foreseen = child.sys.foresee(&root);
        foreseen.sort_by_key(|error| error.step);
        assert_eq!(foreseen, [error(Step::Chroot, Errno::PERM), error(Step::User, Errno::PERM)]);
    });
}

fn users_and_groups_are_looked_up_by_name_and_by_number(world: &World) {
    let root = world.sys.user(&"root".into(), None).unwrap().expect("each machine has it");
    assert_eq!((root.number, root.group), (0, 0));
    assert_eq!(world.sys.user(&Account::Number(0), None), Ok(Some(root)));
    let elsewhere = world.sys.user(&"root".into(), Some(4_242)).unwrap().expect("each machine has it");
    assert_eq!((elsewhere.number, elsewhere.group), (0, 4_242));
    assert!(elsewhere.groups.contains(&4_242));
    assert_eq!(world.sys.group("root"), Ok(Some(0)));
    assert_eq!(world.sys.user(&"no such user".into(), None), Ok(None));
    assert_eq!(world.sys.user(&Account::Number(4_242_424), None), Ok(None));
    assert_eq!(world.sys.group("no such group"), Ok(None));
}
