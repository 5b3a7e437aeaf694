//! Pixels in another size, to the bit as `resize(size, BILINEAR, box)` of Pillow 13 makes them (its `Resample.c`), and so torchvision's
//! `Resize` of a picture. A new pixel is a mean of those below a triangle, which is as wide as two pixels of the coarser of both
//! pictures: along one side first, of whose means eight bits are kept, and then along the other.

use crate::picture::Picture;
use fearless_simd::{Level, Simd, dispatch};
use std::ops::Range;

/// Bits of a weight behind the point: eight of the pixel and two for sums that are too large are the others of an `i32`.
const BITS: u32 = 32 - 8 - 2;

/// Half of the last bit that is kept, so that cutting off the rest rounds.
const HALF: i32 = 1 << (BITS - 1);

/// What is between these, in pixels and parts of them, along one side.
pub type Span = [f32; 2];

/// What of a picture is between these columns and rows, in another size, which has rows and columns.
pub fn resample(from: &Picture, columns: Span, rows: Span, [height, width]: [usize; 2]) -> Picture {
    let (across, down) = (Weights::new(from.width, columns, width), Weights::new(from.height, rows, height));
    // Until version 12, Pillow always went along rows first.
    let fewer = |size: usize, new: usize| size as i64 - new as i64;
    let columns_first = fewer(from.height, height) > (2 * fewer(from.width, width)).max(0);
    dispatch!(Level::new(), simd => simd.vectorize(
        #[inline(always)]
        || match columns_first {
            true => narrowed(&flattened(from, &down, None), &across),
            false => flattened(from, &down, Some(&across)),
        }
    ))
}

/// Of each new pixel along one side, which ones it is a mean of, and how much they count.
struct Weights {
    starts: Vec<usize>,
    /// `taps` of each, of which the last may lie beyond the picture and are zero.
    weights: Vec<i32>,
    taps: usize,
}

impl Weights {
    /// Of `size` pixels, of which those between `start` and `end` become `new_size`.
    fn new(size: usize, [start, end]: Span, new_size: usize) -> Self {
        let scale = f64::from(end - start) / new_size as f64;
        let reach = scale.max(1.0);
        let taps = 2 * reach.ceil() as usize + 1;
        let (mut starts, mut weights) = (Vec::with_capacity(new_size), vec![0; taps * new_size]);
        for (i, weights) in weights.chunks_exact_mut(taps).enumerate() {
            let center = f64::from(start) + (i as f64 + 0.5) * scale;
            // What is negative becomes zero as it becomes whole.
            let (first, last) = ((center - reach + 0.5) as usize, ((center + reach + 0.5) as usize).min(size));
            let below = |at: usize| (1.0 - ((at as f64 - center + 0.5) * (1.0 / reach)).abs()).max(0.0);
            let sum: f64 = (first..last).map(below).sum();
            for (weight, at) in weights.iter_mut().zip(first..last) {
                *weight = (0.5 + below(at) / sum * f64::from(1 << BITS)) as i32;
            }
            starts.push(first);
        }
        Self { starts, weights, taps }
    }

    /// The pixels, of `size`, that any new one is a mean of.
    fn used(&self, size: usize) -> Range<usize> {
        let ends = self.starts.last().map_or(0, |last| last + self.taps);
        self.starts.first().copied().unwrap_or(0)..ends.min(size)
    }
}

/// The picture with fewer or more rows, each of which was made narrow before: what is in between takes one row of memory.
#[inline(always)]
fn flattened(from: &Picture, down: &Weights, across: Option<&Weights>) -> Picture {
    let (channels, height) = (from.channels, down.starts.len());
    let width = across.map_or(from.width, |across| across.starts.len());
    let mut sums = vec![HALF; height * width * channels];
    let mut narrowing = across.map(|across| Narrowing::new(from, across));
    let mut first = 0;
    for y in down.used(from.height) {
        let row = &from.pixels[y * from.width * channels..][..from.width * channels];
        let row = match &mut narrowing {
            Some(narrowing) => narrowing.narrow(row),
            None => row,
        };
        while down.starts[first] + down.taps <= y {
            first += 1;
        }
        for i in (first..height).take_while(|&i| down.starts[i] <= y) {
            let weight = down.weights[i * down.taps + y - down.starts[i]];
            let sums = &mut sums[i * row.len()..][..row.len()];
            sums.iter_mut().zip(row).for_each(|(sum, pixel)| *sum += weight * i32::from(*pixel));
        }
    }
    Picture { width, height, channels, pixels: sums.into_iter().map(rounded).collect() }
}

/// The picture with fewer or more columns.
#[inline(always)]
fn narrowed(from: &Picture, across: &Weights) -> Picture {
    let mut narrowing = Narrowing::new(from, across);
    let mut pixels = Vec::with_capacity(from.height * narrowing.new.len());
    for row in from.pixels.chunks_exact(from.width * from.channels) {
        pixels.extend_from_slice(narrowing.narrow(row));
    }
    Picture { width: across.starts.len(), pixels, ..*from }
}

/// Makes rows narrow, one after the other.
struct Narrowing<'a> {
    across: &'a Weights,
    channels: usize,
    /// The row and what weights of zero may be multiplied with.
    row: Vec<u8>,
    new: Vec<u8>,
}

impl<'a> Narrowing<'a> {
    fn new(from: &Picture, across: &'a Weights) -> Self {
        let channels = from.channels;
        let row = vec![0; (from.width + across.taps) * channels + 1];
        Self { across, channels, row, new: vec![0; across.starts.len() * channels] }
    }

    #[inline(always)]
    fn narrow(&mut self, row: &[u8]) -> &[u8] {
        self.row[..row.len()].copy_from_slice(row);
        match self.channels {
            1 => narrow_grey(&self.row, self.across, &mut self.new),
            _ => narrow_colours(&self.row, self.across, &mut self.new),
        }
        &self.new
    }
}

#[inline(always)]
fn narrow_grey(row: &[u8], across: &Weights, narrow: &mut [u8]) {
    for ((new, &start), weights) in narrow.iter_mut().zip(&across.starts).zip(across.weights.chunks_exact(across.taps))
    {
        let pixels = row[start..][..across.taps].iter();
        let sum: i32 = pixels.zip(weights).map(|(pixel, weight)| i32::from(*pixel) * weight).sum();
        *new = rounded(HALF + sum);
    }
}

/// With what comes after each pixel as a fourth value, which is dropped: four are summed up as quickly as three.
#[inline(always)]
fn narrow_colours(row: &[u8], across: &Weights, narrow: &mut [u8]) {
    let new = narrow.chunks_exact_mut(3);
    for ((new, &start), weights) in new.zip(&across.starts).zip(across.weights.chunks_exact(across.taps)) {
        let pixels = row[3 * start..][..3 * across.taps + 1].windows(4).step_by(3);
        let mut sums = [HALF; 4];
        for (pixel, weight) in pixels.zip(weights) {
            for i in 0..4 {
                sums[i] += i32::from(pixel[i]) * weight;
            }
        }
        new.copy_from_slice(&sums.map(rounded)[..3]);
    }
}

/// A sum as a pixel.
#[inline(always)]
fn rounded(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}
