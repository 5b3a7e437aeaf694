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
    fn fill(&self, weight: &mut [f32], fans: [usize; 2], generator: &mut ChaCha8Rng) {
        uniform::fill(weight, libm::sqrt(6.0 / (fans[0] + fans[1]) as f64), generator);
    }
}
