//! Who belongs to a tree: found at each look, held by pidfd, buried when dead.
//!
//! A process belongs to the tree if its parent does, if it is in the root's process group, in a group or a session
//! that somebody of the tree began, or if it bears the mark. Once seen, it belongs to it wherever it goes, by
//! its number and its start. What changes its environment, begins a session and loses its parent, all
//! before it was ever seen, is lost.

use super::handle::{self, Handle, is_ready};
use super::mark::Mark;
use super::stat::{Census, ProcessId, Stat, State, TICKS};
use super::timeline::{Event, How, Timeline};
use super::tree::{Node, Tree};
use rustix::process::{WaitId, WaitIdOptions, WaitIdStatus, waitid};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

/// How many processes of one tree are held by pidfd, so that a tree that forks without end leaves the
/// test some descriptors: of the others a death is seen at the next look.
const HELD_MAX: usize = 128;

/// How often it is looked in a row if somebody passed by who may have been of the tree, and nobody else of it is
/// left: a program that daemonises does so in two steps. On a busy machine there is always somebody who passes.
const LOOKS_IN_DOUBT: u32 = 3;

/// One process of the tree that has not been reaped, as far as is known.
#[derive(Debug)]
pub(super) struct Member {
    stat: Stat,
    handle: Option<Arc<Handle>>,
    is_dead: bool,
    first_look: u64,
}

#[derive(Debug)]
pub(super) struct Family {
    root: Arc<Handle>,
    mark: Mark,
    /// The test process: who adopts the orphans.
    here: u32,
    members: BTreeMap<u32, Member>,
    /// The numbers of groups and sessions that somebody of the tree began.
    circles: BTreeSet<u32>,
    /// Those that do not belong to it, so that each is asked for its mark once.
    strangers: BTreeMap<u32, u64>,
    /// The numbers that were in use at the last look.
    seen: BTreeSet<u32>,
    looks: u64,
    /// Whether nobody can have been missed: nobody has died since the last look, nor while it was taken.
    is_certain: bool,
    status: Option<ExitStatus>,
}

impl Family {
    pub(super) fn new(root: Handle, mark: Mark, timeline: &mut Timeline) -> Self {
        let root = Arc::new(root);
        let (id, here) = (root.id(), std::process::id());
        let circles = BTreeSet::from([id.pid]);
        let (members, strangers) = (BTreeMap::new(), BTreeMap::new());
        let mut family = Self {
            root,
            mark,
            here,
            members,
            circles,
            strangers,
            seen: BTreeSet::new(),
            looks: 0,
            is_certain: false,
            status: None,
        };
        if let Some(stat) = Stat::of(id.pid) {
            family.adopt(stat, timeline);
        }
        family
    }

    /// Looks at all processes of the machine: whether there is somebody new.
    pub(super) fn look(&mut self, timeline: &mut Timeline) -> bool {
        let mut has_grown = false;
        for _ in 0..LOOKS_IN_DOUBT {
            self.looks += 1;
            let Ok(census) = Census::take() else {
                // No descriptor is left for a look: nothing new is known.
                self.is_certain = false;
                return has_grown;
            };
            self.is_certain = true;
            // Somebody who ended meanwhile, and was not here before, may have left somebody behind.
            let is_passing = |pid: &u32| !self.members.contains_key(pid) && !self.seen.contains(pid);
            let has_passed = census.vanished.iter().any(is_passing);
            self.seen = census.all.iter().map(|stat| stat.id.pid).collect();
            has_grown |= self.compare(census, timeline);
            let is_anybody_alive = self.members.values().any(|member| !member.is_dead);
            if is_anybody_alive || !self.is_certain || !has_passed {
                break;
            }
        }
        has_grown
    }

    /// Compares all processes with those that are known: whether somebody new belongs to the tree.
    fn compare(&mut self, census: Census, timeline: &mut Timeline) -> bool {
        self.strangers.retain(|pid, start| census.find(*pid).is_some_and(|stat| stat.id.start == *start));
        self.part_from_the_gone(&census, timeline);
        let mut unknown = Vec::new();
        for stat in census.all {
            match self.members.get_mut(&stat.id.pid) {
                Some(member) => member.stat = stat,
                None if self.strangers.contains_key(&stat.id.pid) => {}
                None => unknown.push(stat),
            }
        }
        let has_grown = self.adopt_all(unknown, timeline);
        let dead: Vec<u32> = self
            .members
            .values()
            .filter(|member| member.seems_dead())
            .map(|member| member.stat.id.pid)
            .collect();
        dead.into_iter().for_each(|pid| self.settle(pid, timeline));
        has_grown
    }

    /// Those whose numbers are free again, or somebody else's.
    fn part_from_the_gone(&mut self, census: &Census, timeline: &mut Timeline) {
        self.members.retain(|pid, member| {
            let is_there = census.find(*pid).is_some_and(|stat| stat.id == member.stat.id);
            if !is_there && !member.is_dead {
                timeline.note(member.death(How::Untold));
                self.is_certain = false;
            }
            is_there
        });
    }

    /// Takes in who belongs to the tree, until nobody is found any more: a child may come before its parent.
    fn adopt_all(&mut self, mut unknown: Vec<Stat>, timeline: &mut Timeline) -> bool {
        let mut has_grown = false;
        loop {
            let (ours, others): (Vec<_>, Vec<_>) = unknown.into_iter().partition(|stat| self.is_ours(stat));
            unknown = others;
            if ours.is_empty() {
                return has_grown;
            }
            has_grown = true;
            for stat in ours {
                self.adopt(stat, timeline);
            }
        }
    }

    fn is_ours(&mut self, stat: &Stat) -> bool {
        // Nobody of the tree is older than its root.
        if stat.id.start < self.root.id().start || self.strangers.contains_key(&stat.id.pid) {
            return false;
        }
        // A parent that is still itself after its child was seen is its parent.
        let parent = self.members.get(&stat.parent).map(|parent| parent.stat.id);
        if parent.is_some_and(|parent| Stat::of(parent.pid).is_some_and(|now| now.id == parent)) {
            return true;
        }
        if self.circles.contains(&stat.group) || self.circles.contains(&stat.session) {
            return true;
        }
        let is_marked = self.mark.is_on(stat.id);
        match is_marked {
            Some(true) => {}
            Some(false) => drop(self.strangers.insert(stat.id.pid, stat.id.start)),
            // In the midst of exec. Of the tree can only be one who was adopted, or has just lost its parent.
            None if stat.parent == self.here || !self.seen.contains(&stat.parent) => self.is_certain = false,
            None => {}
        }
        is_marked == Some(true)
    }

    fn adopt(&mut self, stat: Stat, timeline: &mut Timeline) {
        let id = stat.id;
        let handle = if id == self.root.id() {
            Some(Arc::clone(&self.root))
        } else if self.members.values().filter(|member| member.handle.is_some()).count() < HELD_MAX {
            Handle::of(id.pid).filter(|handle| handle.id() == id).map(Arc::new)
        } else {
            None
        };
        for circle in [stat.group, stat.session] {
            if circle == id.pid {
                self.circles.insert(circle);
            }
        }
        let ticks = id.start - self.root.id().start;
        let at = Duration::from_millis(ticks * 1000 / TICKS).min(timeline.now());
        timeline.note_at(at, Event::Born { pid: id.pid, parent: stat.parent, name: stat.name.clone() });
        self.members.insert(id.pid, Member { stat, handle, is_dead: false, first_look: self.looks });
    }

    /// What is to be done about one that is dead: how it ended is noted, and it is reaped, if that is this
    /// process's business. The root stays a zombie: as long as the test goes on its number is nobody else's.
    pub(super) fn settle(&mut self, pid: u32, timeline: &mut Timeline) {
        let Some(member) = self.members.get_mut(&pid) else { return };
        let is_root = member.stat.id == self.root.id();
        let mut options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        options.set(WaitIdOptions::NOWAIT, is_root);
        let child = match &member.handle {
            Some(handle) => waitid(WaitId::PidFd(handle.as_fd()), options),
            // A zombie that is this process's child keeps its number until this process reaps it.
            None if member.stat.parent == self.here => match handle::number(pid) {
                Some(number) => waitid(WaitId::Pid(number), options),
                None => return,
            },
            None => Ok(None),
        };
        let how = match child {
            Ok(Some(status)) => How::As(exit_status(&status)),
            // Somebody else's child: the kernel tells of a zombie how it ended, and of nobody else.
            Ok(None) | Err(_) => match Stat::of(pid).filter(|now| now.id == member.stat.id) {
                Some(now) if now.state == State::Zombie => How::As(ExitStatus::from_raw(now.exit)),
                Some(_) | None => How::Untold,
            },
        };
        let is_reaped = matches!(child, Ok(Some(_)));
        if !member.is_dead {
            member.is_dead = true;
            timeline.note(member.death(how));
            // It may have left somebody behind who has not been seen yet.
            self.is_certain = false;
        }
        if let (true, How::As(status)) = (is_root && is_reaped, how) {
            self.status = Some(status);
        } else if is_reaped {
            self.members.remove(&pid);
        }
    }

    /// Reaps the root, at the very end.
    pub(super) fn bury_root(&mut self) {
        // It fails if somebody else has reaped it, which leaves nothing to do.
        let _ = waitid(WaitId::PidFd(self.root.as_fd()), WaitIdOptions::EXITED);
        self.members.remove(&self.root.pid());
    }

    /// Those whose death has not been noted, and the descriptors that tell it.
    pub(super) fn watched(&self) -> Vec<(u32, Arc<Handle>)> {
        let watched = self.members.iter().filter(|(_, member)| !member.is_dead);
        watched.filter_map(|(pid, member)| Some((*pid, Arc::clone(member.handle.as_ref()?)))).collect()
    }

    /// The process of this number that belongs to the tree.
    pub(super) fn handle(&self, id: ProcessId) -> Option<Arc<Handle>> {
        let member = self.members.get(&id.pid).filter(|member| member.stat.id == id)?;
        let opened = || Handle::of(id.pid).filter(|handle| handle.id() == id).map(Arc::new);
        member.handle.clone().or_else(opened)
    }

    pub(super) fn root(&self) -> &Arc<Handle> {
        &self.root
    }

    /// How the root ended, if it has.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        self.status
    }

    /// Whether all who are known are dead, and somebody may have been missed.
    pub(super) fn is_in_doubt(&self) -> bool {
        !self.is_certain && self.members.values().all(|member| member.is_dead)
    }

    /// Whether nobody of the tree is alive.
    pub(super) fn is_over(&self) -> bool {
        self.is_certain && self.members.values().all(|member| member.is_dead)
    }

    /// As of the last look, and of the deaths since.
    pub(super) fn tree(&self) -> Tree {
        let node = |member: &Member| {
            let Stat { id, name, state, parent, group, session, .. } = member.stat.clone();
            // A program whose first thread has ended looks like a zombie, and is none.
            let state = match (member.is_dead, state) {
                (true, _) => State::Zombie,
                (false, State::Zombie) => State::Sleeping,
                (false, state) => state,
            };
            let (first_look, look) = (member.first_look, self.looks);
            Node { id, parent, group, session, state, name, depth: 0, first_look, look }
        };
        Tree::of(self.root.id(), self.is_certain, self.members.values().map(node).collect())
    }
}

impl Member {
    fn seems_dead(&self) -> bool {
        let is_over = |handle: &Arc<Handle>| is_ready(handle.as_fd(), Duration::ZERO);
        self.stat.state == State::Zombie && self.handle.as_ref().is_none_or(is_over)
    }

    fn death(&self, how: How) -> Event {
        Event::Died { pid: self.stat.id.pid, name: self.stat.name.clone(), how }
    }
}

fn exit_status(status: &WaitIdStatus) -> ExitStatus {
    let code = status.exit_status().map_or(0, |code| (code & 0xff) << 8);
    let core = if status.dumped() { 0x80 } else { 0 };
    ExitStatus::from_raw(status.terminating_signal().map_or(code, |signal| signal | core))
}
