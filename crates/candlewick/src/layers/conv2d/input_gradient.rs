//! Convolution's gradient by its input, gathered from that by its output.

use super::Placed;
use super::gather::{From, Met, Taps, To, Weights, columns, gather};
use crate::simd::{Lane, Lanes};
use std::ops::Range;

/// With Y = y + padding, every kernel row ky ≡ Y modulo the stride meets Y once, at the output row (Y - ky) / sy; and so for
/// columns. So the pixels of one phase (X modulo sx) are a small convolution of dz.
#[inline(always)]
pub(super) fn input_gradient<L: Lanes>(
    conv: &Placed,
    l: L,
    w: &[L::Real],
    dz: &[Lane<L::Real>],
    dx: &mut [Lane<L::Real>],
) {
    let ([_, stride], [_, padding], [height, width]) = (conv.strides, conv.padding, conv.input);
    let taps = conv.kernel_size[0] * conv.kernel_size[1];
    let weights = Weights { w, taps };
    let mut found = Taps::new();
    for y in 0..height {
        for phase in 0..stride.min(padding + width) {
            // X = stride · q + phase is in the image for q from first to last.
            let first = padding.saturating_sub(phase).div_ceil(stride);
            let last = (padding + width - 1 - phase) / stride;
            for (q, count) in columns(l, first..last + 1) {
                let reach = Reach::new(conv, y, phase, q, count);
                let [out_height, out_width] = conv.output;
                let from = From { x: dz, plane: out_height * out_width, origin: reach.origin(), step: 1, bias: &[] };
                let place = y * width + q * stride + phase - padding;
                let to = To { y: &mut *dx, plane: height * width, place, step: stride, count };
                gather(l, weights, from, to, &mut found, reach.key(), || reach.taps());
            }
        }
    }
}

/// What outputs some pixels reach, one stride apart: row Y, `X = stride · q + phase`. A tap reaches back from output
/// (Y / sy, q) by as many rows and columns as it is after the phase's first.
struct Reach<'a> {
    conv: &'a Placed,
    /// Rows and columns of the kernel in the phase begin with these.
    phase: [usize; 2],
    oy: usize,
    q: usize,
    /// Pixels.
    count: usize,
    /// Rows back that meet an output.
    rows: Range<usize>,
    /// Columns back that meet an output somewhere.
    columns: Range<usize>,
}

impl<'a> Reach<'a> {
    #[inline(always)]
    fn new(conv: &'a Placed, y: usize, phase: usize, q: usize, count: usize) -> Self {
        let ([kernel_height, kernel_width], [height, width]) = (conv.kernel_size, conv.output);
        let [stride_y, stride_x] = conv.strides;
        let padded_y = y + conv.padding[0];
        let (first_ky, oy) = (padded_y % stride_y, padded_y / stride_y);
        let rows = kernel_height.saturating_sub(first_ky).div_ceil(stride_y).min(oy + 1);
        let columns = kernel_width.saturating_sub(phase).div_ceil(stride_x).min(q + count);
        let (rows, columns) = ((oy + 1).saturating_sub(height)..rows, (q + 1).saturating_sub(width)..columns);
        Self { conv, phase: [first_ky, phase], oy, q, count, rows, columns }
    }

    fn origin(&self) -> usize {
        self.oy * self.conv.output[1] + self.q
    }

    /// The same for pixels that meet outputs with the same taps: all those of a row's phase that no edge is near.
    fn key(&self) -> [usize; 5] {
        let Self { conv, phase, q, count, .. } = *self;
        let most_back = conv.kernel_size[1].saturating_sub(phase[1]).div_ceil(conv.strides[1]).saturating_sub(1);
        let is_inside = most_back <= q && q + count <= conv.output[1];
        let place = if is_inside { 0 } else { q + 1 };
        let phases = phase[0] * conv.strides[1] + phase[1];
        [self.rows.start, self.rows.end, count, phases, place]
    }

    #[inline(always)]
    fn taps(&self) -> impl Iterator<Item = Met> {
        let Self { conv, phase, q, count, .. } = *self;
        let ([stride_y, stride_x], width) = (conv.strides, conv.output[1]);
        let columns = self.columns.clone();
        self.rows.clone().flat_map(
            #[inline(always)]
            move |back_y| {
                columns.clone().map(
                    #[inline(always)]
                    move |back_x| {
                        let to = (width + back_x).saturating_sub(q);
                        Met {
                            tap: (phase[0] + back_y * stride_y) * conv.kernel_size[1] + phase[1] + back_x * stride_x,
                            pixel: (back_y * width + back_x).wrapping_neg(),
                            columns: [back_x.saturating_sub(q).min(count), to.min(count)],
                        }
                    },
                )
            },
        )
    }
}
