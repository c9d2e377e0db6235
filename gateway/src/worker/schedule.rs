//! Which task is polled next, and which timer fires next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use super::driver::SocketId;
use super::slots::{Slots, slot_id};

slot_id!(
    /// A task of this worker's executor; stays unique after the task has ended.
    pub TaskId
);
slot_id!(
    /// A timer that was not dropped yet.
    pub TimerId
);

/// What the scheduler knows of one task.
#[derive(Debug, Default)]
pub(super) struct Task {
    ready: bool,
    /// Sockets that are closed when the task ends.
    pub(super) sockets: Vec<SocketId>,
}

/// Tasks, their ready list and their timers.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    pub(super) tasks: Slots<TaskId, Task>,
    ready: Vec<TaskId>,
    /// The task being polled now: new sockets and timers belong to it.
    pub(super) current: Option<TaskId>,
    timers: Slots<TimerId, (Instant, TaskId)>,
    /// Also holds entries of timers that were dropped, until they come up or outnumber the live ones.
    due: BinaryHeap<Reverse<(Instant, TimerId)>>,
}

impl Schedule {
    /// Adds a task that is ready.
    pub(super) fn insert(&mut self) -> TaskId {
        let task = self.tasks.insert(Task::default());
        self.wake(task);
        task
    }

    /// Puts `task` on the ready list, once.
    pub(super) fn wake(&mut self, task: TaskId) {
        if let Some(state) = self.tasks.get_mut(task)
            && !std::mem::replace(&mut state.ready, true)
        {
            self.ready.push(task);
        }
    }

    pub(super) fn wake_all(&mut self) {
        for (id, task) in self.tasks.iter_mut() {
            if !std::mem::replace(&mut task.ready, true) {
                self.ready.push(id);
            }
        }
    }

    /// True when a task waits to be polled.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Swaps the ready list with the empty `pass`: what becomes ready from now on is polled in the next pass.
    pub(super) fn take_ready(&mut self, pass: &mut Vec<TaskId>) {
        std::mem::swap(&mut self.ready, pass);
        for &task in pass.iter() {
            if let Some(task) = self.tasks.get_mut(task) {
                task.ready = false;
            }
        }
    }

    /// Starts a timer of the current task.
    pub(super) fn start_timer(&mut self, deadline: Instant, task: TaskId) -> TimerId {
        if self.due.len() > 2 * self.timers.len() + TIMER_SLACK {
            let timers = &self.timers;
            self.due.retain(|Reverse((_, timer))| timers.get(*timer).is_some());
        }
        let timer = self.timers.insert((deadline, task));
        self.due.push(Reverse((deadline, timer)));
        timer
    }

    /// Forgets a timer.
    pub(super) fn stop_timer(&mut self, timer: TimerId) {
        self.timers.remove(timer);
    }

    /// True when the timer has come up, or was dropped.
    pub(super) fn has_fired(&self, timer: TimerId) -> bool {
        self.timers.get(timer).is_none()
    }

    /// When the next timer fires.
    pub(super) fn next_deadline(&mut self) -> Option<Instant> {
        while let Some(&Reverse((deadline, timer))) = self.due.peek() {
            if self.timers.get(timer).is_some() {
                return Some(deadline);
            }
            self.due.pop();
        }
        None
    }

    /// Wakes the tasks of all timers that are due at `now`.
    pub(super) fn fire(&mut self, now: Instant) {
        while let Some(deadline) = self.next_deadline()
            && deadline <= now
        {
            if let Some(Reverse((_, timer))) = self.due.pop()
                && let Some((_, task)) = self.timers.remove(timer)
            {
                self.wake(task);
            }
        }
    }
}

/// Dropped timers tolerated before the heap is swept.
const TIMER_SLACK: usize = 64;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timers_fire_in_order_and_dropped_ones_do_not() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut schedule = Schedule::default();
        let (first, second) = (schedule.insert(), schedule.insert());
        schedule.take_ready(&mut Vec::new());
        schedule.start_timer(at(20), second);
        schedule.start_timer(at(10), first);
        let dropped = schedule.start_timer(at(5), second);
        schedule.stop_timer(dropped);

        assert_eq!(schedule.next_deadline(), Some(at(10)));
        schedule.fire(at(19));
        let mut pass = Vec::new();
        schedule.take_ready(&mut pass);
        assert_eq!(pass, [first]);
        assert_eq!(schedule.next_deadline(), Some(at(20)));
    }

    #[test]
    fn dropped_timers_do_not_pile_up() {
        let mut schedule = Schedule::default();
        let task = schedule.insert();
        for _ in 0..10_000 {
            let timer = schedule.start_timer(Instant::now() + Duration::from_secs(30), task);
            schedule.stop_timer(timer);
        }
        assert!(schedule.due.len() <= TIMER_SLACK + 1);
    }

    #[test]
    fn a_task_is_ready_once_however_often_it_is_woken() {
        let mut schedule = Schedule::default();
        let task = schedule.insert();
        schedule.wake(task);
        schedule.wake_all();
        let mut pass = Vec::new();
        schedule.take_ready(&mut pass);
        assert_eq!(pass, [task]);
        assert!(!schedule.has_ready());
    }
}
