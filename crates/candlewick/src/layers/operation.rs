//! What the CPU engine asks of a layer: sixteen images at a time, one to a lane.

use super::Operation;
use crate::random::Chance;
use crate::simd::{Lane, Lanes, Real};
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
    /// Whether it is done in little more time than it takes to read the input: then values are made again rather than kept, where
    /// keeping them would fill the memory.
    pub again: bool,
    /// Whether there is nothing to do but in training.
    pub only_in_training: bool,
    /// Numbers of the parameters as [`LaneOperation::arrange`] has them; none where they will do as they are.
    pub arranged: usize,
    /// Numbers that a survey of a tile comes to; if there are any, the operation must know the whole batch before it begins.
    pub survey: usize,
    /// Numbers that the surveys of a batch come to, those of its inputs before those of its gradients.
    pub batch: usize,
    /// Whether a batch of one image has nothing to tell it in training.
    pub two_images: bool,
    /// Whether the outputs are some of the inputs, picked by their size: then a function that never decreases may as well come
    /// after it as before.
    pub picks_by_size: bool,
}

/// What an operation knows of the batch in training, and of the tile's place in it.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a, R> {
    /// What the surveys came to: [`Needs::batch`] numbers.
    pub numbers: &'a [R],
    /// The first of the tile's images, counted through the batch.
    pub first: usize,
    /// Images in the tile. The other lanes count for nothing; what is in them must stay harmless.
    pub live: usize,
    /// What the operation's random numbers are made of.
    pub chance: Chance,
}

/// A layer's arithmetic. `own`: its parameters, end to end in the order in which it lists them; where they are
/// [`LaneOperation::arrange`]d, the forward pass and the gradient by the input take them so.
pub trait LaneOperation {
    /// Nothing, unless it says otherwise.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// The parameters in the order in which kernels read them, made once after each change of them. Asked only of those whose
    /// [`Needs::arranged`] says so.
    fn arrange<R: Real>(&self, _own: &[R], _arranged: &mut [R]) {}

    /// From `x` to `y`.
    fn forward<L: Lanes>(
        &self,
        l: L,
        own: &[L::Real],
        x: &[Lane<L::Real>],
        y: &mut [Lane<L::Real>],
        scratch: &mut [Lane<L::Real>],
    );

    /// [`LaneOperation::forward`], in training.
    fn forward_in_training<L: Lanes>(
        &self,
        l: L,
        own: &[L::Real],
        _: Batch<'_, L::Real>,
        x: &[Lane<L::Real>],
        y: &mut [Lane<L::Real>],
        scratch: &mut [Lane<L::Real>],
    ) {
        self.forward(l, own, x, y, scratch);
    }

    /// What must be known of a tile's input, of which the first `live` lanes count, before the whole batch goes on.
    fn survey<L: Lanes>(&self, _: L, _x: &[Lane<L::Real>], _live: usize, _survey: &mut [L::Real]) {}

    /// Puts together the surveys of all tiles, each with its number of images, in the order of the batch: to the batch's numbers, and
    /// to those of its `own` parameters that keep what it has seen.
    fn conclude<'a, R: Real>(
        &self,
        _surveys: impl Iterator<Item = (usize, &'a [R])> + Clone,
        _own: &mut [R],
        _numbers: &mut [R],
    ) {
    }

    /// As [`LaneOperation::survey`], on the way back; there is no `y` to be seen.
    fn survey_back<L: Lanes>(
        &self,
        _: L,
        _own: &[L::Real],
        _: Batch<'_, L::Real>,
        _: Seen<'_, L::Real>,
        _survey: &mut [L::Real],
    ) {
    }

    /// As [`LaneOperation::conclude`], on the way back: to the batch's numbers, and to those of a chunk, which the gradient is made of.
    fn conclude_back<'a, R: Real>(
        &self,
        _surveys: impl Iterator<Item = (usize, &'a [R])> + Clone,
        _numbers: &mut [R],
        _chunk: &mut [R],
    ) {
    }

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
    fn input_gradient<L: Lanes>(
        &self,
        l: L,
        own: &[L::Real],
        seen: Seen<'_, L::Real>,
        dx: &mut [Lane<L::Real>],
        scratch: &mut [Lane<L::Real>],
    );

    /// [`LaneOperation::input_gradient`], in training, where that of an answer is another.
    fn input_gradient_in_training<L: Lanes>(
        &self,
        l: L,
        own: &[L::Real],
        _: Batch<'_, L::Real>,
        seen: Seen<'_, L::Real>,
        dx: &mut [Lane<L::Real>],
        scratch: &mut [Lane<L::Real>],
    ) {
        self.input_gradient(l, own, seen, dx, scratch);
    }

    /// The operation that also multiplies each channel of its outputs with a number and then adds one, if that is one of this kind
    /// with other parameters; and how many those are.
    fn folded(&self) -> Option<(Operation, usize)> {
        None
    }

    /// The parameters of [`LaneOperation::folded`], from `own` and the numbers of each channel.
    fn fold(&self, _own: &[f32], _scale: &[f32], _shift: &[f32], _folded: &mut [f32]) {}

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

/// Adds a piece of what each chunk has summed to the gradient, in the order of the chunks.
#[inline(always)] // into a kernel, to be compiled for its instruction set
pub fn add_chunks<'a, R: Real>(chunks: impl Iterator<Item = &'a [R]>, piece: Range<usize>, gradient: &mut [R]) {
    for chunk in chunks {
        for (sum, g) in gradient.iter_mut().zip(&chunk[piece.clone()]) {
            *sum += *g;
        }
    }
}

/// Weights of outputs end to end, and their biases if there are any, into those of outputs that are multiplied with `scale` and then
/// moved by `shift`.
pub fn fold(w: &[f32], b: &[f32], scale: &[f32], shift: &[f32], folded: &mut [f32]) {
    let (to_w, to_b) = folded.split_at_mut(w.len());
    let len = w.len() / scale.len();
    for (o, (&scale, &shift)) in scale.iter().zip(shift).enumerate() {
        for (to, w) in to_w[o * len..][..len].iter_mut().zip(&w[o * len..]) {
            *to = w * scale;
        }
        to_b[o] = b.get(o).map_or(shift, |b| b * scale + shift);
    }
}

/// Parameters of a piece, about: a few microseconds' work.
pub const PIECE: usize = 8192;

/// `0..count` in pieces of `len`, the last perhaps shorter.
pub fn pieces(count: usize, len: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count).step_by(len).map(move |start| start..(start + len).min(count))
}
