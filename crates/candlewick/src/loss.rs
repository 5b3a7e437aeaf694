//! Softmax cross-entropy of logits z and label y: ln Σ eᶻᶜ - z_y, with gradient softmax(z) - onehot(y).
//!
//! Before the exponential the largest logit is subtracted, which changes nothing but the overflow.

use crate::metrics::Metrics;
use crate::simd::{LANES, Lane, Lanes, Real};

/// The probabilities of logits, row by row of `classes`.
pub fn softmax_rows(logits: &[f32], classes: usize, probabilities: &mut [f32]) {
    for (z, p) in logits.chunks_exact(classes).zip(probabilities.chunks_exact_mut(classes)) {
        let largest = z.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for (z, p) in z.iter().zip(&mut *p) {
            *p = (z - largest).exp();
            sum += *p;
        }
        p.iter_mut().for_each(|p| *p /= sum);
    }
}

/// The labels of logits, row by row of `classes`.
pub fn label_rows(logits: &[f32], classes: usize, labels: &mut [u32]) {
    for (z, label) in logits.chunks_exact(classes).zip(labels) {
        let mut best = 0;
        for (i, z_i) in z.iter().enumerate() {
            if *z_i > z[best] {
                best = i;
            }
        }
        *label = best as u32;
    }
}

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
            let mut sum = l.splat(L::Real::ZERO);
            for (z, e) in logits.iter().zip(gradient.iter_mut()) {
                let exp = l.exp(l.sub(l.load(z), largest));
                sum = l.add(sum, exp);
                l.store(exp, e);
            }
            let mut live = Lane::zero();
            live.0[..labels.len()].fill(scale);
            let factor = l.div(l.load(&live), sum);
            for e in gradient.iter_mut() {
                l.store(l.mul(l.load(e), factor), e);
            }
            let mut log_sums = Lane::zero();
            l.store(l.add(l.ln(sum), largest), &mut log_sums);
            for (lane, &label) in labels.iter().enumerate() {
                let d = &mut gradient[label as usize].0[lane];
                *d = *d - scale;
            }
            count(logits, labels, &log_sums)
        },
    )
}

#[inline(always)]
fn count<R: Real>(logits: &[Lane<R>], labels: &[u32], log_sums: &Lane<R>) -> Metrics {
    let mut metrics = Metrics { count: labels.len() as u64, ..Metrics::default() };
    for (lane, &label) in labels.iter().enumerate() {
        metrics.loss += (log_sums.0[lane] - logits[label as usize].0[lane]).to_f64();
        metrics.correct += u64::from(argmax(logits, lane) == label);
    }
    metrics
}

/// The class with the largest logit of the image in `lane`; the first of equals.
fn argmax<R: Real>(logits: &[Lane<R>], lane: usize) -> u32 {
    debug_assert!(lane < LANES);
    let mut best = 0;
    for (class, z) in logits.iter().enumerate() {
        if z.0[lane] > logits[best].0[lane] {
            best = class;
        }
    }
    best as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::finite_differences::{Numbers, check, flat, lanes};
    use crate::simd::Float64;

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

    #[test]
    fn a_logit_that_is_no_number_makes_the_loss_none() {
        let mut gradient = [Lane::zero(); 3];
        let logits = [1.0, f64::NAN, 2.0].map(Lane::splat);
        assert!(softmax_cross_entropy(Float64, &logits, &[0], 1.0, &mut gradient).loss.is_nan());
    }

    #[test]
    fn large_logits_do_not_overflow() {
        let mut gradient = [Lane::zero(); 2];
        let metrics = softmax_cross_entropy(Float64, &[Lane::splat(1e5), Lane::splat(0.0)], &[0], 1.0, &mut gradient);
        assert_eq!(metrics.loss, 0.0);
    }
}
