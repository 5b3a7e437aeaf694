//! What evaluations count on request.

use crate::errors::{internal, to_js};
use candlewick::json;
use candlewick::metrics;
use napi_derive::napi;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The counts of one evaluation, which keeps them here while it pauses.
#[napi]
pub struct Tally(Arc<Mutex<metrics::Tally>>);

#[napi]
impl Tally {
    /// Of no images. What is to be counted goes as JSON.
    #[napi(constructor)]
    pub fn new(request: String) -> napi::Result<Self> {
        let request = json::read("what is to be counted", r#"{ "topK": [3, 5] }"#, &request).map_err(to_js)?;
        Ok(Self(Arc::new(Mutex::new(metrics::Tally::new(request)))))
    }

    /// What the images counted so far come to, as JSON.
    #[napi]
    pub fn report(&self) -> napi::Result<String> {
        let report = locked(&self.0).report().map_err(to_js)?;
        serde_json::to_string(&report).map_err(|error| to_js(internal(&error.to_string())))
    }
}

impl Tally {
    /// For a job in line.
    pub fn shared(&self) -> Arc<Mutex<metrics::Tally>> {
        self.0.clone()
    }
}

/// A tally that a failure has left half done is not asked any more.
pub fn locked(tally: &Mutex<metrics::Tally>) -> MutexGuard<'_, metrics::Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}
