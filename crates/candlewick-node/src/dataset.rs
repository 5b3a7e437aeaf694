//! Datasets: filled in pieces, then shared with every engine.

use crate::errors::to_js;
use candlewick::dataset;
use candlewick::{Code, Error};
use napi::Env;
use napi::bindgen_prelude::{ObjectFinalize, Uint8Array, Uint32Array};
use napi_derive::napi;
use std::sync::Arc;

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
        Ok(Dataset(Arc::new(dataset)))
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
pub struct Dataset(Arc<dataset::Dataset>);

impl ObjectFinalize for Dataset {
    fn finalize(self, env: Env) -> napi::Result<()> {
        env.adjust_external_memory(-(self.0.pixels().len() as i64)).map(drop)
    }
}

impl Dataset {
    /// For an engine's thread.
    pub fn shared(&self) -> Arc<dataset::Dataset> {
        self.0.clone()
    }
}

#[napi]
impl Dataset {
    /// (channels, height, width) of an image.
    #[napi(getter)]
    pub fn image_shape(&self) -> Vec<u32> {
        self.0.shape().iter().map(|d| *d as u32).collect()
    }

    /// Number of images.
    #[napi(getter)]
    pub fn length(&self) -> u32 {
        self.0.len() as u32
    }

    /// Copies of the images that `indices` names, one after the other.
    #[napi]
    pub fn pixels(&self, indices: Uint32Array) -> napi::Result<Uint8Array> {
        let len = self.0.image_len();
        let mut pixels = Vec::with_capacity(indices.len() * len);
        for &i in indices.iter() {
            pixels.extend_from_slice(self.get(self.0.pixels(), i as usize * len, len)?);
        }
        Ok(pixels.into())
    }

    /// The labels of the images that `indices` names.
    #[napi]
    pub fn labels(&self, indices: Uint32Array) -> napi::Result<Uint8Array> {
        let labels: napi::Result<Vec<u8>> =
            indices.iter().map(|&i| Ok(self.get(self.0.labels(), i as usize, 1)?[0])).collect();
        Ok(labels?.into())
    }

    fn get<'a>(&self, bytes: &'a [u8], start: usize, len: usize) -> napi::Result<&'a [u8]> {
        bytes.get(start..).and_then(|rest| rest.get(..len)).ok_or_else(|| {
            let message = format!("an index is beyond the last image; use 0 to {}", self.0.len().saturating_sub(1));
            to_js(Error::new(Code::InvalidArgument, message))
        })
    }
}
