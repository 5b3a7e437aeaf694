//! Long work as seen from another thread.

use crate::error::{Code, Error, Result};
use crate::metrics::Metrics;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How far long work is, and ways to stop it.
#[derive(Debug, Default)]
pub struct Progress {
    images: AtomicU64,
    /// The bits of a float64, as are those of the accuracy.
    loss: AtomicU64,
    accuracy: AtomicU64,
    cancelled: AtomicBool,
    pausing: AtomicBool,
    giving_way: AtomicBool,
    /// Until when it does not give way, in nanoseconds since the first progress of the process.
    holds_out: AtomicU64,
}

fn now() -> u64 {
    static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
    FIRST.elapsed().as_nanos() as u64
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

    /// The share of their answers that are right: NaN of a loss without right answers, 0 before the first image.
    pub fn accuracy(&self) -> f64 {
        f64::from_bits(self.accuracy.load(Ordering::Relaxed))
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

    /// Has the work go on for so long before it gives way.
    pub fn hold_out(&self, time: Duration) {
        self.holds_out.store(now().saturating_add(time.as_nanos() as u64), Ordering::Relaxed);
    }

    fn gives_way(&self) -> bool {
        self.giving_way.load(Ordering::Relaxed) && now() >= self.holds_out.load(Ordering::Relaxed)
    }

    /// Says what all images so far come to, after a batch of them; whether the work is to pause.
    ///
    /// # Errors
    /// `Cancelled`, if the work is to stop.
    pub(crate) fn advance(&self, metrics: &Metrics) -> Result<bool> {
        self.loss.store(metrics.mean_loss().to_bits(), Ordering::Relaxed);
        self.accuracy.store(metrics.accuracy().to_bits(), Ordering::Relaxed);
        self.images.store(metrics.count, Ordering::Relaxed);
        self.check()?;
        Ok(self.pausing.load(Ordering::Relaxed) || self.gives_way())
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Error::new(Code::Cancelled, "the work was cancelled"));
        }
        Ok(())
    }
}
