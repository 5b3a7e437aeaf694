//! ln(1 + e^(beta x)) / beta, a smooth ReLU

use super::{Function, sigmoid};
use crate::error::{Code, Error, Result};
use crate::simd::{Lanes, Real};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// [`super::Activation::Softplus`]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Softplus {
    /// How sharp the bend is; 1 by default, as in PyTorch; a finite number above 0.
    pub beta: f32,
    /// Where beta x is larger, it is x itself; 20 by default, as in PyTorch; a finite number.
    pub threshold: f32,
}

impl Default for Softplus {
    fn default() -> Self {
        Self { beta: 1.0, threshold: 20.0 }
    }
}

impl Function for Softplus {
    const NUMBER: i32 = 7;

    fn settings(&self) -> [f32; super::SETTINGS] {
        [self.beta, self.threshold]
    }

    fn check(&self, layer: &str) -> Result<()> {
        let Self { beta, threshold } = self;
        let message = if !(beta.is_finite() && *beta > 0.0) {
            format!("{layer}'s softplus has a beta of {beta}; it must be a finite number above 0")
        } else if !threshold.is_finite() {
            format!("{layer}'s softplus has a threshold of {threshold}; it must be a finite number")
        } else {
            return Ok(());
        };
        Err(Error::new(Code::InvalidArgument, message))
    }

    /// At the threshold it falls by ln(1 + e^-threshold) / beta, which from 15 on float32 does not see.
    fn never_decreases(&self) -> bool {
        self.threshold >= 15.0
    }

    /// With z = beta x, max(z, 0) + ln(1 + e^-|z|): no exponential grows.
    #[inline(always)]
    fn value<L: Lanes>(&self, l: L, x: L::Vector) -> L::Vector {
        let constant = |c: f64| l.splat(L::Real::from_f64(c));
        let (zero, beta) = (constant(0.0), constant(self.beta.into()));
        let z = l.mul(beta, x);
        let ends_low = l.where_gt(z, zero, l.sub(zero, z), z);
        let bend = l.where_gt(constant(-87.0), z, zero, l.ln_1p(l.exp(ends_low)));
        let soft = l.div(l.add(l.where_gt(z, zero, z, zero), bend), beta);
        l.where_gt(z, constant(self.threshold.into()), x, soft)
    }

    /// The sigmoid of z.
    #[inline(always)]
    fn slope<L: Lanes>(&self, l: L, x: L::Vector, _: L::Vector) -> L::Vector {
        let constant = |c: f64| l.splat(L::Real::from_f64(c));
        let z = l.mul(constant(self.beta.into()), x);
        l.where_gt(z, constant(self.threshold.into()), constant(1.0), sigmoid::both_sides(l, z)[0])
    }

    /// Of candle's |z|, the slope at 0 would be 0.
    fn reference(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let z = (x * f64::from(self.beta))?;
        let is_negative = z.le(&z.zeros_like()?)?;
        let bend = (is_negative.where_cond(&z, &z.neg()?)?.exp()? + 1.0)?.log()?;
        let soft = ((is_negative.where_cond(&z.zeros_like()?, &z)? + bend)? / f64::from(self.beta))?;
        z.gt(f64::from(self.threshold))?.where_cond(x, &soft)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activations::Activation;

    #[test]
    fn settings_are_numbers_and_pytorch_s_by_default() {
        for (beta, threshold, named) in [
            (f32::NAN, 20.0, "a beta of NaN; it must be a finite number above 0"),
            (0.0, 20.0, "a beta of 0; it must be"),
            (-1.0, 20.0, "a beta of -1; it must be"),
            (f32::INFINITY, 20.0, "a beta of inf; it must be"),
            (1.0, f32::NAN, "a threshold of NaN; it must be a finite number"),
        ] {
            let error = Activation::Softplus(Softplus { beta, threshold }).check("dense0").unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
            assert!(error.message.starts_with(&format!("dense0's softplus has {named}")), "{error}");
        }
        for text in ["\"softplus\"", r#"{ "kind": "softplus", "beta": 1 }"#] {
            let function: Activation = serde_json::from_str(text).unwrap();
            assert_eq!(function, Activation::Softplus(Softplus { beta: 1.0, threshold: 20.0 }));
            function.check("dense0").unwrap();
        }
    }
}
