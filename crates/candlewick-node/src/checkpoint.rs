//! Files of parameters and of trainings, apart from what an engine has to do with them.

use crate::aside;
use crate::errors::to_js;
use candlewick::checkpoint;
use napi::Env;
use napi::bindgen_prelude::Object;
use napi_derive::napi;
use std::path::Path;
use std::sync::Arc;

/// Fails where a network whose parameters take `bytes` bytes could not be saved to `path`. Changes nothing there. Blocks as
/// long as the disk takes to write as much.
#[napi]
pub fn check_save_path(path: String, bytes: f64) -> napi::Result<()> {
    checkpoint::check_writable(Path::new(&path), bytes as u64).map_err(to_js)
}

/// A checkpoint of a training, read and found whole.
#[napi]
pub struct SavedRun(pub(crate) Arc<checkpoint::Run>);

#[napi]
impl SavedRun {
    /// The network that it is of, as JSON.
    #[napi(getter)]
    pub fn network(&self) -> String {
        self.0.network.clone()
    }

    /// What its images go through first, as JSON; null for nothing.
    #[napi(getter)]
    pub fn normalization(&self) -> napi::Result<Option<String>> {
        self.0.normalization.as_ref().map(|normalization| normalization.json()).transpose().map_err(to_js)
    }

    /// What the loop wrote, as JSON.
    #[napi(getter)]
    pub fn run(&self) -> String {
        self.0.run.clone()
    }
}

/// Reads a checkpoint, off the event loop.
#[napi(ts_return_type = "Promise<SavedRun>")]
pub fn read_run(env: &Env, path: String) -> napi::Result<Object<'_>> {
    aside::run(env, move || checkpoint::load_run(Path::new(&path)).map(Arc::new), SavedRun)
}

/// The network that a file of parameters or a checkpoint tells of, as JSON; read off the event loop.
#[napi(ts_return_type = "Promise<string>")]
pub fn read_network(env: &Env, path: String) -> napi::Result<Object<'_>> {
    aside::run(env, move || checkpoint::network_of(Path::new(&path)), |network| network)
}
