//! An optimiser in the GPU's memory, where captured launches find it.

use crate::optimizers::{MOST_STATE, Rate, SETTINGS};
use bytemuck::{Pod, Zeroable};

/// An optimiser and what it has made so far: `struct Optimizer` of kernels/optimizers.cuh.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct DeviceOptimizer {
    pub(super) steps: u64,
    pub(super) begun: u64,
    pub(super) planes: [u64; MOST_STATE],
    pub(super) rates: u64,
    pub(super) decays: u64,
    pub(super) average: u64,
    pub(super) average_decay: f64,
    pub(super) share: f32,
    pub(super) clip_norm: f32,
    pub(super) scale: f32,
    pub(super) rule: i32,
    pub(super) settings: [i32; SETTINGS],
}

/// The numbers of one step: `struct Rate` of kernels/optimizers.cuh.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct DeviceRate {
    pub(super) momentum: f64,
    pub(super) learning_rate: f32,
    pub(super) padding: i32,
}

impl From<Rate> for DeviceRate {
    fn from(Rate { learning_rate, momentum }: Rate) -> Self {
        Self { momentum: momentum.unwrap_or(-1.0), learning_rate, padding: 0 }
    }
}
