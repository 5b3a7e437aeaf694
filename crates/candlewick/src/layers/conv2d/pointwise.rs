//! Convolution with a kernel of 1 x 1, one step at a time: a product of matrices, whose columns are an image's pixels, counted
//! through. So is its gradient by the input, with the weights turned.

use super::Placed;
use super::arranged::LARGEST;
use super::product::Product;
use crate::simd::{Lane, Lanes, cut};

/// Lanes of pixels that are collected at once, about: 16 KiB, which with the weights of a register tile is in the nearest cache.
const COLLECTED: usize = 256;

/// Pixels at once: whatever the channels, as many as a register tile has columns.
fn at_once(channels: usize, columns: usize) -> usize {
    (COLLECTED / channels).max(columns)
}

/// Lanes of scratch memory, for the forward pass and the gradient by the input.
pub(super) fn scratch_len(conv: &Placed) -> usize {
    let len = |channels: usize| channels.saturating_mul(at_once(channels, LARGEST.wide[1]));
    len(conv.in_channels).max(len(conv.out_channels))
}

/// `y[a][p] = bias[a] + Σ w[a][k] · x[k][p]` over k, for planes of `pixels`. Those of different channels would get into each
/// other's way in the cache, where a plane's size is a power of two; collected, they lie side by side.
#[inline(always)]
pub(super) fn pointwise<L: Lanes>(
    l: L,
    pixels: usize,
    [w, bias]: [&[L::Real]; 2],
    x: &[Lane<L::Real>],
    y: &mut [Lane<L::Real>],
    scratch: &mut [Lane<L::Real>],
) {
    let [depth, rows] = [x.len() / pixels, y.len() / pixels];
    let [_, columns] = LARGEST.on(l);
    for (place, count) in cut(0..pixels, at_once(depth, columns)) {
        let columns = &mut scratch[..count * depth];
        for (k, plane) in x.chunks_exact(pixels).enumerate() {
            for (t, pixel) in plane[place..][..count].iter().enumerate() {
                l.store(l.load(pixel), &mut columns[t * depth + k]);
            }
        }
        let y = &mut *y;
        Product { l, w, depth, bias, x: columns, y, plane: pixels, place }.fill(rows, 0..count);
    }
}
