//! Weights that wait to be set.

use super::Distribution;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zeros {}

impl Distribution for Zeros {
    fn fill(&self, weight: &mut [f32], _: [usize; 2], _: &mut ChaCha8Rng) {
        weight.fill(0.0);
    }
}
