//! Weights of a bell curve.

use super::{Distribution, Sizes, check_scale};
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
        check_scale("scale", self.scale)
    }

    fn fill(&self, weight: &mut [f32], _: Sizes, generator: &mut ChaCha8Rng) -> Result<()> {
        fill(weight, self.scale, generator);
        Ok(())
    }
}

/// Normal with mean 0 and this deviation.
pub fn fill(weight: &mut [f32], deviation: f64, generator: &mut ChaCha8Rng) {
    weight.fill_with(|| (deviation * standard(generator)) as f32);
}

/// Normal with mean 0 and deviation 1: Marsaglia's polar method, on libm's logarithm, which is the same on every platform.
pub fn standard(generator: &mut ChaCha8Rng) -> f64 {
    loop {
        let x = 2.0 * generator.random::<f64>() - 1.0;
        let y = 2.0 * generator.random::<f64>() - 1.0;
        let s = x * x + y * y;
        if s > 0.0 && s < 1.0 {
            return x * libm::sqrt(-2.0 * libm::log(s) / s);
        }
    }
}
