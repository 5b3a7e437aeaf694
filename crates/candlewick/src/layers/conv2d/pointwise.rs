//! Convolution with a kernel of 1 x 1, one step at a time: a product of matrices, whose columns are an image's pixels, counted
//! through. Register tiles don't end where a row of the image does, and the taps of an output come one after the other.

use super::Placed;
use crate::simd::{Lane, Lanes, Largest, Real, RegisterTile, cover, cut};

/// `z[o][p] = b[o] + Σ w[o][c] · x[c][p]` over c.
#[inline(always)]
pub(super) fn forward<L: Lanes>(
    conv: &Placed,
    l: L,
    x: &[Lane<L::Real>],
    w: &[L::Real],
    b: &[L::Real],
    z: &mut [Lane<L::Real>],
) {
    let (pixels, channels) = (conv.input[0] * conv.input[1], conv.in_channels);
    let mut kernel = Forward { l, pixels, channels, x, w, b, z };
    for (p, count) in cut(0..pixels, BLOCK) {
        cover(0..conv.out_channels, p..p + count, LARGEST, &mut kernel);
    }
}

/// `dx[c][p] = Σ w[o][c] · dz[o][p]` over o.
#[inline(always)]
pub(super) fn input_gradient<L: Lanes>(
    conv: &Placed,
    l: L,
    w: &[L::Real],
    dz: &[Lane<L::Real>],
    dx: &mut [Lane<L::Real>],
) {
    let (pixels, channels) = (conv.input[0] * conv.input[1], conv.in_channels);
    let mut kernel = InputGradient { l, pixels, channels, w, dz, dx };
    for (p, count) in cut(0..pixels, BLOCK) {
        cover(0..channels, p..p + count, LARGEST, &mut kernel);
    }
}

/// Pixels that stay in the nearest cache, in all channels, while the weights pass by.
const BLOCK: usize = 4;

const LARGEST: Largest = Largest { wide: [6, 4], narrow: [6, 1] };

/// Output channels by pixels.
struct Forward<'a, L: Lanes> {
    l: L,
    pixels: usize,
    channels: usize,
    x: &'a [Lane<L::Real>],
    w: &'a [L::Real],
    b: &'a [L::Real],
    z: &'a mut [Lane<L::Real>],
}

impl<L: Lanes> RegisterTile for Forward<'_, L> {
    type Lanes = L;

    #[inline(always)]
    fn tile<const O: usize, const P: usize>(&mut self, o: usize, p: usize) {
        let (l, channels) = (self.l, self.channels);
        let mut rows = [self.w; O];
        let mut sums = [[l.splat(L::Real::ZERO); P]; O];
        for i in 0..O {
            rows[i] = &self.w[(o + i) * channels..][..channels];
            sums[i] = [l.splat(self.b.get(o + i).copied().unwrap_or(L::Real::ZERO)); P];
        }
        for (c, plane) in self.x.chunks_exact(self.pixels).take(channels).enumerate() {
            let pixels = load::<L, P>(l, plane, p);
            for i in 0..O {
                let tap = l.splat(rows[i][c]);
                for j in 0..P {
                    sums[i][j] = l.mul_add(pixels[j], tap, sums[i][j]);
                }
            }
        }
        store(l, sums, &mut self.z[o * self.pixels..], self.pixels, p);
    }
}

/// Input channels by pixels.
struct InputGradient<'a, L: Lanes> {
    l: L,
    pixels: usize,
    channels: usize,
    w: &'a [L::Real],
    dz: &'a [Lane<L::Real>],
    dx: &'a mut [Lane<L::Real>],
}

impl<L: Lanes> RegisterTile for InputGradient<'_, L> {
    type Lanes = L;

    #[inline(always)]
    fn tile<const C: usize, const P: usize>(&mut self, c: usize, p: usize) {
        let l = self.l;
        let mut sums = [[l.splat(L::Real::ZERO); P]; C];
        for (plane, row) in self.dz.chunks_exact(self.pixels).zip(self.w.chunks_exact(self.channels)) {
            let d = load::<L, P>(l, plane, p);
            let taps = &row[c..][..C];
            for i in 0..C {
                let tap = l.splat(taps[i]);
                for j in 0..P {
                    sums[i][j] = l.mul_add(d[j], tap, sums[i][j]);
                }
            }
        }
        store(l, sums, &mut self.dx[c * self.pixels..], self.pixels, p);
    }
}

/// P pixels of a plane, from `p` on.
#[inline(always)]
fn load<L: Lanes, const P: usize>(l: L, plane: &[Lane<L::Real>], p: usize) -> [L::Vector; P] {
    let plane = &plane[p..][..P];
    let mut pixels = [l.splat(L::Real::ZERO); P];
    for j in 0..P {
        pixels[j] = l.load(&plane[j]);
    }
    pixels
}

/// To P pixels of each plane, from `p` on.
#[inline(always)]
fn store<L: Lanes, const A: usize, const P: usize>(
    l: L,
    sums: [[L::Vector; P]; A],
    planes: &mut [Lane<L::Real>],
    pixels: usize,
    p: usize,
) {
    for i in 0..A {
        let row = &mut planes[i * pixels + p..][..P];
        for j in 0..P {
            l.store(sums[i][j], &mut row[j]);
        }
    }
}
