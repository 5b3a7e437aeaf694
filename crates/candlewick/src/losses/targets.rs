//! What outputs are compared with.

use super::{Loss, Objective};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::memory;
use crate::simd::{Lane, Real};

/// What a loss compares outputs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// A class for each image.
    Labels,
    /// A number for each output.
    Values,
}

/// What the outputs of some images are to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Targets<'a> {
    /// The class of each.
    Labels(&'a [u32]),
    /// Numbers of each, image after image: `[images][outputs]`.
    Values(&'a [f32]),
}

/// The targets of a batch out of a dataset, in memory that the next batch's take over.
#[derive(Debug)]
pub struct Gathered {
    labels: Vec<u32>,
    values: Vec<f32>,
}

impl Gathered {
    /// Room for the targets that `loss` takes of so many images.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn with_room(loss: &Loss, dataset: &Dataset, images: usize) -> Result<Self> {
        let [labels, values] = match loss.takes() {
            Takes::Labels => [images, 0],
            Takes::Values => [0, images.saturating_mul(dataset.target_len())],
        };
        Ok(Self { labels: memory::room(labels)?, values: memory::room(values)? })
    }

    /// The loss and the targets of the images that `indices` names, no more of them than there is room for.
    ///
    /// # Errors
    /// As for [`Objective::new`].
    pub fn objective<'a>(&'a mut self, loss: &'a Loss, dataset: &Dataset, indices: &[u32]) -> Result<Objective<'a>> {
        let targets = match loss.takes() {
            Takes::Labels => {
                self.labels.clear();
                self.labels.extend(dataset.labels_of(indices));
                Targets::Labels(&self.labels)
            }
            Takes::Values => {
                self.values.clear();
                for index in indices {
                    self.values.extend_from_slice(dataset.targets_of(*index));
                }
                Targets::Values(&self.values)
            }
        };
        Objective::new(loss, targets, dataset.target_len())
    }
}

/// Target `k` of the images of a tile, of `values` `[images][outputs]`; 0 in lanes without an image.
#[inline(always)]
pub(super) fn column<R: Real>(values: &[f32], outputs: usize, k: usize) -> Lane<R> {
    let mut column = Lane::zero();
    for (to, row) in column.0.iter_mut().zip(values.chunks_exact(outputs)) {
        *to = R::from_f64(row[k].into());
    }
    column
}
