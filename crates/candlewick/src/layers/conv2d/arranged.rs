//! Weights in the order in which kernels read them: those that a register tile multiplies at once lie side by side, and a tile reads
//! them from the first to the last.

use crate::simd::{Largest, cut_evenly};

/// The largest register tiles of all kernels that read arranged weights.
pub(super) const LARGEST: Largest = Largest { wide: [ROWS, 4], narrow: [ROWS, 1] };

/// Whatever the instruction set, for weights are arranged but once.
const ROWS: usize = 6;

/// Where a matrix of `rows` times `depth` numbers has each of them, by row and column: in blocks of rows as [`crate::simd::cover`] cuts
/// them, the one that begins with row a from a · depth on, column by column.
pub(super) fn for_each_place(rows: usize, depth: usize, mut put: impl FnMut(usize, usize, usize)) {
    for (a, height) in cut_evenly(0..rows, ROWS) {
        for k in 0..depth {
            for i in 0..height {
                put(a + i, k, a * depth + k * height + i);
            }
        }
    }
}

/// A matrix, whose numbers are `at` row and column, for [`for_each_place`].
pub(super) fn arrange<R>(rows: usize, depth: usize, at: impl Fn(usize, usize) -> R, to: &mut [R]) {
    for_each_place(rows, depth, |row, k, place| to[place] = at(row, k));
}
