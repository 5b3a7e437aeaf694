//! Convolution's gradient by its weights: a register tile of output channels by taps stays in registers while all pixels pass by.

use super::Placed;
use crate::simd::{Lane, Lanes, Largest, Real, RegisterTile, cover};

/// `dw[o][c][ky][kx] += Σ dz[o][oy][ox] · p[c][oy·sy + ky][ox·sx + kx]`, over the images too; `x` is p.
#[inline(always)]
pub(super) fn weight_gradient<L: Lanes>(
    conv: &Placed,
    l: L,
    x: &[Lane<L::Real>],
    dz: &[Lane<L::Real>],
    dw: &mut [L::Real],
) {
    let mut kernel = WeightGradient { conv, l, x, dz, dw };
    let largest = Largest { wide: [6, 4], narrow: [3, 2] };
    cover(0..conv.out_channels, 0..conv.taps(), largest, &mut kernel);
}

/// All weights: output channels by taps, a tap being one (c, ky, kx), counted through. `x` is padded.
struct WeightGradient<'a, L: Lanes> {
    conv: &'a Placed,
    l: L,
    x: &'a [Lane<L::Real>],
    dz: &'a [Lane<L::Real>],
    dw: &'a mut [L::Real],
}

impl<L: Lanes> RegisterTile for WeightGradient<'_, L> {
    type Lanes = L;

    #[inline(always)]
    fn tile<const O: usize, const T: usize>(&mut self, o: usize, t: usize) {
        let Self { conv, l, x, dz, .. } = *self;
        let [height, width] = conv.padded_size();
        let [kernel_height, kernel_width] = conv.kernel_size;
        let [out_height, out_width] = conv.output;
        // Each tap sees the input through a window of its own: x shifted to where the tap's first pixel is.
        let mut windows = [x; T];
        for j in 0..T {
            let tap = t + j;
            let (c, ky) = (tap / (kernel_height * kernel_width), tap / kernel_width % kernel_height);
            windows[j] = &x[(c * height + ky) * width + tap % kernel_width..];
        }
        let span = (out_width - 1) * conv.strides[1] + 1;
        let mut sums = [[l.splat(L::Real::ZERO); T]; O];
        for oy in 0..out_height {
            let mut rows = [dz; O];
            for i in 0..O {
                rows[i] = &dz[((o + i) * out_height + oy) * out_width..][..out_width];
            }
            let mut pixel_rows = windows;
            for j in 0..T {
                pixel_rows[j] = &windows[j][oy * conv.strides[0] * width..][..span];
            }
            for ox in 0..out_width {
                let mut pixels = [l.splat(L::Real::ZERO); T];
                for j in 0..T {
                    pixels[j] = l.load(&pixel_rows[j][ox * conv.strides[1]]);
                }
                for i in 0..O {
                    let d = l.load(&rows[i][ox]);
                    for j in 0..T {
                        sums[i][j] = l.mul_add(pixels[j], d, sums[i][j]);
                    }
                }
            }
        }
        for i in 0..O {
            let row = &mut self.dw[(o + i) * conv.taps() + t..][..T];
            if let (Some(row), Some(sums)) = (row.first_chunk_mut::<4>(), sums[i].first_chunk::<4>()) {
                let sums = l.sum_each(*sums);
                for j in 0..4 {
                    row[j] += sums[j];
                }
            } else {
                for j in 0..T {
                    row[j] += l.sum(sums[i][j]);
                }
            }
        }
    }
}
