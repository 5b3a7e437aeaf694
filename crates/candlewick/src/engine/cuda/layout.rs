//! A network as the kernels see it: a list of operations with the places of all that they read and write.

use super::visits::{NONE, Step, Visit, visits};
use crate::engine::route::{self, Route, Source, WayBack};
use crate::engine::schedule::{Stage, lengths, schedule};
use crate::engine::slots::{Lifetime, assign};
use crate::error::Result;
use crate::kernels::{number, numbers};
use crate::layers::{Encoded, LaneOperation, WORDS};
use crate::network::Network;
use bytemuck::{Pod, Zeroable};
use std::ops::Range;

/// `SPLITS` of kernels/arguments.cuh.
pub const SPLITS: usize = 4;

/// A layer in its place: `struct Operation` of kernels/layers.cuh.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct Operation {
    pub kind: i32,
    pub x: i32,
    pub y: i32,
    pub plus: i32,
    pub own: i32,
    pub own_end: i32,
    pub learned_end: i32,
    pub partial: i32,
    pub record: i32,
    pub numbers: i32,
    pub words: [i32; WORDS],
}

/// All that a kernel is told: `struct Arguments` of kernels/arguments.cuh, with addresses of the device's.
#[expect(missing_docs, reason = "arguments.cuh says what they are")]
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Arguments {
    pub operations: u64,
    pub steps: u64,
    pub bytes: u64,
    pub floats: u64,
    pub order: u64,
    pub labels: u64,
    pub mixes: u64,
    pub values: u64,
    pub loss: u64,
    pub parameters: u64,
    pub turned: u64,
    pub gradient: u64,
    pub optimizer: u64,
    pub batches: u64,
    pub seed: u64,
    pub partials: u64,
    pub records: u64,
    pub losses: u64,
    pub correct: u64,
    pub logits: u64,
    pub scratch: u64,
    pub numbers: u64,
    pub sums: u64,
    pub normalization: u64,
    pub visit: Visit,
    pub image_len: i32,
    pub plane_len: i32,
    pub classes: i32,
    pub first: i32,
    pub images: i32,
    pub batch: i32,
    pub memory_len: i32,
    pub by_image: i32,
    pub loss_gradient: i32,
    pub survey: i32,
    pub partial_len: i32,
    pub record_len: i32,
    pub partial_count: i32,
    pub parameter_count: i32,
    pub scale: f32,
}

/// The operations, and numbers of what they need.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// Those of training in the order of the parameters, then those of answers.
    pub operations: Vec<Operation>,
    /// Those of all visits.
    pub steps: Vec<Step>,
    /// Of a training step, and blocks that then put surveys together.
    pub visits: Vec<(Visit, usize)>,
    /// Of an answer.
    pub answer: Visit,
    /// Numbers of an image's memory in training: every value, gradients and a survey.
    pub memory_len: usize,
    /// Numbers of an image's memory for an answer.
    pub answer_len: usize,
    /// Where the gradient by the logits goes.
    pub loss_gradient: usize,
    /// Where a survey goes.
    pub survey: usize,
    /// Numbers of a partial gradient, of which a block has [`SPLITS`].
    pub partial_len: usize,
    /// Numbers of an image's record.
    pub record_len: usize,
    /// Numbers that the surveys of a batch come to.
    pub batch_len: usize,
}

impl Layout {
    /// # Errors
    /// `OutOfMemory` for a network whose numbers the kernels, which count in 32 bits, can't count.
    pub fn new(network: &Network) -> Result<Self> {
        let mut layout = Self::default();
        layout.lay_out_training(&schedule(network, true), network.image_len())?;
        layout.lay_out_answers(&schedule(network, false), network.image_len())?;
        let Self { memory_len, answer_len, partial_len, record_len, .. } = layout;
        numbers([memory_len, answer_len, partial_len, record_len, network.parameter_count()])?;
        Ok(layout)
    }

    /// Whether a step needs the values of the whole batch at once.
    pub fn is_by_image(&self) -> bool {
        self.visits.len() > 1
    }

    fn lay_out_training(&mut self, stages: &[Stage], image_len: usize) -> Result<()> {
        let lengths = lengths(stages, image_len);
        let (values, end) = end_to_end(0, &lengths);
        let mut surveys = Vec::with_capacity(stages.len());
        for (i, stage) in stages.iter().enumerate() {
            surveys.push(self.push_in_training(stage, &values, values[i + 1])?);
        }
        let route = WayBack::find(stages, lengths[stages.len()], false);
        let lifetimes: Vec<Lifetime> = route.gradients.iter().map(|gradient| gradient.steps).collect();
        let (slots, slot_lengths) = assign(&lifetimes);
        let (slot_places, end) = end_to_end(end, &slot_lengths);
        let longest = surveys.iter().map(|(len, _)| *len).max().unwrap_or_default();
        (self.survey, self.memory_len) = (end, end.saturating_add(longest));
        number(self.memory_len)?; // and with it all places
        let place = |source: Source| match source {
            Source::Value(value) => values[value] as i32,
            Source::Gradient(gradient) => slot_places[slots[gradient]] as i32,
        };
        self.loss_gradient = slot_places[slots[0]];
        let steps = self.lay_out_steps(&route, place);
        let dy = |pass: usize| route.surveys_back[pass].map_or(NONE, |(_, dy)| place(dy));
        let blocks = |visit: Visit| surveys.get(visit.surveyed as usize).map_or(0, |(_, blocks)| *blocks);
        self.visits = visits(&route, &steps, dy).into_iter().map(|visit| (visit, blocks(visit))).collect();
        Ok(())
    }

    /// Adds a stage whose output is at `y`; the numbers of an image's survey, and the blocks that put those of a batch together.
    fn push_in_training(&mut self, stage: &Stage, values: &[usize], y: usize) -> Result<(usize, usize)> {
        let encoded = stage.operation.encode(stage.output_len)?;
        let learned = if stage.learns { stage.operation.pieces().last().map_or(0, |piece| piece.end) } else { 0 };
        let (mut partial_len, mut record_len) = (0, 0);
        if learned > 0 {
            number(encoded.partial_len.saturating_mul(SPLITS))?; // a kernel counts the numbers of all splits
            (partial_len, record_len) = (encoded.partial_len, encoded.record_len);
        }
        let operation = operation(stage, &encoded, values, y)?;
        let [learned_end, partial, record, numbers] =
            numbers([stage.own.start + learned, self.partial_len, self.record_len, self.batch_len])?;
        self.operations.push(Operation { learned_end, partial, record, numbers, ..operation });
        self.partial_len = self.partial_len.saturating_add(partial_len);
        self.record_len = self.record_len.saturating_add(record_len);
        self.batch_len = self.batch_len.saturating_add(encoded.batch_len);
        Ok((encoded.survey_len, encoded.survey_blocks))
    }

    /// Adds the steps of all passes, the last pass's first; those of each.
    fn lay_out_steps(&mut self, route: &Route, place: impl Fn(Source) -> i32) -> Vec<Range<usize>> {
        let step = |step: &route::Step| match *step {
            route::Step::Through { stage, dy, dx } => {
                Step { operation: stage as i32, dy: place(dy), other: NONE, dx: dx.map_or(NONE, &place), len: 0 }
            }
            route::Step::Sum { of: [a, b], to, len } => {
                Step { operation: NONE, dy: place(a), other: place(b), dx: place(to), len: len as i32 }
            }
        };
        let mut of_passes = vec![0..0; route.passes];
        for (pass, range) in of_passes.iter_mut().enumerate().rev() {
            let first = self.steps.len();
            self.steps.extend(route.steps[pass].iter().map(step));
            *range = first..self.steps.len();
        }
        of_passes
    }

    fn lay_out_answers(&mut self, stages: &[Stage], image_len: usize) -> Result<()> {
        let mut lifetimes = route::forward(stages, image_len);
        lifetimes[0].last = stages.len() + 1; // the next image takes this one's place while logits are read
        let (slots, lengths) = assign(&lifetimes);
        let (slot_places, end) = end_to_end(0, &lengths);
        let values: Vec<usize> = slots.iter().map(|slot| slot_places[*slot]).collect();
        let first = self.operations.len();
        for (i, stage) in stages.iter().enumerate() {
            let encoded = stage.operation.encode(stage.output_len)?;
            self.operations.push(operation(stage, &encoded, &values, values[i + 1])?);
        }
        self.answer = Visit::forward(first..self.operations.len());
        self.answer_len = end;
        Ok(())
    }
}

/// A stage of values in these places, with its output at `y`.
fn operation(stage: &Stage, encoded: &Encoded, values: &[usize], y: usize) -> Result<Operation> {
    let [x, y, own, own_end] = numbers([values[stage.x], y, stage.own.start, stage.own.end])?;
    let plus = stage.plus.map_or(Ok(NONE), |plus| number(values[plus]))?;
    Ok(Operation { kind: encoded.kind, x, y, plus, own, own_end, words: encoded.words, ..Operation::default() })
}

/// Places for so many numbers each, one after the other from `first` on, and where they end.
fn end_to_end(first: usize, lengths: &[usize]) -> (Vec<usize>, usize) {
    let mut end = first;
    let place = |len: &usize| {
        let next = end.saturating_add(*len);
        std::mem::replace(&mut end, next)
    };
    (lengths.iter().map(place).collect(), end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activations::Activation;
    use crate::error::Code;
    use crate::layers::{ActivationLayer, BatchNorm, Conv2d, Dense, Layer, MaxPool2d, Residual};

    fn refused(layers: &[Layer], input_shape: [usize; 3]) -> String {
        let error = Layout::new(&Network::new(layers, input_shape).unwrap()).unwrap_err();
        assert_eq!(error.code, Code::OutOfMemory);
        error.message
    }

    /// Each is within what a network may have, and beyond what the kernels count to.
    #[test]
    fn what_the_kernels_cannot_count_is_refused() {
        let conv = |channels, kernel_size, strides, padding: [usize; 2]| {
            Layer::Conv2d(Conv2d { strides, padding: padding.into(), ..Conv2d::new(channels, kernel_size) })
        };
        let dense = |units| Layer::Dense(Dense::new(units));
        let thin = conv(1, [1, 1], [1 << 30, 1], [1 << 30, 0]);
        for (layers, input_shape, number) in [
            (&[dense((1 << 31) - 8)][..], [1, 1, 1], "2147483640 numbers"), // parameters; also those past 2³¹ - 2²⁰
            (&[dense((1 << 30) - 64), dense(1)], [1, 1, 1], "2147483520 numbers"), // parameters of two layers
            (&[conv(1 << 29, [1, 1], [1, 1], [0, 0])], [1, 1, 1], "4294967296 numbers"), // weights and biases, in four splits
            (&[thin, dense(1)], [1, 1, 1], "2147483649 numbers"),                        // rows of the padded image
            (&[Layer::MaxPool2d(MaxPool2d::new([1, 1]))], [1, 1 << 15, 1 << 15], "3221225472 numbers"), // memory
            (
                &[Layer::MaxPool2d(MaxPool2d { strides: [1 << 31, 1], ..MaxPool2d::new([1, 1]) })],
                [1, 1, 1],
                "2147483648 numbers",
            ), // a stride
        ] {
            let message = refused(layers, input_shape);
            assert!(
                message.contains(number) && message.contains("2146435071") && message.contains("\"cpu\""),
                "{message}"
            );
        }
    }

    #[test]
    fn records_of_dense_layers_and_gradients_of_convolutions_lie_end_to_end() {
        let conv = |channels| {
            Layer::Conv2d(Conv2d {
                padding: [1, 1].into(),
                activation: Some(Activation::Relu),
                ..Conv2d::new(channels, [3, 3])
            })
        };
        let dense = |units| Layer::Dense(Dense::new(units));
        let network = Network::new(&[conv(2), conv(3), dense(5), dense(4)], [1, 4, 4]).unwrap();
        let layout = Layout::new(&network).unwrap();
        let [conv, _, other, _, dense, last] = &layout.operations[..6] else { unreachable!() };
        assert_eq!((conv.partial, other.partial, layout.partial_len), (0, 20, 20 + 57));
        assert_eq!((dense.record, last.record, layout.record_len), (0, 48 + 5, 53 + 9));
        assert_eq!(layout.loss_gradient, 16 + 2 * 32 + 2 * 48 + 9);
        assert_eq!(layout.memory_len, layout.loss_gradient + 96);
        assert_eq!(layout.answer_len, 16 + 48 + 48);
    }

    fn tanh() -> Layer {
        Layer::Activation(ActivationLayer { activation: Activation::Tanh })
    }

    /// dy and dx of each step, from the place of the first gradient on.
    fn gradients(layout: &Layout) -> Vec<[i32; 2]> {
        let place = |place: i32| if place == NONE { NONE } else { place - layout.loss_gradient as i32 };
        layout.steps.iter().map(|step| [place(step.dy), place(step.dx)]).collect()
    }

    #[test]
    fn gradients_of_a_chain_take_turns_in_two_places() {
        let dense = |units| Layer::Dense(Dense::new(units));
        let network = Network::new(&[dense(5), tanh(), dense(4), tanh(), dense(3)], [1, 1, 2]).unwrap();
        let layout = Layout::new(&network).unwrap();
        // 3, 4 and 5 numbers, after 2 + 5 + 5 + 4 + 4 + 3 values.
        assert_eq!(gradients(&layout), [[0, 5], [5, 0], [0, 5], [5, 0], [0, NONE]]);
        assert_eq!((layout.loss_gradient, layout.memory_len), (23, 23 + 5 + 5));
        assert_eq!(layout.visits, [(Visit { ends: 1, end_step: 5, ..Visit::forward(0..5) }, 0)]);
    }

    #[test]
    fn two_ways_that_meet_have_a_gradient_each_and_their_sum() {
        let block = Layer::Residual(Residual { body: vec![tanh()], shortcut: Vec::new() });
        let dense = |units| Layer::Dense(Dense::new(units));
        let network = Network::new(&[dense(4), block, dense(2)], [1, 1, 3]).unwrap();
        let layout = Layout::new(&network).unwrap();
        let [_, _, sum, _] = &layout.operations[..4] else { unreachable!() };
        assert_eq!([sum.x, sum.plus, sum.y], [3 + 4, 3, 3 + 4 + 4]);
        // Of the sum 4 numbers in the second place, of tanh's input 4 in the first, which the sum of both can't take.
        assert_eq!(gradients(&layout), [[0, 4], [4, 0], [0, 8], [8, NONE]]);
        assert_eq!((layout.steps[2].other - layout.loss_gradient as i32, layout.steps[2].len), (4, 4));
    }

    #[test]
    fn a_batch_is_visited_again_at_each_normalisation() {
        let norm = || Layer::BatchNorm(BatchNorm::default());
        let conv = Layer::Conv2d(Conv2d::new(2, [1, 1]));
        let network = Network::new(&[conv, norm(), tanh(), norm()], [3, 6, 6]).unwrap();
        let layout = Layout::new(&network).unwrap();
        let dy = layout.loss_gradient as i32;
        let forward = |first_operation, end_operation, surveyed| Visit {
            first_operation,
            end_operation,
            surveyed,
            ..Visit::default()
        };
        let back = |first_step, end_step| Visit { first_step, end_step, ..Visit::default() };
        let expected = [
            (Visit { begins: 1, ..forward(0, 1, 1) }, 2),
            (forward(1, 3, 3), 2),
            (Visit { ends: 1, surveyed_dy: dy, ..forward(3, 4, 3) }, 2),
            (Visit { surveyed: 1, surveyed_dy: dy, ..back(0, 2) }, 2),
            (back(2, 4), 0),
        ];
        assert_eq!(layout.visits, expected);
        assert_eq!(layout.memory_len, layout.survey + 2 * 2 * 32);
        let [norm, last] = [1, 3].map(|i| layout.operations[i]);
        assert_eq!([norm.own, norm.learned_end, norm.own_end, last.numbers], [8, 8 + 4, 8 + 8, 8]);
    }

    #[test]
    fn what_nobody_asks_for_is_not_gone_through() {
        let frozen = Layer::BatchNorm(BatchNorm { trainable: false, ..BatchNorm::default() });
        let network = Network::new(&[frozen, Layer::Dense(Dense::new(2))], [1, 1, 3]).unwrap();
        let layout = Layout::new(&network).unwrap();
        assert_eq!((layout.visits.len(), gradients(&layout)), (1, vec![[0, NONE]]));
        assert_eq!([layout.operations[0].own, layout.operations[0].learned_end], [0, 0]);
    }
}
