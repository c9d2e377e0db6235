//! Memory for large frames: what is reserved, and who waits for it. First come, first served: nobody is admitted past
//! a waiter, so that a large frame has its turn however many smaller ones keep coming.

use std::collections::VecDeque;

use super::schedule::TaskId;

/// Which of a connection's two sockets a frame comes from. Each side has rooms of its own: a broker that has an answer to
/// give reads no further request, so an answer must not wait for room that a request holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Upstream,
}

/// Names one reservation; counts up and is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// Reservations within one limit. `taken` is the sum of the admitted ones.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    taken: usize,
    /// Oldest first.
    waiting: VecDeque<Waiter>,
    drawn: u64,
}

#[derive(Debug)]
struct Waiter {
    ticket: Ticket,
    bytes: usize,
    task: TaskId,
}

impl Rooms {
    /// Asks for room, for `task`.
    pub(super) fn enter(&mut self, bytes: usize, bytes_max: usize, task: TaskId) -> Ticket {
        let ticket = Ticket(self.drawn);
        self.drawn += 1;
        self.waiting.push_back(Waiter { ticket, bytes, task });
        self.admit(bytes_max, |_| {});
        ticket
    }

    /// True once there is room.
    pub(super) fn is_admitted(&self, ticket: Ticket) -> bool {
        self.waiting.front().is_none_or(|first| ticket < first.ticket)
    }

    /// Frames that wait for room.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Bytes that are reserved.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// Gives room back, or no longer waits for it; `wake` is told whose turn it is now.
    pub(super) fn leave(&mut self, ticket: Ticket, bytes: usize, bytes_max: usize, wake: impl FnMut(TaskId)) {
        if self.is_admitted(ticket) {
            self.taken -= bytes;
        } else {
            self.waiting.retain(|waiter| waiter.ticket != ticket);
        }
        self.admit(bytes_max, wake);
    }

    /// Admits from the front while there is room. One frame alone always has it, whatever its size.
    fn admit(&mut self, bytes_max: usize, mut wake: impl FnMut(TaskId)) {
        while let Some(first) = self.waiting.front()
            && (self.taken == 0 || self.taken + first.bytes <= bytes_max)
        {
            self.taken += first.bytes;
            wake(first.task);
            self.waiting.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::schedule::Schedule;
    use super::*;

    const BYTES_MAX: usize = 100;

    /// Rooms with a task of its own for each of `frames`, in this order.
    fn entered<const N: usize>(frames: [usize; N]) -> (Rooms, [Ticket; N], [TaskId; N]) {
        let (mut rooms, mut schedule) = (Rooms::default(), Schedule::default());
        let tasks = frames.map(|_| schedule.insert());
        let mut each = frames.iter().zip(tasks);
        let tickets = frames.map(|_| {
            let (&bytes, task) = each.next().expect("as many");
            rooms.enter(bytes, BYTES_MAX, task)
        });
        (rooms, tickets, tasks)
    }

    fn leave(rooms: &mut Rooms, ticket: Ticket, bytes: usize) -> Vec<TaskId> {
        let mut woken = Vec::new();
        rooms.leave(ticket, bytes, BYTES_MAX, |task| woken.push(task));
        woken
    }

    #[test]
    fn nobody_is_admitted_past_a_waiter() {
        let (mut rooms, [first, large, small], [_, large_task, small_task]) = entered([20, 90, 10]);
        assert!(rooms.is_admitted(first) && !rooms.is_admitted(large));
        assert!(!rooms.is_admitted(small), "there is room, but not yet for this one");

        assert_eq!(leave(&mut rooms, first, 20), [large_task, small_task]);
        assert!(rooms.is_admitted(large) && rooms.is_admitted(small));
    }

    #[test]
    fn who_gives_up_waiting_makes_way() {
        let (mut rooms, [first, large, small], [_, _, small_task]) = entered([20, 90, 10]);
        assert_eq!(leave(&mut rooms, large, 90), [small_task]);
        assert!(rooms.is_admitted(small));

        leave(&mut rooms, first, 20);
        leave(&mut rooms, small, 10);
        assert_eq!(rooms.taken, 0);
    }

    #[test]
    fn one_frame_alone_has_room_whatever_its_size() {
        let (rooms, [giant, small], _) = entered([10 * BYTES_MAX, 1]);
        assert!(rooms.is_admitted(giant) && !rooms.is_admitted(small));
    }
}
