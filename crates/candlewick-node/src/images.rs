//! Images that JavaScript made itself, on their way to an engine.

use crate::errors::to_js;
use crate::runners;
use candle_core::{Device, Tensor};
use candlewick::{Code, Error, Result, memory, shape};
use napi_derive::napi;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Images that are handed over piece by piece while their job waits in line for them: a piece costs the event loop one copy of
/// it. They are copied on JavaScript's thread, as elsewhere an array could be changed, detached or freed while it is read.
#[napi]
pub struct ImageFeed(Arc<Feed>);

/// The end of an [`ImageFeed`] that a job in line holds.
pub struct Feed {
    shape: Vec<usize>,
    len: usize,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    pixels: Pixels,
    failure: Option<Error>,
}

enum Pixels {
    Bytes(Vec<u8>),
    Floats(Vec<f32>),
}

#[napi]
impl ImageFeed {
    /// Room for images of shape (n, channels, height, width), of bytes or of float32.
    #[napi(constructor)]
    pub fn new(of_bytes: bool, shape: Vec<u32>) -> napi::Result<Self> {
        let shape: Vec<usize> = shape.iter().map(|d| *d as usize).collect();
        let len = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).unwrap_or(usize::MAX);
        let pixels =
            if of_bytes { memory::room(len).map(Pixels::Bytes) } else { memory::room(len).map(Pixels::Floats) };
        let state = State { pixels: pixels.map_err(to_js)?, failure: None };
        Ok(Self(Arc::new(Feed { shape, len, state: Mutex::new(state), changed: Condvar::new() })))
    }

    /// The next values of images of bytes.
    #[napi]
    pub fn push_bytes(&self, values: &[u8]) -> napi::Result<()> {
        self.0.push(|pixels| if let Pixels::Bytes(all) = pixels { Some(all) } else { None }, values)
    }

    /// The next values of images of float32.
    #[napi]
    pub fn push_floats(&self, values: &[f32]) -> napi::Result<()> {
        self.0.push(|pixels| if let Pixels::Floats(all) = pixels { Some(all) } else { None }, values)
    }

    /// No more will come, and why; a job that still waits for them fails with this. What has come is forgotten.
    #[napi]
    pub fn fail(&self, reason: String) {
        self.0.fail(Error::new(Code::InvalidArgument, reason));
    }

    /// Gives the memory back that no job has taken, of which the garbage collector does not know.
    #[napi]
    pub fn free(&self) {
        self.0.free(given_back());
    }
}

fn given_back() -> Error {
    Error::new(Code::InvalidArgument, "the images were given back before all had come")
}

impl ImageFeed {
    /// For a job in line.
    pub fn shared(&self) -> Arc<Feed> {
        self.0.clone()
    }
}

impl Drop for ImageFeed {
    /// Nobody waits for what nobody can give any more. What has come whole is left for its job.
    fn drop(&mut self) {
        self.0.fail(given_back());
    }
}

impl Feed {
    fn push<T: Copy>(&self, of: impl FnOnce(&mut Pixels) -> Option<&mut Vec<T>>, values: &[T]) -> napi::Result<()> {
        let mut state = self.state();
        if let Some(reason) = &state.failure {
            return Err(to_js(reason.clone()));
        }
        match of(&mut state.pixels) {
            Some(all) if values.len() <= self.len - all.len() => all.extend_from_slice(values),
            _ => {
                let shape = shape::show(&self.shape);
                let message =
                    format!("{} values of images of shape {shape} are too many or of another type", values.len());
                return Err(to_js(Error::new(Code::DataMismatch, message)));
            }
        }
        self.changed.notify_all();
        Ok(())
    }

    fn fail(&self, reason: Error) {
        if self.state().pixels.len() < self.len {
            self.free(reason);
        }
    }

    fn free(&self, reason: Error) {
        let mut state = self.state();
        let pixels = std::mem::replace(&mut state.pixels, Pixels::Bytes(Vec::new()));
        let bytes = pixels.len() * size_of::<f32>(); // at most
        runners::let_go(pixels, bytes);
        state.failure.get_or_insert(reason);
        self.changed.notify_all();
    }

    /// Waits for all images: (n, channels, height, width) of bytes or float32.
    ///
    /// # Errors
    /// What [`ImageFeed::fail`] was told.
    pub fn tensor(&self) -> Result<Tensor> {
        let state = self.state();
        let is_incomplete = |state: &mut State| state.pixels.len() < self.len && state.failure.is_none();
        let mut state = self.changed.wait_while(state, is_incomplete).unwrap_or_else(PoisonError::into_inner);
        if state.pixels.len() < self.len
            && let Some(reason) = state.failure.take()
        {
            return Err(reason);
        }
        let pixels = std::mem::replace(&mut state.pixels, Pixels::Bytes(Vec::new()));
        drop(state);
        Ok(match pixels {
            Pixels::Bytes(all) => Tensor::from_vec(all, &self.shape[..], &Device::Cpu)?,
            Pixels::Floats(all) => Tensor::from_vec(all, &self.shape[..], &Device::Cpu)?,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pixels {
    fn len(&self) -> usize {
        match self {
            Self::Bytes(all) => all.len(),
            Self::Floats(all) => all.len(),
        }
    }
}
