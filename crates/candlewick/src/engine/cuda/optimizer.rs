//! What an optimiser is to the kernels: the number of its rule, and settings, which its struct in `kernels/` is made of.

use crate::kernels::padded;
use crate::optimizer::Sgd;
use bytemuck::{Pod, Zeroable};

/// `MOST_STATE` of kernels/optimizers.cuh.
pub const MOST_STATE: usize = 1;

/// Words of a rule's settings: `settings` of `struct Optimizer`.
const SETTINGS: usize = 11;

/// An optimiser and what it has made so far: `struct Optimizer` of kernels/optimizers.cuh.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct DeviceOptimizer {
    pub(super) steps: u64,
    pub(super) planes: [u64; MOST_STATE],
    pub(super) rule: i32,
    pub(super) settings: [i32; SETTINGS],
}

/// The rules of kernels/optimizers.cuh, by the name of their structs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
#[expect(missing_docs, reason = "their structs say what they are")]
pub enum Rule {
    Descent,
    Momentum,
}

impl Rule {
    /// Each of them. The match makes the compiler ask for one that is added to the enum and not here.
    pub const ALL: [Self; 2] = match Self::Descent {
        Self::Descent | Self::Momentum => [Self::Descent, Self::Momentum],
    };
}

/// Without what it has made so far.
pub fn encode(sgd: &Sgd) -> DeviceOptimizer {
    let &Sgd { learning_rate, momentum, weight_decay } = sgd;
    let (rule, settings) = if momentum > 0.0 {
        (Rule::Momentum, padded([learning_rate, momentum, weight_decay]))
    } else {
        (Rule::Descent, padded([learning_rate, weight_decay]))
    };
    DeviceOptimizer { rule: rule as i32, settings, ..DeviceOptimizer::default() }
}
