//! Convolution's forward pass. Nothing is unfolded: a register tile of output channels by columns stays in registers while the
//! taps of the kernel pass by.

use super::Placed;
use super::gather::{From, Met, Taps, To, Weights, columns, gather};
use crate::simd::{Lane, Lanes};
use std::ops::Range;

/// z = conv(x, w) + b
#[inline(always)]
pub(super) fn forward<L: Lanes>(
    conv: &Placed,
    l: L,
    x: &[Lane<L::Real>],
    w: &[L::Real],
    b: &[L::Real],
    z: &mut [Lane<L::Real>],
) {
    let [[_, stride], [height, width]] = [conv.strides, conv.output];
    let taps = conv.kernel_size[0] * conv.kernel_size[1];
    let weights = Weights { w, taps };
    let mut found = Taps::new();
    for oy in 0..height {
        for (ox, count) in columns(l, 0..width) {
            let window = Window::new(conv, [oy, ox], count);
            let from = From { x, plane: conv.input[0] * conv.input[1], origin: window.origin(), step: stride, bias: b };
            let to = To { y: &mut *z, plane: height * width, place: oy * width + ox, step: 1, count };
            gather(l, weights, from, to, &mut found, window.key(), || window.taps());
        }
    }
}

/// The windows of some outputs side by side.
struct Window<'a> {
    conv: &'a Placed,
    /// Of the first, in the padded image.
    y: usize,
    x: usize,
    /// Outputs.
    count: usize,
    /// Rows of the kernel that meet the image.
    rows: Range<usize>,
    /// Columns of the kernel that meet the image somewhere.
    columns: Range<usize>,
}

impl<'a> Window<'a> {
    #[inline(always)]
    fn new(conv: &'a Placed, [oy, ox]: [usize; 2], count: usize) -> Self {
        let [[stride_y, stride_x], [padding_y, padding_x], [height, width]] = [conv.strides, conv.padding, conv.input];
        let (y, x) = (oy * stride_y, ox * stride_x);
        let rows = padding_y.saturating_sub(y)..(padding_y + height).saturating_sub(y).min(conv.kernel_size[0]);
        let last = x + (count - 1) * stride_x;
        let columns = padding_x.saturating_sub(last)..(padding_x + width).saturating_sub(x).min(conv.kernel_size[1]);
        Self { conv, y, x, count, rows, columns }
    }

    /// Where the image would have the first tap.
    fn origin(&self) -> usize {
        (self.y * self.conv.input[1] + self.x)
            .wrapping_sub(self.conv.padding[0] * self.conv.input[1] + self.conv.padding[1])
    }

    /// The same for windows that meet the image with the same taps: all those, in a row, that no padding is near.
    fn key(&self) -> [usize; 5] {
        let Self { conv, x, count, .. } = *self;
        let (padding, width) = (conv.padding[1], conv.input[1]);
        let end = x + (count - 1) * conv.strides[1] + conv.kernel_size[1];
        let is_inside = padding <= x && end <= padding + width;
        [self.rows.start, self.rows.end, count, usize::from(is_inside), if is_inside { 0 } else { x }]
    }

    #[inline(always)]
    fn taps(&self) -> impl Iterator<Item = Met> {
        let Self { conv, x, count, .. } = *self;
        let (stride, padding, width) = (conv.strides[1], conv.padding[1], conv.input[1]);
        let columns = self.columns.clone();
        self.rows.clone().flat_map(
            #[inline(always)]
            move |ky| {
                columns.clone().map(
                    #[inline(always)]
                    move |kx| {
                        // Column j meets x + kx + j · stride of the padded row.
                        let from = padding.saturating_sub(x + kx).div_ceil(stride);
                        let to = (padding + width).saturating_sub(x + kx).div_ceil(stride);
                        Met {
                            tap: ky * conv.kernel_size[1] + kx,
                            pixel: ky * width + kx,
                            columns: [from.min(count), to.min(count)],
                        }
                    },
                )
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conv2d::examples::table;
    use crate::layers::finite_differences::{Numbers, flat, forward};

    /// The formula at the top of mod.rs, read aloud.
    fn by_definition(conv: &Placed, x: &[Lane<f64>], w: &[f64], b: &[f64]) -> Vec<Lane<f64>> {
        let mut z = Vec::new();
        let (in_channels, out_channels) = (conv.in_channels / conv.groups, conv.out_channels / conv.groups);
        for o in 0..conv.out_channels {
            let first = o / out_channels * in_channels;
            for oy in 0..conv.output[0] {
                for ox in 0..conv.output[1] {
                    let mut sum = [b.get(o).copied().unwrap_or(0.0); 16];
                    for c in 0..in_channels {
                        for ky in 0..conv.kernel_size[0] {
                            for kx in 0..conv.kernel_size[1] {
                                let y = (oy * conv.strides[0] + ky).wrapping_sub(conv.padding[0]);
                                let column = (ox * conv.strides[1] + kx).wrapping_sub(conv.padding[1]);
                                if y < conv.input[0] && column < conv.input[1] {
                                    let tap =
                                        ((o * in_channels + c) * conv.kernel_size[0] + ky) * conv.kernel_size[1] + kx;
                                    let pixel = x[((first + c) * conv.input[0] + y) * conv.input[1] + column].0;
                                    for (sum, pixel) in sum.iter_mut().zip(pixel) {
                                        *sum += w[tap] * pixel;
                                    }
                                }
                            }
                        }
                    }
                    z.push(Lane(sum));
                }
            }
        }
        z
    }

    #[test]
    fn forward_is_the_definition() {
        for conv in table() {
            let mut numbers = Numbers::new();
            let x = numbers.lanes(conv.in_channels * conv.input[0] * conv.input[1]);
            let own = numbers.vec(conv.own_len());
            let (w, b) = own.split_at(conv.weights());
            let output = conv.out_channels * conv.output[0] * conv.output[1];
            let (z, expected) = (flat(&forward(&conv, &own, &x, output)), flat(&by_definition(&conv, &x, w, b)));
            assert!(z.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12), "{conv:?}");
        }
    }
}
