//! 1 / (1 + e⁻ˣ)

use super::Function;
use crate::simd::{Lanes, Real};
use candle_core::Tensor;

/// [`super::Activation::Sigmoid`]
#[derive(Clone, Copy, Debug)]
pub struct Sigmoid;

impl Function for Sigmoid {
    const NUMBER: i32 = 0;

    fn never_decreases(&self) -> bool {
        true
    }

    #[inline(always)]
    fn value<L: Lanes>(&self, l: L, x: L::Vector) -> L::Vector {
        let one = l.splat(L::Real::ONE);
        l.div(one, l.add(one, l.exp(l.sub(l.splat(L::Real::ZERO), x))))
    }

    #[inline(always)]
    fn slope<L: Lanes>(&self, l: L, _: L::Vector, y: L::Vector) -> L::Vector {
        l.mul(y, l.sub(l.splat(L::Real::ONE), y))
    }

    fn reference(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        candle_nn::ops::sigmoid(x)
    }
}
