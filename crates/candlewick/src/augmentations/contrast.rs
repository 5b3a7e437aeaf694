//! What is light in an image is lighter, and what is dark darker, or the other way round.

use super::settings::require_share;
use super::uniform::between;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Makes each pixel x of a channel with mean m into (x - m) · f + m, rounded to a byte, halves up, for a factor f of the image from
/// 1 - amount to 1 + amount. Keras's `RandomContrast(amount)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contrast {
    /// From 0 to 1.
    pub amount: f64,
}

impl Contrast {
    /// As [`super::Augmentation::check`].
    pub(super) fn check(self) -> Result<()> {
        require_share("contrast's amount", self.amount)
    }

    /// As [`super::Augmentation::apply`].
    pub(super) fn apply(self, image: &mut [u8], [_, height, width]: [usize; 3], [word, ..]: [u32; 4]) {
        let factor = between(word, [1.0 - self.amount, 1.0 + self.amount]);
        for channel in image.chunks_exact_mut(height * width) {
            let sum: u64 = channel.iter().map(|pixel| u64::from(*pixel)).sum();
            let mean = sum as f64 / channel.len() as f64;
            for pixel in channel {
                // A conversion cuts off the fraction, and what is below 0 or above 255.
                *pixel = ((f64::from(*pixel) - mean) * factor + mean + 0.5) as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_channel_moves_from_its_mean_or_towards_it() {
        let changed = |amount, word| {
            let mut image = [10, 20, 60, 110, 0, 0, 255, 255]; // with means 50 and 127.5
            Contrast { amount }.apply(&mut image, [2, 2, 2], [word, 0, 0, 0]);
            image
        };
        assert_eq!(changed(0.5, 0), [30, 35, 55, 80, 64, 64, 191, 191]);
        assert_eq!(changed(0.5, 1 << 31), [10, 20, 60, 110, 0, 0, 255, 255]);
        assert_eq!(changed(0.5, u32::MAX), [0, 5, 65, 140, 0, 0, 255, 255]);
        assert_eq!(changed(1.0, 0), [50, 50, 50, 50, 128, 128, 128, 128]);
        assert_eq!(changed(0.0, 7), [10, 20, 60, 110, 0, 0, 255, 255]);
    }

    #[test]
    fn an_amount_is_a_share() {
        assert_eq!(Contrast { amount: 1.0 }.check(), Ok(()));
        let error = Contrast { amount: -0.5 }.check().unwrap_err();
        assert_eq!(error.message, "contrast's amount is -0.5; it must be from 0 to 1");
    }
}
