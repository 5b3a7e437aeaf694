//! An oracle for gradients: (f(p + h) - f(p - h)) / 2h in float64.

use super::{Accumulators, LaneOperation, Left, Seen};
use crate::simd::{Float64, LANES, Lane};
use std::borrow::Cow;

/// Deterministic numbers in (-1, 1), none of them close to another's double.
pub struct Numbers(u64);

impl Numbers {
    pub fn new() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }

    pub fn next(&mut self) -> f64 {
        // Marsaglia's xorshift64.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    pub fn vec(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| self.next()).collect()
    }

    pub fn lanes(&mut self, n: usize) -> Vec<Lane<f64>> {
        (0..n).map(|_| Lane(std::array::from_fn(|_| self.next()))).collect()
    }
}

/// A loss whose gradient by each output is known: Σ output · weight.
pub fn weighted_sum(output: &[Lane<f64>], weights: &[Lane<f64>]) -> f64 {
    output.iter().zip(weights).flat_map(|(o, w)| o.0.iter().zip(w.0)).map(|(o, w)| o * w).sum()
}

/// Lanes end to end.
pub fn flat(lanes: &[Lane<f64>]) -> Vec<f64> {
    lanes.iter().flat_map(|l| l.0).collect()
}

/// The inverse of [`flat`].
pub fn lanes(flat: &[f64]) -> Vec<Lane<f64>> {
    flat.as_chunks::<LANES>().0.iter().map(|l| Lane(*l)).collect()
}

/// Holds `gradient` against the differences of `loss` around `point`, at up to forty coordinates spread over it.
pub fn check(what: &str, point: &[f64], gradient: &[f64], loss: impl Fn(&[f64]) -> f64) {
    assert_eq!(point.len(), gradient.len(), "{what}");
    let h = 1e-5;
    let stride = (point.len() / 40).max(1);
    for i in (0..point.len()).step_by(stride) {
        let mut moved = point.to_vec();
        moved[i] = point[i] + h;
        let above = loss(&moved);
        moved[i] = point[i] - h;
        let difference = (above - loss(&moved)) / (2.0 * h);
        let error = (gradient[i] - difference).abs();
        assert!(
            error < 1e-6 * difference.abs().max(1.0),
            "{what}[{i}]: gradient {} but difference {difference}",
            gradient[i]
        );
    }
}

/// A layer's parameters as its passes take them.
pub fn arranged<'a>(operation: &impl LaneOperation, own: &'a [f64]) -> Cow<'a, [f64]> {
    let mut arranged = vec![f64::NAN; operation.needs().arranged];
    if arranged.is_empty() {
        return own.into();
    }
    operation.arrange(own, &mut arranged);
    arranged.into()
}

/// The gradient by a layer's input, in memory that holds nothing.
pub fn input_gradient(operation: &impl LaneOperation, own: &[f64], seen: Seen<'_, f64>) -> Vec<Lane<f64>> {
    let mut dx = vec![Lane::splat(f64::NAN); seen.x.len()];
    let mut scratch = vec![Lane::splat(f64::NAN); operation.needs().scratch];
    operation.input_gradient(Float64, &arranged(operation, own), seen, &mut dx, &mut scratch);
    dx
}

/// A layer's forward pass, in memory that holds nothing.
pub fn forward(operation: &impl LaneOperation, own: &[f64], x: &[Lane<f64>], output: usize) -> Vec<Lane<f64>> {
    let mut y = vec![Lane::splat(f64::NAN); output];
    let mut scratch = vec![Lane::splat(f64::NAN); operation.needs().scratch];
    operation.forward(Float64, &arranged(operation, own), x, &mut y, &mut scratch);
    y
}

/// The gradient by a layer's own parameters, of tiles of two chunks.
pub fn own_gradient(operation: &impl LaneOperation, own: usize, tiles: &[Seen<'_, f64>]) -> Vec<f64> {
    let needs = operation.needs();
    let mut scratch = vec![Lane::splat(f64::NAN); needs.scratch];
    let (mut chunks, mut records) = (vec![vec![0.0; needs.chunk]; 2], Vec::new());
    for (i, seen) in tiles.iter().enumerate() {
        let mut record = vec![Lane::splat(f64::NAN); needs.record];
        let into = Accumulators { chunk: &mut chunks[i % 2], record: &mut record };
        operation.leave(Float64, *seen, into, &mut scratch);
        records.push(record);
    }
    let mut gradient = vec![0.0; own];
    let mut done = 0;
    for piece in operation.pieces() {
        assert_eq!(piece.start, done, "pieces lie end to end");
        done = piece.end;
        let left = Left { chunks: chunks.iter().map(Vec::as_slice), records: records.iter().map(Vec::as_slice) };
        operation.gradient(Float64, piece.clone(), left, &mut gradient[piece]);
    }
    assert_eq!(done, own, "and are all there is");
    gradient
}

/// Holds a layer's gradients by its input and its own parameters against the differences of its forward pass.
pub fn check_operation(what: &str, operation: &impl LaneOperation, input: usize, own: usize, output: usize) {
    let mut numbers = Numbers::new();
    let (x, own, dy) = (numbers.lanes(input), numbers.vec(own), numbers.lanes(output));
    let y = forward(operation, &own, &x, output);
    // What it does not look at by its own account, may be something else by then.
    let left_of_y = if operation.needs().output { y.clone() } else { vec![Lane::splat(f64::NAN); output] };
    let seen = Seen { x: &x, y: &left_of_y, dy: &dy };
    let dx = input_gradient(operation, &own, seen);
    if operation.needs().in_place {
        let mut in_place = x.clone();
        operation.input_gradient_in_place(Float64, &mut in_place, &y, &dy);
        assert_eq!(in_place, dx, "{what} in place");
    }
    let loss = |x: &[Lane<f64>], own: &[f64]| weighted_sum(&forward(operation, own, x, output), &dy);
    check(&format!("dx of {what}"), &flat(&x), &flat(&dx), |x| loss(&lanes(x), &own));
    check(&format!("d own of {what}"), &own, &own_gradient(operation, own.len(), &[seen]), |own| loss(&x, own));
}
