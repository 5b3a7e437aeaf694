//! The gradient by the weights, sixteen output channels to a lane vector instead of sixteen images.
//!
//! With images in the lanes, each weight's sum ends with a sum over the lanes, which takes longer than all before it where the
//! output has few pixels. Here dz is turned once, and a weight of sixteen channels is a lane vector from the first image to the
//! last:
//!
//! ```text
//!   dw[t][o..o + 16] += Σ x[c][y][x].image · dz[oy][ox][image][o..o + 16]        over pixels and images
//! ```
//!
//! A register tile has one tap of the kernel, so that all of its sums meet the same pixels, and none of them padding.

use super::Placed;
use crate::simd::{LANES, Lane, Lanes, Largest, Real, RegisterTile, cover, cut};
use std::ops::Range;

/// Whether it takes less time than [`super::weight_gradient`]: where input channels fill register tiles, and output channels most of
/// the lanes.
pub(super) fn is_faster(conv: &Placed) -> bool {
    conv.in_channels >= 8 && conv.out_channels * 4 >= conv.out_channels.next_multiple_of(LANES) * 3
}

/// Numbers of a chunk's sums: `[OC / 16][C][KH][KW]` times sixteen channels, the last filled up with zeros.
pub(super) fn sums_len(conv: &Placed) -> usize {
    conv.out_channels.next_multiple_of(LANES).saturating_mul(conv.taps())
}

/// Lanes of dz that are turned at once, about: 128 KiB, which with as much of x is in the cache of a core.
const TURNED: usize = 2048;

/// Rows of dz that are turned at once.
fn rows_at_once(conv: &Placed) -> usize {
    (TURNED / row_len(conv).max(1)).clamp(1, conv.output[0])
}

/// Lanes of a turned row of dz.
fn row_len(conv: &Placed) -> usize {
    conv.out_channels.next_multiple_of(LANES).saturating_mul(conv.output[1])
}

/// Lanes of scratch memory.
pub(super) fn scratch_len(conv: &Placed) -> usize {
    rows_at_once(conv).saturating_mul(row_len(conv))
}

/// Adds a tile's gradient to the chunk's sums.
#[inline(always)]
pub(super) fn leave<L: Lanes>(
    conv: &Placed,
    l: L,
    x: &[Lane<L::Real>],
    dz: &[Lane<L::Real>],
    scratch: &mut [Lane<L::Real>],
    sums: &mut [L::Real],
) {
    let blocks = conv.out_channels.div_ceil(LANES);
    // A single block makes few sums, each of which waits for its last addition.
    let largest = Largest { wide: if blocks == 1 { [8, 1] } else { [6, 4] }, narrow: [6, 1] };
    let mut rows = 0..0;
    while rows.end < conv.output[0] {
        rows = rows.end..(rows.end + rows_at_once(conv)).min(conv.output[0]);
        let turned = &mut scratch[..rows.len() * row_len(conv)];
        turn(conv, l, dz, rows.clone(), turned);
        // The blocks of a tile stay in the nearest cache, for all taps and input channels to pass by.
        for (block, count) in cut(0..blocks, largest.on(l)[1]) {
            for ky in 0..conv.kernel_size[0] {
                for kx in 0..conv.kernel_size[1] {
                    let (met_rows, columns) = (met(conv, 0, ky), met(conv, 1, kx));
                    let met_rows = met_rows.start.max(rows.start)..met_rows.end.min(rows.end);
                    let mut kernel = Tap {
                        conv,
                        l,
                        x,
                        turned,
                        turned_from: rows.start,
                        into: sums,
                        tap: [ky, kx],
                        rows: met_rows,
                        columns,
                    };
                    cover(0..conv.in_channels, block..block + count, largest, &mut kernel);
                }
            }
        }
    }
}

/// Rows of dz: `[OC][OH][OW]` lanes of images, to `[OC / 16][rows][OW][image]` lanes of channels, the last filled up with
/// zeros.
#[inline(always)]
fn turn<L: Lanes>(conv: &Placed, l: L, dz: &[Lane<L::Real>], rows: Range<usize>, turned: &mut [Lane<L::Real>]) {
    let (plane, zero) = (conv.output[0] * conv.output[1], Lane::zero());
    let pixels = rows.start * conv.output[1]..rows.end * conv.output[1];
    let blocks = turned.as_chunks_mut::<LANES>().0.chunks_exact_mut(pixels.len());
    for (channels, block) in dz.chunks(LANES * plane).zip(blocks) {
        for (p, columns) in pixels.clone().zip(block) {
            let mut from = [&zero; LANES];
            for (from, channel) in from.iter_mut().zip(channels.chunks_exact(plane)) {
                *from = &channel[p];
            }
            l.turn(from, columns);
        }
    }
}

/// The outputs, along one side, whose window has pixels of the image at `tap`.
fn met(conv: &Placed, side: usize, tap: usize) -> Range<usize> {
    let (stride, padding) = (conv.strides[side], conv.padding[side]);
    let start = padding.saturating_sub(tap).div_ceil(stride);
    let end = (padding + conv.input[side]).saturating_sub(tap).div_ceil(stride);
    start..end.min(conv.output[side])
}

/// The weights of one tap: input channels by blocks of sixteen output channels.
struct Tap<'a, L: Lanes> {
    conv: &'a Placed,
    l: L,
    x: &'a [Lane<L::Real>],
    turned: &'a [Lane<L::Real>],
    into: &'a mut [L::Real],
    /// The row of outputs that `turned` begins with.
    turned_from: usize,
    /// Row and column of the kernel.
    tap: [usize; 2],
    /// Outputs that meet the image.
    rows: Range<usize>,
    columns: Range<usize>,
}

impl<L: Lanes> RegisterTile for Tap<'_, L> {
    type Lanes = L;

    #[inline(always)]
    fn tile<const C: usize, const B: usize>(&mut self, c: usize, b: usize) {
        let Self { conv, l, x, turned, .. } = *self;
        let [height, width] = conv.input;
        let out_width = conv.output[1];
        let block_len = turned.len() / conv.out_channels.div_ceil(LANES);
        let mut planes = [x; C];
        for i in 0..C {
            planes[i] = &x[(c + i) * height * width..][..height * width];
        }
        let mut blocks = [turned; B];
        for j in 0..B {
            blocks[j] = &turned[(b + j) * block_len..][..block_len];
        }
        let mut sums = [[l.splat(L::Real::ZERO); B]; C];
        for oy in self.rows.clone() {
            let row = (oy * conv.strides[0] + self.tap[0] - conv.padding[0]) * width;
            for ox in self.columns.clone() {
                let pixel = row + ox * conv.strides[1] + self.tap[1] - conv.padding[1];
                let mut pixels = [&x[0].0; C];
                for i in 0..C {
                    pixels[i] = &planes[i][pixel].0;
                }
                let output = ((oy - self.turned_from) * out_width + ox) * LANES;
                let mut outputs = [turned; B];
                for j in 0..B {
                    outputs[j] = &blocks[j][output..][..LANES];
                }
                let mut outputs = outputs.map(|block| block.iter());
                for image in 0..LANES {
                    let mut d = [l.splat(L::Real::ZERO); B];
                    for j in 0..B {
                        d[j] = l.load(outputs[j].next().expect("a lane for each image"));
                    }
                    for i in 0..C {
                        let pixel = l.splat(pixels[i][image]);
                        for j in 0..B {
                            sums[i][j] = l.mul_add(d[j], pixel, sums[i][j]);
                        }
                    }
                }
            }
        }
        let taps = conv.kernel_size[0] * conv.kernel_size[1];
        let tap = self.tap[0] * conv.kernel_size[1] + self.tap[1];
        for i in 0..C {
            for j in 0..B {
                let place = ((b + j) * conv.taps() + (c + i) * taps + tap) * LANES;
                let into = &mut self.into[place..][..LANES];
                l.store_slice(l.add(l.load_slice(into), sums[i][j]), into);
            }
        }
    }
}

/// Adds a chunk's sums to the gradient of the weights of sixteen output channels, or as many as are left: `[16][C][KH][KW]`.
#[inline(always)]
pub(super) fn gradient<L: Lanes>(conv: &Placed, l: L, sums: &[L::Real], dw: &mut [L::Real]) {
    for (i, sums) in sums.chunks(LANES * LANES).enumerate() {
        let (mut taps, mut channels) = ([Lane::zero(); LANES], [Lane::zero(); LANES]);
        for (tap, sums) in taps.iter_mut().zip(sums.chunks_exact(LANES)) {
            l.store(l.load_slice(sums), tap);
        }
        l.turn(taps.each_ref(), &mut channels);
        for (dw, channel) in dw.chunks_exact_mut(conv.taps()).zip(&channels) {
            let dw = &mut dw[i * LANES..];
            if let Some(dw) = dw.get_mut(..LANES) {
                l.store_slice(l.add(l.load_slice(dw), l.load(channel)), dw);
            } else {
                for (dw, sum) in dw.iter_mut().zip(channel.0) {
                    *dw += sum;
                }
            }
        }
    }
}
