//! Images in memory, one byte a pixel, and what they show: 60,000 of Fashion-MNIST are 47 MB.

mod augmented;
mod mixing;

use crate::error::{Code, Error, Result};
use crate::losses::{Loss, Mix, Takes};
use crate::memory::{self, show_bytes};
use crate::shape::show;
pub(crate) use augmented::Augmented;
pub(crate) use mixing::Mixing;
use std::sync::atomic::{AtomicU64, Ordering};

/// Images (N, C, H, W) of bytes, with a label each, with targets, numbers for a network's outputs, or with both.
#[derive(Debug)]
pub struct Dataset {
    id: u64,
    shape: [usize; 3],
    count: usize,
    pixels: Vec<u8>,
    labels: Vec<u8>,
    mixes: Vec<Mix>,
    targets: Vec<f32>,
    target_len: usize,
}

impl Dataset {
    /// Its own among all datasets of this process: an engine that keeps a copy knows it by this.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// (C, H, W) of each image.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Pixels of one image.
    pub fn image_len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.count
    }

    /// True without images.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All pixels, image after image.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// All labels; none where images have targets alone.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// What else each image shows, where images are mixed; none where they are not.
    pub fn mixes(&self) -> &[Mix] {
        &self.mixes
    }

    /// All targets, image after image; none where images have labels alone.
    pub fn targets(&self) -> &[f32] {
        &self.targets
    }

    /// Numbers of an image's targets; 0 where images have labels alone.
    pub fn target_len(&self) -> usize {
        self.target_len
    }

    /// The targets of the image of this index.
    pub fn targets_of(&self, index: u32) -> &[f32] {
        &self.targets[index as usize * self.target_len..][..self.target_len]
    }

    /// The labels of the images that `indices` names, which are there, of a dataset that has any.
    pub fn labels_of(&self, indices: &[u32]) -> impl ExactSizeIterator<Item = u32> {
        indices.iter().map(|index| u32::from(self.labels[*index as usize]))
    }

    /// Checks that the images that `indices` names are there, and have what the loss compares so many outputs with.
    ///
    /// # Errors
    /// `DataMismatch` for a dataset of labels where the loss takes targets or the other way round, `InvalidShape` for another number
    /// of targets than of outputs, `LabelOutOfRange` or `InvalidArgument` for the first image that does not fit.
    pub fn check(&self, indices: &[u32], loss: &Loss, outputs: usize) -> Result<()> {
        self.check_kind(loss, outputs)?;
        for &index in indices {
            self.check_index(index)?;
            match loss.takes() {
                Takes::Labels => {
                    let label = u32::from(self.labels[index as usize]);
                    let other = self.mixes.get(index as usize).map_or(label, |mix| mix.other);
                    check_label(label.max(other), index as usize, outputs)?;
                }
                Takes::Values => loss.check_values(self.targets_of(index), index as usize)?,
            }
        }
        Ok(())
    }

    /// The CRC-32 of the images that `indices` names, in their order: of their pixels, then of their labels, then of their targets.
    ///
    /// # Errors
    /// `InvalidArgument` for an image that is not there.
    pub fn checksum(&self, indices: &[u32]) -> Result<u32> {
        indices.iter().try_for_each(|index| self.check_index(*index))?;
        let (mut sum, len) = (crc32fast::Hasher::new(), self.image_len());
        for index in indices {
            sum.update(&self.pixels[*index as usize * len..][..len]);
        }
        for index in indices {
            sum.update(self.labels.get(*index as usize).map_or(&[], std::slice::from_ref));
        }
        for index in indices {
            sum.update(bytemuck::cast_slice(self.targets_of(*index)));
        }
        Ok(sum.finalize())
    }

    /// Checks that there is an image of this index.
    fn check_index(&self, index: u32) -> Result<()> {
        if (index as usize) < self.count {
            return Ok(());
        }
        let message = format!(
            "image {index} was asked for, but there are {}; use 0 to {}",
            self.len(),
            self.len().saturating_sub(1)
        );
        Err(Error::new(Code::InvalidArgument, message))
    }

    fn check_kind(&self, loss: &Loss, outputs: usize) -> Result<()> {
        let kind = loss.kind();
        let has_labels = self.labels.len() == self.count;
        match loss.takes() {
            Takes::Labels if !has_labels => {
                let message = format!(
                    "the loss {kind} takes labels, but the dataset has targets alone; give it labels as well, or train with \
                     a loss of targets (meanSquaredError, sigmoidCrossEntropy)"
                );
                Err(Error::new(Code::DataMismatch, message))
            }
            Takes::Values if self.target_len == 0 => {
                let message = format!(
                    "the loss {kind} takes targets, but the dataset has labels alone; give it targets as well, or train with \
                     softmaxCrossEntropy"
                );
                Err(Error::new(Code::DataMismatch, message))
            }
            Takes::Labels => Ok(()),
            Takes::Values => check_target_len(self.target_len, outputs),
        }
    }
}

/// Checks the number of an image's targets against the network's outputs.
///
/// # Errors
/// `InvalidShape`.
pub fn check_target_len(target_len: usize, outputs: usize) -> Result<()> {
    if target_len == outputs {
        return Ok(());
    }
    let message = format!(
        "each image has {target_len} targets, but the network gives {outputs} outputs; give its last layer as many units, or \
         each image as many targets"
    );
    Err(Error::new(Code::InvalidShape, message))
}

/// Checks a label against the number of classes.
///
/// # Errors
/// `LabelOutOfRange` names the image.
pub fn check_label(label: u32, image: usize, classes: usize) -> Result<()> {
    if (label as usize) < classes {
        return Ok(());
    }
    let message = format!(
        "image {image} has label {label}, but the network tells {classes} classes apart (0 to {}); give its last layer more \
         units or correct the label",
        classes - 1
    );
    Err(Error::new(Code::LabelOutOfRange, message))
}

/// An id that no other dataset of this process has.
fn new_id() -> u64 {
    static NEXT_ID: AtomicU64 = AtomicU64::new(0);
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// Takes images, labels and targets in pieces, so that nobody needs to hold them twice.
#[derive(Debug)]
pub struct DatasetBuilder(Dataset);

impl DatasetBuilder {
    /// Room for `count` images of `shape` (C, H, W).
    ///
    /// # Errors
    /// `InvalidShape` for a size of zero, `OutOfMemory` for more than memory can hold.
    pub fn new(count: usize, shape: [usize; 3]) -> Result<Self> {
        if shape.contains(&0) {
            let message = format!("images of shape {} have no pixels; every size must be at least 1", show(&shape));
            return Err(Error::new(Code::InvalidShape, message));
        }
        let len = shape.iter().fold(count, |n, d| n.saturating_mul(*d));
        let too_many = |_| {
            let (shape, size) = (show(&shape), show_bytes(len.saturating_add(count)));
            let message =
                format!("{count} images of shape {shape} need {size}, more memory than there is; use fewer at a time");
            Error::new(Code::OutOfMemory, message)
        };
        let (pixels, labels) = (memory::room(len).map_err(too_many)?, memory::room(count).map_err(too_many)?);
        let (mixes, targets) = (Vec::new(), Vec::new());
        Ok(Self(Dataset { id: new_id(), shape, count, pixels, labels, mixes, targets, target_len: 0 }))
    }

    /// With room for so many targets of each image too. Labels may then be left out.
    ///
    /// # Errors
    /// `InvalidShape` for none, `OutOfMemory` for more than memory can hold.
    pub fn with_targets(mut self, target_len: usize) -> Result<Self> {
        if target_len == 0 {
            let message = "targets of 0 numbers an image were promised; each image needs at least 1";
            return Err(Error::new(Code::InvalidShape, message));
        }
        self.0.targets = memory::room(self.0.count.saturating_mul(target_len))?;
        self.0.target_len = target_len;
        Ok(self)
    }

    /// The next pixels, image after image; pieces may end anywhere.
    ///
    /// # Errors
    /// `DataMismatch` for more than announced.
    pub fn push_pixels(&mut self, pixels: &[u8]) -> Result<()> {
        let room = self.0.count * self.0.image_len() - self.0.pixels.len();
        if pixels.len() > room {
            return Err(Error::new(
                Code::DataMismatch,
                format!("{} pixels came, but only {room} are left to fill", pixels.len()),
            ));
        }
        self.0.pixels.extend_from_slice(pixels);
        Ok(())
    }

    /// The next labels.
    ///
    /// # Errors
    /// `DataMismatch` for more than announced.
    pub fn push_labels(&mut self, labels: &[u8]) -> Result<()> {
        let room = self.0.count - self.0.labels.len();
        if labels.len() > room {
            return Err(Error::new(
                Code::DataMismatch,
                format!("{} labels came, but only {room} are left to fill", labels.len()),
            ));
        }
        self.0.labels.extend_from_slice(labels);
        Ok(())
    }

    /// The next targets, image after image; pieces may end anywhere.
    ///
    /// # Errors
    /// `DataMismatch` for more than announced.
    pub fn push_targets(&mut self, targets: &[f32]) -> Result<()> {
        let room = self.0.count * self.0.target_len - self.0.targets.len();
        if targets.len() > room {
            return Err(Error::new(
                Code::DataMismatch,
                format!("{} targets came, but only {room} are left to fill", targets.len()),
            ));
        }
        self.0.targets.extend_from_slice(targets);
        Ok(())
    }

    /// The dataset, if it is full. Where it has targets, labels may be missing, all of them.
    ///
    /// # Errors
    /// `DataMismatch` names what is missing.
    pub fn finish(self) -> Result<Dataset> {
        let Self(dataset) = self;
        let count = dataset.count;
        let expected = [count * dataset.image_len(), count, count * dataset.target_len];
        let [pixels, labels, targets] = [dataset.pixels.len(), dataset.labels.len(), dataset.targets.len()];
        let may_lack_labels = labels == 0 && dataset.target_len > 0;
        if [pixels, if may_lack_labels { count } else { labels }, targets] == expected {
            return Ok(dataset);
        }
        let [all_pixels, _, all_targets] = expected;
        let message = if dataset.target_len == 0 {
            format!("{count} images need {all_pixels} pixels and {count} labels, but {pixels} and {labels} came")
        } else {
            format!(
                "{count} images need {all_pixels} pixels, {count} labels or none, and {all_targets} targets, but {pixels}, \
                 {labels} and {targets} came"
            )
        };
        Err(Error::new(Code::DataMismatch, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_a_whole() {
        let mut builder = DatasetBuilder::new(2, [1, 2, 2]).unwrap();
        builder.push_pixels(&[1, 2, 3]).unwrap();
        builder.push_pixels(&[4, 5, 6, 7, 8]).unwrap();
        builder.push_labels(&[3, 9]).unwrap();
        assert_eq!(builder.push_labels(&[1]).unwrap_err().code, Code::DataMismatch);
        assert_eq!(builder.push_pixels(&[1]).unwrap_err().code, Code::DataMismatch);
        let dataset = builder.finish().unwrap();
        assert_eq!((dataset.shape(), dataset.image_len(), dataset.len()), ([1, 2, 2], 4, 2));
        assert_eq!((dataset.pixels(), dataset.labels()), (&[1, 2, 3, 4, 5, 6, 7, 8][..], &[3, 9][..]));
        let loss = Loss::default();
        assert!(dataset.check(&[1, 0], &loss, 10).is_ok());
        assert!(dataset.check(&[0, 1], &loss, 9).unwrap_err().message.contains("image 1 has label 9"));
        assert_eq!(dataset.check(&[2], &loss, 10).unwrap_err().code, Code::InvalidArgument);
    }

    #[test]
    fn targets_come_with_labels_or_alone() {
        let filled = || {
            let mut builder = DatasetBuilder::new(2, [1, 1, 1]).unwrap().with_targets(3).unwrap();
            builder.push_pixels(&[1, 2]).unwrap();
            builder.push_targets(&[0.0, 1.0, 2.0, 3.0]).unwrap();
            builder.push_targets(&[4.0, 5.0]).unwrap();
            builder
        };
        let mut builder = filled();
        assert_eq!(builder.push_targets(&[1.0]).unwrap_err().message, "1 targets came, but only 0 are left to fill");
        builder.push_labels(&[1]).unwrap();
        let error = builder.finish().unwrap_err();
        assert!(error.message.contains("2 labels or none, and 6 targets, but 2, 1 and 6 came"), "{error}");
        let dataset = filled().finish().unwrap();
        assert_eq!((dataset.len(), dataset.labels(), dataset.target_len()), (2, &[][..], 3));
        assert_eq!((dataset.targets_of(0), dataset.targets_of(1)), (&[0.0, 1.0, 2.0][..], &[3.0, 4.0, 5.0][..]));
        let error = DatasetBuilder::new(2, [1, 1, 1]).unwrap().with_targets(0).unwrap_err();
        assert_eq!(error.code, Code::InvalidShape);
    }

    /// The CRC-32 of a file is what a checkpoint written earlier was told of.
    #[test]
    fn a_checksum_is_of_the_images_in_their_order() {
        let mut builder = DatasetBuilder::new(3, [1, 1, 2]).unwrap().with_targets(1).unwrap();
        builder.push_pixels(&[1, 2, 3, 4, 5, 6]).unwrap();
        builder.push_labels(&[7, 8, 9]).unwrap();
        builder.push_targets(&[0.5, 1.5, 2.5]).unwrap();
        let dataset = builder.finish().unwrap();
        let of = |pixels: &[u8], labels: &[u8], targets: &[f32]| {
            crc32fast::hash(&[pixels, labels, bytemuck::cast_slice(targets)].concat())
        };
        assert_eq!(dataset.checksum(&[0, 1, 2]), Ok(of(&[1, 2, 3, 4, 5, 6], &[7, 8, 9], &[0.5, 1.5, 2.5])));
        assert_eq!(dataset.checksum(&[2, 0]), Ok(of(&[5, 6, 1, 2], &[9, 7], &[2.5, 0.5])));
        assert_eq!(dataset.checksum(&[]), Ok(crc32fast::hash(&[])));
        assert_eq!(dataset.checksum(&[0, 3]).unwrap_err().code, Code::InvalidArgument);
    }

    #[test]
    fn what_is_missing_is_counted() {
        let mut builder = DatasetBuilder::new(2, [1, 2, 2]).unwrap();
        builder.push_labels(&[3, 9]).unwrap();
        assert!(builder.finish().unwrap_err().message.contains("8 pixels and 2 labels, but 0 and 2"));
    }

    #[test]
    fn more_than_memory_is_an_error() {
        let refused = |count, shape| DatasetBuilder::new(count, shape).unwrap_err();
        assert_eq!(refused(usize::MAX, [3, 2, 2]).code, Code::OutOfMemory);
        let error = refused(1 << 50, [1, 28, 28]);
        assert_eq!(error.code, Code::OutOfMemory);
        assert!(error.message.contains("images of shape (1, 28, 28) need 785.0 PiB"), "{}", error.message);
        let error = refused(0, [1, 0, 28]);
        assert_eq!(error.code, Code::InvalidShape);
        assert!(error.message.contains("(1, 0, 28) have no pixels"), "{}", error.message);
    }
}
