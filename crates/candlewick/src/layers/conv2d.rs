//! Convolution (cross-correlation, as everywhere in the field) with stride and zero padding:
//!
//! ```text
//!   z[o][oy][ox] = b[o] + Σ w[o][c][ky][kx] · p[c][oy·sy + ky][ox·sx + kx]        over c, ky, kx
//! ```
//!
//! where p is x with rows and columns of zeros around it. Nothing is unfolded: a register tile of output channels by columns
//! stays in registers while the taps of the kernel pass by.

use crate::simd::{Lane, Lanes, Real, register_tiles};

/// The sizes of a convolution's tile.
#[derive(Clone, Copy, Debug)]
pub struct Conv2d {
    /// C
    pub in_channels: usize,
    /// OC
    pub out_channels: usize,
    /// H and W of the input.
    pub input: [usize; 2],
    /// OH and OW.
    pub output: [usize; 2],
    /// KH and KW.
    pub kernel_size: [usize; 2],
    /// sy and sx.
    pub strides: [usize; 2],
    /// Rows above and below, columns left and right.
    pub padding: [usize; 2],
}

/// What a backward pass is given and what it fills, besides the activations.
pub struct Gradients<'a, R> {
    /// `[OC][C][KH][KW]`, added to.
    pub weight: &'a mut [R],
    /// `[OC]`, added to.
    pub bias: &'a mut [R],
    /// `[C][H][W]`, overwritten; `None` for the first layer, whose input is data.
    pub input: Option<&'a mut [Lane<R>]>,
}

impl Conv2d {
    /// Lanes of scratch memory that both passes need: the padded input and the padded gradient.
    pub fn scratch_len(&self) -> usize {
        let [height, width] = self.gradient_size();
        // Of absurd shapes, this alone may be more than a usize; no memory is found for it, and that is the error.
        self.out_channels.saturating_mul(height).saturating_mul(width).saturating_add(self.padded_len())
    }

    /// z = conv(x, w) + b; x: `[C][H][W]`, w: `[OC][C][KH][KW]`, b: `[OC]`, z: `[OC][OH][OW]`.
    pub fn forward<L: Lanes>(
        &self,
        l: L,
        x: &[Lane<L::Real>],
        w: &[L::Real],
        b: &[L::Real],
        z: &mut [Lane<L::Real>],
        scratch: &mut [Lane<L::Real>],
    ) {
        l.run(
            #[inline(always)]
            || {
                let x = self.pad_input(x, scratch);
                for (o, channels) in register_tiles(self.out_channels, 4) {
                    for oy in 0..self.output[0] {
                        for (ox, columns) in register_tiles(self.output[1], 4) {
                            match (channels, columns) {
                                (4, 4) => self.forward_tile::<L, 4, 4>(l, x, w, b, z, [o, oy, ox]),
                                (4, 2) => self.forward_tile::<L, 4, 2>(l, x, w, b, z, [o, oy, ox]),
                                (4, _) => self.forward_tile::<L, 4, 1>(l, x, w, b, z, [o, oy, ox]),
                                (2, 4) => self.forward_tile::<L, 2, 4>(l, x, w, b, z, [o, oy, ox]),
                                (2, 2) => self.forward_tile::<L, 2, 2>(l, x, w, b, z, [o, oy, ox]),
                                (2, _) => self.forward_tile::<L, 2, 1>(l, x, w, b, z, [o, oy, ox]),
                                (_, 4) => self.forward_tile::<L, 1, 4>(l, x, w, b, z, [o, oy, ox]),
                                (_, 2) => self.forward_tile::<L, 1, 2>(l, x, w, b, z, [o, oy, ox]),
                                (_, _) => self.forward_tile::<L, 1, 1>(l, x, w, b, z, [o, oy, ox]),
                            }
                        }
                    }
                }
            },
        );
    }

    /// Outputs of O channels by X columns, from `o` and `ox` on, in row `oy`; `x` is padded.
    #[inline(always)]
    fn forward_tile<L: Lanes, const O: usize, const X: usize>(
        &self,
        l: L,
        x: &[Lane<L::Real>],
        w: &[L::Real],
        b: &[L::Real],
        z: &mut [Lane<L::Real>],
        [o, oy, ox]: [usize; 3],
    ) {
        let [height, width] = self.padded_size();
        let [kernel_height, kernel_width] = self.kernel_size;
        let [stride_y, stride_x] = self.strides;
        let mut sums = [[l.splat(L::Real::ZERO); X]; O];
        for i in 0..O {
            sums[i] = [l.splat(b[o + i]); X];
        }
        for c in 0..self.in_channels {
            for ky in 0..kernel_height {
                let start = (c * height + oy * stride_y + ky) * width + ox * stride_x;
                let row = &x[start..][..(X - 1) * stride_x + kernel_width];
                let mut taps = [w; O];
                for i in 0..O {
                    taps[i] = &w[((o + i) * self.in_channels + c) * kernel_height * kernel_width + ky * kernel_width..]
                        [..kernel_width];
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
            let row = &mut z[((o + i) * self.output[0] + oy) * self.output[1] + ox..][..X];
            for j in 0..X {
                l.store(sums[i][j], &mut row[j]);
            }
        }
    }

    /// From dz: `[OC][OH][OW]`, the gradients of the parameters and, if asked for, of x: `[C][H][W]`.
    pub fn backward<L: Lanes>(
        &self,
        l: L,
        x: &[Lane<L::Real>],
        w: &[L::Real],
        dz: &[Lane<L::Real>],
        gradients: Gradients<'_, L::Real>,
        scratch: &mut [Lane<L::Real>],
    ) {
        let (padded_input, padded_gradient) = scratch.split_at_mut(self.padded_len());
        self.weight_gradient(l, self.pad_input(x, padded_input), dz, gradients.weight);
        self.bias_gradient(l, dz, gradients.bias);
        if let Some(dx) = gradients.input {
            self.pad_gradient(dz, padded_gradient);
            self.input_gradient(l, w, padded_gradient, dx);
        }
    }

    /// `db[o] += Σ dz[o][oy][ox]`
    fn bias_gradient<L: Lanes>(&self, l: L, dz: &[Lane<L::Real>], db: &mut [L::Real]) {
        l.run(
            #[inline(always)]
            || {
                for (plane, db) in dz.chunks_exact(self.output[0] * self.output[1]).zip(db) {
                    let mut sum = l.splat(L::Real::ZERO);
                    for d in plane {
                        sum = l.add(sum, l.load(d));
                    }
                    *db += l.sum(sum);
                }
            },
        );
    }

    /// `dw[o][c][ky][kx] += Σ dz[o][oy][ox] · p[c][oy·sy + ky][ox·sx + kx]`. A tap is one (c, ky, kx), counted through.
    fn weight_gradient<L: Lanes>(&self, l: L, x: &[Lane<L::Real>], dz: &[Lane<L::Real>], dw: &mut [L::Real]) {
        l.run(
            #[inline(always)]
            || {
                let taps = self.in_channels * self.kernel_size[0] * self.kernel_size[1];
                for (o, channels) in register_tiles(self.out_channels, 4) {
                    for (t, count) in register_tiles(taps, 4) {
                        match (channels, count) {
                            (4, 4) => self.weight_gradient_tile::<L, 4, 4>(l, x, dz, dw, [o, t]),
                            (4, 2) => self.weight_gradient_tile::<L, 4, 2>(l, x, dz, dw, [o, t]),
                            (4, _) => self.weight_gradient_tile::<L, 4, 1>(l, x, dz, dw, [o, t]),
                            (2, 4) => self.weight_gradient_tile::<L, 2, 4>(l, x, dz, dw, [o, t]),
                            (2, 2) => self.weight_gradient_tile::<L, 2, 2>(l, x, dz, dw, [o, t]),
                            (2, _) => self.weight_gradient_tile::<L, 2, 1>(l, x, dz, dw, [o, t]),
                            (_, 4) => self.weight_gradient_tile::<L, 1, 4>(l, x, dz, dw, [o, t]),
                            (_, 2) => self.weight_gradient_tile::<L, 1, 2>(l, x, dz, dw, [o, t]),
                            (_, _) => self.weight_gradient_tile::<L, 1, 1>(l, x, dz, dw, [o, t]),
                        }
                    }
                }
            },
        );
    }

    /// Gradients of O channels by T taps, from `o` and `t` on; `x` is padded.
    #[inline(always)]
    fn weight_gradient_tile<L: Lanes, const O: usize, const T: usize>(
        &self,
        l: L,
        x: &[Lane<L::Real>],
        dz: &[Lane<L::Real>],
        dw: &mut [L::Real],
        [o, t]: [usize; 2],
    ) {
        let [height, width] = self.padded_size();
        let [kernel_height, kernel_width] = self.kernel_size;
        let [out_height, out_width] = self.output;
        let plane = out_height * out_width;
        // Each tap sees the input through a window of its own: x shifted to where the tap's first pixel is.
        let mut windows = [x; T];
        for j in 0..T {
            let (c, ky, kx) = {
                let tap = t + j;
                (tap / (kernel_height * kernel_width), tap / kernel_width % kernel_height, tap % kernel_width)
            };
            windows[j] = &x[(c * height + ky) * width + kx..];
        }
        let mut sums = [[l.splat(L::Real::ZERO); T]; O];
        for oy in 0..out_height {
            let mut rows = [dz; O];
            for i in 0..O {
                rows[i] = &dz[(o + i) * plane + oy * out_width..][..out_width];
            }
            for ox in 0..out_width {
                let at = oy * self.strides[0] * width + ox * self.strides[1];
                let mut pixels = [l.splat(L::Real::ZERO); T];
                for j in 0..T {
                    pixels[j] = l.load(&windows[j][at]);
                }
                for i in 0..O {
                    let d = l.load(&rows[i][ox]);
                    for j in 0..T {
                        sums[i][j] = l.mul_add(pixels[j], d, sums[i][j]);
                    }
                }
            }
        }
        let taps = self.in_channels * kernel_height * kernel_width;
        for i in 0..O {
            for j in 0..T {
                dw[(o + i) * taps + t + j] += l.sum(sums[i][j]);
            }
        }
    }

    /// `dx[c][y][x]`, gathered: with Y = y + padding, every kernel row ky ≡ Y modulo the stride meets Y once, at the output
    /// row (Y - ky) / sy; and so for columns. So the pixels of one phase (X modulo sx) are a small convolution of dz.
    /// `dz` has zeros around it, so that no tap needs a bound.
    fn input_gradient<L: Lanes>(&self, l: L, w: &[L::Real], dz: &[Lane<L::Real>], dx: &mut [Lane<L::Real>]) {
        l.run(
            #[inline(always)]
            || {
                let [stride, padding, width] = [self.strides[1], self.padding[1], self.input[1]];
                for (c, channels) in register_tiles(self.in_channels, 4) {
                    for y in 0..self.input[0] {
                        for phase in 0..stride.min(padding + width) {
                            let first = padding.saturating_sub(phase).div_ceil(stride);
                            let last = (padding + width - 1 - phase) / stride; // X = stride · q + phase is in the image
                            for (q, columns) in register_tiles((last + 1).saturating_sub(first), 4) {
                                let at = [c, y, phase, first + q];
                                match (channels, columns) {
                                    (4, 4) => self.input_gradient_tile::<L, 4, 4>(l, w, dz, dx, at),
                                    (4, 2) => self.input_gradient_tile::<L, 4, 2>(l, w, dz, dx, at),
                                    (4, _) => self.input_gradient_tile::<L, 4, 1>(l, w, dz, dx, at),
                                    (2, 4) => self.input_gradient_tile::<L, 2, 4>(l, w, dz, dx, at),
                                    (2, 2) => self.input_gradient_tile::<L, 2, 2>(l, w, dz, dx, at),
                                    (2, _) => self.input_gradient_tile::<L, 2, 1>(l, w, dz, dx, at),
                                    (_, 4) => self.input_gradient_tile::<L, 1, 4>(l, w, dz, dx, at),
                                    (_, 2) => self.input_gradient_tile::<L, 1, 2>(l, w, dz, dx, at),
                                    (_, _) => self.input_gradient_tile::<L, 1, 1>(l, w, dz, dx, at),
                                }
                            }
                        }
                    }
                }
            },
        );
    }

    /// Gradients of C channels by Q columns of one phase, from channel `c` and quotient `q` on, in row `y`.
    #[inline(always)]
    fn input_gradient_tile<L: Lanes, const C: usize, const Q: usize>(
        &self,
        l: L,
        w: &[L::Real],
        dz: &[Lane<L::Real>],
        dx: &mut [Lane<L::Real>],
        [c, y, phase, q]: [usize; 4],
    ) {
        let [kernel_height, kernel_width] = self.kernel_size;
        let [stride_y, stride_x] = self.strides;
        let [border_y, border_x] = self.border();
        let [height, width] = self.gradient_size();
        let padded_y = y + self.padding[0];
        let mut sums = [[l.splat(L::Real::ZERO); Q]; C];
        for o in 0..self.out_channels {
            for (back_y, ky) in (padded_y % stride_y..kernel_height).step_by(stride_y).enumerate() {
                let row = &dz[(o * height + border_y + padded_y / stride_y - back_y) * width..][..width];
                for (back_x, kx) in (phase..kernel_width).step_by(stride_x).enumerate() {
                    let mut d = [l.splat(L::Real::ZERO); Q];
                    let at = &row[border_x + q - back_x..][..Q];
                    for j in 0..Q {
                        d[j] = l.load(&at[j]);
                    }
                    for i in 0..C {
                        let tap = ((o * self.in_channels + c + i) * kernel_height + ky) * kernel_width + kx;
                        let tap = l.splat(w[tap]);
                        for j in 0..Q {
                            sums[i][j] = l.mul_add(d[j], tap, sums[i][j]);
                        }
                    }
                }
            }
        }
        for i in 0..C {
            for j in 0..Q {
                let x = (q + j) * stride_x + phase - self.padding[1];
                l.store(sums[i][j], &mut dx[((c + i) * self.input[0] + y) * self.input[1] + x]);
            }
        }
    }

    fn padded_size(&self) -> [usize; 2] {
        std::array::from_fn(|i| self.input[i] + 2 * self.padding[i])
    }

    fn padded_len(&self) -> usize {
        let [height, width] = self.padded_size();
        if self.padding == [0, 0] { 0 } else { self.in_channels * height * width }
    }

    /// Outputs before the first that a pixel's taps can reach back to.
    fn border(&self) -> [usize; 2] {
        std::array::from_fn(|i| (self.kernel_size[i] - 1) / self.strides[i])
    }

    /// Height and width of dz with its border, up to the last output that a pixel's taps ask for.
    fn gradient_size(&self) -> [usize; 2] {
        std::array::from_fn(|i| {
            let asked_for = (self.padding[i] + self.input[i] - 1) / self.strides[i] + 1;
            self.border()[i] + asked_for.max(self.output[i])
        })
    }

    /// `[C][H][W]` with zeros around it, in `scratch`; the input itself where there is no padding.
    #[inline(always)]
    fn pad_input<'a, R: Real>(&self, x: &'a [Lane<R>], scratch: &'a mut [Lane<R>]) -> &'a [Lane<R>] {
        if self.padding == [0, 0] {
            return x;
        }
        let padded = &mut scratch[..self.padded_len()];
        surround(x, self.input, padded, self.padded_size(), self.padding);
        padded
    }

    fn pad_gradient<R: Real>(&self, dz: &[Lane<R>], padded: &mut [Lane<R>]) {
        let size = self.gradient_size();
        let padded = &mut padded[..self.out_channels * size[0] * size[1]];
        surround(dz, self.output, padded, size, self.border());
    }
}

/// Copies planes of `size` into zeroed planes of `outer`, `offset` from the upper left.
fn surround<R: Real>(
    inner: &[Lane<R>],
    size: [usize; 2],
    outer: &mut [Lane<R>],
    outer_size: [usize; 2],
    offset: [usize; 2],
) {
    outer.fill(Lane::zero());
    let planes = inner.chunks_exact(size[0] * size[1]).zip(outer.chunks_exact_mut(outer_size[0] * outer_size[1]));
    for (inner, outer) in planes {
        let rows = outer.chunks_exact_mut(outer_size[1]).skip(offset[0]);
        for (from, to) in inner.chunks_exact(size[1]).zip(rows) {
            to[offset[1]..][..size[1]].copy_from_slice(from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::finite_differences::{Numbers, check, flat, lanes, weighted_sum};
    use crate::simd::Float64;

    fn conv(
        [in_channels, out_channels]: [usize; 2],
        input: [usize; 2],
        kernel_size: [usize; 2],
        strides: [usize; 2],
        padding: [usize; 2],
    ) -> Conv2d {
        let output = std::array::from_fn(|i| (input[i] + 2 * padding[i] - kernel_size[i]) / strides[i] + 1);
        Conv2d { in_channels, out_channels, input, output, kernel_size, strides, padding }
    }

    /// Edges: one channel, a kernel as large as the input, 1x1, strides within, at and beyond the kernel, inputs left over,
    /// padding below, at and beyond the kernel, sides that differ, channels that leave remainders of register tiles.
    fn table() -> Vec<Conv2d> {
        vec![
            conv([1, 1], [1, 1], [1, 1], [1, 1], [0, 0]),
            conv([1, 6], [9, 9], [5, 5], [1, 1], [0, 0]),
            conv([6, 5], [7, 7], [5, 5], [1, 1], [0, 0]),
            conv([2, 3], [5, 5], [5, 5], [1, 1], [0, 0]),
            conv([3, 4], [6, 5], [1, 1], [1, 1], [0, 0]),
            conv([2, 4], [8, 9], [3, 3], [2, 2], [1, 1]),
            conv([2, 3], [10, 11], [3, 3], [3, 3], [0, 0]),
            conv([2, 2], [11, 11], [2, 2], [4, 4], [0, 0]),
            conv([1, 2], [9, 8], [2, 3], [5, 4], [1, 0]),
            conv([3, 8], [6, 6], [3, 3], [1, 1], [2, 2]),
            conv([1, 2], [3, 4], [2, 2], [1, 1], [3, 4]),
            conv([2, 3], [4, 4], [7, 7], [1, 1], [3, 3]),
            conv([7, 9], [5, 6], [3, 2], [1, 2], [1, 0]),
            conv([2, 2], [3, 3], [5, 4], [3, 2], [4, 3]),
            conv([1, 1], [4, 4], [1, 1], [3, 3], [2, 2]),
        ]
    }

    fn forward(conv: &Conv2d, x: &[Lane<f64>], w: &[f64], b: &[f64]) -> Vec<Lane<f64>> {
        let mut z = vec![Lane::zero(); conv.out_channels * conv.output[0] * conv.output[1]];
        conv.forward(Float64, x, w, b, &mut z, &mut vec![Lane::splat(f64::NAN); conv.scratch_len()]);
        z
    }

    /// The formula at the top of the file, read aloud.
    fn by_definition(conv: &Conv2d, x: &[Lane<f64>], w: &[f64], b: &[f64]) -> Vec<Lane<f64>> {
        let mut z = Vec::new();
        for o in 0..conv.out_channels {
            for oy in 0..conv.output[0] {
                for ox in 0..conv.output[1] {
                    let mut sum = [b[o]; 16];
                    for c in 0..conv.in_channels {
                        for ky in 0..conv.kernel_size[0] {
                            for kx in 0..conv.kernel_size[1] {
                                let y = (oy * conv.strides[0] + ky).wrapping_sub(conv.padding[0]);
                                let column = (ox * conv.strides[1] + kx).wrapping_sub(conv.padding[1]);
                                if y < conv.input[0] && column < conv.input[1] {
                                    let tap = ((o * conv.in_channels + c) * conv.kernel_size[0] + ky)
                                        * conv.kernel_size[1]
                                        + kx;
                                    let pixel = x[(c * conv.input[0] + y) * conv.input[1] + column].0;
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
            let w = numbers.vec(conv.out_channels * conv.in_channels * conv.kernel_size[0] * conv.kernel_size[1]);
            let b = numbers.vec(conv.out_channels);
            let (z, expected) = (flat(&forward(&conv, &x, &w, &b)), flat(&by_definition(&conv, &x, &w, &b)));
            assert!(z.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12), "{conv:?}");
        }
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        for conv in table() {
            let mut numbers = Numbers::new();
            let x = numbers.lanes(conv.in_channels * conv.input[0] * conv.input[1]);
            let w = numbers.vec(conv.out_channels * conv.in_channels * conv.kernel_size[0] * conv.kernel_size[1]);
            let b = numbers.vec(conv.out_channels);
            let dz = numbers.lanes(conv.out_channels * conv.output[0] * conv.output[1]);
            let (mut dw, mut db, mut dx) =
                (vec![0.0; w.len()], vec![0.0; b.len()], vec![Lane::splat(f64::NAN); x.len()]);
            let gradients = Gradients { weight: &mut dw, bias: &mut db, input: Some(&mut dx) };
            let mut scratch = vec![Lane::splat(f64::NAN); conv.scratch_len()];
            conv.backward(Float64, &x, &w, &dz, gradients, &mut scratch);
            let loss = |x: &[Lane<f64>], w: &[f64], b: &[f64]| weighted_sum(&forward(&conv, x, w, b), &dz);
            check(&format!("dw of {conv:?}"), &w, &dw, |w| loss(&x, w, &b));
            check(&format!("db of {conv:?}"), &b, &db, |b| loss(&x, &w, b));
            check(&format!("dx of {conv:?}"), &flat(&x), &flat(&dx), |x| loss(&lanes(x), &w, &b));
        }
    }
}
