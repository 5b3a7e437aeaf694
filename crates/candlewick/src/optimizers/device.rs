//! What the CUDA engine is told of an optimiser: the number of its rule in `kernels/`, and the settings that its struct is made of.

use crate::kernels::padded;
use bytemuck::Pod;

/// Words that there is room for: `settings` of `struct Optimizer` in kernels/optimizers.cuh.
pub const SETTINGS: usize = 12;

/// An optimiser without its state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Encoded {
    /// Its number in `enum class Rule` of kernels/optimizers.cuh, counted from 0.
    pub rule: i32,
    /// The fields of its struct, 32 bits each, with zeros behind them.
    pub settings: [i32; SETTINGS],
}

impl Encoded {
    /// Of the fields of the rule's struct.
    pub(super) fn new(rule: i32, fields: impl Pod) -> Self {
        Self { rule, settings: padded(fields) }
    }
}
