//! Clipping by the norm of all gradients together, as torch.nn.utils.clip_grad_norm_ does it:
//!
//! ```text
//!   g ← g · min(1, most / (norm + 10⁻⁶))
//! ```
//!
//! A norm that is not a number makes all of them none, and an infinite one zeros, and no number of what is infinite. The norm is
//! of float64, so that it is finite where the gradients are.

/// Sums that go on side by side: as many as the widest registers take, whatever the machine.
const SUMS: usize = 16;

/// The sum of the values' squares, in an order that depends on their number alone.
#[inline(always)] // into a kernel, to be compiled for its instruction set
pub fn squares(values: &[f32]) -> f64 {
    let mut sums = [0.0; SUMS];
    let square = |value: f32| f64::from(value) * f64::from(value);
    let (whole, rest) = values.as_chunks::<SUMS>();
    for values in whole {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += square(*value);
        }
    }
    for (sum, value) in sums.iter_mut().zip(rest) {
        *sum += square(*value);
    }
    sums.iter().sum()
}

/// What gradients are multiplied by whose squares add up to this, so that their norm is `most` at most.
pub fn scale(most: f32, squares: f64) -> f32 {
    let scale = f64::from(most) / (squares.sqrt() + 1e-6);
    if scale > 1.0 { 1.0 } else { scale as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_norm_within_the_most_is_left_as_it_is() {
        assert_eq!(scale(5.1, squares(&[3.0, -4.0])), 1.0);
        assert_eq!(scale(5.0, squares(&[3.0, -4.0])), (5.0 / 5.000_001) as f32);
        assert_eq!(scale(1.0, squares(&[3.0, -4.0])), (1.0 / 5.000_001) as f32);
        assert_eq!(scale(1.0, 0.0), 1.0);
        assert_eq!(scale(0.5e-6, 0.0), 0.5);
    }

    #[test]
    fn every_value_counts_however_many_there_are() {
        for count in 0..70 {
            let values: Vec<f32> = (1..=count).map(|i| i as f32).collect();
            let n = f64::from(count);
            assert_eq!(squares(&values), n * (n + 1.0) * (2.0 * n + 1.0) / 6.0);
        }
    }

    #[test]
    fn what_is_lost_is_pytorchs() {
        assert!(scale(1.0, squares(&[1.0, f32::NAN])).is_nan());
        assert_eq!(scale(1.0, squares(&[1.0, f32::INFINITY])), 0.0);
        assert!(squares(&[f32::MAX; 3]).is_finite());
    }
}
