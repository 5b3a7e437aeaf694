//! Threads for the time of a job. A network has none of its own: hundreds of them may wait for work, and a few pools serve all
//! that have some.

use crate::error::Result;
use crate::memory::no_thread;
use rayon::ThreadPool;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

/// Threads that wait for a job, of all pools together, at most.
const MOST_IDLE: usize = 32;

/// Pools without a job, the one that was used last at the end.
static IDLE: Mutex<Vec<Arc<ThreadPool>>> = Mutex::new(Vec::new());

/// A pool that is nobody else's until this is dropped: two networks that run at once do not wait for each other's work.
pub struct Lease(Arc<ThreadPool>);

/// A pool of `count` threads.
///
/// # Errors
/// `OutOfMemory`, if the system gives no more threads.
pub fn lease(count: usize) -> Result<Lease> {
    take_idle(count).map_or_else(|| start(count), Ok).map(Lease)
}

fn take_idle(count: usize) -> Option<Arc<ThreadPool>> {
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    let found = idle.iter().rposition(|pool| pool.current_num_threads() == count)?;
    Some(idle.remove(found))
}

fn start(count: usize) -> Result<Arc<ThreadPool>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count).thread_name(|i| format!("candlewick-{i}"));
    pool.build().map(Arc::new).map_err(|reason| no_thread(&reason))
}

impl Deref for Lease {
    type Target = ThreadPool;

    fn deref(&self) -> &ThreadPool {
        &self.0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(Arc::clone(&self.0));
        let mut threads: usize = idle.iter().map(|pool| pool.current_num_threads()).sum();
        while threads > MOST_IDLE {
            threads -= idle.remove(0).current_num_threads(); // its threads end with it
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_is_lent_to_one_at_a_time_and_used_again() {
        // A number of threads that no other test asks for.
        let name = |pool: &Lease| pool.install(|| std::thread::current().id());
        let first = lease(7).unwrap();
        let ids: Vec<_> = first.broadcast(|_| std::thread::current().id());
        let second = lease(7).unwrap();
        assert!(!ids.contains(&name(&second)), "two at once have threads of their own");
        drop(second);
        drop(first);
        assert!(ids.contains(&name(&lease(7).unwrap())), "the one that came back last is taken");
    }

    #[test]
    fn only_some_threads_wait() {
        let many: Vec<_> = (0..8).map(|_| lease(9).unwrap()).collect();
        drop(many);
        let idle: usize = IDLE.lock().unwrap().iter().map(|pool| pool.current_num_threads()).sum();
        assert!(idle <= MOST_IDLE, "{idle} threads wait");
    }
}
