//! A loss together with targets of the kind that it takes.

use super::targets::Classes;
use super::{Loss, Mix, SoftmaxCrossEntropy, Targets, mean_squared_error, sigmoid_cross_entropy};
use crate::error::{Code, Error, Result};
use crate::metrics::Metrics;
use crate::simd::{Lane, Lanes};
use candle_core::Tensor;
use std::ops::Range;

/// What the outputs of some images are held against.
#[derive(Clone, Copy, Debug)]
pub struct Objective<'a> {
    pair: Pair<'a>,
    /// Numbers that each image's targets are, 1 for a label.
    width: usize,
}

#[derive(Clone, Copy, Debug)]
enum Pair<'a> {
    SoftmaxCrossEntropy(&'a SoftmaxCrossEntropy, Classes<'a>),
    MeanSquaredError(&'a [f32]),
    SigmoidCrossEntropy(&'a [f32]),
}

impl<'a> Objective<'a> {
    /// `outputs` are those of the network, where targets are numbers.
    ///
    /// # Errors
    /// `DataMismatch` for targets that the loss does not take.
    pub fn new(loss: &'a Loss, targets: Targets<'a>, outputs: usize) -> Result<Self> {
        let pair = match (loss, targets) {
            (Loss::SoftmaxCrossEntropy(loss), Targets::Labels(labels)) => {
                let pair = Pair::SoftmaxCrossEntropy(loss, Classes { labels, mixes: &[] });
                return Ok(Self { pair, width: 1 });
            }
            (Loss::MeanSquaredError(_), Targets::Values(values)) => Pair::MeanSquaredError(values),
            (Loss::SigmoidCrossEntropy(_), Targets::Values(values)) => Pair::SigmoidCrossEntropy(values),
            (Loss::SoftmaxCrossEntropy(_), Targets::Values(_)) => {
                return Err(mismatch(loss, "a label for each image", "numbers"));
            }
            (Loss::MeanSquaredError(_) | Loss::SigmoidCrossEntropy(_), Targets::Labels(_)) => {
                return Err(mismatch(loss, "a number for each output", "labels"));
            }
        };
        Ok(Self { pair, width: outputs })
    }

    /// Of mixed images, where the loss takes labels: `mixes` says what else each of them shows; none where they are not mixed.
    #[must_use]
    pub fn mixed(mut self, mixes: &'a [Mix]) -> Self {
        match &mut self.pair {
            Pair::SoftmaxCrossEntropy(_, classes) => classes.mixes = mixes,
            Pair::MeanSquaredError(_) | Pair::SigmoidCrossEntropy(_) => {}
        }
        self
    }

    /// Images.
    pub fn len(&self) -> usize {
        match self.pair {
            Pair::SoftmaxCrossEntropy(_, classes) => classes.len(),
            Pair::MeanSquaredError(values) | Pair::SigmoidCrossEntropy(values) => values.len() / self.width,
        }
    }

    /// True without images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Of some of the images.
    pub fn of(&self, images: Range<usize>) -> Self {
        let numbers = images.start * self.width..images.end * self.width;
        let pair = match self.pair {
            Pair::SoftmaxCrossEntropy(loss, classes) => Pair::SoftmaxCrossEntropy(loss, classes.of(images)),
            Pair::MeanSquaredError(values) => Pair::MeanSquaredError(&values[numbers]),
            Pair::SigmoidCrossEntropy(values) => Pair::SigmoidCrossEntropy(&values[numbers]),
        };
        Self { pair, width: self.width }
    }

    /// What the mean loss divides by.
    pub fn weight(&self) -> f64 {
        match self.pair {
            Pair::SoftmaxCrossEntropy(loss, classes) => {
                loss.weight(classes.labels.iter().copied(), classes.are_mixed())
            }
            Pair::MeanSquaredError(_) | Pair::SigmoidCrossEntropy(_) => self.len() as f64,
        }
    }

    /// The factor for the gradients: 1 / [`Objective::weight`].
    pub fn scale(&self) -> f32 {
        super::scale(self.weight())
    }

    /// Answers that are right or wrong.
    pub fn answers(&self) -> u64 {
        match self.pair {
            Pair::SoftmaxCrossEntropy(_, classes) => classes.len() as u64,
            Pair::MeanSquaredError(_) => 0,
            Pair::SigmoidCrossEntropy(values) => values.len() as u64,
        }
    }

    /// The losses of a tile. `outputs` and `gradient`: `[outputs]`; fewer than sixteen images in a last tile, whose other lanes count
    /// for nothing. `gradient` receives the gradient of the images' losses times `scale`.
    #[inline(always)] // into a kernel, to be compiled for its instruction set
    pub fn tile<L: Lanes>(
        &self,
        l: L,
        outputs: &[Lane<L::Real>],
        scale: L::Real,
        gradient: &mut [Lane<L::Real>],
    ) -> Metrics {
        match self.pair {
            Pair::SoftmaxCrossEntropy(loss, classes) => loss.tile(l, outputs, classes, scale, gradient),
            Pair::MeanSquaredError(values) => mean_squared_error::tile(l, outputs, values, scale, gradient),
            Pair::SigmoidCrossEntropy(values) => sigmoid_cross_entropy::tile(l, outputs, values, scale, gradient),
        }
    }

    /// The sum of the losses in candle's words, to go back from, of outputs (N, outputs); and how many answers are right.
    ///
    /// # Errors
    /// candle's, `OutOfMemory`.
    pub(crate) fn reference(&self, outputs: &Tensor) -> Result<(Tensor, u64)> {
        match self.pair {
            Pair::SoftmaxCrossEntropy(loss, classes) => loss.reference(outputs, classes),
            Pair::MeanSquaredError(values) => mean_squared_error::reference(outputs, values),
            Pair::SigmoidCrossEntropy(values) => sigmoid_cross_entropy::reference(outputs, values),
        }
    }
}

fn mismatch(loss: &Loss, expected: &str, given: &str) -> Error {
    Error::new(Code::DataMismatch, format!("{} takes {expected}, but was given {given}", loss.kind()))
}
