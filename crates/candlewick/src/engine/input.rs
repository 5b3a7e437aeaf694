//! What every engine checks before it computes: images, targets and settings that fit its network.

use super::{Progress, Training};
use crate::dataset::{Dataset, check_label, check_target_len};
use crate::error::{Code, Error, Result};
use crate::losses::{Loss, Objective, Targets};
use crate::network::Network;
use crate::normalization::Normalization;
use crate::optimizers::Optimizer;
use crate::shape::show;
use candle_core::Tensor;

/// The number of images (N, C, H, W).
pub fn check_images(network: &Network, images: &Tensor) -> Result<usize> {
    let [c, h, w] = network.input_shape;
    match images.dims() {
        [n, rest @ ..] if *rest == [c, h, w] => Ok(*n),
        dims => {
            let (dims, expected) = (show(dims), format!("(N, {c}, {h}, {w})"));
            let message = format!("images have shape {dims}, but this network takes {expected}");
            Err(Error::new(Code::InvalidShape, message))
        }
    }
}

/// The batch of a single step and the optimiser's settings; the loss with what it compares with.
pub fn check_step<'a>(
    network: &Network,
    images: &Tensor,
    targets: Targets<'a>,
    loss: &'a Loss,
    optimizer: &Optimizer,
) -> Result<Objective<'a>> {
    let (n, outputs) = (check_images(network, images)?, network.classes());
    loss.check(outputs)?;
    let objective = Objective::new(loss, targets, outputs)?;
    check_count(n, targets, outputs)?;
    if n == 0 {
        return Err(Error::new(Code::InvalidArgument, "a step needs at least one image, but the batch is empty"));
    }
    match targets {
        Targets::Labels(labels) => {
            (0..).zip(labels).try_for_each(|(image, label)| check_label(*label, image, outputs))?;
        }
        Targets::Values(values) => {
            let mut images = values.chunks_exact(outputs).enumerate();
            images.try_for_each(|(image, values)| loss.check_values(values, image))?;
        }
    }
    check_batch(network, n)?;
    optimizer.check(1)?;
    Ok(objective)
}

/// A batch to train on that is large enough for all layers.
fn check_batch(network: &Network, images: usize) -> Result<()> {
    match network.needs_two_images() {
        Some(layer) if images == 1 => {
            let message = format!(
                "a batch has 1 image, of which {layer} sees one value a channel, and one value has no variance; use a batch size that leaves \
                 no batch of one image"
            );
            Err(Error::new(Code::InvalidArgument, message))
        }
        _ => Ok(()),
    }
}

/// As many targets as images.
fn check_count(images: usize, targets: Targets<'_>, outputs: usize) -> Result<()> {
    match targets {
        Targets::Labels(labels) if labels.len() == images => Ok(()),
        Targets::Labels(labels) => {
            let message = format!("there are {images} images but {} labels; each image needs one", labels.len());
            Err(Error::new(Code::DataMismatch, message))
        }
        Targets::Values(values) if images > 0 && values.len().is_multiple_of(images) => {
            check_target_len(values.len() / images, outputs)
        }
        Targets::Values(values) if values.len() == images => Ok(()),
        Targets::Values(values) => {
            let message = format!("there are {} targets for {images} images; each image needs {outputs}", values.len());
            Err(Error::new(Code::DataMismatch, message))
        }
    }
}

/// All that a training is given, of which so many images are done, and whether it is to go on at all.
pub fn check_training(network: &Network, training: &Training<'_>, done: u64, progress: &Progress) -> Result<()> {
    let Training { dataset, order, batch_size, loss, optimizer, augment, partners } = *training;
    check_dataset(network, dataset)?;
    loss.check(network.classes())?;
    if batch_size == 0 {
        return Err(Error::new(Code::InvalidArgument, "the batch size is 0; it must be at least 1"));
    }
    training.check_done(done)?;
    dataset.check(&order[done as usize..], loss, network.classes())?; // the rest was checked before
    if augment.is_some_and(|augment| augment.mixup().is_some()) {
        dataset.check(partners, loss, network.classes())?;
    }
    check_batch(network, training.largest())?;
    check_batch(network, order.len() % batch_size)?;
    optimizer.check(order.len().div_ceil(batch_size))?;
    augment.map_or(Ok(()), |augment| augment.check(dataset.shape()).and_then(|()| dataset.check_bytes()))?;
    progress.check()
}

/// The images of an evaluation.
pub fn check_evaluation(network: &Network, dataset: &Dataset, indices: &[u32], loss: &Loss) -> Result<()> {
    check_dataset(network, dataset)?;
    loss.check(network.classes())?;
    dataset.check(indices, loss, network.classes())
}

/// A normalization of the network's images.
pub fn check_normalization(network: &Network, normalization: Option<&Normalization>) -> Result<()> {
    normalization.map_or(Ok(()), |normalization| normalization.check(network.input_shape[0]))
}

/// As many parameters as the network has.
pub fn check_parameters(network: &Network, parameters: &[f32]) -> Result<()> {
    let (given, expected) = (parameters.len(), network.parameter_count());
    if given == expected {
        return Ok(());
    }
    let message = format!("{given} parameters were given, but the network has {expected}");
    Err(Error::new(Code::InvalidArgument, message))
}

fn check_dataset(network: &Network, dataset: &Dataset) -> Result<()> {
    if dataset.shape() == network.input_shape {
        return Ok(());
    }
    let (images, expected) = (show(&dataset.shape()), show(&network.input_shape));
    let message = format!("the dataset's images have shape {images}, but this network takes {expected}");
    Err(Error::new(Code::InvalidShape, message))
}
