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
type Labels<'a> = &'a mut [u16];
type Floats<'a> = &'a mut [f32];

/// Takes images, labels and targets in pieces; a piece costs the event loop one copy of it.
#[napi]
pub struct DatasetBuilder(Option<dataset::DatasetBuilder>);

#[napi]
impl DatasetBuilder {
    /// Room for `count` images of (channels, height, width), or for any number of them where it is null, of bytes or of float32, and
    /// for so many targets of each, if there are any.
    #[napi(constructor)]
    pub fn new(
        count: Option<u32>,
        channels: u32,
        height: u32,
        width: u32,
        targets: u32,
        of_floats: Option<bool>,
    ) -> napi::Result<Self> {
        let shape = [channels as usize, height as usize, width as usize];
        let builder = match (count, of_floats.unwrap_or(false)) {
            (Some(count), false) => dataset::DatasetBuilder::new(count as usize, shape),
            (Some(count), true) => dataset::DatasetBuilder::of_floats(count as usize, shape),
            (None, of_floats) => dataset::DatasetBuilder::growing(shape, of_floats),
        };
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

    /// The next values of images of float32.
    #[napi]
    pub fn push_floats(&mut self, values: &[f32]) -> napi::Result<()> {
        self.open()?.push_floats(values).map_err(to_js)
    }

    /// The next labels.
    #[napi]
    pub fn push_labels(&mut self, labels: &[u16]) -> napi::Result<()> {
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
        Dataset::new_for(env, builder.finish().map_err(to_js)?)
    }

    fn open(&mut self) -> napi::Result<&mut dataset::DatasetBuilder> {
        self.0.as_mut().ok_or_else(finished)
    }
}

fn finished() -> napi::Error {
    to_js(Error::new(Code::InvalidArgument, "the dataset is finished; make a new builder"))
}

/// Images in native memory, of bytes or of float32, with labels, targets or both.
#[napi(custom_finalize)]
pub struct Dataset {
    shape: [usize; 3],
    length: usize,
    target_len: usize,
    has_labels: bool,
    largest_label: u16,
    of_floats: bool,
    /// None after they were disposed of.
    images: Option<Arc<dataset::Dataset>>,
}

impl ObjectFinalize for Dataset {
    fn finalize(mut self, env: Env) -> napi::Result<()> {
        self.dispose(&env)
    }
}

impl Dataset {
    /// What JavaScript gets of a dataset.
    pub fn new_for(env: &Env, dataset: dataset::Dataset) -> napi::Result<Self> {
        // So that the garbage collector knows what a dataset weighs.
        env.adjust_external_memory(dataset.size() as i64)?;
        Ok(Self {
            shape: dataset.shape(),
            length: dataset.len(),
            target_len: dataset.target_len(),
            has_labels: dataset.has_labels(),
            largest_label: dataset.labels().iter().copied().max().unwrap_or(0),
            of_floats: dataset.is_of_floats(),
            images: Some(Arc::new(dataset)),
        })
    }

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

    /// The largest of all labels; 0 where there are none.
    #[napi(getter)]
    pub fn largest_label(&self) -> u32 {
        self.largest_label.into()
    }

    /// Whether images are of float32; else they are of bytes.
    #[napi(getter)]
    pub fn of_floats(&self) -> bool {
        self.of_floats
    }

    /// Fills `into` with copies of the images of bytes that `indices` names, one after the other.
    #[napi]
    pub fn pixels(&self, indices: &[u32], #[napi(ts_arg_type = "Uint8Array")] into: Bytes<'_>) -> napi::Result<()> {
        let images = self.images()?;
        copy_rows(images.pixels(), images.image_len(), indices, into)
    }

    /// Fills `into` with copies of the images of float32 that `indices` names, one after the other.
    #[napi]
    pub fn floats(&self, indices: &[u32], #[napi(ts_arg_type = "Float32Array")] into: Floats<'_>) -> napi::Result<()> {
        let images = self.images()?;
        copy_rows(images.floats(), images.image_len(), indices, into)
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
        check_length(indices, images.image_len(), into)?;
        let augment = Augment::read(&augment).map_err(to_js)?;
        images.augment_into(indices, &augment, partners, None, into).map_err(to_js)
    }

    /// Fills `into` with the labels of the images that `indices` names.
    #[napi]
    pub fn labels(&self, indices: &[u32], #[napi(ts_arg_type = "Uint16Array")] into: Labels<'_>) -> napi::Result<()> {
        copy_rows(self.images()?.labels(), 1, indices, into)
    }

    /// As `labels`, where all of them are bytes.
    #[napi]
    pub fn byte_labels(
        &self,
        indices: &[u32],
        #[napi(ts_arg_type = "Uint8Array")] into: Bytes<'_>,
    ) -> napi::Result<()> {
        check_length(indices, 1, into)?;
        let images = self.images()?;
        for (&index, to) in indices.iter().zip(into) {
            let label = images.labels().get(index as usize).and_then(|label| u8::try_from(*label).ok());
            *to = label.ok_or_else(|| to_js(internal("an image has no label, or none that a byte holds")))?;
        }
        Ok(())
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

    /// Mean and deviation of each channel, over the images that `indices` names.
    #[napi(ts_return_type = "Promise<Statistics>")]
    pub fn statistics<'env>(&self, env: &'env Env, indices: &[u32]) -> napi::Result<Object<'env>> {
        let (images, indices) = (self.shared()?, memory::copy(indices).map_err(to_js)?);
        let convert = |dataset::Statistics { mean, deviation }: dataset::Statistics| Statistics { mean, deviation };
        aside::run(env, move || images.statistics(&indices), convert)
    }

    /// A dataset of copies of the images that `indices` names, and behind them those that `other_indices` names of `other`.
    #[napi(ts_return_type = "Promise<Dataset>")]
    pub fn joined<'env>(
        &self,
        env: &'env Env,
        indices: &[u32],
        other: &Dataset,
        other_indices: &[u32],
    ) -> napi::Result<Object<'env>> {
        let (images, indices) = (self.shared()?, memory::copy(indices).map_err(to_js)?);
        let (others, other_indices) = (other.shared()?, memory::copy(other_indices).map_err(to_js)?);
        let join = move || dataset::Dataset::joined(&[(&images, &indices), (&others, &other_indices)]);
        aside::make(env, join, Self::new_for)
    }

    /// Gives the memory back, once no engine is at work on it.
    #[napi]
    pub fn dispose(&mut self, env: &Env) -> napi::Result<()> {
        let Some(images) = self.images.take() else { return Ok(()) };
        let size = images.size();
        runners::let_go(images, size);
        env.adjust_external_memory(-(size as i64)).map(drop)
    }
}

/// Of each channel, over all images.
#[napi(object)]
pub struct Statistics {
    /// Of bytes as they count, 0 to 1.
    pub mean: Vec<f64>,
    /// Of the population.
    pub deviation: Vec<f64>,
}

/// Copies the rows of length `len` that `indices` names.
fn copy_rows<T: Copy>(rows: &[T], len: usize, indices: &[u32], into: &mut [T]) -> napi::Result<()> {
    check_length(indices, len, into)?;
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
fn check_length<T>(indices: &[u32], len: usize, into: &[T]) -> napi::Result<()> {
    if into.len() == indices.len().saturating_mul(len) {
        return Ok(());
    }
    Err(to_js(internal("an array has another length than what is to fill it")))
}
