//! x, or where it is negative, alpha · (eˣ - 1)

use super::Function;
use crate::error::{Code, Error, Result};
use crate::simd::{Lanes, Real};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// [`super::Activation::Elu`]. Clevert et al., 2015.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Elu {
    /// 1 by default, as in PyTorch; a finite number.
    #[serde(default = "one")]
    pub alpha: f32,
}

fn one() -> f32 {
    1.0
}

impl Function for Elu {
    const NUMBER: i32 = 4;

    fn settings(&self) -> [f32; super::SETTINGS] {
        [self.alpha, 0.0]
    }

    fn check(&self, layer: &str) -> Result<()> {
        if self.alpha.is_finite() {
            return Ok(());
        }
        let message = format!("{layer}'s elu has an alpha of {}; it must be a finite number", self.alpha);
        Err(Error::new(Code::InvalidArgument, message))
    }

    fn never_decreases(&self) -> bool {
        self.alpha >= 0.0
    }

    #[inline(always)]
    fn value<L: Lanes>(&self, l: L, x: L::Vector) -> L::Vector {
        l.where_gt(l.splat(L::Real::ZERO), x, l.mul(self.alpha(l), l.exp_m1(x)), x)
    }

    /// At 0, alpha, as in PyTorch.
    #[inline(always)]
    fn slope<L: Lanes>(&self, l: L, x: L::Vector, _: L::Vector) -> L::Vector {
        l.where_gt(x, l.splat(L::Real::ZERO), l.splat(L::Real::ONE), l.mul(self.alpha(l), l.exp(x)))
    }

    /// Where x is positive, the exponential is left out, as 0 · ∞ is no gradient.
    fn reference(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let is_negative = x.le(&x.zeros_like()?)?;
        let below = is_negative.where_cond(x, &x.zeros_like()?)?;
        is_negative.where_cond(&((below.exp()? - 1.0)? * f64::from(self.alpha))?, x)
    }
}

impl Elu {
    #[inline(always)]
    fn alpha<L: Lanes>(&self, l: L) -> L::Vector {
        l.splat(L::Real::from_f64(self.alpha.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activations::Activation;

    #[test]
    fn alpha_is_a_number_and_one_by_default() {
        for alpha in [f32::NAN, f32::INFINITY] {
            let error = Activation::Elu(Elu { alpha }).check("dense0").unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
            assert_eq!(error.message, format!("dense0's elu has an alpha of {alpha}; it must be a finite number"));
        }
        let by_name: Activation = serde_json::from_str("\"elu\"").unwrap();
        assert_eq!(by_name, Activation::Elu(Elu { alpha: 1.0 }));
    }
}
