//! Engines by name, and what each of them runs on.

use super::{candle, fused};
use crate::device::{self, Device};
use crate::error::{Code, Error, Result};

/// An engine that a network can be made on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EngineName {
    /// `fused`: [`super::lanes`] on the CPU and [`super::cuda`] on NVIDIA GPUs, the fast ones.
    Fused,
    /// `candle`: the reference engine, on any device of candle's.
    Candle,
}

impl EngineName {
    /// The engine of this name.
    ///
    /// # Errors
    /// `InvalidArgument` for a name that is none.
    pub fn parse(name: &str) -> Result<Self> {
        match name {
            "fused" => Ok(Self::Fused),
            "candle" => Ok(Self::Candle),
            _ => {
                let message = format!("engine is \"{name}\"; it must be \"fused\" or \"candle\"");
                Err(Error::new(Code::InvalidArgument, message))
            }
        }
    }
}

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

impl DeviceReport {
    pub(super) fn new(name: impl ToString, description: Result<String>) -> Self {
        let available = description.is_ok();
        Self { name: name.to_string(), description: description.unwrap_or_else(|error| error.message), available }
    }

    /// The processor, and what the engine makes of it.
    pub(super) fn of_cpu(what: Result<&str>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new(Device::Cpu, what.map(|what| format!("{cores} cores, {what}")))
    }

    /// Those of NVIDIA's, each described or with the reason why it cannot be used; or the reason why there is none.
    pub(super) fn of_cuda(found: Result<Vec<Result<String>>>) -> Vec<Self> {
        match found {
            Ok(found) => found.into_iter().enumerate().map(|(i, gpu)| Self::new(Device::Cuda(i), gpu)).collect(),
            Err(error) => vec![Self::new("cuda", Err(error))],
        }
    }
}

/// The processor and every other kind of device that the engine of this name knows.
///
/// # Errors
/// `InvalidArgument` for a name that is none.
pub fn devices(engine: &str) -> Result<Vec<DeviceReport>> {
    Ok(match EngineName::parse(engine)? {
        EngineName::Fused => fused::devices(),
        EngineName::Candle => candle::devices(),
    })
}

/// Whether a network can run on the device of this name, on the engine of that.
///
/// # Errors
/// `InvalidArgument` for names that are none, `DeviceUnavailable` with the reason.
pub fn check(engine: &str, device: &str) -> Result<()> {
    let device = device::parse(device)?;
    match EngineName::parse(engine)? {
        EngineName::Fused => fused::check(device),
        EngineName::Candle => candle::check(device),
    }
}

/// The error for a device, and why it is not there.
pub(super) fn unavailable(device: Device, why: &str) -> Error {
    let message = format!("{device} was asked for, but {why}; use \"cpu\", or tryGpu(), which falls back to it");
    Error::new(Code::DeviceUnavailable, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_there_or_said_not_to_be() {
        for engine in ["fused", "candle"] {
            assert_eq!(check(engine, "cpu"), Ok(()));
            assert_eq!(check(engine, "gpu").unwrap_err().code, Code::InvalidArgument);
            let error = check(engine, "cuda:9999").unwrap_err();
            assert_eq!(error.code, Code::DeviceUnavailable);
            assert!(error.message.starts_with("cuda:9999 was asked for, but"), "{}", error.message);
        }
        let error = check("fused", "metal").unwrap_err();
        assert_eq!(error.code, Code::DeviceUnavailable);
        assert!(error.message.contains("engine \"candle\""), "{error} names the one that can");
    }

    #[test]
    fn there_is_a_processor_and_a_word_on_gpus() {
        for engine in ["fused", "candle"] {
            let devices = devices(engine).unwrap();
            assert!(devices[0].name == "cpu" && devices[0].available);
            assert!(devices[0].description.contains(" cores, "), "{}", devices[0].description);
            assert!(devices[1].name.starts_with("cuda"));
            for report in devices.iter().filter(|report| report.available) {
                assert_eq!(check(engine, &report.name), Ok(()), "what is listed can be used");
            }
        }
        #[cfg(not(feature = "cuda"))]
        assert_eq!(
            devices("fused").unwrap()[1..],
            [DeviceReport {
                name: "cuda".into(),
                description: "this build of candlewick has no CUDA engine".into(),
                available: false
            }],
            "a build without GPUs says so"
        );
    }

    #[test]
    fn engines_that_are_none_are_refused_with_those_that_are() {
        for error in [devices("torch").unwrap_err(), check("torch", "cpu").unwrap_err()] {
            assert_eq!(error.code, Code::InvalidArgument);
            assert_eq!(error.message, "engine is \"torch\"; it must be \"fused\" or \"candle\"");
        }
    }
}
