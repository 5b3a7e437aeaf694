//! An image is lighter or darker than it was.

use super::settings::require_share;
use super::uniform::between;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Adds the same to all pixels of an image, from -amount · 255 to amount · 255; what would be below 0 or above 255 is that. Keras's
/// `RandomBrightness(amount)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brightness {
    /// From 0 to 1.
    pub amount: f64,
}

impl Brightness {
    /// As [`super::Augmentation::check`].
    pub(super) fn check(self) -> Result<()> {
        require_share("brightness's amount", self.amount)
    }

    /// As [`super::Augmentation::apply`]. As pixels are whole numbers, what is added may be rounded, halves up, in their place.
    pub(super) fn apply(self, image: &mut [u8], [word, ..]: [u32; 4]) {
        let light = (between(word, [-self.amount, self.amount]) * 255.0 + 0.5).floor() as i16;
        for pixel in image {
            *pixel = (i16::from(*pixel) + light).clamp(0, 255) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_word_is_darkest_and_the_greatest_lightest() {
        let lit = |amount, word| {
            let mut image = [0, 1, 50, 100, 200, 254, 255];
            Brightness { amount }.apply(&mut image, [word, 0, 0, 0]);
            image
        };
        assert_eq!(lit(0.2, 0), [0, 0, 0, 49, 149, 203, 204]);
        assert_eq!(lit(0.2, u32::MAX), [51, 52, 101, 151, 251, 255, 255]);
        assert_eq!(lit(0.2, 1 << 31), [0, 1, 50, 100, 200, 254, 255]);
        assert_eq!(lit(0.5, u32::MAX)[0], 127, "the greatest word is a little less than 127.5");
        assert_eq!(lit(0.5, 0)[6], 128, "255 - 127.5 is rounded up");
        assert_eq!((lit(1.0, 0), lit(1.0, u32::MAX)), ([0; 7], [255; 7]));
        assert_eq!(lit(0.0, 0), lit(0.0, u32::MAX));
    }

    #[test]
    fn an_amount_is_a_share() {
        assert_eq!(Brightness { amount: 1.0 }.check(), Ok(()));
        let error = Brightness { amount: 1.5 }.check().unwrap_err();
        assert_eq!(error.message, "brightness's amount is 1.5; it must be from 0 to 1");
    }
}
