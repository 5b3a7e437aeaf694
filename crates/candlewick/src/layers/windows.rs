//! The windows that max and average pooling move over their input.

/// The sizes of a pooling layer's tile, for max and average pooling alike.
#[derive(Clone, Copy, Debug)]
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
    /// Whether an input can be in two windows.
    pub(super) fn overlap(&self) -> bool {
        (0..2).any(|i| self.strides[i] < self.pool_size[i])
    }

    /// Whether each input is in one window.
    pub(crate) fn cover_inputs_once(&self) -> bool {
        (0..2).all(|i| self.strides[i] == self.pool_size[i] && self.output[i] * self.strides[i] == self.input[i])
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
}
