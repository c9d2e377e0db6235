//! Queues of slices for all sockets of a worker, in one shared arena: an empty queue costs no memory and a
//! growing one no allocation.

use super::buffers::Slice;

/// First in, first out; its nodes lie in a [`QueueArena`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    head: u32,
    tail: u32,
    bytes: usize,
}

impl Default for Queue {
    fn default() -> Self {
        Self { head: NONE, tail: NONE, bytes: 0 }
    }
}

impl Queue {
    /// Sum of the queued slices' lengths.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head == NONE
    }
}

/// The nodes of all queues. `bytes` of the arena is the sum over its queues.
#[derive(Debug)]
pub(super) struct QueueArena {
    nodes: Vec<Node>,
    vacant: u32,
    bytes: usize,
}

#[derive(Debug)]
struct Node {
    slice: Option<Slice>,
    next: u32,
}

impl Default for QueueArena {
    fn default() -> Self {
        Self { nodes: Vec::new(), vacant: NONE, bytes: 0 }
    }
}

impl QueueArena {
    /// Sum of the lengths of all slices in all queues.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends `slice`, joined with the last one where the two are adjacent in memory.
    pub(super) fn push_back(&mut self, queue: &mut Queue, slice: Slice) {
        queue.bytes += slice.len();
        self.bytes += slice.len();
        let slice = match self.slice_mut(queue.tail) {
            Some(last) => match last.join(slice) {
                Ok(()) => return,
                Err(slice) => slice,
            },
            None => slice,
        };
        let node = self.allocate(slice);
        match queue.tail {
            NONE => queue.head = node,
            tail => self.nodes[tail as usize].next = node,
        }
        queue.tail = node;
    }

    /// Appends a copy of `piece` outside the ring, packed into the last block: whoever drips bytes costs no more than
    /// these.
    pub(super) fn push_copy(&mut self, queue: &mut Queue, mut piece: Slice) {
        if let Some(last) = self.slice_mut(queue.tail) {
            let taken = last.append(&piece);
            piece.advance(taken);
            queue.bytes += taken;
            self.bytes += taken;
        }
        if !piece.is_empty() {
            piece.detach();
            self.push_back(queue, piece);
        }
    }

    pub(super) fn pop_front(&mut self, queue: &mut Queue) -> Option<Slice> {
        let head = queue.head;
        let slice = self.nodes.get_mut(head as usize)?.slice.take()?;
        queue.head = self.nodes[head as usize].next;
        if queue.head == NONE {
            queue.tail = NONE;
        }
        self.nodes[head as usize].next = std::mem::replace(&mut self.vacant, head);
        queue.bytes -= slice.len();
        self.bytes -= slice.len();
        Some(slice)
    }

    /// The first slice, or so much of it; `None` when nothing is queued or asked for.
    pub(super) fn pop_at_most(&mut self, queue: &mut Queue, bytes: usize) -> Option<Slice> {
        let first = self.slice_mut(queue.head)?;
        if first.len() <= bytes {
            return self.pop_front(queue);
        }
        let part = (bytes > 0).then(|| first.split_to(bytes))?;
        queue.bytes -= bytes;
        self.bytes -= bytes;
        Some(part)
    }

    pub(super) fn clear(&mut self, queue: &mut Queue) {
        while self.pop_front(queue).is_some() {}
    }

    /// Copies all queued slices out of the ring, so that receives can go on.
    pub(super) fn detach_all(&mut self) {
        self.nodes.iter_mut().filter_map(|node| node.slice.as_mut()).for_each(Slice::detach);
    }

    fn slice_mut(&mut self, node: u32) -> Option<&mut Slice> {
        self.nodes.get_mut(node as usize)?.slice.as_mut()
    }

    fn allocate(&mut self, slice: Slice) -> u32 {
        let fresh = Node { slice: Some(slice), next: NONE };
        match self.vacant {
            NONE => {
                self.nodes.push(fresh);
                u32::try_from(self.nodes.len() - 1).expect("queued bytes are bounded far below 2^32 slices")
            }
            vacant => {
                self.vacant = self.nodes[vacant as usize].next;
                self.nodes[vacant as usize] = fresh;
                vacant
            }
        }
    }
}

/// No node.
const NONE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::super::buffers::{Pool, RingShape};
    use super::*;

    #[test]
    fn slices_leave_in_order_and_nodes_are_reused() {
        let pool = Pool::new(RingShape::PACKED);
        let (mut arena, mut first, mut second) = (QueueArena::default(), Queue::default(), Queue::default());
        for _ in 0..3 {
            arena.push_back(&mut first, pool.copy_of(b"a"));
            arena.push_back(&mut first, pool.copy_of(b"bc"));
            arena.push_back(&mut second, pool.copy_of(b"x"));
            arena.push_back(&mut first, pool.copy_of(b"d"));
            assert_eq!((first.bytes(), arena.bytes()), (4, 5));

            let drained: Vec<u8> =
                std::iter::from_fn(|| arena.pop_front(&mut first)).flat_map(|slice| slice.to_vec()).collect();
            assert_eq!(drained, b"abcd");
            arena.clear(&mut second);
        }
        assert_eq!((arena.nodes.len(), arena.bytes()), (4, 0));
        assert!(first.is_empty() && second.is_empty());
    }

    #[test]
    fn a_slice_leaves_in_parts_where_it_is_too_large() {
        let pool = Pool::new(RingShape::PACKED);
        let (mut arena, mut queue) = (QueueArena::default(), Queue::default());
        arena.push_back(&mut queue, pool.copy_of(b"ab"));
        arena.push_back(&mut queue, pool.copy_of(b"cdefg"));

        for (most, part, left) in [(2, "ab", 5), (3, "cde", 2), (0, "", 2), (9, "fg", 0), (9, "", 0)] {
            let popped = arena.pop_at_most(&mut queue, most);
            assert_eq!(popped.as_deref().unwrap_or_default(), part.as_bytes());
            assert_eq!((queue.bytes(), arena.bytes()), (left, left));
        }
    }

    #[test]
    fn dripped_bytes_cost_no_more_than_themselves() {
        const BYTES: usize = 100_000;
        let pool = Pool::new(RingShape::PACKED);
        let (mut arena, mut queue) = (QueueArena::default(), Queue::default());
        let mut block = pool.ring_slice().unwrap();
        for index in 0..BYTES {
            let mut piece = block.split_to(1);
            piece[0] = index as u8;
            arena.push_copy(&mut queue, piece);
        }
        drop(block);

        let bytes = pool.bytes();
        assert!(bytes.ring_held == 0 && bytes.heap_held < 2 * BYTES, "{bytes:?}");
        assert_eq!((queue.bytes(), arena.bytes()), (BYTES, BYTES));
        let drained = std::iter::from_fn(|| arena.pop_front(&mut queue)).flat_map(|slice| slice.to_vec());
        assert!(drained.eq((0..BYTES).map(|index| index as u8)));
    }

    #[test]
    fn adjacent_pieces_are_joined() {
        let pool = Pool::new(RingShape::PACKED);
        let mut block = pool.ring_slice().unwrap();
        let (mut arena, mut queue) = (QueueArena::default(), Queue::default());
        arena.push_back(&mut queue, block.split_to(10));
        arena.push_back(&mut queue, block.split_to(20));

        assert_eq!(arena.pop_front(&mut queue).unwrap().len(), 30);
        assert!(queue.is_empty());
    }
}
