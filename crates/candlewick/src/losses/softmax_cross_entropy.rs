//! Softmax cross-entropy of logits z and label y: ln Σ eᶻᶜ - z_y, with gradient softmax(z) - onehot(y).
//!
//! The largest logit m is subtracted first, so that nothing overflows, and its own e⁰ = 1 is kept out of the sum, so that
//! nothing cancels: the loss is ln(1 + Σ eᶻᶜ⁻ᵐ over the others) + (m - z_y), with all its digits at logits of 1e8 as at a loss
//! of 1e-8. Where a logit is NaN or +∞, or all are -∞, loss and gradient are NaN, as in PyTorch.

use super::labels::label;
use super::probabilities::{block, vanishing};
use crate::metrics::Metrics;
use crate::simd::{Lane, Lanes, Real};

/// The loss of a tile. `logits` and `gradient`: `[classes]`; one label for each image, fewer than sixteen in a last tile,
/// whose other lanes count for nothing. `gradient` receives the gradient of the images' losses times `scale`.
pub fn softmax_cross_entropy<L: Lanes>(
    l: L,
    logits: &[Lane<L::Real>],
    labels: &[u32],
    scale: L::Real,
    gradient: &mut [Lane<L::Real>],
) -> Metrics {
    l.run(
        #[inline(always)]
        || {
            let mut largest = l.load(&logits[0]);
            for z in &logits[1..] {
                let z = l.load(z);
                largest = l.where_gt(z, largest, z, largest);
            }
            let zero = l.splat(L::Real::ZERO);
            let (mut sum, mut others, mut first_largest) = (zero, zero, l.splat(L::Real::ONE));
            let at_once = block(logits.len());
            for (logits, exps) in logits.chunks(at_once).zip(gradient.chunks_mut(at_once)) {
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
            let mut live = Lane::zero();
            live.0[..labels.len()].fill(scale);
            let factor = l.div(l.load(&live), sum);
            for e in gradient.iter_mut() {
                l.store(l.mul(l.load(e), factor), e);
            }
            for (lane, &label) in labels.iter().enumerate() {
                let d = &mut gradient[label as usize].0[lane];
                *d = *d - scale;
            }
            let [mut largest_of_each, mut others_of_each] = [Lane::zero(); 2];
            l.store(largest, &mut largest_of_each);
            l.store(others, &mut others_of_each);
            count(logits, labels, &largest_of_each, &others_of_each)
        },
    )
}

/// The metrics of a tile, of each image's largest logit and the sum of the other classes' exponentials.
#[inline(always)]
fn count<R: Real>(logits: &[Lane<R>], labels: &[u32], largest: &Lane<R>, others: &Lane<R>) -> Metrics {
    let mut metrics = Metrics { count: labels.len() as u64, ..Metrics::default() };
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
    use crate::layers::finite_differences::{Numbers, check, flat, lanes};
    use crate::simd::{Float64, InstructionSet, Kernel};

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
                        softmax_cross_entropy(l, &logits, &[3], 1.0, self.0)
                    }
                }
                let (loss, expected) = (set.run(Loss(&mut gradient)).loss, (classes as f64).ln());
                assert!((loss - expected).abs() < 3e-6 * expected, "{classes} classes: {loss}, not {expected}");
            }
        }
    }

    #[test]
    fn gradient_agrees_with_finite_differences_and_dead_lanes_have_none() {
        for images in [1, 15, 16] {
            let mut numbers = Numbers::new();
            let logits = numbers.lanes(5);
            let labels: Vec<u32> = (0..images).map(|i| i % 5).collect();
            let loss = |z: &[f64]| {
                let mut gradient = vec![Lane::zero(); 5];
                softmax_cross_entropy(Float64, &lanes(z), &labels, 1.0, &mut gradient).loss * 0.25
            };
            let mut gradient = vec![Lane::zero(); 5];
            softmax_cross_entropy(Float64, &logits, &labels, 0.25, &mut gradient);
            let point = flat(&logits);
            check("softmax", &point, &flat(&gradient), loss);
            assert!(gradient.iter().all(|d| d.0[images as usize..].iter().all(|d| *d == 0.0)));
        }
    }

    #[test]
    fn counts_by_hand() {
        let logits = [Lane::splat(2.0f64.ln()), Lane::splat(6.0f64.ln())];
        let mut gradient = [Lane::zero(); 2];
        let metrics = softmax_cross_entropy(Float64, &logits, &[0, 1, 1], 1.0, &mut gradient);
        assert_eq!((metrics.correct, metrics.count), (2, 3));
        assert!((metrics.loss - (4f64.ln() + 2.0 * (4.0f64 / 3.0).ln())).abs() < 1e-12);
    }
}
