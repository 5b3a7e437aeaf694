//! Weights whose scale follows from the number of a layer's inputs, for layers that end in ReLU: half of what comes in is zero, and
//! twice the variance makes up for it. He et al., 2015, equation 10. PyTorch's `kaiming_normal_` and `kaiming_uniform_` with its
//! defaults but for `nonlinearity='relu'`; Keras's `he_normal` cuts its bell curve off at two deviations, this one does not.

use super::{Distribution, Sizes, normal, uniform};
use crate::error::Result;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Normal with mean 0 and deviation √(2 / fan in).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeNormal {}

/// Uniform in ±√(6 / fan in), whose deviation is that of [`HeNormal`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeUniform {}

impl Distribution for HeNormal {
    fn fill(&self, weight: &mut [f32], sizes: Sizes, generator: &mut ChaCha8Rng) -> Result<()> {
        normal::fill(weight, libm::sqrt(2.0 / sizes.fan_in as f64), generator);
        Ok(())
    }
}

impl Distribution for HeUniform {
    fn fill(&self, weight: &mut [f32], sizes: Sizes, generator: &mut ChaCha8Rng) -> Result<()> {
        uniform::fill(weight, libm::sqrt(6.0 / sizes.fan_in as f64), generator);
        Ok(())
    }
}
