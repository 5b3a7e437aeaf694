//! Threads that work off the lines of all networks. They are not a network's own: one that has nothing to do serves the next
//! that has, and ends after a while.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, ThreadId, current};
use std::time::Duration;

/// What a thread does. It is told whether there was a thread to do it on, and does not panic.
pub type Task = Box<dyn FnOnce(io::Result<()>) + Send>;

/// How long a thread waits for its next task.
const PATIENCE: Duration = Duration::from_secs(2);

/// The threads without a task, the one that has waited least at the end.
static IDLE: Mutex<Vec<(ThreadId, Sender<Task>)>> = Mutex::new(Vec::new());

/// Runs `task` on a thread that waits or on a new one; here, with the system's reason, if it gives no more of them.
pub fn run(mut task: Task) {
    while let Some((_, tasks)) = idle(Vec::pop) {
        match tasks.send(task) {
            Ok(()) => return,
            Err(unsent) => task = unsent.0,
        }
    }
    // The task follows the thread, so that it is still here if there is none.
    let (sender, tasks) = mpsc::channel();
    let own = sender.clone();
    match Builder::new().name("candlewick-line".into()).spawn(move || serve(&own, &tasks)) {
        Ok(_) => {
            if let Err(unsent) = sender.send(task) {
                (unsent.0)(Err(io::Error::other("the new thread has ended")));
            }
        }
        Err(reason) => task(Err(reason)),
    }
}

fn serve(own: &Sender<Task>, tasks: &Receiver<Task>) {
    let mut next = tasks.recv().ok();
    while let Some(task) = next {
        task(Ok(()));
        idle(|threads| threads.push((current().id(), own.clone())));
        next = wait(tasks);
    }
}

/// The next task, or none when it is time to go.
fn wait(tasks: &Receiver<Task>) -> Option<Task> {
    match tasks.recv_timeout(PATIENCE) {
        Ok(task) => Some(task),
        Err(RecvTimeoutError::Disconnected) => None,
        Err(RecvTimeoutError::Timeout) => {
            let me = current().id();
            let found = idle(|threads| threads.iter().position(|(id, _)| *id == me).map(|i| threads.remove(i)));
            // Who took it from there just now is about to send a task.
            if found.is_some() { None } else { tasks.recv().ok() }
        }
    }
}

fn idle<T>(f: impl FnOnce(&mut Vec<(ThreadId, Sender<Task>)>) -> T) -> T {
    f(&mut IDLE.lock().unwrap_or_else(PoisonError::into_inner))
}
