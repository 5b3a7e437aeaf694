//! Convolution (cross-correlation, as everywhere in the field) with stride and zero padding:
//!
//! ```text
//!   z[o][oy][ox] = b[o] + Σ w[o][c][ky][kx] · p[c][oy·sy + ky][ox·sx + kx]        over c, ky, kx
//! ```
//!
//! where p is x with rows and columns of zeros around it. What the lanes do is in a file for each pass.

mod forward;
mod input_gradient;
mod weight_gradient;

use super::device::DeviceOperation;
use super::operation::{Accumulators, LaneOperation, Left, Needs, PIECE, Seen, pieces};
use super::plan::{Describe, Draw, ParameterPlan, Plan};
use super::reference::{Reference, every};
use super::{Operation, windows};
use crate::activations::Activation;
use crate::error::Result;
use crate::kernels::numbers;
use crate::shape::{image, require_positive, require_room};
use crate::simd::{Lane, Lanes, Real};
use candle_core::Tensor;
use candle_nn::{Conv2dConfig, Module};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A convolution of (C, H, W) with `channels` kernels of (C, kernel_size), plus a bias a channel, as its user writes it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Conv2d {
    /// Channels of the output.
    pub channels: usize,
    /// Height and width of the kernel.
    pub kernel_size: [usize; 2],
    /// Steps between windows; 1 by default.
    #[serde(default = "ones")]
    pub strides: [usize; 2],
    /// Rows and columns of zeros on each side; none by default.
    #[serde(default)]
    pub padding: [usize; 2],
    /// Applied to the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
}

fn ones() -> [usize; 2] {
    [1, 1]
}

impl Conv2d {
    /// One of as many channels and kernels of this height and width, all else as by default.
    pub fn new(channels: usize, kernel_size: [usize; 2]) -> Self {
        Self { channels, kernel_size, strides: ones(), padding: [0, 0], activation: None }
    }

    /// Strides within and at the kernel, padding, sides that differ.
    pub(super) fn examples() -> impl Iterator<Item = Self> {
        [
            ([5, 5], [1, 1], [0, 0], Some(Activation::Sigmoid)),
            ([3, 3], [1, 1], [1, 1], None),
            ([3, 2], [2, 2], [1, 0], Some(Activation::Relu)),
        ]
        .into_iter()
        .map(|(kernel_size, strides, padding, activation)| Self {
            strides,
            padding,
            activation,
            ..Self::new(5, kernel_size)
        })
    }
}

impl Describe for Conv2d {
    fn prefix(&self) -> &'static str {
        "conv"
    }

    fn plan(&self, name: &str, input: &[usize]) -> Result<Plan> {
        let Self { channels, kernel_size, strides, padding, activation } = *self;
        let [c, h, w] = image(name, input)?;
        require_positive(name, &[channels, strides[0], strides[1]], "channels and strides")?;
        let height = windows::count(name, "height", h, kernel_size[0], strides[0], padding[0])?;
        let width = windows::count(name, "width", w, kernel_size[1], strides[1], padding[1])?;
        let padded = [c, h + 2 * padding[0], w + 2 * padding[1]];
        require_room(format_args!("{name}'s padded input"), &padded)?;
        let area = kernel_size[0] * kernel_size[1];
        let draw = Draw::Weight { fan_in: c * area, fan_out: channels.saturating_mul(area), init: None };
        let weight = vec![channels, c, kernel_size[0], kernel_size[1]];
        Ok(Plan {
            output: vec![channels, height, width],
            parameters: vec![
                ParameterPlan { role: "weight", shape: weight, draw },
                ParameterPlan { role: "bias", shape: vec![channels], draw: Draw::bias(None) },
            ],
            operation: Operation::Conv2d(Placed {
                in_channels: c,
                out_channels: channels,
                input: [h, w],
                output: [height, width],
                kernel_size,
                strides,
                padding,
            }),
            activation,
        })
    }
}

/// A convolution in its place: the sizes of its tile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// C
    pub in_channels: usize,
    /// OC
    pub out_channels: usize,
    /// H and W of the input.
    pub input: [usize; 2],
    /// OH and OW.
    pub output: [usize; 2],
    /// KH and KW.
    pub kernel_size: [usize; 2],
    /// sy and sx.
    pub strides: [usize; 2],
    /// Rows above and below, columns left and right.
    pub padding: [usize; 2],
}

/// x: `[C][H][W]`, z: `[OC][OH][OW]`; own: w, `[OC][C][KH][KW]`, then b, `[OC]`. A chunk holds the gradient by own.
impl LaneOperation for Placed {
    fn needs(&self) -> Needs {
        Needs { scratch: self.scratch_len(), chunk: self.weights() + self.out_channels, ..Needs::default() }
    }

    /// z = conv(x, w) + b
    fn forward<L: Lanes>(
        &self,
        l: L,
        own: &[L::Real],
        x: &[Lane<L::Real>],
        z: &mut [Lane<L::Real>],
        scratch: &mut [Lane<L::Real>],
    ) {
        let (w, b) = own.split_at(self.weights());
        l.run(
            #[inline(always)]
            || {
                let x = self.pad_input(x, scratch);
                forward::forward(self, l, x, w, b, z);
            },
        );
    }

    /// `dw[o][c][ky][kx] += Σ dz[o][oy][ox] · p[c][oy·sy + ky][ox·sx + kx]` and `db[o] += Σ dz[o][oy][ox]`, over the images
    /// too.
    fn leave<L: Lanes>(
        &self,
        l: L,
        seen: Seen<'_, L::Real>,
        into: Accumulators<'_, L::Real>,
        scratch: &mut [Lane<L::Real>],
    ) {
        let (dw, db) = into.chunk.split_at_mut(self.weights());
        l.run(
            #[inline(always)]
            || {
                let x = self.pad_input(seen.x, scratch);
                weight_gradient::weight_gradient(self, l, x, seen.dy, dw);
                for (plane, db) in seen.dy.chunks_exact(self.output[0] * self.output[1]).zip(db) {
                    *db += sum_all(l, plane);
                }
            },
        );
    }

    fn input_gradient<L: Lanes>(&self, l: L, own: &[L::Real], seen: Seen<'_, L::Real>, dx: &mut [Lane<L::Real>]) {
        let w = &own[..self.weights()];
        l.run(
            #[inline(always)]
            || input_gradient::input_gradient(self, l, w, seen.dy, dx),
        );
    }

    fn pieces(&self) -> Vec<Range<usize>> {
        pieces(self.weights() + self.out_channels, PIECE).collect()
    }

    #[inline(always)]
    fn gradient<'a, L: Lanes<Real: 'a>>(
        &self,
        _: L,
        piece: Range<usize>,
        left: Left<impl Iterator<Item = &'a [L::Real]>, impl Iterator<Item = &'a [Lane<L::Real>]> + Clone>,
        gradient: &mut [L::Real],
    ) {
        for chunk in left.chunks {
            for (sum, g) in gradient.iter_mut().zip(&chunk[piece.clone()]) {
                *sum += *g;
            }
        }
    }
}

/// `struct Conv2d`; partial gradients are by own.
impl DeviceOperation for Placed {
    const KIND: i32 = 0;
    type Words = [i32; 12];

    fn words(&self, _: usize) -> Result<[i32; 12]> {
        let Self { in_channels, out_channels, input: [h, w], output: [oh, ow], .. } = *self;
        let ([kh, kw], [sy, sx], [py, px]) = (self.kernel_size, self.strides, self.padding);
        numbers([h + 2 * py, w + 2 * px])?; // a window's place among them
        numbers([in_channels, h, w, out_channels, oh, ow, kh, kw, sy, sx, py, px])
    }

    fn partial_len(&self) -> usize {
        self.needs().chunk
    }
}

impl Placed {
    fn weights(&self) -> usize {
        self.out_channels * self.taps()
    }

    /// Lanes of scratch memory for the padded input. Of absurd shapes, this may be more than a usize; no memory is found for
    /// it, and that is the error.
    fn scratch_len(&self) -> usize {
        let [height, width] = self.padded_size();
        if self.padding == [0, 0] { 0 } else { self.in_channels.saturating_mul(height).saturating_mul(width) }
    }

    /// Kernels' values for one output channel.
    fn taps(&self) -> usize {
        self.in_channels * self.kernel_size[0] * self.kernel_size[1]
    }

    fn padded_size(&self) -> [usize; 2] {
        std::array::from_fn(|i| self.input[i] + 2 * self.padding[i])
    }

    /// `[C][H][W]` with zeros around it, in `scratch`; the input itself where there is no padding.
    #[inline(always)]
    fn pad_input<'a, R: Real>(&self, x: &'a [Lane<R>], scratch: &'a mut [Lane<R>]) -> &'a [Lane<R>] {
        if self.padding == [0, 0] {
            return x;
        }
        let [height, width] = self.padded_size();
        let padded = &mut scratch[..self.scratch_len()];
        padded.fill(Lane::zero());
        let planes = x.chunks_exact(self.input[0] * self.input[1]).zip(padded.chunks_exact_mut(height * width));
        for (plane, padded) in planes {
            let rows = padded.chunks_exact_mut(width).skip(self.padding[0]);
            for (row, padded) in plane.chunks_exact(self.input[1]).zip(rows) {
                padded[self.padding[1]..][..self.input[1]].copy_from_slice(row);
            }
        }
        padded
    }
}

/// The sum over a plane and its images, of eight partial sums, so that no addition waits for the last.
#[inline(always)]
fn sum_all<L: Lanes>(l: L, plane: &[Lane<L::Real>]) -> L::Real {
    let mut sums = [l.splat(L::Real::ZERO); 8];
    let (blocks, rest) = plane.as_chunks::<8>();
    for block in blocks {
        for i in 0..8 {
            sums[i] = l.add(sums[i], l.load(&block[i]));
        }
    }
    for (i, d) in rest.iter().enumerate() {
        sums[i] = l.add(sums[i], l.load(d));
    }
    let [a, b, c, d, e, f, g, h] = sums;
    l.sum(l.add(l.add(l.add(a, b), l.add(c, d)), l.add(l.add(e, f), l.add(g, h))))
}

/// Where windows lie apart, those between are computed and left out: candle's convolution has one stride for both sides, and no
/// gradient where the sides leave unlike remainders.
impl Reference for Placed {
    fn reference(&self, x: &Tensor, own: &[Tensor]) -> candle_core::Result<Tensor> {
        let [vertical, horizontal] = self.padding;
        let x = x.pad_with_zeros(2, vertical, vertical)?.pad_with_zeros(3, horizontal, horizontal)?;
        let conv = candle_nn::Conv2d::new(own[0].clone(), Some(own[1].clone()), Conv2dConfig::default());
        let [down, across] = self.strides;
        every(&every(&conv.forward(&x)?, 2, down)?, 3, across)
    }

    /// The padded input, and the output of windows one step apart.
    fn values_on_the_way(&self) -> usize {
        let [height, width] = self.padded_size();
        let apart: [usize; 2] = std::array::from_fn(|i| self.padded_size()[i] - self.kernel_size[i] + 1);
        let all = self.out_channels.saturating_mul(apart[0]).saturating_mul(apart[1]);
        all.saturating_add(self.in_channels.saturating_mul(height).saturating_mul(width))
    }
}

#[cfg(test)]
mod examples {
    use super::Placed;

    pub fn conv(
        [in_channels, out_channels]: [usize; 2],
        input: [usize; 2],
        kernel_size: [usize; 2],
        strides: [usize; 2],
        padding: [usize; 2],
    ) -> Placed {
        let output = std::array::from_fn(|i| (input[i] + 2 * padding[i] - kernel_size[i]) / strides[i] + 1);
        Placed { in_channels, out_channels, input, output, kernel_size, strides, padding }
    }

    /// Edges: one channel, a kernel as large as the input, 1x1, strides within, at and beyond the kernel, inputs left over,
    /// padding below, at and beyond the kernel, sides that differ, channels that leave remainders of register tiles.
    pub fn table() -> Vec<Placed> {
        vec![
            conv([1, 1], [1, 1], [1, 1], [1, 1], [0, 0]),
            conv([1, 6], [9, 9], [5, 5], [1, 1], [0, 0]),
            conv([6, 5], [7, 7], [5, 5], [1, 1], [0, 0]),
            conv([2, 3], [5, 5], [5, 5], [1, 1], [0, 0]),
            conv([3, 4], [6, 5], [1, 1], [1, 1], [0, 0]),
            conv([2, 4], [8, 9], [3, 3], [2, 2], [1, 1]),
            conv([2, 3], [10, 11], [3, 3], [3, 3], [0, 0]),
            conv([2, 2], [11, 11], [2, 2], [4, 4], [0, 0]),
            conv([1, 2], [9, 8], [2, 3], [5, 4], [1, 0]),
            conv([3, 8], [6, 6], [3, 3], [1, 1], [2, 2]),
            conv([1, 2], [3, 4], [2, 2], [1, 1], [3, 4]),
            conv([2, 3], [4, 4], [7, 7], [1, 1], [3, 3]),
            conv([7, 9], [5, 6], [3, 2], [1, 2], [1, 0]),
            conv([2, 2], [3, 3], [5, 4], [3, 2], [4, 3]),
            conv([1, 1], [4, 4], [1, 1], [3, 3], [2, 2]),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::examples::table;
    use crate::layers::finite_differences::check_operation;

    #[test]
    fn gradients_agree_with_finite_differences() {
        for conv in table() {
            let input = conv.in_channels * conv.input[0] * conv.input[1];
            let output = conv.out_channels * conv.output[0] * conv.output[1];
            check_operation(&format!("{conv:?}"), &conv, input, conv.weights() + conv.out_channels, output);
        }
    }
}
