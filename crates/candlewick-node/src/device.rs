//! Devices, by name.

use crate::errors::to_js;
use candlewick::device;
use napi_derive::napi;

/// A kind of device, whether it can be used, and what it is or why not.
#[napi(object)]
pub struct DeviceReport {
    /// `cpu`, `cuda:0`, or `cuda` where there is none.
    pub name: String,
    /// What it is, or why it cannot be used.
    pub description: String,
    /// Whether a network can run on it.
    pub available: bool,
}

/// The processor and every other kind of device that candlewick knows.
#[napi]
pub fn devices() -> Vec<DeviceReport> {
    let convert = |report: device::DeviceReport| DeviceReport {
        name: report.name,
        description: report.description,
        available: report.available,
    };
    device::devices().into_iter().map(convert).collect()
}

/// Fails if a network cannot run on the device of this name.
#[napi]
pub fn check_device(name: String) -> napi::Result<()> {
    device::check(&name).map_err(to_js)
}
