//! Weights of which none in a range is likelier than another.

use super::{Distribution, Sizes, check_scale};
use crate::error::Result;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Uniform in ±scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uniform {
    /// Positive or zero.
    pub scale: f64,
}

impl Distribution for Uniform {
    fn check(&self) -> Result<()> {
        check_scale("scale", self.scale)
    }

    fn fill(&self, weight: &mut [f32], _: Sizes, generator: &mut ChaCha8Rng) -> Result<()> {
        fill(weight, self.scale, generator);
        Ok(())
    }
}

/// Uniform in ±bound.
pub fn fill(weight: &mut [f32], bound: f64, generator: &mut ChaCha8Rng) {
    weight.fill_with(|| ((2.0 * generator.random::<f64>() - 1.0) * bound) as f32);
}
