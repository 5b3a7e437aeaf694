//! The probabilities that logits stand for: softmax. As in the loss, the largest is subtracted first; and where a
//! logit is NaN or +∞, or all are -∞, they are NaN, as in PyTorch.

use crate::simd::{InstructionSet, Kernel, LANES, Lane, Lanes, Real};

/// The probabilities of rows of `classes` logits each, at least one: eᶻ / Σ eᶻ. The same bits on any processor.
pub fn softmax_rows(logits: &[f32], classes: usize, probabilities: &mut [f32]) {
    // Which instruction set makes no difference but in speed, so a wrong name for it is not this function's to report.
    let set = InstructionSet::chosen().unwrap_or_else(|_| InstructionSet::best());
    set.run(SoftmaxRows { logits, classes, probabilities });
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

/// Numbers that are summed before they join the sum of all: of many, one sum would lose what each adds.
pub fn block(numbers: usize) -> usize {
    numbers.isqrt().max(64)
}

/// `exp` itself, but 0 for the least that the lanes' function gives, which stands for everything below.
#[inline(always)]
pub fn vanishing<L: Lanes>(l: L, exp: L::Vector) -> L::Vector {
    let least = l.exp(l.splat(L::Real::from_f64(f64::NEG_INFINITY)));
    l.where_eq(exp, least, l.splat(L::Real::ZERO), exp)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
