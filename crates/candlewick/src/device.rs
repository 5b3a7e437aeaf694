//! Where a network runs.

use crate::error::{Code, Error, Result};
use crate::simd::InstructionSet;

/// A device that was found, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceReport {
    /// `cpu`, `cuda:0`, or `cuda` where there is none.
    pub name: String,
    /// What it is, or why it cannot be used.
    pub description: String,
    /// Whether a network can run on it.
    pub available: bool,
}

/// The processor and every other kind of device that candlewick knows.
pub fn devices() -> Vec<DeviceReport> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cpu = InstructionSet::chosen().map(|set| format!("{cores} cores, {}", set.name()));
    let mut devices = vec![report("cpu".into(), cpu)];
    match cuda_devices() {
        Ok(found) => {
            let named = found.into_iter().enumerate().map(|(i, description)| report(format!("cuda:{i}"), description));
            devices.extend(named);
        }
        Err(error) => devices.push(report("cuda".into(), Err(error))),
    }
    devices
}

fn report(name: String, description: Result<String>) -> DeviceReport {
    let available = description.is_ok();
    DeviceReport { name, description: description.unwrap_or_else(|error| error.message), available }
}

/// Name, memory and compute capability of each GPU, or why it cannot be used.
#[cfg(feature = "cuda")]
fn cuda_devices() -> Result<Vec<Result<String>>> {
    let describe = |gpu: crate::engine::cuda::device::Description| {
        let (memory, (major, minor)) = (crate::memory::show_bytes(gpu.memory), gpu.compute_capability);
        format!("{}, {memory}, compute capability {major}.{minor}", gpu.name)
    };
    Ok(crate::engine::cuda::device::descriptions()?.into_iter().map(|gpu| gpu.map(describe)).collect())
}

#[cfg(not(feature = "cuda"))]
fn cuda_devices() -> Result<Vec<Result<String>>> {
    Err(Error::new(Code::DeviceUnavailable, NO_CUDA))
}

/// Why a build without the feature `cuda` has no GPU to offer.
#[cfg(not(feature = "cuda"))]
const NO_CUDA: &str = "this build of candlewick has no CUDA engine";

/// The error for a GPU, in a build that can't have one.
#[cfg(not(feature = "cuda"))]
pub(crate) fn no_cuda(name: &str) -> Error {
    let message = format!("{name} was asked for, but {NO_CUDA}; use \"cpu\", or tryGpu(), which falls back to it");
    Error::new(Code::DeviceUnavailable, message)
}

/// What a device's name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// `cpu`
    Cpu,
    /// `cuda:0`, the first GPU of the driver's, and so on.
    Cuda(usize),
}

/// The device of this name, whether there is one or not.
///
/// # Errors
/// `InvalidArgument` for a name that is none.
pub fn parse(name: &str) -> Result<Device> {
    let is_number = |ordinal: &&str| ordinal.bytes().all(|byte| byte.is_ascii_digit());
    let ordinal = name.strip_prefix("cuda:").filter(is_number).map(str::parse);
    match (name, ordinal) {
        ("cpu", _) => Ok(Device::Cpu),
        (_, Some(Ok(ordinal))) => Ok(Device::Cuda(ordinal)),
        _ => Err(Error::new(
            Code::InvalidArgument,
            format!("device is \"{name}\"; it must be \"cpu\" or \"cuda:\" and a number, as in \"cuda:0\""),
        )),
    }
}

/// Whether a network can run on the device of this name.
///
/// # Errors
/// `InvalidArgument` for a name that is none, `DeviceUnavailable` with the reason.
pub fn check(name: &str) -> Result<()> {
    match parse(name)? {
        Device::Cpu => InstructionSet::chosen().map(drop),
        #[cfg(feature = "cuda")]
        Device::Cuda(ordinal) => crate::engine::cuda::device::check(ordinal),
        #[cfg(not(feature = "cuda"))]
        Device::Cuda(_) => Err(no_cuda(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_they_are() {
        assert_eq!((parse("cpu"), parse("cuda:3")), (Ok(Device::Cpu), Ok(Device::Cuda(3))));
        for name in
            ["gpu", "cuda", "cuda:", "cuda:x", "cuda:+1", "cuda:-1", "cuda:1 ", "cuda:99999999999999999999", "CPU", ""]
        {
            let error = parse(name).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument, "{name}");
            assert!(error.message.starts_with(&format!("device is \"{name}\"; it must be \"cpu\"")), "{error}");
        }
    }

    #[test]
    fn a_device_is_there_or_said_not_to_be() {
        assert_eq!(check("cpu"), Ok(()));
        assert_eq!(check("gpu").unwrap_err().code, Code::InvalidArgument);
        let error = check("cuda:9999").unwrap_err();
        assert_eq!(error.code, Code::DeviceUnavailable);
        assert!(error.message.starts_with("cuda:9999 was asked for, but"), "{}", error.message);
    }

    #[test]
    fn there_is_a_processor_and_a_word_on_gpus() {
        let devices = devices();
        assert!(devices[0].name == "cpu" && devices[0].available);
        assert!(devices[0].description.contains(" cores, "), "{}", devices[0].description);
        assert!(devices[1].name.starts_with("cuda"));
        #[cfg(not(feature = "cuda"))]
        assert_eq!(
            devices[1..],
            [DeviceReport { name: "cuda".into(), description: NO_CUDA.into(), available: false }],
            "a build without GPUs says so"
        );
    }
}
