//! Convolution (cross-correlation, as everywhere in the field) with stride and zero padding:
//!
//! ```text
//!   z[o][oy][ox] = b[o] + Σ w[o][c][ky][kx] · p[c][oy·sy + ky][ox·sx + kx]        over c, ky, kx
//! ```
//!
//! where p is x with rows and columns of zeros around it. In groups, each is such a convolution of its own channels.
//!
//! On the lanes, the forward pass and the gradient by the input go one of four ways: `depthwise`; `pointwise`; `winograd`; or
//! `forward` and `input_gradient`, which both `gather`. The gradient by the weights is `depthwise`'s, `weight_gradient`, or, where
//! there are channels enough, `winograd`'s or `turned_gradient`.

mod arranged;
mod depthwise;
#[cfg(test)]
mod examples;
mod forward;
mod gather;
mod input_gradient;
mod padding;
mod pointwise;
mod product;
mod reference;
mod turned_gradient;
mod weight_gradient;
mod winograd;

pub use padding::Padding;

use super::Operation;
use super::device::DeviceOperation;
use super::operation::{Accumulators, LaneOperation, Left, Needs, PIECE, Seen, add_chunks, fold, pieces};
use super::plan::{Arithmetic, Describe, Draw, ParameterPlan, Plan, is_yes, yes};
use crate::activations::Activation;
use crate::error::{Code, Error, Result};
use crate::initializers::Initializer;
use crate::kernels::numbers;
use crate::shape::{image, invalid_shape, require_positive, require_room};
use crate::simd::{LANES, Lane, Lanes, Real};
use arranged::arrange;
use padding::Direction;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A convolution of (C, H, W) with `channels` kernels of (C / groups, kernel_size), plus a bias a channel, as its user writes it.
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
    /// Zeros on each side; none by default.
    #[serde(default)]
    pub padding: Padding,
    /// Parts of equal size that channels in and out are divided into, each convolved by itself; 1 by default. As many as there are
    /// channels in make the convolution depthwise.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub groups: usize,
    /// Whether there is a bias; by default there is.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub use_bias: bool,
    /// Whether steps move kernels and bias; by default they do.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub trainable: bool,
    /// How the kernels begin; by default as the network's initialiser says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_init: Option<Initializer>,
    /// How the bias begins; by default at zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bias_init: Option<Initializer>,
    /// Applied to the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
}

fn ones() -> [usize; 2] {
    [1, 1]
}

fn one() -> usize {
    1
}

fn is_one(groups: &usize) -> bool {
    *groups == 1
}

impl Conv2d {
    /// One of as many channels and kernels of this height and width, all else as by default.
    pub fn new(channels: usize, kernel_size: [usize; 2]) -> Self {
        Self {
            channels,
            kernel_size,
            strides: ones(),
            padding: Padding::default(),
            groups: 1,
            use_bias: true,
            trainable: true,
            kernel_init: None,
            bias_init: None,
            activation: None,
        }
    }

    /// Strides within and at the kernel, padding, sides that differ, groups, with and without a bias.
    pub(super) fn examples() -> impl Iterator<Item = Self> {
        let new = Self::new;
        [
            Self { activation: Some(Activation::Sigmoid), ..new(5, [5, 5]) },
            Self { padding: [1, 1].into(), use_bias: false, ..new(5, [3, 3]) },
            Self { strides: [2, 2], padding: [1, 0].into(), activation: Some(Activation::Relu), ..new(5, [3, 2]) },
            Self { padding: Padding::Same, bias_init: Some(Initializer::constant(0.1)), ..new(3, [4, 3]) },
            Self { groups: 2, padding: [1, 1].into(), kernel_init: Some(Initializer::he_normal()), ..new(4, [3, 3]) },
            Self { groups: 2, strides: [2, 1], use_bias: false, ..new(2, [2, 3]) },
        ]
        .into_iter()
    }

    /// Its sizes, for images of `[c, h, w]`.
    fn place(&self, name: &str, [c, h, w]: [usize; 3]) -> Result<Placed> {
        let Self { channels, kernel_size, strides, .. } = *self;
        require_positive(name, &[channels, strides[0], strides[1]], "channels and strides")?;
        self.require_whole_groups(name, c)?;
        let direction = |side, i: usize, input| Direction { side, input, kernel: kernel_size[i], stride: strides[i] };
        let ([above, below], height) = self.padding.place(name, 0, direction("height", 0, h))?;
        let ([left, right], width) = self.padding.place(name, 1, direction("width", 1, w))?;
        let padded = [c, h.saturating_add(above + below), w.saturating_add(left + right)];
        require_room(format_args!("{name}'s padded input"), &padded)?;
        Ok(Placed {
            in_channels: c,
            out_channels: channels,
            groups: self.groups,
            use_bias: self.use_bias,
            input: [h, w],
            output: [height, width],
            kernel_size,
            strides,
            padding: [above, left],
            padding_after: [below, right],
        })
    }

    fn require_whole_groups(&self, name: &str, in_channels: usize) -> Result<()> {
        let Self { channels, groups, .. } = *self;
        require_positive(name, &[groups], "groups")?;
        if !channels.is_multiple_of(groups) {
            let message = format!(
                "{name} has {channels} channels in {groups} groups; make the channels a multiple of the groups"
            );
            return Err(Error::new(Code::InvalidArgument, message));
        }
        if !in_channels.is_multiple_of(groups) {
            return Err(invalid_shape(format!(
                "{name} has {groups} groups, but {in_channels} channels reach it, which is no multiple of that; make the groups \
                 divide them"
            )));
        }
        Ok(())
    }
}

impl Describe for Conv2d {
    fn prefix(&self) -> &'static str {
        "conv"
    }

    fn plan(&self, name: &str, input: &[usize]) -> Result<Plan> {
        let placed = self.place(name, image(name, input)?)?;
        let Self { channels, kernel_size: [kh, kw], kernel_init, bias_init, .. } = *self;
        // As PyTorch counts them: all channels out, whatever the groups.
        let (fan_in, fan_out) = (placed.taps(), channels.saturating_mul(kh * kw));
        let draw = Draw::Weight { fan_in, fan_out, init: kernel_init };
        let shape = vec![channels, placed.in_channels / placed.groups, kh, kw];
        let mut parameters = vec![ParameterPlan::weight(shape, draw)];
        parameters.extend(ParameterPlan::bias_if(self.use_bias, name, channels, bias_init)?);
        parameters.iter_mut().for_each(|parameter| parameter.trainable = self.trainable);
        Ok(Plan {
            output: vec![channels, placed.output[0], placed.output[1]],
            parameters,
            arithmetic: Arithmetic::Operation(Operation::Conv2d(placed)),
            activation: self.activation,
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
    /// Parts that C and OC are divided into.
    pub groups: usize,
    /// Whether b is there.
    pub use_bias: bool,
    /// H and W of the input.
    pub input: [usize; 2],
    /// OH and OW.
    pub output: [usize; 2],
    /// KH and KW.
    pub kernel_size: [usize; 2],
    /// sy and sx.
    pub strides: [usize; 2],
    /// Rows above, columns left.
    pub padding: [usize; 2],
    /// Rows below, columns right.
    pub padding_after: [usize; 2],
}

/// How the forward pass and the gradient by the input are computed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// Each channel by itself.
    Depthwise,
    /// A product of matrices.
    Pointwise,
    /// With fewer multiplications.
    Winograd,
    /// Over the taps that meet the image.
    Gathered,
}

/// How the gradient by the weights is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum GradientWay {
    /// Each channel by itself.
    Depthwise,
    /// With fewer multiplications, and output channels in the lanes.
    Winograd,
    /// With output channels in the lanes.
    Turned,
    /// With images in the lanes, from the padded input.
    Plain,
}

/// x: `[C][H][W]`, z: `[OC][OH][OW]`; own: w, `[OC][C / groups][KH][KW]`, then b, `[OC]`, if there is one. A chunk holds the gradient by
/// w, as it is or with output channels in its lanes, then that by b.
impl LaneOperation for Placed {
    fn needs(&self) -> Needs {
        let chunk = self.weight_sums_len().saturating_add(self.own_len() - self.weights());
        Needs { scratch: self.scratch_len(), chunk, arranged: self.arranged_len(), ..Needs::default() }
    }

    /// The weights for the forward pass, those for the gradient by the input, and the biases.
    fn arrange<R: Real>(&self, own: &[R], arranged: &mut [R]) {
        let (w, b) = own.split_at(self.weights());
        let (directions, to_b) = arranged.split_at_mut(arranged.len() - b.len());
        let (forward, back) = directions.split_at_mut(directions.len() / 2);
        for g in 0..self.groups {
            self.one_group().arrange_group(self.part(w, g), self.part_mut(forward, g), self.part_mut(back, g));
        }
        to_b.copy_from_slice(b);
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
        let [w, _, b] = self.arranged(own);
        l.run(
            #[inline(always)]
            || {
                let (group, way) = (self.one_group(), self.way());
                for g in 0..self.groups {
                    let (x, z) = (self.part(x, g), self.part_mut(z, g));
                    let (w, b) = (self.part(w, g), self.part(b, g));
                    match way {
                        Way::Depthwise => depthwise::forward(&group, l, group.pad_input(x, scratch), w, b, z),
                        Way::Pointwise => pointwise::pointwise(l, plane(self.output), [w, b], x, z, scratch),
                        Way::Winograd => winograd::Convolve::forward(&group).run(l, [w, b], x, z, scratch),
                        Way::Gathered => forward::forward(&group, l, x, w, b, z),
                    }
                }
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
        let (dw, db) = into.chunk.split_at_mut(self.weight_sums_len());
        l.run(
            #[inline(always)]
            || {
                let (group, way) = (self.one_group(), self.gradient_way());
                for g in 0..self.groups {
                    let (x, dz, dw) = (self.part(seen.x, g), self.part(seen.dy, g), self.part_mut(dw, g));
                    match way {
                        GradientWay::Depthwise => {
                            depthwise::weight_gradient(&group, l, group.pad_input(x, scratch), dz, dw);
                        }
                        GradientWay::Winograd => winograd::leave(&group, l, x, dz, scratch, dw),
                        GradientWay::Turned => turned_gradient::leave(&group, l, x, dz, scratch, dw),
                        GradientWay::Plain => {
                            weight_gradient::weight_gradient(&group, l, group.pad_input(x, scratch), dz, dw);
                        }
                    }
                }
                for (dz, db) in seen.dy.chunks_exact(plane(self.output)).zip(db) {
                    *db += sum_all(l, dz);
                }
            },
        );
    }

    fn input_gradient<L: Lanes>(
        &self,
        l: L,
        own: &[L::Real],
        seen: Seen<'_, L::Real>,
        dx: &mut [Lane<L::Real>],
        scratch: &mut [Lane<L::Real>],
    ) {
        let [_, w, _] = self.arranged(own);
        l.run(
            #[inline(always)]
            || {
                let (group, way) = (self.one_group(), self.way());
                for g in 0..self.groups {
                    let (w, dz, dx) = (self.part(w, g), self.part(seen.dy, g), self.part_mut(dx, g));
                    match way {
                        Way::Depthwise => depthwise::input_gradient(&group, l, w, dz, dx),
                        Way::Pointwise => pointwise::pointwise(l, plane(self.output), [w, &[]], dz, dx, scratch),
                        Way::Winograd => winograd::Convolve::input_gradient(&group).run(l, [w, &[]], dz, dx, scratch),
                        Way::Gathered => input_gradient::input_gradient(&group, l, w, dz, dx),
                    }
                }
            },
        );
    }

    fn folded(&self) -> Option<(Operation, usize)> {
        let folded = Self { use_bias: true, ..*self };
        Some((Operation::Conv2d(folded), folded.own_len()))
    }

    fn fold(&self, own: &[f32], scale: &[f32], shift: &[f32], folded: &mut [f32]) {
        let (w, b) = own.split_at(self.weights());
        fold(w, b, scale, shift, folded);
    }

    /// Of a gradient that is turned, the weights of sixteen output channels each, then all biases.
    fn pieces(&self) -> Vec<Range<usize>> {
        if self.is_turned() {
            let biases = std::iter::once(self.weights()..self.own_len());
            pieces(self.weights(), LANES * self.taps()).chain(biases.filter(|piece| !piece.is_empty())).collect()
        } else {
            pieces(self.own_len(), PIECE).collect()
        }
    }

    #[inline(always)]
    fn gradient<'a, L: Lanes<Real: 'a>>(
        &self,
        l: L,
        piece: Range<usize>,
        left: Left<impl Iterator<Item = &'a [L::Real]>, impl Iterator<Item = &'a [Lane<L::Real>]> + Clone>,
        gradient: &mut [L::Real],
    ) {
        if !self.is_turned() {
            add_chunks(left.chunks, piece, gradient);
        } else if piece.start < self.weights() {
            for chunk in left.chunks {
                turned_gradient::gradient(self, l, &chunk[piece.start..][..LANES * self.taps()], gradient);
            }
        } else {
            let from = self.weight_sums_len();
            add_chunks(left.chunks, from..from + piece.len(), gradient);
        }
    }
}

/// `struct Conv2d`; partial gradients are by own.
impl DeviceOperation for Placed {
    const KIND: i32 = 0;
    type Words = [i32; 14];

    fn words(&self, _: usize) -> Result<[i32; 14]> {
        let Self { in_channels, out_channels, input: [h, w], output: [oh, ow], .. } = *self;
        let ([kh, kw], [sy, sx], [py, px]) = (self.kernel_size, self.strides, self.padding);
        numbers(self.padded_size())?; // a window's place among them
        let (groups, use_bias) = (self.groups, usize::from(self.use_bias));
        numbers([in_channels, h, w, out_channels, oh, ow, kh, kw, sy, sx, py, px, groups, use_bias])
    }

    fn partial_len(&self) -> usize {
        self.own_len()
    }
}

impl Placed {
    fn weights(&self) -> usize {
        self.out_channels * self.taps()
    }

    fn own_len(&self) -> usize {
        self.weights() + if self.use_bias { self.out_channels } else { 0 }
    }

    /// Whether each channel is convolved by itself.
    fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.in_channels
    }

    /// A group as a convolution of its own.
    fn one_group(&self) -> Self {
        let (in_channels, out_channels) = (self.in_channels / self.groups, self.out_channels / self.groups);
        Self { in_channels, out_channels, groups: 1, ..*self }
    }

    /// Group `g`'s of what lies group after group.
    fn part<'a, T>(&self, all: &'a [T], g: usize) -> &'a [T] {
        let len = all.len() / self.groups;
        &all[g * len..][..len]
    }

    fn part_mut<'a, T>(&self, all: &'a mut [T], g: usize) -> &'a mut [T] {
        let len = all.len() / self.groups;
        &mut all[g * len..][..len]
    }

    fn way(&self) -> Way {
        if self.is_depthwise() {
            Way::Depthwise
        } else if (self.kernel_size, self.strides) == ([1, 1], [1, 1]) && !self.is_padded() {
            Way::Pointwise
        } else if winograd::is_faster(&self.one_group()) {
            Way::Winograd
        } else {
            Way::Gathered
        }
    }

    /// Numbers of the weights of both directions and the biases, arranged; none where the weights will do as they are.
    fn arranged_len(&self) -> usize {
        let directions = match self.way() {
            Way::Depthwise => return 0,
            Way::Pointwise | Way::Gathered => self.weights().saturating_mul(2),
            Way::Winograd => winograd::arranged_len(self.weights()).saturating_mul(2),
        };
        directions.saturating_add(self.own_len() - self.weights())
    }

    /// The weights of the forward pass and those of the gradient by the input, and the biases.
    fn arranged<'a, R>(&self, own: &'a [R]) -> [&'a [R]; 3] {
        let biases = self.own_len() - self.weights();
        let (w, b) = own.split_at(own.len() - biases);
        if self.is_depthwise() {
            return [w, w, b];
        }
        let (forward, back) = w.split_at(w.len() / 2);
        [forward, back, b]
    }

    /// One group's weights, `[OC][C][KH][KW]`, for both directions.
    fn arrange_group<R: Real>(&self, w: &[R], forward: &mut [R], back: &mut [R]) {
        let Self { in_channels, out_channels, .. } = *self;
        let taps = self.kernel_size[0] * self.kernel_size[1];
        let kernel = |o: usize, c: usize| &w[(o * in_channels + c) * taps..][..taps];
        if self.way() == Way::Winograd {
            let rows = |kernel: &[R]| std::array::from_fn(|i| std::array::from_fn(|j| kernel[i * 3 + j]));
            let turned = |kernel: &[R]| std::array::from_fn(|i| std::array::from_fn(|j| kernel[8 - i * 3 - j]));
            winograd::arrange_kernels(out_channels, in_channels, |o, c| rows(kernel(o, c)), forward);
            winograd::arrange_kernels(in_channels, out_channels, |c, o| turned(kernel(o, c)), back);
        } else {
            arrange(out_channels, in_channels * taps, |o, k| kernel(o, k / taps)[k % taps], forward);
            arrange(in_channels, out_channels * taps, |c, k| kernel(k / taps, c)[k % taps], back);
        }
    }

    fn gradient_way(&self) -> GradientWay {
        match self.way() {
            Way::Depthwise => GradientWay::Depthwise,
            Way::Winograd if self.is_turned() => GradientWay::Winograd,
            _ if self.is_turned() => GradientWay::Turned,
            _ => GradientWay::Plain,
        }
    }

    /// Whether the gradient by w has output channels in its lanes, which lies in memory like that of one group.
    fn is_turned(&self) -> bool {
        let group = self.one_group();
        turned_gradient::is_faster(&group) && (self.groups == 1 || group.out_channels.is_multiple_of(LANES))
    }

    /// Numbers of a chunk for the gradient by w.
    fn weight_sums_len(&self) -> usize {
        if self.is_turned() { turned_gradient::sums_len(self) } else { self.weights() }
    }

    /// Lanes of scratch memory. Of absurd shapes, this may be more than a usize; no memory is found for it, and that is the error.
    fn scratch_len(&self) -> usize {
        let group = self.one_group();
        let of_passes = match self.way() {
            Way::Depthwise => self.padded_len(),
            Way::Pointwise => pointwise::scratch_len(&group),
            Way::Winograd => winograd::Convolve::scratch_len(&group),
            Way::Gathered => 0,
        };
        let of_gradient = match self.gradient_way() {
            GradientWay::Winograd => winograd::gradient_scratch_len(&group),
            GradientWay::Turned => turned_gradient::scratch_len(&group),
            GradientWay::Depthwise | GradientWay::Plain => self.padded_len(),
        };
        of_passes.max(of_gradient)
    }

    /// Lanes of a group's padded input; none where the input itself will do.
    fn padded_len(&self) -> usize {
        let [height, width] = self.padded_size();
        let channels = self.in_channels / self.groups;
        if self.is_padded() { channels.saturating_mul(height).saturating_mul(width) } else { 0 }
    }

    /// Kernels' values for one output channel.
    fn taps(&self) -> usize {
        self.in_channels / self.groups * self.kernel_size[0] * self.kernel_size[1]
    }

    fn is_padded(&self) -> bool {
        self.padded_size() != self.input
    }

    fn padded_size(&self) -> [usize; 2] {
        std::array::from_fn(|i| self.padding[i] + self.input[i] + self.padding_after[i])
    }

    /// `[C][H][W]` with zeros around it, in `scratch`; the input itself where there is no padding.
    #[inline(always)]
    fn pad_input<'a, R: Real>(&self, x: &'a [Lane<R>], scratch: &'a mut [Lane<R>]) -> &'a [Lane<R>] {
        if !self.is_padded() {
            return x;
        }
        let [height, width] = self.padded_size();
        let padded = &mut scratch[..self.padded_len()];
        padded.fill(Lane::zero());
        let planes = x.chunks_exact(plane(self.input)).zip(padded.chunks_exact_mut(height * width));
        for (plane, padded) in planes {
            let rows = padded.chunks_exact_mut(width).skip(self.padding[0]);
            for (row, padded) in plane.chunks_exact(self.input[1]).zip(rows) {
                padded[self.padding[1]..][..self.input[1]].copy_from_slice(row);
            }
        }
        padded
    }
}

fn plane([height, width]: [usize; 2]) -> usize {
    height * width
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

#[cfg(test)]
mod tests {
    use super::examples::table;
    use super::{Conv2d, Describe, Padding, Way};
    use crate::error::Code;
    use crate::layers::finite_differences::check_operation;

    #[test]
    fn gradients_agree_with_finite_differences() {
        for conv in table() {
            let input = conv.in_channels * conv.input[0] * conv.input[1];
            let output = conv.out_channels * conv.output[0] * conv.output[1];
            check_operation(&format!("{conv:?}"), &conv, input, conv.own_len(), output);
        }
    }

    #[test]
    fn examples_go_every_way() {
        for way in [Way::Depthwise, Way::Pointwise, Way::Winograd, Way::Gathered] {
            assert!(table().iter().any(|conv| conv.way() == way), "{way:?}");
        }
        let winograd = || table().into_iter().filter(|conv| conv.way() == Way::Winograd);
        assert!(winograd().any(|conv| conv.groups > 1 && conv.is_turned()));
        assert!(winograd().any(|conv| !conv.is_turned()));
    }

    #[test]
    fn groups_share_out_the_channels() {
        let plan = |groups, channels| Conv2d { groups, ..Conv2d::new(channels, [3, 2]) }.plan("conv0", &[6, 5, 5]);
        assert_eq!(plan(3, 9).unwrap().parameters[0].shape, [9, 2, 3, 2]);
        for (groups, channels, code, named) in [
            (0, 4, Code::InvalidArgument, "conv0 has groups of 0"),
            (3, 4, Code::InvalidArgument, "conv0 has 4 channels in 3 groups"),
            (4, 8, Code::InvalidShape, "conv0 has 4 groups, but 6 channels reach it"),
        ] {
            let error = plan(groups, channels).unwrap_err();
            assert!(error.code == code && error.message.contains(named), "{error}");
        }
    }

    #[test]
    fn fans_are_counted_as_by_pytorch() {
        let conv = Conv2d { groups: 2, ..Conv2d::new(10, [3, 2]) };
        let plan = conv.plan("conv0", &[4, 5, 5]).unwrap();
        let draw = format!("{:?}", plan.parameters[0].draw);
        assert!(draw.contains("fan_in: 12, fan_out: 60"), "{draw}");
    }

    #[test]
    fn the_same_size_is_kept_with_the_odd_zero_at_the_end() {
        let same = |kernel_size, strides| Conv2d { padding: Padding::Same, strides, ..Conv2d::new(1, kernel_size) };
        let placed = same([4, 3], [1, 1]).place("conv0", [1, 2, 7]).unwrap();
        assert_eq!((placed.output, placed.padding, placed.padding_after), ([2, 7], [1, 1], [2, 1]));
        for (kernel_size, strides, named) in [
            ([3, 3], [1, 2], "conv0 has strides of 2 with padding \"same\""),
            ([0, 3], [1, 1], "conv0 has a window of height 0"),
            ([usize::MAX, 1], [1, 1], "conv0's padded input"),
        ] {
            let error = same(kernel_size, strides).place("conv0", [1, 2, 7]).unwrap_err();
            assert!(error.message.contains(named), "{error}");
        }
    }

    #[test]
    fn all_or_nothing_is_trainable() {
        for trainable in [true, false] {
            let plan = Conv2d { trainable, ..Conv2d::new(2, [1, 1]) }.plan("conv0", &[1, 1, 1]).unwrap();
            assert!(plan.parameters.len() == 2 && plan.parameters.iter().all(|p| p.trainable == trainable));
        }
    }

    #[test]
    fn no_bias_is_no_parameter() {
        let without = Conv2d { use_bias: false, ..Conv2d::new(2, [1, 1]) };
        assert_eq!(without.plan("conv0", &[1, 1, 1]).unwrap().parameters.len(), 1);
        let given = Conv2d { bias_init: Some(crate::initializers::Initializer::zeros()), ..without };
        let error = given.plan("conv0", &[1, 1, 1]).unwrap_err();
        assert!(error.message.contains("conv0 has a biasInit, but no bias"), "{error}");
    }
}
