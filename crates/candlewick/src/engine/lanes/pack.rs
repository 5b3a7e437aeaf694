//! Where images enter and answers leave: between arrays of images and tiles of lanes.

use crate::engine::images::Images;
use crate::simd::{Kernel, LANES, Lane, Lanes};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Puts the images `range` of the batch, one to sixteen, into the lanes of `tile`: `[C][H][W]`. Lanes left over are zero.
pub struct Pack<'a> {
    pub images: &'a Images<'a>,
    /// Each channel's mean and factor; none where images count as they are.
    pub channels: &'a [[f32; 2]],
    pub range: Range<usize>,
    pub tile: &'a mut [Lane<f32>],
}

impl Kernel for Pack<'_> {
    type Output = ();

    fn run<L: Lanes<Real = f32>>(self, l: L) {
        let Self { images, channels, range, tile } = self;
        match images {
            Images::Bytes(all) => pack_bytes(l, rows(all, tile.len(), |lane| range.start + lane, range.len()), tile),
            Images::Indexed(all, indices) => {
                let image = |lane| indices[range.start + lane] as usize;
                pack_bytes(l, rows(all, tile.len(), image, range.len()), tile);
            }
            Images::IndexedFloats(all, indices) => {
                let image = |lane| indices[range.start + lane] as usize;
                pack_floats(rows(all, tile.len(), image, range.len()), tile);
            }
            Images::Floats(all) => pack_floats(rows(all, tile.len(), |lane| range.start + lane, range.len()), tile),
        }
        normalize(l, channels, tile);
        for lane in range.len()..LANES {
            tile.iter_mut().for_each(|pixel| pixel.0[lane] = 0.0);
        }
    }
}

/// The pixels of the image in each lane, `live` of them; lanes left over repeat the last.
fn rows<T>(all: &[T], len: usize, image: impl Fn(usize) -> usize, live: usize) -> [&[T]; LANES] {
    std::array::from_fn(|lane| &all[image(lane.min(live - 1)) * len..][..len])
}

/// Sixteen pixels of sixteen images at a time, so that memory is read and written in order.
fn pack_bytes<L: Lanes<Real = f32>>(l: L, rows: [&[u8]; LANES], tile: &mut [Lane<f32>]) {
    l.run(
        #[inline(always)]
        || {
            let (blocks, rest) = tile.as_chunks_mut::<LANES>();
            let left = blocks.len() * LANES;
            for (block, pixels) in blocks.iter_mut().enumerate() {
                let mut bytes = [[0; LANES]; LANES];
                for lane in 0..LANES {
                    bytes[lane].copy_from_slice(&rows[lane][block * LANES..][..LANES]);
                }
                bytes = l.turn_bytes(bytes);
                for i in 0..LANES {
                    brightness(l, bytes[i], &mut pixels[i]);
                }
            }
            for (i, pixel) in rest.iter_mut().enumerate() {
                let mut bytes = [0; LANES];
                for lane in 0..LANES {
                    bytes[lane] = rows[lane][left + i];
                }
                brightness(l, bytes, pixel);
            }
        },
    );
}

/// v / 255, rounded once, as PyTorch's and everybody's preprocessing has it: a product with the rounded 1 / 255, and then a
/// step of Newton's, which is exact for all bytes and several times faster than a division.
#[inline(always)]
fn brightness<L: Lanes<Real = f32>>(l: L, bytes: [u8; LANES], pixel: &mut Lane<f32>) {
    for lane in 0..LANES {
        pixel.0[lane] = f32::from(bytes[lane]);
    }
    let (v, reciprocal) = (l.load(pixel), l.splat(1.0 / 255.0));
    let quotient = l.mul(v, reciprocal);
    let rest = l.mul_add(quotient, l.splat(-255.0), v);
    l.store(l.mul_add(rest, reciprocal, quotient), pixel);
}

fn pack_floats(rows: [&[f32]; LANES], tile: &mut [Lane<f32>]) {
    for (i, pixel) in tile.iter_mut().enumerate() {
        for (to, row) in pixel.0.iter_mut().zip(rows) {
            *to = row[i];
        }
    }
}

/// Of bytes, too: they were divided by 255 exactly, so that the bits are those of float32 that somebody divided.
fn normalize<L: Lanes<Real = f32>>(l: L, channels: &[[f32; 2]], tile: &mut [Lane<f32>]) {
    if channels.is_empty() {
        return;
    }
    l.run(
        #[inline(always)]
        || {
            let planes = tile.chunks_exact_mut(tile.len() / channels.len());
            for (plane, [mean, factor]) in planes.zip(channels) {
                let (mean, factor) = (l.splat(*mean), l.splat(*factor));
                for pixel in plane {
                    l.store(l.mul(l.sub(l.load(pixel), mean), factor), pixel);
                }
            }
        },
    );
}

/// A matrix (n, classes) of at most a round's rows that several threads fill, each those of its own tile.
pub struct Rows<'a> {
    tiles: Vec<Mutex<&'a mut [f32]>>,
    classes: usize,
}

impl<'a> Rows<'a> {
    /// The rows of `matrix`, one after the other.
    pub fn new(matrix: &'a mut [f32], classes: usize) -> Self {
        Self { tiles: matrix.chunks_mut(LANES * classes).map(Mutex::new).collect(), classes }
    }

    /// Takes the rows from `first`, a multiple of sixteen, out of the lanes of `tile`: `[classes]`.
    pub fn write(&self, first: usize, tile: &[Lane<f32>]) {
        let mut rows = self.tiles[first / LANES].lock().unwrap_or_else(PoisonError::into_inner);
        for (lane, row) in rows.chunks_mut(self.classes).enumerate() {
            for (value, z) in row.iter_mut().zip(tile) {
                *value = z.0[lane];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::InstructionSet;

    fn pack(images: &Images<'_>, range: Range<usize>, tile: &mut [Lane<f32>]) {
        InstructionSet::chosen().unwrap().run(Pack { images, channels: &[], range, tile });
    }

    #[test]
    fn every_byte_is_divided_by_255_exactly() {
        let bytes: [u8; 256] = std::array::from_fn(|i| i as u8); // an image of 256 pixels, and sixteen of sixteen
        for set in InstructionSet::available() {
            let mut tile = [Lane::zero(); 256];
            set.run(Pack { images: &Images::Bytes(&bytes), channels: &[], range: 0..1, tile: &mut tile });
            for (v, pixel) in tile.iter().enumerate() {
                assert_eq!(pixel.0[0], v as f32 / 255.0, "{}", set.name());
            }
            set.run(Pack { images: &Images::Bytes(&bytes), channels: &[], range: 0..16, tile: &mut tile[..16] });
            for (pixel, lanes) in tile[..16].iter().enumerate() {
                for (image, value) in lanes.0.iter().enumerate() {
                    assert_eq!(*value, (image * 16 + pixel) as f32 / 255.0, "{}", set.name());
                }
            }
        }
    }

    #[test]
    fn a_lane_holds_an_image() {
        let bytes: Vec<u8> = (0..6).map(|i| i * 51).collect(); // three images of two pixels
        let mut tile = [Lane::splat(7.0); 2];
        pack(&Images::Indexed(&bytes, &[2, 0]), 0..2, &mut tile);
        assert_eq!(tile[0].0[..3], [0.8, 0.0, 0.0]);
        assert_eq!(tile[1].0[..3], [1.0, 0.2, 0.0]);
        pack(&Images::Bytes(&bytes), 1..2, &mut tile);
        assert_eq!((tile[0].0[0], tile[1].0[0], tile[1].0[1]), (0.4, 0.6, 0.0));
        pack(&Images::IndexedFloats(&[9.0, 9.0, 0.5, 8.0, 1.5, -2.0], &[2, 1]), 1..2, &mut tile);
        assert_eq!((tile[0].0[0], tile[1].0[0], tile[0].0[1]), (0.5, 8.0, 0.0));
        pack(&Images::Floats(&[1.5, -2.0]), 0..1, &mut tile);
        assert_eq!((tile[0].0[0], tile[1].0[0]), (1.5, -2.0));
        pack(&Images::Floats(&[9.0, 9.0, 1.5, -2.0, 0.25, 4.0]), 1..3, &mut tile);
        assert_eq!((&tile[0].0[..3], &tile[1].0[..3]), (&[1.5, 0.25, 0.0][..], &[-2.0, 4.0, 0.0][..]));
    }

    /// Bytes and what they stand for, on every instruction set: the bits of float32 that were normalized one by one.
    #[test]
    fn a_channel_is_normalized_by_its_own_numbers_to_the_bit() {
        let channels = [[0.49, 1.0 / 0.247], [-3.5, 1.0 / 0.1]];
        let bytes: Vec<u8> = (0..17 * 74).map(|i| (i * i % 256) as u8).collect(); // images of two channels of 37 pixels
        let floats: Vec<f32> = bytes.iter().map(|byte| f32::from(*byte) / 255.0).collect();
        for set in InstructionSet::available() {
            for images in [Images::Bytes(&bytes), Images::Floats(&floats)] {
                let mut tile = [Lane::splat(7.0); 74];
                set.run(Pack { images: &images, channels: &channels, range: 2..17, tile: &mut tile });
                for (i, pixel) in tile.iter().enumerate() {
                    for (image, value) in (2..17).zip(pixel.0) {
                        let [mean, factor] = channels[i / 37];
                        let by_hand = (floats[image * 74 + i] - mean) * factor;
                        assert_eq!(value.to_bits(), by_hand.to_bits(), "{}", set.name());
                    }
                    assert_eq!(pixel.0[15], 0.0, "the lane left over");
                }
            }
        }
    }

    #[test]
    fn rows_come_back_in_order() {
        let mut matrix = [f32::NAN; 34];
        let rows = Rows::new(&mut matrix, 2);
        let tile = |base: f32| [0.0, 0.5].map(|c| Lane(std::array::from_fn(|lane| base + lane as f32 + c)));
        rows.write(16, &tile(16.0));
        rows.write(0, &tile(0.0));
        assert_eq!(matrix, std::array::from_fn(|i| i as f32 / 2.0));
    }
}
