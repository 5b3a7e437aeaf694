//! Blocks of outputs that are held in registers while their inputs pass by.
//!
//! A kernel that computes one output at a time loads two vectors for each multiply-add. One that computes A x B outputs at
//! a time loads A + B for A · B of them, and has that many independent sums to hide the latency of the last:
//!
//! ```text
//!            columns ─►  b   b+1  b+2  b+3
//!   rows  a            [sum][sum][sum][sum]      each sum is one lane vector; with AVX-512,
//!    │    a+1          [sum][sum][sum][sum]      6 x 4 of them leave 8 registers for inputs
//!    ▼    ...
//! ```
//!
//! The order of the additions within a sum does not depend on the block that it is in, so neither do the bits.

use super::Lanes;
use std::ops::Range;

/// A kernel for blocks of a matrix of outputs.
pub trait RegisterTile {
    /// The lanes that it works in.
    type Lanes: Lanes;

    /// Computes the outputs of A rows from `a` on and B columns from `b` on.
    fn tile<const A: usize, const B: usize>(&mut self, a: usize, b: usize);
}

/// The largest blocks of a kernel: rows by columns.
#[derive(Clone, Copy, Debug)]
pub struct Largest {
    /// Where the registers hold about thirty vectors: rows at most 6, with a single column 8, and columns at most 4.
    pub wide: [usize; 2],
    /// Where they hold fewer: rows at most 3, with a single column 6, and columns at most 2.
    pub narrow: [usize; 2],
}

impl Largest {
    /// The one of the two that the registers have room for.
    #[inline(always)]
    pub fn on<L: Lanes>(self, _: L) -> [usize; 2] {
        if L::WIDE { self.wide } else { self.narrow }
    }
}

/// Covers `rows` x `columns` outputs with blocks.
#[inline(always)]
pub fn cover<T: RegisterTile>(rows: Range<usize>, columns: Range<usize>, largest: Largest, kernel: &mut T) {
    // Each size of block is a copy of the kernel: those that no instruction set needs are not made.
    if <T::Lanes as Lanes>::WIDE {
        cover_wide(rows, columns, largest.wide, kernel);
    } else {
        cover_narrow(rows, columns, largest.narrow, kernel);
    }
}

#[inline(always)]
fn cover_wide<T: RegisterTile>(rows: Range<usize>, columns: Range<usize>, largest: [usize; 2], kernel: &mut T) {
    for (a, height) in cut_evenly(rows, largest[0]) {
        for (b, width) in cut(columns.clone(), largest[1]) {
            match (height, width) {
                (8, _) => kernel.tile::<8, 1>(a, b),
                (7, _) => kernel.tile::<7, 1>(a, b),
                (6, 4) => kernel.tile::<6, 4>(a, b),
                (6, 2) => kernel.tile::<6, 2>(a, b),
                (6, _) => kernel.tile::<6, 1>(a, b),
                (5, 4) => kernel.tile::<5, 4>(a, b),
                (5, 2) => kernel.tile::<5, 2>(a, b),
                (5, _) => kernel.tile::<5, 1>(a, b),
                (4, 4) => kernel.tile::<4, 4>(a, b),
                (4, 2) => kernel.tile::<4, 2>(a, b),
                (4, _) => kernel.tile::<4, 1>(a, b),
                (3, 4) => kernel.tile::<3, 4>(a, b),
                (3, 2) => kernel.tile::<3, 2>(a, b),
                (3, _) => kernel.tile::<3, 1>(a, b),
                (2, 4) => kernel.tile::<2, 4>(a, b),
                (2, 2) => kernel.tile::<2, 2>(a, b),
                (2, _) => kernel.tile::<2, 1>(a, b),
                (_, 4) => kernel.tile::<1, 4>(a, b),
                (_, 2) => kernel.tile::<1, 2>(a, b),
                (_, _) => kernel.tile::<1, 1>(a, b),
            }
        }
    }
}

#[inline(always)]
fn cover_narrow<T: RegisterTile>(rows: Range<usize>, columns: Range<usize>, largest: [usize; 2], kernel: &mut T) {
    for (a, height) in cut_evenly(rows, largest[0]) {
        for (b, width) in cut(columns.clone(), largest[1]) {
            match (height, width) {
                (3, 2) => kernel.tile::<3, 2>(a, b),
                (2, 2) => kernel.tile::<2, 2>(a, b),
                (_, 2) => kernel.tile::<1, 2>(a, b),
                (6, _) => kernel.tile::<6, 1>(a, b),
                (5, _) => kernel.tile::<5, 1>(a, b),
                (4, _) => kernel.tile::<4, 1>(a, b),
                (3, _) => kernel.tile::<3, 1>(a, b),
                (2, _) => kernel.tile::<2, 1>(a, b),
                (_, _) => kernel.tile::<1, 1>(a, b),
            }
        }
    }
}

/// Cuts a range into as few pieces of at most `largest` as there can be, none more than one longer than another: a piece that
/// is much shorter would have too few sums to hide the latency of an addition. Yields (start, length).
#[inline(always)]
pub fn cut_evenly(range: Range<usize>, largest: usize) -> impl Iterator<Item = (usize, usize)> {
    let (mut start, mut pieces) = (range.start, range.len().div_ceil(largest));
    std::iter::from_fn(move || {
        let length = range.end.saturating_sub(start).div_ceil(pieces.max(1));
        pieces = pieces.saturating_sub(1);
        start += length;
        (length > 0).then_some((start - length, length))
    })
}

/// Cuts a range into pieces: as many as fit of `largest`, then powers of two. Yields (start, length).
#[inline(always)]
pub fn cut(range: Range<usize>, largest: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut start = range.start;
    std::iter::from_fn(move || {
        let length = match range.end.saturating_sub(start) {
            0 => return None,
            rest if rest >= largest => largest,
            rest => 1 << rest.ilog2(),
        };
        start += length;
        Some((start - length, length))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Float64;

    #[test]
    fn pieces_cover_a_range_once() {
        assert_eq!(cut(0..15, 8).collect::<Vec<_>>(), [(0, 8), (8, 4), (12, 2), (14, 1)]);
        assert_eq!(cut(3..14, 6).collect::<Vec<_>>(), [(3, 6), (9, 4), (13, 1)]);
        assert_eq!(cut(2..2, 4).count(), 0);
        assert_eq!(cut_evenly(0..16, 6).collect::<Vec<_>>(), [(0, 6), (6, 5), (11, 5)]);
        assert_eq!(cut_evenly(3..10, 6).collect::<Vec<_>>(), [(3, 4), (7, 3)]);
        assert_eq!(cut_evenly(2..2, 6).count(), 0);
    }

    #[test]
    fn blocks_cover_a_matrix_once() {
        struct Count(Vec<Vec<u32>>);
        impl RegisterTile for Count {
            type Lanes = Float64;
            fn tile<const A: usize, const B: usize>(&mut self, a: usize, b: usize) {
                (a..a + A).for_each(|row| (b..b + B).for_each(|column| self.0[row][column] += 1));
            }
        }
        for (rows, columns) in [(1, 1), (3, 7), (6, 4), (13, 11), (16, 24)] {
            let mut count = Count(vec![vec![0; columns]; rows]);
            for (times, largest) in [[6, 4], [6, 2], [8, 1], [4, 4], [2, 2], [1, 1]].into_iter().enumerate() {
                cover_wide(0..rows, 0..columns, largest, &mut count);
                assert_eq!(count.0, vec![vec![times as u32 + 1; columns]; rows], "{rows} x {columns} by {largest:?}");
            }
            let mut count = Count(vec![vec![0; columns]; rows]);
            for (times, largest) in [[6, 1], [3, 2], [2, 2], [1, 1]].into_iter().enumerate() {
                cover_narrow(0..rows, 0..columns, largest, &mut count);
                assert_eq!(count.0, vec![vec![times as u32 + 1; columns]; rows], "{rows} x {columns} by {largest:?}");
            }
        }
    }
}
