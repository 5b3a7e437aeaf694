//! Lanes of float64 in plain arrays: slow, exact, for gradient checks. Operations are not inlined: a kernel of sixteen scalar
//! operations for each of its own takes the compiler minutes.

use super::{LANES, Lane, Lanes};

/// Sixteen float64 in an array.
#[derive(Clone, Copy, Debug)]
pub struct Float64;

type Vector = [f64; LANES];

fn zip(a: Vector, b: Vector, f: impl Fn(f64, f64) -> f64) -> Vector {
    std::array::from_fn(|i| f(a[i], b[i]))
}

impl Lanes for Float64 {
    type Real = f64;
    type Vector = Vector;
    /// So that finite differences see the large blocks too; small ones are held against other engines where registers are few.
    const WIDE: bool = true;

    fn run<R>(self, kernel: impl FnOnce() -> R) -> R {
        kernel()
    }
    #[inline(never)]
    fn splat(self, x: f64) -> Vector {
        [x; LANES]
    }
    fn load(self, from: &Lane<f64>) -> Vector {
        from.0
    }
    fn store(self, v: Vector, to: &mut Lane<f64>) {
        to.0 = v;
    }
    #[inline(never)]
    fn load_slice(self, from: &[f64]) -> Vector {
        std::array::from_fn(|i| from[i])
    }
    #[inline(never)]
    fn store_slice(self, v: Vector, to: &mut [f64]) {
        to.copy_from_slice(&v);
    }
    #[inline(never)]
    fn add(self, a: Vector, b: Vector) -> Vector {
        zip(a, b, |a, b| a + b)
    }
    #[inline(never)]
    fn sub(self, a: Vector, b: Vector) -> Vector {
        zip(a, b, |a, b| a - b)
    }
    #[inline(never)]
    fn mul(self, a: Vector, b: Vector) -> Vector {
        zip(a, b, |a, b| a * b)
    }
    #[inline(never)]
    fn div(self, a: Vector, b: Vector) -> Vector {
        zip(a, b, |a, b| a / b)
    }
    #[inline(never)]
    fn mul_add(self, a: Vector, b: Vector, c: Vector) -> Vector {
        std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
    }
    #[inline(never)]
    fn where_gt(self, a: Vector, b: Vector, yes: Vector, no: Vector) -> Vector {
        std::array::from_fn(|i| if a[i] > b[i] { yes[i] } else { no[i] })
    }
    #[inline(never)]
    fn where_eq(self, a: Vector, b: Vector, yes: Vector, no: Vector) -> Vector {
        std::array::from_fn(|i| if a[i] == b[i] { yes[i] } else { no[i] })
    }
    #[inline(never)]
    fn exp(self, v: Vector) -> Vector {
        v.map(f64::exp)
    }
    #[inline(never)]
    fn exp_m1(self, v: Vector) -> Vector {
        v.map(f64::exp_m1)
    }
    #[inline(never)]
    fn ln_1p(self, v: Vector) -> Vector {
        v.map(f64::ln_1p)
    }
    #[inline(never)]
    fn normal_cdf(self, v: Vector) -> Vector {
        v.map(|x| 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2))
    }
    #[inline(never)]
    fn sum(self, v: Vector) -> f64 {
        let mut sums = v;
        for half in [8, 4, 2, 1] {
            for i in 0..half {
                sums[i] += sums[i + half];
            }
        }
        sums[0]
    }
    #[inline(never)]
    fn sum_each(self, v: [Vector; 4]) -> [f64; 4] {
        v.map(|v| self.sum(v))
    }
    #[inline(never)]
    fn turn(self, rows: [&Lane<f64>; LANES], columns: &mut [Lane<f64>; LANES]) {
        *columns = std::array::from_fn(|i| Lane(rows.map(|row| row.0[i])));
    }
    #[inline(never)]
    fn turn_bytes(self, rows: [[u8; LANES]; LANES]) -> [[u8; LANES]; LANES] {
        std::array::from_fn(|i| rows.map(|row| row[i]))
    }
}
