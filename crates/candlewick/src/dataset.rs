//! Labelled images in memory, one byte a pixel: 60,000 of Fashion-MNIST are 47 MB.

use crate::error::{Code, Error, Result};
use crate::memory::{self, show_bytes};
use crate::shape::show;
use std::sync::atomic::{AtomicU64, Ordering};

/// Images (N, C, H, W) of bytes and their labels.
#[derive(Debug)]
pub struct Dataset {
    id: u64,
    shape: [usize; 3],
    pixels: Vec<u8>,
    labels: Vec<u8>,
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
        self.labels.len()
    }

    /// True without images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// All pixels, image after image.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// All labels.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// Checks that the network's classes include every label in `indices`, and that every index is an image's.
    ///
    /// # Errors
    /// `LabelOutOfRange` or `InvalidArgument`, naming the first that is not.
    pub fn check(&self, indices: &[u32], classes: usize) -> Result<()> {
        for &index in indices {
            let Some(&label) = self.labels.get(index as usize) else {
                let message = format!(
                    "the order names image {index}, but there are {}; use 0 to {}",
                    self.len(),
                    self.len().saturating_sub(1)
                );
                return Err(Error::new(Code::InvalidArgument, message));
            };
            check_label(label.into(), index as usize, classes)?;
        }
        Ok(())
    }
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

/// Takes images and labels in pieces, so that nobody needs to hold them twice.
#[derive(Debug)]
pub struct DatasetBuilder(Dataset, usize);

impl DatasetBuilder {
    /// Room for `count` images of `shape` (C, H, W).
    ///
    /// # Errors
    /// `InvalidShape` for a size of zero, `OutOfMemory` for more than memory can hold.
    pub fn new(count: usize, shape: [usize; 3]) -> Result<Self> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
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
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Ok(Self(Dataset { id, shape, pixels, labels }, count))
    }

    /// The next pixels, image after image; pieces may end anywhere.
    ///
    /// # Errors
    /// `DataMismatch` for more than announced.
    pub fn push_pixels(&mut self, pixels: &[u8]) -> Result<()> {
        let room = self.1 * self.0.image_len() - self.0.pixels.len();
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
        let room = self.1 - self.0.labels.len();
        if labels.len() > room {
            return Err(Error::new(
                Code::DataMismatch,
                format!("{} labels came, but only {room} are left to fill", labels.len()),
            ));
        }
        self.0.labels.extend_from_slice(labels);
        Ok(())
    }

    /// The dataset, if it is full.
    ///
    /// # Errors
    /// `DataMismatch` names what is missing.
    pub fn finish(self) -> Result<Dataset> {
        let Self(dataset, count) = self;
        let pixels = count * dataset.image_len();
        if dataset.pixels.len() != pixels || dataset.labels.len() != count {
            let message = format!(
                "{count} images need {pixels} pixels and {count} labels, but {} and {} came",
                dataset.pixels.len(),
                dataset.labels.len()
            );
            return Err(Error::new(Code::DataMismatch, message));
        }
        Ok(dataset)
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
        assert!(dataset.check(&[1, 0], 10).is_ok());
        assert!(dataset.check(&[0, 1], 9).unwrap_err().message.contains("image 1 has label 9"));
        assert_eq!(dataset.check(&[2], 10).unwrap_err().code, Code::InvalidArgument);
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
