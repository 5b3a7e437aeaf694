//! What the CUDA engine is told of a loss: the number of its struct in `kernels/`, and the settings that it is made of.

use crate::kernels::padded;
use bytemuck::Pod;

/// Words that there is room for: `settings` of `struct Loss` in kernels/loss.cuh.
pub const SETTINGS: usize = 3;

/// A loss for the kernels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Encoded<'a> {
    /// Its number in `enum class LossKind` of kernels/loss.cuh, counted from 0.
    pub kind: i32,
    /// The fields of its struct, 32 bits each, with zeros behind them.
    pub settings: [i32; SETTINGS],
    /// A weight for each class; none where all weigh the same.
    pub class_weights: Option<&'a [f32]>,
}

impl<'a> Encoded<'a> {
    /// Of the fields of the struct.
    pub(super) fn new(kind: i32, fields: impl Pod, class_weights: Option<&'a [f32]>) -> Self {
        Self { kind, settings: padded(fields), class_weights }
    }
}
