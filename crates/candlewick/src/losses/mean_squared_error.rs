//! Mean squared error of outputs z and targets t: the mean of (z - t)² over outputs and images, with gradient 2 (z - t) / outputs.
//!
//! Squares are summed in float64: they are finite for any outputs that are.

use super::Encoded;
use super::targets::column;
use crate::error::{Code, Error, Result};
use crate::metrics::Metrics;
use crate::simd::{LANES, Lane, Lanes, Real};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// The loss, which has no settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeanSquaredError {}

impl MeanSquaredError {
    /// As [`super::Loss::check_values`].
    pub(super) fn check_values(self, values: &[f32], image: usize) -> Result<()> {
        let Some(output) = values.iter().position(|value| !value.is_finite()) else { return Ok(()) };
        let message =
            format!("target {output} of image {image} is {}; meanSquaredError takes finite numbers", values[output]);
        Err(Error::new(Code::InvalidArgument, message))
    }

    /// As `struct MeanSquaredError` of kernels/loss.cuh.
    pub(super) fn encode(self) -> Encoded<'static> {
        Encoded::new(1, [0f32; 0], None)
    }
}

/// As [`super::Objective::tile`]; `values`: `[images][outputs]`.
#[inline(always)]
pub(super) fn tile<L: Lanes>(
    l: L,
    outputs: &[Lane<L::Real>],
    values: &[f32],
    scale: L::Real,
    gradient: &mut [Lane<L::Real>],
) -> Metrics {
    l.run(
        #[inline(always)]
        || {
            let images = values.len() / outputs.len();
            let mut factor = Lane::zero();
            factor.0[..images].fill(scale * L::Real::from_f64(2.0 / outputs.len() as f64));
            let (factor, zero) = (l.load(&factor), l.splat(L::Real::ZERO));
            let mut squares = [0.0; LANES];
            for (k, (z, d)) in outputs.iter().zip(gradient).enumerate() {
                let difference = l.sub(l.load(z), l.load(&column(values, outputs.len(), k)));
                l.store(difference, d);
                for (sum, d) in squares.iter_mut().zip(d.0) {
                    *sum += d.to_f64() * d.to_f64();
                }
                // A lane without an image may hold anything.
                l.store(l.where_eq(factor, zero, zero, l.mul(difference, factor)), d);
            }
            let sum = squares[..images].iter().sum::<f64>();
            Metrics {
                loss: sum / outputs.len() as f64,
                weight: images as f64,
                count: images as u64,
                ..Metrics::default()
            }
        },
    )
}

/// As [`super::Objective::reference`].
pub(super) fn reference(outputs: &Tensor, values: &[f32]) -> Result<(Tensor, u64)> {
    let (images, width) = outputs.dims2()?;
    let targets = Tensor::from_slice(values, (images, width), &Device::Cpu)?;
    let targets = targets.to_device(outputs.device())?.to_dtype(outputs.dtype())?;
    Ok((((outputs - targets)?.sqr()?.sum_all()? / width as f64)?, 0))
}
