//! From a batch's chunks to its gradient, and from there to new parameters, in parts that threads take from each other.

use super::program::{Instruction, Program};
use super::threads::Chunk;
use crate::layers::{LaneOperation, Left};
use crate::network::{Network, Parameter};
use crate::optimizers::{self, Planes, follow, squares};
use crate::simd::{Kernel, Lane, Lanes, Real};
use std::ops::Range;

/// Parameters whose gradient is made in one go: a piece of a layer's.
#[derive(Clone, Debug)]
pub struct Part {
    /// Among all parameters.
    pub range: Range<usize>,
    /// Of the program: its layer.
    instruction: usize,
    /// Whether steps move them.
    pub learns: bool,
    /// Those of the range that steps move, each within one parameter.
    segments: Vec<Segment>,
}

/// Numbers of a part that are all weights or none, from its first.
#[derive(Clone, Debug)]
struct Segment {
    range: Range<usize>,
    is_weight: bool,
}

/// All parameters, end to end: those that steps move in pieces, and what lies between them.
pub fn parts(program: &Program) -> Vec<Part> {
    let mut parts = Vec::new();
    for (instruction, Instruction { operation, own, learns, .. }) in program.instructions.iter().enumerate() {
        let pieces = if *learns { operation.pieces() } else { Vec::new() };
        let ranges = pieces.into_iter().map(|piece| own.start + piece.start..own.start + piece.end);
        let mut end = own.start;
        for range in ranges {
            end = range.end;
            parts.push(Part { range, instruction, learns: true, segments: Vec::new() });
        }
        if end < own.end {
            parts.push(Part { range: end..own.end, instruction, learns: false, segments: Vec::new() });
        }
    }
    parts
}

impl Part {
    /// Itself, cut where one of the network's parameters ends and the next begins: what it takes to make a step.
    pub fn cut(self, network: &Network) -> Self {
        let Range { start, end } = self.range;
        let first = network.parameters.partition_point(|parameter| parameter.range.end <= start);
        let within = network.parameters[first..].iter().take_while(|parameter| parameter.range.start < end);
        let of = |parameter: &Parameter| {
            let range = parameter.range.start.max(start) - start..parameter.range.end.min(end) - start;
            Segment { range, is_weight: parameter.is_weight() }
        };
        let segments = within.filter(|parameter| parameter.trainable).map(of).collect();
        Self { segments, ..self }
    }

    /// The gradient of the part's parameters; of a batch's later rounds (not `is_first`), it is added. The order of the sums
    /// is that of `chunks` and `records`.
    #[inline(always)]
    pub fn gradient<'a, L: Lanes<Real: 'a>>(
        &self,
        l: L,
        program: &Program,
        is_first: bool,
        chunks: impl Iterator<Item = &'a [L::Real]>,
        records: impl Iterator<Item = &'a [Lane<L::Real>]> + Clone,
        gradient: &mut [L::Real],
    ) {
        if is_first {
            gradient.fill(L::Real::ZERO);
        }
        if !self.learns {
            return;
        }
        let Instruction { operation, own, chunk, record, .. } = &program.instructions[self.instruction];
        let left = Left {
            chunks: chunks.map(|sums| &sums[chunk.clone()]),
            records: records.map(|of_tile| &of_tile[record.clone()]),
        };
        operation.gradient(l, self.range.start - own.start..self.range.end - own.start, left, gradient);
    }

    /// Moves the part's parameters by `scale` times their gradient.
    #[inline(always)]
    fn step(&self, step: &optimizers::Step, scale: f32, weights: Weights<'_>) {
        let Weights { parameters, gradient, mut planes } = weights;
        for Segment { range, is_weight } in &self.segments {
            let own = planes.each_mut().map(|plane| of(plane, range));
            step.apply(*is_weight, scale, &mut parameters[range.clone()], &gradient[range.clone()], own);
        }
    }
}

/// A segment's numbers of a plane; none of an empty one.
#[inline(always)]
fn of<'a>(plane: &'a mut [f32], segment: &Range<usize>) -> &'a mut [f32] {
    plane.get_mut(segment.clone()).unwrap_or_default()
}

/// Parameters, their gradient and the optimiser's state: all, or those of some parts. A plane that the optimiser has no need
/// of may be empty.
pub struct Weights<'a> {
    pub parameters: &'a mut [f32],
    pub gradient: &'a mut [f32],
    pub planes: Planes<'a>,
}

impl Weights<'_> {
    fn split_at(self, i: usize) -> (Self, Self) {
        let (parameters, gradient) = (self.parameters.split_at_mut(i), self.gradient.split_at_mut(i));
        let (mut planes, mut rest) = (Planes::default(), Planes::default());
        for ((plane, first), second) in self.planes.into_iter().zip(&mut planes).zip(&mut rest) {
            (*first, *second) = plane.split_at_mut(i.min(plane.len()));
        }
        let first = Self { parameters: parameters.0, gradient: gradient.0, planes };
        (first, Self { parameters: parameters.1, gradient: gradient.1, planes: rest })
    }
}

/// Calls `work` with each of `parts` and its `weights`, on all threads of the pool that this is called in.
pub fn for_each_part(parts: &[Part], weights: Weights<'_>, work: &(impl Fn(&Part, Weights<'_>) + Sync)) {
    match parts {
        [] => {}
        [part] => work(part, weights),
        _ => {
            let (first, second) = parts.split_at(parts.len() / 2);
            let (first_weights, second_weights) = weights.split_at(second[0].range.start - first[0].range.start);
            rayon::join(|| for_each_part(first, first_weights, work), || for_each_part(second, second_weights, work));
        }
    }
}

/// A part's gradient of a round and, where its step takes no more than that, the optimiser's step.
pub struct Update<'a> {
    pub program: &'a Program,
    pub part: &'a Part,
    pub chunks: &'a [Chunk],
    pub is_first: bool,
    pub step: Option<optimizers::Step>,
    pub weights: Weights<'a>,
}

impl Kernel for Update<'_> {
    type Output = ();
    fn run<L: Lanes<Real = f32>>(self, l: L) {
        let Self { program, part, chunks, is_first, step, weights } = self;
        l.run(
            #[inline(always)]
            || {
                let gradients = chunks.iter().map(|chunk| &chunk.sums[..]);
                let records = chunks.iter().flat_map(|chunk| chunk.records(program));
                part.gradient(l, program, is_first, gradients, records, weights.gradient);
                if let Some(step) = step {
                    part.step(&step, 1.0, weights);
                }
            },
        );
    }
}

/// The sum of squares of a part's gradient.
pub struct Squares<'a> {
    pub part: &'a Part,
    /// Of all parameters.
    pub gradient: &'a [f32],
}

impl Kernel for Squares<'_> {
    type Output = f64;
    fn run<L: Lanes<Real = f32>>(self, l: L) -> f64 {
        let Self { part, gradient } = self;
        l.run(
            #[inline(always)]
            || squares(&gradient[part.range.clone()]),
        )
    }
}

/// The optimiser's step of a part by `scale` times its gradient, which is there.
pub struct Scaled<'a> {
    pub part: &'a Part,
    pub step: optimizers::Step,
    pub scale: f32,
    pub weights: Weights<'a>,
}

impl Kernel for Scaled<'_> {
    type Output = ();
    fn run<L: Lanes<Real = f32>>(self, l: L) {
        let Self { part, step, scale, weights } = self;
        l.run(
            #[inline(always)]
            || part.step(&step, scale, weights),
        );
    }
}

/// Moves the average of some parameters after a step.
pub struct Average<'a> {
    pub share: f32,
    pub average: &'a mut [f32],
    pub parameters: &'a [f32],
}

impl Kernel for Average<'_> {
    type Output = ();
    fn run<L: Lanes<Real = f32>>(self, l: L) {
        let Self { share, average, parameters } = self;
        l.run(
            #[inline(always)]
            || follow(share, average, parameters),
        );
    }
}
