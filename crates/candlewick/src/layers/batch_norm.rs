//! Batch normalisation: of each channel, `y = weight (x - mean) / √(variance + epsilon) + bias`.
//!
//! In training, mean and variance are those of the whole batch, over images and pixels, and so depend on every value: the gradient
//! goes through them, `dx = weight / √(variance + epsilon) (dy - mean(dy) - x̂ mean(dy x̂))`, with x̂ for the normalised x. They also move
//! the running mean and variance, which take their places in answers. As in PyTorch, the variance that normalises is the biased
//! one, Σ(x - mean)² / n, and the one that is kept the unbiased, with n - 1.
//!
//! A tile's mean and squares about it are exact to a few digits of float32 whatever the mean is; tiles are put together in float64
//! by Chan, Golub and LeVeque's formula (Algorithms for Computing the Sample Variance, 1983), in the order of the batch.

use super::device::DeviceOperation;
use super::operation::{Batch, LaneOperation, Left, Needs, PIECE, Seen, add_chunks, pieces};
use super::plan::{Arithmetic, Describe, Draw, ParameterKind, ParameterPlan, Plan, is_yes};
use super::{Operation, Reference};
use crate::activations::{Function, Relu};
use crate::error::{Code, Error, Result};
use crate::kernels::numbers;
use crate::random::Chance;
use crate::simd::{LANES, Lane, Lanes, Real, mul_add_scalar};
use bytemuck::{Pod, Zeroable};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Batch normalisation of (C, H, W) or (units), as its user writes it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BatchNorm {
    /// Weight of a batch in the running mean and variance, as in PyTorch; Keras and Gluon say 1 - momentum. 0.1 by default.
    pub momentum: f64,
    /// Added to the variance; 1e-5 by default.
    pub epsilon: f64,
    /// If not, it normalises by its running mean and variance in training too, as in Keras, and keeps all that it has.
    #[serde(skip_serializing_if = "is_yes")]
    pub trainable: bool,
}

impl Default for BatchNorm {
    fn default() -> Self {
        Self { momentum: 0.1, epsilon: 1e-5, trainable: true }
    }
}

impl BatchNorm {
    /// One in the middle, a slow one, and a frozen one. With a smaller epsilon, values next to each other would be drawn hundreds of
    /// times as far apart, and of gradients that cancel, float32 would leave nothing but rounding.
    pub(super) fn examples() -> impl Iterator<Item = Self> {
        let quick = Self { epsilon: 0.1, ..Self::default() };
        [quick, Self { momentum: 0.01, epsilon: 0.2, ..quick }, Self { trainable: false, ..quick }].into_iter()
    }

    fn check(&self, name: &str) -> Result<()> {
        let Self { momentum, epsilon, .. } = *self;
        let wrong = if !(0.0..=1.0).contains(&momentum) {
            format!("a momentum of {momentum}; it must be 0 to 1")
        } else if !(epsilon > 0.0 && epsilon.is_finite()) {
            format!("an epsilon of {epsilon}; it must be a finite number above 0")
        } else {
            return Ok(());
        };
        Err(Error::new(Code::InvalidArgument, format!("{name} has {wrong}")))
    }
}

impl Describe for BatchNorm {
    fn prefix(&self) -> &'static str {
        "norm"
    }

    fn plan(&self, name: &str, input: &[usize]) -> Result<Plan> {
        self.check(name)?;
        let (channels, plane) = (input[0], input[1..].iter().product());
        let parameter = |role, kind, value, trainable| ParameterPlan {
            role,
            shape: vec![channels],
            draw: Draw::Constant(value),
            kind,
            trainable,
        };
        let Self { momentum, epsilon, trainable } = *self;
        Ok(Plan {
            output: input.to_vec(),
            parameters: vec![
                parameter("weight", ParameterKind::Scale, 1.0, trainable),
                parameter("bias", ParameterKind::Bias, 0.0, trainable),
                parameter("running_mean", ParameterKind::Statistic, 0.0, false),
                parameter("running_var", ParameterKind::Statistic, 1.0, false),
            ],
            arithmetic: Arithmetic::Operation(Operation::BatchNorm(Placed {
                channels,
                plane,
                momentum,
                epsilon,
                by_batch: trainable,
                relu: false,
            })),
            activation: None,
        })
    }
}

/// The layer in its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// C
    pub channels: usize,
    /// H · W, or 1.
    pub plane: usize,
    /// Of the running mean and variance.
    pub momentum: f64,
    /// Added to the variance.
    pub epsilon: f64,
    /// Whether training normalises by the batch's own mean and variance.
    pub by_batch: bool,
    /// Whether training takes ReLU of what comes out, as the CPU engine has it where that is what follows.
    pub relu: bool,
}

/// x and y: `[C][H · W]`; own: weight, bias, running mean, running variance, each `[C]`.
///
/// The batch's numbers: mean and 1 / √(variance + epsilon), then the means of dy and of dy x̂, each `[C]`. A survey is mean and Σ(x - mean)² of a
/// tile, or Σ dy and Σ dy x̂.
impl LaneOperation for Placed {
    fn needs(&self) -> Needs {
        let of_batch = if self.by_batch { self.channels } else { 0 };
        Needs {
            again: true,
            survey: 2 * of_batch,
            batch: 4 * of_batch,
            chunk: 2 * of_batch,
            two_images: self.by_batch && self.plane == 1,
            ..Needs::default()
        }
    }

    /// By the running mean and variance.
    fn forward<L: Lanes>(
        &self,
        l: L,
        own: &[L::Real],
        x: &[Lane<L::Real>],
        y: &mut [Lane<L::Real>],
        _: &mut [Lane<L::Real>],
    ) {
        let [weight, bias, mean, _] = self.split(own);
        l.run(
            #[inline(always)]
            || {
                for c in 0..self.channels {
                    let scale = weight[c] * self.root(own, c);
                    Normaliser::<L, false>::new(l, mean[c], scale, bias[c]).normalise(self.of(x, c), self.of_mut(y, c));
                }
            },
        );
    }

    fn forward_in_training<L: Lanes>(
        &self,
        l: L,
        own: &[L::Real],
        batch: Batch<'_, L::Real>,
        x: &[Lane<L::Real>],
        y: &mut [Lane<L::Real>],
        scratch: &mut [Lane<L::Real>],
    ) {
        if !self.by_batch {
            return self.forward(l, own, x, y, scratch);
        }
        let [weight, bias, ..] = self.split(own);
        let [mean, root, ..] = self.split(batch.numbers);
        l.run(
            #[inline(always)]
            || {
                for c in 0..self.channels {
                    let (scale, x, y) = (weight[c] * root[c], self.of(x, c), self.of_mut(y, c));
                    if self.relu {
                        Normaliser::<L, true>::new(l, mean[c], scale, bias[c]).normalise(x, y);
                    } else {
                        Normaliser::<L, false>::new(l, mean[c], scale, bias[c]).normalise(x, y);
                    }
                }
            },
        );
    }

    fn survey<L: Lanes>(&self, l: L, x: &[Lane<L::Real>], live: usize, survey: &mut [L::Real]) {
        let (means, squares) = survey.split_at_mut(self.channels);
        let count = L::Real::from_f64((live * self.plane) as f64);
        l.run(
            #[inline(always)]
            || {
                let mask = mask(l, live);
                for c in 0..self.channels {
                    let x = self.of(x, c);
                    let [sum] = sums(l, mask, x.len(), |i| [l.load(&x[i])]);
                    means[c] = sum / count;
                    let mean = l.splat(means[c]);
                    let square = |i: usize| l.sub(l.load(&x[i]), mean);
                    [squares[c]] = sums(l, mask, x.len(), |i| [l.mul(square(i), square(i))]);
                }
            },
        );
    }

    fn conclude<'a, R: Real>(
        &self,
        surveys: impl Iterator<Item = (usize, &'a [R])> + Clone,
        own: &mut [R],
        numbers: &mut [R],
    ) {
        for c in 0..self.channels {
            let mut all = Moments::default();
            for (images, survey) in surveys.clone() {
                let (mean, squares) = (survey[c].to_f64(), survey[self.channels + c].to_f64());
                all.join(Moments { count: (images * self.plane) as f64, mean, squares });
            }
            let Moments { count, mean, squares } = all;
            numbers[c] = R::from_f64(mean);
            numbers[self.channels + c] = R::from_f64(1.0 / (squares / count + self.epsilon).sqrt());
            for (i, value) in [(2, mean), (3, squares / (count - 1.0))] {
                let kept = &mut own[i * self.channels + c];
                *kept = R::from_f64(kept.to_f64() * (1.0 - self.momentum) + value * self.momentum);
            }
        }
    }

    fn survey_back<L: Lanes>(
        &self,
        l: L,
        own: &[L::Real],
        batch: Batch<'_, L::Real>,
        seen: Seen<'_, L::Real>,
        survey: &mut [L::Real],
    ) {
        let (sums_of_dy, sums_of_both) = survey.split_at_mut(self.channels);
        let [weight, bias, ..] = self.split(own);
        let [means, roots, ..] = self.split(batch.numbers);
        l.run(
            #[inline(always)]
            || {
                let mask = mask(l, batch.live);
                for c in 0..self.channels {
                    let (x, dy, scale) = (self.of(seen.x, c), self.of(seen.dy, c), weight[c] * roots[c]);
                    let [of_dy, of_both] = if self.relu {
                        Normaliser::<L, true>::new(l, means[c], scale, bias[c]).sums_of_gradient(mask, x, dy)
                    } else {
                        Normaliser::<L, false>::new(l, means[c], scale, bias[c]).sums_of_gradient(mask, x, dy)
                    };
                    (sums_of_dy[c], sums_of_both[c]) = (of_dy, of_both * roots[c]);
                }
            },
        );
    }

    fn conclude_back<'a, R: Real>(
        &self,
        surveys: impl Iterator<Item = (usize, &'a [R])> + Clone,
        numbers: &mut [R],
        chunk: &mut [R],
    ) {
        let count = (surveys.clone().map(|(images, _)| images).sum::<usize>() * self.plane) as f64;
        let (of_weight, of_bias) = chunk.split_at_mut(self.channels);
        for c in 0..self.channels {
            let sum = |i: usize| surveys.clone().map(|(_, survey)| survey[i].to_f64()).sum::<f64>();
            let (of_dy, of_both) = (sum(c), sum(self.channels + c));
            (of_weight[c], of_bias[c]) = (R::from_f64(of_both), R::from_f64(of_dy));
            numbers[2 * self.channels + c] = R::from_f64(of_dy / count);
            numbers[3 * self.channels + c] = R::from_f64(of_both / count);
        }
    }

    /// By the running mean and variance, which no gradient goes through.
    fn input_gradient<L: Lanes>(
        &self,
        l: L,
        own: &[L::Real],
        seen: Seen<'_, L::Real>,
        dx: &mut [Lane<L::Real>],
        _: &mut [Lane<L::Real>],
    ) {
        let [weight, ..] = self.split(own);
        l.run(
            #[inline(always)]
            || {
                for c in 0..self.channels {
                    let scale = l.splat(weight[c] * self.root(own, c));
                    for (dy, dx) in self.of(seen.dy, c).iter().zip(self.of_mut(dx, c)) {
                        l.store(l.mul(l.load(dy), scale), dx);
                    }
                }
            },
        );
    }

    fn input_gradient_in_training<L: Lanes>(
        &self,
        l: L,
        own: &[L::Real],
        batch: Batch<'_, L::Real>,
        seen: Seen<'_, L::Real>,
        dx: &mut [Lane<L::Real>],
        scratch: &mut [Lane<L::Real>],
    ) {
        if !self.by_batch {
            return self.input_gradient(l, own, seen, dx, scratch);
        }
        let [weight, bias, ..] = self.split(own);
        let [means, roots, means_of_dy, means_of_both] = self.split(batch.numbers);
        l.run(
            #[inline(always)]
            || {
                let mask = mask(l, batch.live);
                for c in 0..self.channels {
                    let (x, dy, dx) = (self.of(seen.x, c), self.of(seen.dy, c), self.of_mut(dx, c));
                    let through_variance = L::Real::ZERO - roots[c] * means_of_both[c];
                    let (scale, of_batch) = (weight[c] * roots[c], [means_of_dy[c], through_variance]);
                    if self.relu {
                        Normaliser::<L, true>::new(l, means[c], scale, bias[c]).gradient(mask, of_batch, x, dy, dx);
                    } else {
                        Normaliser::<L, false>::new(l, means[c], scale, bias[c]).gradient(mask, of_batch, x, dy, dx);
                    }
                }
            },
        );
    }

    fn pieces(&self) -> Vec<Range<usize>> {
        if self.by_batch { pieces(2 * self.channels, PIECE).collect() } else { Vec::new() }
    }

    #[inline(always)]
    fn gradient<'a, L: Lanes<Real: 'a>>(
        &self,
        _: L,
        piece: Range<usize>,
        left: Left<impl Iterator<Item = &'a [L::Real]>, impl Iterator<Item = &'a [Lane<L::Real>]> + Clone>,
        gradient: &mut [L::Real],
    ) {
        add_chunks(left.chunks, piece, gradient);
    }
}

impl Placed {
    /// Four numbers of each channel.
    fn split<'a, R>(&self, numbers: &'a [R]) -> [&'a [R]; 4] {
        std::array::from_fn(|i| &numbers[i * self.channels..][..self.channels])
    }

    /// A channel's values.
    #[inline(always)]
    fn of<'a, R>(&self, x: &'a [Lane<R>], c: usize) -> &'a [Lane<R>] {
        &x[c * self.plane..][..self.plane]
    }

    #[inline(always)]
    fn of_mut<'a, R>(&self, x: &'a mut [Lane<R>], c: usize) -> &'a mut [Lane<R>] {
        &mut x[c * self.plane..][..self.plane]
    }

    fn shares(&self) -> usize {
        self.plane.min(MOST_SHARES)
    }

    /// 1 / √(running variance + epsilon)
    #[inline(always)]
    fn root<R: Real>(&self, own: &[R], c: usize) -> R {
        R::from_f64(1.0 / (own[3 * self.channels + c].to_f64() + self.epsilon).sqrt())
    }

    /// What it multiplies each channel with in an answer, and then adds.
    pub fn scale_and_shift(&self, own: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let [weight, bias, mean, _] = self.split(own);
        let scale: Vec<f32> = (0..self.channels).map(|c| weight[c] * self.root(own, c)).collect();
        let shift = (0..self.channels).map(|c| mul_add_scalar(scale[c], -mean[c], bias[c])).collect();
        (scale, shift)
    }
}

/// z = scale (x - mean) + bias of a channel, and y = z, or max(z, 0) if there is a ReLU to be taken.
struct Normaliser<L: Lanes, const RELU: bool> {
    l: L,
    mean: L::Vector,
    scale: L::Vector,
    bias: L::Vector,
}

impl<L: Lanes, const RELU: bool> Normaliser<L, RELU> {
    #[inline(always)]
    fn new(l: L, mean: L::Real, scale: L::Real, bias: L::Real) -> Self {
        Self { l, mean: l.splat(mean), scale: l.splat(scale), bias: l.splat(bias) }
    }

    #[inline(always)]
    fn z(&self, x: L::Vector) -> L::Vector {
        self.l.mul_add(self.l.sub(x, self.mean), self.scale, self.bias)
    }

    /// dy f'(z)
    #[inline(always)]
    fn dz(&self, x: L::Vector, dy: L::Vector) -> L::Vector {
        if !RELU {
            return dy;
        }
        let z = self.z(x);
        self.l.mul(dy, Relu.slope(self.l, z, z))
    }

    #[inline(always)]
    fn normalise(&self, x: &[Lane<L::Real>], y: &mut [Lane<L::Real>]) {
        for (x, y) in x.iter().zip(y) {
            let z = self.z(self.l.load(x));
            self.l.store(if RELU { Relu.value(self.l, z) } else { z }, y);
        }
    }

    /// Σ dz and Σ dz (x - mean)
    #[inline(always)]
    fn sums_of_gradient(&self, mask: L::Vector, x: &[Lane<L::Real>], dy: &[Lane<L::Real>]) -> [L::Real; 2] {
        let l = self.l;
        sums(
            l,
            mask,
            x.len(),
            #[inline(always)]
            |i| {
                let x = l.load(&x[i]);
                let dz = self.dz(x, l.load(&dy[i]));
                [dz, l.mul(dz, l.sub(x, self.mean))]
            },
        )
    }

    /// dx = scale (dz - mean of dz + (x - mean) through the variance)
    #[inline(always)]
    fn gradient(
        &self,
        mask: L::Vector,
        of_batch: [L::Real; 2],
        x: &[Lane<L::Real>],
        dy: &[Lane<L::Real>],
        dx: &mut [Lane<L::Real>],
    ) {
        let (l, zero) = (self.l, self.l.splat(L::Real::ZERO));
        let [mean_of_dz, through_variance] = of_batch.map(|number| l.splat(number));
        for ((x, dy), dx) in x.iter().zip(dy).zip(dx) {
            let x = l.load(x);
            let rest = l.sub(self.dz(x, l.load(dy)), mean_of_dz);
            let d = l.mul(self.scale, l.mul_add(l.sub(x, self.mean), through_variance, rest));
            l.store(l.where_gt(mask, zero, d, zero), dx);
        }
    }
}

/// 1 in the first `live` lanes, 0 in the others.
#[inline(always)]
fn mask<L: Lanes>(l: L, live: usize) -> L::Vector {
    l.load(&Lane(std::array::from_fn(|lane| if lane < live.min(LANES) { L::Real::ONE } else { L::Real::ZERO })))
}

/// Some sums over `len` values and the images that count, each of eight partial sums, so that no addition waits for the last.
#[inline(always)]
fn sums<L: Lanes, const N: usize>(
    l: L,
    mask: L::Vector,
    len: usize,
    at: impl Fn(usize) -> [L::Vector; N],
) -> [L::Real; N] {
    const AT_ONCE: usize = 8;
    let zero = l.splat(L::Real::ZERO);
    let mut partial = [[zero; AT_ONCE]; N];
    let whole = len / AT_ONCE * AT_ONCE;
    for first in (0..whole).step_by(AT_ONCE) {
        for i in 0..AT_ONCE {
            let values = at(first + i);
            for n in 0..N {
                partial[n][i] = l.add(partial[n][i], values[n]);
            }
        }
    }
    for i in 0..len - whole {
        let values = at(whole + i);
        for n in 0..N {
            partial[n][i] = l.add(partial[n][i], values[n]);
        }
    }
    std::array::from_fn(|n| {
        let [a, b, c, d, e, f, g, h] = partial[n];
        let sum = l.add(l.add(l.add(a, b), l.add(c, d)), l.add(l.add(e, f), l.add(g, h)));
        l.sum(l.where_gt(mask, zero, sum, zero))
    })
}

/// How many numbers, their mean, and the sum of squares about it.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn join(&mut self, other: Self) {
        let (count, apart) = (self.count + other.count, other.mean - self.mean);
        self.squares += other.squares + apart * apart * self.count * other.count / count;
        self.mean += apart * other.count / count;
        self.count = count;
    }
}

/// Threads that survey a channel of an image together, at most.
pub(crate) const MOST_SHARES: usize = 32;

/// `struct BatchNorm`
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Words {
    momentum: f64,
    epsilon: f64,
    channels: i32,
    plane: i32,
    by_batch: i32,
    shares: i32,
}

impl DeviceOperation for Placed {
    const KIND: i32 = 5;
    type Words = Words;

    fn words(&self, _: usize) -> Result<Words> {
        let [channels, plane, shares] = numbers([self.channels, self.plane, self.shares()])?;
        let Self { momentum, epsilon, by_batch, .. } = *self;
        Ok(Words { momentum, epsilon, channels, plane, by_batch: by_batch.into(), shares })
    }

    fn survey_len(&self) -> usize {
        self.needs().survey * self.shares()
    }

    fn survey_blocks(&self) -> usize {
        if self.by_batch { self.channels } else { 0 }
    }

    fn batch_len(&self) -> usize {
        self.needs().batch
    }
}

/// By the running mean and variance.
impl Reference for Placed {
    fn reference(&self, x: &Tensor, own: &[Tensor]) -> candle_core::Result<Tensor> {
        self.normalised(x, own, &own[2], &own[3])
    }

    fn reference_in_training(
        &self,
        x: &Tensor,
        own: &[Tensor],
        _: Chance,
    ) -> candle_core::Result<(Tensor, Vec<(usize, Tensor)>)> {
        if !self.by_batch {
            return Ok((self.reference(x, own)?, Vec::new()));
        }
        let values = x.transpose(0, 1)?.flatten_from(1)?; // (C, all)
        let count = values.dim(1)? as f64;
        let mean = (values.sum(1)? / count)?;
        let squares = values.broadcast_sub(&mean.unsqueeze(1)?)?.sqr()?.sum(1)?;
        let y = self.normalised(x, own, &mean, &(&squares / count)?)?;
        let keep =
            |i: usize, value: Tensor| (own[i].detach() * (1.0 - self.momentum))? + (value.detach() * self.momentum)?;
        let kept = vec![(2, keep(2, mean)?), (3, keep(3, (squares / (count - 1.0))?)?)];
        Ok((y, kept))
    }

    fn values_on_the_way(&self) -> usize {
        self.channels.saturating_mul(self.plane).saturating_mul(4)
    }
}

impl Placed {
    fn normalised(&self, x: &Tensor, own: &[Tensor], mean: &Tensor, variance: &Tensor) -> candle_core::Result<Tensor> {
        let mut shape = vec![1; x.rank()];
        shape[1] = self.channels;
        let of_channel = |number: &Tensor| number.reshape(&shape[..]);
        let root = (variance + self.epsilon)?.sqrt()?.recip()?;
        let scale = of_channel(&(&own[0] * root)?)?;
        x.broadcast_sub(&of_channel(mean)?)?.broadcast_mul(&scale)?.broadcast_add(&of_channel(&own[1])?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activations::Activation;
    use crate::layers::activation;
    use crate::layers::finite_differences::{Numbers, flat};
    use crate::simd::Float64;

    const NORM: Placed = Placed { channels: 2, plane: 11, momentum: 0.1, epsilon: 0.1, by_batch: true, relu: false };

    /// y, the survey of the gradient, and dx, of a tile of thirteen images.
    fn passes(norm: Placed, own: &[f64], numbers: &[f64], [x, dy]: [&[Lane<f64>]; 2]) -> [Vec<f64>; 3] {
        let chance = Chance { seed: 1, step: 1, place: 0 };
        let batch = Batch { numbers, first: 0, live: 13, chance };
        let (mut y, mut dx, mut survey) = (x.to_vec(), x.to_vec(), vec![f64::NAN; 4]);
        norm.forward_in_training(Float64, own, batch, x, &mut y, &mut []);
        let seen = Seen { x, y: &[], dy };
        norm.survey_back(Float64, own, batch, seen, &mut survey);
        norm.input_gradient_in_training(Float64, own, batch, seen, &mut dx, &mut []);
        [flat(&y), survey, flat(&dx)]
    }

    #[test]
    fn relu_taken_at_once_is_relu_taken_after() {
        let mut numbers = Numbers::new();
        let (x, dy, own, batch) = (numbers.lanes(22), numbers.lanes(22), numbers.vec(8), numbers.vec(8));
        let relu = activation::Placed { function: Activation::Relu };
        let at_once = passes(Placed { relu: true, ..NORM }, &own, &batch, [&x, &dy]);

        let [z, ..] = passes(NORM, &own, &batch, [&x, &dy]);
        let z: Vec<Lane<f64>> = z.as_chunks().0.iter().map(|lane| Lane(*lane)).collect();
        let (mut y, mut dz) = (z.clone(), z.clone());
        relu.forward(Float64, &[], &z, &mut y, &mut []);
        relu.input_gradient(Float64, &[], Seen { x: &z, y: &y, dy: &dy }, &mut dz, &mut []);
        let [_, survey, dx] = passes(NORM, &own, &batch, [&x, &dz]);
        assert_eq!(at_once, [flat(&y), survey, dx]);
    }
}
