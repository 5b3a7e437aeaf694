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

/// The classes whose logit comes before that of `class`, where the largest comes first: 0 for the one that [`label`] names.
pub fn rank(logits: &[f32], class: usize) -> usize {
    let own = logits[class];
    let comes_before = |(other, z): (usize, &f32)| match (z.is_nan(), own.is_nan()) {
        (true, false) => true,
        (false, true) => false,
        (true, true) => other < class,
        (false, false) => *z > own || *z == own && other < class,
    };
    logits.iter().enumerate().filter(|(other, z)| comes_before((*other, *z))).count()
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

    #[test]
    fn ranks_are_the_places_of_an_order_from_the_largest_down() {
        let (nan, infinity) = (f32::NAN, f32::INFINITY);
        for (row, ranks) in [
            ([1.0, 3.0, 2.0, 4.0], [3, 1, 2, 0]),
            ([2.0, 2.0, 5.0, 2.0], [1, 2, 0, 3]),
            ([0.0, -0.0, 0.0, -1.0], [0, 1, 2, 3]),
            ([infinity, nan, 1.0, nan], [2, 0, 3, 1]),
            ([-infinity; 4], [0, 1, 2, 3]),
            ([nan; 4], [0, 1, 2, 3]),
        ] {
            let found: [usize; 4] = std::array::from_fn(|class| rank(&row, class));
            assert_eq!(found, ranks, "{row:?}");
            assert_eq!(found[label(row.iter().copied()) as usize], 0, "{row:?}");
        }
    }
}
