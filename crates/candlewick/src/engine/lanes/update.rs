//! From a batch's chunks to its gradient, and from there to new parameters, in parts that threads take from each other.

use super::program::{Operation, Program};
use super::threads::Chunk;
use crate::layers::dense::Record;
use crate::optimizers::{Planes, Step};
use crate::simd::{Kernel, Lane, Lanes, Real};
use std::ops::Range;

/// Parameters of a part, about: a few microseconds' work.
const PART: usize = 8192;

/// Parameters whose gradient is made in one go.
#[derive(Clone, Debug)]
pub struct Part {
    /// Among all parameters.
    pub range: Range<usize>,
    source: Source,
}

/// What a part's gradient is made of.
#[derive(Clone, Debug)]
enum Source {
    /// Of the chunks' gradients, the numbers from here on.
    Chunks(usize),
    /// Of the tiles' records, those at `place`: the weights of some units.
    Weight { layout: Record, place: Range<usize>, units: Range<usize> },
    /// Of the tiles' records, those at `place`: all biases.
    Bias { layout: Record, place: Range<usize> },
}

/// All parameters, end to end.
pub fn parts(program: &Program) -> Vec<Part> {
    let mut parts = Vec::new();
    for operation in &program.operations {
        match operation {
            Operation::Conv2d { weight, bias, gradient, .. } => {
                parts.extend(pieces(weight.start..bias.end, PART).map(|range| {
                    let source = Source::Chunks(gradient.start + range.start - weight.start);
                    Part { range, source }
                }));
            }
            Operation::Dense { layout, weight, bias, place } => {
                let count = weight.len().div_ceil(PART);
                let units = layout.units.div_ceil(count).next_multiple_of(WHOLE_TILES);
                parts.extend(pieces(0..layout.units, units).map(|units| {
                    let range = weight.start + units.start * layout.inputs..weight.start + units.end * layout.inputs;
                    Part { range, source: Source::Weight { layout: *layout, place: place.clone(), units } }
                }));
                let source = Source::Bias { layout: *layout, place: place.clone() };
                parts.push(Part { range: bias.clone(), source });
            }
            _ => {}
        }
    }
    parts
}

/// Units that leave no remainder of a register tile.
const WHOLE_TILES: usize = 6;

fn pieces(range: Range<usize>, len: usize) -> impl Iterator<Item = Range<usize>> {
    range.clone().step_by(len).map(move |start| start..(start + len).min(range.end))
}

impl Part {
    /// The gradient of the part's parameters; of a batch's later rounds (not `is_first`), it is added. The order of the sums
    /// is that of `chunks` and `records`.
    #[inline(always)]
    pub fn gradient<'a, L: Lanes<Real: 'a>>(
        &self,
        l: L,
        is_first: bool,
        chunks: impl Iterator<Item = &'a [L::Real]>,
        records: impl Iterator<Item = &'a [Lane<L::Real>]> + Clone,
        gradient: &mut [L::Real],
    ) {
        if is_first {
            gradient.fill(L::Real::ZERO);
        }
        match &self.source {
            Source::Chunks(start) => {
                for chunk in chunks {
                    for (sum, g) in gradient.iter_mut().zip(&chunk[*start..]) {
                        *sum += *g;
                    }
                }
            }
            Source::Weight { layout, place, units } => {
                let records = records.map(|record| &record[place.clone()]);
                layout.weight_gradient(l, records, units.clone(), gradient);
            }
            Source::Bias { layout, place } => {
                layout.bias_gradient(l, records.map(|record| &record[place.clone()]), gradient);
            }
        }
    }
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

/// A part's gradient of a round and, after a batch's last, the optimiser's step.
pub struct Update<'a> {
    pub part: &'a Part,
    pub chunks: &'a [Chunk],
    pub record_len: usize,
    pub is_first: bool,
    pub step: Option<Step>,
    pub weights: Weights<'a>,
}

impl Kernel for Update<'_> {
    type Output = ();
    fn run<L: Lanes<Real = f32>>(self, l: L) {
        let Self { part, chunks, record_len, is_first, step, weights } = self;
        l.run(
            #[inline(always)]
            || {
                let gradients = chunks.iter().map(|chunk| &chunk.gradient[..]);
                let records = chunks.iter().flat_map(|chunk| chunk.records().chunks_exact(record_len));
                part.gradient(l, is_first, gradients, records, weights.gradient);
                if let Some(step) = step {
                    step.apply(weights.parameters, weights.gradient, weights.planes);
                }
            },
        );
    }
}
