//! What the CPU engine asks of a layer: sixteen images at a time, one to a lane.

use crate::simd::{Lane, Lanes};
use std::ops::Range;

/// What the backward pass looks at: a tile's input and output, and the gradient by the output.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a, R> {
    /// What went in.
    pub x: &'a [Lane<R>],
    /// What came out.
    pub y: &'a [Lane<R>],
    /// The gradient by what came out.
    pub dy: &'a [Lane<R>],
}

/// Where a tile's backward pass leaves what the gradient of the layer's own parameters is made of.
#[derive(Debug)]
pub struct Accumulators<'a, R> {
    /// Numbers of the chunk, which its tiles add to: [`Needs::chunk`].
    pub chunk: &'a mut [R],
    /// Lanes of the tile alone: [`Needs::record`].
    pub record: &'a mut [Lane<R>],
}

/// What a batch's tiles left, each list in the order of the batch.
#[derive(Clone, Debug)]
pub struct Left<C, T> {
    /// The sums of each chunk.
    pub chunks: C,
    /// The record of each tile.
    pub records: T,
}

/// Memory that a layer asks for, and what becomes of that which it is given.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Needs {
    /// Lanes of a thread, for the time of a pass.
    pub scratch: usize,
    /// Numbers of a chunk.
    pub chunk: usize,
    /// Lanes of a tile's record.
    pub record: usize,
    /// Whether the backward pass looks at the output; else another gradient may have taken its place.
    pub output: bool,
    /// Whether the gradient by the input can take the input's place.
    pub in_place: bool,
    /// Whether the outputs are some of the inputs, picked by their size: then a function that never decreases may as well come
    /// after it as before.
    pub picks_by_size: bool,
}

/// A layer's arithmetic. `own`: its parameters, end to end in the order in which it lists them.
pub trait LaneOperation {
    /// Nothing, unless it says otherwise.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// From `x` to `y`.
    fn forward<L: Lanes>(
        &self,
        l: L,
        own: &[L::Real],
        x: &[Lane<L::Real>],
        y: &mut [Lane<L::Real>],
        scratch: &mut [Lane<L::Real>],
    );

    /// Leaves what the gradient by `own` is made of: nothing, for a layer without parameters.
    fn leave<L: Lanes>(
        &self,
        _: L,
        _: Seen<'_, L::Real>,
        _: Accumulators<'_, L::Real>,
        _scratch: &mut [Lane<L::Real>],
    ) {
    }

    /// The gradient by `x`.
    fn input_gradient<L: Lanes>(&self, l: L, own: &[L::Real], seen: Seen<'_, L::Real>, dx: &mut [Lane<L::Real>]);

    /// The gradient by `x`, in its place. Asked only of those whose [`Needs::in_place`] says so.
    fn input_gradient_in_place<L: Lanes>(
        &self,
        _: L,
        _x: &mut [Lane<L::Real>],
        _y: &[Lane<L::Real>],
        _dy: &[Lane<L::Real>],
    ) {
        unreachable!("a layer that works in place says how")
    }

    /// `own` in pieces whose gradients are made one by one, on whichever thread is free; together they are all of it.
    fn pieces(&self) -> Vec<Range<usize>> {
        Vec::new()
    }

    /// Adds a piece's gradient, from what a batch's tiles left.
    fn gradient<'a, L: Lanes<Real: 'a>>(
        &self,
        _: L,
        _piece: Range<usize>,
        _left: Left<impl Iterator<Item = &'a [L::Real]>, impl Iterator<Item = &'a [Lane<L::Real>]> + Clone>,
        _gradient: &mut [L::Real],
    ) {
    }
}

/// Parameters of a piece, about: a few microseconds' work.
pub const PIECE: usize = 8192;

/// `0..count` in pieces of `len`, the last perhaps shorter.
pub fn pieces(count: usize, len: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count).step_by(len).map(move |start| start..(start + len).min(count))
}
