//! Sixteen images on their way through the network, forward and backward, in the cache of one core.

use super::program::Program;
use crate::error::Result;
use crate::layers::{Accumulators, LaneOperation, Seen};
use crate::losses::Objective;
use crate::memory::Buffer;
use crate::metrics::Metrics;
use crate::simd::{Kernel, Lane, Lanes, Real};

/// What memory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Prediction and evaluation: what has been used on the way forward is forgotten.
    Answer,
    /// Training: every value is kept for the way back.
    Train,
}

/// The memory that a tile needs, from when it needs it.
pub struct Scratch<R> {
    /// To train: `values[i]` goes into operation i and `values[i + 1]` comes out: `[C][H][W]` or `[units]`.
    values: Vec<Buffer<R>>,
    /// To answer, the values on both sides of an operation; to train, the gradients by them. In turn.
    pair: [Buffer<R>; 2],
    operation: Buffer<R>,
}

impl<R: Real> Scratch<R> {
    /// Without memory.
    pub fn new() -> Self {
        Self { values: Vec::new(), pair: [Buffer::empty(), Buffer::empty()], operation: Buffer::empty() }
    }

    /// Takes what is still missing.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn prepare(&mut self, program: &Program, purpose: Purpose) -> Result<()> {
        for buffer in &mut self.pair {
            buffer.grow(program.longest())?;
        }
        self.operation.grow(program.scratch_len)?;
        if purpose == Purpose::Train && self.values.is_empty() {
            self.values = program.lengths.iter().map(|n| Buffer::zeros(*n)).collect::<Result<_>>()?;
        }
        Ok(())
    }

    /// Bytes that one tile takes, to answer.
    pub fn needs(program: &Program) -> usize {
        let lanes = program.longest().saturating_mul(2).saturating_add(program.scratch_len);
        lanes.saturating_mul(size_of::<Lane<R>>())
    }

    /// Bytes held.
    pub fn size(&self) -> usize {
        self.values.iter().chain(&self.pair).chain([&self.operation]).map(Buffer::size).sum()
    }

    /// Where the images go: `[C][H][W]`.
    pub fn input(&mut self, program: &Program, purpose: Purpose) -> &mut [Lane<R>] {
        match purpose {
            Purpose::Answer => &mut self.pair[0][..program.lengths[0]],
            Purpose::Train => &mut self.values[0],
        }
    }

    /// The images' logits, `[classes]`, and room for as many.
    pub fn answer<L: Lanes<Real = R>>(
        &mut self,
        l: L,
        program: &Program,
        parameters: &[R],
    ) -> (&[Lane<R>], &mut [Lane<R>]) {
        let [x, y] = &mut self.pair;
        let (mut x, mut y) = (&mut **x, &mut **y);
        for (i, instruction) in program.instructions.iter().enumerate() {
            let (before, after) = (&x[..program.lengths[i]], &mut y[..program.lengths[i + 1]]);
            instruction.operation.forward(l, &parameters[instruction.own.clone()], before, after, &mut self.operation);
            std::mem::swap(&mut x, &mut y);
        }
        let classes = program.lengths[program.instructions.len()];
        (&x[..classes], &mut y[..classes])
    }

    /// As [`Scratch::answer`], but all values are kept for [`Scratch::backward`].
    pub fn forward<L: Lanes<Real = R>>(&mut self, l: L, program: &Program, parameters: &[R]) {
        for (i, instruction) in program.instructions.iter().enumerate() {
            let (before, after) = self.values.split_at_mut(i + 1);
            let own = &parameters[instruction.own.clone()];
            instruction.operation.forward(l, own, &before[i], &mut after[0], &mut self.operation);
        }
    }

    /// The loss of the logits; its gradient by them, times `scale`, is kept for [`Scratch::backward`].
    pub fn loss<L: Lanes<Real = R>>(&mut self, l: L, objective: &Objective<'_>, scale: R) -> Metrics {
        let logits = &self.values[self.values.len() - 1];
        objective.tile(l, logits, scale, &mut self.pair[0][..logits.len()])
    }

    /// From the gradient of the loss by the logits, what the gradients by the parameters are made of.
    pub fn backward<L: Lanes<Real = R>>(
        &mut self,
        l: L,
        program: &Program,
        parameters: &[R],
        into: Accumulators<'_, R>,
    ) {
        let Accumulators { chunk, record } = into;
        let [dy, dx] = &mut self.pair;
        let mut is_in_place = false; // whether dy took the place of y
        for (i, instruction) in program.instructions.iter().enumerate().rev() {
            let (before, after) = self.values.split_at_mut(i + 1);
            let (x, y) = (&mut before[i][..], &after[0][..]);
            let dy_here = if is_in_place { y } else { &dy[..y.len()] };
            let own = &parameters[instruction.own.clone()];
            let into = Accumulators {
                chunk: &mut chunk[instruction.chunk.clone()],
                record: &mut record[instruction.record.clone()],
            };
            instruction.operation.leave(l, Seen { x, y, dy: dy_here }, into, &mut self.operation);
            if i == 0 {
                break; // nobody asks for the gradient by the image
            }
            is_in_place = instruction.needs.in_place && !program.instructions[i - 1].needs.output;
            if is_in_place {
                instruction.operation.input_gradient_in_place(l, x, y, dy_here);
            } else {
                instruction.operation.input_gradient(l, own, Seen { x, y, dy: dy_here }, &mut dx[..x.len()]);
                std::mem::swap(dy, dx);
            }
        }
    }
}

/// Forward, loss and backward of the tile in `scratch`.
pub struct Train<'a> {
    pub program: &'a Program,
    pub parameters: &'a [f32],
    pub objective: Objective<'a>,
    pub scale: f32,
    pub scratch: &'a mut Scratch<f32>,
    pub into: Accumulators<'a, f32>,
}

impl Kernel for Train<'_> {
    type Output = Metrics;
    fn run<L: Lanes<Real = f32>>(self, l: L) -> Metrics {
        self.scratch.forward(l, self.program, self.parameters);
        let metrics = self.scratch.loss(l, &self.objective, self.scale);
        self.scratch.backward(l, self.program, self.parameters, self.into);
        metrics
    }
}

/// Forward and loss of the tile in `scratch`, for an answer.
pub struct Score<'a> {
    pub program: &'a Program,
    pub parameters: &'a [f32],
    pub objective: Objective<'a>,
    pub scratch: &'a mut Scratch<f32>,
}

impl Kernel for Score<'_> {
    type Output = Metrics;
    fn run<L: Lanes<Real = f32>>(self, l: L) -> Metrics {
        let (logits, gradient) = self.scratch.answer(l, self.program, self.parameters);
        self.objective.tile(l, logits, 1.0, gradient)
    }
}

/// Forward of the tile in `scratch`: its logits, `[classes]`.
pub struct Predict<'a> {
    pub program: &'a Program,
    pub parameters: &'a [f32],
    pub scratch: &'a mut Scratch<f32>,
}

impl<'a> Kernel for Predict<'a> {
    type Output = &'a [Lane<f32>];
    fn run<L: Lanes<Real = f32>>(self, l: L) -> &'a [Lane<f32>] {
        self.scratch.answer(l, self.program, self.parameters).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activations::Activation;
    use crate::engine::lanes::update::parts;
    use crate::layers::finite_differences::{Numbers, check};
    use crate::layers::{AvgPool2d, Conv2d, Dense, Layer, MaxPool2d};
    use crate::losses::{Loss, Targets};
    use crate::network::Network;
    use crate::simd::{Float64, LANES};

    /// Convolution, padding, stride, both pools, windows that overlap and that do not, every activation, and pools on either side of them.
    fn network() -> Network {
        let conv = |channels, kernel, stride, padding, activation| {
            Layer::Conv2d(Conv2d {
                strides: [stride; 2],
                padding: [padding; 2].into(),
                activation,
                ..Conv2d::new(channels, [kernel; 2])
            })
        };
        let layers = [
            conv(3, 3, 1, 1, Some(Activation::Sigmoid)),
            Layer::MaxPool2d(MaxPool2d { strides: [2, 2], ..MaxPool2d::new([3, 3]) }),
            conv(5, 2, 2, 1, Some(Activation::Tanh)),
            Layer::MaxPool2d(MaxPool2d::new([3, 1])),
            Layer::AvgPool2d(AvgPool2d { strides: [1, 1], ..AvgPool2d::new([1, 2]) }),
            Layer::Dense(Dense { activation: Some(Activation::Relu), ..Dense::new(7) }),
            Layer::Dense(Dense::new(4)),
        ];
        Network::new(&layers, [2, 10, 9]).unwrap()
    }

    /// The mean loss of a batch, tile by tile, and its gradient.
    fn loss_and_gradient(
        program: &Program,
        images: &[Vec<f64>],
        labels: &[u32],
        parameters: &[f64],
    ) -> (f64, Vec<f64>) {
        let mut scratch = Scratch::new();
        scratch.prepare(program, Purpose::Train).unwrap();
        let (mut loss, mut chunk) = (0.0, vec![0.0; program.chunk_len]);
        let mut records = Vec::new();
        let (plain, scale) = (Loss::default(), 1.0 / images.len() as f64);
        for (images, labels) in images.chunks(LANES).zip(labels.chunks(LANES)) {
            scratch.values[0].fill(Lane::zero());
            for (lane, image) in images.iter().enumerate() {
                for (to, from) in scratch.values[0].iter_mut().zip(image) {
                    to.0[lane] = *from;
                }
            }
            scratch.forward(Float64, program, parameters);
            let objective = Objective::new(&plain, Targets::Labels(labels), 1).unwrap();
            loss += scratch.loss(Float64, &objective, scale).loss;
            let mut record = vec![Lane::splat(f64::NAN); program.record_len];
            let into = Accumulators { chunk: &mut chunk, record: &mut record };
            scratch.backward(Float64, program, parameters, into);
            records.push(record);
        }
        let mut gradient = vec![f64::NAN; parameters.len()];
        for part in parts(program) {
            let chunks = std::iter::once(&chunk[..]);
            let records = records.iter().map(Vec::as_slice);
            part.gradient(Float64, program, true, chunks, records, &mut gradient[part.range.clone()]);
        }
        (loss, gradient)
    }

    /// Max pools whose windows touch take the place of their input on the way back: not those of the image, and not one's
    /// that a pool before it still looks at.
    fn pools() -> Network {
        let pool = Layer::MaxPool2d(MaxPool2d::new([2, 2]));
        let conv = Layer::Conv2d(Conv2d { activation: Some(Activation::Tanh), ..Conv2d::new(2, [1, 1]) });
        let dense = Layer::Dense(Dense::new(3));
        Network::new(&[pool, conv, pool, pool, dense], [1, 16, 8]).unwrap()
    }

    #[test]
    fn pools_in_place_agree_with_finite_differences() {
        agrees_with_finite_differences(&pools(), 3, &[1, 17]);
    }

    #[test]
    fn the_whole_network_agrees_with_finite_differences() {
        agrees_with_finite_differences(&network(), 4, &[1, 15, 16, 17]);
    }

    fn agrees_with_finite_differences(network: &Network, classes: u32, batches: &[usize]) {
        let program = Program::new(network);
        for &batch in batches {
            let mut numbers = Numbers::new();
            let images: Vec<_> = (0..batch).map(|_| numbers.vec(network.image_len())).collect();
            let labels: Vec<u32> = (0..batch as u32).map(|i| i % classes).collect();
            let parameters = numbers.vec(network.parameter_count());
            let (_, gradient) = loss_and_gradient(&program, &images, &labels, &parameters);
            check(&format!("batch of {batch}"), &parameters, &gradient, |parameters| {
                loss_and_gradient(&program, &images, &labels, parameters).0 / batch as f64
            });
        }
    }
}
