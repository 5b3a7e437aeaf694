//! The labels that logits stand for.

use crate::simd::Real;

/// The labels of rows of `classes` logits each, at least one: the class of the largest. As in PyTorch, NaN is larger than any
/// number, and of equals the first counts.
pub fn label_rows(logits: &[f32], classes: usize, labels: &mut [u32]) {
    for (row, answer) in logits.chunks_exact(classes).zip(labels) {
        *answer = label(row.iter().copied());
    }
}

/// The class of the largest logit.
#[inline(always)]
pub fn label<R: Real>(logits: impl Iterator<Item = R>) -> u32 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_label() {
        let mut labels = [9; 3];
        label_rows(&[1.0, 2.0, 2.0, 1.0, 3.0, 3.0], 2, &mut labels);
        assert_eq!(labels, [1, 0, 0]);
        label_rows(&[], 2, &mut []);
    }
}
