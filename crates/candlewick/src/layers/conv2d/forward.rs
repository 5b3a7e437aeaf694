//! Convolution's forward pass. Nothing is unfolded: a register tile of output channels by columns stays in registers while the
//! taps of the kernel pass by.

use super::Placed;
use crate::simd::{Lane, Lanes, Real, RegisterTile, cover};

/// z = conv(x, w) + b, where `x` is padded and `b` is empty if there is none.
#[inline(always)]
pub(super) fn forward<L: Lanes>(
    conv: &Placed,
    l: L,
    x: &[Lane<L::Real>],
    w: &[L::Real],
    b: &[L::Real],
    z: &mut [Lane<L::Real>],
) {
    for oy in 0..conv.output[0] {
        let mut row = Forward { conv, l, x, w, b, z, oy };
        cover(conv.out_channels, 0..conv.output[1], [6, 4], &mut row);
    }
}

/// A row of outputs: channels by columns. `x` is padded.
struct Forward<'a, L: Lanes> {
    conv: &'a Placed,
    l: L,
    x: &'a [Lane<L::Real>],
    w: &'a [L::Real],
    b: &'a [L::Real],
    z: &'a mut [Lane<L::Real>],
    oy: usize,
}

impl<L: Lanes> RegisterTile for Forward<'_, L> {
    type Lanes = L;

    #[inline(always)]
    fn tile<const O: usize, const X: usize>(&mut self, o: usize, ox: usize) {
        let Self { conv, l, x, w, b, .. } = *self;
        let [height, width] = conv.padded_size();
        let [kernel_height, kernel_width] = conv.kernel_size;
        let [stride_y, stride_x] = conv.strides;
        let mut sums = [[l.splat(L::Real::ZERO); X]; O];
        for i in 0..O {
            sums[i] = [l.splat(b.get(o + i).copied().unwrap_or(L::Real::ZERO)); X];
        }
        for c in 0..conv.in_channels {
            for ky in 0..kernel_height {
                let start = (c * height + self.oy * stride_y + ky) * width + ox * stride_x;
                let row = &x[start..][..(X - 1) * stride_x + kernel_width];
                let mut taps = [w; O];
                for i in 0..O {
                    let start = (o + i) * conv.taps() + (c * kernel_height + ky) * kernel_width;
                    taps[i] = &w[start..][..kernel_width];
                }
                for kx in 0..kernel_width {
                    let mut pixels = [l.splat(L::Real::ZERO); X];
                    for j in 0..X {
                        pixels[j] = l.load(&row[kx + j * stride_x]);
                    }
                    for i in 0..O {
                        let tap = l.splat(taps[i][kx]);
                        for j in 0..X {
                            sums[i][j] = l.mul_add(pixels[j], tap, sums[i][j]);
                        }
                    }
                }
            }
        }
        for i in 0..O {
            let row = &mut self.z[((o + i) * conv.output[0] + self.oy) * conv.output[1] + ox..][..X];
            for j in 0..X {
                l.store(sums[i][j], &mut row[j]);
            }
        }
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
