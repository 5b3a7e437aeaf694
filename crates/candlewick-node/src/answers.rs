//! What engines hand back, on its way to JavaScript. JavaScript makes the arrays, so that they are its own, to be freed,
//! transferred and refused by it; it has them filled piece by piece, which costs the event loop one copy of a piece.

use crate::errors::{internal, to_js};
use crate::runners;
use candle_core::{CpuStorage, Storage, Tensor};
use candlewick::{Result, losses, memory};
use napi_derive::napi;
use serde::Serialize;

/// Arrays of JavaScript's, as napi lends them when their type has a name.
type Floats<'a> = &'a mut [f32];
type Labels<'a> = &'a mut [u32];

/// Answers to images, in their order.
#[napi]
pub struct Answers {
    logits: Option<Tensor>,
    probabilities: Vec<f32>,
    labels: Vec<u32>,
    classes: u32,
}

impl Answers {
    /// Of logits (n, classes).
    pub fn new(logits: Tensor) -> Result<Self> {
        let (n, classes) = logits.dims2()?;
        let (mut probabilities, mut labels) = (memory::zeros(n * classes)?, memory::zeros(n)?);
        with_values(&logits, |logits| {
            losses::softmax_rows(logits, classes, &mut probabilities);
            losses::label_rows(logits, classes, &mut labels);
        })?;
        Ok(Self { logits: Some(logits), probabilities, labels, classes: classes as u32 })
    }
}

#[napi]
impl Answers {
    /// Length of a row.
    #[napi(getter)]
    pub fn classes(&self) -> u32 {
        self.classes
    }

    /// Fills `into` with logits, those of all images end to end, from `start` on.
    #[napi]
    pub fn logits(&self, start: f64, #[napi(ts_arg_type = "Float32Array")] into: Floats<'_>) -> napi::Result<()> {
        fill_from(self.logits.as_ref(), start, into).map_err(to_js)
    }

    /// Fills `into` with probabilities, from `start` on.
    #[napi]
    pub fn probabilities(
        &self,
        start: f64,
        #[napi(ts_arg_type = "Float32Array")] into: Floats<'_>,
    ) -> napi::Result<()> {
        fill(&self.probabilities, start, into).map_err(to_js)
    }

    /// Fills `into` with labels, the class with the largest logit of each image, from `start` on.
    #[napi]
    pub fn labels(&self, start: f64, #[napi(ts_arg_type = "Uint32Array")] into: Labels<'_>) -> napi::Result<()> {
        fill(&self.labels, start, into).map_err(to_js)
    }

    /// Gives the memory back, of which the garbage collector does not know.
    #[napi]
    pub fn free(&mut self) {
        let bytes = 2 * size_of_val(&self.probabilities[..]);
        runners::let_go((self.logits.take(), std::mem::take(&mut self.probabilities)), bytes);
        self.labels = Vec::new();
    }
}

/// Copies of a network's parameters, in its order.
#[napi]
pub struct Parameters(Vec<(String, Tensor)>);

impl Parameters {
    /// Named tensors.
    pub fn new(named: Vec<(String, Tensor)>) -> Self {
        Self(named)
    }
}

/// A parameter's name and shape.
#[derive(Serialize)]
struct ParameterReport<'a> {
    /// `conv0.weight`
    name: &'a str,
    /// (out, in, kernel height, kernel width), (out, in) or (out).
    shape: &'a [usize],
}

#[napi]
impl Parameters {
    /// Names and shapes, as JSON.
    #[napi(getter)]
    pub fn list(&self) -> napi::Result<String> {
        let reports = self.0.iter().map(|(name, tensor)| ParameterReport { name, shape: tensor.dims() });
        serde_json::to_string(&reports.collect::<Vec<_>>()).map_err(|error| to_js(internal(&error.to_string())))
    }

    /// Fills `into` with the values of parameter `index` from `start` on.
    #[napi]
    pub fn read(
        &self,
        index: u32,
        start: f64,
        #[napi(ts_arg_type = "Float32Array")] into: Floats<'_>,
    ) -> napi::Result<()> {
        fill_from(self.0.get(index as usize).map(|(_, tensor)| tensor), start, into).map_err(to_js)
    }

    /// Gives the memory back, of which the garbage collector does not know.
    #[napi]
    pub fn free(&mut self) {
        let values: usize = self.0.iter().map(|(_, tensor)| tensor.elem_count()).sum();
        runners::let_go(std::mem::take(&mut self.0), values * size_of::<f32>());
    }
}

/// Lends the values of a tensor on the CPU to `f`.
fn with_values<T>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> T) -> Result<T> {
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) => Ok(f(&values[start..end])),
        _ => Err(internal("values are not float32 in a row on the CPU")),
    }
}

fn fill_from(tensor: Option<&Tensor>, start: f64, into: &mut [f32]) -> Result<()> {
    let tensor = tensor.ok_or_else(|| internal("values are asked for that were given back"))?;
    with_values(tensor, |values| fill(values, start, into))?
}

fn fill<T: Copy>(values: &[T], start: f64, into: &mut [T]) -> Result<()> {
    let start = start as usize;
    match values.get(start..start.saturating_add(into.len())) {
        Some(values) => into.copy_from_slice(values),
        None => return Err(internal("more values are asked for than there are")),
    }
    Ok(())
}
