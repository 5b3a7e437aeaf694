//! What outputs are compared with.

use super::{Loss, Objective};
use crate::dataset::{Dataset, Mixing};
use crate::error::Result;
use crate::memory;
use crate::simd::{Lane, Real};
use bytemuck::{Pod, Zeroable};
use std::iter;
use std::ops::Range;

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

/// What a mixed image shows beside its label: `struct Mix` of kernels/loss.cuh.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub struct Mix {
    /// The other class; perhaps the same.
    pub other: u32,
    /// Of the label, from 0.5 to 1. The rest is the other's.
    pub share: f32,
}

/// The classes of some images, mixed or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Classes<'a> {
    pub labels: &'a [u32],
    /// Of each image; none where images are not mixed.
    pub mixes: &'a [Mix],
}

impl Classes<'_> {
    pub fn len(self) -> usize {
        self.labels.len()
    }

    pub fn are_mixed(self) -> bool {
        !self.mixes.is_empty()
    }

    pub fn of(self, images: Range<usize>) -> Self {
        let mixes = if self.are_mixed() { &self.mixes[images.clone()] } else { &[] };
        Self { labels: &self.labels[images], mixes }
    }

    /// Those of an image, with the share of each.
    #[inline(always)]
    pub fn shares(self, image: usize) -> impl Iterator<Item = (usize, f64)> {
        let mix = self.mixes.get(image);
        let share = mix.map_or(1.0, |mix| mix.share.into());
        iter::once((self.labels[image] as usize, share)).chain(mix.map(|mix| (mix.other as usize, 1.0 - share)))
    }
}

/// The targets of a batch out of a dataset, in memory that the next batch's take over.
#[derive(Debug)]
pub struct Gathered {
    labels: Vec<u32>,
    mixes: Vec<Mix>,
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
        Ok(Self { labels: memory::room(labels)?, mixes: memory::room(labels)?, values: memory::room(values)? })
    }

    /// The loss and the targets of the images that `indices` names, no more of them than there is room for, as they are or mixed.
    ///
    /// # Errors
    /// As for [`Objective::new`].
    pub(crate) fn objective<'a>(
        &'a mut self,
        loss: &'a Loss,
        dataset: &Dataset,
        indices: &[u32],
        mixing: Option<&Mixing>,
    ) -> Result<Objective<'a>> {
        let Self { labels, mixes, values } = self;
        labels.clear();
        mixes.clear();
        values.clear();
        match (loss.takes(), mixing) {
            (Takes::Labels, None) => {
                labels.extend(dataset.labels_of(indices));
                mixes.extend(indices.iter().filter_map(|index| dataset.mixes().get(*index as usize)));
            }
            (Takes::Labels, Some(mixing)) => {
                for (label, mix) in indices.iter().map(|index| mixing.classes(dataset, *index)) {
                    labels.push(label.into());
                    mixes.push(mix);
                }
            }
            (Takes::Values, None) => indices.iter().for_each(|i| values.extend_from_slice(dataset.targets_of(*i))),
            (Takes::Values, Some(mixing)) => indices.iter().for_each(|i| values.extend(mixing.targets(dataset, *i))),
        }
        let targets = match loss.takes() {
            Takes::Labels => Targets::Labels(labels),
            Takes::Values => Targets::Values(values),
        };
        Ok(Objective::new(loss, targets, dataset.target_len())?.mixed(mixes))
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
