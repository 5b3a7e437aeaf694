//! Convolution's gradient by its input: a register tile of input channels by columns stays in registers while the outputs that
//! they reached pass by.

use super::Placed;
use crate::simd::{Lane, Lanes, Real, RegisterTile, cover};

/// dx from dz, gathered: with Y = y + padding, every kernel row ky ≡ Y modulo the stride meets Y once, at the output row
/// (Y - ky) / sy; and so for columns. So the pixels of one phase (X modulo sx) are a small convolution of dz.
#[inline(always)]
pub(super) fn input_gradient<L: Lanes>(
    conv: &Placed,
    l: L,
    w: &[L::Real],
    dz: &[Lane<L::Real>],
    dx: &mut [Lane<L::Real>],
) {
    let [stride, padding, width] = [conv.strides[1], conv.padding[1], conv.input[1]];
    for y in 0..conv.input[0] {
        for phase in 0..stride.min(padding + width) {
            // X = stride · q + phase is in the image for q from first to last.
            let first = padding.saturating_sub(phase).div_ceil(stride);
            let last = (padding + width - 1 - phase) / stride;
            let mut row = InputGradient { conv, l, w, dz, dx, y, phase };
            cover(conv.in_channels, first..last + 1, [6, 4], &mut row);
        }
    }
}

/// The pixels of row `y` in one phase: input channels by quotients.
struct InputGradient<'a, L: Lanes> {
    conv: &'a Placed,
    l: L,
    w: &'a [L::Real],
    dz: &'a [Lane<L::Real>],
    dx: &'a mut [Lane<L::Real>],
    y: usize,
    phase: usize,
}

impl<L: Lanes> RegisterTile for InputGradient<'_, L> {
    type Lanes = L;

    #[inline(always)]
    fn tile<const C: usize, const Q: usize>(&mut self, c: usize, q: usize) {
        let Self { conv, l, w, dz, phase, .. } = *self;
        let [kernel_height, kernel_width] = conv.kernel_size;
        let [stride_y, stride_x] = conv.strides;
        let [out_height, out_width] = conv.output;
        let padded_y = self.y + conv.padding[0];
        // Tap (ky, kx) reaches back from output (padded_y / sy, q) by as many rows and columns as it is after the phase's
        // first. Those that reach no output are left out.
        let (first_ky, oy) = (padded_y % stride_y, padded_y / stride_y);
        let rows = kernel_height.saturating_sub(first_ky).div_ceil(stride_y).min(oy + 1);
        let rows = (oy + 1).saturating_sub(out_height)..rows;
        let columns = kernel_width.saturating_sub(phase).div_ceil(stride_x).min(q + Q);
        let columns = (q + 1).saturating_sub(out_width)..columns;
        let mut sums = [[l.splat(L::Real::ZERO); Q]; C];
        for o in 0..conv.out_channels {
            for back_y in rows.clone() {
                let row = &dz[(o * out_height + oy - back_y) * out_width..][..out_width];
                let mut taps = [w; C];
                for i in 0..C {
                    let ky = first_ky + back_y * stride_y;
                    let start = o * conv.taps() + ((c + i) * kernel_height + ky) * kernel_width;
                    taps[i] = &w[start..][..kernel_width];
                }
                for back_x in columns.clone() {
                    let kx = phase + back_x * stride_x;
                    // Near the ends of the row, some columns of the tile have no output that far back.
                    if let Some(outputs) = row.get(q.wrapping_sub(back_x)..).and_then(|row| row.first_chunk::<Q>()) {
                        let mut d = [l.splat(L::Real::ZERO); Q];
                        for j in 0..Q {
                            d[j] = l.load(&outputs[j]);
                        }
                        for i in 0..C {
                            let tap = l.splat(taps[i][kx]);
                            for j in 0..Q {
                                sums[i][j] = l.mul_add(d[j], tap, sums[i][j]);
                            }
                        }
                    } else {
                        for j in 0..Q {
                            if let Some(d) = row.get((q + j).wrapping_sub(back_x)) {
                                let d = l.load(d);
                                for i in 0..C {
                                    sums[i][j] = l.mul_add(d, l.splat(taps[i][kx]), sums[i][j]);
                                }
                            }
                        }
                    }
                }
            }
        }
        let first_pixel = (c * conv.input[0] + self.y) * conv.input[1] + q * stride_x + phase - conv.padding[1];
        for i in 0..C {
            let start = first_pixel + i * conv.input[0] * conv.input[1];
            let row = &mut self.dx[start..][..(Q - 1) * stride_x + 1];
            for j in 0..Q {
                l.store(sums[i][j], &mut row[j * stride_x]);
            }
        }
    }
}
