//! x · min(max(x + 3, 0), 6) / 6, a silu of straight lines

use super::Function;
use crate::simd::{Lanes, Real};
use candle_core::Tensor;

/// [`super::Activation::HardSwish`]. Howard et al., 2019.
#[derive(Clone, Copy, Debug)]
pub struct HardSwish;

impl Function for HardSwish {
    const NUMBER: i32 = 8;

    /// It falls to -0.375 at x = -1.5, and rises from there.
    fn never_decreases(&self) -> bool {
        false
    }

    /// Of -∞, NaN, as in PyTorch.
    #[inline(always)]
    fn value<L: Lanes>(&self, l: L, x: L::Vector) -> L::Vector {
        let constant = |c: f64| l.splat(L::Real::from_f64(c));
        let (zero, one) = (constant(0.0), constant(1.0));
        let gate = l.mul(l.add(x, constant(3.0)), constant(1.0 / 6.0));
        let gate = l.where_gt(zero, gate, zero, gate);
        l.mul(x, l.where_gt(gate, one, one, gate))
    }

    /// At -3, 0, and at 3, 1, as in PyTorch.
    #[inline(always)]
    fn slope<L: Lanes>(&self, l: L, x: L::Vector, _: L::Vector) -> L::Vector {
        let constant = |c: f64| l.splat(L::Real::from_f64(c));
        let between = l.mul_add(x, constant(1.0 / 3.0), constant(0.5));
        let up_to_3 = l.where_gt(x, constant(-3.0), between, constant(0.0));
        l.where_gt(constant(3.0), x, up_to_3, constant(1.0))
    }

    fn reference(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let between = ((x * (x + 3.0)?)? / 6.0)?;
        let from_minus_3 = x.le(-3.0)?.where_cond(&x.zeros_like()?, &between)?;
        x.ge(3.0)?.where_cond(x, &from_minus_3)
    }
}
