//! A network as the kernels see it: a list of operations with the places of all that they read and write.

use crate::engine::schedule::{Stage, schedule};
use crate::error::{Code, Error, Result};
use crate::kernels::{number, numbers};
use crate::layers::{Encoded, LaneOperation, WORDS};
use crate::network::Network;
use bytemuck::{Pod, Zeroable};

/// `SPLITS` of kernels/arguments.cuh.
pub const SPLITS: usize = 4;

/// A layer in its place: `struct Operation` of kernels/layers.cuh.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct Operation {
    pub kind: i32,
    pub x: i32,
    pub y: i32,
    pub own: i32,
    pub own_end: i32,
    pub partial: i32,
    pub record: i32,
    pub words: [i32; WORDS],
}

/// All that a kernel is told: `struct Arguments` of kernels/arguments.cuh, with addresses of the device's.
#[expect(missing_docs, reason = "arguments.cuh says what they are")]
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Arguments {
    pub operations: u64,
    pub bytes: u64,
    pub floats: u64,
    pub order: u64,
    pub labels: u64,
    pub values: u64,
    pub loss: u64,
    pub parameters: u64,
    pub turned: u64,
    pub gradient: u64,
    pub optimizer: u64,
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
    pub batch: i32,
    pub memory_len: i32,
    pub gradient_places: i32,
    pub longest: i32,
    pub partial_len: i32,
    pub record_len: i32,
    pub partial_count: i32,
    pub parameter_count: i32,
    pub scale: f32,
}

/// The operations, and numbers of what they need.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    pub operations: Vec<Operation>,
    /// Numbers of a block's memory: every value, then two gradients as long as the longest.
    pub memory_len: usize,
    /// Where the two gradients begin.
    pub gradient_places: usize,
    /// Numbers of each.
    pub longest: usize,
    /// Numbers of a partial gradient, of which a block has [`SPLITS`].
    pub partial_len: usize,
    /// Numbers of an image's record.
    pub record_len: usize,
}

impl Layout {
    /// # Errors
    /// `OutOfMemory` for a network whose numbers the kernels, which count in 32 bits, can't count.
    pub fn new(network: &Network) -> Result<Self> {
        let stages = schedule(network, true);
        let needs_batch = stages.iter().any(|stage| stage.plus.is_some() || stage.operation.needs().survey > 0);
        if needs_batch || network.parameters.iter().any(|parameter| !parameter.trainable) {
            let message = "the CUDA engine has no residual blocks, no batch normalisation and no layers that do not learn; use \"cpu\"";
            return Err(Error::new(Code::DeviceUnavailable, message));
        }
        let mut layout = Self { longest: network.image_len(), ..Self::default() };
        let (mut x, mut y) = (0, network.image_len());
        for stage in stages {
            layout.push(&stage, x, y)?;
            (x, y) = (y, y.saturating_add(stage.output_len));
        }
        layout.gradient_places = y;
        layout.memory_len = y.saturating_add(layout.longest.saturating_mul(2));
        numbers([layout.memory_len, layout.partial_len, layout.record_len, network.parameter_count()])?;
        Ok(layout)
    }

    /// With its input and its output in these places of a block's memory.
    fn push(&mut self, stage: &Stage, x: usize, y: usize) -> Result<()> {
        let Encoded { kind, words, partial_len, record_len } = stage.operation.encode(stage.output_len)?;
        number(partial_len.saturating_mul(SPLITS))?; // a kernel counts the numbers of all splits
        let places = [x, y, stage.own.start, stage.own.end, self.partial_len, self.record_len];
        let [x, y, own, own_end, partial, record] = numbers(places)?;
        self.operations.push(Operation { kind, x, y, own, own_end, partial, record, words });
        self.partial_len = self.partial_len.saturating_add(partial_len);
        self.record_len = self.record_len.saturating_add(record_len);
        self.longest = self.longest.max(stage.output_len);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activations::Activation;
    use crate::layers::{Conv2d, Dense, Layer, MaxPool2d};

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
            (&[Layer::MaxPool2d(MaxPool2d::new([1, 1]))], [1, 1 << 15, 1 << 15], "4294967296 numbers"), // memory
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
        let [conv, _, other, _, dense, last] = &layout.operations[..] else { unreachable!() };
        assert_eq!((conv.partial, other.partial, layout.partial_len), (0, 20, 20 + 57));
        assert_eq!((dense.record, last.record, layout.record_len), (0, 48 + 5, 53 + 9));
        assert_eq!((layout.gradient_places, layout.longest), (16 + 2 * 32 + 2 * 48 + 9, 48));
        assert_eq!(layout.memory_len, layout.gradient_places + 96);
    }
}
