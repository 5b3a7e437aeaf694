//! Devices, by name.

use crate::errors::to_js;
use candlewick::engine::devices;
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

/// The processor and every other kind of device that an engine knows, `fused` by default.
#[napi]
pub fn devices(engine: Option<String>) -> napi::Result<Vec<DeviceReport>> {
    let convert = |report: devices::DeviceReport| DeviceReport {
        name: report.name,
        description: report.description,
        available: report.available,
    };
    let found = devices::devices(engine.as_deref().unwrap_or("fused")).map_err(to_js)?;
    Ok(found.into_iter().map(convert).collect())
}

/// Fails if a network cannot run on the device of this name, on the engine of that.
#[napi]
pub fn check_device(name: String, engine: String) -> napi::Result<()> {
    devices::check(&engine, &name).map_err(to_js)
}

/// Of candlewick, as files of networks say it.
#[napi]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
