//! What an image shows leans to the left or to the right.

use super::resample::resample;
use super::settings::require;
use super::uniform::between;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Turns an image about its centre by an angle from -degrees to degrees, bilinear, with zeros outside: torchvision's
/// `RandomRotation(degrees, InterpolationMode.BILINEAR)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomRotation {
    /// The largest angle, from 0 to 180.
    pub degrees: f64,
}

impl RandomRotation {
    /// As [`super::Augmentation::check`].
    pub(super) fn check(self) -> Result<()> {
        let Self { degrees } = self;
        require((0.0..=180.0).contains(&degrees), "randomRotation's degrees", degrees, "from 0 to 180")
    }

    /// As [`super::Augmentation::apply`]. An angle above 0 is to the left.
    pub(super) fn apply(self, image: &mut [u8], shape: [usize; 3], [word, ..]: [u32; 4]) {
        let angle = between(word, [-self.degrees, self.degrees]).to_radians();
        let (sine, cosine) = libm::sincos(angle);
        resample(image, shape, [[cosine, -sine], [sine, cosine]]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_are_as_far_to_the_left_as_to_the_right() {
        let image: Vec<u8> = (0..16).map(|i| 10 * i).collect();
        let turned = |degrees, word| {
            let mut image = image.clone();
            RandomRotation { degrees }.apply(&mut image, [1, 4, 4], [word, 0, 0, 0]);
            image
        };
        let to_the_left: Vec<u8> = (0..16).map(|at| 10 * (4 * (at % 4) + 3 - at / 4)).collect();
        let to_the_right: Vec<u8> = (0..16).map(|at| 10 * (4 * (3 - at % 4) + at / 4)).collect();
        assert_eq!(turned(90.0, 0), to_the_right);
        assert_eq!(turned(90.0, u32::MAX), to_the_left);
        assert_eq!(turned(180.0, 3 << 30), to_the_left);
        assert_eq!(turned(180.0, 1 << 31), image);
        assert_eq!(turned(0.0, 12345), image);
    }

    #[test]
    fn more_than_half_a_turn_is_none() {
        for degrees in [0.0, 15.5, 180.0] {
            assert_eq!(RandomRotation { degrees }.check(), Ok(()));
        }
        for (degrees, shown) in [(-1.0, "-1.0"), (180.5, "180.5"), (f64::NAN, "NaN")] {
            let error = RandomRotation { degrees }.check().unwrap_err();
            assert_eq!(error.message, format!("randomRotation's degrees is {shown}; it must be from 0 to 180"));
        }
    }
}
