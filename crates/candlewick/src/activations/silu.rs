//! x / (1 + e⁻ˣ), also called swish

use super::{Function, sigmoid};
use crate::simd::{Lanes, Real};
use candle_core::Tensor;

/// [`super::Activation::Silu`]. Hendrycks and Gimpel, 2016; Ramachandran et al., 2017.
#[derive(Clone, Copy, Debug)]
pub struct Silu;

impl Function for Silu {
    const NUMBER: i32 = 5;

    /// It falls to -0.28 at x = -1.28, and rises from there.
    fn never_decreases(&self) -> bool {
        false
    }

    /// Of -∞, NaN, as in PyTorch.
    #[inline(always)]
    fn value<L: Lanes>(&self, l: L, x: L::Vector) -> L::Vector {
        l.mul(x, sigmoid::both_sides(l, x)[0])
    }

    /// s + x s (1 - s), where s is the sigmoid.
    #[inline(always)]
    fn slope<L: Lanes>(&self, l: L, x: L::Vector, _: L::Vector) -> L::Vector {
        let [s, rest] = sigmoid::both_sides(l, x);
        l.mul(s, l.mul_add(x, rest, l.splat(L::Real::ONE)))
    }

    fn reference(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        x * candle_nn::ops::sigmoid(x)?
    }
}
