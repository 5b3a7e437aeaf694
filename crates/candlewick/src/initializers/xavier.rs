//! Weights whose scale follows from the number of a layer's inputs and outputs.

use super::{Distribution, Sizes, check_scale, normal, uniform};
use crate::error::Result;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Gluon's `Xavier(rnd_type, factor_type, magnitude)`: with the scale √(magnitude / factor), uniform in ±scale, or normal with that
/// deviation. A fan is channels (or units) times kernel area. The defaults give ±√(6 / (fan in + fan out)), which is Glorot and
/// Bengio, 2010, equation 16.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Xavier {
    /// How weights lie within the scale.
    pub distribution: Curve,
    /// What the scale goes by.
    pub factor: Factor,
    /// Positive or zero.
    pub magnitude: f64,
}

/// The distribution of [`Xavier`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Curve {
    /// Uniform in ±scale.
    Uniform,
    /// Normal with mean 0 and this deviation.
    Gaussian,
}

/// The factor of [`Xavier`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Factor {
    /// (fan in + fan out) / 2
    Avg,
    /// Fan in.
    In,
    /// Fan out.
    Out,
}

impl Default for Xavier {
    fn default() -> Self {
        Self { distribution: Curve::Uniform, factor: Factor::Avg, magnitude: 3.0 }
    }
}

impl Distribution for Xavier {
    fn check(&self) -> Result<()> {
        check_scale("magnitude", self.magnitude)
    }

    fn fill(&self, weight: &mut [f32], sizes: Sizes, generator: &mut ChaCha8Rng) -> Result<()> {
        let (fan_in, fan_out) = (sizes.fan_in as f64, sizes.fan_out as f64);
        let factor = match self.factor {
            Factor::Avg => (fan_in + fan_out) / 2.0,
            Factor::In => fan_in,
            Factor::Out => fan_out,
        };
        let scale = libm::sqrt(self.magnitude / factor);
        match self.distribution {
            Curve::Uniform => uniform::fill(weight, scale, generator),
            Curve::Gaussian => normal::fill(weight, scale, generator),
        }
        Ok(())
    }
}
