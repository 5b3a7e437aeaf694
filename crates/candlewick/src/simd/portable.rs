//! Lanes of float32 for a processor that has none of the instruction sets, in builds for tests: [`Float32`] on plain arrays, whose
//! operations are not inlined. Sixteen scalar operations for each of a kernel's own were half of a test program, and of the time to
//! compile it. In a release they are inlined, and run more than twice as fast so.

use super::{Float32, LANES, Lane, Lanes, fused};
use fearless_simd::{Fallback, SimdBase, f32x16};

/// Sixteen float32 in an array.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

type Vector = Lane<f32>;

const PLAIN: Float32<Fallback> = Float32(Fallback::new());

#[inline(always)]
fn plain(v: Vector) -> f32x16<Fallback> {
    PLAIN.load(&v)
}

#[inline(always)]
fn vector(v: f32x16<Fallback>) -> Vector {
    Lane(*v.as_array())
}

impl Lanes for Portable {
    type Real = f32;
    type Vector = Vector;
    const WIDE: bool = false;

    #[inline(always)]
    fn run<R>(self, kernel: impl FnOnce() -> R) -> R {
        kernel()
    }
    #[inline(never)]
    fn splat(self, x: f32) -> Vector {
        Lane([x; LANES])
    }
    #[inline(always)]
    fn load(self, from: &Lane<f32>) -> Vector {
        *from
    }
    #[inline(always)]
    fn store(self, v: Vector, to: &mut Lane<f32>) {
        *to = v;
    }
    #[inline(never)]
    fn load_slice(self, from: &[f32]) -> Vector {
        vector(PLAIN.load_slice(from))
    }
    #[inline(never)]
    fn store_slice(self, v: Vector, to: &mut [f32]) {
        PLAIN.store_slice(plain(v), to);
    }
    #[inline(never)]
    fn add(self, a: Vector, b: Vector) -> Vector {
        vector(PLAIN.add(plain(a), plain(b)))
    }
    #[inline(never)]
    fn sub(self, a: Vector, b: Vector) -> Vector {
        vector(PLAIN.sub(plain(a), plain(b)))
    }
    #[inline(never)]
    fn mul(self, a: Vector, b: Vector) -> Vector {
        vector(PLAIN.mul(plain(a), plain(b)))
    }
    #[inline(never)]
    fn div(self, a: Vector, b: Vector) -> Vector {
        vector(PLAIN.div(plain(a), plain(b)))
    }
    #[inline(always)]
    fn mul_add(self, a: Vector, b: Vector, c: Vector) -> Vector {
        Lane(fused::mul_add(a.0, b.0, c.0))
    }
    #[inline(never)]
    fn where_gt(self, a: Vector, b: Vector, yes: Vector, no: Vector) -> Vector {
        vector(PLAIN.where_gt(plain(a), plain(b), plain(yes), plain(no)))
    }
    #[inline(never)]
    fn where_eq(self, a: Vector, b: Vector, yes: Vector, no: Vector) -> Vector {
        vector(PLAIN.where_eq(plain(a), plain(b), plain(yes), plain(no)))
    }
    #[inline(never)]
    fn exp(self, v: Vector) -> Vector {
        vector(PLAIN.exp(plain(v)))
    }
    #[inline(never)]
    fn exp_m1(self, v: Vector) -> Vector {
        vector(PLAIN.exp_m1(plain(v)))
    }
    #[inline(never)]
    fn ln_1p(self, v: Vector) -> Vector {
        vector(PLAIN.ln_1p(plain(v)))
    }
    #[inline(never)]
    fn normal_cdf(self, v: Vector) -> Vector {
        vector(PLAIN.normal_cdf(plain(v)))
    }
    #[inline(never)]
    fn sum(self, v: Vector) -> f32 {
        PLAIN.sum(plain(v))
    }
    #[inline(never)]
    fn sum_each(self, v: [Vector; 4]) -> [f32; 4] {
        PLAIN.sum_each(v.map(plain))
    }
    #[inline(never)]
    fn turn(self, rows: [&Lane<f32>; LANES], columns: &mut [Lane<f32>; LANES]) {
        PLAIN.turn(rows, columns);
    }
    #[inline(never)]
    fn turn_bytes(self, rows: [[u8; LANES]; LANES]) -> [[u8; LANES]; LANES] {
        PLAIN.turn_bytes(rows)
    }
}
