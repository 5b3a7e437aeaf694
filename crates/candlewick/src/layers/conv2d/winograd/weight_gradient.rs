//! The gradient by the weights, sixteen output channels to a lane vector, as in [`super::super::turned_gradient`].

use super::super::{Placed, plane};
use super::patches::{Group, Patches, pitch, places_len};
use super::transforms::{Half, KernelGradient, SIDE, along_both};
use crate::simd::{LANES, Lane, Lanes, Largest, Real, RegisterTile, cover, cut};
use std::ops::Range;

/// The largest register tiles: input channels by blocks of sixteen output channels.
const LARGEST: Largest = Largest { wide: [6, 2], narrow: [6, 1] };

fn at_once(conv: &Placed) -> usize {
    Patches::of(conv).at_once(conv.in_channels.saturating_add(LANES))
}

/// Blocks of output channels whose products are in scratch memory: all, or, where all patches are worked on at once, those of a
/// register tile.
fn kept_blocks(conv: &Placed) -> usize {
    let blocks = conv.out_channels.div_ceil(LANES);
    if at_once(conv) < Patches::of(conv).count() { blocks } else { blocks.min(LARGEST.wide[1]) }
}

/// Lanes of pixels, of gradients by outputs, and of products.
fn scratch_parts(conv: &Placed) -> [usize; 3] {
    let at_once = at_once(conv);
    [
        places_len(at_once.saturating_mul(conv.in_channels)),
        places_len(at_once.saturating_mul(LANES * LARGEST.wide[1])),
        places_len(kept_blocks(conv).saturating_mul(conv.in_channels)),
    ]
}

/// Lanes of scratch memory.
pub(in super::super) fn scratch_len(conv: &Placed) -> usize {
    scratch_parts(conv).into_iter().fold(0, usize::saturating_add)
}

/// Adds a tile's gradient to the chunk's sums, which are [`super::super::turned_gradient`]'s.
#[inline(always)]
pub(in super::super) fn leave<L: Lanes>(
    conv: &Placed,
    l: L,
    x: &[Lane<L::Real>],
    dz: &[Lane<L::Real>],
    scratch: &mut [Lane<L::Real>],
    sums: &mut [L::Real],
) {
    let (patches, at_once) = (Patches::of(conv), at_once(conv));
    let [pixels_len, gradients_len, products_len] = scratch_parts(conv);
    let (pixels, scratch) = scratch.split_at_mut(pixels_len);
    let (gradients, products) = scratch.split_at_mut(gradients_len);
    let mut kept = Kept { conv, l, patches, gradients, products: &mut products[..products_len] };
    for (first, count) in cut(0..patches.count(), at_once) {
        let (group, is_last) = (Group { first, count }, first + count == patches.count());
        patches.take_apart(l, group, x, pixels);
        for (block, width) in cut(0..conv.out_channels.div_ceil(LANES), LARGEST.on(l)[1]) {
            let slot = if at_once == patches.count() { 0 } else { block };
            kept.multiply(group, block..block + width, slot, pixels, dz);
            if is_last {
                let blocks = sums.chunks_exact_mut(conv.taps() * LANES).skip(block).take(width);
                for (j, sums) in blocks.enumerate() {
                    kept.leave_block(slot + j, sums);
                }
            }
        }
    }
}

/// Products that are kept from one group of patches to the next: `[place][slot][channel]`, a slot for each block of output channels.
struct Kept<'a, L: Lanes> {
    conv: &'a Placed,
    l: L,
    patches: Patches,
    /// Room for gradients by outputs.
    gradients: &'a mut [Lane<L::Real>],
    products: &'a mut [Lane<L::Real>],
}

impl<L: Lanes> Kept<'_, L> {
    /// Adds a group's products of some blocks to those from `slot` on.
    #[inline(always)]
    fn multiply(
        &mut self,
        group: Group,
        blocks: Range<usize>,
        slot: usize,
        pixels: &[Lane<L::Real>],
        dz: &[Lane<L::Real>],
    ) {
        let (l, depth, of_a_block) = (self.l, self.conv.in_channels, group.count * LANES);
        let gradients_pitch = pitch(of_a_block * blocks.len());
        for (j, dz) in dz.chunks(LANES * plane(self.conv.output)).skip(blocks.start).take(blocks.len()).enumerate() {
            self.patches.take_gradient_apart(l, group, dz, gradients_pitch, &mut self.gradients[j * of_a_block..]);
        }
        let pitch_of_products = self.pitch();
        let parts = pixels.chunks_exact(pitch(group.count * depth)).zip(self.gradients.chunks_exact(gradients_pitch));
        for ((pixels, gradients), products) in parts.zip(self.products.chunks_exact_mut(pitch_of_products)) {
            let products = &mut products[slot * depth..][..blocks.len() * depth];
            let is_first = group.first == 0;
            let mut kernel = Products { l, pixels, gradients, count: group.count, depth, products, is_first };
            cover(0..depth, 0..blocks.len(), LARGEST, &mut kernel);
        }
    }

    /// From one place to the next.
    fn pitch(&self) -> usize {
        pitch(kept_blocks(self.conv) * self.conv.in_channels)
    }

    /// Adds Cᵀ m C of a slot's products to the sums of its block, `[channel][3][3]` times sixteen output channels.
    #[inline(always)]
    fn leave_block(&self, slot: usize, sums: &mut [L::Real]) {
        let (l, pitch, mut half) = (self.l, self.pitch(), Half::new());
        for (channel, sums) in sums.chunks_exact_mut(9 * LANES).enumerate() {
            let products = &self.products[slot * self.conv.in_channels + channel..];
            along_both(
                KernelGradient,
                l,
                &mut half,
                #[inline(always)]
                |i, j| l.load(&products[(i * SIDE + j) * pitch]),
                #[inline(always)]
                |i, j, gradient| {
                    let into = &mut sums[(i * 3 + j) * LANES..][..LANES];
                    l.store_slice(l.add(l.load_slice(into), gradient), into);
                },
            );
        }
    }
}

/// The products of one place: input channels by blocks of sixteen output channels.
struct Products<'a, L: Lanes> {
    l: L,
    /// `[patch][channel]`
    pixels: &'a [Lane<L::Real>],
    /// `[block][patch][image]`
    gradients: &'a [Lane<L::Real>],
    /// Patches.
    count: usize,
    /// Input channels.
    depth: usize,
    /// `[block][channel]`
    products: &'a mut [Lane<L::Real>],
    /// Whether products begin here.
    is_first: bool,
}

impl<L: Lanes> RegisterTile for Products<'_, L> {
    type Lanes = L;

    #[inline(always)]
    fn tile<const C: usize, const B: usize>(&mut self, c: usize, b: usize) {
        let Self { l, depth, count, .. } = *self;
        let mut sums = [[l.splat(L::Real::ZERO); B]; C];
        if !self.is_first {
            for i in 0..C {
                for j in 0..B {
                    sums[i][j] = l.load(&self.products[(b + j) * depth + c + i]);
                }
            }
        }
        let mut gradients = [self.gradients; B];
        for j in 0..B {
            gradients[j] = &self.gradients[(b + j) * count * LANES..][..count * LANES];
        }
        let mut gradients = gradients.map(|block| block.iter());
        for pixels in self.pixels.chunks_exact(depth).take(count) {
            let pixels: &[_; C] = pixels[c..].first_chunk().expect("as many channels");
            for image in 0..LANES {
                let mut d = [l.splat(L::Real::ZERO); B];
                for j in 0..B {
                    d[j] = l.load(gradients[j].next().expect("a lane for each image"));
                }
                for i in 0..C {
                    let pixel = l.splat(pixels[i].0[image]);
                    for j in 0..B {
                        sums[i][j] = l.mul_add(d[j], pixel, sums[i][j]);
                    }
                }
            }
        }
        for i in 0..C {
            for j in 0..B {
                l.store(sums[i][j], &mut self.products[(b + j) * depth + c + i]);
            }
        }
    }
}
