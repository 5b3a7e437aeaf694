//! Convolution with a kernel of 3 x 3, one step at a time, by Winograd's F(2 x 2, 3 x 3): four outputs from a patch of 4 x 4 pixels with
//! 16 multiplications rather than 36.
//!
//! ```text
//!   y = Aᵀ [ (G g Gᵀ) · (Bᵀ d B) ] A       sums over channels are taken within the brackets
//! ```
//!
//! Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, section 4.1. So the work is sixteen products of matrices,
//! one for each place in a patch, and little besides. The gradient by the input is a convolution with the kernels turned round.

use super::arranged::for_each_place;
use super::product::Product;
use super::{Placed, plane};
use crate::simd::{Lane, Lanes, Real, cut};

/// Places in a patch.
const PLACES: usize = 16;

/// Lanes of patches and their products that are worked on at once, about: 256 KiB, half of a core's second cache.
const AT_ONCE: usize = 4096;

/// Whether it takes less time than to gather: where there are channels enough to pay for the patches, and patches do not lie mostly
/// outside of the image.
pub(super) fn is_faster(conv: &Placed) -> bool {
    let is_of_its_kind =
        conv.kernel_size == [3, 3] && conv.strides == [1, 1] && conv.padding.iter().all(|padding| *padding <= 2);
    is_of_its_kind && conv.in_channels.min(conv.out_channels) >= 8 && {
        let [rows, columns] = patches(conv.output);
        let multiplied = rows.saturating_mul(columns).saturating_mul(PLACES);
        multiplied.saturating_mul(5) <= met(conv, 0).saturating_mul(met(conv, 1)).saturating_mul(4)
    }
}

/// Pairs of a kernel's tap and a pixel that meet, along one side; the padding has none.
fn met(conv: &Placed, side: usize) -> usize {
    let (padding, end) = (conv.padding[side], conv.padding[side] + conv.input[side]);
    let outputs = |tap: usize| padding.saturating_sub(tap)..conv.output[side].min(end.saturating_sub(tap));
    (0..3).map(|tap| outputs(tap).len()).sum()
}

/// Numbers of the arranged weights of one direction, for so many weights.
pub(super) fn arranged_len(weights: usize) -> usize {
    (weights / 9).saturating_mul(PLACES)
}

/// Rows and columns of patches.
fn patches(output: [usize; 2]) -> [usize; 2] {
    output.map(|size| size.div_ceil(2))
}

fn at_once(conv: &Placed) -> usize {
    (AT_ONCE / (PLACES * (conv.in_channels + conv.out_channels))).max(1)
}

/// Lanes of scratch memory, for the forward pass and the gradient by the input.
pub(super) fn scratch_len(conv: &Placed) -> usize {
    at_once(conv) * PLACES * (conv.in_channels + conv.out_channels)
}

/// G g Gᵀ of the kernels of `rows` by `depth`, `[place]` times as [`for_each_place`] has them.
pub(super) fn arrange_kernels<R: Real>(
    rows: usize,
    depth: usize,
    kernel: impl Fn(usize, usize) -> [[R; 3]; 3],
    to: &mut [R],
) {
    let half = R::from_f64(0.5);
    let transform = |[a, b, c]: [R; 3]| [a, (a + b + c) * half, (a - b + c) * half, c];
    for_each_place(rows, depth, |row, k, place| {
        let columns = kernel(row, k).map(transform);
        for j in 0..4 {
            for (i, number) in transform(columns.map(|row| row[j])).into_iter().enumerate() {
                to[(i * 4 + j) * rows * depth + place] = number;
            }
        }
    });
}

/// A convolution of 3 x 3, from planes of `input` to planes of `output`.
#[derive(Clone, Copy)]
pub(super) struct Winograd {
    pub input: [usize; 2],
    pub output: [usize; 2],
    /// Rows above, columns left.
    pub padding: [usize; 2],
    /// Patches at once.
    pub at_once: usize,
}

impl Winograd {
    pub fn forward(conv: &Placed) -> Self {
        Self { input: conv.input, output: conv.output, padding: conv.padding, at_once: at_once(conv) }
    }

    pub fn input_gradient(conv: &Placed) -> Self {
        let padding = conv.padding.map(|padding| 2 - padding);
        Self { input: conv.output, output: conv.input, padding, at_once: at_once(conv) }
    }

    /// y = conv(x, w) + bias, `w` being [`arrange_kernels`]'.
    #[inline(always)]
    pub fn convolve<L: Lanes>(
        self,
        l: L,
        [w, bias]: [&[L::Real]; 2],
        x: &[Lane<L::Real>],
        y: &mut [Lane<L::Real>],
        scratch: &mut [Lane<L::Real>],
    ) {
        let [depth, rows] = [x.len() / plane(self.input), y.len() / plane(self.output)];
        for (first, count) in cut(0..patches(self.output).iter().product(), self.at_once) {
            let (from, products) = scratch.split_at_mut(PLACES * count * depth);
            let products = &mut products[..PLACES * count * rows];
            self.take_apart(l, first, x, from);
            let planes = from.chunks_exact(count * depth).zip(products.chunks_exact_mut(count * rows));
            for ((x, y), w) in planes.zip(w.chunks_exact(rows * depth)) {
                Product { l, w, depth, bias: &[], x, y, plane: count, place: 0 }.fill(rows, 0..count);
            }
            self.put_together(l, first, products, bias, y);
        }
    }

    /// The first row and column of a patch's outputs.
    fn outputs(&self, patch: usize) -> [usize; 2] {
        let columns = patches(self.output)[1];
        [patch / columns * 2, patch % columns * 2]
    }

    /// Bᵀ d B of the patches from `first` on: `[place][patch][channel]`.
    #[inline(always)]
    fn take_apart<L: Lanes>(&self, l: L, first: usize, x: &[Lane<L::Real>], to: &mut [Lane<L::Real>]) {
        let depth = x.len() / plane(self.input);
        let of_a_place = to.len() / PLACES;
        for patch in 0..of_a_place / depth {
            let [oy, ox] = self.outputs(first + patch);
            let rows: [Option<usize>; 4] = std::array::from_fn(|i| self.pixel(0, oy + i));
            let columns: [Option<usize>; 4] = std::array::from_fn(|j| self.pixel(1, ox + j));
            for (channel, plane) in x.chunks_exact(plane(self.input)).enumerate() {
                let to = &mut to[patch * depth + channel..];
                let zero = l.splat(L::Real::ZERO);
                let mut half = [[Lane::zero(); 4]; 4];
                for j in 0..4 {
                    let mut d = [zero; 4];
                    for i in 0..4 {
                        if let (Some(row), Some(column)) = (rows[i], columns[j]) {
                            d[i] = l.load(&plane[row * self.input[1] + column]);
                        }
                    }
                    let d = apart(l, d);
                    for i in 0..4 {
                        l.store(d[i], &mut half[i][j]);
                    }
                }
                for i in 0..4 {
                    let mut d = [zero; 4];
                    for j in 0..4 {
                        d[j] = l.load(&half[i][j]);
                    }
                    let d = apart(l, d);
                    for j in 0..4 {
                        l.store(d[j], &mut to[(i * 4 + j) * of_a_place]);
                    }
                }
            }
        }
    }

    /// The input's row (side 0) or column that is so far from the first of the padding's, if it is in the image.
    fn pixel(&self, side: usize, place: usize) -> Option<usize> {
        place.checked_sub(self.padding[side]).filter(|pixel| *pixel < self.input[side])
    }

    /// Aᵀ m A of the patches from `first` on: `[place][channel][patch]`.
    #[inline(always)]
    fn put_together<L: Lanes>(
        &self,
        l: L,
        first: usize,
        products: &[Lane<L::Real>],
        bias: &[L::Real],
        y: &mut [Lane<L::Real>],
    ) {
        let [height, width] = self.output;
        let of_a_place = products.len() / PLACES;
        let count = of_a_place / (y.len() / (height * width));
        for (channel, plane) in y.chunks_exact_mut(height * width).enumerate() {
            let bias = l.splat(bias.get(channel).copied().unwrap_or(L::Real::ZERO));
            for patch in 0..count {
                let m = &products[channel * count + patch..];
                let zero = l.splat(L::Real::ZERO);
                let mut half = [[zero; 4]; 2];
                for j in 0..4 {
                    let mut column = [zero; 4];
                    for i in 0..4 {
                        column[i] = l.load(&m[(i * 4 + j) * of_a_place]);
                    }
                    [half[0][j], half[1][j]] = together(l, column);
                }
                let [oy, ox] = self.outputs(first + patch);
                for i in 0..2.min(height - oy) {
                    let outputs = together(l, half[i]);
                    for (to, output) in plane[(oy + i) * width..][..width][ox..].iter_mut().zip(outputs) {
                        l.store(l.add(output, bias), to);
                    }
                }
            }
        }
    }
}

/// Bᵀ d
#[inline(always)]
fn apart<L: Lanes>(l: L, d: [L::Vector; 4]) -> [L::Vector; 4] {
    [l.sub(d[0], d[2]), l.add(d[1], d[2]), l.sub(d[2], d[1]), l.sub(d[1], d[3])]
}

/// Aᵀ m
#[inline(always)]
fn together<L: Lanes>(l: L, m: [L::Vector; 4]) -> [L::Vector; 2] {
    [l.add(l.add(m[0], m[1]), m[2]), l.sub(l.sub(m[1], m[2]), m[3])]
}

#[cfg(test)]
mod tests {
    use super::super::examples::table;
    use super::met;

    #[test]
    fn pairs_are_counted_as_one_by_one() {
        for conv in table().iter().filter(|conv| conv.kernel_size == [3, 3] && conv.strides == [1, 1]) {
            for side in 0..2 {
                let pixels = conv.padding[side]..conv.padding[side] + conv.input[side];
                let pairs = (0..conv.output[side]).flat_map(|out| (0..3).map(move |tap| out + tap));
                assert_eq!(met(conv, side), pairs.filter(|pixel| pixels.contains(pixel)).count(), "{conv:?}");
            }
        }
    }
}
