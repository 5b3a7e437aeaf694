//! A layer is one file of this folder: what it is (its options, the shape it gives, its parameters and how they are drawn), and
//! what it does on each engine, forward and backward, with its tests. Beyond that file, it is a line in each of the two lists
//! here, one for the kernels of `kernels/layers.cuh`, and a function in TypeScript.
//!
//! Letters: C channels, H height, W width, K kernel; O stands for the output (OC, OH, OW). Every buffer is one tile, so
//! `x: [C][H][W]` means lanes of sixteen images each. `d` before a name is the gradient of the loss by it: `dz`, `dw`.
//! Backward passes add to the gradients of parameters and overwrite those of inputs.
//!
//! ```
//! use candlewick::layers::{self, Dense, Layer};
//!
//! let layers = layers::from_json(r#"[{ "kind": "dense", "units": 10, "activation": "relu" }]"#)?;
//! assert!(matches!(layers[0], Layer::Dense(Dense { units: 10, .. })));
//! # Ok::<(), candlewick::Error>(())
//! ```

pub mod activation;
pub mod add;
pub mod avg_pool2d;
pub mod batch_norm;
pub mod conv2d;
pub mod dense;
mod device;
pub mod dropout;
mod flatten;
mod global_avg_pool2d;
mod json;
pub mod max_pool2d;
mod operation;
mod plan;
mod reference;
mod residual;
pub mod windows;

#[cfg(test)]
pub(crate) mod finite_differences;

pub use activation::ActivationLayer;
pub use avg_pool2d::AvgPool2d;
pub use batch_norm::BatchNorm;
pub use conv2d::{Conv2d, Padding};
pub use dense::Dense;
pub(crate) use device::{DeviceOperation, Encoded, WORDS};
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use global_avg_pool2d::GlobalAvgPool2d;
pub use json::from_json;
pub use max_pool2d::MaxPool2d;
pub use operation::{Accumulators, Batch, LaneOperation, Left, Needs, Seen};
pub(crate) use plan::{Arithmetic, Describe, ParameterPlan, Plan};
pub use plan::{Draw, ParameterKind};
pub(crate) use reference::Reference;
pub use residual::Residual;

use crate::error::Result;
use crate::random::Chance;
use crate::simd::{Lane, Lanes, Real};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The first list: a layer as its user writes it, in Rust or as JSON, `{ "kind": "dense", "units": 10 }`. Pairs are
/// (vertical, horizontal).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Layer {
    /// Cross-correlation of images with kernels, plus a bias a channel.
    Conv2d(Conv2d),
    /// The largest value of each window.
    MaxPool2d(MaxPool2d),
    /// The mean of each window.
    AvgPool2d(AvgPool2d),
    /// The mean of each channel.
    GlobalAvgPool2d(GlobalAvgPool2d),
    /// All values in one row.
    Flatten(Flatten),
    /// x Wᵀ + b, after flattening the input.
    Dense(Dense),
    /// Each channel's values to mean 0 and variance 1, over the whole batch.
    BatchNorm(BatchNorm),
    /// Some values become 0, in training only.
    Dropout(Dropout),
    /// A function of each value.
    Activation(ActivationLayer),
    /// body(x) + shortcut(x)
    Residual(Residual),
}

impl Layer {
    /// What it says of itself.
    pub(crate) fn describe(&self) -> &dyn Describe {
        match self {
            Self::Conv2d(layer) => layer,
            Self::MaxPool2d(layer) => layer,
            Self::AvgPool2d(layer) => layer,
            Self::GlobalAvgPool2d(layer) => layer,
            Self::Flatten(layer) => layer,
            Self::Dense(layer) => layer,
            Self::BatchNorm(layer) => layer,
            Self::Dropout(layer) => layer,
            Self::Activation(layer) => layer,
            Self::Residual(layer) => layer,
        }
    }

    /// Some of each kind, for images of an even number of channels and 6x6 pixels or more, which tests take in turn.
    pub fn examples() -> Vec<Self> {
        let mut examples = Vec::new();
        examples.extend(Conv2d::examples().map(Self::Conv2d));
        examples.extend(MaxPool2d::examples().map(Self::MaxPool2d));
        examples.extend(AvgPool2d::examples().map(Self::AvgPool2d));
        examples.extend(GlobalAvgPool2d::examples().map(Self::GlobalAvgPool2d));
        examples.extend(Flatten::examples().map(Self::Flatten));
        examples.extend(Dense::examples().map(Self::Dense));
        examples.extend(BatchNorm::examples().map(Self::BatchNorm));
        examples.extend(Dropout::examples().map(Self::Dropout));
        examples.extend(ActivationLayer::examples().map(Self::Activation));
        examples.extend(Residual::examples().map(Self::Residual));
        examples
    }
}

/// The second list: a layer in its place, as the engines compute it. What its user writes as an activation of a layer is an
/// operation of its own.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Convolution.
    Conv2d(conv2d::Placed),
    /// Max pooling.
    MaxPool2d(max_pool2d::Placed),
    /// Average pooling.
    AvgPool2d(avg_pool2d::Placed),
    /// Fully connected.
    Dense(dense::Placed),
    /// A function of each value.
    Activation(activation::Placed),
    /// Batch normalisation.
    BatchNorm(batch_norm::Placed),
    /// The sum of two values.
    Add(add::Placed),
    /// Dropout.
    Dropout(dropout::Placed),
}

/// Does the same with whatever operation it is: the one place that tells them apart, once for each layer of a tile.
macro_rules! with_operation {
    ($operation:expr, $placed:ident => $work:expr) => {
        match $operation {
            Operation::Conv2d($placed) => $work,
            Operation::MaxPool2d($placed) => $work,
            Operation::AvgPool2d($placed) => $work,
            Operation::Dense($placed) => $work,
            Operation::Activation($placed) => $work,
            Operation::BatchNorm($placed) => $work,
            Operation::Add($placed) => $work,
            Operation::Dropout($placed) => $work,
        }
    };
}

impl LaneOperation for Operation {
    fn needs(&self) -> Needs {
        with_operation!(self, placed => placed.needs())
    }

    fn forward<L: Lanes>(
        &self,
        l: L,
        own: &[L::Real],
        x: &[Lane<L::Real>],
        y: &mut [Lane<L::Real>],
        scratch: &mut [Lane<L::Real>],
    ) {
        with_operation!(self, placed => placed.forward(l, own, x, y, scratch));
    }

    fn forward_in_training<L: Lanes>(
        &self,
        l: L,
        own: &[L::Real],
        batch: Batch<'_, L::Real>,
        x: &[Lane<L::Real>],
        y: &mut [Lane<L::Real>],
        scratch: &mut [Lane<L::Real>],
    ) {
        with_operation!(self, placed => placed.forward_in_training(l, own, batch, x, y, scratch));
    }

    fn survey<L: Lanes>(&self, l: L, x: &[Lane<L::Real>], live: usize, survey: &mut [L::Real]) {
        with_operation!(self, placed => placed.survey(l, x, live, survey));
    }

    fn conclude<'a, R: Real>(
        &self,
        surveys: impl Iterator<Item = (usize, &'a [R])> + Clone,
        own: &mut [R],
        numbers: &mut [R],
    ) {
        with_operation!(self, placed => placed.conclude(surveys, own, numbers));
    }

    fn survey_back<L: Lanes>(
        &self,
        l: L,
        own: &[L::Real],
        batch: Batch<'_, L::Real>,
        seen: Seen<'_, L::Real>,
        survey: &mut [L::Real],
    ) {
        with_operation!(self, placed => placed.survey_back(l, own, batch, seen, survey));
    }

    fn conclude_back<'a, R: Real>(
        &self,
        surveys: impl Iterator<Item = (usize, &'a [R])> + Clone,
        numbers: &mut [R],
        chunk: &mut [R],
    ) {
        with_operation!(self, placed => placed.conclude_back(surveys, numbers, chunk));
    }

    fn leave<L: Lanes>(
        &self,
        l: L,
        seen: Seen<'_, L::Real>,
        into: Accumulators<'_, L::Real>,
        scratch: &mut [Lane<L::Real>],
    ) {
        with_operation!(self, placed => placed.leave(l, seen, into, scratch));
    }

    fn input_gradient<L: Lanes>(
        &self,
        l: L,
        own: &[L::Real],
        seen: Seen<'_, L::Real>,
        dx: &mut [Lane<L::Real>],
        scratch: &mut [Lane<L::Real>],
    ) {
        with_operation!(self, placed => placed.input_gradient(l, own, seen, dx, scratch));
    }

    fn input_gradient_in_training<L: Lanes>(
        &self,
        l: L,
        own: &[L::Real],
        batch: Batch<'_, L::Real>,
        seen: Seen<'_, L::Real>,
        dx: &mut [Lane<L::Real>],
        scratch: &mut [Lane<L::Real>],
    ) {
        with_operation!(self, placed => placed.input_gradient_in_training(l, own, batch, seen, dx, scratch));
    }

    fn arrange<R: Real>(&self, own: &[R], arranged: &mut [R]) {
        with_operation!(self, placed => placed.arrange(own, arranged));
    }

    fn folded(&self) -> Option<(Operation, usize)> {
        with_operation!(self, placed => placed.folded())
    }

    fn fold(&self, own: &[f32], scale: &[f32], shift: &[f32], folded: &mut [f32]) {
        with_operation!(self, placed => placed.fold(own, scale, shift, folded));
    }

    fn input_gradient_in_place<L: Lanes>(
        &self,
        l: L,
        x: &mut [Lane<L::Real>],
        y: &[Lane<L::Real>],
        dy: &[Lane<L::Real>],
    ) {
        with_operation!(self, placed => placed.input_gradient_in_place(l, x, y, dy));
    }

    fn pieces(&self) -> Vec<Range<usize>> {
        with_operation!(self, placed => placed.pieces())
    }

    #[inline(always)]
    fn gradient<'a, L: Lanes<Real: 'a>>(
        &self,
        l: L,
        piece: Range<usize>,
        left: Left<impl Iterator<Item = &'a [L::Real]>, impl Iterator<Item = &'a [Lane<L::Real>]> + Clone>,
        gradient: &mut [L::Real],
    ) {
        with_operation!(self, placed => placed.gradient(l, piece, left, gradient));
    }
}

impl Reference for Operation {
    fn reference(&self, x: &Tensor, own: &[Tensor]) -> candle_core::Result<Tensor> {
        with_operation!(self, placed => placed.reference(x, own))
    }

    fn reference_in_training(
        &self,
        x: &Tensor,
        own: &[Tensor],
        chance: Chance,
    ) -> candle_core::Result<(Tensor, Vec<(usize, Tensor)>)> {
        with_operation!(self, placed => placed.reference_in_training(x, own, chance))
    }

    fn values_on_the_way(&self) -> usize {
        with_operation!(self, placed => placed.values_on_the_way())
    }
}

impl Operation {
    /// What the kernels are told of it, where `outputs` values of an image come out.
    ///
    /// # Errors
    /// `OutOfMemory` for sizes beyond what the kernels count to.
    pub(crate) fn encode(&self, outputs: usize) -> Result<Encoded> {
        with_operation!(self, placed => placed.encode(outputs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// serde names all kinds when it is given another.
    #[test]
    fn each_kind_has_examples() {
        let error = serde_json::from_str::<Layer>(r#"{ "kind": "" }"#).unwrap_err().to_string();
        let kinds: Vec<_> = error.split('`').skip(3).step_by(2).collect();
        assert!(kinds.contains(&"conv2d") && kinds.contains(&"dense"), "{error}");
        let examples: Vec<_> =
            Layer::examples().iter().map(|layer| serde_json::to_value(layer).unwrap()["kind"].clone()).collect();
        for kind in kinds {
            assert!(examples.iter().any(|example| example == kind), "{kind} has no example");
        }
    }

    #[test]
    fn json_there_and_back_is_the_same() {
        for layer in Layer::examples() {
            let text = serde_json::to_string(&[&layer]).unwrap();
            assert_eq!(from_json(&text).unwrap(), [layer], "{text}");
        }
    }
}
