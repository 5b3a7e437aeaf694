//! The engine `fused`: candlewick's own arithmetic, in lanes on the CPU and in kernels on NVIDIA GPUs.

use super::Engine;
#[cfg(feature = "cuda")]
use super::cuda::{CudaEngine, device as gpu};
use super::devices::{DeviceReport, unavailable};
use super::lanes::LanesEngine;
use crate::device::Device;
#[cfg(not(feature = "cuda"))]
use crate::error::Code;
use crate::error::{Error, Result};
use crate::network::Network;
use crate::simd::InstructionSet;

/// Why a build without the feature `cuda` has no GPU to offer.
#[cfg(not(feature = "cuda"))]
const NO_CUDA: &str = "this build of candlewick has no CUDA engine";

/// As [`super::create`].
pub fn create(
    device: Device,
    network: Network,
    threads: Option<usize>,
    set: Result<InstructionSet>,
) -> Result<Box<dyn Engine>> {
    match device {
        Device::Cpu => Ok(Box::new(LanesEngine::on(set?, network, threads)?)),
        #[cfg(feature = "cuda")]
        Device::Cuda(ordinal) => Ok(Box::new(CudaEngine::new(gpu::CudaGpu::open(ordinal)?, network)?)),
        #[cfg(not(feature = "cuda"))]
        Device::Cuda(_) => Err(unavailable(device, NO_CUDA)),
        Device::Metal => Err(no_metal()),
    }
}

/// As [`super::devices::devices`].
pub fn devices() -> Vec<DeviceReport> {
    let mut devices = vec![DeviceReport::of_cpu(InstructionSet::chosen().map(|set| set.name()))];
    devices.extend(DeviceReport::of_cuda(gpus()));
    devices
}

#[cfg(feature = "cuda")]
fn gpus() -> Result<Vec<Result<String>>> {
    Ok(gpu::descriptions()?.into_iter().map(|found| found.map(|gpu| gpu.to_string())).collect())
}

#[cfg(not(feature = "cuda"))]
fn gpus() -> Result<Vec<Result<String>>> {
    Err(Error::new(Code::DeviceUnavailable, NO_CUDA))
}

/// As [`super::devices::check`].
pub fn check(device: Device) -> Result<()> {
    match device {
        Device::Cpu => InstructionSet::chosen().map(drop),
        #[cfg(feature = "cuda")]
        Device::Cuda(ordinal) => gpu::check(ordinal),
        #[cfg(not(feature = "cuda"))]
        Device::Cuda(_) => Err(unavailable(device, NO_CUDA)),
        Device::Metal => Err(no_metal()),
    }
}

fn no_metal() -> Error {
    let why = "the engine \"fused\" runs on processors and NVIDIA GPUs only, and Metal is for the engine \"candle\"";
    unavailable(Device::Metal, why)
}
