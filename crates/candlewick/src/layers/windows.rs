//! The windows that max and average pooling move over their input.

use crate::error::{Code, Error, Result};
use crate::kernels::numbers;
use crate::shape::{image, invalid_shape, require_positive};
use serde::Deserialize;

/// A pooling layer's options as JSON has them: without strides, windows lie side by side.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PoolOptions {
    pub pool_size: [usize; 2],
    strides: Option<[usize; 2]>,
}

impl PoolOptions {
    pub fn strides(&self) -> [usize; 2] {
        self.strides.unwrap_or(self.pool_size)
    }
}

/// The sizes of a pooling layer's tile, for max and average pooling alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Windows {
    /// C, the same before and after.
    pub channels: usize,
    /// H and W of the input.
    pub input: [usize; 2],
    /// OH and OW.
    pub output: [usize; 2],
    /// Height and width of a window.
    pub pool_size: [usize; 2],
    /// Steps between windows.
    pub strides: [usize; 2],
}

impl Windows {
    /// Those of the pool of this name over what reaches it.
    pub(super) fn over(name: &str, input: &[usize], pool_size: [usize; 2], strides: [usize; 2]) -> Result<Self> {
        let [channels, h, w] = image(name, input)?;
        require_positive(name, &strides, "strides")?;
        let height = count(name, "height", h, pool_size[0], strides[0], 0)?;
        let width = count(name, "width", w, pool_size[1], strides[1], 0)?;
        Ok(Self { channels, input: [h, w], output: [height, width], pool_size, strides })
    }

    /// (C, OH, OW)
    pub(super) fn output_shape(&self) -> Vec<usize> {
        vec![self.channels, self.output[0], self.output[1]]
    }

    /// Whether an input can be in two windows.
    pub(super) fn overlap(&self) -> bool {
        (0..2).any(|i| self.strides[i] < self.pool_size[i])
    }

    /// Whether each input is in one window.
    pub(super) fn cover_inputs_once(&self) -> bool {
        (0..2).all(|i| self.strides[i] == self.pool_size[i] && self.output[i] * self.strides[i] == self.input[i])
    }

    /// Whether each window is a channel's whole plane.
    pub(super) fn are_planes(&self) -> bool {
        self.pool_size == self.input && self.output == [1, 1]
    }

    /// Values of a channel of the input.
    pub(super) fn plane(&self) -> usize {
        self.input[0] * self.input[1]
    }

    /// The fields of `struct Windows` of kernels/windows.cuh.
    pub(super) fn words(&self) -> Result<[i32; 9]> {
        let Self { channels, input: [h, w], output: [oh, ow], pool_size: [kh, kw], strides: [sy, sx] } = *self;
        numbers([channels, h, w, oh, ow, kh, kw, sy, sx])
    }

    /// Calls `f` with the index of each window's output and that of its upper left input.
    #[inline(always)]
    pub(super) fn for_each(&self, mut f: impl FnMut(usize, usize)) {
        let [height, width] = self.input;
        let [out_height, out_width] = self.output;
        for c in 0..self.channels {
            for oy in 0..out_height {
                for ox in 0..out_width {
                    let corner = (c * height + oy * self.strides[0]) * width + ox * self.strides[1];
                    f((c * out_height + oy) * out_width + ox, corner);
                }
            }
        }
    }

    /// Calls `f` with the index of each input of the window at `corner`, row by row.
    #[inline(always)]
    pub(super) fn for_each_in(&self, corner: usize, mut f: impl FnMut(usize)) {
        if self.pool_size == [2, 2] {
            // Nearly all windows are of this size: without the loops, they take half the time.
            let below = corner + self.input[1];
            [corner, corner + 1, below, below + 1].into_iter().for_each(f);
            return;
        }
        for ky in 0..self.pool_size[0] {
            for kx in 0..self.pool_size[1] {
                f(corner + ky * self.input[1] + kx);
            }
        }
    }
}

/// Number of windows along one side: ⌊(n + 2 padding - window) / stride⌋ + 1.
pub(super) fn count(name: &str, side: &str, n: usize, window: usize, stride: usize, padding: usize) -> Result<usize> {
    if window == 0 {
        return Err(Error::new(
            Code::InvalidArgument,
            format!("{name} has a window of {side} 0; it must be at least 1"),
        ));
    }
    let Some(padded) = padding.checked_mul(2).and_then(|both| both.checked_add(n)) else {
        return Err(invalid_shape(format!(
            "{name} has {padding} of padding on each side of its {side} {n}, more than can be counted; make it smaller"
        )));
    };
    match padded.checked_sub(window) {
        Some(room) => Ok(room / stride + 1),
        None => Err(invalid_shape(format!(
            "{name} has a window of {side} {window}, larger than its input of {side} {n} with {padding} of padding on each \
             side; make the window smaller or the padding larger"
        ))),
    }
}

#[cfg(test)]
pub(crate) mod examples {
    use super::Windows;

    /// Channels, size of the input, size of a window, strides.
    type Shape = (usize, [usize; 2], [usize; 2], [usize; 2]);

    /// Edges: one channel, a window as large as the input, windows apart, touching and overlapping, inputs left over.
    pub const SHAPES: [Shape; 7] = [
        (1, [2, 2], [2, 2], [1, 1]),
        (1, [1, 1], [1, 1], [1, 1]),
        (3, [4, 6], [2, 2], [2, 2]),
        (2, [7, 5], [3, 3], [2, 2]),
        (2, [7, 7], [2, 2], [3, 3]),
        (1, [5, 6], [1, 3], [2, 1]),
        (2, [3, 4], [3, 4], [5, 5]),
    ];

    pub fn windows((channels, input, pool_size, strides): Shape) -> Windows {
        let output = std::array::from_fn(|i| (input[i] - pool_size[i]) / strides[i] + 1);
        Windows { channels, input, output, pool_size, strides }
    }

    /// Values of the input and of the output.
    pub fn sizes(windows: &Windows) -> [usize; 2] {
        [windows.input, windows.output].map(|[height, width]| windows.channels * height * width)
    }
}
