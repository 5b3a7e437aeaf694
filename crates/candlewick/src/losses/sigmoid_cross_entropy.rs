//! Sigmoid cross-entropy (binary cross-entropy with logits) of logits z and targets t from 0 to 1: the mean over outputs and images of
//! -t ln σ(z) - (1 - t) ln(1 - σ(z)), with gradient (σ(z) - t) / outputs.
//!
//! It is computed as |z| · (1 - t where z > 0, else t) + ln(1 + e⁻ᶻ of |z|): neither of the two is negative, so nothing cancels, and
//! nothing overflows. The logarithms of up to 64 outputs are one: of p + 1 = Π (1 + e), with p ← p (1 + e) + e, which keeps the digits
//! of small ones.

use super::Encoded;
use super::probabilities::vanishing;
use super::targets::column;
use crate::error::{Code, Error, Result};
use crate::metrics::Metrics;
use crate::simd::{LANES, Lane, Lanes, Real};
use candle_core::{D, DType, Device, Tensor};
use candle_nn::ops::log_softmax;
use serde::{Deserialize, Serialize};

/// Outputs that share a logarithm: their product stays below 2⁶⁴.
const AT_ONCE: usize = 64;

/// The loss, which has no settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigmoidCrossEntropy {}

impl SigmoidCrossEntropy {
    /// As [`super::Loss::check_values`].
    pub(super) fn check_values(self, values: &[f32], image: usize) -> Result<()> {
        let Some(output) = values.iter().position(|value| !(0.0..=1.0).contains(value)) else { return Ok(()) };
        let message = format!(
            "target {output} of image {image} is {}; sigmoidCrossEntropy takes numbers from 0 (no) to 1 (yes)",
            values[output]
        );
        Err(Error::new(Code::InvalidArgument, message))
    }

    /// As `struct SigmoidCrossEntropy` of kernels/loss.cuh.
    pub(super) fn encode(self) -> Encoded<'static> {
        Encoded::new(2, [0f32; 0], None)
    }
}

/// Whether a logit is on its target's side of a half. NaN is on none.
fn is_right<R: Real>(z: R, target: f32) -> bool {
    if target > 0.5 { z > R::ZERO } else { z <= R::ZERO }
}

/// As [`super::Objective::tile`]; `values`: `[images][outputs]`.
#[inline(always)]
pub(super) fn tile<L: Lanes>(
    l: L,
    logits: &[Lane<L::Real>],
    values: &[f32],
    scale: L::Real,
    gradient: &mut [Lane<L::Real>],
) -> Metrics {
    let (outputs, images) = (logits.len(), values.len() / logits.len());
    let mut factor = Lane::zero();
    factor.0[..images].fill(scale / L::Real::from_f64(outputs as f64));
    let mut losses = [0.0; LANES];
    let blocks = logits.chunks(AT_ONCE).zip(gradient.chunks_mut(AT_ONCE));
    for (first, (logits, gradient)) in (0..outputs).step_by(AT_ONCE).zip(blocks) {
        let targets = |k| column(values, outputs, first + k);
        let [distances, product] = block(l, logits, targets, &factor, gradient);
        for (loss, (distance, product)) in losses.iter_mut().zip(distances.0.into_iter().zip(product.0)) {
            *loss += distance.to_f64() + libm::log1p(product.to_f64());
        }
    }
    let rows = values.chunks_exact(outputs).enumerate();
    let right = rows.flat_map(|(lane, row)| row.iter().zip(logits).filter(move |(t, z)| is_right(z.0[lane], **t)));
    Metrics {
        loss: losses[..images].iter().sum::<f64>() / outputs as f64,
        weight: images as f64,
        correct: right.count() as u64,
        answers: (images * outputs) as u64,
        count: images as u64,
    }
}

/// Of some logits, Σ |z| · (1 - t or t) and Π (1 + e) - 1.
#[inline(always)]
fn block<L: Lanes>(
    l: L,
    logits: &[Lane<L::Real>],
    targets: impl Fn(usize) -> Lane<L::Real>,
    factor: &Lane<L::Real>,
    gradient: &mut [Lane<L::Real>],
) -> [Lane<L::Real>; 2] {
    l.run(
        #[inline(always)]
        || {
            let (factor, zero, one) = (l.load(factor), l.splat(L::Real::ZERO), l.splat(L::Real::ONE));
            let (mut distances, mut product) = (zero, zero);
            for (k, (z, d)) in logits.iter().zip(gradient).enumerate() {
                let (z, t) = (l.load(z), l.load(&targets(k)));
                let below = l.sub(zero, z);
                let size = l.where_gt(z, zero, z, below); // |z|
                distances = l.add(distances, l.mul(size, l.where_gt(z, zero, l.sub(one, t), t)));
                let e = vanishing(l, l.exp(l.sub(zero, size)));
                product = l.add(l.mul_add(product, e, product), e);
                let sigmoid = l.div(l.where_gt(z, zero, one, e), l.add(one, e));
                // A lane without an image may hold anything.
                l.store(l.where_eq(factor, zero, zero, l.mul(l.sub(sigmoid, t), factor)), d);
            }
            let mut sums = [Lane::zero(); 2];
            l.store(distances, &mut sums[0]);
            l.store(product, &mut sums[1]);
            sums
        },
    )
}

/// As [`super::Objective::reference`]: ln(1 - σ(z)) and ln σ(z) are the log-softmax of 0 and z.
pub(super) fn reference(logits: &Tensor, values: &[f32]) -> Result<(Tensor, u64)> {
    let (images, width) = logits.dims2()?;
    let targets = Tensor::from_slice(values, (images, width), &Device::Cpu)?;
    let targets = targets.to_device(logits.device())?.to_dtype(logits.dtype())?;
    let logs = log_softmax(&Tensor::stack(&[&logits.zeros_like()?, logits], 2)?, D::Minus1)?;
    let both = Tensor::stack(&[&(1.0 - &targets)?, &targets], 2)?;
    let sum = (logs * both)?.sum_all()?.neg()?;
    let found = logits.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    let correct = found.into_iter().zip(values).filter(|(z, t)| is_right(*z, **t)).count();
    Ok(((sum / width as f64)?, correct as u64))
}
