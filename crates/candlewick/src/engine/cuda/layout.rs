//! A network as the kernels see it: a list of operations with the places of all that they read and write. The structs are
//! those of `kernels/program.cuh`, field by field.

use crate::activations::Activation;
use crate::engine::schedule::{Stage, schedule};
use crate::error::{Code, Error, Result};
use crate::layers::windows::Windows;
use crate::layers::{Operation as Arithmetic, activation, avg_pool2d, conv2d, dense, max_pool2d};
use crate::network::Network;
use bytemuck::{Pod, Zeroable};

const CONV2D: i32 = 0;
const MAX_POOL2D: i32 = 1;
const AVG_POOL2D: i32 = 2;
const DENSE: i32 = 3;
const ACTIVATION: i32 = 4;

/// `struct Operation`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct Operation {
    kind: i32,
    function: i32,
    input: [i32; 3],
    output: [i32; 3],
    kernel: [i32; 2],
    strides: [i32; 2],
    padding: [i32; 2],
    weight: i32,
    bias: i32,
    parameter_end: i32,
    gradient: i32,
    record: i32,
    x: i32,
    y: i32,
}

/// All that a kernel is told: `struct Arguments` of kernels/program.cuh, with addresses of the device's.
#[expect(missing_docs, reason = "program.cuh says what they are")]
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub struct Arguments {
    pub operations: u64,
    pub bytes: u64,
    pub floats: u64,
    pub order: u64,
    pub labels: u64,
    pub parameters: u64,
    pub turned: u64,
    pub gradient: u64,
    pub velocity: u64,
    pub partials: u64,
    pub records: u64,
    pub losses: u64,
    pub correct: u64,
    pub logits: u64,
    pub scratch: u64,
    pub sums: u64,
    pub operation_count: i32,
    pub image_len: i32,
    pub classes: i32,
    pub first: i32,
    pub images: i32,
    pub memory_len: i32,
    pub gradients: i32,
    pub longest: i32,
    pub gradient_len: i32,
    pub record_len: i32,
    pub partial_count: i32,
    pub parameter_count: i32,
    pub scale: f32,
    pub learning_rate: f32,
    pub momentum: f32,
    pub weight_decay: f32,
}

// As program.cuh asserts on its side.
const _: () = assert!(size_of::<Operation>() == 84 && size_of::<Arguments>() == 192);

/// The operations, and numbers of what they need.
#[derive(Clone, Debug)]
pub struct Layout {
    pub operations: Vec<Operation>,
    /// Numbers of a block's memory: every value, then two gradients as long as the longest.
    pub memory_len: usize,
    /// Where the two gradients begin.
    pub gradients: usize,
    /// Numbers of each.
    pub longest: usize,
    /// Numbers of a block's partial gradient: the convolutions'.
    pub gradient_len: usize,
    /// Numbers of an image's record: what goes into dense layers, and the gradient by what comes out.
    pub record_len: usize,
}

impl Layout {
    /// # Errors
    /// `OutOfMemory` for a network whose numbers the kernels, which count in 32 bits, can't count.
    pub fn new(network: &Network) -> Result<Self> {
        let mut layout = Builder { end: network.image_len(), longest: network.image_len(), ..Builder::default() };
        let [c, h, w] = network.input_shape;
        layout.shape = [c, h, w];
        for stage in schedule(network) {
            layout.place(&stage)?;
        }
        let Builder { operations, end, longest, gradient_len, record_len, .. } = layout;
        let memory_len = end.saturating_add(longest.saturating_mul(2));
        for len in [memory_len, gradient_len, record_len, network.parameter_count()] {
            number(len)?;
        }
        Ok(Self { operations, memory_len, gradients: end, longest, gradient_len, record_len })
    }
}

#[derive(Default)]
struct Builder {
    operations: Vec<Operation>,
    /// Where the last value is, and where it ends.
    last: usize,
    end: usize,
    longest: usize,
    gradient_len: usize,
    record_len: usize,
    parameter_end: usize,
    shape: [usize; 3],
}

impl Builder {
    fn place(&mut self, stage: &Stage) -> Result<()> {
        let mut operation = Operation::default();
        let pair = |[a, b]: [usize; 2]| Ok::<_, Error>([number(a)?, number(b)?]);
        self.parameter_end = stage.own.end;
        operation.weight = number(stage.own.start)?;
        let (input, output) = match &stage.operation {
            Arithmetic::Conv2d(conv2d::Placed {
                in_channels,
                out_channels,
                input,
                output,
                kernel_size,
                strides,
                padding,
            }) => {
                operation.kind = CONV2D;
                (operation.kernel, operation.strides) = (pair(*kernel_size)?, pair(*strides)?);
                operation.padding = pair(*padding)?;
                for side in 0..2 {
                    number(input[side] + 2 * padding[side])?; // a window's place among them
                }
                operation.bias = number(stage.own.end - out_channels)?;
                operation.gradient = number(self.gradient_len)?;
                number(stage.own.len().saturating_mul(SPLITS))?; // items of conv2d_parameter_gradient
                self.gradient_len = self.gradient_len.saturating_add(stage.own.len());
                ([*in_channels, input[0], input[1]], [*out_channels, output[0], output[1]])
            }
            Arithmetic::MaxPool2d(max_pool2d::Placed { windows })
            | Arithmetic::AvgPool2d(avg_pool2d::Placed { windows }) => {
                let Windows { channels, input, output, pool_size, strides } = *windows;
                let is_max = matches!(stage.operation, Arithmetic::MaxPool2d(_));
                operation.kind = if is_max { MAX_POOL2D } else { AVG_POOL2D };
                (operation.kernel, operation.strides) = (pair(pool_size)?, pair(strides)?);
                ([channels, input[0], input[1]], [channels, output[0], output[1]])
            }
            Arithmetic::Dense(dense::Placed { inputs, units }) => {
                operation.kind = DENSE;
                operation.bias = number(stage.own.end - units)?;
                operation.record = number(self.record_len)?;
                self.record_len = self.record_len.saturating_add(*inputs).saturating_add(*units);
                ([*inputs, 1, 1], [*units, 1, 1])
            }
            Arithmetic::Activation(activation::Placed { function }) => {
                operation.kind = ACTIVATION;
                operation.function = match function {
                    Activation::Sigmoid => 1,
                    Activation::Relu => 2,
                    Activation::Tanh => 3,
                };
                (self.shape, self.shape)
            }
        };
        self.push(operation, input, output)
    }

    fn push(&mut self, operation: Operation, input: [usize; 3], output: [usize; 3]) -> Result<()> {
        let len: usize = output.iter().product();
        let (x, y) = (number(self.last)?, number(self.end)?);
        let shape = |[c, h, w]: [usize; 3]| Ok::<_, Error>([number(c)?, number(h)?, number(w)?]);
        let (input, parameter_end) = (shape(input)?, number(self.parameter_end)?);
        self.operations.push(Operation { input, output: shape(output)?, parameter_end, x, y, ..operation });
        (self.last, self.shape) = (self.end, output);
        self.end = self.end.saturating_add(len);
        self.longest = self.longest.max(len);
        Ok(())
    }
}

/// `SPLITS` of kernels/conv2d.cuh.
pub const SPLITS: usize = 4;

/// Most that a kernel counts to. Its threads go on by as many as there are in the launch, which must not take them past what
/// an `int` holds; no GPU comes near to 2²⁰.
pub const MOST: usize = i32::MAX as usize - (1 << 20);

/// A number as the kernels have it.
fn number(n: usize) -> Result<i32> {
    if n <= MOST {
        return Ok(n as i32);
    }
    let message = format!(
        "the network has {n} numbers in one place, but the CUDA engine counts to {MOST}; make its layers or its images \
         smaller, or use \"cpu\""
    );
    Err(Error::new(Code::OutOfMemory, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Conv2d, Dense, Layer, MaxPool2d};

    fn refused(layers: &[Layer], input_shape: [usize; 3]) -> String {
        let error = Layout::new(&Network::new(layers, input_shape).unwrap()).unwrap_err();
        assert_eq!(error.code, Code::OutOfMemory);
        error.message
    }

    /// Each is within what a network may have, and beyond what the kernels count to.
    #[test]
    fn what_the_kernels_cannot_count_is_refused() {
        let conv = |channels, kernel_size, strides, padding| {
            Layer::Conv2d(Conv2d { channels, kernel_size, strides, padding, activation: None })
        };
        let dense = |units| Layer::Dense(Dense { units, activation: None });
        let thin = conv(1, [1, 1], [1 << 30, 1], [1 << 30, 0]);
        for (layers, input_shape, number) in [
            (&[dense((1 << 31) - 8)][..], [1, 1, 1], "2147483640 numbers"), // parameters; also those past 2³¹ - 2²⁰
            (&[dense((1 << 30) - 64), dense(1)], [1, 1, 1], "2147483520 numbers"), // parameters of two layers
            (&[conv(1 << 29, [1, 1], [1, 1], [0, 0])], [1, 1, 1], "4294967296 numbers"), // weights and biases, in four splits
            (&[thin, dense(1)], [1, 1, 1], "2147483649 numbers"),                        // rows of the padded image
            (
                &[Layer::MaxPool2d(MaxPool2d { pool_size: [1, 1], strides: [1, 1] })],
                [1, 1 << 15, 1 << 15],
                "4294967296 numbers",
            ), // memory
            (
                &[Layer::MaxPool2d(MaxPool2d { pool_size: [1, 1], strides: [1 << 31, 1] })],
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
                channels,
                kernel_size: [3, 3],
                strides: [1, 1],
                padding: [1, 1],
                activation: Some(Activation::Relu),
            })
        };
        let dense = |units| Layer::Dense(Dense { units, activation: None });
        let network = Network::new(&[conv(2), conv(3), dense(5), dense(4)], [1, 4, 4]).unwrap();
        let layout = Layout::new(&network).unwrap();
        let of = |kind| layout.operations.iter().filter(move |operation| operation.kind == kind);
        assert_eq!(of(CONV2D).map(|o| o.gradient).collect::<Vec<_>>(), [0, 20]);
        assert_eq!(layout.gradient_len, 20 + 57);
        assert_eq!(of(DENSE).map(|o| o.record).collect::<Vec<_>>(), [0, 48 + 5]);
        assert_eq!(layout.record_len, 53 + 9);
        assert_eq!((layout.gradients, layout.longest), (16 + 2 * 32 + 2 * 48 + 9, 48));
        assert_eq!(layout.memory_len, layout.gradients + 96);
    }
}
