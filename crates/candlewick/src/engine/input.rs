//! What every engine checks before it computes: images, labels and settings that fit its network.

use super::Progress;
use crate::dataset::{Dataset, check_label};
use crate::error::{Code, Error, Result};
use crate::memory;
use crate::network::Network;
use crate::optimizers::Optimizer;
use crate::shape::show;
use candle_core::Tensor;
use std::ops::Range;

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

/// The batch of a single step, and the optimiser's settings.
pub fn check_step(network: &Network, images: &Tensor, labels: &[u32], optimizer: &Optimizer) -> Result<()> {
    let n = check_images(network, images)?;
    if n != labels.len() {
        let message = format!("there are {n} images but {} labels; each image needs one", labels.len());
        return Err(Error::new(Code::DataMismatch, message));
    }
    if n == 0 {
        return Err(Error::new(Code::InvalidArgument, "a step needs at least one image, but the batch is empty"));
    }
    for (image, &label) in labels.iter().enumerate() {
        check_label(label, image, network.classes())?;
    }
    optimizer.check(1)
}

/// All that a training is given, and whether it is to start at all.
pub fn check_training(
    network: &Network,
    dataset: &Dataset,
    order: &[u32],
    batch_size: usize,
    optimizer: &Optimizer,
    progress: &Progress,
) -> Result<()> {
    check_dataset(network, dataset)?;
    dataset.check(order, network.classes())?;
    if batch_size == 0 {
        return Err(Error::new(Code::InvalidArgument, "the batch size is 0; it must be at least 1"));
    }
    optimizer.check(order.len().div_ceil(batch_size))?;
    progress.check()
}

/// The indices of a range of a dataset's images.
pub fn check_range(network: &Network, dataset: &Dataset, range: Range<usize>) -> Result<Vec<u32>> {
    check_dataset(network, dataset)?;
    let Range { start, end } = range;
    if start > end || end > dataset.len() {
        let message = format!("images {start} to {end} were asked for, but there are {}; use 0 to that", dataset.len());
        return Err(Error::new(Code::InvalidArgument, message));
    }
    let indices = memory::collect(start as u32..end as u32)?;
    dataset.check(&indices, network.classes())?;
    Ok(indices)
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
