//! Datasets: filled in pieces, then shared with every engine.

use crate::aside;
use crate::errors::{internal, to_js};
use crate::runners;
use candlewick::augmentations::Augment;
use candlewick::dataset;
use candlewick::{Code, Error, memory};
use napi::Env;
use napi::bindgen_prelude::{Object, ObjectFinalize};
use napi_derive::napi;
use std::sync::Arc;

/// Arrays of JavaScript's, as napi lends them when their type has a name.
type Bytes<'a> = &'a mut [u8];
type Floats<'a> = &'a mut [f32];

/// Takes images, labels and targets in pieces; a piece costs the event loop one copy of it.
#[napi]
pub struct DatasetBuilder(Option<dataset::DatasetBuilder>);

#[napi]
impl DatasetBuilder {
    /// Room for `count` images of (channels, height, width), and for so many targets of each, if there are any.
    #[napi(constructor)]
    pub fn new(count: u32, channels: u32, height: u32, width: u32, targets: u32) -> napi::Result<Self> {
        let shape = [channels as usize, height as usize, width as usize];
        let builder = dataset::DatasetBuilder::new(count as usize, shape);
        let with_targets = |builder: dataset::DatasetBuilder| {
            if targets > 0 { builder.with_targets(targets as usize) } else { Ok(builder) }
        };
        builder.and_then(with_targets).map(|builder| Self(Some(builder))).map_err(to_js)
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

    /// The next targets.
    #[napi]
    pub fn push_targets(&mut self, targets: &[f32]) -> napi::Result<()> {
        self.open()?.push_targets(targets).map_err(to_js)
    }

    /// The dataset, if it is full. Where it has targets, labels may be left out.
    #[napi]
    pub fn finish(&mut self, env: &Env) -> napi::Result<Dataset> {
        let builder = self.0.take().ok_or_else(finished)?;
        let dataset = builder.finish().map_err(to_js)?;
        // So that the garbage collector knows what a dataset weighs.
        env.adjust_external_memory(weight(&dataset))?;
        Ok(Dataset {
            shape: dataset.shape(),
            length: dataset.len(),
            target_len: dataset.target_len(),
            has_labels: dataset.labels().len() == dataset.len(),
            images: Some(Arc::new(dataset)),
        })
    }

    fn open(&mut self) -> napi::Result<&mut dataset::DatasetBuilder> {
        self.0.as_mut().ok_or_else(finished)
    }
}

/// Bytes of memory.
fn weight(dataset: &dataset::Dataset) -> i64 {
    (dataset.pixels().len() + size_of_val(dataset.targets())) as i64
}

fn finished() -> napi::Error {
    to_js(Error::new(Code::InvalidArgument, "the dataset is finished; make a new builder"))
}

/// Images in native memory, one byte a pixel, with labels, targets or both.
#[napi(custom_finalize)]
pub struct Dataset {
    shape: [usize; 3],
    length: usize,
    target_len: usize,
    has_labels: bool,
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

    /// Numbers of an image's targets; 0 for none.
    #[napi(getter)]
    pub fn target_length(&self) -> u32 {
        self.target_len as u32
    }

    /// Whether images have labels.
    #[napi(getter)]
    pub fn has_labels(&self) -> bool {
        self.has_labels
    }

    /// Fills `into` with copies of the images that `indices` names, one after the other.
    #[napi]
    pub fn pixels(&self, indices: &[u32], #[napi(ts_arg_type = "Uint8Array")] into: Bytes<'_>) -> napi::Result<()> {
        let images = self.images()?;
        copy_rows(images.pixels(), images.image_len(), indices, into)
    }

    /// Fills `into` with what `augment`, as JSON, makes of the images that `indices` names, mixed with any of `partners` if at all, on
    /// all processors.
    #[napi]
    pub fn augmented(
        &self,
        indices: &[u32],
        augment: String,
        partners: &[u32],
        #[napi(ts_arg_type = "Uint8Array")] into: Bytes<'_>,
    ) -> napi::Result<()> {
        let images = self.images()?;
        check_room(indices, images.image_len(), into)?;
        let augment = Augment::read(&augment).map_err(to_js)?;
        images.augment_into(indices, &augment, partners, None, into).map_err(to_js)
    }

    /// Fills `into` with the labels of the images that `indices` names.
    #[napi]
    pub fn labels(&self, indices: &[u32], #[napi(ts_arg_type = "Uint8Array")] into: Bytes<'_>) -> napi::Result<()> {
        copy_rows(self.images()?.labels(), 1, indices, into)
    }

    /// Fills `into` with the targets of the images that `indices` names.
    #[napi]
    pub fn targets(&self, indices: &[u32], #[napi(ts_arg_type = "Float32Array")] into: Floats<'_>) -> napi::Result<()> {
        copy_rows(self.images()?.targets(), self.target_len, indices, into)
    }

    /// A number that differs, as good as always, for other images, labels or targets than those that `indices` names, or another order.
    #[napi(ts_return_type = "Promise<number>")]
    pub fn checksum<'env>(&self, env: &'env Env, indices: &[u32]) -> napi::Result<Object<'env>> {
        let (images, indices) = (self.shared()?, memory::copy(indices).map_err(to_js)?);
        aside::run(env, move || images.checksum(&indices), |sum| sum)
    }

    /// Gives the memory back, once no engine is at work on it.
    #[napi]
    pub fn dispose(&mut self, env: &Env) -> napi::Result<()> {
        let Some(images) = self.images.take() else { return Ok(()) };
        let size = weight(&images);
        runners::let_go(images, size as usize);
        env.adjust_external_memory(-size).map(drop)
    }
}

/// Copies the rows of length `len` that `indices` names.
fn copy_rows<T: Copy>(rows: &[T], len: usize, indices: &[u32], into: &mut [T]) -> napi::Result<()> {
    check_room(indices, len, into)?;
    for (&i, to) in indices.iter().zip(into.chunks_exact_mut(len.max(1))) {
        let start = (i as usize).saturating_mul(len);
        let Some(row) = rows.get(start..start.saturating_add(len)) else {
            let message =
                format!("image {i} is beyond the last one; use 0 to {}", (rows.len() / len.max(1)).saturating_sub(1));
            return Err(to_js(Error::new(Code::InvalidArgument, message)));
        };
        to.copy_from_slice(row);
    }
    Ok(())
}

/// That an array has room for the rows of length `len` that `indices` names, and for no more.
fn check_room<T>(indices: &[u32], len: usize, into: &[T]) -> napi::Result<()> {
    if into.len() == indices.len().saturating_mul(len) {
        return Ok(());
    }
    Err(to_js(internal("an array has another length than what is to fill it")))
}
