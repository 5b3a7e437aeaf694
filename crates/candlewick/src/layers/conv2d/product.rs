//! The product of arranged weights with columns of lanes.

use super::arranged::LARGEST;
use crate::simd::{Lane, Lanes, Real, RegisterTile, cover};
use std::ops::Range;

/// Rows of weights by columns.
pub(super) struct Product<'a, L: Lanes> {
    pub l: L,
    /// [`super::arranged::arrange`]d.
    pub w: &'a [L::Real],
    /// Numbers of a row, and of a column.
    pub depth: usize,
    /// What a row's sums begin with; empty for zero.
    pub bias: &'a [L::Real],
    /// Column after column.
    pub x: &'a [Lane<L::Real>],
    pub y: &'a mut [Lane<L::Real>],
    /// From one row of `y` to the next.
    pub plane: usize,
    /// Of the first column, in each row of `y`.
    pub place: usize,
}

impl<L: Lanes> Product<'_, L> {
    /// `y[a][place + t] = bias[a] + Σ w[a][k] · x[t][k]` over k.
    #[inline(always)]
    pub fn fill(mut self, rows: usize, columns: Range<usize>) {
        cover(0..rows, columns, LARGEST, &mut self);
    }
}

impl<L: Lanes> RegisterTile for Product<'_, L> {
    type Lanes = L;

    #[inline(always)]
    fn tile<const A: usize, const T: usize>(&mut self, a: usize, t: usize) {
        let (l, depth) = (self.l, self.depth);
        let mut sums = [[l.splat(L::Real::ZERO); T]; A];
        for i in 0..A {
            if let Some(bias) = self.bias.get(a + i) {
                sums[i] = [l.splat(*bias); T];
            }
        }
        let mut columns = [self.x; T];
        for j in 0..T {
            columns[j] = &self.x[(t + j) * depth..][..depth];
        }
        let weights = self.w[a * depth..][..A * depth].as_chunks::<A>().0;
        for (k, weights) in weights.iter().enumerate() {
            let mut x = [l.splat(L::Real::ZERO); T];
            for j in 0..T {
                x[j] = l.load(&columns[j][k]);
            }
            for i in 0..A {
                let weight = l.splat(weights[i]);
                for j in 0..T {
                    sums[i][j] = l.mul_add(x[j], weight, sums[i][j]);
                }
            }
        }
        for i in 0..A {
            let row = &mut self.y[(a + i) * self.plane + self.place + t..][..T];
            for j in 0..T {
                l.store(sums[i][j], &mut row[j]);
            }
        }
    }
}
