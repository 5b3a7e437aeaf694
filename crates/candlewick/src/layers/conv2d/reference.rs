//! Convolution in candle's words.

use super::Placed;
use crate::layers::reference::{Reference, every};
use candle_core::{Result, Tensor};
use candle_nn::{Conv2dConfig, Module};

/// Where windows lie apart, those between are computed and left out: candle's convolution has one stride for both sides, and no
/// gradient where the sides leave unlike remainders.
impl Reference for Placed {
    fn reference(&self, x: &Tensor, own: &[Tensor]) -> Result<Tensor> {
        let ([above, left], [below, right]) = (self.padding, self.padding_after);
        let x = x.pad_with_zeros(2, above, below)?.pad_with_zeros(3, left, right)?;
        let config = Conv2dConfig { groups: self.groups, ..Conv2dConfig::default() };
        let conv = candle_nn::Conv2d::new(own[0].clone(), own.get(1).cloned(), config);
        let [down, across] = self.strides;
        every(&every(&conv.forward(&x)?, 2, down)?, 3, across)
    }

    /// The padded input, and the output of windows one step apart; both again where they are of groups, which candle takes apart and
    /// puts together.
    fn values_on_the_way(&self) -> usize {
        let [height, width] = self.padded_size();
        let apart: [usize; 2] = std::array::from_fn(|i| self.padded_size()[i] - self.kernel_size[i] + 1);
        let all = self.out_channels.saturating_mul(apart[0]).saturating_mul(apart[1]);
        let once = all.saturating_add(self.in_channels.saturating_mul(height).saturating_mul(width));
        if self.groups == 1 { once } else { once.saturating_mul(2) }
    }
}
