//! The sum of two values, where two ways through a network meet: y = x + x'.
//!
//! It is written and gone back by the engines themselves: the gradient by both is the one by y.

use super::{DeviceOperation, LaneOperation, Needs, Reference, Seen};
use crate::error::Result;
use crate::kernels::numbers;
use crate::simd::{Lane, Lanes};
use candle_core::Tensor;

/// A sum in its place. All three are of one length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {}

impl Placed {
    /// y = x + other
    pub fn add<L: Lanes>(l: L, x: &[Lane<L::Real>], other: &[Lane<L::Real>], y: &mut [Lane<L::Real>]) {
        l.run(
            #[inline(always)]
            || {
                for ((x, other), y) in x.iter().zip(other).zip(y) {
                    l.store(l.add(l.load(x), l.load(other)), y);
                }
            },
        );
    }
}

/// To one value alone nothing is added.
impl LaneOperation for Placed {
    fn needs(&self) -> Needs {
        Needs { again: true, ..Needs::default() }
    }

    fn forward<L: Lanes>(
        &self,
        _: L,
        _: &[L::Real],
        x: &[Lane<L::Real>],
        y: &mut [Lane<L::Real>],
        _: &mut [Lane<L::Real>],
    ) {
        y.copy_from_slice(x);
    }

    fn input_gradient<L: Lanes>(
        &self,
        _: L,
        _: &[L::Real],
        seen: Seen<'_, L::Real>,
        dx: &mut [Lane<L::Real>],
        _: &mut [Lane<L::Real>],
    ) {
        dx.copy_from_slice(seen.dy);
    }
}

/// `struct Add`
impl DeviceOperation for Placed {
    const KIND: i32 = 6;
    type Words = [i32; 1];

    fn words(&self, outputs: usize) -> Result<[i32; 1]> {
        numbers([outputs])
    }
}

impl Reference for Placed {
    fn reference(&self, x: &Tensor, _: &[Tensor]) -> candle_core::Result<Tensor> {
        Ok(x.clone())
    }
}
