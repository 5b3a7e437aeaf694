//! Convolution with a kernel of 3 x 3, one step at a time, by Winograd's F(4 x 4, 3 x 3): sixteen outputs from a patch of 6 x 6 pixels with
//! 36 multiplications rather than 144. With the same patches, F(3 x 3, 4 x 4) is the gradient by the weights.
//!
//! ```text
//!   y  = Aᵀ [ (G g Gᵀ) · (Bᵀ d B) ] A       sums over channels are taken within the brackets,
//!   dg = Cᵀ [ (E dy Eᵀ) · (Bᵀ d B) ] C      here, over patches and images
//! ```
//!
//! Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, section 4. So the work is thirty-six products of
//! matrices, one for each place in a patch, and little besides. The gradient by the input is a convolution with the kernels turned
//! round.

mod convolve;
mod patches;
mod transforms;
mod weight_gradient;

pub(super) use convolve::Convolve;
pub(super) use transforms::arrange_kernels;
pub(super) use weight_gradient::{leave, scratch_len as gradient_scratch_len};

use super::Placed;
use patches::Patches;
use transforms::PLACES;

/// Whether it takes less time than over the taps that meet the image: where there are channels enough to pay for the patches, and
/// patches do not lie mostly outside of the image.
pub(super) fn is_faster(conv: &Placed) -> bool {
    let is_of_its_kind =
        conv.kernel_size == [3, 3] && conv.strides == [1, 1] && conv.padding.iter().all(|padding| *padding <= 2);
    is_of_its_kind && conv.in_channels.min(conv.out_channels) >= 8 && {
        let multiplied = Patches::of(conv).count().max(Patches::back(conv).count()).saturating_mul(PLACES);
        multiplied.saturating_mul(5) <= met(conv, 0).saturating_mul(met(conv, 1)).saturating_mul(4)
    }
}

/// Pairs of a kernel's tap and a pixel that meet, along one side; the padding has none.
fn met(conv: &Placed, side: usize) -> usize {
    let (padding, end) = (conv.padding[side], conv.padding[side] + conv.input[side]);
    let outputs = |tap: usize| padding.saturating_sub(tap)..conv.output[side].min(end.saturating_sub(tap));
    (0..3).map(|tap| outputs(tap).len()).sum()
}

/// Numbers of the arranged weights of one direction, for so many weights.
pub(super) fn arranged_len(weights: usize) -> usize {
    (weights / 9).saturating_mul(PLACES)
}

#[cfg(test)]
mod tests {
    use super::super::examples::table;
    use super::super::{Placed, Way};
    use super::met;
    use crate::layers::LaneOperation;
    use crate::layers::finite_differences::{Numbers, flat, forward};
    use crate::simd::{InstructionSet, Kernel, Lane, Lanes};

    #[test]
    fn pairs_are_counted_as_one_by_one() {
        for conv in table().iter().filter(|conv| conv.kernel_size == [3, 3] && conv.strides == [1, 1]) {
            for side in 0..2 {
                let pixels = conv.padding[side]..conv.padding[side] + conv.input[side];
                let pairs = (0..conv.output[side]).flat_map(|out| (0..3).map(move |tap| out + tap));
                assert_eq!(met(conv, side), pairs.filter(|pixel| pixels.contains(pixel)).count(), "{conv:?}");
            }
        }
    }

    struct Forward<'a>(&'a Placed, &'a [f32], &'a [Lane<f32>], &'a mut [Lane<f32>]);

    impl Kernel for Forward<'_> {
        type Output = ();

        fn run<L: Lanes<Real = f32>>(self, l: L) {
            let Self(conv, own, x, y) = self;
            let mut scratch = vec![Lane::zero(); conv.needs().scratch];
            conv.forward(l, own, x, y, &mut scratch);
        }
    }

    /// With the points 0, ±1, ±2 and infinity, the error would be twice as large.
    #[test]
    fn float32_loses_little() {
        let side = [16, 16];
        let conv = Placed {
            in_channels: 64,
            out_channels: 8,
            groups: 1,
            use_bias: false,
            input: side,
            output: side,
            kernel_size: [3, 3],
            strides: [1, 1],
            padding: [1, 1],
            padding_after: [1, 1],
        };
        assert_eq!(conv.way(), Way::Winograd);
        let mut numbers = Numbers::new();
        let single = |number: f64| number as f32;
        let x: Vec<_> = numbers.lanes(64 * 256).iter().map(|lane| Lane(lane.0.map(|x| single(x.max(0.0))))).collect();
        let own: Vec<f32> = numbers.vec(64 * 8 * 9).into_iter().map(single).collect();
        let mut arranged = vec![0.0; conv.needs().arranged];
        conv.arrange(&own, &mut arranged);
        let mut y = vec![Lane::zero(); 8 * 256];
        InstructionSet::best().run(Forward(&conv, &arranged, &x, &mut y));
        let double: Vec<_> = x.iter().map(|lane| Lane(lane.0.map(f64::from))).collect();
        let exact = flat(&forward(&conv, &own.into_iter().map(f64::from).collect::<Vec<_>>(), &double, y.len()));
        let norm = |numbers: &mut dyn Iterator<Item = f64>| numbers.map(|number| number * number).sum::<f64>().sqrt();
        let errors = y.iter().flat_map(|lane| lane.0).zip(&exact).map(|(y, exact)| f64::from(y) - exact);
        let error = norm(&mut { errors }) / norm(&mut exact.iter().copied());
        assert!(error < 9e-7, "{error:e}");
    }
}
