//! The kernel of the forward pass and of the gradient by the input: an output is a sum over the taps that meet something, in
//! each of the planes. Which taps those are is the same for all channels, so it is found once for some neighbouring outputs,
//! and nothing is multiplied by zeros of padding.

use super::arranged::LARGEST;
use crate::simd::{Lane, Lanes, Real, RegisterTile, cover, cut};
use std::ops::Range;

/// A tap of the kernel, and what it meets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Met {
    /// Counted through the kernel of one plane.
    pub tap: usize,
    /// What the first column meets, counted from [`From::origin`] and wrapped around where it is before it.
    pub pixel: usize,
    /// The first column that meets something, and the one after the last.
    pub columns: [usize; 2],
}

/// Taps of the kernel that are looked through at once. A larger kernel takes more than one turn, each from the same tap on
/// whatever the tile, as the order of a sum hangs on it.
const TURN: usize = 64;

/// The taps that some outputs meet, kept for the next ones: they are the same wherever no padding is near.
pub(super) struct Taps {
    list: [Met; TURN],
    count: usize,
    /// What they were found from, and for which turn.
    found: Option<([usize; 5], usize)>,
}

impl Taps {
    pub fn new() -> Self {
        Self { list: [Met::default(); TURN], count: 0, found: None }
    }

    #[inline(always)]
    fn fill(&mut self, taps: impl Iterator<Item = Met>) {
        self.count = 0;
        for tap in taps {
            self.list[self.count] = tap;
            self.count += 1;
        }
    }
}

/// The weights of channels by taps, those of a plane after those of the plane before.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a, R> {
    /// [`super::arranged::arrange`]d.
    pub w: &'a [R],
    /// Taps of a plane.
    pub taps: usize,
}

/// Where sums come from.
#[derive(Clone, Copy)]
pub(super) struct From<'a, R> {
    /// Planes of `plane` lanes.
    pub x: &'a [Lane<R>],
    pub plane: usize,
    /// Of a plane; it may be before it, wrapped around.
    pub origin: usize,
    /// From what a column meets to what the next one does.
    pub step: usize,
    /// What a channel's sums begin with; empty for zero.
    pub bias: &'a [R],
}

/// Where sums go: `count` outputs of each channel, the first at `place`, then one at each `step`.
pub(super) struct To<'a, R> {
    /// Planes of `plane` lanes.
    pub y: &'a mut [Lane<R>],
    pub plane: usize,
    pub place: usize,
    pub step: usize,
    /// Of [`columns`].
    pub count: usize,
}

/// Widths of tiles that cover a row.
#[inline(always)]
pub(super) fn columns<L: Lanes>(l: L, row: Range<usize>) -> impl Iterator<Item = (usize, usize)> {
    cut(row, LARGEST.on(l)[1])
}

/// `y[a][place + j·step] = bias[a] + Σ w[a, k, tap] · x[k][origin + pixel + j·step]` over k and the taps, for all channels and
/// columns j. The taps are `find`'s, which is not asked again for what it finds them from.
#[inline(always)]
pub(super) fn gather<L: Lanes, I: Iterator<Item = Met>>(
    l: L,
    weights: Weights<'_, L::Real>,
    from: From<'_, L::Real>,
    to: To<'_, L::Real>,
    taps: &mut Taps,
    place: [usize; 5],
    find: impl Fn() -> I,
) {
    let (channels, count) = (to.y.len() / to.plane, to.count);
    for turn in 0..weights.taps.div_ceil(TURN) {
        if taps.found != Some((place, turn)) {
            taps.fill(find().filter(|met| met.tap / TURN == turn));
            taps.found = Some((place, turn));
        }
        let (to, list) = (To { y: &mut *to.y, ..to }, &taps.list[..taps.count]);
        let mut kernel = Gather { l, weights, from, to, taps: list, is_later_turn: turn > 0 };
        cover(0..channels, 0..count, LARGEST, &mut kernel);
    }
}

struct Gather<'a, L: Lanes> {
    l: L,
    weights: Weights<'a, L::Real>,
    from: From<'a, L::Real>,
    to: To<'a, L::Real>,
    taps: &'a [Met],
    /// Whether y holds what the sums go on from.
    is_later_turn: bool,
}

impl<L: Lanes> RegisterTile for Gather<'_, L> {
    type Lanes = L;

    #[inline(always)]
    fn tile<const A: usize, const X: usize>(&mut self, a: usize, _: usize) {
        let Self { l, weights: Weights { w, taps }, from, .. } = *self;
        let mut sums = self.begin::<A, X>(a);
        let depth = from.x.len() / from.plane * taps;
        let kernels = w[a * depth..][..A * depth].as_chunks::<A>().0.chunks_exact(taps);
        for (kernels, x) in kernels.zip(from.x.chunks_exact(from.plane)) {
            for met in self.taps {
                let pixel = from.origin.wrapping_add(met.pixel);
                let weights = &kernels[met.tap];
                if X == 1 || met.columns == [0, X] {
                    let pixels = &x[pixel..][..(X - 1) * from.step + 1];
                    let mut loaded = [l.splat(L::Real::ZERO); X];
                    for j in 0..X {
                        loaded[j] = l.load(&pixels[j * from.step]);
                    }
                    for i in 0..A {
                        let tap = l.splat(weights[i]);
                        for j in 0..X {
                            sums[i][j] = l.mul_add(loaded[j], tap, sums[i][j]);
                        }
                    }
                } else {
                    for j in 0..X {
                        if met.columns[0] <= j && j < met.columns[1] {
                            let pixel = l.load(&x[pixel.wrapping_add(j * from.step)]);
                            for i in 0..A {
                                sums[i][j] = l.mul_add(pixel, l.splat(weights[i]), sums[i][j]);
                            }
                        }
                    }
                }
            }
        }
        for i in 0..A {
            let row = &mut self.to.y[(a + i) * self.to.plane + self.to.place..][..(X - 1) * self.to.step + 1];
            for j in 0..X {
                l.store(sums[i][j], &mut row[j * self.to.step]);
            }
        }
    }
}

impl<L: Lanes> Gather<'_, L> {
    /// What the sums begin with.
    #[inline(always)]
    fn begin<const A: usize, const X: usize>(&self, a: usize) -> [[L::Vector; X]; A] {
        let (l, to) = (self.l, &self.to);
        let mut sums = [[l.splat(L::Real::ZERO); X]; A];
        for i in 0..A {
            if self.is_later_turn {
                let row = &to.y[(a + i) * to.plane + to.place..][..(X - 1) * to.step + 1];
                for j in 0..X {
                    sums[i][j] = l.load(&row[j * to.step]);
                }
            } else if let Some(bias) = self.from.bias.get(a + i) {
                sums[i] = [l.splat(*bias); X];
            }
        }
        sums
    }
}
