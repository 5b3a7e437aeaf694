//! What a schedule says of a step. Engines know no schedules: they are told the rates of the steps that they are to make.

use super::settings::{require_scale, require_share};
use crate::error::Result;

/// The numbers of one step that may differ from those of another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Positive or zero.
    pub learning_rate: f32,
    /// 0 to below 1: SGD's momentum or Adam's β₁, in place of the optimiser's own.
    pub momentum: Option<f64>,
}

impl Rate {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// `InvalidArgument` names the number that does not.
    pub(super) fn check(&self) -> Result<()> {
        require_scale("a step's learning rate", self.learning_rate)?;
        self.momentum.map_or(Ok(()), |momentum| require_share("a step's momentum", momentum))
    }
}
