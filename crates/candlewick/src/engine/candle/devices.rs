//! What the reference engine runs on: the CPU, and with cargo's features `candle-cuda` and `metal` the GPUs that candle knows.
//! Neither has run on a GPU.

use super::CandleEngine;
use crate::device::Device;
use crate::engine::Engine;
#[cfg(feature = "candle-cuda")]
use crate::engine::cuda;
use crate::engine::devices::{DeviceReport, unavailable};
use crate::error::{Code, Error, Result};
use crate::network::Network;
use candle_core::DType;

/// Why a build without a feature has no such device to offer.
#[cfg(not(feature = "candle-cuda"))]
const NO_CUDA: &str = "this build of candlewick has no CUDA for the engine \"candle\"";
#[cfg(not(feature = "metal"))]
const NO_METAL: &str = "this build of candlewick has no Metal";

/// As [`crate::engine::create`].
pub fn create(device: Device, network: Network, threads: Option<usize>) -> Result<Box<dyn Engine>> {
    Ok(Box::new(CandleEngine::new(network, open(device)?, DType::F32, threads)?))
}

/// As [`crate::engine::devices::devices`].
pub fn devices() -> Vec<DeviceReport> {
    let mut devices = vec![DeviceReport::of_cpu(Ok("candle"))];
    devices.extend(DeviceReport::of_cuda(gpus()));
    devices.push(DeviceReport::new(Device::Metal, metal().map(|_| "candle".into())));
    devices
}

/// As [`crate::engine::devices::check`].
pub fn check(device: Device) -> Result<()> {
    match device {
        Device::Cpu => Ok(()),
        Device::Cuda(ordinal) => check_gpu(ordinal),
        Device::Metal => metal().map(drop).map_err(|error| unavailable(device, &error.message)),
    }
}

fn open(device: Device) -> Result<candle_core::Device> {
    check(device)?;
    match device {
        Device::Cpu => Ok(candle_core::Device::Cpu),
        #[cfg(feature = "candle-cuda")]
        Device::Cuda(ordinal) => guarded(|| candle_core::Device::new_cuda_with_stream(ordinal))
            .map_err(|error| unavailable(device, &error.message)),
        #[cfg(not(feature = "candle-cuda"))]
        Device::Cuda(_) => Err(unavailable(device, NO_CUDA)),
        Device::Metal => metal(),
    }
}

#[cfg(feature = "candle-cuda")]
fn check_gpu(ordinal: usize) -> Result<()> {
    cuda::device::check(ordinal)?;
    require_libraries().map_err(|error| unavailable(Device::Cuda(ordinal), &error.message))
}

#[cfg(not(feature = "candle-cuda"))]
fn check_gpu(ordinal: usize) -> Result<()> {
    Err(unavailable(Device::Cuda(ordinal), NO_CUDA))
}

#[cfg(feature = "candle-cuda")]
fn gpus() -> Result<Vec<Result<String>>> {
    let found = cuda::device::descriptions()?;
    require_libraries()?;
    Ok(found.into_iter().map(|gpu| gpu.map(|found| found.to_string())).collect())
}

#[cfg(not(feature = "candle-cuda"))]
fn gpus() -> Result<Vec<Result<String>>> {
    Err(Error::new(Code::DeviceUnavailable, NO_CUDA))
}

/// What candle calls beside the driver, which does not bring them: they come with CUDA.
#[cfg(feature = "candle-cuda")]
fn require_libraries() -> Result<()> {
    // SAFETY: opens the libraries, whose initialisers are NVIDIA's.
    let libraries = unsafe {
        [("cuBLAS", cudarc::cublas::sys::is_culib_present()), ("cuRAND", cudarc::curand::sys::is_culib_present())]
    };
    match libraries.iter().find(|(_, is_present)| !is_present) {
        None => Ok(()),
        Some((name, _)) => {
            let message = format!(
                "candle needs CUDA's {name}, which is not on this machine; install CUDA, or have LD_LIBRARY_PATH name its folder"
            );
            Err(Error::new(Code::DeviceUnavailable, message))
        }
    }
}

#[cfg(feature = "metal")]
fn metal() -> Result<candle_core::Device> {
    guarded(|| candle_core::Device::new_metal(0))
}

#[cfg(not(feature = "metal"))]
fn metal() -> Result<candle_core::Device> {
    Err(Error::new(Code::DeviceUnavailable, NO_METAL))
}

/// Where a library lacks a function, or there is no GPU at all, candle panics.
#[cfg(any(feature = "candle-cuda", feature = "metal"))]
fn guarded(
    open: impl FnOnce() -> candle_core::Result<candle_core::Device> + std::panic::UnwindSafe,
) -> Result<candle_core::Device> {
    let why = match std::panic::catch_unwind(open) {
        Ok(Ok(device)) => return Ok(device),
        Ok(Err(error)) => format!("candle cannot open it: {}", error.to_string().lines().next().unwrap_or_default()),
        Err(_) => "candle cannot open it".to_owned(),
    };
    Err(Error::new(Code::DeviceUnavailable, why))
}
