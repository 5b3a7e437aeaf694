//! Pixels in another size, to the bit as `resize(size, BILINEAR, box)` of Pillow 13 makes them (its `Resample.c`), and so torchvision's
//! `Resize` of a picture. A new pixel is a mean of those below a triangle, which is as wide as two pixels of the coarser of both
//! pictures: along one side first, of whose means eight bits are kept, and then along the other.

use crate::picture::Picture;
use fearless_simd::{Level, Simd, SimdBase, dispatch, u8x16};
use std::ops::Range;

/// Bits of a weight behind the point: eight of the pixel and two for sums that are too large are the others of an `i32`.
const BITS: u32 = 32 - 8 - 2;

/// Half of the last bit that is kept, so that cutting off the rest rounds.
const HALF: i32 = 1 << (BITS - 1);

/// So many rows become narrower at once: of each column, their bytes are multiplied with the same weight.
const STRIP: usize = 16;

/// What is between these, in pixels and parts of them, along one side.
pub type Span = [f32; 2];

/// What of a picture is between these columns and rows, in another size, which has rows and columns.
pub fn resample(from: &Picture, columns: Span, rows: Span, size: [usize; 2]) -> Picture {
    resample_on(Level::new(), from, columns, rows, size)
}

/// The same by a processor's instructions, any of which give the same bytes.
fn resample_on(level: Level, from: &Picture, columns: Span, rows: Span, [height, width]: [usize; 2]) -> Picture {
    let (across, down) = (Weights::new(from.width, columns, width), Weights::new(from.height, rows, height));
    // Pillow's rule, from version 13 on: columns where they lose more than twice as many pixels. Those before always began with rows.
    let fewer = |size: usize, new: usize| size as i64 - new as i64;
    let columns_first = fewer(from.height, height) > (2 * fewer(from.width, width)).max(0);
    dispatch!(level, simd => simd.vectorize(
        #[inline(always)]
        || match columns_first {
            true => narrowed(simd, &flattened(from, &down), &across),
            false => narrowed_and_flattened(simd, from, &across, &down),
        }
    ))
}

/// The picture with fewer or more rows.
#[inline(always)]
fn flattened(from: &Picture, down: &Weights) -> Picture {
    let len = from.width * from.channels;
    let mut flattening = Flattening::new(down, len);
    for y in down.used(from.height) {
        flattening.add(y, &from.pixels[y * len..][..len]);
    }
    Picture { height: down.len(), pixels: flattening.pixels(), ..*from }
}

/// The picture with fewer or more columns.
#[inline(always)]
fn narrowed<S: Simd>(simd: S, from: &Picture, across: &Weights) -> Picture {
    let mut narrowing = Narrowing::new(simd, from, across);
    let mut pixels = Vec::with_capacity(from.height * across.len() * from.channels);
    for top in (0..from.height).step_by(STRIP) {
        narrowing.strip(top).take(from.height - top).for_each(|row| pixels.extend_from_slice(row));
    }
    Picture { width: across.len(), pixels, ..*from }
}

/// Both, of which no more than a strip of narrow rows is in memory.
#[inline(always)]
fn narrowed_and_flattened<S: Simd>(simd: S, from: &Picture, across: &Weights, down: &Weights) -> Picture {
    let mut narrowing = Narrowing::new(simd, from, across);
    let mut flattening = Flattening::new(down, across.len() * from.channels);
    let used = down.used(from.height);
    for top in used.clone().step_by(STRIP) {
        (top..used.end).zip(narrowing.strip(top)).for_each(|(y, row)| flattening.add(y, row));
    }
    Picture { width: across.len(), height: down.len(), pixels: flattening.pixels(), ..*from }
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

    /// How many new pixels there are.
    fn len(&self) -> usize {
        self.starts.len()
    }

    /// The pixels, of `size`, that any new one is a mean of.
    fn used(&self, size: usize) -> Range<usize> {
        let ends = self.starts.last().map_or(0, |last| last + self.taps);
        self.starts.first().copied().unwrap_or(0)..ends.min(size)
    }
}

/// New rows, while those that they are means of are added up.
struct Flattening<'a> {
    down: &'a Weights,
    /// Of the new rows, one after the other.
    sums: Vec<i32>,
}

impl<'a> Flattening<'a> {
    /// Of rows of so many bytes.
    fn new(down: &'a Weights, len: usize) -> Self {
        Self { down, sums: vec![HALF; down.len() * len] }
    }

    /// Adds row `y` to all that are a mean of it.
    #[inline(always)]
    fn add(&mut self, y: usize, row: &[u8]) {
        let Weights { starts, weights, taps } = self.down;
        let first = starts.partition_point(|start| start + taps <= y);
        for (i, start) in starts.iter().enumerate().skip(first).take_while(|(_, start)| **start <= y) {
            let weight = weights[i * taps + y - start];
            let sums = &mut self.sums[i * row.len()..][..row.len()];
            sums.iter_mut().zip(row).for_each(|(sum, byte)| *sum += weight * i32::from(*byte));
        }
    }

    #[inline(always)]
    fn pixels(self) -> Vec<u8> {
        self.sums.into_iter().map(rounded).collect()
    }
}

/// Makes strips of a picture narrower or wider.
struct Narrowing<'a, S> {
    simd: S,
    from: &'a Picture,
    across: &'a Weights,
    /// The strip's, and as many zeros as weights may reach beyond.
    columns: Vec<[u8; STRIP]>,
    new_columns: Vec<[u8; STRIP]>,
    /// As many bytes each as there are new columns, of which the last may be to fill up.
    new_rows: Vec<u8>,
}

impl<'a, S: Simd> Narrowing<'a, S> {
    fn new(simd: S, from: &'a Picture, across: &'a Weights) -> Self {
        let zeros = |pixels: usize| vec![[0; STRIP]; (pixels * from.channels).next_multiple_of(STRIP)];
        let (columns, new_columns) = (zeros(from.width + across.taps), zeros(across.len()));
        let new_rows = vec![0; new_columns.len() * STRIP];
        Self { simd, from, across, columns, new_columns, new_rows }
    }

    /// The new rows of those from `top` on; below the picture, of zeros.
    #[inline(always)]
    fn strip(&mut self, top: usize) -> impl Iterator<Item = &[u8]> {
        let Picture { width, channels, ref pixels, .. } = *self.from;
        let mut rows: [&[u8]; STRIP] = [&[]; STRIP];
        rows.iter_mut().zip(pixels.chunks_exact(width * channels).skip(top)).for_each(|(to, row)| *to = row);
        let mut block = [[0; STRIP]; STRIP];
        for (i, columns) in self.columns.as_chunks_mut().0.iter_mut().enumerate() {
            block.iter_mut().zip(rows).for_each(|(bytes, row)| *bytes = bytes_from(row, i * STRIP));
            *columns = transposed(self.simd, &block);
        }
        match channels {
            1 => add_columns::<1>(&self.columns, self.across, &mut self.new_columns),
            _ => add_columns::<3>(&self.columns, self.across, &mut self.new_columns),
        }
        let len = self.new_columns.len();
        for (block, columns) in self.new_columns.as_chunks().0.iter().enumerate() {
            for (row, bytes) in transposed(self.simd, columns).iter().enumerate() {
                self.new_rows[row * len + block * STRIP..][..STRIP].copy_from_slice(bytes);
            }
        }
        let new_len = self.across.len() * channels;
        self.new_rows.chunks_exact(len).map(move |row| &row[..new_len])
    }
}

/// Of pixels of `C` columns, one for each channel.
#[inline(always)]
fn add_columns<const C: usize>(columns: &[[u8; STRIP]], across: &Weights, new_columns: &mut [[u8; STRIP]]) {
    let (pixels, new_pixels) = (columns.as_chunks::<C>().0, new_columns.as_chunks_mut::<C>().0);
    let weights = across.weights.chunks_exact(across.taps);
    for ((new_pixel, &start), weights) in new_pixels.iter_mut().zip(&across.starts).zip(weights) {
        for channel in 0..C {
            let mut sums = [HALF; STRIP];
            for (pixel, weight) in pixels[start..].iter().zip(weights) {
                for row in 0..STRIP {
                    sums[row] += i32::from(pixel[channel][row]) * weight;
                }
            }
            new_pixel[channel].iter_mut().zip(sums).for_each(|(byte, sum)| *byte = rounded(sum));
        }
    }
}

/// What is there of a row's bytes from a place on, and zeros.
#[inline(always)]
fn bytes_from(row: &[u8], start: usize) -> [u8; STRIP] {
    let rest = row.get(start..).unwrap_or_default();
    if let Some(bytes) = rest.first_chunk() {
        return *bytes;
    }
    let mut bytes = [0; STRIP];
    bytes[..rest.len()].copy_from_slice(rest);
    bytes
}

/// Columns of rows. Where two halves are interleaved four times, each byte has changed its place with the one across the diagonal.
#[inline(always)]
fn transposed<S: Simd>(simd: S, rows: &[[u8; STRIP]; STRIP]) -> [[u8; STRIP]; STRIP] {
    let mut all = [u8x16::splat(simd, 0); STRIP];
    all.iter_mut().zip(rows).for_each(|(bytes, row)| *bytes = u8x16::load_array_ref(simd, row));
    for _ in 0..4 {
        let halves = all;
        for i in 0..8 {
            all[2 * i] = halves[i].zip_low(halves[i + 8]);
            all[2 * i + 1] = halves[i].zip_high(halves[i + 8]);
        }
    }
    let mut columns = [[0; STRIP]; STRIP];
    columns.iter_mut().zip(all).for_each(|(column, bytes)| bytes.store_array(column));
    columns
}

/// A sum as a pixel.
#[inline(always)]
fn rounded(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels() -> Vec<Level> {
        let best = Level::new();
        let mut all = vec![best, Level::fallback()];
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(best.as_avx2().map(Level::Avx2));
            all.extend(best.as_sse4_2().map(Level::Sse4_2));
        }
        all
    }

    fn picture(width: usize, height: usize, channels: usize) -> Picture {
        let pixels = (0..width * height * channels).map(|i| (i * i / 7 % 256) as u8).collect();
        Picture { width, height, channels, pixels }
    }

    /// Means in float64 of means that are rounded, as Pillow's sums of whole numbers all but are.
    fn along(size: usize, [start, end]: Span, new_size: usize, at: impl Fn(usize) -> u8) -> Vec<f64> {
        let scale = f64::from(end - start) / new_size as f64;
        let mean = |i: usize| {
            let center = f64::from(start) + (i as f64 + 0.5) * scale;
            let below = |x: usize| (1.0 - ((x as f64 + 0.5 - center) / scale.max(1.0)).abs()).max(0.0);
            let sum: f64 = (0..size).map(|x| below(x) * f64::from(at(x))).sum();
            sum / (0..size).map(below).sum::<f64>()
        };
        (0..new_size).map(mean).collect()
    }

    #[test]
    fn pixels_are_means_below_a_triangle_on_any_instructions() {
        for ([width, height], [new_width, new_height], channels) in [
            ([40, 1], [7, 1], 1),
            ([1, 50], [1, 9], 3),
            ([9, 1], [40, 1], 3),
            ([1, 5], [1, 33], 1),
            ([100, 1], [100, 1], 1),
            ([33, 1], [16, 1], 3),
        ] {
            let from = picture(width, height, channels);
            let (columns, rows) = ([0.0, width as f32], [0.0, height as f32]);
            for level in levels() {
                let new = resample_on(level, &from, columns, rows, [new_height, new_width]);
                assert_eq!([new.width, new.height, new.channels], [new_width, new_height, channels]);
                for channel in 0..channels {
                    let (size, new_size) = (width.max(height), new_width.max(new_height));
                    let expected = along(size, [0.0, size as f32], new_size, |x| from.pixels[x * channels + channel]);
                    for (i, mean) in expected.into_iter().enumerate() {
                        let found = f64::from(new.pixels[i * channels + channel]);
                        assert!((found - mean).abs() < 0.501, "{width}x{height}, {level:?}: {found}, not {mean}");
                    }
                }
            }
        }
    }

    #[test]
    fn all_instructions_give_the_same_pixels() {
        // Rows first, columns first, larger, and of fewer rows than a strip.
        for (width, height, [new_height, new_width], channels) in
            [(70, 50, [20, 31], 3), (50, 170, [20, 31], 3), (31, 17, [40, 64], 1), (200, 9, [19, 5], 1)]
        {
            let size = [new_height, new_width];
            let from = picture(width, height, channels);
            let all = levels();
            let pixels =
                |level| resample_on(level, &from, [1.3, width as f32], [0.0, height as f32 - 0.7], size).pixels;
            all[1..].iter().for_each(|level| assert_eq!(pixels(*level), pixels(all[0]), "{level:?}"));
        }
    }
}
