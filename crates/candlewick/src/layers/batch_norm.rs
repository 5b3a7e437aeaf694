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
use crate::error::{Code, Error, Result};
use crate::kernels::numbers;
use crate::random::Chance;
use crate::simd::{LANES, Lane, Lanes, Real};
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
                    normalise(l, self.of(x, c), mean[c], scale, bias[c], self.of_mut(y, c));
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
                    normalise(l, self.of(x, c), mean[c], weight[c] * root[c], bias[c], self.of_mut(y, c));
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
        _: &[L::Real],
        batch: Batch<'_, L::Real>,
        seen: Seen<'_, L::Real>,
        survey: &mut [L::Real],
    ) {
        let (sums_of_dy, sums_of_both) = survey.split_at_mut(self.channels);
        let [means, roots, ..] = self.split(batch.numbers);
        l.run(
            #[inline(always)]
            || {
                let mask = mask(l, batch.live);
                for c in 0..self.channels {
                    let (x, dy, mean) = (self.of(seen.x, c), self.of(seen.dy, c), l.splat(means[c]));
                    let [of_dy, of_both] = sums(l, mask, x.len(), |i| {
                        let d = l.load(&dy[i]);
                        [d, l.mul(d, l.sub(l.load(&x[i]), mean))]
                    });
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
        let [weight, ..] = self.split(own);
        let [means, roots, means_of_dy, means_of_both] = self.split(batch.numbers);
        l.run(
            #[inline(always)]
            || {
                let (mask, zero) = (mask(l, batch.live), l.splat(L::Real::ZERO));
                for c in 0..self.channels {
                    let [mean, mean_of_dy] = [means[c], means_of_dy[c]].map(|m| l.splat(m));
                    let scale = l.splat(weight[c] * roots[c]);
                    let through_variance = l.splat(L::Real::ZERO - roots[c] * means_of_both[c]);
                    let (x, dy) = (self.of(seen.x, c), self.of(seen.dy, c));
                    for ((x, dy), dx) in x.iter().zip(dy).zip(self.of_mut(dx, c)) {
                        let rest = l.sub(l.load(dy), mean_of_dy);
                        let d = l.mul(scale, l.mul_add(l.sub(l.load(x), mean), through_variance, rest));
                        l.store(l.where_gt(mask, zero, d, zero), dx);
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
        let shift = (0..self.channels).map(|c| scale[c].mul_add(-mean[c], bias[c])).collect();
        (scale, shift)
    }
}

/// y = scale (x - mean) + bias
#[inline(always)]
fn normalise<L: Lanes>(
    l: L,
    x: &[Lane<L::Real>],
    mean: L::Real,
    scale: L::Real,
    bias: L::Real,
    y: &mut [Lane<L::Real>],
) {
    let [mean, scale, bias] = [mean, scale, bias].map(|number| l.splat(number));
    for (x, y) in x.iter().zip(y) {
        l.store(l.mul_add(l.sub(l.load(x), mean), scale, bias), y);
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
