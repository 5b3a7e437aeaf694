//! Datasets put behind one another.

use super::pixels::Pixels;
use super::{Dataset, new_id};
use crate::error::{Code, Error, Result};
use crate::memory;
use crate::shape::show;

impl Dataset {
    /// Copies of the images that each list names of its dataset, one list after the other, with their labels and targets.
    ///
    /// # Errors
    /// `DataMismatch` for images of another shape or kind than the first dataset's, or that lack labels or targets that those have;
    /// `InvalidArgument` for an image that is not there, or no dataset at all; `OutOfMemory`.
    pub fn joined(lists: &[(&Self, &[u32])]) -> Result<Self> {
        let Some((first, _)) = lists.first() else {
            return Err(Error::new(Code::InvalidArgument, "no datasets were given to be joined; give one at least"));
        };
        for (dataset, list) in lists {
            first.check_joins(dataset)?;
            list.iter().try_for_each(|index| dataset.check_index(*index))?;
        }
        let count = lists.iter().map(|(_, list)| list.len()).sum();
        let each: Vec<_> = lists.iter().map(|(dataset, list)| (&dataset.pixels, *list)).collect();
        let pixels = Pixels::gathered(&each, first.image_len())?;
        let (mut labels, mut targets) = (Vec::new(), Vec::new());
        if first.has_labels() {
            labels = memory::room(count)?;
        }
        if first.target_len > 0 {
            targets = memory::room(count.saturating_mul(first.target_len))?;
        }
        for (dataset, list) in lists {
            for &index in *list {
                labels.extend(dataset.labels.get(index as usize));
                targets.extend_from_slice(dataset.targets_of(index));
            }
        }
        Ok(Self {
            id: new_id(),
            shape: first.shape,
            count,
            pixels,
            labels,
            mixes: Vec::new(),
            targets,
            target_len: first.target_len,
        })
    }

    fn check_joins(&self, other: &Self) -> Result<()> {
        let differ = |what: &str, one: &str, another: &str| {
            let message = format!(
                "the datasets' {what} differ: {one} and {another}; only what is alike can be put into one dataset"
            );
            Err(Error::new(Code::DataMismatch, message))
        };
        let kind = |dataset: &Self| if dataset.is_of_floats() { "float32" } else { "bytes" };
        let labels = |dataset: &Self| if dataset.has_labels() { "labels" } else { "none" };
        if self.shape != other.shape {
            return differ("images", &show(&self.shape), &show(&other.shape));
        }
        if kind(self) != kind(other) {
            return differ("images", kind(self), kind(other));
        }
        // Without images, they may be said to have some.
        if self.count > 0 && other.count > 0 && labels(self) != labels(other) {
            return differ("labels", labels(self), labels(other));
        }
        if self.target_len != other.target_len {
            return differ("numbers of targets", &self.target_len.to_string(), &other.target_len.to_string());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::DatasetBuilder;
    use super::*;

    fn dataset(pixels: &[u8], labels: &[u16], targets: &[f32]) -> Dataset {
        let mut builder = DatasetBuilder::new(pixels.len() / 2, [1, 1, 2]).unwrap();
        if !targets.is_empty() {
            builder = builder.with_targets(1).unwrap();
        }
        builder.push_pixels(pixels).unwrap();
        builder.push_labels(labels).unwrap();
        builder.push_targets(targets).unwrap();
        builder.finish().unwrap()
    }

    #[test]
    fn images_labels_and_targets_follow_their_lists() {
        let one = dataset(&[1, 2, 3, 4], &[300, 7], &[0.5, 1.5]);
        let other = dataset(&[5, 6], &[8], &[2.5]);
        let joined = Dataset::joined(&[(&one, &[1, 0, 1]), (&other, &[0])]).unwrap();
        assert_eq!((joined.len(), joined.shape(), joined.target_len()), (4, [1, 1, 2], 1));
        assert_eq!(joined.pixels(), [3, 4, 1, 2, 3, 4, 5, 6]);
        assert_eq!((joined.labels(), joined.targets()), (&[7, 300, 7, 8][..], &[1.5, 0.5, 1.5, 2.5][..]));
        assert!(joined.id() > other.id());
        let alone = Dataset::joined(&[(&dataset(&[1, 2], &[], &[3.0]), &[0]), (&dataset(&[1, 2], &[], &[4.0]), &[0])]);
        assert_eq!(alone.unwrap().labels(), [0u16; 0]);
    }

    #[test]
    fn floats_join_floats_alone() {
        let floats = || {
            let mut builder = DatasetBuilder::of_floats(1, [1, 1, 2]).unwrap();
            builder.push_floats(&[0.5, -1.0]).unwrap();
            builder.push_labels(&[1]).unwrap();
            builder.finish().unwrap()
        };
        let joined = Dataset::joined(&[(&floats(), &[0]), (&floats(), &[0, 0])]).unwrap();
        assert_eq!((joined.floats(), joined.pixels()), (&[0.5, -1.0, 0.5, -1.0, 0.5, -1.0][..], &[][..]));
        let error = Dataset::joined(&[(&floats(), &[0]), (&dataset(&[1, 2], &[1], &[]), &[0])]).unwrap_err();
        assert_eq!(error.code, Code::DataMismatch);
        assert!(error.message.contains("images differ: float32 and bytes"), "{error}");
    }

    #[test]
    fn what_differs_is_named() {
        let one = dataset(&[1, 2], &[1], &[]);
        let refused = |other: &Dataset| Dataset::joined(&[(&one, &[0]), (other, &[0])]).unwrap_err().message;
        assert!(refused(&dataset(&[1, 2], &[1], &[0.5])).contains("numbers of targets differ: 0 and 1"));
        assert!(refused(&dataset(&[1, 2], &[], &[0.5])).contains("labels differ: labels and none"));
        let mut builder = DatasetBuilder::new(1, [2, 1, 1]).unwrap();
        builder.push_pixels(&[1, 2]).unwrap();
        builder.push_labels(&[1]).unwrap();
        assert!(refused(&builder.finish().unwrap()).contains("images differ: (1, 1, 2) and (2, 1, 1)"));
        assert_eq!(Dataset::joined(&[(&one, &[1])]).unwrap_err().code, Code::InvalidArgument);
        assert_eq!(Dataset::joined(&[]).unwrap_err().code, Code::InvalidArgument);
    }
}
