//! Devices, by name.

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
    let convert = |report: candlewick::device::DeviceReport| DeviceReport {
        name: report.name,
        description: report.description,
        available: report.available,
    };
    candlewick::device::devices().into_iter().map(convert).collect()
}
