//! What JavaScript asks about files of parameters before it has any.

use crate::errors::to_js;
use candlewick::checkpoint;
use napi_derive::napi;
use std::path::Path;

/// Fails where a network whose parameters take `bytes` bytes could not be saved to `path`. Changes nothing there. Blocks as
/// long as the disk takes to write as much.
#[napi]
pub fn check_save_path(path: String, bytes: f64) -> napi::Result<()> {
    checkpoint::check_writable(Path::new(&path), bytes as u64).map_err(to_js)
}
