//! x, or where it is negative, `negative_slope` · x

use super::Function;
use crate::error::{Code, Error, Result};
use crate::simd::{Lanes, Real};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// [`super::Activation::LeakyRelu`]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LeakyRelu {
    /// 0.01 by default, as in PyTorch; a finite number.
    #[serde(default = "hundredth")]
    pub negative_slope: f32,
}

fn hundredth() -> f32 {
    0.01
}

impl Function for LeakyRelu {
    const NUMBER: i32 = 3;

    fn settings(&self) -> [f32; super::SETTINGS] {
        [self.negative_slope, 0.0]
    }

    fn check(&self, layer: &str) -> Result<()> {
        let Self { negative_slope } = self;
        if negative_slope.is_finite() {
            return Ok(());
        }
        let message =
            format!("{layer}'s leakyRelu has a negativeSlope of {negative_slope}; it must be a finite number");
        Err(Error::new(Code::InvalidArgument, message))
    }

    fn never_decreases(&self) -> bool {
        self.negative_slope >= 0.0
    }

    #[inline(always)]
    fn value<L: Lanes>(&self, l: L, x: L::Vector) -> L::Vector {
        let zero = l.splat(L::Real::ZERO);
        l.where_gt(zero, x, l.mul(self.negative_slope(l), x), x)
    }

    #[inline(always)]
    fn slope<L: Lanes>(&self, l: L, x: L::Vector, _: L::Vector) -> L::Vector {
        l.where_gt(x, l.splat(L::Real::ZERO), l.splat(L::Real::ONE), self.negative_slope(l))
    }

    fn reference(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        x.le(&x.zeros_like()?)?.where_cond(&(x * f64::from(self.negative_slope))?, x)
    }
}

impl LeakyRelu {
    #[inline(always)]
    fn negative_slope<L: Lanes>(&self, l: L) -> L::Vector {
        l.splat(L::Real::from_f64(self.negative_slope.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activations::Activation;
    use crate::layers::{Dense, Layer};
    use crate::network::Network;

    #[test]
    fn slopes_are_numbers_and_a_hundredth_by_default() {
        for negative_slope in [f32::NAN, f32::INFINITY] {
            let function = Activation::LeakyRelu(LeakyRelu { negative_slope });
            let layer = Layer::Dense(Dense { activation: Some(function), ..Dense::new(2) });
            for error in [function.check("dense0"), Network::new(&[layer], [1, 1, 1]).map(drop)] {
                let error = error.unwrap_err();
                assert_eq!(error.code, Code::InvalidArgument);
                assert!(error.message.starts_with("dense0's leakyRelu has a negativeSlope of "), "{error}");
            }
        }
        let by_name: Activation = serde_json::from_str("\"leakyRelu\"").unwrap();
        assert_eq!(by_name, Activation::LeakyRelu(LeakyRelu { negative_slope: 0.01 }));
    }
}
