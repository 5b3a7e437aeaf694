//! a · b + c in float32, rounded once, for processors without an instruction for it.

use super::LANES;

/// a · b + c in each lane. In float64 the product is exact, and the sum is rounded to odd: where it is inexact, towards zero
/// and then to a last bit of 1. Rounding that to float32 is as good as rounding once, as float64 has more than two bits more
/// than twice float32's (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums", 2008).
#[cfg_attr(debug_assertions, inline(never))] // as portable.rs
#[cfg_attr(not(debug_assertions), inline(always))]
pub fn mul_add(a: [f32; LANES], b: [f32; LANES], c: [f32; LANES]) -> [f32; LANES] {
    std::array::from_fn(
        #[inline(always)]
        |i| mul_add_scalar(a[i], b[i], c[i]),
    )
}

/// The same of one number. The standard library's is that of the system's C library, and not all of those round once: mingw's does not.
#[inline(always)]
pub fn mul_add_scalar(a: f32, b: f32, c: f32) -> f32 {
    round_odd_sum(f64::from(a) * f64::from(b), f64::from(c)) as f32
}

/// Without branches, so that compilers make vectors of it.
#[inline(always)]
fn round_odd_sum(a: f64, b: f64) -> f64 {
    let sum = a + b;
    let rest = {
        let b_part = sum - a; // Knuth's TwoSum: sum + rest is a + b exactly
        (a - (sum - b_part)) + (b - b_part)
    };
    let inexact = u64::from(rest > 0.0) | u64::from(rest < 0.0); // neither for infinity's NaN
    let bits = sum.to_bits();
    let away_from_zero = (rest.to_bits() ^ bits) >> 63 & inexact;
    f64::from_bits((bits - away_from_zero) | inexact)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};

    fn check(a: [f32; LANES], b: [f32; LANES], c: [f32; LANES]) {
        for (i, sum) in mul_add(a, b, c).into_iter().enumerate() {
            let expected = a[i].mul_add(b[i], c[i]);
            let is_same = sum.to_bits() == expected.to_bits() || (sum.is_nan() && expected.is_nan());
            assert!(is_same, "{:e} * {:e} + {:e} is {expected:e}, not {sum:e}", a[i], b[i], c[i]);
        }
    }

    #[test]
    fn agrees_with_the_standard_library() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        for _ in 0..200_000 {
            // Any bits at all, and numbers near each other, where halfway cases and cancellation are.
            let any: [[f32; LANES]; 3] = std::array::from_fn(|_| std::array::from_fn(|_| f32::from_bits(rng.random())));
            check(any[0], any[1], any[2]);
            let near: [[f32; LANES]; 2] =
                std::array::from_fn(|_| std::array::from_fn(|_| f32::from(rng.random::<i16>()) / 4096.0));
            let scale = [2f32.powi(rng.random_range(-40..40)); LANES];
            let c = std::array::from_fn(|i| -near[0][i] * near[1][i] * scale[i] * (1.0 + f32::EPSILON * (i as f32)));
            check(near[0], near[1], c);
        }
    }

    #[test]
    fn edges() {
        let edges = [0.0, -0.0, 1.0, f32::MIN_POSITIVE, 1e-45, f32::MAX, f32::INFINITY, f32::NAN, 1.0 + f32::EPSILON];
        for a in edges {
            for b in edges {
                for c in edges {
                    check([a; LANES], [-b; LANES], [c; LANES]);
                }
            }
        }
    }
}
