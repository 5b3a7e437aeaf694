//! Long work as seen from another thread.

use crate::error::{Code, Error, Result};
use crate::metrics::Metrics;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How far long work is, and ways to stop it.
#[derive(Debug, Default)]
pub struct Progress {
    images: AtomicU64,
    /// The bits of a float64.
    loss: AtomicU64,
    cancelled: AtomicBool,
    pausing: AtomicBool,
    giving_way: AtomicBool,
}

impl Progress {
    /// Images done so far.
    pub fn images(&self) -> u64 {
        self.images.load(Ordering::Relaxed)
    }

    /// Mean loss of these images; 0 before the first.
    pub fn loss(&self) -> f64 {
        f64::from_bits(self.loss.load(Ordering::Relaxed))
    }

    /// Asks the work to stop: before its next batch, or on a GPU before the next few that are not queued yet.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Asks the work to end where it is, after at least one batch more, so that it can be gone on with; or takes that back.
    pub fn pause(&self, pausing: bool) {
        self.pausing.store(pausing, Ordering::Relaxed);
    }

    /// As [`Progress::pause`], for who runs the work rather than who asked for it.
    pub fn give_way(&self, giving_way: bool) {
        self.giving_way.store(giving_way, Ordering::Relaxed);
    }

    /// Says what all images so far come to, after a batch of them; whether the work is to pause.
    ///
    /// # Errors
    /// `Cancelled`, if the work is to stop.
    pub(crate) fn advance(&self, metrics: &Metrics) -> Result<bool> {
        self.loss.store(metrics.mean_loss().to_bits(), Ordering::Relaxed);
        self.images.store(metrics.count, Ordering::Relaxed);
        self.check()?;
        Ok(self.pausing.load(Ordering::Relaxed) || self.giving_way.load(Ordering::Relaxed))
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Error::new(Code::Cancelled, "the work was cancelled"));
        }
        Ok(())
    }
}
