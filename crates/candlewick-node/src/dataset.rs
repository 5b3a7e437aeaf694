//! Datasets: filled in pieces, then shared with every engine.

use crate::errors::{internal, to_js};
use crate::runners;
use candlewick::dataset;
use candlewick::{Code, Error};
use napi::Env;
use napi::bindgen_prelude::ObjectFinalize;
use napi_derive::napi;
use std::sync::Arc;

/// An array of JavaScript's, as napi lends it when its type has a name.
type Bytes<'a> = &'a mut [u8];

/// Takes images and labels in pieces; a piece costs the event loop one copy of it.
#[napi]
pub struct DatasetBuilder(Option<dataset::DatasetBuilder>);

#[napi]
impl DatasetBuilder {
    /// Room for `count` images of (channels, height, width).
    #[napi(constructor)]
    pub fn new(count: u32, channels: u32, height: u32, width: u32) -> napi::Result<Self> {
        let shape = [channels as usize, height as usize, width as usize];
        dataset::DatasetBuilder::new(count as usize, shape).map(|builder| Self(Some(builder))).map_err(to_js)
    }

    /// The next bytes of the images.
    #[napi]
    pub fn push_pixels(&mut self, pixels: &[u8]) -> napi::Result<()> {
        self.open()?.push_pixels(pixels).map_err(to_js)
    }

    /// The next labels.
    #[napi]
    pub fn push_labels(&mut self, labels: &[u8]) -> napi::Result<()> {
        self.open()?.push_labels(labels).map_err(to_js)
    }

    /// The dataset, if it is full.
    #[napi]
    pub fn finish(&mut self, env: &Env) -> napi::Result<Dataset> {
        let builder = self.0.take().ok_or_else(finished)?;
        let dataset = builder.finish().map_err(to_js)?;
        // So that the garbage collector knows what a dataset weighs.
        env.adjust_external_memory(dataset.pixels().len() as i64)?;
        Ok(Dataset { shape: dataset.shape(), length: dataset.len(), images: Some(Arc::new(dataset)) })
    }

    fn open(&mut self) -> napi::Result<&mut dataset::DatasetBuilder> {
        self.0.as_mut().ok_or_else(finished)
    }
}

fn finished() -> napi::Error {
    to_js(Error::new(Code::InvalidArgument, "the dataset is finished; make a new builder"))
}

/// Labelled images in native memory, one byte a pixel.
#[napi(custom_finalize)]
pub struct Dataset {
    shape: [usize; 3],
    length: usize,
    /// None after they were disposed of.
    images: Option<Arc<dataset::Dataset>>,
}

impl ObjectFinalize for Dataset {
    fn finalize(mut self, env: Env) -> napi::Result<()> {
        self.dispose(&env)
    }
}

impl Dataset {
    /// For a job in line.
    pub fn shared(&self) -> napi::Result<Arc<dataset::Dataset>> {
        self.images().cloned()
    }

    fn images(&self) -> napi::Result<&Arc<dataset::Dataset>> {
        self.images.as_ref().ok_or_else(|| {
            let message = "the dataset was disposed of, with all its slices; load it again, or dispose of it later";
            to_js(Error::new(Code::Disposed, message))
        })
    }
}

#[napi]
impl Dataset {
    /// (channels, height, width) of an image.
    #[napi(getter)]
    pub fn image_shape(&self) -> Vec<u32> {
        self.shape.iter().map(|d| *d as u32).collect()
    }

    /// Number of images.
    #[napi(getter)]
    pub fn length(&self) -> u32 {
        self.length as u32
    }

    /// Fills `into` with copies of the images that `indices` names, one after the other.
    #[napi]
    pub fn pixels(&self, indices: &[u32], #[napi(ts_arg_type = "Uint8Array")] into: Bytes<'_>) -> napi::Result<()> {
        let images = self.images()?;
        copy_rows(images.pixels(), images.image_len(), indices, into)
    }

    /// Fills `into` with the labels of the images that `indices` names.
    #[napi]
    pub fn labels(&self, indices: &[u32], #[napi(ts_arg_type = "Uint8Array")] into: Bytes<'_>) -> napi::Result<()> {
        copy_rows(self.images()?.labels(), 1, indices, into)
    }

    /// Gives the memory back, once no engine is at work on it.
    #[napi]
    pub fn dispose(&mut self, env: &Env) -> napi::Result<()> {
        let Some(images) = self.images.take() else { return Ok(()) };
        let size = images.pixels().len();
        runners::let_go(images, size);
        env.adjust_external_memory(-(size as i64)).map(drop)
    }
}

/// Copies the rows of length `len` that `indices` names.
fn copy_rows(rows: &[u8], len: usize, indices: &[u32], into: &mut [u8]) -> napi::Result<()> {
    if into.len() != indices.len().saturating_mul(len) {
        return Err(to_js(internal("an array has another length than what is to fill it")));
    }
    for (&i, to) in indices.iter().zip(into.chunks_exact_mut(len)) {
        let start = (i as usize).saturating_mul(len);
        let Some(row) = rows.get(start..start.saturating_add(len)) else {
            let message =
                format!("image {i} is beyond the last one; use 0 to {}", (rows.len() / len).saturating_sub(1));
            return Err(to_js(Error::new(Code::InvalidArgument, message)));
        };
        to.copy_from_slice(row);
    }
    Ok(())
}
