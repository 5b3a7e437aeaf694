//! Softmax cross-entropy of logits z and label y: ln Σ eᶻᶜ - z_y, with gradient softmax(z) - onehot(y).
//!
//! The largest logit m is subtracted first, so that nothing overflows, and its own e⁰ = 1 is kept out of the sum, so that
//! nothing cancels: the loss is ln(1 + Σ eᶻᶜ⁻ᵐ over the others) + (m - z_y), with all its digits at logits of 1e8 as at a loss
//! of 1e-8. Where a logit is NaN or +∞, or all are -∞, loss and gradient are NaN, as in PyTorch.
//!
//! Class weights w and label smoothing ε are `torch.nn.CrossEntropyLoss`'s. The loss of an image is Σ t_c (ln Σ eᶻ - z_c), where
//! t_c = (1 - ε) w_y onehot(y)_c + ε w_c / classes; with T = Σ t_c its gradient is T softmax(z) - t. The mean over a batch divides by
//! the sum of the images' w_y.
//!
//! A mixed image of the classes a and b, with the share λ of a, has λ times the loss with a and 1 - λ times the loss with b, weights and
//! smoothing included, and the mean divides by the number of images: PyTorch's loss of class probabilities.

use super::Encoded;
use super::labels::{label, label_rows};
use super::probabilities::{block, vanishing};
use super::targets::Classes;
use crate::error::{Code, Error, Result};
use crate::memory;
use crate::metrics::Metrics;
use crate::simd::{Lane, Lanes, Real};
use candle_core::{DType, Device, Tensor};
use candle_nn::ops::log_softmax;
use serde::{Deserialize, Serialize};

/// The settings of the loss; in JSON, none of them is needed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SoftmaxCrossEntropy {
    /// The share of each answer that goes to all classes alike: 0 (the default) to below 1.
    pub label_smoothing: f32,
    /// A weight for each class, positive or zero; without them, all weigh 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<Vec<f32>>,
}

impl SoftmaxCrossEntropy {
    /// As [`super::Loss::check`].
    pub(super) fn check(&self, classes: usize) -> Result<()> {
        let refused = |message| Err(Error::new(Code::InvalidArgument, message));
        let Self { label_smoothing, class_weights } = self;
        if !(0.0..1.0).contains(label_smoothing) {
            return refused(format!("labelSmoothing is {label_smoothing}; it must be at least 0 and below 1"));
        }
        let Some(weights) = class_weights else { return Ok(()) };
        if weights.len() != classes {
            let given = weights.len();
            return refused(format!(
                "classWeights holds {given} weights, but the network tells {classes} classes apart; give a weight for each"
            ));
        }
        if let Some(class) = weights.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0)) {
            let weight = weights[class];
            return refused(format!("classWeights[{class}] is {weight}; it must be a finite number of at least 0"));
        }
        if weights.iter().all(|weight| *weight == 0.0) {
            return refused("classWeights are all 0; give at least one class a weight above 0".to_owned());
        }
        Ok(())
    }

    /// What the mean divides by: the sum of the weights of labels, or the number of mixed images.
    pub(super) fn weight(&self, labels: impl ExactSizeIterator<Item = u32>, are_mixed: bool) -> f64 {
        match &self.class_weights {
            Some(_) if are_mixed => labels.len() as f64,
            Some(weights) => labels.map(|label| f64::from(weights[label as usize])).sum(),
            None => labels.len() as f64,
        }
    }

    /// As `struct SoftmaxCrossEntropy` of kernels/loss.cuh.
    pub(super) fn encode(&self, classes: usize) -> Encoded<'_> {
        let Shares { kept, spread, to_all, .. } = self.shares(classes);
        Encoded::new(0, [kept, spread, to_all].map(|share| share as f32), self.class_weights.as_deref())
    }

    /// Of classes so many.
    fn shares(&self, classes: usize) -> Shares<'_> {
        let smoothing = f64::from(self.label_smoothing);
        let weights = self.class_weights.as_deref();
        let sum = weights.map_or(classes as f64, |weights| weights.iter().map(|w| f64::from(*w)).sum());
        let spread = smoothing / classes as f64;
        Shares { kept: 1.0 - smoothing, spread, to_all: spread * sum, weights }
    }

    /// As [`super::Objective::tile`].
    #[inline(always)]
    pub(super) fn tile<L: Lanes>(
        &self,
        l: L,
        logits: &[Lane<L::Real>],
        classes: Classes<'_>,
        scale: L::Real,
        gradient: &mut [Lane<L::Real>],
    ) -> Metrics {
        let is_plain = self.label_smoothing == 0.0 && self.class_weights.is_none() && !classes.are_mixed();
        l.run(
            #[inline(always)]
            || {
                let exps = exponentials(l, logits, gradient);
                if is_plain {
                    plain_gradient(l, &exps, classes.labels, scale, gradient);
                    return count(l, logits, classes.labels, &exps);
                }
                let shares = self.shares(logits.len());
                shares.gradient(l, &exps, classes, scale, gradient);
                shares.count(l, logits, classes, &exps)
            },
        )
    }

    /// As [`super::Objective::reference`].
    pub(super) fn reference(&self, logits: &Tensor, of: Classes<'_>) -> Result<(Tensor, u64)> {
        let (images, classes) = logits.dims2()?;
        let device = logits.device();
        let all = vec![1.0; classes];
        let weights = self.class_weights.as_deref().unwrap_or(&all);
        // Metal has no float64.
        let tensor = |x: Vec<f64>| Tensor::new(x, &Device::Cpu)?.to_dtype(logits.dtype())?.to_device(device);
        let logs = log_softmax(logits, 1)?;
        let picked = |class_and_share: &dyn Fn(usize) -> Option<(usize, f64)>| -> Result<Tensor> {
            let chosen: Vec<_> = (0..images).filter_map(class_and_share).collect();
            let indices: Vec<u32> = chosen.iter().map(|(class, _)| *class as u32).collect();
            let own = chosen.iter().map(|(class, share)| share * f64::from(weights[*class])).collect();
            let logs = logs.gather(&Tensor::from_vec(indices, (images, 1), device)?, 1)?.squeeze(1)?;
            Ok((logs * tensor(own)?)?.sum_all()?)
        };
        let mut loss = picked(&|image| of.shares(image).next())?;
        if of.are_mixed() {
            loss = (loss + picked(&|image| of.shares(image).nth(1))?)?;
        }
        if self.label_smoothing > 0.0 {
            let smoothing = f64::from(self.label_smoothing);
            let weights = weights.iter().map(|weight| f64::from(*weight)).collect();
            let to_all = logs.broadcast_mul(&tensor(weights)?)?.sum_all()?;
            loss = ((loss * (1.0 - smoothing))? + (to_all * (smoothing / classes as f64))?)?;
        }
        let mut answers = memory::zeros(images)?;
        let found = logits.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        label_rows(&found, classes, &mut answers);
        let correct = answers.iter().zip(of.labels).filter(|(answer, label)| answer == label).count();
        Ok((loss.neg()?, correct as u64))
    }
}

/// What t is made of.
struct Shares<'a> {
    /// 1 - ε, of the label's class, or of both classes of a mixed image.
    kept: f64,
    /// ε / classes, of every class.
    spread: f64,
    /// Σ ε w / classes.
    to_all: f64,
    weights: Option<&'a [f32]>,
}

impl Shares<'_> {
    fn weight(&self, class: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[class].into())
    }

    /// Of t, what is a class's as that of an image.
    fn own(&self, (class, share): (usize, f64)) -> f64 {
        self.kept * self.weight(class) * share
    }

    /// From exponentials to T softmax(z) - t, times `scale`.
    #[inline(always)]
    fn gradient<L: Lanes>(
        &self,
        l: L,
        exps: &Exponentials<L>,
        classes: Classes<'_>,
        scale: L::Real,
        gradient: &mut [Lane<L::Real>],
    ) {
        let real = L::Real::from_f64;
        let [mut live, mut total] = [Lane::zero(); 2];
        for lane in 0..classes.len() {
            let own = classes.shares(lane).map(|class| self.own(class)).sum::<f64>();
            live.0[lane] = scale;
            total.0[lane] = real(own + self.to_all) * scale;
        }
        let (live, factor) = (l.load(&live), l.div(l.load(&total), exps.sum));
        for (class, d) in gradient.iter_mut().enumerate() {
            let share = l.splat(real(self.spread * self.weight(class)));
            l.store(l.sub(l.mul(l.load(d), factor), l.mul(share, live)), d);
        }
        for lane in 0..classes.len() {
            for (class, share) in classes.shares(lane) {
                let d = &mut gradient[class].0[lane];
                *d = *d - real(self.own((class, share))) * scale;
            }
        }
    }

    /// As [`count`], with the weights' sum.
    #[inline(always)]
    fn count<L: Lanes>(&self, l: L, logits: &[Lane<L::Real>], classes: Classes<'_>, exps: &Exponentials<L>) -> Metrics {
        let mut metrics = Metrics { loss: 0.0, weight: 0.0, ..count(l, logits, classes.labels, exps) };
        let mut distances = Lane::zero();
        if self.spread > 0.0 {
            distances = self.distances(l, logits, exps.largest);
        }
        let [mut largest, mut others] = [Lane::zero(); 2];
        l.store(exps.largest, &mut largest);
        l.store(exps.others, &mut others);
        for lane in 0..classes.len() {
            let (mut own, mut below) = (0.0, 0.0);
            for (class, share) in classes.shares(lane) {
                let part = self.own((class, share));
                own += part;
                below += part * (largest.0[lane].to_f64() - logits[class].0[lane].to_f64());
            }
            let of_all = (own + self.to_all) * libm::log1p(others.0[lane].to_f64());
            metrics.loss += of_all + below + self.spread * distances.0[lane].to_f64();
            metrics.weight += if classes.are_mixed() { 1.0 } else { self.weight(classes.labels[lane] as usize) };
        }
        metrics
    }

    /// Σ w (m - z)
    #[inline(always)]
    fn distances<L: Lanes>(&self, l: L, logits: &[Lane<L::Real>], largest: L::Vector) -> Lane<L::Real> {
        let (mut sum, mut distances) = (l.splat(L::Real::ZERO), Lane::zero());
        let at_once = block(logits.len());
        for (i, logits) in logits.chunks(at_once).enumerate() {
            let mut block_sum = l.splat(L::Real::ZERO);
            for (k, z) in logits.iter().enumerate() {
                let weight = l.splat(L::Real::from_f64(self.weight(i * at_once + k)));
                block_sum = l.mul_add(weight, l.sub(largest, l.load(z)), block_sum);
            }
            sum = l.add(sum, block_sum);
        }
        l.store(sum, &mut distances);
        distances
    }
}

/// Of a tile's logits.
struct Exponentials<L: Lanes> {
    /// m
    largest: L::Vector,
    /// Σ eᶻ⁻ᵐ
    sum: L::Vector,
    /// The same without the first of the largest.
    others: L::Vector,
}

/// Leaves eᶻ⁻ᵐ in `exps`.
#[inline(always)]
fn exponentials<L: Lanes>(l: L, logits: &[Lane<L::Real>], exps: &mut [Lane<L::Real>]) -> Exponentials<L> {
    let mut largest = l.load(&logits[0]);
    for z in &logits[1..] {
        let z = l.load(z);
        largest = l.where_gt(z, largest, z, largest);
    }
    let zero = l.splat(L::Real::ZERO);
    let (mut sum, mut others, mut first_largest) = (zero, zero, l.splat(L::Real::ONE));
    let at_once = block(logits.len());
    for (logits, exps) in logits.chunks(at_once).zip(exps.chunks_mut(at_once)) {
        let (mut block_sum, mut block_others) = (zero, zero);
        for (z, e) in logits.iter().zip(exps) {
            let z = l.load(z);
            let exp = l.exp(l.sub(z, largest));
            block_sum = l.add(block_sum, exp);
            l.store(exp, e);
            // 1 for the first of the largest, whose e⁰ is exactly that.
            let own = l.where_eq(z, largest, first_largest, zero);
            first_largest = l.sub(first_largest, own);
            block_others = l.add(block_others, l.sub(vanishing(l, exp), own));
        }
        (sum, others) = (l.add(sum, block_sum), l.add(others, block_others));
    }
    Exponentials { largest, sum, others }
}

/// From exponentials to softmax(z) - onehot(y), times `scale`.
#[inline(always)]
fn plain_gradient<L: Lanes>(
    l: L,
    exps: &Exponentials<L>,
    labels: &[u32],
    scale: L::Real,
    gradient: &mut [Lane<L::Real>],
) {
    let mut live = Lane::zero();
    live.0[..labels.len()].fill(scale);
    let factor = l.div(l.load(&live), exps.sum);
    for e in gradient.iter_mut() {
        l.store(l.mul(l.load(e), factor), e);
    }
    for (lane, &label) in labels.iter().enumerate() {
        let d = &mut gradient[label as usize].0[lane];
        *d = *d - scale;
    }
}

/// The metrics of a tile, of each image's largest logit and the sum of the other classes' exponentials.
#[inline(always)]
fn count<L: Lanes>(l: L, logits: &[Lane<L::Real>], labels: &[u32], exps: &Exponentials<L>) -> Metrics {
    let images = labels.len() as u64;
    let mut metrics = Metrics { weight: images as f64, answers: images, count: images, ..Metrics::default() };
    let [mut largest, mut others] = [Lane::zero(); 2];
    l.store(exps.largest, &mut largest);
    l.store(exps.others, &mut others);
    for (lane, &answer) in labels.iter().enumerate() {
        let below = largest.0[lane].to_f64() - logits[answer as usize].0[lane].to_f64();
        metrics.loss += libm::log1p(others.0[lane].to_f64()) + below;
        metrics.correct += u64::from(label(logits.iter().map(|z| z.0[lane])) == answer);
    }
    metrics
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Float64, InstructionSet, Kernel};

    fn plain(labels: &[u32]) -> Classes<'_> {
        Classes { labels, mixes: &[] }
    }

    #[test]
    fn many_classes_lose_no_digits() {
        for classes in [10_000, 300_000] {
            let mut gradient = vec![Lane::zero(); classes];
            for set in InstructionSet::available() {
                struct Loss<'a>(&'a mut [Lane<f32>]);
                impl Kernel for Loss<'_> {
                    type Output = Metrics;
                    fn run<L: Lanes<Real = f32>>(self, l: L) -> Metrics {
                        let logits = vec![Lane::splat(0.25); self.0.len()];
                        SoftmaxCrossEntropy::default().tile(l, &logits, plain(&[3]), 1.0, self.0)
                    }
                }
                let (loss, expected) = (set.run(Loss(&mut gradient)).loss, (classes as f64).ln());
                assert!((loss - expected).abs() < 3e-6 * expected, "{classes} classes: {loss}, not {expected}");
            }
        }
    }

    #[test]
    fn counts_by_hand() {
        let logits = [Lane::splat(2.0f64.ln()), Lane::splat(6.0f64.ln())];
        let mut gradient = [Lane::zero(); 2];
        let metrics = SoftmaxCrossEntropy::default().tile(Float64, &logits, plain(&[0, 1, 1]), 1.0, &mut gradient);
        assert_eq!((metrics.correct, metrics.count), (2, 3));
        assert!((metrics.loss - (4f64.ln() + 2.0 * (4.0f64 / 3.0).ln())).abs() < 1e-12);
    }
}
