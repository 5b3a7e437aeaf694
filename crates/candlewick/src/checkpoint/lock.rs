//! Locks on files: who writes in place holds one, and so does the writer of a temporary file while it lives.

use std::fs::TryLockError;
use std::thread::sleep;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(5);

/// Tries for a while: a lock that somebody keeps for ever must not hold up a network for ever.
///
/// # Errors
/// `WouldBlock` where somebody kept it; the system's, above all where a file system has no locks.
pub fn patiently(try_lock: impl Fn() -> Result<(), TryLockError>) -> Result<(), TryLockError> {
    let start = Instant::now();
    loop {
        match try_lock() {
            Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => sleep(Duration::from_millis(2)),
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_lock_that_comes_is_waited_for() {
        let tries = Cell::new(0);
        let third = || {
            tries.set(tries.get() + 1);
            if tries.get() == 3 { Ok(()) } else { Err(TryLockError::WouldBlock) }
        };
        patiently(third).unwrap();
        assert_eq!(tries.get(), 3);
        assert!(matches!(
            patiently(|| Err(TryLockError::Error(std::io::ErrorKind::Unsupported.into()))),
            Err(TryLockError::Error(_))
        ));
    }
}
