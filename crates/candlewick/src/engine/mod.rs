//! An engine runs a network on one kind of device: it holds the parameters and does the forward passes, backward passes and
//! optimiser steps.

pub mod candle;
pub mod cuda;
pub mod devices;
mod fused;
mod images;
mod input;
pub mod lanes;
pub(crate) mod pool;
mod route;
mod schedule;
mod slots;

use crate::checkpoint;
use crate::dataset::Dataset;
use crate::device;
use crate::error::{Code, Error, Result};
use crate::losses::{Loss, Targets};
use crate::metrics::Metrics;
use crate::network::Network;
use crate::optimizers::Optimizer;
use crate::simd::InstructionSet;
use candle_core::Tensor;
use devices::EngineName;
use std::borrow::Cow;
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
/// Where the optimiser of the last step averages the parameters, answers are given by their average, and it is what is read as
/// the parameters; steps go on from the parameters themselves.
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
    /// `InvalidArgument` for an empty batch or settings that make no sense, `DataMismatch`, `InvalidShape` or `LabelOutOfRange` for
    /// images or targets that do not fit, `OutOfMemory`. The parameters are then as before. `DeviceLost`.
    fn step(&mut self, images: &Tensor, targets: Targets<'_>, loss: &Loss, optimizer: &Optimizer) -> Result<Metrics>;

    /// Steps over the images that `order` names, `batch_size` at a time; the last batch may be smaller. The optimiser's rates, if
    /// there are any, are one for each.
    ///
    /// # Errors
    /// As for [`Engine::step`], before the first step; `Cancelled` between two of them.
    fn train(
        &mut self,
        dataset: &Dataset,
        order: &[u32],
        batch_size: usize,
        loss: &Loss,
        optimizer: &Optimizer,
        progress: &Progress,
    ) -> Result<Metrics>;

    /// Loss and correct answers over a range of a dataset; changes nothing.
    ///
    /// # Errors
    /// As for [`Engine::train`].
    fn evaluate(&mut self, dataset: &Dataset, range: Range<usize>, loss: &Loss, progress: &Progress)
    -> Result<Metrics>;

    /// Whether a range of a dataset fits the network and the loss; the indices of its images.
    ///
    /// # Errors
    /// As for [`Engine::step`], and `InvalidArgument` for a range beyond the last image.
    fn check(&self, dataset: &Dataset, range: Range<usize>, loss: &Loss) -> Result<Vec<u32>> {
        input::check_range(self.network(), dataset, range, loss)
    }

    /// Logits (N, classes) of images.
    ///
    /// # Errors
    /// `InvalidShape` for images that do not fit, `OutOfMemory`, `DeviceLost`.
    fn predict(&mut self, images: &Tensor) -> Result<Tensor>;

    /// The parameters by name, in the network's order.
    ///
    /// # Errors
    /// `Internal`.
    fn parameters(&self) -> Result<Vec<(String, Tensor)>> {
        checkpoint::named(self.network(), &self.flat_parameters()?)
    }

    /// The gradients of the last [`Engine::step`], by parameter; zeros before the first.
    ///
    /// # Errors
    /// `Internal`.
    fn gradients(&self) -> Result<Vec<(String, Tensor)>> {
        checkpoint::named(self.network(), &self.flat_gradient()?)
    }

    /// All parameters, end to end in the network's order.
    ///
    /// # Errors
    /// `OutOfMemory`, `DeviceLost`.
    fn flat_parameters(&self) -> Result<Cow<'_, [f32]>>;

    /// The gradient of the last [`Engine::step`], as [`Engine::flat_parameters`]; zeros before the first.
    ///
    /// # Errors
    /// `OutOfMemory`, `DeviceLost`.
    fn flat_gradient(&self) -> Result<Cow<'_, [f32]>>;

    /// Replaces all parameters and forgets the optimiser's state.
    ///
    /// # Errors
    /// `CheckpointInvalid` for tensors that are not this network's parameters; nothing is then replaced.
    fn set_parameters(&mut self, tensors: &HashMap<String, Tensor>) -> Result<()> {
        self.set_flat_parameters(checkpoint::flatten(self.network(), tensors, false)?)
    }

    /// Replaces all parameters, given end to end in the network's order, and forgets the optimiser's state and their average.
    ///
    /// # Errors
    /// `InvalidArgument` for another number of values, `OutOfMemory`, `DeviceLost`.
    fn set_flat_parameters(&mut self, parameters: Vec<f32>) -> Result<()>;

    /// What decides, with the number of a step among the engine's, what is random in training; 0 at first.
    fn set_seed(&mut self, seed: u64);

    /// Forgets the optimiser's state and the average, as a new optimiser would start.
    ///
    /// # Errors
    /// `DeviceLost`.
    fn reset_optimizer(&mut self) -> Result<()>;

    /// Says whose the steps from here on are, 0 at first. State belongs to the optimiser that made it: another's is forgotten
    /// with its successor's first step, and not by a call that was refused before one.
    fn announce_optimizer(&mut self, id: u64);
}
