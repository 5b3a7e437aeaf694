//! Which parameters the weight decay draws to zero.

use serde::{Deserialize, Serialize};

/// The parameters that decay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Decay {
    /// Whatever is trained, as in PyTorch.
    #[default]
    All,
    /// Weights of convolutions and dense layers, and neither biases nor what a normalisation learns.
    Weights,
}

impl Decay {
    /// Whether this parameter is one of them.
    pub fn takes(self, is_weight: bool) -> bool {
        match self {
            Self::All => true,
            Self::Weights => is_weight,
        }
    }
}
