//! Weights whose scale follows from the number of a layer's inputs and outputs.

use super::{Distribution, uniform};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Uniform in ±√(6 / (fan in + fan out)): Gluon's `Xavier()`, uniform, average, magnitude 3. A fan is channels (or units) times
/// kernel area. Glorot and Bengio, 2010, equation 16.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Xavier {}

impl Distribution for Xavier {
    fn fill(&self, weight: &mut [f32], shape: &[usize], generator: &mut ChaCha8Rng) {
        let kernel_area: usize = shape[2..].iter().product();
        let fans = kernel_area * (shape[0] + shape[1]);
        uniform::fill(weight, libm::sqrt(6.0 / fans as f64), generator);
    }
}
