//! Weights that wait to be set.

use super::{Distribution, Sizes};
use crate::error::Result;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zeros {}

impl Distribution for Zeros {
    fn fill(&self, weight: &mut [f32], _: Sizes, _: &mut ChaCha8Rng) -> Result<()> {
        weight.fill(0.0);
        Ok(())
    }
}
