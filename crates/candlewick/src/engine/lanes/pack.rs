//! Where images enter and answers leave: between arrays of images and tiles of lanes.

use crate::error::{Code, Error, Result};
use crate::simd::{LANES, Lane};
use candle_core::{CpuStorage, Storage, Tensor};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// The images of a batch, in memory one after the other.
pub enum Images<'a> {
    /// Bytes from 0 to 255, which count as 0 to 1.
    Bytes(&'a [u8]),
    /// Numbers as they are.
    Floats(&'a [f32]),
    /// Those of a dataset's bytes that the indices name.
    Indexed(&'a [u8], &'a [u32]),
}

/// v / 255, rounded once, as PyTorch's and everybody's preprocessing has it.
const BRIGHTNESS: [f32; 256] = {
    let mut table = [0.0; 256];
    let mut v = 0;
    while v < 256 {
        table[v] = v as f32 / 255.0;
        v += 1;
    }
    table
};

/// Puts the images `range` of the batch, one to sixteen, into the lanes of `tile`: `[C][H][W]`. Lanes left over are zero.
pub fn pack(images: &Images<'_>, range: Range<usize>, tile: &mut [Lane<f32>]) {
    let len = tile.len();
    // Lanes left over repeat the last image, and are cleared at the end.
    let image = |lane: usize| range.start + lane.min(range.len() - 1);
    match images {
        Images::Bytes(all) => interleave(|lane| &all[image(lane) * len..][..len], tile, brightness),
        Images::Indexed(all, indices) => {
            interleave(|lane| &all[indices[image(lane)] as usize * len..][..len], tile, brightness);
        }
        Images::Floats(all) => interleave(|lane| &all[image(lane) * len..][..len], tile, |value| value),
    }
    for lane in range.len()..LANES {
        tile.iter_mut().for_each(|pixel| pixel.0[lane] = 0.0);
    }
}

fn brightness(byte: u8) -> f32 {
    BRIGHTNESS[byte as usize]
}

/// Sixteen pixels of sixteen images at a time, so that memory is read and written in order.
fn interleave<'a, T: Copy + Default + 'a>(
    row: impl Fn(usize) -> &'a [T],
    tile: &mut [Lane<f32>],
    convert: impl Fn(T) -> f32,
) {
    let rows: [&[T]; LANES] = std::array::from_fn(row);
    let whole = tile.len() - tile.len() % LANES;
    let (blocks, rest) = tile.as_chunks_mut::<LANES>();
    for (block, pixels) in blocks.iter_mut().enumerate() {
        // All are read before the first is written: sixteen times sixteen numbers that stay near.
        let values = rows.map(|row| *row[block * LANES..].first_chunk::<LANES>().unwrap_or(&[T::default(); LANES]));
        for (i, pixel) in pixels.iter_mut().enumerate() {
            for (to, values) in pixel.0.iter_mut().zip(&values) {
                *to = convert(values[i]);
            }
        }
    }
    for (i, pixel) in rest.iter_mut().enumerate() {
        *pixel = Lane(rows.map(|row| convert(row[whole + i])));
    }
}

/// Lends the memory of a tensor of images to `f`.
///
/// # Errors
/// `InvalidArgument` for numbers other than float32 and bytes.
pub fn with_images<R>(images: &Tensor, f: impl FnOnce(Images<'_>) -> R) -> Result<R> {
    let images = images.contiguous()?;
    let (storage, layout) = images.storage_and_layout();
    let range = layout.start_offset()..layout.start_offset() + layout.shape().elem_count();
    match &*storage {
        Storage::Cpu(CpuStorage::F32(values)) => Ok(f(Images::Floats(&values[range]))),
        Storage::Cpu(CpuStorage::U8(values)) => Ok(f(Images::Bytes(&values[range]))),
        _ => Err(Error::new(
            Code::InvalidArgument,
            format!(
                "images hold {} on {:?}; give float32 or bytes on the CPU",
                images.dtype().as_str(),
                images.device()
            ),
        )),
    }
}

/// A matrix (n, classes) that several threads fill, each the rows of its own tile.
pub struct Rows {
    tiles: Vec<Mutex<Vec<f32>>>,
    classes: usize,
}

impl Rows {
    /// Room for `n` rows.
    pub fn new(n: usize, classes: usize) -> Self {
        Self { tiles: (0..n.div_ceil(LANES)).map(|_| Mutex::default()).collect(), classes }
    }

    /// Takes the rows `range`, at most sixteen and from a multiple of sixteen on, out of the lanes of `tile`: `[classes]`.
    pub fn write(&self, range: Range<usize>, tile: &[Lane<f32>]) {
        let rows = (0..range.len()).flat_map(|lane| tile.iter().map(move |z| z.0[lane]));
        *self.tiles[range.start / LANES].lock().unwrap_or_else(PoisonError::into_inner) = rows.collect();
    }

    /// The matrix, row after row.
    pub fn into_values(self) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.tiles.len() * LANES * self.classes);
        for tile in self.tiles {
            values.extend(tile.into_inner().unwrap_or_else(PoisonError::into_inner));
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_holds_an_image() {
        let bytes: Vec<u8> = (0..6).map(|i| i * 51).collect(); // three images of two pixels
        let mut tile = [Lane::splat(7.0); 2];
        pack(&Images::Indexed(&bytes, &[2, 0]), 0..2, &mut tile);
        assert_eq!(tile[0].0[..3], [0.8, 0.0, 0.0]);
        assert_eq!(tile[1].0[..3], [1.0, 0.2, 0.0]);
        pack(&Images::Bytes(&bytes), 1..2, &mut tile);
        assert_eq!((tile[0].0[0], tile[1].0[0], tile[1].0[1]), (0.4, 0.6, 0.0));
        pack(&Images::Floats(&[1.5, -2.0]), 0..1, &mut tile);
        assert_eq!((tile[0].0[0], tile[1].0[0]), (1.5, -2.0));
    }

    #[test]
    fn rows_come_back_in_order() {
        let rows = Rows::new(17, 2);
        let tile = |base: f32| [0.0, 0.5].map(|c| Lane(std::array::from_fn(|lane| base + lane as f32 + c)));
        rows.write(16..17, &tile(16.0));
        rows.write(0..16, &tile(0.0));
        assert_eq!(rows.into_values(), (0..34).map(|i| i as f32 / 2.0).collect::<Vec<_>>());
    }
}
