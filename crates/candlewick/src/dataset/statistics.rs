//! Mean and deviation of a dataset's images, channel by channel: what a network's input is made uniform by.

use super::Dataset;
use super::pixels::Pixels;
use crate::error::{Code, Error, Result};

/// Of each channel, over all pixels of all images: of bytes as they count, 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// The sum over the number.
    pub mean: Vec<f64>,
    /// Of the population: the root of the mean square.
    pub deviation: Vec<f64>,
}

impl Dataset {
    /// Of the images that `indices` names. Bytes are summed up in integers, so that the same bits come everywhere.
    ///
    /// # Errors
    /// `InvalidArgument` for an image that is not there, or no images.
    pub fn statistics(&self, indices: &[u32]) -> Result<Statistics> {
        indices.iter().try_for_each(|index| self.check_index(*index))?;
        if indices.is_empty() {
            return Err(Error::new(Code::InvalidArgument, "no images have no mean; take some"));
        }
        let [channels, height, width] = self.shape;
        let plane = height * width;
        let (mut mean, mut deviation) = (Vec::new(), Vec::new());
        for channel in 0..channels {
            let planes = indices.iter().map(|index| (*index as usize * channels + channel) * plane);
            let (center, spread) = match &self.pixels {
                Pixels::Bytes(_) | Pixels::Mapped(_) => {
                    let all = self.pixels.bytes();
                    of_bytes(planes.map(|start| &all[start..][..plane]), indices.len() * plane)
                }
                Pixels::Floats(all) => of_floats(planes.map(|start| &all[start..][..plane]), indices.len() * plane),
            };
            mean.push(center);
            deviation.push(spread);
        }
        Ok(Statistics { mean, deviation })
    }
}

/// Of so many bytes, divided by 255.
fn of_bytes<'a>(planes: impl Iterator<Item = &'a [u8]>, count: usize) -> (f64, f64) {
    const PIECE: usize = 1 << 16; // bytes whose squares a u32 can add up
    let (mut sum, mut squares) = (0u64, 0u64);
    for piece in planes.flat_map(|plane| plane.chunks(PIECE)) {
        let (mut own, mut own_squares) = (0u32, 0u32);
        for byte in piece {
            let byte = u32::from(*byte);
            own += byte;
            own_squares += byte * byte;
        }
        sum += u64::from(own);
        squares += u64::from(own_squares);
    }
    let (sum, squares, n) = (u128::from(sum), u128::from(squares), count as u128);
    let (count, variance) = (count as f64 * 255.0, n * squares - sum * sum); // of n times the bytes, exactly
    (sum as f64 / count, (variance as f64).sqrt() / count)
}

/// Of so many float32, in their order.
fn of_floats<'a>(planes: impl Iterator<Item = &'a [f32]> + Clone, count: usize) -> (f64, f64) {
    let values = planes.flatten().map(|value| f64::from(*value));
    let mean = values.clone().sum::<f64>() / count as f64;
    let variance = values.map(|value| (value - mean) * (value - mean)).sum::<f64>() / count as f64;
    (mean, variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::super::DatasetBuilder;
    use super::*;

    #[test]
    fn each_channel_has_its_own() {
        let mut builder = DatasetBuilder::new(3, [2, 1, 2]).unwrap();
        builder.push_pixels(&[0, 255, 51, 51, 9, 9, 9, 9, 255, 0, 51, 102]).unwrap();
        builder.push_labels(&[0, 1, 2]).unwrap();
        let dataset = builder.finish().unwrap();
        let Statistics { mean, deviation } = dataset.statistics(&[0, 2]).unwrap();
        assert_eq!((mean, deviation[0]), (vec![0.5, 0.25], 0.5));
        // 0.2, 0.2, 0.2 and 0.4
        assert!((deviation[1] - 0.0075f64.sqrt()).abs() < 1e-15, "{deviation:?}");
        assert_eq!(dataset.statistics(&[1]).unwrap().deviation, [0.0, 0.0], "all alike, to the last bit");
        assert_eq!(dataset.statistics(&[]).unwrap_err().code, Code::InvalidArgument);
        assert_eq!(dataset.statistics(&[3]).unwrap_err().code, Code::InvalidArgument);
    }

    #[test]
    fn a_plane_of_white_overflows_nothing() {
        let mut builder = DatasetBuilder::new(1, [1, 1, 200_001]).unwrap();
        builder.push_pixels(&vec![255; 200_001]).unwrap();
        builder.push_labels(&[0]).unwrap();
        let found = builder.finish().unwrap().statistics(&[0, 0, 0]).unwrap();
        assert_eq!(found, Statistics { mean: vec![1.0], deviation: vec![0.0] });
    }

    #[test]
    fn floats_are_taken_as_they_are() {
        let mut builder = DatasetBuilder::of_floats(2, [1, 1, 2]).unwrap();
        builder.push_floats(&[-1.0, 1.0, 3.0, 5.0]).unwrap();
        builder.push_labels(&[0, 1]).unwrap();
        let found = builder.finish().unwrap().statistics(&[0, 1]).unwrap();
        assert_eq!(found, Statistics { mean: vec![2.0], deviation: vec![5.0f64.sqrt()] });
    }
}
