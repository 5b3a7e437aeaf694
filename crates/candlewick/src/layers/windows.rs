//! The windows that max and average pooling move over their input.

use crate::error::{Code, Error, Result};
use crate::kernels::numbers;
use crate::shape::{image, invalid_shape, require_positive};
use std::ops::Range;

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
    /// Rows above and below, columns left and right, that windows reach into and nothing is in.
    pub padding: [usize; 2],
}

/// A window's inputs, without the padding; there is one at least.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// The index of the first.
    pub first: usize,
    height: usize,
    width: usize,
}

impl Windows {
    /// Those of the pool of this name over what reaches it.
    pub(super) fn over(
        name: &str,
        input: &[usize],
        pool_size: [usize; 2],
        strides: [usize; 2],
        padding: [usize; 2],
    ) -> Result<Self> {
        let [channels, h, w] = image(name, input)?;
        require_positive(name, &strides, "strides")?;
        for (i, side) in ["height", "width"].into_iter().enumerate() {
            if padding[i] > pool_size[i] / 2 {
                let message = format!(
                    "{name} has {} of padding on each side of its {side}, but windows of {}; make it at most half a window, so \
                     that each window sees a value",
                    padding[i], pool_size[i]
                );
                return Err(Error::new(Code::InvalidArgument, message));
            }
        }
        let height = count(name, "height", h, pool_size[0], strides[0], padding[0])?;
        let width = count(name, "width", w, pool_size[1], strides[1], padding[1])?;
        Ok(Self { channels, input: [h, w], output: [height, width], pool_size, strides, padding })
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
        let whole =
            |i: usize| self.strides[i] == self.pool_size[i] && self.output[i] * self.strides[i] == self.input[i];
        self.padding == [0, 0] && whole(0) && whole(1)
    }

    /// Whether each window is a channel's whole plane.
    pub(super) fn are_planes(&self) -> bool {
        self.pool_size == self.input && self.padding == [0, 0] && self.output == [1, 1]
    }

    /// Values of a channel of the input.
    pub(super) fn plane(&self) -> usize {
        self.input[0] * self.input[1]
    }

    /// The fields of `struct Windows` of kernels/windows.cuh.
    pub(super) fn words(&self) -> Result<[i32; 11]> {
        let Self { channels, input: [h, w], output: [oh, ow], pool_size: [kh, kw], strides: [sy, sx], .. } = *self;
        let [py, px] = self.padding;
        numbers([h + 2 * py, w + 2 * px])?; // a window's place among them
        numbers([channels, h, w, oh, ow, kh, kw, sy, sx, py, px])
    }

    /// Calls `f` with the index of each window's output, and with its inputs.
    #[inline(always)]
    pub(super) fn for_each(&self, mut f: impl FnMut(usize, Window)) {
        let [height, width] = self.input;
        let [out_height, out_width] = self.output;
        for c in 0..self.channels {
            for oy in 0..out_height {
                let rows = self.inside(0, oy);
                for ox in 0..out_width {
                    let columns = self.inside(1, ox);
                    let first = (c * height + rows.start) * width + columns.start;
                    let window = Window { first, height: rows.len(), width: columns.len() };
                    f((c * out_height + oy) * out_width + ox, window);
                }
            }
        }
    }

    /// The rows or columns of the input that the window which is the o-th in that direction sees.
    #[inline(always)]
    fn inside(&self, direction: usize, o: usize) -> Range<usize> {
        let (start, padding) = (o * self.strides[direction], self.padding[direction]);
        start.saturating_sub(padding)..(start + self.pool_size[direction] - padding).min(self.input[direction])
    }

    /// Calls `f` with the index of each input of a window, row by row.
    #[inline(always)]
    pub(super) fn for_each_in(&self, Window { first, height, width }: Window, mut f: impl FnMut(usize)) {
        if self.pool_size == [2, 2] && self.padding == [0, 0] {
            // Nearly all windows are of this size: without the loops, they take half the time.
            let below = first + self.input[1];
            [first, first + 1, below, below + 1].into_iter().for_each(f);
            return;
        }
        for y in 0..height {
            for x in 0..width {
                f(first + y * self.input[1] + x);
            }
        }
    }
}

/// Refuses a window of nothing.
pub(super) fn require_window(name: &str, side: &str, window: usize) -> Result<()> {
    if window == 0 {
        return Err(Error::new(
            Code::InvalidArgument,
            format!("{name} has a window of {side} 0; it must be at least 1"),
        ));
    }
    Ok(())
}

/// Number of windows along one side: ⌊(n + 2 padding - window) / stride⌋ + 1.
pub(super) fn count(name: &str, side: &str, n: usize, window: usize, stride: usize, padding: usize) -> Result<usize> {
    require_window(name, side, window)?;
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

    pub fn windows(shape: Shape) -> Windows {
        padded(shape, [0, 0])
    }

    pub fn padded((channels, input, pool_size, strides): Shape, padding: [usize; 2]) -> Windows {
        let output = std::array::from_fn(|i| (input[i] + 2 * padding[i] - pool_size[i]) / strides[i] + 1);
        Windows { channels, input, output, pool_size, strides, padding }
    }

    /// Values of the input and of the output.
    pub fn sizes(windows: &Windows) -> [usize; 2] {
        [windows.input, windows.output].map(|[height, width]| windows.channels * height * width)
    }
}
