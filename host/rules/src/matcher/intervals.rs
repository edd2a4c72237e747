//! Ranges of numbers, found by a number that lies in them.
//!
//! A treap ordered by the lower ends, in which each node knows the highest
//! upper end below it: adding, removing and each range found take time
//! logarithmic in the number of different ranges.

use std::cmp::Ordering;

/// A node's number; [`NONE`] for no node.
type NodeId = u32;

const NONE: NodeId = NodeId::MAX;

/// A bucket for each of many ranges; no number in it is NaN.
#[derive(Clone, Debug)]
pub(super) struct Intervals {
    nodes: Vec<Node>,
    unused: Vec<NodeId>,
    root: NodeId,
    /// For the priorities, which need only be unrelated to the ranges.
    seed: u32,
}

#[derive(Clone, Debug)]
struct Node {
    lowest: f64,
    highest: f64,
    /// The highest upper end of this range and those below.
    highest_below: f64,
    priority: u32,
    left: NodeId,
    right: NodeId,
    /// What stands for the range.
    bucket: u32,
}

impl Default for Intervals {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            unused: Vec::new(),
            root: NONE,
            seed: 0x9e37_79b9,
        }
    }
}

impl Intervals {
    pub(super) fn is_empty(&self) -> bool {
        self.root == NONE
    }

    /// What stands for the range between two numbers, both included.
    pub(super) fn get(&self, lowest: f64, highest: f64) -> Option<u32> {
        let node = self.find(lowest, highest)?;
        Some(self.nodes[node as usize].bucket)
    }

    /// Adds a range that is not there.
    pub(super) fn add(&mut self, lowest: f64, highest: f64, bucket: u32) {
        // Xorshift.
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 17;
        self.seed ^= self.seed << 5;
        let node = Node {
            lowest,
            highest,
            highest_below: highest,
            priority: self.seed,
            left: NONE,
            right: NONE,
            bucket,
        };
        let node = match self.unused.pop() {
            Some(unused) => {
                self.nodes[unused as usize] = node;
                unused
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as NodeId
            }
        };
        let (left, right) = self.split(self.root, lowest, highest);
        let left = self.join(left, node);
        self.root = self.join(left, right);
    }

    /// Removes a range.
    pub(super) fn remove(&mut self, lowest: f64, highest: f64) {
        if let Some(node) = self.find(lowest, highest) {
            self.root = self.without(self.root, node);
            self.unused.push(node);
        }
    }

    /// Calls back with what stands for each range that a number lies in.
    pub(super) fn each(&self, number: f64, mut found: impl FnMut(u32)) {
        self.visit(self.root, number, &mut found);
    }

    fn visit(&self, at: NodeId, number: f64, found: &mut impl FnMut(u32)) {
        let Some(node) = self.nodes.get(at as usize) else {
            return;
        };
        if node.highest_below < number {
            return;
        }
        self.visit(node.left, number, found);
        if node.lowest <= number {
            if number <= node.highest {
                found(node.bucket);
            }
            self.visit(node.right, number, found);
        }
    }

    /// How a range stands to that of a node.
    fn order(&self, lowest: f64, highest: f64, node: NodeId) -> Ordering {
        let node = &self.nodes[node as usize];
        lowest
            .total_cmp(&node.lowest)
            .then(highest.total_cmp(&node.highest))
    }

    fn find(&self, lowest: f64, highest: f64) -> Option<NodeId> {
        let mut at = self.root;
        while at != NONE {
            let node = &self.nodes[at as usize];
            at = match self.order(lowest, highest, at) {
                Ordering::Less => node.left,
                Ordering::Greater => node.right,
                Ordering::Equal => return Some(at),
            };
        }
        None
    }

    /// Parts a tree into what stands before a range and what stands behind.
    fn split(&mut self, at: NodeId, lowest: f64, highest: f64) -> (NodeId, NodeId) {
        if at == NONE {
            return (NONE, NONE);
        }
        if self.order(lowest, highest, at) == Ordering::Less {
            let (left, right) = self.split(self.nodes[at as usize].left, lowest, highest);
            self.nodes[at as usize].left = right;
            self.update(at);
            (left, at)
        } else {
            let (left, right) = self.split(self.nodes[at as usize].right, lowest, highest);
            self.nodes[at as usize].right = left;
            self.update(at);
            (at, right)
        }
    }

    /// Joins two trees of which the first stands before the second.
    fn join(&mut self, left: NodeId, right: NodeId) -> NodeId {
        if left == NONE {
            return right;
        }
        if right == NONE {
            return left;
        }
        if self.nodes[left as usize].priority > self.nodes[right as usize].priority {
            self.nodes[left as usize].right = self.join(self.nodes[left as usize].right, right);
            self.update(left);
            left
        } else {
            self.nodes[right as usize].left = self.join(left, self.nodes[right as usize].left);
            self.update(right);
            right
        }
    }

    /// The tree without a node that is in it.
    fn without(&mut self, at: NodeId, node: NodeId) -> NodeId {
        if at == node {
            let Node { left, right, .. } = self.nodes[node as usize];
            return self.join(left, right);
        }
        let Node {
            lowest, highest, ..
        } = self.nodes[node as usize];
        if self.order(lowest, highest, at) == Ordering::Less {
            self.nodes[at as usize].left = self.without(self.nodes[at as usize].left, node);
        } else {
            self.nodes[at as usize].right = self.without(self.nodes[at as usize].right, node);
        }
        self.update(at);
        at
    }

    fn update(&mut self, at: NodeId) {
        let node = &self.nodes[at as usize];
        let below = [node.left, node.right]
            .into_iter()
            .filter_map(|child| self.nodes.get(child as usize))
            .map(|child| child.highest_below);
        let highest = below.fold(node.highest, f64::max);
        self.nodes[at as usize].highest_below = highest;
    }

    /// About how many bytes it takes.
    pub(super) fn memory(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>() + self.unused.capacity() * size_of::<NodeId>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Intervals;

    proptest! {
        #[test]
        fn ranges_are_found_as_by_looking_at_all(
            steps in proptest::collection::vec((0..6_u8, 0..6_u8), 0..60),
        ) {
            let mut intervals = Intervals::default();
            let mut all: Vec<(f64, f64, u32)> = Vec::new();
            for (lowest, highest) in steps {
                let bucket = u32::from(lowest) * 10 + u32::from(highest);
                let (lowest, highest) = (f64::from(lowest), f64::from(highest));
                if intervals.get(lowest, highest) == Some(bucket) {
                    intervals.remove(lowest, highest);
                    all.retain(|(_, _, other)| *other != bucket);
                } else {
                    intervals.add(lowest, highest, bucket);
                    all.push((lowest, highest, bucket));
                }
                for number in -1..7 {
                    let number = f64::from(number);
                    let mut found = Vec::new();
                    intervals.each(number, |bucket| found.push(bucket));
                    found.sort_unstable();
                    let mut expected: Vec<u32> = all
                        .iter()
                        .filter(|(lowest, highest, _)| *lowest <= number && number <= *highest)
                        .map(|(_, _, bucket)| *bucket)
                        .collect();
                    expected.sort_unstable();
                    prop_assert_eq!(found, expected);
                }
            }
            prop_assert_eq!(intervals.is_empty(), all.is_empty());
        }
    }

    #[test]
    fn many_ranges_make_no_deep_tree() {
        let mut intervals = Intervals::default();
        for bucket in 0..100_000 {
            intervals.add(f64::from(bucket), f64::from(bucket) + 0.5, bucket);
        }
        let mut found = Vec::new();
        intervals.each(70_000.25, |bucket| found.push(bucket));
        assert_eq!(found, [70_000]);
        for bucket in 0..100_000 {
            intervals.remove(f64::from(bucket), f64::from(bucket) + 0.5);
        }
        assert!(intervals.is_empty());
    }
}
