//! How a dataset comes about.

use super::pixels::Pixels;
use super::{Dataset, new_id};
use crate::error::{Code, Error, Result};
use crate::memory::{self, out_of_memory, show_bytes};
use crate::shape::show;

/// Takes images, labels and targets in pieces, so that nobody needs to hold them twice.
#[derive(Debug)]
pub struct DatasetBuilder {
    dataset: Dataset,
    /// Whether as many images as come make a dataset.
    grows: bool,
}

impl DatasetBuilder {
    /// Room for `count` images of bytes of `shape` (C, H, W).
    ///
    /// # Errors
    /// `InvalidShape` for a size of zero, `OutOfMemory` for more than memory can hold.
    pub fn new(count: usize, shape: [usize; 3]) -> Result<Self> {
        Self::with_room(count, shape, |len| memory::room(len).map(Pixels::Bytes), false)
    }

    /// Room for `count` images of float32 of `shape` (C, H, W).
    ///
    /// # Errors
    /// As for [`Self::new`].
    pub fn of_floats(count: usize, shape: [usize; 3]) -> Result<Self> {
        Self::with_room(count, shape, |len| memory::room(len).map(Pixels::Floats), false)
    }

    /// For images of bytes or of float32 of which nobody knows yet how many will come.
    ///
    /// # Errors
    /// `InvalidShape` for a size of zero.
    pub fn growing(shape: [usize; 3], of_floats: bool) -> Result<Self> {
        let none = if of_floats { Pixels::Floats(Vec::new()) } else { Pixels::Bytes(Vec::new()) };
        Self::with_room(0, shape, |_| Ok(none), true)
    }

    fn with_room(
        count: usize,
        shape: [usize; 3],
        pixels: impl FnOnce(usize) -> Result<Pixels>,
        grows: bool,
    ) -> Result<Self> {
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
        let (pixels, labels) = (pixels(len).map_err(too_many)?, memory::room(count).map_err(too_many)?);
        let dataset = Dataset {
            id: new_id(),
            shape,
            count,
            pixels,
            labels,
            mixes: Vec::new(),
            targets: Vec::new(),
            target_len: 0,
        };
        Ok(Self { dataset, grows })
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
        self.dataset.targets = memory::room(self.dataset.count.saturating_mul(target_len))?;
        self.dataset.target_len = target_len;
        Ok(self)
    }

    /// The next pixels of images of bytes, image after image; pieces may end anywhere.
    ///
    /// # Errors
    /// `DataMismatch` for more than announced or images of float32, `OutOfMemory` for more than memory can hold.
    pub fn push_pixels(&mut self, pixels: &[u8]) -> Result<()> {
        let most = self.most(self.dataset.image_len());
        match &mut self.dataset.pixels {
            Pixels::Bytes(all) => push(all, pixels, most, "pixels"),
            Pixels::Floats(_) | Pixels::Mapped(_) => Err(other_kind("float32", "bytes")),
        }
    }

    /// The next values of images of float32, image after image; pieces may end anywhere.
    ///
    /// # Errors
    /// `DataMismatch` for more than announced or images of bytes, `OutOfMemory` for more than memory can hold.
    pub fn push_floats(&mut self, values: &[f32]) -> Result<()> {
        let most = self.most(self.dataset.image_len());
        match &mut self.dataset.pixels {
            Pixels::Floats(all) => push(all, values, most, "values"),
            Pixels::Bytes(_) | Pixels::Mapped(_) => Err(other_kind("bytes", "float32")),
        }
    }

    /// The next labels.
    ///
    /// # Errors
    /// `DataMismatch` for more than announced, `OutOfMemory` for more than memory can hold.
    pub fn push_labels(&mut self, labels: &[u16]) -> Result<()> {
        let most = self.most(1);
        push(&mut self.dataset.labels, labels, most, "labels")
    }

    /// The next targets, image after image; pieces may end anywhere.
    ///
    /// # Errors
    /// `DataMismatch` for more than announced, `OutOfMemory` for more than memory can hold.
    pub fn push_targets(&mut self, targets: &[f32]) -> Result<()> {
        let most = if self.dataset.target_len == 0 { Some(0) } else { self.most(self.dataset.target_len) };
        push(&mut self.dataset.targets, targets, most, "targets")
    }

    /// As many values as may come, of so many for each image; none where there is no end to them.
    fn most(&self, of_an_image: usize) -> Option<usize> {
        (!self.grows).then(|| self.dataset.count * of_an_image)
    }

    /// The dataset, if it is full. Where it has targets, labels may be missing, all of them.
    ///
    /// # Errors
    /// `DataMismatch` names what is missing.
    pub fn finish(self) -> Result<Dataset> {
        let Self { mut dataset, grows } = self;
        if grows {
            dataset.count = dataset.pixels.len().div_ceil(dataset.image_len());
            dataset.pixels.shrink();
            dataset.labels.shrink_to_fit();
            dataset.targets.shrink_to_fit();
        }
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

/// Adds values to the others, of which there may be so many, or any number.
fn push<T: Copy>(all: &mut Vec<T>, values: &[T], most: Option<usize>, what: &str) -> Result<()> {
    let room = most.map_or(usize::MAX, |most| most - all.len());
    if values.len() > room {
        let message = format!("{} {what} came, but only {room} are left to fill", values.len());
        return Err(Error::new(Code::DataMismatch, message));
    }
    if most.is_none() {
        let size = all.len().saturating_add(values.len()).saturating_mul(size_of::<T>());
        all.try_reserve(values.len()).map_err(|_| out_of_memory(size))?;
    }
    all.extend_from_slice(values);
    Ok(())
}

fn other_kind(own: &str, given: &str) -> Error {
    let message = format!("{given} came for images of {own}; make a dataset of either kind alone");
    Error::new(Code::DataMismatch, message)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_dataset_grows_with_what_comes() {
        let mut builder = DatasetBuilder::growing([1, 1, 2], false).unwrap().with_targets(1).unwrap();
        for i in 0..100 {
            builder.push_pixels(&[i, i + 1]).unwrap();
            builder.push_labels(&[u16::from(i) * 600]).unwrap();
            builder.push_targets(&[f32::from(i)]).unwrap();
        }
        let dataset = builder.finish().unwrap();
        assert_eq!((dataset.len(), dataset.labels()[99], dataset.targets_of(7)), (100, 59_400, &[7.0][..]));
        assert_eq!(dataset.pixels()[198..], [99, 100]);
        assert_eq!(dataset.size(), 200 + 200 + 400);
        assert_eq!(DatasetBuilder::growing([1, 1, 2], false).unwrap().finish().unwrap().len(), 0);
        let mut builder = DatasetBuilder::growing([1, 1, 2], true).unwrap();
        builder.push_floats(&[0.5]).unwrap();
        builder.push_labels(&[1]).unwrap();
        assert!(builder.finish().unwrap_err().message.contains("1 images need 2 pixels and 1 labels, but 1 and 1"));
    }

    #[test]
    fn bytes_and_floats_are_kept_apart() {
        let mut builder = DatasetBuilder::of_floats(1, [1, 1, 2]).unwrap();
        assert_eq!(builder.push_pixels(&[1]).unwrap_err().code, Code::DataMismatch);
        builder.push_floats(&[0.5, f32::NAN]).unwrap();
        assert_eq!(builder.push_floats(&[0.5]).unwrap_err().message, "1 values came, but only 0 are left to fill");
        builder.push_labels(&[65_535]).unwrap();
        let dataset = builder.finish().unwrap();
        assert!(dataset.is_of_floats() && dataset.floats()[1].is_nan() && dataset.pixels().is_empty());
        assert_eq!(dataset.checksum(&[0]).unwrap(), crc32fast::hash(&[0, 0, 0, 63, 0, 0, 192, 127, 255, 255]));
        let mut builder = DatasetBuilder::new(1, [1, 1, 2]).unwrap();
        let error = builder.push_floats(&[0.5]).unwrap_err();
        assert_eq!(error.message, "float32 came for images of bytes; make a dataset of either kind alone");
    }
}
