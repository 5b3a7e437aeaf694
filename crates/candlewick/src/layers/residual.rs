//! Two ways through a network that meet again: body(x) + shortcut(x).

use super::plan::{Arithmetic, Describe, Plan};
use super::{ActivationLayer, BatchNorm, Conv2d, Layer};
use crate::activations::Activation;
use crate::error::{Code, Error, Result};
use serde::{Deserialize, Serialize};

/// A residual block, as its user writes it. Both ways must end in the same shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Residual {
    /// One way; residual blocks may be in it again.
    pub body: Vec<Layer>,
    /// The other; by default the input itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shortcut: Vec<Layer>,
}

impl Residual {
    /// With and without layers on the shortcut, one in another, with batch normalisation on either way and on none.
    pub(super) fn examples() -> impl Iterator<Item = Self> {
        let conv = || Layer::Conv2d(Conv2d { padding: [1, 1].into(), ..Conv2d::new(4, [3, 3]) });
        let pointwise = || Layer::Conv2d(Conv2d::new(4, [1, 1]));
        let norm = || Layer::BatchNorm(BatchNorm { epsilon: 0.1, ..BatchNorm::default() });
        let tanh = || Layer::Activation(ActivationLayer { activation: Activation::Tanh });
        let inner = || Layer::Residual(Self { body: vec![tanh()], shortcut: Vec::new() });
        [
            Self { body: vec![conv(), tanh()], shortcut: vec![pointwise()] },
            Self { body: vec![inner(), tanh()], shortcut: Vec::new() },
            Self { body: vec![conv(), norm(), tanh(), conv(), norm()], shortcut: vec![pointwise(), norm()] },
            Self { body: vec![norm(), inner()], shortcut: Vec::new() },
        ]
        .into_iter()
    }
}

impl Describe for Residual {
    fn prefix(&self) -> &'static str {
        "residual"
    }

    fn plan(&self, name: &str, input: &[usize]) -> Result<Plan> {
        if self.body.is_empty() {
            let message = format!("{name} has a body without layers; give it at least one");
            return Err(Error::new(Code::InvalidArgument, message));
        }
        let arithmetic = Arithmetic::Sum { body: self.body.clone(), shortcut: self.shortcut.clone() };
        Ok(Plan { output: input.to_vec(), parameters: Vec::new(), arithmetic, activation: None })
    }
}
