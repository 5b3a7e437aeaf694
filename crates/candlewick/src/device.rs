//! The names of devices.

use crate::error::{Code, Error, Result};
use std::fmt;

/// What a device's name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// `cpu`
    Cpu,
    /// `cuda:0`, the first GPU of NVIDIA's driver, and so on.
    Cuda(usize),
    /// `metal`, the GPU of a Mac.
    Metal,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
            Device::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
            Device::Metal => f.write_str("metal"),
        }
    }
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
        ("metal", _) => Ok(Device::Metal),
        (_, Some(Ok(ordinal))) => Ok(Device::Cuda(ordinal)),
        _ => Err(Error::new(
            Code::InvalidArgument,
            format!("device is \"{name}\"; it must be \"cpu\", \"metal\" or \"cuda:\" and a number, as in \"cuda:0\""),
        )),
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
    fn a_device_is_shown_by_its_name() {
        for name in ["cpu", "cuda:0", "cuda:12", "metal"] {
            assert_eq!(parse(name).unwrap().to_string(), name);
        }
    }
}
