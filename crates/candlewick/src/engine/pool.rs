//! Threads for the time of a job. A network has none of its own: hundreds of them may wait for work, and a few pools serve all
//! that have some.

use crate::error::{Code, Error, Result};
use crate::memory::no_thread;
use rayon::ThreadPool;
use std::ops::Deref;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Threads that wait for a job, of all pools together, at most.
const MOST_IDLE: usize = 32;

/// Threads that work, of all pools together, before a job gets only one: 32, or as many as there are processors. Asked once, as
/// the system takes longer to count them than a small prediction takes.
static MANY: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(32, |processors| processors.get().max(32)));

static POOLS: Mutex<Pools> = Mutex::new(Pools { idle: Vec::new(), working: 0 });

struct Pools {
    /// Without a job, the one that was used last at the end.
    idle: Vec<Pool>,
    /// Threads of those with a job.
    working: usize,
}

/// rayon ends its threads with the pool, and does not wait for that.
struct Pool {
    rayon: ThreadPool,
    threads: Vec<JoinHandle<()>>,
}

/// A pool that is nobody else's until this is dropped: two networks that run at once do not wait for each other's work.
pub struct Lease(Option<Pool>);

/// The number of threads that an engine is asked to use; all processors' for `None`.
///
/// # Errors
/// `InvalidArgument` for none.
pub fn check(count: Option<usize>) -> Result<usize> {
    match count.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)) {
        0 => Err(Error::new(Code::InvalidArgument, "threads is 0; it must be at least 1")),
        count => Ok(count),
    }
}

/// A pool of `count` threads, or of fewer where many work already or the system gives no more: the result does not depend on it.
///
/// # Errors
/// `OutOfMemory`, if the system gives not even one.
pub fn lease(count: usize) -> Result<Lease> {
    let mut pools = lock();
    let count = count.min(MANY.saturating_sub(pools.working)).max(1);
    let pool = match pools.take(|threads| threads == count) {
        Some(pool) => pool,
        None => start(count).or_else(|_| pools.take(|threads| threads < count).map_or_else(|| start(1), Ok))?,
    };
    pools.working += pool.rayon.current_num_threads();
    Ok(Lease(Some(pool)))
}

impl Pools {
    /// The last one without a job that has such a number of threads.
    fn take(&mut self, fits: impl Fn(usize) -> bool) -> Option<Pool> {
        let found = self.idle.iter().rposition(|pool| fits(pool.rayon.current_num_threads()))?;
        Some(self.idle.remove(found))
    }
}

fn lock() -> MutexGuard<'static, Pools> {
    POOLS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(count: usize) -> Result<Pool> {
    let mut threads = Vec::with_capacity(count);
    let rayon = rayon::ThreadPoolBuilder::new().num_threads(count).spawn_handler(|thread| {
        let name = format!("candlewick-{}", thread.index());
        threads.push(Builder::new().name(name).spawn(|| thread.run())?);
        Ok(())
    });
    let rayon = rayon.build().map_err(|reason| no_thread(&reason))?;
    Ok(Pool { rayon, threads })
}

/// Ends the threads that wait for a job, and returns when they are gone. The next job has new ones.
pub fn end_idle_threads() {
    let idle = std::mem::take(&mut lock().idle);
    for Pool { rayon, threads } in idle {
        drop(rayon);
        threads.into_iter().for_each(|thread| drop(thread.join()));
    }
}

impl Deref for Lease {
    type Target = ThreadPool;

    fn deref(&self) -> &ThreadPool {
        &self.0.as_ref().expect("it is there until it is given back").rayon
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut pools = lock();
        pools.working -= self.current_num_threads();
        pools.idle.extend(self.0.take());
        let mut threads: usize = pools.idle.iter().map(|pool| pool.rayon.current_num_threads()).sum();
        while threads > MOST_IDLE {
            threads -= pools.idle.remove(0).rayon.current_num_threads(); // its threads end with it
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// One test, as other tests' leases would meet in the same pools.
    #[test]
    fn pools_are_lent_to_one_at_a_time_and_are_few() {
        // A number of threads that no other test asks for.
        let name = |pool: &Lease| pool.install(|| std::thread::current().id());
        let first = lease(7).unwrap();
        let ids: Vec<_> = first.broadcast(|_| std::thread::current().id());
        let second = lease(7).unwrap();
        assert!(!ids.contains(&name(&second)), "two at once have threads of their own");
        drop(second);
        drop(first);
        assert!(ids.contains(&name(&lease(7).unwrap())), "the one that came back last is taken");

        let many: Vec<_> = (0..12).map(|_| lease(9).unwrap()).collect();
        let threads = many.iter().map(|pool| pool.current_num_threads());
        assert!(threads.clone().sum::<usize>() <= *MANY + many.len());
        assert_eq!(threads.max(), Some(9));
        drop(many);
        let idle: usize = lock().idle.iter().map(|pool| pool.rayon.current_num_threads()).sum();
        assert!(idle <= MOST_IDLE, "{idle} threads wait");
        assert_eq!(lease(9).unwrap().current_num_threads(), 9, "those that came back may work again");

        static ENDED: AtomicUsize = AtomicUsize::new(0);
        struct Last;
        impl Drop for Last {
            fn drop(&mut self) {
                std::thread::sleep(std::time::Duration::from_millis(20));
                ENDED.fetch_add(1, Ordering::Relaxed);
            }
        }
        thread_local!(static LAST: Last = const { Last });
        lease(9).unwrap().broadcast(|_| LAST.with(|_| ()));
        end_idle_threads();
        assert_eq!(ENDED.load(Ordering::Relaxed), 9, "what a thread leaves to be done at its end is done");
    }
}
