//! A look at a tree of processes.

use super::stat::{ProcessId, State};
use std::fmt;

/// One process of a tree, as it was when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Node {
    /// Its number and its start.
    pub id: ProcessId,
    /// The number of its parent; that of the test, once its own has died.
    pub parent: u32,
    /// The number of its process group.
    pub group: u32,
    /// The number of its session.
    pub session: u32,
    /// What it did.
    pub state: State,
    /// Its name, as the kernel has it: at most 15 bytes.
    pub name: String,
    /// How far from the root; of an orphan, from where it hangs now.
    pub depth: usize,
    /// In which look it was seen for the first time.
    pub(super) first_look: u64,
    /// In which look it was seen here.
    pub(super) look: u64,
}

impl Node {
    /// Its number.
    pub fn pid(&self) -> u32 {
        self.id.pid
    }

    /// Whether it had not died: a zombie has.
    pub fn is_alive(&self) -> bool {
        self.state != State::Zombie
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, name, state, .. } = self;
        write!(f, "{:indent$}{} `{name}` {state}", "", id.pid, indent = 2 * self.depth)
    }
}

/// All processes of a tree, each before its children, brothers and sisters by their numbers; at the end those
/// whose parents have died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    pub(super) root: ProcessId,
    /// Whether nobody can have been missed.
    is_certain: bool,
    pub(super) nodes: Vec<Node>,
}

impl Tree {
    /// From nodes in any order.
    pub(super) fn of(root: ProcessId, is_certain: bool, mut nodes: Vec<Node>) -> Self {
        nodes.sort_by_key(|node| node.id);
        let mut tree = Self { root, is_certain, nodes: Vec::with_capacity(nodes.len()) };
        let is_top = |node: &Node| node.id == root || !nodes.iter().any(|other| other.id.pid == node.parent);
        let (first, orphans): (Vec<_>, Vec<_>) =
            nodes.iter().filter(|node| is_top(node)).partition(|node| node.id == root);
        for top in first.into_iter().chain(orphans) {
            tree.hang(top, 0, &nodes);
        }
        tree
    }

    fn hang(&mut self, node: &Node, depth: usize, all: &[Node]) {
        self.nodes.push(Node { depth, ..node.clone() });
        let root = self.root;
        for child in all.iter().filter(|child| child.parent == node.id.pid && child.id != root) {
            self.hang(child, depth + 1, all);
        }
    }

    /// The process that was started, as long as the test goes on: at last as a zombie.
    pub fn root(&self) -> Option<&Node> {
        self.find(self.root.pid)
    }

    /// The process of this number.
    pub fn find(&self, pid: u32) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id.pid == pid)
    }

    /// All of them, zombies as well.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Node> {
        self.nodes.iter()
    }

    /// Those that are alive.
    pub fn living(&self) -> impl DoubleEndedIterator<Item = &Node> {
        self.iter().filter(|node| node.is_alive())
    }

    /// Those that are dead and whose parents have not asked how they ended. The root is none of them: the test
    /// keeps it so.
    pub fn zombies(&self) -> impl DoubleEndedIterator<Item = &Node> {
        self.iter().filter(|node| !node.is_alive() && node.id != self.root)
    }

    /// Whether nobody is alive, and nobody can have been missed.
    pub(super) fn is_over(&self) -> bool {
        self.is_certain && self.living().next().is_none()
    }

    /// The living children of a process.
    pub fn children_of(&self, pid: u32) -> impl DoubleEndedIterator<Item = &Node> {
        self.living().filter(move |node| node.parent == pid)
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, node) in self.nodes.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{node}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(pid: u32, parent: u32, state: State) -> Node {
        let id = ProcessId { pid, start: 100 };
        let name = format!("p{pid}");
        Node { id, parent, group: 1, session: 1, state, name, depth: 0, first_look: 1, look: 1 }
    }

    #[test]
    fn parents_come_before_their_children_and_orphans_last() {
        // Numbers come back: a child may have a lower one than its parent.
        let nodes = vec![
            node(3, 70, State::Zombie),
            node(9, 1, State::Sleeping),
            node(8, 5, State::Running),
            node(70, 50, State::Sleeping),
            node(50, 1, State::Stopped),
            node(60, 50, State::Sleeping),
        ];
        let tree = Tree::of(ProcessId { pid: 50, start: 100 }, true, nodes);
        let expected = "50 `p50` stopped\n  60 `p60` sleeping\n  70 `p70` sleeping\n    3 `p3` zombie\n\
                        8 `p8` running\n9 `p9` sleeping";
        assert_eq!(tree.to_string(), expected);
        assert_eq!(tree.root().map(Node::pid), Some(50));
        assert_eq!(tree.children_of(70).count(), 0, "a zombie is no living child");
        assert_eq!(tree.children_of(50).map(Node::pid).collect::<Vec<_>>(), [60, 70]);
        assert_eq!(tree.zombies().map(Node::pid).collect::<Vec<_>>(), [3]);
        assert_eq!(tree.living().count(), 5);
        assert_eq!(tree.find(8).map(|node| node.depth), Some(0));
    }
}
