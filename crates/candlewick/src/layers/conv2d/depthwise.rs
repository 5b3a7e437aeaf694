//! Convolution of one channel at a time, the passes of a depthwise layer. There are no other channels to share a pixel with, so a
//! register tile is a piece of a row: its sums hide each other's latency, and a tap is read once for all of them.
//!
//! Sizes are those of one group: a plane of pixels in, a few planes out.

use super::Placed;
use crate::simd::{Lane, Lanes, Real, cut};

/// Sums that registers have room for.
#[inline(always)]
fn most_sums<L: Lanes>(_: L) -> usize {
    if L::WIDE { 8 } else { 4 }
}

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
    let width = conv.output[1];
    for (o, w) in w.chunks_exact(conv.taps()).enumerate() {
        let b = b.get(o).copied().unwrap_or(L::Real::ZERO);
        for oy in 0..conv.output[0] {
            let row = &mut z[(o * conv.output[0] + oy) * width..][..width];
            // Known to the compiler, a stride needs no check of where it leads; and that of 1 is nearly always the one.
            match conv.strides[1] {
                1 => forward_row::<L, 1>(conv, l, x, (w, b), row, oy),
                _ => forward_row::<L, ANY>(conv, l, x, (w, b), row, oy),
            }
        }
    }
}

/// A stride that is read from the layer.
const ANY: usize = 0;

#[inline(always)]
fn stride<const S: usize>(conv: &Placed) -> usize {
    if S == ANY { conv.strides[1] } else { S }
}

#[inline(always)]
fn forward_row<L: Lanes, const S: usize>(
    conv: &Placed,
    l: L,
    x: &[Lane<L::Real>],
    own: (&[L::Real], L::Real),
    z: &mut [Lane<L::Real>],
    oy: usize,
) {
    for (ox, columns) in cut(0..z.len(), most_sums(l)) {
        match columns {
            8 if L::WIDE => forward_tile::<L, S, 8>(conv, l, x, own, z, [oy, ox]),
            4 => forward_tile::<L, S, 4>(conv, l, x, own, z, [oy, ox]),
            2 => forward_tile::<L, S, 2>(conv, l, x, own, z, [oy, ox]),
            _ => forward_tile::<L, S, 1>(conv, l, x, own, z, [oy, ox]),
        }
    }
}

#[inline(always)]
fn forward_tile<L: Lanes, const S: usize, const X: usize>(
    conv: &Placed,
    l: L,
    x: &[Lane<L::Real>],
    (w, b): (&[L::Real], L::Real),
    z: &mut [Lane<L::Real>],
    [oy, ox]: [usize; 2],
) {
    let (stride, width, kernel_width) = (stride::<S>(conv), conv.padded_size()[1], conv.kernel_size[1]);
    let mut sums = [l.splat(b); X];
    for (ky, taps) in w.chunks_exact(kernel_width).enumerate() {
        let row = &x[(oy * conv.strides[0] + ky) * width + ox * stride..];
        for (kx, tap) in taps.iter().enumerate() {
            let (tap, pixels) = (l.splat(*tap), &row[kx..][..(X - 1) * stride + 1]);
            for j in 0..X {
                sums[j] = l.mul_add(l.load(&pixels[j * stride]), tap, sums[j]);
            }
        }
    }
    let z = &mut z[ox..][..X];
    for j in 0..X {
        l.store(sums[j], &mut z[j]);
    }
}

/// `dw[o][ky][kx] += Σ dz[o][oy][ox] · p[oy·sy + ky][ox·sx + kx]`, over the images too; `x` is p.
#[inline(always)]
pub(super) fn weight_gradient<L: Lanes>(
    conv: &Placed,
    l: L,
    x: &[Lane<L::Real>],
    dz: &[Lane<L::Real>],
    dw: &mut [L::Real],
) {
    let planes = dz.chunks_exact(conv.output[0] * conv.output[1]);
    for (dz, dw) in planes.zip(dw.chunks_exact_mut(conv.taps())) {
        match conv.strides[1] {
            1 => weight_gradient_plane::<L, 1>(conv, l, x, dz, dw),
            _ => weight_gradient_plane::<L, ANY>(conv, l, x, dz, dw),
        }
    }
}

/// A kernel's taps in parts, those of 3x3 in one or two: a tap left over would wait for each of its additions alone.
#[inline(always)]
fn weight_gradient_plane<L: Lanes, const S: usize>(
    conv: &Placed,
    l: L,
    x: &[Lane<L::Real>],
    dz: &[Lane<L::Real>],
    dw: &mut [L::Real],
) {
    let mut first = 0;
    while let Some(rest) = dw.get_mut(first..).filter(|rest| !rest.is_empty()) {
        let taps = match rest.len() {
            9.. if L::WIDE => 9,
            5.. => 5,
            4 => 4,
            2..=3 => 2,
            _ => 1,
        };
        match taps {
            9 if L::WIDE => weight_gradient_tile::<L, S, 9>(conv, l, x, dz, rest, first),
            5 => weight_gradient_tile::<L, S, 5>(conv, l, x, dz, rest, first),
            4 => weight_gradient_tile::<L, S, 4>(conv, l, x, dz, rest, first),
            2 => weight_gradient_tile::<L, S, 2>(conv, l, x, dz, rest, first),
            _ => weight_gradient_tile::<L, S, 1>(conv, l, x, dz, rest, first),
        }
        first += taps;
    }
}

/// T taps, from `first` on, at the front of `dw`.
#[inline(always)]
fn weight_gradient_tile<L: Lanes, const S: usize, const T: usize>(
    conv: &Placed,
    l: L,
    x: &[Lane<L::Real>],
    dz: &[Lane<L::Real>],
    dw: &mut [L::Real],
    first: usize,
) {
    let (stride, width, kernel_width) = (stride::<S>(conv), conv.padded_size()[1], conv.kernel_size[1]);
    // Each tap sees the input through a window of its own: x shifted to where the tap's first pixel is.
    let mut windows = [x; T];
    for j in 0..T {
        let [ky, kx] = [(first + j) / kernel_width, (first + j) % kernel_width];
        windows[j] = &x[ky * width + kx..];
    }
    let span = (conv.output[1] - 1) * stride + 1;
    let mut sums = [l.splat(L::Real::ZERO); T];
    for (oy, row) in dz.chunks_exact(conv.output[1]).enumerate() {
        let mut rows = windows;
        for j in 0..T {
            rows[j] = &windows[j][oy * conv.strides[0] * width..][..span];
        }
        let (blocks, rest) = row.as_chunks::<4>();
        for (i, block) in blocks.iter().enumerate() {
            add_products::<L, S, T, 4>(stride, l, block, &rows, 4 * i, &mut sums);
        }
        for (i, d) in rest.iter().enumerate() {
            add_products::<L, S, T, 1>(stride, l, &[*d], &rows, 4 * blocks.len() + i, &mut sums);
        }
    }
    let dw = &mut dw[..T];
    for quad in 0..T / 4 {
        let j = 4 * quad;
        let of_four = l.sum_each([sums[j], sums[j + 1], sums[j + 2], sums[j + 3]]);
        for i in 0..4 {
            dw[j + i] += of_four[i];
        }
    }
    for j in T / 4 * 4..T {
        dw[j] += l.sum(sums[j]);
    }
}

/// To each tap's sum, its pixels times X of the gradients, from column `ox` on.
#[inline(always)]
fn add_products<L: Lanes, const S: usize, const T: usize, const X: usize>(
    stride: usize,
    l: L,
    d: &[Lane<L::Real>; X],
    rows: &[&[Lane<L::Real>]; T],
    ox: usize,
    sums: &mut [L::Vector; T],
) {
    let stride = if S == ANY { stride } else { S };
    let mut pixels = *rows;
    for j in 0..T {
        pixels[j] = &rows[j][ox * stride..][..(X - 1) * stride + 1];
    }
    for i in 0..X {
        let d = l.load(&d[i]);
        for j in 0..T {
            sums[j] = l.mul_add(l.load(&pixels[j][i * stride]), d, sums[j]);
        }
    }
}

/// dx from dz, gathered, a phase of a row at a time: see [`super::input_gradient`].
#[inline(always)]
pub(super) fn input_gradient<L: Lanes>(
    conv: &Placed,
    l: L,
    w: &[L::Real],
    dz: &[Lane<L::Real>],
    dx: &mut [Lane<L::Real>],
) {
    let [stride, padding, width] = [conv.strides[1], conv.padding[1], conv.input[1]];
    for (y, row) in dx.chunks_exact_mut(width).enumerate() {
        for phase in 0..stride.min(padding + width) {
            // X = stride · q + phase is in the image for q from first to last.
            let first = padding.saturating_sub(phase).div_ceil(stride);
            let last = (padding + width - 1 - phase) / stride;
            for (q, columns) in cut(first..last + 1, most_sums(l)) {
                match columns {
                    8 if L::WIDE => input_gradient_tile::<L, 8>(conv, l, w, dz, row, [y, phase, q]),
                    4 => input_gradient_tile::<L, 4>(conv, l, w, dz, row, [y, phase, q]),
                    2 => input_gradient_tile::<L, 2>(conv, l, w, dz, row, [y, phase, q]),
                    _ => input_gradient_tile::<L, 1>(conv, l, w, dz, row, [y, phase, q]),
                }
            }
        }
    }
}

/// Q pixels of row `y` in one phase, from quotient `q` on; `dx` is that row.
#[inline(always)]
fn input_gradient_tile<L: Lanes, const Q: usize>(
    conv: &Placed,
    l: L,
    w: &[L::Real],
    dz: &[Lane<L::Real>],
    dx: &mut [Lane<L::Real>],
    [y, phase, q]: [usize; 3],
) {
    let ([stride_y, stride_x], [out_height, out_width]) = (conv.strides, conv.output);
    let [kernel_height, kernel_width] = conv.kernel_size;
    let padded_y = y + conv.padding[0];
    // Tap (ky, kx) reaches back from output (padded_y / sy, q) by as many rows and columns as it is after the phase's first. Those
    // that reach no output are left out.
    let (first_ky, oy) = (padded_y % stride_y, padded_y / stride_y);
    let rows = kernel_height.saturating_sub(first_ky).div_ceil(stride_y).min(oy + 1);
    let rows = (oy + 1).saturating_sub(out_height)..rows;
    let columns = kernel_width.saturating_sub(phase).div_ceil(stride_x).min(q + Q);
    let columns = (q + 1).saturating_sub(out_width)..columns;
    let mut sums = [l.splat(L::Real::ZERO); Q];
    for (w, plane) in w.chunks_exact(conv.taps()).zip(dz.chunks_exact(out_height * out_width)) {
        for back_y in rows.clone() {
            let row = &plane[(oy - back_y) * out_width..][..out_width];
            let taps = &w[(first_ky + back_y * stride_y) * kernel_width..][..kernel_width];
            for back_x in columns.clone() {
                let tap = l.splat(taps[phase + back_x * stride_x]);
                // Near the ends of the row, some columns of the tile have no output that far back.
                if let Some(outputs) = row.get(q.wrapping_sub(back_x)..).and_then(|row| row.first_chunk::<Q>()) {
                    for j in 0..Q {
                        sums[j] = l.mul_add(l.load(&outputs[j]), tap, sums[j]);
                    }
                } else {
                    for j in 0..Q {
                        if let Some(d) = row.get((q + j).wrapping_sub(back_x)) {
                            sums[j] = l.mul_add(l.load(d), tap, sums[j]);
                        }
                    }
                }
            }
        }
    }
    let dx = &mut dx[q * stride_x + phase - conv.padding[1]..][..(Q - 1) * stride_x + 1];
    for j in 0..Q {
        l.store(sums[j], &mut dx[j * stride_x]);
    }
}
