//! An engine runs a network on one kind of device: it holds the parameters and does the forward passes, backward passes and
//! optimiser steps.

pub mod candle;
pub mod cuda;
pub mod devices;
mod divergence;
mod fused;
mod images;
mod input;
pub mod lanes;
pub(crate) mod pool;
mod progress;
mod route;
mod schedule;
mod slots;
mod training;

use crate::checkpoint;
use crate::dataset::Dataset;
use crate::device;
use crate::error::Result;
use crate::losses::{Loss, Targets};
use crate::metrics::{Metrics, Tally};
use crate::network::Network;
use crate::normalization::Normalization;
use crate::optimizers::Optimizer;
use crate::simd::InstructionSet;
use candle_core::Tensor;
use devices::EngineName;
pub(crate) use images::Images;
pub use pool::end_idle_threads;
pub use progress::Progress;
use std::borrow::Cow;
use std::collections::HashMap;
pub use training::{Snapshot, Training};

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
/// Images are tensors (N, C, H, W), either float32, taken as they are, or bytes, which count as 0 to 1 (divided by 255). Where there is a
/// normalization, they go through it first.
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

    /// Steps over the images that `order` names, `batch_size` at a time, as [`Engine::train_on`], of which it is the whole.
    ///
    /// # Errors
    /// As for [`Engine::train_on`].
    fn train(
        &mut self,
        dataset: &Dataset,
        order: &[u32],
        batch_size: usize,
        loss: &Loss,
        optimizer: &Optimizer,
        progress: &Progress,
    ) -> Result<Metrics> {
        let (training, mut metrics) = (
            Training { dataset, order, batch_size, loss, optimizer, augment: None, partners: &[] },
            Metrics::default(),
        );
        self.train_on(&training, progress, &mut metrics)?;
        Ok(metrics)
    }

    /// The steps of a training that are still to be made, up to its end or to a pause. `metrics` are those of the images before,
    /// of which there are whole batches, and in the end of all that were trained on; a training that is gone on with after a pause
    /// comes to the same as one that was not paused, to the last bit.
    ///
    /// # Errors
    /// As for [`Engine::step`], before the first step; `Cancelled` between two of them; `Diverged` before a step by a loss that is
    /// not finite, on a GPU within the next few. `metrics` are then of the steps that were made.
    fn train_on(&mut self, training: &Training<'_>, progress: &Progress, metrics: &mut Metrics) -> Result<()>;

    /// Loss and correct answers over the images of a dataset that `indices` names, as [`Engine::evaluate_on`], of which it is the
    /// whole.
    ///
    /// # Errors
    /// As for [`Engine::evaluate_on`].
    fn evaluate(&mut self, dataset: &Dataset, indices: &[u32], loss: &Loss, progress: &Progress) -> Result<Metrics> {
        let mut metrics = Metrics::default();
        self.evaluate_on(dataset, indices, loss, progress, &mut metrics, None)?;
        Ok(metrics)
    }

    /// Loss and correct answers over what is left of the images of a dataset that `indices` names, in their order, up to the last or
    /// to a pause; changes nothing. `metrics` are those of the images before, as an earlier call left them, and in the end of all;
    /// a `tally` likewise, which after an error is of no use.
    ///
    /// # Errors
    /// `InvalidArgument`, `DataMismatch`, `InvalidShape` or `LabelOutOfRange` for images that are not there or do not fit, and
    /// `InvalidArgument` for what cannot be counted, before the first; `OutOfMemory`, `DeviceLost`; `Cancelled` on the way.
    fn evaluate_on(
        &mut self,
        dataset: &Dataset,
        indices: &[u32],
        loss: &Loss,
        progress: &Progress,
        metrics: &mut Metrics,
        tally: Option<&mut Tally>,
    ) -> Result<()>;

    /// Whether images of a dataset fit the network and the loss.
    ///
    /// # Errors
    /// As for [`Engine::step`], and `InvalidArgument` for an image that is not there.
    fn check(&self, dataset: &Dataset, indices: &[u32], loss: &Loss) -> Result<()> {
        input::check_evaluation(self.network(), dataset, indices, loss)
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

    /// What images go through before the network sees them; nothing at first.
    fn normalization(&self) -> Option<&Normalization>;

    /// Replaces that. Nothing else changes, so that the parameters are to be those of a network that is normalized so.
    ///
    /// # Errors
    /// `InvalidArgument` for what can't be of the network's images; it is then as before. `OutOfMemory`, `DeviceLost`.
    fn set_normalization(&mut self, normalization: Option<Normalization>) -> Result<()>;

    /// What decides, with the number of a step among the engine's, what is random in training; 0 at first.
    fn set_seed(&mut self, seed: u64);

    /// Forgets the optimiser's state and the average, as a new optimiser would start.
    ///
    /// # Errors
    /// `DeviceLost`.
    fn reset_optimizer(&mut self) -> Result<()>;

    /// All that training goes on from, copied.
    ///
    /// # Errors
    /// `OutOfMemory`, `DeviceLost`.
    fn snapshot(&self) -> Result<Snapshot>;

    /// Goes on from a snapshot of the same network on any engine. What the optimiser of it kept is that of the optimiser `owner`.
    ///
    /// # Errors
    /// `CheckpointInvalid` for one that does not fit; nothing is then changed. `OutOfMemory`, `DeviceLost`.
    fn restore(&mut self, snapshot: &Snapshot, owner: u64) -> Result<()>;

    /// Says whose the steps from here on are, 0 at first. State belongs to the optimiser that made it: another's is forgotten
    /// with its successor's first step, and not by a call that was refused before one.
    fn announce_optimizer(&mut self, id: u64);
}
