//! max(x, 0)

use super::Function;
use crate::simd::{Lanes, Real};
use candle_core::Tensor;

/// [`super::Activation::Relu`]
#[derive(Clone, Copy, Debug)]
pub struct Relu;

impl Function for Relu {
    const NUMBER: i32 = 1;

    fn never_decreases(&self) -> bool {
        true
    }

    #[inline(always)]
    fn value<L: Lanes>(&self, l: L, x: L::Vector) -> L::Vector {
        let zero = l.splat(L::Real::ZERO);
        // The comparison is this way round so that NaN passes through.
        l.where_gt(zero, x, zero, x)
    }

    #[inline(always)]
    fn slope<L: Lanes>(&self, l: L, _: L::Vector, y: L::Vector) -> L::Vector {
        let zero = l.splat(L::Real::ZERO);
        l.where_gt(y, zero, l.splat(L::Real::ONE), zero)
    }

    /// candle's own has the slope 1 at 0, and makes 0 of NaN.
    fn reference(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let zeros = x.zeros_like()?;
        x.le(&zeros)?.where_cond(&zeros, x)
    }
}
