//! An engine runs a network on one kind of device: it holds the parameters and does the forward passes, backward passes and
//! optimiser steps.

pub mod candle;
pub mod cuda;
pub mod devices;
mod fused;
mod images;
mod input;
pub mod lanes;
mod pool;
mod schedule;

use crate::dataset::Dataset;
use crate::device;
use crate::error::{Code, Error, Result};
use crate::metrics::Metrics;
use crate::network::Network;
use crate::optimizer::Sgd;
use crate::simd::InstructionSet;
use candle_core::Tensor;
use devices::EngineName;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Long work as seen from another thread: how far it is, and a way to stop it.
#[derive(Debug, Default)]
pub struct Progress {
    images: AtomicU64,
    cancelled: AtomicBool,
}

impl Progress {
    /// Images done so far.
    pub fn images(&self) -> u64 {
        self.images.load(Ordering::Relaxed)
    }

    /// Asks the work to stop: before its next batch, or on a GPU before the next few that are not queued yet.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Counts a batch as done.
    ///
    /// # Errors
    /// `Cancelled`, if the work is to stop.
    pub(crate) fn advance(&self, images: usize) -> Result<()> {
        self.images.fetch_add(images as u64, Ordering::Relaxed);
        self.check()
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Error::new(Code::Cancelled, "the work was cancelled"));
        }
        Ok(())
    }
}

/// Makes the engine of this name, `fused` or `candle`, for `network` on the device of that, `cpu`, `cuda:0` or `metal`; on the CPU
/// with `threads` threads, all processors' for `None`, and the fused one on an instruction set. All parameters are zero until they
/// are set.
///
/// # Errors
/// `InvalidArgument` for names that are none, `DeviceUnavailable` for a device that is not there or that this engine does not run
/// on, and as the engines' own.
pub fn create(
    engine: &str,
    device: &str,
    network: Network,
    threads: Option<usize>,
    set: Result<InstructionSet>,
) -> Result<Box<dyn Engine>> {
    let device = device::parse(device)?;
    match EngineName::parse(engine)? {
        EngineName::Fused => fused::create(device, network, threads, set),
        EngineName::Candle => candle::create(device, network, threads),
    }
}

/// A network's parameters and everything that runs it.
///
/// Images are tensors (N, C, H, W), either float32, taken as they are, or bytes, which count as 0 to 1 (divided by 255).
pub trait Engine: Send {
    /// What runs here.
    fn network(&self) -> &Network;

    /// Bytes of memory that it holds at present, where it runs.
    fn size(&self) -> usize;

    /// One optimiser step on the mean loss of a batch; the metrics are those before the step.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty batch, `DataMismatch`, `InvalidShape` or `LabelOutOfRange` for images or labels
    /// that do not fit, `OutOfMemory`. The parameters are then as before. `DeviceLost`.
    fn step(&mut self, images: &Tensor, labels: &[u32], sgd: &Sgd) -> Result<Metrics>;

    /// Steps over the images that `order` names, `batch_size` at a time; the last batch may be smaller.
    ///
    /// # Errors
    /// As for [`Engine::step`], before the first step; `Cancelled` between two of them.
    fn train(
        &mut self,
        dataset: &Dataset,
        order: &[u32],
        batch_size: usize,
        sgd: &Sgd,
        progress: &Progress,
    ) -> Result<Metrics>;

    /// Loss and correct answers over a range of a dataset; changes nothing.
    ///
    /// # Errors
    /// As for [`Engine::train`].
    fn evaluate(&mut self, dataset: &Dataset, range: Range<usize>, progress: &Progress) -> Result<Metrics>;

    /// Whether a range of a dataset fits the network; the indices of its images.
    ///
    /// # Errors
    /// `InvalidShape`, `LabelOutOfRange`, or `InvalidArgument` for a range beyond the last image.
    fn check(&self, dataset: &Dataset, range: Range<usize>) -> Result<Vec<u32>>;

    /// Logits (N, classes) of images.
    ///
    /// # Errors
    /// `InvalidShape` for images that do not fit, `OutOfMemory`, `DeviceLost`.
    fn predict(&mut self, images: &Tensor) -> Result<Tensor>;

    /// The parameters by name, in the network's order.
    ///
    /// # Errors
    /// `Internal`.
    fn parameters(&self) -> Result<Vec<(String, Tensor)>>;

    /// The gradients of the last [`Engine::step`], by parameter; zeros before the first.
    ///
    /// # Errors
    /// `Internal`.
    fn gradients(&self) -> Result<Vec<(String, Tensor)>>;

    /// Replaces all parameters and forgets the optimiser's velocity.
    ///
    /// # Errors
    /// `CheckpointInvalid` for tensors that are not this network's parameters; nothing is then replaced.
    fn set_parameters(&mut self, tensors: &HashMap<String, Tensor>) -> Result<()>;

    /// Replaces all parameters, given end to end in the network's order, and forgets the optimiser's velocity.
    ///
    /// # Errors
    /// `InvalidArgument` for another number of values, `OutOfMemory`, `DeviceLost`.
    fn set_flat_parameters(&mut self, parameters: Vec<f32>) -> Result<()>;

    /// Forgets the optimiser's velocity, as a new optimiser would start.
    ///
    /// # Errors
    /// `DeviceLost`.
    fn reset_optimizer(&mut self) -> Result<()>;

    /// Says whose the steps from here on are, 0 at first. Velocity belongs to the optimiser that made it: another's is forgotten
    /// with its successor's first step, and not by a call that was refused before one.
    fn announce_optimizer(&mut self, id: u64);
}

/// Whose the velocity is, and whose it is about to be.
#[derive(Debug, Default)]
pub(crate) struct VelocityOwner {
    owner: u64,
    announced: u64,
}

impl VelocityOwner {
    pub(crate) fn announce(&mut self, id: u64) {
        self.announced = id;
    }

    /// Whether the velocity is another's than the announced optimiser's, and so to be forgotten.
    pub(crate) fn is_another(&self) -> bool {
        self.owner != self.announced
    }

    /// The velocity is the announced optimiser's from here on.
    pub(crate) fn hand_over(&mut self) {
        self.owner = self.announced;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn velocity_changes_hands_with_the_first_step_of_another() {
        let mut velocity = VelocityOwner::default();
        assert!(!velocity.is_another(), "nobody else was announced");
        velocity.announce(7);
        assert!(velocity.is_another());
        velocity.hand_over();
        assert!(!velocity.is_another(), "it is the new one's from its first step on");
        velocity.announce(8);
        velocity.announce(7);
        assert!(!velocity.is_another(), "one that made no step has not been");
    }
}
