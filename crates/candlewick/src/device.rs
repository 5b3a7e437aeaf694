//! Where a network runs.

use crate::error::{Code, Error, Result};
use crate::simd::InstructionSet;

/// Why this build has no GPU to offer.
const NO_CUDA: &str = "this build of candlewick has no CUDA engine";

/// A device that was found, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceReport {
    /// `cpu` or `cuda`.
    pub name: &'static str,
    /// What it is, or why it cannot be used.
    pub description: String,
    /// Whether a network can run on it.
    pub available: bool,
}

/// The processor and every other kind of device that candlewick knows.
pub fn devices() -> Vec<DeviceReport> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cpu = match InstructionSet::chosen() {
        Ok(set) => DeviceReport { name: "cpu", description: format!("{cores} cores, {}", set.name()), available: true },
        Err(error) => DeviceReport { name: "cpu", description: error.message, available: false },
    };
    vec![cpu, DeviceReport { name: "cuda", description: NO_CUDA.into(), available: false }]
}

/// The candle device of this name: `cpu` or `cuda:0`.
///
/// # Errors
/// `DeviceUnavailable` for a device that is not there, `InvalidArgument` for a name that is none.
pub fn device(name: &str) -> Result<candle_core::Device> {
    let ordinal = name.strip_prefix("cuda:").map(str::parse::<usize>);
    match (name, ordinal) {
        ("cpu", _) => Ok(candle_core::Device::Cpu),
        (_, Some(Ok(_))) => Err(Error::new(
            Code::DeviceUnavailable,
            format!("{name} was asked for, but {NO_CUDA}; use \"cpu\", or tryGpu(), which falls back to it"),
        )),
        _ => Err(Error::new(
            Code::InvalidArgument,
            format!("device is \"{name}\"; it must be \"cpu\" or \"cuda:\" and a number, as in \"cuda:0\""),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_never_replaced_silently() {
        assert!(device("cpu").is_ok());
        assert_eq!(device("cuda:0").unwrap_err().code, Code::DeviceUnavailable);
        for name in ["gpu", "cuda", "cuda:", "cuda:x", ""] {
            assert_eq!(device(name).unwrap_err().code, Code::InvalidArgument, "{name}");
        }
    }
}
