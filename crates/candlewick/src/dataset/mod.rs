//! Images in memory, one byte or one float32 a pixel, and what they show: 60,000 of Fashion-MNIST are 47 MB.

mod augmented;
mod builder;
mod joined;
mod mapped;
mod mixing;
mod pixels;
mod statistics;

use crate::engine::Images;
use crate::error::{Code, Error, Result};
use crate::losses::{Loss, Mix, Takes};
pub(crate) use augmented::Augmented;
pub use builder::DatasetBuilder;
pub(crate) use mixing::Mixing;
use pixels::Pixels;
pub use statistics::Statistics;
use std::sync::atomic::{AtomicU64, Ordering};

/// Images (N, C, H, W) of bytes or of float32, with a label each, with targets, numbers for a network's outputs, or with both.
#[derive(Debug)]
pub struct Dataset {
    id: u64,
    shape: [usize; 3],
    count: usize,
    pixels: Pixels,
    labels: Vec<u16>,
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

    /// All pixels, image after image; none where they are float32.
    pub fn pixels(&self) -> &[u8] {
        self.pixels.bytes()
    }

    /// All values, image after image; none where they are bytes.
    pub fn floats(&self) -> &[f32] {
        self.pixels.floats()
    }

    /// Whether the images are of float32, which count as they are, and not of bytes, which count as 0 to 1.
    pub fn is_of_floats(&self) -> bool {
        matches!(self.pixels, Pixels::Floats(_))
    }

    /// Bytes of memory of images, labels and targets.
    pub fn size(&self) -> usize {
        self.pixels.size() + size_of_val(&self.labels[..]) + size_of_val(&self.targets[..])
    }

    /// The images that `indices` names, which are there, for an engine.
    pub fn images<'a>(&'a self, indices: &'a [u32]) -> Images<'a> {
        match &self.pixels {
            Pixels::Bytes(_) | Pixels::Mapped(_) => Images::Indexed(self.pixels.bytes(), indices),
            Pixels::Floats(floats) => Images::IndexedFloats(floats, indices),
        }
    }

    /// All labels; none where images have targets alone.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// Whether each image has one.
    pub fn has_labels(&self) -> bool {
        self.labels.len() == self.count
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
    /// Labels are bytes unless one of them is none, and then two bytes each.
    ///
    /// # Errors
    /// `InvalidArgument` for an image that is not there.
    pub fn checksum(&self, indices: &[u32]) -> Result<u32> {
        indices.iter().try_for_each(|index| self.check_index(*index))?;
        let (mut sum, len) = (crc32fast::Hasher::new(), self.image_len());
        for index in indices {
            sum.update(self.pixels.row(*index as usize, len));
        }
        let labels = || indices.iter().filter_map(|index| self.labels.get(*index as usize));
        let are_bytes = labels().all(|label| *label <= 255);
        for label in labels() {
            let bytes = label.to_le_bytes();
            sum.update(if are_bytes { &bytes[..1] } else { &bytes });
        }
        for index in indices {
            sum.update(bytemuck::cast_slice(self.targets_of(*index)));
        }
        Ok(sum.finalize())
    }

    /// Checks that images may be augmented, which are then bytes.
    ///
    /// # Errors
    /// `DataMismatch` for images of float32.
    pub fn check_bytes(&self) -> Result<()> {
        if !self.is_of_floats() {
            return Ok(());
        }
        let message = "the dataset's images are float32, and augmentations change images of bytes; leave augment out, or make the \
                       dataset of bytes";
        Err(Error::new(Code::DataMismatch, message))
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
        match loss.takes() {
            Takes::Labels if !self.has_labels() => {
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
    fn labels_beyond_a_byte_count_in_a_checksum_as_two() {
        let mut builder = DatasetBuilder::new(2, [1, 1, 1]).unwrap();
        builder.push_pixels(&[1, 2]).unwrap();
        builder.push_labels(&[7, 0x0203]).unwrap();
        let dataset = builder.finish().unwrap();
        assert_eq!(dataset.checksum(&[0, 1]), Ok(crc32fast::hash(&[1, 2, 7, 0, 3, 2])));
        assert_eq!(dataset.checksum(&[0]), Ok(crc32fast::hash(&[1, 7])), "what is left out does not count");
    }
}
