//! How a plane is divided into patches: those of neighbouring outputs overlap by two pixels, and reach into the padding.

use super::super::arranged::LARGEST;
use super::super::turned_gradient::turn_pixel;
use super::super::{Placed, plane};
use super::transforms::{Apart, Half, OUTPUTS, PLACES, SIDE, Together, Values, along_both};
use crate::simd::{LANES, Lane, Lanes, Real};
use std::ops::Range;

/// Lanes of patches that are worked on at once, about: 512 KiB, what a core's second cache holds. On AVX2, half or twice as many take as
/// long.
const AT_ONCE: usize = 8192;

/// The patches of a convolution of 3 x 3 from planes of `input` to planes of `output`.
#[derive(Clone, Copy)]
pub(super) struct Patches {
    pub input: [usize; 2],
    pub output: [usize; 2],
    /// Rows above, columns left.
    pub padding: [usize; 2],
}

/// Patches that are worked on at once.
#[derive(Clone, Copy)]
pub(super) struct Group {
    pub first: usize,
    pub count: usize,
}

/// From the lanes of one place in patches to those of the next: an odd number, for those of different places would get into each
/// other's way in the cache, if they lay a power of two apart.
pub(super) fn pitch(lanes: usize) -> usize {
    lanes | 1
}

impl Patches {
    /// Those of the forward pass, and of the gradient by the weights.
    pub fn of(conv: &Placed) -> Self {
        Self { input: conv.input, output: conv.output, padding: conv.padding }
    }

    /// Those of the gradient by the input.
    pub fn back(conv: &Placed) -> Self {
        Self { input: conv.output, output: conv.input, padding: conv.padding.map(|padding| 2 - padding) }
    }

    pub fn count(&self) -> usize {
        let [rows, columns] = self.sides();
        rows.saturating_mul(columns)
    }

    /// How many are worked on at once, of so many lanes each place: some register tiles, unless there are fewer.
    pub fn at_once(&self, lanes: usize) -> usize {
        let columns = LARGEST.wide[1];
        (AT_ONCE / places_len(lanes) / columns * columns).max(columns).min(self.count())
    }

    /// Rows and columns of patches.
    fn sides(&self) -> [usize; 2] {
        self.output.map(|size| size.div_ceil(OUTPUTS))
    }

    /// The first row and column of a patch's outputs.
    fn place(&self, patch: usize) -> [usize; 2] {
        let columns = self.sides()[1];
        [patch / columns * OUTPUTS, patch % columns * OUTPUTS]
    }

    /// Which of a patch's rows (side 0) or columns of pixels are in the image.
    fn inside(&self, side: usize, place: usize) -> Range<usize> {
        let (padding, end) = (self.padding[side], self.padding[side] + self.input[side]);
        padding.saturating_sub(place).min(SIDE)..end.saturating_sub(place).min(SIDE)
    }

    /// How many of a patch's rows (side 0) or columns of outputs there are.
    fn outputs(&self, side: usize, place: usize) -> usize {
        OUTPUTS.min(self.output[side] - place)
    }

    /// Bᵀ d B of a group: `[place][patch][channel]`, the places [`pitch`] apart.
    #[inline(always)]
    pub fn take_apart<L: Lanes>(&self, l: L, group: Group, x: &[Lane<L::Real>], to: &mut [Lane<L::Real>]) {
        let (depth, width, zero) = (x.len() / plane(self.input), self.input[1], l.splat(L::Real::ZERO));
        let (pitch, mut half) = (pitch(group.count * depth), Half::new());
        for patch in 0..group.count {
            let [oy, ox] = self.place(group.first + patch);
            let (rows, columns) = (self.inside(0, oy), self.inside(1, ox));
            let origin = (oy * width + ox).wrapping_sub(self.padding[0] * width + self.padding[1]);
            for (channel, plane) in x.chunks_exact(plane(self.input)).enumerate() {
                let to = &mut to[patch * depth + channel..];
                along_both(
                    Apart,
                    l,
                    &mut half,
                    #[inline(always)]
                    |i, j| {
                        let is_inside = rows.contains(&i) && columns.contains(&j);
                        if is_inside { l.load(&plane[origin.wrapping_add(i * width + j)]) } else { zero }
                    },
                    #[inline(always)]
                    |i, j, d| l.store(d, &mut to[(i * SIDE + j) * pitch]),
                );
            }
        }
    }

    /// Aᵀ m A of a group, whose products are `[place][channel][patch]`, the places [`pitch`] apart.
    #[inline(always)]
    pub fn put_together<L: Lanes>(
        &self,
        l: L,
        group: Group,
        products: &[Lane<L::Real>],
        bias: &[L::Real],
        y: &mut [Lane<L::Real>],
    ) {
        let (channels, width) = (y.len() / plane(self.output), self.output[1]);
        let (pitch, mut half) = (pitch(group.count * channels), Half::new());
        for (channel, plane) in y.chunks_exact_mut(plane(self.output)).enumerate() {
            let bias = l.splat(bias.get(channel).copied().unwrap_or(L::Real::ZERO));
            for patch in 0..group.count {
                let [oy, ox] = self.place(group.first + patch);
                let (rows, columns) = (self.outputs(0, oy), self.outputs(1, ox));
                let m = &products[channel * group.count + patch..];
                let outputs = &mut plane[oy * width + ox..];
                along_both(
                    Together,
                    l,
                    &mut half,
                    #[inline(always)]
                    |i, j| l.load(&m[(i * SIDE + j) * pitch]),
                    #[inline(always)]
                    |i, j, output| {
                        if i < rows && j < columns {
                            l.store(l.add(output, bias), &mut outputs[i * width + j]);
                        }
                    },
                );
            }
        }
    }

    /// E dy Eᵀ of a group, for sixteen output channels, or as many as `dy` has: `[place][patch][image]` lanes of channels, the places
    /// `pitch` apart.
    #[inline(always)]
    pub fn take_gradient_apart<L: Lanes>(
        &self,
        l: L,
        group: Group,
        dy: &[Lane<L::Real>],
        pitch: usize,
        to: &mut [Lane<L::Real>],
    ) {
        let (width, mut half) = (self.output[1], Half::new());
        let mut turned = [[[Lane::zero(); LANES]; OUTPUTS]; OUTPUTS];
        for patch in 0..group.count {
            let [oy, ox] = self.place(group.first + patch);
            let (rows, columns) = (self.outputs(0, oy), self.outputs(1, ox));
            for (i, row) in turned.iter_mut().enumerate() {
                for (j, images) in row.iter_mut().enumerate() {
                    if i < rows && j < columns {
                        turn_pixel(l, dy, plane(self.output), (oy + i) * width + ox + j, images);
                    } else {
                        images.fill(Lane::zero());
                    }
                }
            }
            for image in 0..LANES {
                let to = &mut to[patch * LANES + image..];
                along_both(
                    Values,
                    l,
                    &mut half,
                    #[inline(always)]
                    |i, j| l.load(&turned[i][j][image]),
                    #[inline(always)]
                    |i, j, d| l.store(d, &mut to[(i * SIDE + j) * pitch]),
                );
            }
        }
    }
}

/// Lanes of all places, with so many in each.
pub(super) fn places_len(lanes: usize) -> usize {
    pitch(lanes).saturating_mul(PLACES)
}
