//! A loss in the GPU's memory, where captured launches find it.

use super::gpu::Gpu;
use super::growing::Growing;
use crate::error::Result;
use crate::losses::{Encoded, SETTINGS};
use bytemuck::{Pod, Zeroable};

/// `struct Loss` of kernels/loss.cuh.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub struct DeviceLoss {
    pub(super) class_weights: u64,
    pub(super) scales: u64,
    pub(super) kind: i32,
    pub(super) settings: [i32; SETTINGS],
}

/// The loss of the steps and evaluations that follow.
pub struct ResidentLoss<G: Gpu> {
    memory: G::Memory,
    /// What `memory` holds.
    told: DeviceLoss,
    class_weights: Growing<G>,
    scales: Growing<G>,
}

impl<G: Gpu> ResidentLoss<G> {
    /// Of no settings yet.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn new(gpu: &G) -> Result<Self> {
        Ok(Self {
            memory: gpu.allocate(size_of::<DeviceLoss>())?,
            told: DeviceLoss::default(),
            class_weights: Growing::new(),
            scales: Growing::new(),
        })
    }

    /// Where it is, for good.
    pub fn address(&self, gpu: &G) -> u64 {
        gpu.address(&self.memory)
    }

    /// Tells the kernels of a loss. `scales` are those of the batches that follow, where classes have weights.
    ///
    /// # Errors
    /// `OutOfMemory`, `DeviceLost`.
    pub fn tell(&mut self, gpu: &G, loss: Encoded<'_>, scales: impl Iterator<Item = f32>) -> Result<()> {
        let Encoded { kind, settings, class_weights } = loss;
        let mut told = DeviceLoss { kind, settings, ..DeviceLoss::default() };
        if let Some(class_weights) = class_weights {
            self.class_weights.write(gpu, bytemuck::cast_slice(class_weights))?;
            self.scales.write(gpu, bytemuck::cast_slice(&scales.collect::<Vec<_>>()))?;
            (told.class_weights, told.scales) = (self.class_weights.address(gpu), self.scales.address(gpu));
        }
        if told != self.told {
            gpu.write(&mut self.memory, bytemuck::bytes_of(&told))?;
            self.told = told;
        }
        Ok(())
    }
}
