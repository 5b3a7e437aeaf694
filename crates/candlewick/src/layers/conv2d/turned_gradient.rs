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

use super::{Placed, plane};
use crate::simd::{LANES, Lane, Lanes, Largest, Real, RegisterTile, cover, cut, cut_evenly};
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

/// Outputs of a channel that are turned at once, at most: 12 KiB of a block of sixteen channels, which stay in the nearest cache with the
/// pixels that pass by, where register tiles have a block or two.
const AT_ONCE: usize = 12;

/// A rectangle of outputs.
struct Outputs {
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Outputs {
    fn len(&self) -> usize {
        self.rows.len() * self.columns.len()
    }
}

/// Rows and columns of the largest rectangle that is turned at once.
fn most_at_once(conv: &Placed) -> [usize; 2] {
    let [rows, columns] = conv.output;
    [(AT_ONCE / columns).clamp(1, rows), columns.min(AT_ONCE)]
}

/// Lanes of scratch memory.
pub(super) fn scratch_len(conv: &Placed) -> usize {
    let [rows, columns] = most_at_once(conv);
    conv.out_channels.next_multiple_of(LANES).saturating_mul(rows * columns)
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
    let [most_rows, most_columns] = most_at_once(conv);
    for (row, height) in cut_evenly(0..conv.output[0], most_rows) {
        for (column, width) in cut_evenly(0..conv.output[1], most_columns) {
            let outputs = Outputs { rows: row..row + height, columns: column..column + width };
            let turned = &mut scratch[..blocks * LANES * outputs.len()];
            turn(conv, l, dz, &outputs, turned);
            // The blocks of a tile stay in the nearest cache, for all taps and input channels to pass by.
            for (block, count) in cut(0..blocks, largest.on(l)[1]) {
                for tap in 0..conv.kernel_size[0] * conv.kernel_size[1] {
                    let tap = [tap / conv.kernel_size[1], tap % conv.kernel_size[1]];
                    let mut kernel = Tap { conv, l, x, turned, outputs: &outputs, into: sums, tap };
                    cover(0..conv.in_channels, block..block + count, largest, &mut kernel);
                }
            }
        }
    }
}

/// Outputs of dz: `[OC][OH][OW]` lanes of images, to `[OC / 16][rows][columns][image]` lanes of channels, the last filled up with
/// zeros.
#[inline(always)]
fn turn<L: Lanes>(conv: &Placed, l: L, dz: &[Lane<L::Real>], outputs: &Outputs, turned: &mut [Lane<L::Real>]) {
    let plane = plane(conv.output);
    let blocks = turned.as_chunks_mut::<LANES>().0.chunks_exact_mut(outputs.len());
    for (channels, block) in dz.chunks(LANES * plane).zip(blocks) {
        for (row, block) in outputs.rows.clone().zip(block.chunks_exact_mut(outputs.columns.len())) {
            for (column, columns) in outputs.columns.clone().zip(block) {
                turn_pixel(l, channels, plane, row * conv.output[1] + column, columns);
            }
        }
    }
}

/// A pixel of up to sixteen planes, from lanes of images to one lane for each image; channels that are not there are zeros.
#[inline(always)]
pub(super) fn turn_pixel<L: Lanes>(
    l: L,
    planes: &[Lane<L::Real>],
    plane: usize,
    pixel: usize,
    images: &mut [Lane<L::Real>; LANES],
) {
    let zero = Lane::zero();
    let mut from = [&zero; LANES];
    for (from, plane) in from.iter_mut().zip(planes.chunks_exact(plane)) {
        *from = &plane[pixel];
    }
    l.turn(from, images);
}

/// Those of some outputs, along one side, whose window has pixels of the image at `tap`.
fn met(conv: &Placed, side: usize, tap: usize, outputs: &Range<usize>) -> Range<usize> {
    let (stride, padding) = (conv.strides[side], conv.padding[side]);
    let start = padding.saturating_sub(tap).div_ceil(stride);
    let end = (padding + conv.input[side]).saturating_sub(tap).div_ceil(stride);
    start.max(outputs.start)..end.min(outputs.end)
}

/// The weights of one tap: input channels by blocks of sixteen output channels.
struct Tap<'a, L: Lanes> {
    conv: &'a Placed,
    l: L,
    x: &'a [Lane<L::Real>],
    turned: &'a [Lane<L::Real>],
    /// Those in `turned`.
    outputs: &'a Outputs,
    into: &'a mut [L::Real],
    /// Row and column of the kernel.
    tap: [usize; 2],
}

impl<L: Lanes> RegisterTile for Tap<'_, L> {
    type Lanes = L;

    #[inline(always)]
    fn tile<const C: usize, const B: usize>(&mut self, c: usize, b: usize) {
        let Self { conv, l, x, turned, outputs, .. } = *self;
        let [height, width] = conv.input;
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
        let (rows, columns) = (&outputs.rows, &outputs.columns);
        let met_columns = met(conv, 1, self.tap[1], columns);
        for oy in met(conv, 0, self.tap[0], rows) {
            let row = (oy * conv.strides[0] + self.tap[0] - conv.padding[0]) * width;
            for ox in met_columns.clone() {
                let pixel = row + ox * conv.strides[1] + self.tap[1] - conv.padding[1];
                let mut pixels = [&x[0].0; C];
                for i in 0..C {
                    pixels[i] = &planes[i][pixel].0;
                }
                let place = ((oy - rows.start) * columns.len() + ox - columns.start) * LANES;
                let mut gradients = [turned; B];
                for j in 0..B {
                    gradients[j] = &blocks[j][place..][..LANES];
                }
                let mut gradients = gradients.map(|block| block.iter());
                for image in 0..LANES {
                    let mut d = [l.splat(L::Real::ZERO); B];
                    for j in 0..B {
                        d[j] = l.load(gradients[j].next().expect("a lane for each image"));
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
