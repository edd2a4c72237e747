//! The paths that some rule names, as a tree of names.

use std::hash::Hasher;

use hashbrown::HashTable;
use rustc_hash::FxHasher;

use super::bytes::same;

/// The place of a path in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PathId(u32);

impl PathId {
    /// The path of the event itself.
    pub(super) const ROOT: Self = Self(0);

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A tree of names that grows and shrinks with the rules. Places that are
/// given up are given out again.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    nodes: Vec<Node>,
    /// The nodes by parent and name.
    by_name: HashTable<PathId>,
    unused: Vec<PathId>,
}

#[derive(Clone, Debug)]
struct Node {
    parent: PathId,
    /// One name, without dots.
    name: Box<[u8]>,
    /// How many fields of rules have this path.
    fields: u32,
    children: u32,
    /// What the names below begin with, a bit for each byte. It tells most
    /// names of an event from those below without looking further.
    first_bytes: [u64; 4],
    /// The same of those names below that have names below them. A name with
    /// dots begins with one of them.
    first_bytes_of_parents: [u64; 4],
    /// The lengths of the names below, a bit for each, the last for longer.
    lengths: u64,
}

impl Node {
    fn new(parent: PathId, name: &[u8]) -> Self {
        Self {
            parent,
            name: name.into(),
            fields: 0,
            children: 0,
            first_bytes: [0; 4],
            first_bytes_of_parents: [0; 4],
            lengths: 0,
        }
    }

    fn add_child(&mut self, name: &[u8]) {
        if self.children == 0 {
            self.first_bytes = [0; 4];
            self.first_bytes_of_parents = [0; 4];
            self.lengths = 0;
        }
        self.children += 1;
        add_first_byte(&mut self.first_bytes, name);
        self.lengths |= length_bit(name);
    }
}

/// Bytes as a set, a bit for each.
fn add_first_byte(bytes: &mut [u64; 4], name: &[u8]) {
    let first = first_byte(name);
    bytes[usize::from(first / 64)] |= 1 << (first % 64);
}

#[inline]
fn has_first_byte(bytes: &[u64; 4], name: &[u8]) -> bool {
    let first = first_byte(name);
    bytes[usize::from(first / 64)] >> (first % 64) & 1 != 0
}

/// The first byte of a name; a dot for the empty name, since a dot follows it
/// where it is the first of several.
#[inline]
fn first_byte(name: &[u8]) -> u8 {
    name.first().copied().unwrap_or(b'.')
}

#[inline]
fn length_bit(name: &[u8]) -> u64 {
    1 << name.len().min(63)
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            nodes: vec![Node::new(PathId::ROOT, &[])],
            by_name: HashTable::new(),
            unused: Vec::new(),
        }
    }
}

impl Paths {
    /// One more than the largest index of a path.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether rules have a field of this path.
    #[inline]
    pub(super) fn is_field(&self, path: PathId) -> bool {
        self.nodes[path.index()].fields > 0
    }

    /// Whether rules have fields below this path.
    #[inline]
    pub(super) fn has_children(&self, path: PathId) -> bool {
        self.nodes[path.index()].children > 0
    }

    /// The path that a name of an event leads to. Dots in it part names.
    #[inline]
    pub(super) fn descend(&self, from: PathId, name: &[u8]) -> Option<PathId> {
        let node = &self.nodes[from.index()];
        if has_first_byte(&node.first_bytes, name)
            && node.lengths & length_bit(name) != 0
            && let Some(child) = self.child(from, name)
        {
            return Some(child);
        }
        if has_first_byte(&node.first_bytes_of_parents, name) {
            return self.descend_dotted(from, name);
        }
        None
    }

    #[cold]
    fn descend_dotted(&self, from: PathId, name: &[u8]) -> Option<PathId> {
        memchr::memchr(b'.', name)?;
        name.split(|byte| *byte == b'.')
            .try_fold(from, |path, name| self.child(path, name))
    }

    #[inline]
    fn child(&self, parent: PathId, name: &[u8]) -> Option<PathId> {
        self.by_name
            .find(hash(parent, name), |path| {
                self.is_named(*path, parent, name)
            })
            .copied()
    }

    #[inline]
    fn is_named(&self, path: PathId, parent: PathId, name: &[u8]) -> bool {
        let node = &self.nodes[path.index()];
        node.parent == parent && same(&node.name, name)
    }

    /// Adds a field with this path, names parted by dots.
    pub(super) fn add(&mut self, path: &str) -> PathId {
        let mut at = PathId::ROOT;
        for name in path.split('.') {
            let name = name.as_bytes();
            at = match self.child(at, name) {
                Some(child) => child,
                None => self.add_child(at, name),
            };
        }
        self.nodes[at.index()].fields += 1;
        at
    }

    fn add_child(&mut self, parent: PathId, name: &[u8]) -> PathId {
        let above = &mut self.nodes[parent.index()];
        above.add_child(name);
        let (grandparent, parent_name) = (above.parent, above.name.clone());
        if parent != PathId::ROOT {
            let above = &mut self.nodes[grandparent.index()];
            add_first_byte(&mut above.first_bytes_of_parents, &parent_name);
        }
        let node = Node::new(parent, name);
        let path = match self.unused.pop() {
            Some(path) => {
                self.nodes[path.index()] = node;
                path
            }
            None => {
                self.nodes.push(node);
                // The names of all patterns together are far below 4 GiB.
                PathId((self.nodes.len() - 1) as u32)
            }
        };
        let nodes = &self.nodes;
        self.by_name
            .insert_unique(hash(parent, name), path, |path| {
                let node = &nodes[path.index()];
                hash(node.parent, &node.name)
            });
        path
    }

    /// Takes away a field with this path.
    pub(super) fn remove(&mut self, path: PathId) {
        self.nodes[path.index()].fields -= 1;
        let mut at = path;
        while at != PathId::ROOT {
            let node = &mut self.nodes[at.index()];
            if node.fields > 0 || node.children > 0 {
                return;
            }
            let (parent, name) = (node.parent, std::mem::take(&mut node.name));
            if let Ok(entry) = self
                .by_name
                .find_entry(hash(parent, &name), |path| *path == at)
            {
                entry.remove();
            }
            self.unused.push(at);
            self.nodes[parent.index()].children -= 1;
            at = parent;
        }
    }

    /// About how many bytes it takes.
    pub(super) fn memory(&self) -> usize {
        let names: usize = self.nodes.iter().map(|node| node.name.len()).sum();
        self.nodes.capacity() * size_of::<Node>()
            + names
            + self.by_name.allocation_size()
            + self.unused.capacity() * size_of::<PathId>()
    }
}

#[inline]
fn hash(parent: PathId, name: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u32(parent.0);
    hasher.write(name);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::{PathId, Paths};

    #[test]
    fn names_with_dots_are_names_within_names() {
        let mut paths = Paths::default();
        let deep = paths.add("a.b.c");
        let beside = paths.add("a.b");
        let empty = paths.add(".x");
        let a = paths
            .descend(PathId::ROOT, b"a")
            .map(|a| paths.descend(a, b"b.c"));
        assert_eq!(a, Some(Some(deep)));
        assert_eq!(paths.descend(PathId::ROOT, b"a.b"), Some(beside));
        assert_eq!(paths.descend(PathId::ROOT, b"a.b.c"), Some(deep));
        assert_eq!(paths.descend(PathId::ROOT, b".x"), Some(empty));
        for name in [b"a.".as_slice(), b"a.c", b"b", b"a..b", b".", b"ab"] {
            assert_eq!(paths.descend(PathId::ROOT, name), None);
        }
        assert!(paths.is_field(beside) && paths.has_children(beside));
    }

    #[test]
    fn what_no_rule_names_any_more_is_given_up() {
        let mut paths = Paths::default();
        let first = paths.add("a.b.c");
        let second = paths.add("a.b");
        paths.remove(first);
        assert_eq!(paths.descend(PathId::ROOT, b"a.b.c"), None);
        assert_eq!(paths.descend(PathId::ROOT, b"a.b"), Some(second));
        paths.remove(second);
        assert_eq!(paths.descend(PathId::ROOT, b"a"), None);
        let size = paths.len();
        for _ in 0..10 {
            let path = paths.add("x.y.z");
            paths.remove(path);
        }
        assert_eq!(paths.len(), size);
    }
}
