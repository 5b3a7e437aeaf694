//! Weights, or more often biases, that all begin alike.

use super::{Distribution, Sizes};
use crate::error::{Code, Error, Result};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// The same value everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constant {
    /// A finite number in float32; 0 by default.
    #[serde(default)]
    pub value: f64,
}

impl Distribution for Constant {
    fn check(&self) -> Result<()> {
        if (self.value as f32).is_finite() {
            return Ok(());
        }
        let message = format!("the value of an initialiser is {}; it must be a finite number in float32", self.value);
        Err(Error::new(Code::InvalidArgument, message))
    }

    fn fill(&self, weight: &mut [f32], _: Sizes, _: &mut ChaCha8Rng) -> Result<()> {
        weight.fill(self.value as f32);
        Ok(())
    }
}
