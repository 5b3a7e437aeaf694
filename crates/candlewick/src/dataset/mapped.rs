//! Datasets of images that are there already: in memory, or in a file that is larger than memory.

use super::pixels::Pixels;
use super::{Dataset, new_id};
use crate::error::{Code, Error, Result};
use memmap2::MmapOptions;
use std::fs::File;

/// Bytes of an image up to which it is not worth a call to the system: others lie in its page.
#[cfg(unix)]
const SMALL: usize = 4096;

impl Dataset {
    /// Of images (C, H, W) of bytes that are in memory, one behind the other, with a label each.
    ///
    /// # Errors
    /// `InvalidShape` for a size of zero, `DataMismatch` for another number of bytes.
    pub fn of_bytes(shape: [usize; 3], bytes: Vec<u8>, labels: Vec<u16>) -> Result<Self> {
        Self::of_pixels(shape, Pixels::Bytes(bytes), labels)
    }

    /// Of images (C, H, W) of bytes that a file begins with, one behind the other, with a label each. The file is not copied:
    /// the system reads what is looked at, and keeps of it what it has memory for. It must stay as it is as long as the dataset.
    ///
    /// # Errors
    /// As for [`Self::of_bytes`], and `DataNotFound` where the system cannot map the file.
    pub fn of_file(shape: [usize; 3], file: &File, labels: Vec<u16>) -> Result<Self> {
        let len = shape.iter().fold(labels.len(), |n, d| n.saturating_mul(*d));
        let unmapped = |error: std::io::Error| {
            let message = format!("the file of images cannot be mapped: {error}; keep the images in memory instead");
            Error::new(Code::DataNotFound, message)
        };
        let there = file.metadata().map_err(unmapped)?.len();
        if there < len as u64 {
            return Err(Error::new(Code::DataMismatch, format!("a file of {there} bytes cannot hold {len} of images")));
        }
        // SAFETY: a file may be changed or cut by others while it is mapped, which no program can exclude. Ours are written once,
        // under a name that nobody opens for writing, and are replaced by other files, never in place.
        let mapped = unsafe { MmapOptions::new().len(len).map(file) }.map_err(unmapped)?;
        Self::of_pixels(shape, Pixels::Mapped(mapped), labels)
    }

    /// Has the system begin to read images that will be looked at soon, where they are in a file: all of them at once, and nothing of
    /// what lies around them, which it would read as well once they are looked at in no order. Elsewhere, this does nothing.
    #[cfg_attr(not(unix), expect(unused_variables))]
    pub fn expect(&self, indices: &[u32]) {
        #[cfg(unix)]
        if let (Pixels::Mapped(mapped), len @ SMALL..) = (&self.pixels, self.image_len()) {
            for index in indices.iter().filter(|index| (**index as usize) < self.count) {
                // It is advice: where the system does not take it, an image is read when it is looked at.
                let _ = mapped.advise_range(memmap2::Advice::WillNeed, *index as usize * len, len);
            }
        }
    }

    fn of_pixels(shape: [usize; 3], pixels: Pixels, labels: Vec<u16>) -> Result<Self> {
        let (count, image_len) = (labels.len(), shape.iter().product::<usize>());
        if image_len == 0 {
            return Err(Error::new(Code::InvalidShape, "images have no pixels; every size must be at least 1"));
        }
        if Some(pixels.len()) != count.checked_mul(image_len) {
            let message = format!("{} bytes are not {count} images of {image_len}", pixels.len());
            return Err(Error::new(Code::DataMismatch, message));
        }
        Ok(Self { id: new_id(), shape, count, pixels, labels, mixes: Vec::new(), targets: Vec::new(), target_len: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_is_as_good_as_memory() {
        let bytes: Vec<u8> = (0..24).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        file.write_all(b"and more").unwrap();
        let labels = vec![3, 1, 2];
        let [there, mapped] = [
            Dataset::of_bytes([2, 2, 2], bytes.clone(), labels.clone()).unwrap(),
            Dataset::of_file([2, 2, 2], &file, labels).unwrap(),
        ];
        assert_eq!(there.pixels(), bytes);
        assert_eq!(mapped.pixels(), bytes);
        assert_eq!(mapped.checksum(&[2, 0]), there.checksum(&[2, 0]));
        assert_eq!(mapped.statistics(&[0, 2]).unwrap().mean, there.statistics(&[0, 2]).unwrap().mean);
        assert_eq!((mapped.size() < there.size(), mapped.is_of_floats()), (true, false));
    }

    #[test]
    fn what_is_expected_is_what_it_was() {
        let bytes: Vec<u8> = (0..3 * 64 * 64u32).map(|i| (i % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let mapped = Dataset::of_file([1, 64, 64], &file, vec![0; 3]).unwrap();
        mapped.expect(&[2, 0, 3, u32::MAX]); // of which two are there
        assert_eq!(mapped.pixels(), bytes);
    }

    #[test]
    fn what_is_too_short_is_refused() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(Dataset::of_file([1, 2, 2], &file, vec![0]).unwrap_err().code, Code::DataMismatch);
        assert_eq!(Dataset::of_bytes([1, 2, 2], vec![0; 5], vec![0]).unwrap_err().code, Code::DataMismatch);
        assert_eq!(Dataset::of_bytes([0, 2, 2], vec![], vec![]).unwrap_err().code, Code::InvalidShape);
    }
}
