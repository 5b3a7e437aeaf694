//! 1 / (1 + e⁻ˣ)

use super::Function;
use crate::simd::{Lanes, Real};
use candle_core::Tensor;

/// [`super::Activation::Sigmoid`]
#[derive(Clone, Copy, Debug)]
pub struct Sigmoid;

/// sigmoid(u), and what it lacks of 1, no less exact where that is small. Beyond ±87, where `exp` goes no further, they are 0 and 1,
/// so that what is multiplied with them may be of any size.
#[inline(always)]
pub(super) fn both_sides<L: Lanes>(l: L, u: L::Vector) -> [L::Vector; 2] {
    let constant = |c: f64| l.splat(L::Real::from_f64(c));
    let e = l.exp(l.sub(constant(0.0), u));
    let s = l.div(constant(1.0), l.add(constant(1.0), e));
    let rest = l.mul(e, s);
    [l.where_gt(constant(-87.0), u, constant(0.0), s), l.where_gt(u, constant(87.0), constant(0.0), rest)]
}

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
