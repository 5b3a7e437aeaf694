//! Weights that turn what comes in, and neither stretch nor squeeze it. Saxe et al., 2013.

use super::{Distribution, Sizes, check_scale, normal};
use crate::error::Result;
use crate::memory;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// As a matrix (outputs, all else), the weight has rows of length `gain` at right angles to each other; columns, where it has more
/// rows than columns. Of all such matrices each is as likely as another: PyTorch's `orthogonal_`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orthogonal {
    /// Positive or zero; 1 by default.
    #[serde(default = "one")]
    pub gain: f64,
}

fn one() -> f64 {
    1.0
}

impl Distribution for Orthogonal {
    fn check(&self) -> Result<()> {
        check_scale("gain", self.gain)
    }

    fn fill(&self, weight: &mut [f32], sizes: Sizes, generator: &mut ChaCha8Rng) -> Result<()> {
        let rows = sizes.outputs;
        let columns = weight.len() / rows;
        let (count, len) = (rows.min(columns), rows.max(columns));
        let mut vectors = memory::zeros(weight.len())?;
        vectors.fill_with(|| normal::standard(generator));
        orthonormalize(&mut vectors, len);
        for i in 0..count {
            for j in 0..len {
                let place = if rows <= columns { i * columns + j } else { j * columns + i };
                weight[place] = (self.gain * vectors[i * len + j]) as f32;
            }
        }
        Ok(())
    }
}

/// Vectors of this length, end to end, become orthonormal ones of the same span by the modified Gram-Schmidt process. That is the Q
/// of their QR decomposition for which the diagonal of R is positive, as PyTorch makes it by a change of signs: without that, not
/// all matrices would be equally likely (Mezzadri, 2007).
fn orthonormalize(vectors: &mut [f64], len: usize) {
    let mut rest = vectors;
    while let Some((first, others)) = rest.split_at_mut_checked(len).filter(|(first, _)| !first.is_empty()) {
        let length = libm::sqrt(dot(first, first));
        first.iter_mut().for_each(|x| *x /= length);
        for other in others.chunks_exact_mut(len) {
            let shared = dot(first, other);
            other.iter_mut().zip(&*first).for_each(|(x, of_first)| *x -= shared * of_first);
        }
        rest = others;
    }
}

/// Σ a b, in eight sums side by side, which compilers make vectors of: the same order on every machine.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    /// A weight of so many rows and columns, in float64.
    fn drawn(rows: usize, columns: usize, gain: f64, seed: u64) -> Vec<f64> {
        let mut weight = vec![f32::NAN; rows * columns];
        let sizes = Sizes { fan_in: columns, fan_out: rows, outputs: rows };
        Orthogonal { gain }.fill(&mut weight, sizes, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap();
        weight.into_iter().map(f64::from).collect()
    }

    #[test]
    fn the_shorter_side_s_vectors_are_at_right_angles() {
        for (rows, columns) in [(1, 1), (1, 30), (30, 1), (7, 7), (64, 64), (16, 150), (150, 16), (20, 21), (21, 20)] {
            let weight = drawn(rows, columns, 1.5, 3);
            let at = |vector: usize, i: usize| {
                if rows <= columns { weight[vector * columns + i] } else { weight[i * columns + vector] }
            };
            for a in 0..rows.min(columns) {
                for b in 0..=a {
                    let dot: f64 = (0..rows.max(columns)).map(|i| at(a, i) * at(b, i)).sum();
                    let expected = if a == b { 2.25 } else { 0.0 };
                    assert!((dot - expected).abs() < 1e-6, "{rows} x {columns}: {a} times {b} is {dot}");
                }
            }
        }
    }

    /// Of `torch.linalg.qr` in float64, Q times the signs of R's diagonal.
    #[test]
    fn vectors_are_made_orthonormal_as_pytorch_does_it() {
        let mut vectors = [1.0, 2.0, -3.0, 0.5, 0.0, -1.0, 4.0, 2.0, 2.0, 2.0, 1.0, -1.0];
        orthonormalize(&mut vectors, 4);
        let expected = [
            [0.264_906_471_413_008_9, 0.529_812_942_826_017_5, -0.794_719_414_239_026_3, 0.132_453_235_706_504_4],
            [0.301_749_843_932_515_75, 0.272_735_435_862_081_7, 0.417_807_476_214_252_74, 0.812_403_425_972_158_1],
            [0.532_536_852_408_784_6, 0.481_331_385_831_016_87, 0.403_883_117_632_143_13, -0.567_100_542_348_777_6],
        ];
        for (found, expected) in vectors.iter().zip(expected.as_flattened()) {
            assert!((found - expected).abs() < 1e-14, "{vectors:?}");
        }
    }

    /// Without the signs set right, the first value of the first vector would always be of one sign, or the last one's.
    #[test]
    fn each_matrix_is_as_likely_as_its_reflection() {
        for (rows, columns) in [(1, 1), (3, 3), (2, 5), (5, 2)] {
            let mut positive = vec![0; rows * columns];
            for seed in 0..1000 {
                for (count, w) in positive.iter_mut().zip(drawn(rows, columns, 1.0, seed)) {
                    *count += usize::from(w > 0.0);
                }
            }
            // Half of them, within four deviations.
            assert!(positive.iter().all(|count| count.abs_diff(500) < 64), "{rows} x {columns}: {positive:?}");
        }
    }
}
