//! The transforms of F(4, 3) and F(3, 4), one side of a patch at a time: values of polynomials at 0, ±√½, ±√2 and infinity, and the
//! polynomial from its values. How much of float32 is lost depends on these points (Barabasz and others, "Error Analysis and Improving
//! the Accuracy of Winograd Convolution for Deep Neural Networks", 2020, compare points). With them, outputs end up about twice as far
//! from the exact ones as when they are summed in order, at some 7e-7 of them; gradients by the weights, at up to 2e-6.

use super::super::arranged::for_each_place;
use crate::simd::{Lane, Lanes, Real};
use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

/// Pixels along one side of a patch.
pub(super) const SIDE: usize = 6;

/// Outputs along one side of a patch.
pub(super) const OUTPUTS: usize = 4;

/// Places in a patch.
pub(super) const PLACES: usize = SIDE * SIDE;

/// What the values at 0, ±√½, ±√2 and infinity are multiplied with, once on the way: 1 / Π (x - x'), over the other points.
const FACTORS: [f64; SIDE] = [1.0, -2.0 / 3.0, -2.0 / 3.0, 1.0 / 6.0, 1.0 / 6.0, 1.0];

/// Room for a patch whose columns are done; taken once, as clearing it takes time.
pub(super) struct Half<R>([[Lane<R>; SIDE]; SIDE]);

impl<R: Real> Half<R> {
    pub fn new() -> Self {
        Self([[Lane::zero(); SIDE]; SIDE])
    }
}

/// What is done to one row or column of a patch. A trait, as a function that is passed on is not inlined into kernels.
pub(super) trait Transform<const FROM: usize, const TO: usize> {
    fn of<L: Lanes>(l: L, from: [L::Vector; FROM]) -> [L::Vector; TO];
}

/// A transform of all columns of a patch, and then of all rows.
#[inline(always)]
pub(super) fn along_both<T: Transform<FROM, TO>, L: Lanes, const FROM: usize, const TO: usize>(
    _: T,
    l: L,
    half: &mut Half<L::Real>,
    at: impl Fn(usize, usize) -> L::Vector,
    mut put: impl FnMut(usize, usize, L::Vector),
) {
    for j in 0..FROM {
        let mut column = [l.splat(L::Real::ZERO); FROM];
        for i in 0..FROM {
            column[i] = at(i, j);
        }
        let column = T::of(l, column);
        for i in 0..TO {
            l.store(column[i], &mut half.0[i][j]);
        }
    }
    for i in 0..TO {
        let mut row = [l.splat(L::Real::ZERO); FROM];
        for j in 0..FROM {
            row[j] = l.load(&half.0[i][j]);
        }
        let row = T::of(l, row);
        for j in 0..TO {
            put(i, j, row[j]);
        }
    }
}

/// a + b · c
#[inline(always)]
fn plus<L: Lanes>(l: L, a: L::Vector, b: L::Vector, c: f64) -> L::Vector {
    l.mul_add(b, l.splat(L::Real::from_f64(c)), a)
}

/// a · c
#[inline(always)]
fn times<L: Lanes>(l: L, a: L::Vector, c: f64) -> L::Vector {
    l.mul(a, l.splat(L::Real::from_f64(c)))
}

/// Bᵀ d, of pixels
pub(super) struct Apart;

impl Transform<SIDE, SIDE> for Apart {
    #[inline(always)]
    fn of<L: Lanes>(l: L, d: [L::Vector; SIDE]) -> [L::Vector; SIDE] {
        let (even, odd) = (plus(l, d[4], d[2], -2.0), plus(l, d[3], d[1], -2.0));
        let (even2, odd2) = (plus(l, d[4], d[2], -0.5), plus(l, d[3], d[1], -0.5));
        [
            l.add(plus(l, d[0], d[2], -2.5), d[4]),
            plus(l, even, odd, FRAC_1_SQRT_2),
            plus(l, even, odd, -FRAC_1_SQRT_2),
            plus(l, even2, odd2, SQRT_2),
            plus(l, even2, odd2, -SQRT_2),
            l.add(plus(l, d[1], d[3], -2.5), d[5]),
        ]
    }
}

/// Aᵀ m, to outputs
pub(super) struct Together;

impl Transform<SIDE, OUTPUTS> for Together {
    #[inline(always)]
    fn of<L: Lanes>(l: L, m: [L::Vector; SIDE]) -> [L::Vector; OUTPUTS] {
        let (even, odd) = (l.add(m[1], m[2]), l.sub(m[1], m[2]));
        let (even2, odd2) = (l.add(m[3], m[4]), l.sub(m[3], m[4]));
        [
            l.add(l.add(m[0], even), even2),
            plus(l, times(l, odd, FRAC_1_SQRT_2), odd2, SQRT_2),
            plus(l, times(l, even, 0.5), even2, 2.0),
            plus(l, plus(l, m[5], odd, FRAC_1_SQRT_2 / 2.0), odd2, SQRT_2 * 2.0),
        ]
    }
}

/// E dy, of gradients by outputs: the values of the polynomial that has them as coefficients
pub(super) struct Values;

impl Transform<OUTPUTS, SIDE> for Values {
    #[inline(always)]
    fn of<L: Lanes>(l: L, d: [L::Vector; OUTPUTS]) -> [L::Vector; SIDE] {
        let (even, odd) = (plus(l, d[0], d[2], 0.5), plus(l, d[1], d[3], 0.5));
        let (even2, odd2) = (plus(l, d[0], d[2], 2.0), plus(l, d[1], d[3], 2.0));
        [
            d[0],
            plus(l, even, odd, FRAC_1_SQRT_2),
            plus(l, even, odd, -FRAC_1_SQRT_2),
            plus(l, even2, odd2, SQRT_2),
            plus(l, even2, odd2, -SQRT_2),
            d[3],
        ]
    }
}

/// Cᵀ m, to gradients by a kernel
pub(super) struct KernelGradient;

impl Transform<SIDE, 3> for KernelGradient {
    #[inline(always)]
    fn of<L: Lanes>(l: L, m: [L::Vector; SIDE]) -> [L::Vector; 3] {
        let (even, odd) = (l.add(m[1], m[2]), l.sub(m[1], m[2]));
        let (even2, odd2) = (l.add(m[3], m[4]), l.sub(m[3], m[4]));
        let (near, far) = (FACTORS[1], FACTORS[3]);
        [
            plus(l, plus(l, m[0], even, near), even2, far),
            plus(l, times(l, odd, near * FRAC_1_SQRT_2), odd2, far * SQRT_2),
            plus(l, plus(l, m[5], even, near / 2.0), even2, far * 2.0),
        ]
    }
}

/// G g, of a kernel's row or column
fn weighted<R: Real>(g: [R; 3]) -> [R; SIDE] {
    let [a, b, c] = g.map(Real::to_f64);
    let value = |at: f64| a + b * at + c * at * at;
    let values = [a, value(FRAC_1_SQRT_2), value(-FRAC_1_SQRT_2), value(SQRT_2), value(-SQRT_2), c];
    std::array::from_fn(|i| R::from_f64(values[i] * FACTORS[i]))
}

/// G g Gᵀ of the kernels of `rows` by `depth`, `[place]` times as [`for_each_place`] has them.
pub(in super::super) fn arrange_kernels<R: Real>(
    rows: usize,
    depth: usize,
    kernel: impl Fn(usize, usize) -> [[R; 3]; 3],
    to: &mut [R],
) {
    for_each_place(rows, depth, |row, k, place| {
        let columns = kernel(row, k).map(weighted);
        for j in 0..SIDE {
            for (i, number) in weighted(columns.map(|row| row[j])).into_iter().enumerate() {
                to[(i * SIDE + j) * rows * depth + place] = number;
            }
        }
    });
}
