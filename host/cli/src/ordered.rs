//! Many jobs on all processors, their output in the order of the jobs.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Output that waits to be printed; beyond it only the job whose turn it is goes
/// on, and that one piece at a time.
const WAITING_BYTES: usize = 32 << 20;

/// Does the jobs, `workers` at a time, and prints what they write: all of the
/// first job, then all of the second, and so on, each piece as early as that
/// allows. Memory is bounded however much they write.
pub fn in_order<J: Send>(
    jobs: Vec<J>,
    workers: usize,
    work: impl Fn(J, &mut dyn FnMut(String)) + Sync,
    mut print: impl FnMut(&str),
) {
    let desk = Desk::new(jobs);
    std::thread::scope(|scope| {
        for _ in 0..workers.clamp(1, desk.count.max(1)) {
            scope.spawn(|| {
                while let Some((index, job)) = desk.take() {
                    // Also when the job panics, so that nobody waits for it.
                    let _done = Done { desk: &desk, index };
                    work(job, &mut |text| desk.write(index, text));
                }
            });
        }
        while let Some(text) = desk.next() {
            print(&text);
        }
    });
}

/// Where jobs are taken from and their output is put.
struct Desk<J> {
    state: Mutex<State<J>>,
    changed: Condvar,
    count: usize,
}

struct State<J> {
    jobs: VecDeque<J>,
    /// For each job, what it wrote and is not printed.
    written: Vec<VecDeque<String>>,
    is_done: Vec<bool>,
    /// The job whose turn it is.
    current: usize,
    waiting_bytes: usize,
}

impl<J> Desk<J> {
    fn new(jobs: Vec<J>) -> Self {
        let count = jobs.len();
        Self {
            state: Mutex::new(State {
                jobs: jobs.into(),
                written: (0..count).map(|_| VecDeque::new()).collect(),
                is_done: vec![false; count],
                current: 0,
                waiting_bytes: 0,
            }),
            changed: Condvar::new(),
            count,
        }
    }

    /// Jobs are taken in their order, so the one whose turn it is has always
    /// been taken before those that wait for it.
    fn take(&self) -> Option<(usize, J)> {
        let mut state = self.lock();
        let index = self.count - state.jobs.len();
        state.jobs.pop_front().map(|job| (index, job))
    }

    fn write(&self, index: usize, text: String) {
        let mut state = self.lock();
        // The printer must never wait for somebody who waits for it.
        let is_awaited =
            |state: &State<J>| state.current == index && state.written[index].is_empty();
        while state.waiting_bytes >= WAITING_BYTES && !is_awaited(&state) {
            state = self.wait(state);
        }
        state.waiting_bytes += text.len();
        state.written[index].push_back(text);
        self.changed.notify_all();
    }

    /// What is to be printed next.
    fn next(&self) -> Option<String> {
        let mut state = self.lock();
        while state.current < self.count {
            let current = state.current;
            if let Some(text) = state.written[current].pop_front() {
                state.waiting_bytes -= text.len();
                self.changed.notify_all();
                return Some(text);
            }
            if state.is_done[current] {
                state.current += 1;
                self.changed.notify_all();
            } else {
                state = self.wait(state);
            }
        }
        None
    }

    /// What a panic leaves behind is whole: every change is a single step.
    fn lock(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<J>>) -> MutexGuard<'a, State<J>> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that a job has ended.
struct Done<'a, J> {
    desk: &'a Desk<J>,
    index: usize,
}

impl<J> Drop for Done<'_, J> {
    fn drop(&mut self) {
        self.desk.lock().is_done[self.index] = true;
        self.desk.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(jobs: usize, workers: usize, texts: usize, length: usize) -> Vec<String> {
        let mut printed = Vec::new();
        in_order(
            (0..jobs).collect(),
            workers,
            |job, write| {
                for text in 0..texts {
                    // Later jobs are done sooner.
                    for _ in 0..(jobs - job) * 100 {
                        std::hint::black_box(text);
                    }
                    write(format!("{job} {text}{}", ".".repeat(length)));
                }
            },
            |text| printed.push(text.to_owned()),
        );
        printed
    }

    #[test]
    fn output_has_the_order_of_the_jobs() {
        for workers in [0, 1, 2, 8] {
            for jobs in [0, 1, 7] {
                let expected: Vec<String> = (0..jobs)
                    .flat_map(|job| (0..50).map(move |text| format!("{job} {text}...")))
                    .collect();
                assert_eq!(printed(jobs, workers, 50, 3), expected);
            }
        }
    }

    #[test]
    fn more_than_may_wait_comes_through() {
        let length = 1 << 20;
        let printed = printed(4, 4, 20, length);
        assert_eq!(printed.len(), 80);
        assert!(4 * 20 * length > 2 * WAITING_BYTES);
    }
}
