//! (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)

use super::Function;
use crate::simd::{Lanes, Real};
use candle_core::Tensor;

/// [`super::Activation::Tanh`]
#[derive(Clone, Copy, Debug)]
pub struct Tanh;

impl Function for Tanh {
    const NUMBER: i32 = 2;

    fn never_decreases(&self) -> bool {
        true
    }

    /// For |x| ≥ 0.1, 1 - 2 / (e²ˣ + 1); nearer to zero, where that cancels, the Taylor series
    /// x - x³/3 + 2x⁵/15 - 17x⁷/315, whose next term is below 3e-11.
    #[inline(always)]
    fn value<L: Lanes>(&self, l: L, x: L::Vector) -> L::Vector {
        let constant = |c: f64| l.splat(L::Real::from_f64(c));
        let e = l.exp(l.add(x, x));
        let far = l.sub(constant(1.0), l.div(constant(2.0), l.add(e, constant(1.0))));
        let x2 = l.mul(x, x);
        let series = l.mul_add(x2, constant(-17.0 / 315.0), constant(2.0 / 15.0));
        let series = l.mul_add(x2, series, constant(-1.0 / 3.0));
        let near = l.mul_add(l.mul(x2, x), series, x);
        l.where_gt(constant(0.01), x2, near, far)
    }

    #[inline(always)]
    fn slope<L: Lanes>(&self, l: L, _: L::Vector, y: L::Vector) -> L::Vector {
        l.sub(l.splat(L::Real::ONE), l.mul(y, y))
    }

    fn reference(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        x.tanh()
    }
}
