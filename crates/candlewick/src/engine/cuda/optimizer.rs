//! An optimiser in the GPU's memory, where captured launches find it.

use crate::optimizers::{MOST_STATE, SETTINGS};
use bytemuck::{Pod, Zeroable};

/// An optimiser and what it has made so far: `struct Optimizer` of kernels/optimizers.cuh.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct DeviceOptimizer {
    pub(super) steps: u64,
    pub(super) planes: [u64; MOST_STATE],
    pub(super) rule: i32,
    pub(super) settings: [i32; SETTINGS],
}
