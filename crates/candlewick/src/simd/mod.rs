//! Lane vectors: the "scalars" in which every CPU kernel is written.
//!
//! A kernel handles sixteen images at once, one to a lane, so a value of the network (a pixel, an activation, a gradient)
//! is a [`Lane`]: the same value of sixteen images, side by side.
//!
//! ```text
//!              image 0   image 1   image 2         image 15
//!   x[c][y][x]   [ 0.5 ,   0.0   ,   0.2  ,  ...  ,   1.0 ]     one Lane, 64 bytes in float32
//! ```
//!
//! A tile is `[C][H][W]` of lanes. Kernels are generic over [`Lanes`], which is float32 on whatever instruction set the
//! processor has ([`Float32`]), and float64 in the tests that hold gradients against finite differences ([`Float64`]).
//! Both compute the same formula in the same order: that is what makes the tests speak for the product.

mod float32;
mod float64;
mod fused;
mod instruction_set;
#[cfg(debug_assertions)]
mod portable;
mod real;
mod register_tiles;

pub use float32::Float32;
pub use float64::Float64;
pub use fused::mul_add_scalar;
pub use instruction_set::{ISA_VARIABLE, InstructionSet, Kernel};
pub use real::Real;
pub use register_tiles::{Largest, RegisterTile, cover, cut, cut_evenly};

/// Images in a tile.
pub const LANES: usize = 16;

/// One value of sixteen images.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Zeroable)]
pub struct Lane<T>(pub [T; LANES]);

// SAFETY: `Real` is `f32` and `f64`, and sixteen of them fill 64 and 128 bytes: no padding is left.
unsafe impl<T: Real> bytemuck::Pod for Lane<T> {}

impl<T: Real> Lane<T> {
    /// The same value in all lanes.
    pub fn splat(value: T) -> Self {
        Self([value; LANES])
    }

    /// Zero in all lanes.
    pub fn zero() -> Self {
        Self::splat(T::ZERO)
    }
}

/// Arithmetic on lane vectors held in registers.
///
/// Every operation is exact IEEE arithmetic with one rounding, and [`Lanes::sum`] adds in a fixed order, so the result of a
/// kernel does not depend on the instruction set.
pub trait Lanes: Copy + Send + Sync {
    /// The number in a lane.
    type Real: Real;
    /// Sixteen of them in registers.
    type Vector: Copy;

    /// Whether the registers hold about thirty vectors, so that large blocks pay in [`cover`].
    const WIDE: bool;

    /// Runs `kernel` compiled for this instruction set; kernels must be `#[inline(always)]` to be a part of it.
    fn run<R>(self, kernel: impl FnOnce() -> R) -> R;

    /// `x` in all lanes.
    fn splat(self, x: Self::Real) -> Self::Vector;
    /// From memory.
    fn load(self, from: &Lane<Self::Real>) -> Self::Vector;
    /// To memory.
    fn store(self, v: Self::Vector, to: &mut Lane<Self::Real>);
    /// From sixteen numbers anywhere; `from` must have sixteen elements.
    fn load_slice(self, from: &[Self::Real]) -> Self::Vector;
    /// To sixteen numbers anywhere; `to` must have sixteen elements.
    fn store_slice(self, v: Self::Vector, to: &mut [Self::Real]);

    /// a + b
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a - b
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a · b
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a / b
    fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a · b + c, rounded once.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// In each lane `yes` where a > b, else `no`.
    fn where_gt(self, a: Self::Vector, b: Self::Vector, yes: Self::Vector, no: Self::Vector) -> Self::Vector;
    /// In each lane `yes` where a = b, else `no`.
    fn where_eq(self, a: Self::Vector, b: Self::Vector, yes: Self::Vector, no: Self::Vector) -> Self::Vector;
    /// e to the power of v, within two units in the last place; beyond ±87 the value at ±87, and NaN for NaN.
    fn exp(self, v: Self::Vector) -> Self::Vector;
    /// e to the power of v, less 1: exact near zero, too.
    fn exp_m1(self, v: Self::Vector) -> Self::Vector;
    /// ln(1 + v) for 0 ≤ v ≤ 1: exact near zero, too.
    fn ln_1p(self, v: Self::Vector) -> Self::Vector;
    /// Φ(v), the share of a standard normal distribution that is below v: ½ erfc(-v / √2), its small values no less exact.
    fn normal_cdf(self, v: Self::Vector) -> Self::Vector;

    /// The sum over the lanes, always as a tree: lane i with lane i + 8, then i + 4, i + 2, i + 1.
    fn sum(self, v: Self::Vector) -> Self::Real;
    /// Each vector's [`Lanes::sum`], in less time than one after the other.
    fn sum_each(self, v: [Self::Vector; 4]) -> [Self::Real; 4];

    /// Rows become columns.
    fn turn(self, rows: [&Lane<Self::Real>; LANES], columns: &mut [Lane<Self::Real>; LANES]);
    /// Rows become columns.
    fn turn_bytes(self, rows: [[u8; LANES]; LANES]) -> [[u8; LANES]; LANES];
}
