//! A network as the list of operations that a tile goes through.

use crate::engine::schedule::{Stage, schedule};
use crate::layers::conv2d::{Conv2d, Gradients};
use crate::layers::dense::Record;
use crate::layers::windows::Windows;
use crate::layers::{activation, avg_pool2d, dense, max_pool2d};
use crate::network::{Activation, Layer, Network, PlacedLayer};
use crate::simd::{Lane, Lanes};
use std::ops::Range;

/// One operation and where its parameters are.
#[derive(Clone, Debug)]
pub enum Operation {
    /// A tile adds its gradient to its chunk's, at `gradient`: weight, then bias.
    Conv2d {
        conv: Conv2d,
        weight: Range<usize>,
        bias: Range<usize>,
        gradient: Range<usize>,
    },
    MaxPool2d(Windows),
    AvgPool2d(Windows),
    /// A tile leaves what its gradient is made of in its record, at `place`.
    Dense {
        layout: Record,
        weight: Range<usize>,
        bias: Range<usize>,
        place: Range<usize>,
    },
    Activation(Activation),
}

/// The operations, and the length of what goes into each and out of the last.
#[derive(Clone, Debug)]
pub struct Program {
    pub operations: Vec<Operation>,
    /// Values of one image: `lengths[i]` before operation i, `lengths[i + 1]` after it.
    pub lengths: Vec<usize>,
    /// Lanes of scratch memory that the neediest operation asks for.
    pub scratch_len: usize,
    /// Numbers of a chunk's gradient.
    pub gradient_len: usize,
    /// Lanes of a tile's record.
    pub record_len: usize,
}

impl Program {
    pub fn new(network: &Network) -> Self {
        let mut program = Self {
            operations: Vec::new(),
            lengths: vec![network.image_len()],
            scratch_len: 0,
            gradient_len: 0,
            record_len: 0,
        };
        for stage in schedule(network) {
            match stage {
                Stage::Layer(placed) => {
                    let operation = program.operation(network, placed);
                    program.push(operation, placed.output_shape.iter().product());
                }
                Stage::Activation(function) => {
                    program.push(Operation::Activation(function), program.lengths[program.lengths.len() - 1]);
                }
            }
        }
        program
    }

    /// The longest of [`Program::lengths`].
    pub fn longest(&self) -> usize {
        self.lengths.iter().copied().max().unwrap_or(0)
    }

    fn push(&mut self, operation: Operation, output_len: usize) {
        self.operations.push(operation);
        self.lengths.push(output_len);
    }

    fn operation(&mut self, network: &Network, placed: &PlacedLayer) -> Operation {
        let parameter = |i: usize| network.parameters[placed.parameters.start + i].range.clone();
        let windows = |pool_size, strides| {
            let (input, output) = (&placed.input_shape, &placed.output_shape);
            Windows {
                channels: input[0],
                input: [input[1], input[2]],
                output: [output[1], output[2]],
                pool_size,
                strides,
            }
        };
        match placed.layer {
            Layer::Conv2d { channels, kernel_size, strides, padding, .. } => {
                let (input, output) = (&placed.input_shape, &placed.output_shape);
                let conv = Conv2d {
                    in_channels: input[0],
                    out_channels: channels,
                    input: [input[1], input[2]],
                    output: [output[1], output[2]],
                    kernel_size,
                    strides,
                    padding,
                };
                self.scratch_len = self.scratch_len.max(conv.scratch_len());
                let (weight, bias) = (parameter(0), parameter(1));
                let gradient = next(&mut self.gradient_len, weight.len() + bias.len());
                Operation::Conv2d { conv, weight, bias, gradient }
            }
            Layer::MaxPool2d { pool_size, strides } => Operation::MaxPool2d(windows(pool_size, strides)),
            Layer::AvgPool2d { pool_size, strides } => Operation::AvgPool2d(windows(pool_size, strides)),
            Layer::Dense { units, .. } => {
                let layout = Record { inputs: placed.input_shape.iter().product(), units };
                let place = next(&mut self.record_len, layout.lanes());
                Operation::Dense { layout, weight: parameter(0), bias: parameter(1), place }
            }
        }
    }
}

/// The `len` places after the first `used`, which they are counted among from now on.
fn next(used: &mut usize, len: usize) -> Range<usize> {
    let start = *used;
    *used = start.saturating_add(len);
    start..*used
}

/// Where a tile's backward pass leaves what the parameters' gradients are made of.
pub struct Accumulators<'a, R> {
    /// Numbers of the chunk, which its tiles add to: [`Program::gradient_len`].
    pub gradient: &'a mut [R],
    /// Lanes of the tile alone: [`Program::record_len`].
    pub record: &'a mut [Lane<R>],
}

impl Operation {
    /// From `x` to `y`.
    pub fn forward<L: Lanes>(
        &self,
        l: L,
        parameters: &[L::Real],
        x: &[Lane<L::Real>],
        y: &mut [Lane<L::Real>],
        scratch: &mut [Lane<L::Real>],
    ) {
        match self {
            Self::Conv2d { conv, weight, bias, .. } => {
                conv.forward(l, x, &parameters[weight.clone()], &parameters[bias.clone()], y, scratch);
            }
            Self::Dense { weight, bias, .. } => {
                dense::forward(l, x, &parameters[weight.clone()], &parameters[bias.clone()], y);
            }
            Self::MaxPool2d(windows) => max_pool2d::forward(l, windows, x, y),
            Self::AvgPool2d(windows) => avg_pool2d::forward(l, windows, x, y),
            Self::Activation(function) => activation::forward(l, *function, x, y),
        }
    }

    /// From `dy` to `dx`, if it is asked for.
    pub fn backward<L: Lanes>(
        &self,
        l: L,
        parameters: &[L::Real],
        [x, y, dy]: [&[Lane<L::Real>]; 3],
        dx: Option<&mut [Lane<L::Real>]>,
        into: Accumulators<'_, L::Real>,
        scratch: &mut [Lane<L::Real>],
    ) {
        match self {
            Self::Conv2d { conv, weight, gradient, .. } => {
                let (dw, db) = into.gradient[gradient.clone()].split_at_mut(weight.len());
                conv.parameter_gradient(l, x, dy, Gradients { weight: dw, bias: db }, scratch);
                if let Some(dx) = dx {
                    conv.input_gradient(l, &parameters[weight.clone()], dy, dx);
                }
            }
            Self::Dense { layout, weight, place, .. } => {
                layout.write(x, dy, &mut into.record[place.clone()]);
                if let Some(dx) = dx {
                    dense::input_gradient(l, &parameters[weight.clone()], dy, dx);
                }
            }
            Self::MaxPool2d(windows) => {
                if let Some(dx) = dx {
                    max_pool2d::backward(l, windows, x, y, dy, dx);
                }
            }
            Self::AvgPool2d(windows) => {
                if let Some(dx) = dx {
                    avg_pool2d::backward(l, windows, dy, dx);
                }
            }
            Self::Activation(function) => {
                if let Some(dx) = dx {
                    activation::backward(l, *function, y, dy, dx);
                }
            }
        }
    }
}

impl Operation {
    /// Whether the backward pass looks at y.
    pub fn needs_output(&self) -> bool {
        matches!(self, Self::MaxPool2d(_) | Self::Activation(_))
    }

    /// Whether there is [`Operation::backward_in_place`].
    pub fn works_in_place(&self) -> bool {
        matches!(self, Self::MaxPool2d(windows) if windows.cover_inputs_once())
    }

    /// From `dy` to dx, which takes the place of `x`.
    pub fn backward_in_place<L: Lanes>(
        &self,
        l: L,
        x: &mut [Lane<L::Real>],
        y: &[Lane<L::Real>],
        dy: &[Lane<L::Real>],
    ) {
        if let Self::MaxPool2d(windows) = self {
            max_pool2d::backward_in_place(l, windows, x, y, dy);
        }
    }
}
