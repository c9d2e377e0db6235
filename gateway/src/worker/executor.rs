//! The tasks of one worker and the turn that drives them.
//!
//! ```text
//! turn: submit and wait ─▶ take in all completions ─▶ accept ─▶ poll every ready task once ─▶ one send per socket
//! ```

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Waker};

use super::driver::Driver;
use super::io::{Accepted, Io};
use super::schedule::TaskId;
use super::slots::SlotId;

/// Runs the tasks of one worker, on the worker's thread.
pub struct Executor<D: Driver> {
    io: Io<D>,
    /// Indexed by the slot of the task.
    futures: Vec<Option<TaskFuture>>,
    /// The tasks of the pass under way; kept for its capacity.
    pass: Vec<TaskId>,
    failures: Failures,
}

/// Connections that ended, or never began, by no fault of their peers; since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// Tasks that panicked.
    pub panics: u64,
    /// Tasks that had not ended when the drain deadline passed.
    pub overdue: u64,
    /// Connections that the kernel could not hand out.
    pub accepts: u64,
}

type TaskFuture = Pin<Box<dyn Future<Output = ()>>>;

impl<D: Driver> Executor<D> {
    /// An executor without tasks.
    pub fn new(io: Io<D>) -> Self {
        Self { io, futures: Vec::new(), pass: Vec::new(), failures: Failures::default() }
    }

    /// The sockets that the tasks use.
    pub fn io(&self) -> &Io<D> {
        &self.io
    }

    /// Adds a task: the one allocation of its life.
    pub fn spawn(&mut self, future: impl Future<Output = ()> + 'static) -> TaskId {
        let task = self.io.state().schedule.insert();
        let index = task.key().index();
        if self.futures.len() <= index {
            self.futures.resize_with(index + 1, || None);
        }
        self.futures[index] = Some(Box::pin(future));
        task
    }

    /// Number of tasks that have not ended.
    pub fn tasks(&self) -> usize {
        self.io.state().schedule.tasks.len()
    }

    /// What went wrong, since the start.
    pub fn failures(&self) -> Failures {
        Failures { accepts: self.io.state().accept_failures, ..self.failures }
    }

    /// True when nothing is accepted any more and no task is left.
    pub fn is_drained(&self) -> bool {
        self.io.draining() && self.io.listeners().is_empty() && self.tasks() == 0
    }

    /// One turn. `accept` makes the task of a new connection. It ends when all tasks had their say and before the next
    /// wait, so that the caller can hand over what they left for others.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to wait: the worker cannot go on.
    pub fn turn<F>(&mut self, accept: &mut impl FnMut(Accepted) -> F) -> io::Result<()>
    where
        F: Future<Output = ()> + 'static,
    {
        self.io.state().wait()?;
        self.accept_all(accept);
        self.enforce_drain_deadline();
        self.poll_ready();
        self.io.state().flush();
        Ok(())
    }

    fn poll_ready(&mut self) {
        let mut pass = std::mem::take(&mut self.pass);
        self.io.state().schedule.take_ready(&mut pass);
        for task in pass.drain(..) {
            self.poll(task);
        }
        self.pass = pass;
    }

    fn poll(&mut self, task: TaskId) {
        if self.io.state().schedule.tasks.get(task).is_none() {
            return;
        }
        let Some(future) = self.futures.get_mut(task.key().index()).and_then(Option::as_mut) else { return };
        self.io.state().schedule.current = Some(task);
        let mut context = Context::from_waker(Waker::noop());
        // Unwind safety: the future is dropped after a panic, and what it shares with others (`Io`) is borrowed
        // only within calls that do not call back.
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context)));
        self.io.state().schedule.current = None;
        match polled {
            Ok(std::task::Poll::Pending) => {}
            Ok(std::task::Poll::Ready(())) => self.end(task),
            Err(_) => {
                self.failures.panics += 1;
                self.end(task);
            }
        }
    }

    /// Drops the task's future and closes its sockets.
    fn end(&mut self, task: TaskId) {
        let future = self.futures.get_mut(task.key().index()).and_then(Option::take);
        if catch_unwind(AssertUnwindSafe(|| drop(future))).is_err() {
            self.failures.panics += 1;
        }
        let mut state = self.io.state();
        let Some(ended) = state.schedule.tasks.remove(task) else { return };
        for socket in ended.sockets {
            state.close(socket);
        }
    }

    fn accept_all<F>(&mut self, accept: &mut impl FnMut(Accepted) -> F)
    where
        F: Future<Output = ()> + 'static,
    {
        let mut accepted = std::mem::take(&mut self.io.state().accepted);
        for connection in accepted.drain(..) {
            let task = self.spawn(accept(connection));
            self.io.state().adopt(connection.socket, task);
        }
        self.io.state().accepted = accepted;
    }

    fn enforce_drain_deadline(&mut self) {
        let over = {
            let state = self.io.state();
            state.drain_deadline.is_some_and(|deadline| state.driver.now() >= deadline)
        };
        if over {
            let tasks: Vec<TaskId> = self.io.state().schedule.tasks.iter().map(|(task, _)| task).collect();
            self.failures.overdue += tasks.len() as u64;
            tasks.into_iter().for_each(|task| self.end(task));
        }
    }
}

impl<D: Driver> Drop for Executor<D> {
    /// Tasks hold the `Io` that they run on; without this they would keep each other alive.
    fn drop(&mut self) {
        let tasks: Vec<TaskId> = self.io.state().schedule.tasks.iter().map(|(task, _)| task).collect();
        tasks.into_iter().for_each(|task| self.end(task));
    }
}
