//! An oracle for gradients: (f(p + h) - f(p - h)) / 2h in float64.

use crate::simd::{LANES, Lane};

/// Deterministic numbers in (-1, 1), none of them close to another's double.
pub struct Numbers(u64);

impl Numbers {
    pub fn new() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }

    pub fn next(&mut self) -> f64 {
        // Marsaglia's xorshift64.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    pub fn vec(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| self.next()).collect()
    }

    pub fn lanes(&mut self, n: usize) -> Vec<Lane<f64>> {
        (0..n).map(|_| Lane(std::array::from_fn(|_| self.next()))).collect()
    }
}

/// A loss whose gradient by each output is known: Σ output · weight.
pub fn weighted_sum(output: &[Lane<f64>], weights: &[Lane<f64>]) -> f64 {
    output.iter().zip(weights).flat_map(|(o, w)| o.0.iter().zip(w.0)).map(|(o, w)| o * w).sum()
}

/// Lanes end to end.
pub fn flat(lanes: &[Lane<f64>]) -> Vec<f64> {
    lanes.iter().flat_map(|l| l.0).collect()
}

/// The inverse of [`flat`].
pub fn lanes(flat: &[f64]) -> Vec<Lane<f64>> {
    flat.as_chunks::<LANES>().0.iter().map(|l| Lane(*l)).collect()
}

/// Holds `gradient` against the differences of `loss` around `point`, at up to forty coordinates spread over it.
pub fn check(what: &str, point: &[f64], gradient: &[f64], loss: impl Fn(&[f64]) -> f64) {
    assert_eq!(point.len(), gradient.len(), "{what}");
    let h = 1e-5;
    let stride = (point.len() / 40).max(1);
    for i in (0..point.len()).step_by(stride) {
        let mut moved = point.to_vec();
        moved[i] = point[i] + h;
        let above = loss(&moved);
        moved[i] = point[i] - h;
        let difference = (above - loss(&moved)) / (2.0 * h);
        let error = (gradient[i] - difference).abs();
        assert!(
            error < 1e-6 * difference.abs().max(1.0),
            "{what}[{i}]: gradient {} but difference {difference}",
            gradient[i]
        );
    }
}
