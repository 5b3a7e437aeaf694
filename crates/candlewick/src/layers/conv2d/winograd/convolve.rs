//! The forward pass, and the gradient by the input.

use super::super::product::Product;
use super::super::{Placed, plane};
use super::patches::{Group, Patches, pitch, places_len};
use crate::simd::{Lane, Lanes, cut};

/// A convolution of 3 x 3, from planes to planes.
#[derive(Clone, Copy)]
pub(in super::super) struct Convolve {
    patches: Patches,
    /// Patches at once.
    at_once: usize,
}

impl Convolve {
    pub fn forward(conv: &Placed) -> Self {
        Self::new(conv, Patches::of(conv))
    }

    pub fn input_gradient(conv: &Placed) -> Self {
        Self::new(conv, Patches::back(conv))
    }

    fn new(conv: &Placed, patches: Patches) -> Self {
        Self { patches, at_once: patches.at_once(conv.in_channels.saturating_add(conv.out_channels)) }
    }

    /// Lanes of scratch memory, for either.
    pub fn scratch_len(conv: &Placed) -> usize {
        let len = |convolve: Self| {
            let of = |channels: usize| places_len(channels.saturating_mul(convolve.at_once));
            of(conv.in_channels).saturating_add(of(conv.out_channels))
        };
        len(Self::forward(conv)).max(len(Self::input_gradient(conv)))
    }

    /// y = conv(x, w) + bias, `w` being [`super::arrange_kernels`]'.
    #[inline(always)]
    pub fn run<L: Lanes>(
        self,
        l: L,
        [w, bias]: [&[L::Real]; 2],
        x: &[Lane<L::Real>],
        y: &mut [Lane<L::Real>],
        scratch: &mut [Lane<L::Real>],
    ) {
        let Self { patches, at_once } = self;
        let [depth, rows] = [x.len() / plane(patches.input), y.len() / plane(patches.output)];
        for (first, count) in cut(0..patches.count(), at_once) {
            let group = Group { first, count };
            let (from, products) = scratch.split_at_mut(places_len(count * depth));
            let products = &mut products[..places_len(count * rows)];
            patches.take_apart(l, group, x, from);
            let planes = from.chunks_exact(pitch(count * depth)).zip(products.chunks_exact_mut(pitch(count * rows)));
            for ((x, y), w) in planes.zip(w.chunks_exact(rows * depth)) {
                Product { l, w, depth, bias: &[], x, y, plane: count, place: 0 }.fill(rows, 0..count);
            }
            patches.put_together(l, group, products, bias, y);
        }
    }
}
