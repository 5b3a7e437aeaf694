//! Threads that work off the lines of all networks. They are not a network's own: one that has nothing to do serves the next
//! that has, and ends after a while.

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// What a thread does. It is told whether there was a thread to do it on, and does not panic.
pub type Task = Box<dyn FnOnce(io::Result<()>) + Send>;

/// Threads at once, so that a process with hundreds of networks at work does not run into the system's limits.
const MOST: usize = 32;

/// How long a thread waits for its next task.
const PATIENCE: Duration = Duration::from_secs(2);

static RUNNERS: Mutex<Runners> =
    Mutex::new(Runners { tasks: VecDeque::new(), threads: 0, idle: 0, begun: Vec::new(), are_over: false });
static COMING: Condvar = Condvar::new();
static GONE: Condvar = Condvar::new();

struct Runners {
    tasks: VecDeque<Task>,
    threads: usize,
    /// Those of the threads that wait for a task.
    idle: usize,
    /// To wait for their ends.
    begun: Vec<JoinHandle<()>>,
    /// Whether nobody is left to run tasks for.
    are_over: bool,
}

/// Threads may begin, again.
pub fn begin() {
    lock().are_over = false;
    GONE.notify_all(); // who waits for the end of all need not any more
}

/// Has all threads end. What is to be run until [`begin`], is run on the caller's thread.
pub fn stop() {
    lock().are_over = true;
    COMING.notify_all();
}

/// Returns when the threads that were to end are gone, or when a task goes on for longer than `deadline`, or when threads may begin
/// again.
pub fn await_end(deadline: Instant) {
    let runners = lock();
    let patience = deadline.saturating_duration_since(Instant::now());
    let waited = GONE.wait_timeout_while(runners, patience, |runners| runners.are_over && runners.threads > 0);
    let mut runners = waited.unwrap_or_else(PoisonError::into_inner).0;
    if runners.threads == 0 {
        let begun = std::mem::take(&mut runners.begun);
        drop(runners);
        begun.into_iter().for_each(|thread| drop(thread.join()));
    }
}

/// Runs `task` as soon as a thread is free; here, with the system's reason, if it gives not even one.
pub fn run(task: Task) {
    let mut runners = lock();
    if runners.are_over {
        drop(runners);
        return task(Ok(()));
    }
    runners.tasks.push_back(task);
    if runners.tasks.len() <= runners.idle {
        COMING.notify_one();
    } else if runners.threads < MOST {
        runners.threads += 1;
        drop(runners);
        match Builder::new().name("candlewick-line".into()).spawn(serve) {
            Ok(thread) => keep(thread),
            Err(reason) => refuse(&reason),
        }
    }
}

/// Drops what holds so many bytes, elsewhere if they are many: the system takes milliseconds to take back a hundred megabytes.
pub fn let_go(holder: impl Send + 'static, bytes: usize) {
    const MANY: usize = 1 << 20;
    if bytes > MANY {
        run(Box::new(move |_| drop(holder)));
    }
}

fn keep(thread: JoinHandle<()>) {
    let mut runners = lock();
    runners.begun.retain(|thread| !thread.is_finished());
    runners.begun.push(thread);
}

/// Without a new thread, those that there are do the tasks. Without any, nobody does.
fn refuse(reason: &io::Error) {
    let mut runners = lock();
    runners.threads -= 1;
    if runners.threads > 0 {
        return;
    }
    let tasks = std::mem::take(&mut runners.tasks);
    drop(runners);
    tasks.into_iter().for_each(|task| task(Err(io::Error::from(reason.kind()))));
}

fn serve() {
    while let Some(task) = next() {
        task(Ok(()));
    }
}

/// The next task, or none when it is time to go.
fn next() -> Option<Task> {
    let mut runners = lock();
    if runners.tasks.is_empty() {
        runners.idle += 1;
        let waits = |runners: &mut Runners| runners.tasks.is_empty() && !runners.are_over;
        let waited = COMING.wait_timeout_while(runners, PATIENCE, waits);
        runners = waited.unwrap_or_else(PoisonError::into_inner).0;
        runners.idle -= 1;
    }
    let task = runners.tasks.pop_front();
    if task.is_none() {
        runners.threads -= 1;
        GONE.notify_all();
    }
    task
}

fn lock() -> MutexGuard<'static, Runners> {
    RUNNERS.lock().unwrap_or_else(PoisonError::into_inner)
}
