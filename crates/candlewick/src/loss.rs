//! Softmax cross-entropy of logits z and label y: ln Σ eᶻᶜ - z_y, with gradient softmax(z) - onehot(y); and what logits say:
//! probabilities and labels.
//!
//! The largest logit m is subtracted first, so that nothing overflows, and its own e⁰ = 1 is kept out of the sum, so that
//! nothing cancels: the loss is ln(1 + Σ eᶻᶜ⁻ᵐ over the others) + (m - z_y), with all its digits at logits of 1e8 as at a loss
//! of 1e-8. Where a logit is NaN or +∞, or all are -∞, loss, gradient and probabilities are NaN, as in PyTorch.

use crate::metrics::Metrics;
use crate::simd::{InstructionSet, Kernel, LANES, Lane, Lanes, Real};

/// The labels of rows of `classes` logits each, at least one: the class of the largest. As in PyTorch, NaN is larger than any number, and of
/// equals the first counts.
pub fn label_rows(logits: &[f32], classes: usize, labels: &mut [u32]) {
    for (row, answer) in logits.chunks_exact(classes).zip(labels) {
        *answer = label(row.iter().copied());
    }
}

/// The probabilities of rows of `classes` logits each, at least one: eᶻ / Σ eᶻ. The same bits on any processor.
pub fn softmax_rows(logits: &[f32], classes: usize, probabilities: &mut [f32]) {
    // Which instruction set makes no difference but in speed, so a wrong name for it is not this function's to report.
    let set = InstructionSet::chosen().unwrap_or_else(|_| InstructionSet::best());
    set.run(SoftmaxRows { logits, classes, probabilities });
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

/// Numbers that are summed before they join the sum of all: of many, one sum would lose what each adds.
fn block(numbers: usize) -> usize {
    numbers.isqrt().max(64)
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

/// The class of the largest logit.
#[inline(always)]
fn label<R: Real>(logits: impl Iterator<Item = R>) -> u32 {
    let (mut best, mut largest) = (0, R::from_f64(f64::NEG_INFINITY));
    for (class, z) in logits.enumerate() {
        if z.to_f64().is_nan() {
            return class as u32;
        }
        if z > largest {
            (best, largest) = (class as u32, z);
        }
    }
    best
}

/// `exp` itself, but 0 for the least that the lanes' function gives, which stands for everything below.
#[inline(always)]
fn vanishing<L: Lanes>(l: L, exp: L::Vector) -> L::Vector {
    let least = l.exp(l.splat(L::Real::from_f64(f64::NEG_INFINITY)));
    l.where_eq(exp, least, l.splat(L::Real::ZERO), exp)
}

struct SoftmaxRows<'a> {
    logits: &'a [f32],
    classes: usize,
    probabilities: &'a mut [f32],
}

impl Kernel for SoftmaxRows<'_> {
    type Output = ();
    fn run<L: Lanes<Real = f32>>(self, l: L) {
        let rows = self.logits.chunks_exact(self.classes).zip(self.probabilities.chunks_exact_mut(self.classes));
        l.run(
            #[inline(always)]
            || rows.for_each(|(z, p)| softmax(l, z, p)),
        );
    }
}

/// The probabilities of one row, sixteen classes at a time.
#[inline(always)]
fn softmax<L: Lanes<Real = f32>>(l: L, logits: &[f32], probabilities: &mut [f32]) {
    let mut largest = l.splat(logits[0]);
    for z in logits.chunks(LANES) {
        let z = load(l, z);
        largest = l.where_gt(z, largest, z, largest);
    }
    let mut each = Lane::zero();
    l.store(largest, &mut each);
    let largest = l.splat(each.0.into_iter().fold(each.0[0], |a, b| if b > a { b } else { a }));
    let mut sum = l.splat(0.0);
    let at_once = LANES * block(logits.len().div_ceil(LANES));
    for (logits, probabilities) in logits.chunks(at_once).zip(probabilities.chunks_mut(at_once)) {
        let mut block_sum = l.splat(0.0);
        for (z, p) in logits.chunks(LANES).zip(probabilities.chunks_mut(LANES)) {
            let exp = vanishing(l, l.exp(l.sub(load(l, z), largest)));
            block_sum = l.add(block_sum, exp);
            store(l, exp, p);
        }
        sum = l.add(sum, block_sum);
    }
    let sum = l.splat(l.sum(sum));
    for p in probabilities.chunks_mut(LANES) {
        store(l, l.div(load(l, p), sum), p);
    }
}

/// Up to sixteen logits; -∞, of which nothing comes, in the other lanes.
#[inline(always)]
fn load<L: Lanes<Real = f32>>(l: L, from: &[f32]) -> L::Vector {
    if from.len() == LANES {
        return l.load_slice(from);
    }
    let mut lane = Lane::splat(f32::NEG_INFINITY);
    lane.0[..from.len()].copy_from_slice(from);
    l.load(&lane)
}

#[inline(always)]
fn store<L: Lanes<Real = f32>>(l: L, v: L::Vector, to: &mut [f32]) {
    let mut lane = Lane::zero();
    l.store(v, &mut lane);
    to.copy_from_slice(&lane.0[..to.len()]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::finite_differences::{Numbers, check, flat, lanes};
    use crate::simd::Float64;

    /// On every instruction set, which all give the same bits.
    fn probabilities(logits: &[f32], classes: usize) -> Vec<f32> {
        let mut chosen = vec![-1.0; logits.len()];
        softmax_rows(logits, classes, &mut chosen);
        for set in InstructionSet::available() {
            let mut found = vec![-1.0; logits.len()];
            set.run(SoftmaxRows { logits, classes, probabilities: &mut found });
            let bits = |values: &[f32]| values.iter().map(|p| p.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&found), bits(&chosen), "{classes} classes, {}", set.name());
        }
        chosen
    }

    #[test]
    fn probabilities_of_rows_agree_with_float64() {
        for (classes, offset) in [(1, 0.0), (2, 0.0), (10, 500.0), (16, 0.0), (17, -1e4), (1000, 0.0)] {
            let logits: Vec<f32> = (0..3 * classes).map(|i| (i * 37 % 101) as f32 / 8.0 + offset).collect();
            let found = probabilities(&logits, classes);
            for (z, p) in logits.chunks(classes).zip(found.chunks(classes)) {
                let largest = z.iter().fold(f64::NEG_INFINITY, |most, z| most.max(f64::from(*z)));
                let exps: Vec<f64> = z.iter().map(|z| (f64::from(*z) - largest).exp()).collect();
                for (e, p) in exps.iter().zip(p) {
                    let expected = e / exps.iter().sum::<f64>();
                    let error = (f64::from(*p) - expected).abs();
                    assert!(error <= 1e-6 * expected, "{classes} classes: {p}, not {expected}");
                }
            }
        }
        assert!(probabilities(&[], 10).is_empty());
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
                        softmax_cross_entropy(l, &logits, &[3], 1.0, self.0)
                    }
                }
                let (loss, expected) = (set.run(Loss(&mut gradient)).loss, (classes as f64).ln());
                assert!((loss - expected).abs() < 3e-6 * expected, "{classes} classes: {loss}, not {expected}");
            }
            let sum: f64 = probabilities(&vec![0.25; classes], classes).iter().map(|p| f64::from(*p)).sum();
            assert!((sum - 1.0).abs() < 1e-5, "probabilities of {classes} classes sum to {sum}");
        }
    }

    #[test]
    fn probabilities_at_the_edges_are_those_of_pytorch() {
        let infinity = f32::INFINITY;
        let rows = [0.0, -infinity, 1000.0, 0.0, 0.0, 1000.0];
        assert_eq!(probabilities(&rows, 2), [1.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
        // A row that has none does not touch the next.
        for none in [[1.0, f32::NAN], [f32::NAN, 1.0], [infinity, 0.0], [-infinity; 2]] {
            let found = probabilities(&[none[0], none[1], 3.0, 3.0], 2);
            assert!(found[..2].iter().all(|p| p.is_nan()) && found[2..] == [0.5, 0.5], "{none:?}: {found:?}");
        }
    }

    #[test]
    fn every_row_has_a_label() {
        let mut labels = [9; 3];
        label_rows(&[1.0, 2.0, 2.0, 1.0, 3.0, 3.0], 2, &mut labels);
        assert_eq!(labels, [1, 0, 0]);
        label_rows(&[], 2, &mut []);
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
