//! Weights of a bell curve.

use super::{Distribution, check_scale};
use crate::error::Result;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Normal with mean 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normal {
    /// The standard deviation, positive or zero.
    pub scale: f64,
}

impl Distribution for Normal {
    fn check(&self) -> Result<()> {
        check_scale(self.scale)
    }

    fn fill(&self, weight: &mut [f32], _: [usize; 2], generator: &mut ChaCha8Rng) {
        weight.fill_with(|| (self.scale * standard_normal(generator)) as f32);
    }
}

/// Marsaglia's polar method, on libm's logarithm, which is the same on every platform.
fn standard_normal(generator: &mut ChaCha8Rng) -> f64 {
    loop {
        let x = 2.0 * generator.random::<f64>() - 1.0;
        let y = 2.0 * generator.random::<f64>() - 1.0;
        let s = x * x + y * y;
        if s > 0.0 && s < 1.0 {
            return x * libm::sqrt(-2.0 * libm::log(s) / s);
        }
    }
}
